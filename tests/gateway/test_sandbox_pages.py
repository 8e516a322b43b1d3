"""/sandbox shows what the stand-ins got, says calmly when they are silent, and switches their faults."""

from __future__ import annotations

import re

import pytest

from gateway.rules import settings
from gateway.sandbox import faults, pages, server
from gateway.sandbox.options import Options
from tests.conftest import free_port
from tests.gateway import browsing

AN = "+84905123456"


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def app(sqlite, config, eight, port):
    sandbox = settings.Sandbox(on=True, port=port)
    shown = config.model_copy(update={"sandbox": sandbox})
    logins = [("officer", "binh", browsing.PASSWORD)]
    return browsing.station(shown, sqlite, [eight], (pages.blueprint_for(shown, lambda: logins),))


@pytest.fixture
def visitor(app):
    return browsing.Visitor(app)


@pytest.fixture
def stand_ins(tmp_path, port):
    made = server.Sandbox(Options(port=port, folder=tmp_path / "sandbox"))
    made.start()
    yield made
    made.stop()


def switch(visitor, **asked):
    return post(visitor, "/sandbox/faults", asked)


def post(visitor, path, asked):
    token = re.search(r'csrf-token" content="([^"]+)"', visitor.get("/sandbox").text)[1]
    return visitor.client.post(path, json=asked, headers={"X-CSRFToken": token})


@pytest.mark.parametrize(("language", "first"), [("vi", "Đăng ký"), ("en", "Register")])
def test_the_six_steps_and_the_sign_in_are_on_one_page(visitor, language, first):
    page = visitor.text(f"/sandbox?lang={language}")
    steps = page.split('class="tour-steps"')[1].split("</ol>")[0]
    assert re.findall(r"<b>(\d)</b>", steps) == ["1", "2", "3", "4", "5", "6"] and first in steps
    for path in ("#phones-title", "/dang-ky", "/admin", "http://127.0.0.1:8081/", "/staff", "/board"):
        assert f'href="{path}"' in steps
    assert browsing.PASSWORD in page and browsing.inline(page) == []


def test_silent_stand_ins_are_told_and_the_page_still_works(visitor):
    assert visitor.get("/sandbox").status_code == 200
    assert visitor.get("/sandbox/state.json").json == {"alive": False}
    assert visitor.get("/sandbox/tickets/000001.png").status_code == 503
    assert switch(visitor, phone=None, fault="zalo_refused", on=True).status_code == 503


def test_the_messages_on_the_phones_are_shown(visitor, stand_ins):
    stand_ins.network.deliver(AN, via="zalo", sender="Công an", text="Mời số 042")
    state = visitor.get("/sandbox/state.json").json
    assert state["alive"] and [one["phone"] for one in state["phones"]] == [AN]
    assert state["phones"][0]["messages"][0]["text"] == "Mời số 042"


def test_a_printed_ticket_is_shown_as_its_picture(visitor, stand_ins):
    folder = server.tickets_folder(stand_ins.options)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "000001.png").write_bytes(b"\x89PNG picture")
    assert [one["id"] for one in visitor.get("/sandbox/state.json").json["tickets"]] == ["000001"]
    answer = visitor.get("/sandbox/tickets/000001.png")
    assert (answer.mimetype, answer.data) == ("image/png", b"\x89PNG picture")
    assert visitor.get("/sandbox/tickets/000002.png").status_code == 404
    assert visitor.get("/sandbox/tickets/..%2Ffaults.png").status_code == 404


def test_a_fault_is_switched_on_and_off_for_one_phone(visitor, stand_ins):
    on = switch(visitor, phone="0905 123 456", fault="zalo_refused", on=True)
    assert on.json["faults"] == [{"phone": AN, "fault": "zalo_refused", "on": True}]
    assert stand_ins.network.faults.on("zalo_refused", AN)
    off = switch(visitor, phone=AN, fault="zalo_refused", on=False)
    assert off.json["faults"] == [] and not stand_ins.network.faults.on("zalo_refused", AN)


@pytest.mark.parametrize(
    "asked",
    [{"phone": "12", "fault": "zalo_refused", "on": True}, {"phone": None, "fault": "fire", "on": True}, {}],
)
def test_a_fault_that_is_none_is_refused(visitor, stand_ins, asked):
    assert switch(visitor, **asked).status_code == 400
    assert stand_ins.network.faults.listed() == []


def test_a_fault_is_not_switched_without_the_pages_token(visitor, stand_ins):
    asked = {"phone": None, "fault": "zalo_refused", "on": True}
    assert visitor.client.post("/sandbox/faults", json=asked).status_code == 400
    assert stand_ins.network.faults.listed() == []


def test_every_fault_of_the_stand_ins_has_a_name_for_people(app):
    known = set(faults.NAMES) | {f"printer_{name}" for name in server.PRINTER_FAULTS}
    with app.test_request_context():
        assert set(pages.fault_words()) == known


def test_a_person_is_added_and_acts_through_the_page(visitor, stand_ins):
    assert post(visitor, "/sandbox/users", {"phone": "0905 123 456"}).json["phone"] == AN
    assert post(visitor, f"/sandbox/users/{AN}/follow", {}).json["user"]["following"]
    assert post(visitor, f"/sandbox/users/{AN}/text", {"text": "Xin số"}).json["text"] == "Xin số"
    (one,) = visitor.get("/sandbox/state.json").json["phones"]
    assert (one["zalo"]["following"], one["messages"][0]["text"]) == (True, "Xin số")


def test_a_picture_in_a_chat_is_passed_on(visitor, stand_ins):
    post(visitor, f"/sandbox/users/{AN}/picture", {})
    (message,) = visitor.get("/sandbox/state.json").json["phones"][0]["messages"]
    answer = visitor.get(f"/sandbox{message['more']['picture']}")
    assert (answer.mimetype, answer.data[:4]) == ("image/png", b"\x89PNG")
    for path in ("none.png", "..%2Fzalo-people.jsonl", "x.html"):
        assert visitor.get(f"/sandbox/media/{path}").status_code == 404


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/sandbox/users", {"phone": "12"}, 400),
        ("/sandbox/users", [], 400),
        (f"/sandbox/users/{AN}/text", {"text": ""}, 400),
        (f"/sandbox/users/{AN}/text", {"text": "x" * 30_000}, 400),
        (f"/sandbox/users/{AN}/age", {"hours": 1}, 404),
        ("/sandbox/users/12/follow", {}, 404),
    ],
)
def test_what_a_person_cannot_do_changes_nothing(visitor, stand_ins, path, asked, status):
    assert post(visitor, path, asked).status_code == status
    assert stand_ins.network.messages(AN) == []


def test_nobody_acts_without_the_pages_token(visitor, stand_ins):
    assert visitor.client.post(f"/sandbox/users/{AN}/follow", json={}).status_code == 400
    assert visitor.get("/sandbox/state.json").json["phones"] == []


def test_a_persons_acts_wait_for_silent_stand_ins(visitor):
    assert post(visitor, "/sandbox/users", {"phone": "0905123456"}).status_code == 503
    assert visitor.get("/sandbox/media/sample.png").status_code == 503


def test_a_fault_of_one_user_or_template_is_switched_off_alone(visitor, stand_ins):
    for whose in ({"user": "1234567890123456789"}, {"template": "100001"}, {}):
        switch(visitor, fault="zalo_not_by_id", on=True, **whose)
    left = switch(visitor, fault="zalo_not_by_id", on=False, template="100001").json["faults"]
    assert [one.get("user") or one.get("template") for one in left] == ["1234567890123456789", None]
