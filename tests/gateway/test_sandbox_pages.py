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
    token = re.search(r'csrf-token" content="([^"]+)"', visitor.get("/sandbox").text)[1]
    return visitor.client.post("/sandbox/faults", json=asked, headers={"X-CSRFToken": token})


@pytest.mark.parametrize(("language", "first"), [("vi", "Đăng ký"), ("en", "Register")])
def test_the_five_steps_and_the_sign_in_are_on_one_page(visitor, language, first):
    page = visitor.text(f"/sandbox?lang={language}")
    steps = page.split('class="tour-steps"')[1].split("</ol>")[0]
    assert re.findall(r"<b>(\d)</b>", steps) == ["1", "2", "3", "4", "5"] and first in steps
    for path in ("/dang-ky", "/admin", "http://127.0.0.1:8081/", "/staff", "/board"):
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
