"""Parts under attack: tries that end in every way, two processes at once, names that come round too soon."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from gateway import database, notices, tables
from gateway.notices import Handed, Result
from gateway.rules.lifecycle.notice import Event, Happening
from tests.gateway.test_parts import (
    CONFIG,
    JOINT,
    claimed,
    ended,
    planned,
    receipts,
    settled,
    state,
    terms,
    told,
)
from tests.gateway.test_races import wait_for_a_lock


def only_way(engine, notice):
    """Make the lane its last."""
    with database.writing(engine) as session:
        session.get_one(tables.Notice, notice).ladder = "modem"


@pytest.mark.parametrize("happening", [Happening.POSTPONED, Happening.BARRED, Happening.UNREACHED])
def test_a_part_that_went_is_not_sent_again_however_the_try_ended(engine, eight, happening):
    """A SIM that is barred, an SMSC that is throttled in the middle of a long text."""
    notice = planned(engine, eight)
    only_way(engine, notice)
    (first,) = claimed(engine, eight)
    result = Result(first, Event(happening, "why", eight + 10), parts=1, handed=(Handed(1, 3, JOINT, "17"),))
    with database.writing(engine) as session:
        notices.record(session, [result], eight, terms())
    assert state(engine, notice) == ("created", "modem")
    (second,) = claimed(engine, eight + 60)
    assert second.begun == (Handed(1, 3, JOINT, "17"),)


def test_parts_of_older_words_do_not_count(engine, eight):
    """The officer changes the text between two tries: one part in place of three."""
    notice = planned(engine, eight)
    (first,) = claimed(engine, eight)
    ended(engine, first, eight, Happening.UNREACHED, refs=[(1, "17"), (2, "18")])
    (second,) = claimed(engine, eight + 60, parts=1, joint=99)
    ended(engine, second, eight + 61, refs=[(1, "19")])
    told(engine, eight + 62, "18")
    settled(engine, eight + 62)
    assert state(engine, notice)[0] == "sent"
    told(engine, eight + 63, "19")
    settled(engine, eight + 63)
    assert state(engine, notice)[0] == "delivered"


def test_a_failed_part_of_older_words_does_not_count(engine, eight):
    notice = planned(engine, eight)
    (first,) = claimed(engine, eight)
    ended(engine, first, eight, Happening.UNREACHED, refs=[(1, "17"), (2, "18")])
    (second,) = claimed(engine, eight + 60, parts=1, joint=99)
    ended(engine, second, eight + 61, refs=[(1, "19")])
    told(engine, eight + 62, "18", delivered=False)
    settled(engine, eight + 62)
    assert state(engine, notice)[0] == "sent"


def test_a_report_is_never_about_a_part_that_was_handed_over_after_it(engine, eight):
    """The box loses its power: the modem counts from 0 again, and the report of an older 0 still waits to be read."""
    told(engine, eight, "0")  # its part was in the hands of the process that died
    notice = planned(engine, eight + 20)
    (task,) = claimed(engine, eight + 20, parts=1)
    ended(engine, task, eight + 21, refs=[(1, "0")])
    settled(engine, eight + 22)
    assert state(engine, notice)[0] == "sent"
    told(engine, eight + 23, "0")
    settled(engine, eight + 23)
    assert state(engine, notice)[0] == "delivered"


def test_a_part_that_was_taken_without_a_name_is_known_by_its_report(engine, eight):
    """Some message centres give no id."""
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight, parts=1)
    ended(engine, task, eight + 1, refs=[(1, None)])
    told(engine, eight + 2, "77")
    settled(engine, eight + 2)
    assert state(engine, notice)[0] == "delivered"


@pytest.mark.postgres
def test_two_processes_that_read_the_reports_of_one_message_at_once_find_it_whole(postgresql_url, eight):
    engine = database.connect(postgresql_url)
    database.migrate(engine)
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight, parts=2)
    ended(engine, task, eight, refs=[(1, "17"), (2, "18")])
    for ref in ("17", "18"):
        told(engine, eight + 1, ref)
    policy = notices.policy(CONFIG)
    with database.writing(engine) as session:
        assert notices.settle_parts(session, 1, eight + 1, policy) == 1
        other = threading.Thread(target=settled, args=(engine, eight + 1))
        other.start()
        wait_for_a_lock(engine)
    other.join(20)
    with database.reading(engine) as session:
        assert session.scalars(select(tables.SmsPart.state)).all() == ["delivered"] * 2
    assert (state(engine, notice)[0], receipts(engine)) == ("delivered", ["matched"] * 2)
    engine.dispose()


def test_a_report_that_may_be_of_a_part_under_way_is_not_given_to_one_of_which_nobody_knows(engine, eight):
    """Nobody knows of the first; the second is in the modem, and its report overtakes its answer."""
    first = planned(engine, eight, "first")
    (task,) = claimed(engine, eight, parts=1)
    ended(engine, task, eight + 1, Happening.UNSURE, refs=[(1, None)])
    second = planned(engine, eight + 2, "second")
    (task,) = claimed(engine, eight + 2, parts=1)
    told(engine, eight + 3, "5")
    settled(engine, eight + 3)
    ended(engine, task, eight + 4, refs=[(1, "5")])
    settled(engine, eight + 5)
    assert (state(engine, first)[0], state(engine, second)[0]) == ("unknown", "delivered")
