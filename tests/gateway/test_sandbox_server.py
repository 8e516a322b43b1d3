"""The sandbox over HTTP: the phones, the tickets, the faults, and what it does with rubbish."""

import json
import threading
from pathlib import Path

import pytest
import requests

from gateway.rules import settings
from gateway.sandbox import arrangement, faults, ledger, network, server

AN, BINH = "+84905123456", "+84912345678"
PICTURE = b"\x89PNG\r\n\x1a\n"


class Printer:
    """Notes which faults are switched; the real stand-in has tests of its own."""

    def __init__(self) -> None:
        self.switched = []

    def fault(self, name: str, on: bool) -> None:
        self.switched.append((name, on))


@pytest.fixture
def phones(tmp_path):
    phones = network.Network(tmp_path)
    yield phones
    phones.close()


@pytest.fixture
def printer():
    return Printer()


@pytest.fixture
def client(tmp_path, phones, printer):
    return server.create_app(phones, server.Options(folder=tmp_path), printer=printer).test_client()


def test_phones_show_their_messages_the_newest_phone_first(client, phones):
    phones.deliver(AN, via="zalo", sender="Zalo OA", text="Số của bạn là 042", ref="r1", id="m1")
    phones.deliver(BINH, via="sms", sender="CAPHUONG", text="So 043", parts=1)
    shown = client.get("/phones").json["phones"]
    assert [(one["phone"], one["masked"]) for one in shown] == [(BINH, "091***678"), (AN, "090***456")]
    (message,) = shown[1]["messages"]
    at = message.pop("at")
    assert at.endswith("+07:00")
    assert message == {
        "via": "zalo", "from": "Zalo OA", "text": "Số của bạn là 042", "parts": 1, "ref": "r1", "id": "m1",
    }  # fmt: skip


def test_messages_outlive_a_crash_and_a_torn_row_is_dropped(tmp_path, phones):
    phones.deliver(AN, via="sms", sender="X", text="một")
    with (tmp_path / "messages.jsonl").open("a") as file:
        file.write('{"phone": "+8490')
    again = network.Network(tmp_path)
    assert [one.text for one in again.messages(AN)] == ["một"]
    again.deliver(AN, via="sms", sender="X", text="hai")
    again.close()
    assert [one.text for one in network.Network(tmp_path).messages(AN)] == ["một", "hai"]


def test_a_ledger_keeps_only_the_newest_rows(tmp_path):
    first = ledger.Ledger(tmp_path / "rows.jsonl")
    for number in range(10):
        first.append(number=number)
    first.close()
    assert [row["number"] for row in ledger.Ledger(tmp_path / "rows.jsonl", keep=3).rows] == [7, 8, 9]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def test_waiting_for_a_message_ends_when_it_comes_and_not_before(phones):
    assert phones.wait(lambda network: network.messages(AN), 0) == []
    threading.Timer(0, phones.deliver, [AN], {"via": "sms", "sender": "X", "text": "đến"}).start()
    assert phones.wait(lambda network: network.messages(AN), 10)


def test_faults_are_switched_and_listed(client, phones):
    body = {"phone": "0905 123 456", "fault": faults.ZALO_REFUSED, "on": True}
    assert client.post("/faults", json=body).json["faults"] == [
        {"phone": AN, "fault": "zalo_refused", "on": True}
    ]
    assert phones.faults.on(faults.ZALO_REFUSED, AN) and not phones.faults.on(faults.ZALO_REFUSED, BINH)
    client.post("/faults", json=body | {"on": False})
    assert client.get("/faults").json["faults"] == []


def test_a_fault_for_everybody_is_a_fault_for_an(client, phones):
    client.post("/faults", json={"phone": None, "fault": faults.SMS_FAILED, "on": True})
    assert phones.faults.on(faults.SMS_FAILED, AN)


def test_the_printers_faults_go_to_the_printer(client, printer):
    body = {"phone": None, "fault": "printer_paper_out", "on": True}
    assert client.post("/faults", json=body).json["faults"] == [body]
    assert printer.switched == [("paper_out", True)]


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"fault": "zalo_refused"}, {"fault": "nonsense", "on": True}, {"fault": "paper_out", "on": True},
     {"fault": "zalo_refused", "on": "yes"}, {"fault": "zalo_refused", "on": True, "phone": "12"},
     {"fault": ["x"], "on": True}, {"fault": "printer_fire", "on": True}],
)  # fmt: skip
def test_a_fault_that_does_not_exist_changes_nothing(client, printer, body):
    assert client.post("/faults", json=body).status_code == 400
    assert client.get("/faults").json["faults"] == [] and printer.switched == []


def test_every_fault_is_named_in_the_list(client):
    assert set(faults.NAMES) < set(client.get("/faults").json["known"])


def test_tickets_are_listed_newest_first_and_shown(client, tmp_path):
    folder = tmp_path / "tickets"
    folder.mkdir()
    for name in ("000001", "000002"):
        (folder / f"{name}.png").write_bytes(PICTURE)
        (folder / f"{name}.json").write_text(json.dumps({"at": f"at {name}"}))
    assert client.get("/tickets").json["tickets"] == [
        {"id": "000002", "at": "at 000002", "png": "/tickets/000002.png"},
        {"id": "000001", "at": "at 000001", "png": "/tickets/000001.png"},
    ]
    assert client.get("/tickets/000001.png").data == PICTURE


@pytest.mark.parametrize("name", ["000009", "..%2fmessages", "x", "1" * 10])
def test_no_other_file_is_shown(client, tmp_path, name):
    (tmp_path / "tickets").mkdir()
    assert client.get(f"/tickets/{name}.png").status_code == 404


def test_a_request_of_any_size_is_not_read(client):
    assert client.post("/faults", data=b"x" * 100_000, content_type="application/json").status_code in (
        400,
        413,
    )


@pytest.mark.parametrize(
    ("origin", "open_to"),
    [("http://127.0.0.1:8080", True), ("http://localhost:8080", True), ("https://example.vn", False),
     ("http://127.0.0.1.example.vn", False)],
)  # fmt: skip
def test_only_pages_of_this_machine_may_look(client, origin, open_to):
    answer = client.get("/phones", headers={"Origin": origin})
    assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is open_to


@pytest.fixture
def sandbox(tmp_path):
    sandbox = server.Sandbox(server.Options(port=0, folder=tmp_path, modem_link=tmp_path / "modem"))
    sandbox.start()
    yield sandbox
    sandbox.stop()


def test_a_citizen_can_send_a_text_to_the_station(sandbox):
    answer = requests.post(f"{sandbox.url}/phones/0905123456/sms", json={"text": "XN A042"}, timeout=5)
    assert (answer.status_code, sandbox.modem.stored()["ME"]) == (202, 1)


@pytest.mark.parametrize(
    ("number", "body"),
    [("12", {"text": "x"}), ("0905123456", {}), ("0905123456", {"text": ""}), ("0905123456", {"text": 5}),
     ("0905123456", {"text": "x" * 601}), ("0905123456", [])],
)  # fmt: skip
def test_a_text_that_cannot_be_is_refused(sandbox, number, body):
    assert requests.post(f"{sandbox.url}/phones/{number}/sms", json=body, timeout=5).status_code == 400
    assert sandbox.modem.stored()["ME"] == 0


def test_a_second_modem_has_a_link_a_sim_and_faults_of_its_own(tmp_path):
    links = {"modem_link": tmp_path / "modem", "modem_links": {"second": tmp_path / "second"}}
    sandbox = server.Sandbox(server.Options(port=0, folder=tmp_path, modem_pins={"second": "1234"}, **links))
    sandbox.start()
    try:
        assert [(tmp_path / name).is_symlink() for name in ("modem", "second")] == [True, True]
        first, second = sandbox.modems.values()
        assert (first.card.state, second.card.state) == ("READY", "SIM PIN")
        assert first.card.number != second.card.number
        fault = {"modem": "second", "fault": faults.MODEM_UNPLUGGED, "on": True}
        assert requests.post(f"{sandbox.url}/faults", json=fault, timeout=5).json()["faults"] == [
            {"phone": None, **fault}
        ]
        assert (first.away, second.away) == (False, True)
        for name, status in (("modem", 202), ("second", 202), ("third", 404)):
            told = {"text": "XN", "modem": name}
            assert requests.post(f"{sandbox.url}/phones/{AN}/sms", json=told, timeout=5).status_code == status
        assert (first.stored()["ME"], second.held) == (1, 1)
    finally:
        sandbox.stop()


def test_modems_of_the_configuration_that_live_in_the_sandbox_have_a_stand_in():
    config = settings.Settings.model_validate(
        {
            "sandbox": {"folder": "data/sandbox"},
            "sms": {
                "modems": {
                    "second": {"url": "serial://data/sandbox/second?baud=115200", "network": "mobifone"},
                    "real": {"url": "serial:///dev/ttyUSB1"},
                    "far": {"url": "socket://data/sandbox/far:1"},
                }
            },
        }
    )
    options = arrangement.options(config, lambda name: "secret")
    assert options.modem_links == {"second": Path("data/sandbox/second")}
    assert options.modem_operators == {"second": "Mobifone"}


def test_without_a_modem_nobody_can_text(client):
    assert client.post("/phones/0905123456/sms", json={"text": "XN"}).status_code == 404


def test_run_ends_when_it_is_told_and_leaves_the_port_free(tmp_path, sandbox):
    with pytest.raises(OSError):
        port = int(sandbox.url.rsplit(":", 1)[1])
        server.run(server.Options(port=port, folder=tmp_path / "b"), threading.Event())
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(server.Options(port=0, folder=tmp_path / "c"), stop))
    thread.start()
    stop.set()
    thread.join(timeout=20)
    assert not thread.is_alive()


def test_a_sandbox_does_not_show_its_secrets():
    assert "secret" not in repr(server.Options()).replace("secret_key", "")
