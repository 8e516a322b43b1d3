"""A lane that was out is back: one message tries it, and all that waited for it go as soon as that one went."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from gateway import database, notices, tables
from gateway.notices import Planned, Result, Room, Terms, barriers, steps
from gateway.rules import settings
from gateway.rules.lifecycle import breaker as breakers
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.worker.desk import Desk

CONFIG = settings.read({"sms": {"providers": ["modem"]}}, {})
PEOPLE = 5


def planned(engine, now, kind="missed", ladder=("modem",), key="k"):
    rows = [
        Planned(f"{key}{n}", kind, f"+84905{n:06d}", {"number": "042"}, now, now + 7_200)
        for n in range(PEOPLE)
    ]
    with database.writing(engine) as session:
        notices.plan_all(session, rows, ladder, now)


def claimed(engine, now, late=0):
    with database.writing(engine) as session:
        terms = Terms(
            notices.policy(CONFIG), barriers.policy(CONFIG), 50, barriers=barriers.standing(session)
        )
        return notices.claim_due(session, {"modem": Room(50, 0, late)}, terms, "w", now)[0]


def recorded(engine, tasks, now, happening, news):
    told = (barriers.News("modem", barriers.ALL, breakers.Event(news), "no_modem", "no modem"),)
    with database.writing(engine) as session:
        terms = Terms(notices.policy(CONFIG), barriers.policy(CONFIG), 50)
        results = [Result(task, Event(happening, "no modem"), news=told) for task in tasks]
        notices.record(session, results, now, terms)


def looked(engine, now):
    Desk(engine, CONFIG, ("modem",), "w").look_again("modem", now)


@pytest.fixture
def out(engine, eight):
    """Everybody was tried again and again, and the next try is ten minutes away."""
    planned(engine, eight)
    recorded(engine, claimed(engine, eight), eight, Happening.UNREACHED, breakers.Happening.UNREACHED)
    with database.writing(engine) as session:
        for row in session.scalars(select(tables.Notice)):
            assert row.state == "created"
            row.tries, row.due = 4, eight + 600
    return engine


def test_one_tries_first_and_the_others_lose_nothing_by_it(out, eight):
    looked(out, eight + 1)
    (probe,) = claimed(out, eight + 1)
    assert probe.probes == barriers.ALL
    with database.reading(out) as session:
        tried = session.scalar(select(func.count()).select_from(tables.Attempt))
    assert tried == PEOPLE + 1


def test_all_that_waited_go_as_soon_as_the_first_one_went(out, eight):
    looked(out, eight + 1)
    probe = claimed(out, eight + 1)
    recorded(out, probe, eight + 2, Happening.ACCEPTED, breakers.Happening.PROBE_WORKED)
    assert len(claimed(out, eight + 2)) == PEOPLE - 1


def test_a_lane_that_was_away_too_briefly_to_be_out_goes_on_with_all(engine, eight):
    planned(engine, eight)
    (first, *_) = claimed(engine, eight)
    recorded(engine, [first], eight, Happening.UNREACHED, breakers.Happening.UNREACHED)
    looked(engine, eight + 1)
    assert [task.notice_id for task in claimed(engine, eight + 1)] == [first.notice_id]


def test_who_is_called_goes_past_a_lane_that_is_out_at_once(out, eight):
    """Also where nobody has the port, and one process takes what is late."""
    planned(out, eight + 1, "called", ("modem", "esms"), "u")
    assert claimed(out, eight + 1, late=30) == []
    with database.reading(out) as session:
        where = session.scalars(select(tables.Notice.channel).filter_by(kind="called")).all()
    assert where == ["esms"] * PEOPLE


@pytest.mark.postgres
def test_looking_again_waits_for_no_other_process_s_turn(postgresql_url, eight):
    """The other one may be waiting for the lane's breaker, and then neither would go on."""
    engine = database.connect(postgresql_url)
    database.migrate(engine)
    planned(engine, eight)
    with database.writing(engine) as session:
        rows = session.scalars(select(tables.Notice).order_by(tables.Notice.id)).all()
        for row in rows:
            row.tries, row.due, row.reason = 1, eight + 600, "no_modem"
        held = rows[0].id
    looking = threading.Thread(target=looked, args=(engine, eight + 1), daemon=True)
    with database.writing(engine) as session:
        steps.locked(session, [held])
        looking.start()
        looking.join(10)
        assert not looking.is_alive()
    with database.reading(engine) as session:
        due = {row.id: row.due for row in session.scalars(select(tables.Notice))}
    assert due.pop(held) == eight + 600
    assert set(due.values()) == {eight + 1}
    engine.dispose()
