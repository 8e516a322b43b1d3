"""What is fetched from the Official Account beside the messages: each in its time, and none in another's way."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import select

from gateway import channels as rooms
from gateway import database, tables, tokens
from gateway.rules import settings
from gateway.worker import Worker
from gateway.worker.errands import AGAIN_SECONDS, HOUR, Errands
from gateway.worker.leading import Leadership


class Account:
    """An Official Account with one follower and one template, that counts what it is asked."""

    def __init__(self):
        self.asked, self.faults = [], {}

    def _ask(self, what):
        self.asked.append(what)
        if what in self.faults:
            raise self.faults[what]

    def about(self):
        self._ask("about")
        return {"oa_id": "99", "name": "Công an phường"}

    def quota(self):
        self._ask("quota")
        return {"dailyQuota": "500", "remainingQuota": "480"}

    def template(self, template_id):
        self._ask("template")
        param = {"name": "so", "require": True, "type": "STRING", "maxLength": 30, "minLength": 1}
        return {"templateId": template_id, "templateName": "Mời", "status": "ENABLE", "listParams": [param]}

    def users(self, offset, count=50, *, follower=None):
        self._ask("users")
        return (1, ["555"]) if offset == 0 else (1, [])

    def user(self, user_id):
        self._ask("user")
        return {"user_id": user_id, "display_name": "Lê Bảo Châu", "user_is_follower": True}


@pytest.fixture
def account():
    return Account()


@pytest.fixture
def config():
    return settings.read({"zalo": {"templates": {"called": {"id": "7", "params": {"so": "{number}"}}}}}, {})


def test_what_the_account_knows_is_fetched_once_an_hour_and_kept(engine, config, account, eight):
    errands = Errands(engine, config, account)
    for second in range(30):
        errands.look(eight + second)
    assert sorted(account.asked) == ["about", "quota", "template", "user", "users"]
    with database.reading(engine) as session:
        assert json.loads(session.get_one(tables.Fact, "oa").value)["name"] == "Công an phường"
        assert session.get_one(tables.ZaloQuota, "zalo").remaining == 480
        assert session.get_one(tables.ZaloTemplate, "7").status == "ENABLE"
        assert session.scalars(select(tables.ZaloUser.name)).all() == ["Lê Bảo Châu"]
    errands.look(eight + HOUR + 40)
    assert account.asked.count("about") == 2


@pytest.mark.parametrize(
    "fault",
    [
        rooms.Unreachable("no connection", sent=False),
        tokens.NoConsent("the Official Account is not connected"),
        rooms.Refused("-224", "gói / package", "account", rooms.Fault.CONFIG),
        ZeroDivisionError(),
    ],
)
def test_what_fails_is_tried_again_soon_and_keeps_nothing_else_from_being_done(
    engine, config, account, eight, fault
):
    account.faults = {"about": fault}
    errands = Errands(engine, config, account)
    errands.look(eight)
    assert {"about", "quota", "template", "users"} <= set(account.asked)
    account.faults = {}
    errands.look(eight + AGAIN_SECONDS - 1)
    assert account.asked.count("about") == 1
    errands.look(eight + AGAIN_SECONDS)
    assert account.asked.count("about") == 2


def test_a_clock_that_was_set_back_stops_nothing(engine, config, account, eight):
    errands = Errands(engine, config, account)
    errands.look(eight + 30 * HOUR)
    errands.look(eight)
    assert account.asked.count("about") == 2


def test_without_an_account_there_is_nothing_to_run(engine, config, eight):
    Errands(engine, config, None).look(eight)


def _working(engine, config, account, eight):
    """A process's worker that sends nothing, running; how to end it."""
    worker = Worker(engine, config, {}, lambda _tongue, text: text, lambda: eight, account)
    thread = threading.Thread(target=worker.run)
    thread.start()

    def end():
        worker.stop()
        thread.join(20)

    return end


def _until(what):
    for _ in range(4_000):
        if what():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it did not happen")


def test_a_host_without_zalo_that_keeps_the_time_leaves_the_errands_to_one_that_has_it(
    engine, config, account, eight
):
    elsewhere = Leadership(engine, "timetable")
    assert elsewhere.held()
    ends = [_working(engine, config, one, eight) for one in (None, account, account)]
    try:
        _until(lambda: "users" in account.asked)
        asked = list(account.asked)  # the next one takes over as soon as this one stops
    finally:
        for end in ends:
            end()
        elsewhere.release()
    if engine.dialect.name == "postgresql":  # SQLite is one process, which leads in everything
        assert asked.count("about") == 1
