"""The queue: who is called, in which order, and never twice."""

from __future__ import annotations

import threading
from datetime import date

import pytest
from sqlalchemy import select

from gateway import database, example, queue, tables
from gateway.queue.calling import Refusal
from gateway.rules import order

DAY = date(2026, 11, 24)


@pytest.fixture
def station(engine, config, eight):
    with database.writing(engine) as session:
        assert example.load(session, config, eight)
    return engine


def counters(engine, site_id=1):
    with database.reading(engine) as session:
        return list(
            session.scalars(select(tables.Counter.id).filter_by(site_id=site_id).order_by(tables.Counter.id))
        )


def take(engine, config, at, priority=False, now=None, service_id=1):
    with database.writing(engine) as session:
        person = queue.WalkIn(1, DAY, service_id, at, priority)
        return queue.admit(session, person, config.policy, now or at, "desk").number


def call(engine, counter, now):
    with database.writing(engine) as session:
        outcome = queue.call_next(session, counter, DAY, now, "An")
        return outcome.number if isinstance(outcome, tables.Ticket) else outcome


def test_walk_ins_are_called_first_come_first_served(station, config, eight):
    for second in range(3):
        take(station, config, eight + second)
    assert [call(station, counters(station)[0], eight + 60) for _ in range(4)] == [
        "A001",
        "A002",
        "A003",
        None,
    ]


def test_priority_goes_before_walk_ins_of_the_last_twenty_minutes_only(station, config, eight):
    take(station, config, eight - 1_300)
    take(station, config, eight - 60)
    take(station, config, eight, priority=True)
    assert [call(station, counters(station)[0], eight + 1) for _ in range(3)] == ["A001", "A003", "A002"]


def test_next_finishes_who_is_at_the_counter(station, config, eight):
    take(station, config, eight)
    counter = counters(station)[0]
    call(station, counter, eight)
    assert call(station, counter, eight + 100) is None
    with database.reading(station) as session:
        ticket = session.scalars(select(tables.Ticket)).one()
        assert (ticket.state, ticket.finished_at) == ("done", eight + 100)


def test_a_paused_counter_calls_nobody(station, config, eight):
    take(station, config, eight)
    counter = counters(station)[0]
    with database.writing(station) as session:
        queue.pause(session, counter, DAY, eight, "An")
    assert isinstance(call(station, counter, eight), Refusal)
    with database.writing(station) as session:
        queue.resume(session, counter, DAY, eight, "An")
    assert call(station, counter, eight) == "A001"


def test_an_early_booked_person_is_due_by_the_slot_and_a_late_one_as_a_walk_in(config, eight):
    early = order.booked(eight, eight - 1_800, False, config.policy)
    late = order.booked(eight, eight + 901, False, config.policy)
    assert (early.due, late.due) == (eight + 300, eight + 901 + 1_800)


def test_a_missed_person_comes_back_once_and_not_earlier_than_before(station, config, eight):
    take(station, config, eight)
    counter = counters(station)[0]
    call(station, counter, eight)
    for attempt, expected in ((1, "waiting"), (2, None)):
        with database.writing(station) as session:
            missed = queue.no_show(session, counter, DAY, eight + 200 * attempt, "An")
            due = missed.due
            back = queue.come_back(session, missed.id, config.policy, eight + 300 * attempt, "An")
        assert (back.state if back else None) == expected
        if back:
            assert back.due == max(due, eight + 200 + config.policy.missed_again)
        call(station, counter, eight + 1_000)


def test_two_counters_at_the_same_instant_get_different_people(station, config, eight):
    for second in range(40):
        take(station, config, eight + second)
    called, starting = [], threading.Barrier(3)

    def press(counter):
        starting.wait()
        for turn in range(14):
            called.append(call(station, counter, eight + 100 + turn))

    threads = [threading.Thread(target=press, args=(one,)) for one in counters(station)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = sorted(one for one in called if one)
    assert numbers == [f"A{n:03d}" for n in range(1, 41)]
    assert called.count(None) == 2


def test_a_transfer_keeps_the_place_that_was_earned(station, config, eight):
    take(station, config, eight)
    first, second, _ = counters(station)
    call(station, first, eight)
    with database.writing(station) as session:
        before = queue.snapshot(session, 1, DAY, eight).desks[0].number
        moved = queue.transfer(session, first, DAY, None, second, eight, "An")
        assert (before, moved.due) == ("A001", eight + config.policy.walk_in)
    assert call(station, first, eight + 1) is None
    assert call(station, second, eight + 1) == "A001"


def test_every_change_is_one_version_and_one_event_and_the_board_shows_it(station, config, eight):
    take(station, config, eight)
    take(station, config, eight + 1)
    call(station, counters(station)[1], eight + 5)
    with database.writing(station) as session:
        queue.recall(session, counters(station)[1], DAY, eight + 50, "An")
    with database.reading(station) as session:
        seen = queue.snapshot(session, 1, DAY, eight + 60)
        events = session.execute(
            select(tables.Event.version, tables.Event.type).order_by(tables.Event.version)
        ).all()
    assert [tuple(one) for one in events] == [
        (1, "admitted"),
        (2, "admitted"),
        (3, "called"),
        (4, "recalled"),
    ]
    assert seen.version == 4
    assert [(one.number, one.counter, one.calls) for one in seen.called] == [("A001", "2", 2)]
    assert [(one.number, one.ahead, one.why) for one in seen.waiting] == [("A002", 0, order.Why.WALK_IN)]
