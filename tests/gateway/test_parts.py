"""Parts of text messages: a message arrives when all its parts do, whatever order the reports come in."""

from __future__ import annotations

import itertools
import json

import pytest
from sqlalchemy import select

from gateway import database, notices, tables
from gateway.notices import Handed, Planned, Result, Room, barriers
from gateway.rules import settings
from gateway.rules.lifecycle.notice import Event, Happening

AN, BINH = "+84905123456", "+84905123457"
LADDER = ("modem", "esms")
CONFIG = settings.read({"sms": {"providers": ["modem", "esms"]}}, {})
JOINT = 4711


def terms(parts=3, joint=JOINT):
    return notices.Terms(
        notices.policy(CONFIG), barriers.policy(CONFIG), 50, cut=lambda _task: (parts, joint)
    )


def planned(engine, now, key="k", phone=AN, lasting=7_200):
    with database.writing(engine) as session:
        one = Planned(key, "missed", phone, {"number": "042"}, now, now + lasting)
        return notices.plan(session, one, LADDER, now)


def claimed(engine, now, parts=3, joint=JOINT):
    with database.writing(engine) as session:
        tasks, _ = notices.claim_due(session, {"modem": Room(9, 0)}, terms(parts, joint), "w", now)
    return tasks


def ended(engine, task, now, happening=Happening.ACCEPTED, refs=(), until=0):
    handed = tuple(Handed(number, task.total, JOINT, ref) for number, ref in refs)
    result = Result(task, Event(happening, "", until), parts=len(handed), handed=handed)
    with database.writing(engine) as session:
        notices.record(session, [result], now, terms())


def told(engine, now, ref, delivered=True, phone=AN, key=None, at=None):
    row = {
        "channel": "modem",
        "key": key or f"{phone}:{ref}:{delivered}:{at or now}",
        "event": notices.PART,
        "provider_ref": ref,
        "delivered": delivered,
        "code": "ST 00" if delivered else "ST 46",
        "body": json.dumps({"to": phone, "refs": [ref, f"0{ref}"]}),
    }
    with database.writing(engine) as session:
        notices.store_receipt(session, row, at or now)


def settled(engine, now):
    with database.writing(engine) as session:
        return notices.settle_parts(session, 50, now, notices.policy(CONFIG))


def state(engine, notice_id):
    with database.reading(engine) as session:
        row = session.get_one(tables.Notice, notice_id)
        return row.state, row.channel


def receipts(engine):
    with database.reading(engine) as session:
        return [row.outcome for row in session.scalars(select(tables.Receipt).order_by(tables.Receipt.id))]


THREE = [(1, "17"), (2, "18"), (3, "19")]


@pytest.mark.parametrize("order", list(itertools.permutations(["17", "18", "19"])), ids="-".join)
@pytest.mark.parametrize("before", range(4), ids="{} before the answer".format)
def test_a_message_has_arrived_when_all_its_parts_have_in_whatever_order(engine, eight, order, before):
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight)
    for ref in order[:before]:
        told(engine, eight, ref)
    settled(engine, eight)
    assert state(engine, notice)[0] == "sending"
    ended(engine, task, eight + 1, refs=THREE)
    for ref in order[before:]:
        assert state(engine, notice)[0] != "delivered"
        told(engine, eight + 1, ref)
        settled(engine, eight + 2)
    settled(engine, eight + 3)  # what came too early is looked at again
    assert state(engine, notice)[0] == "delivered"
    assert receipts(engine) == ["matched"] * 3


def test_the_same_report_twice_is_one_and_a_batch_may_hold_them_all(engine, eight):
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight)
    ended(engine, task, eight, refs=THREE)
    for ref in ("17", "17", "18"):
        told(engine, eight + 1, ref, key=None if ref == "18" else f"{ref}:{len(receipts(engine))}")
    settled(engine, eight + 1)
    assert state(engine, notice)[0] == "sent"
    told(engine, eight + 2, "019")  # the same name, written another way
    settled(engine, eight + 2)
    assert receipts(engine)[:3] == ["matched"] * 3
    assert state(engine, notice)[0] == "sent"  # "019" is no name of "19" unless the lane says so
    told(engine, eight + 3, "19")
    settled(engine, eight + 3)
    assert state(engine, notice)[0] == "delivered"


@pytest.mark.parametrize("failing", ["17", "18", "19"])
def test_a_message_of_which_one_part_fails_is_not_called_delivered(engine, eight, failing):
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight)
    ended(engine, task, eight, refs=THREE)
    for ref in ("17", "18", "19"):
        told(engine, eight + 1, ref, delivered=ref != failing)
    settled(engine, eight + 1)
    assert state(engine, notice) == ("created", "esms")


def test_only_what_is_missing_is_sent_again_with_what_joins_the_parts(engine, eight):
    notice = planned(engine, eight)
    (first,) = claimed(engine, eight)
    assert (first.total, first.begun) == (3, ())
    ended(engine, first, eight, Happening.UNREACHED, refs=[(1, "17")])
    told(engine, eight + 1, "17")
    settled(engine, eight + 1)
    (second,) = claimed(engine, eight + 60)
    assert second.begun == (Handed(1, 3, JOINT, "17"),)
    ended(engine, second, eight + 61, refs=[(2, "18"), (3, "19")])
    for ref in ("18", "19"):
        told(engine, eight + 62, ref)
    settled(engine, eight + 62)
    assert state(engine, notice) == ("delivered", "modem")
    with database.reading(engine) as session:
        attempts = {row.id: row.state for row in session.scalars(select(tables.Attempt))}
    assert attempts == {first.attempt_id: "unreached", second.attempt_id: "delivered"}


def test_other_words_are_another_message_and_go_whole(engine, eight):
    planned(engine, eight)
    (first,) = claimed(engine, eight)
    ended(engine, first, eight, Happening.UNREACHED, refs=[(1, "17")])
    (second,) = claimed(engine, eight + 60, parts=2, joint=99)
    assert (second.total, second.begun) == (2, ())


def test_a_part_whose_name_nobody_learnt_is_known_by_its_report(engine, eight):
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight, parts=1)
    ended(engine, task, eight + 5, Happening.UNSURE, refs=[(1, None)])
    assert state(engine, notice)[0] == "unknown"
    told(engine, eight + 40, "77")
    settled(engine, eight + 40)
    assert state(engine, notice) == ("delivered", "modem")


def test_what_a_killed_worker_had_in_its_hands_is_known_by_its_reports(engine, eight):
    notice = planned(engine, eight)
    claimed(engine, eight)
    told(engine, eight + 2, "8")
    told(engine, eight + 2, "9")
    settled(engine, eight + 2)
    with database.writing(engine) as session:  # the lease runs out
        notices.sweep(session, 50, 9, ("modem",), eight + 61, notices.policy(CONFIG))
    assert state(engine, notice)[0] == "unknown"
    told(engine, eight + 70, "10")
    for later in (70, 140):
        settled(engine, eight + later)
    assert state(engine, notice) == ("delivered", "modem")
    assert receipts(engine) == ["matched"] * 3


def test_a_report_while_its_part_is_being_handed_over_waits_for_its_name(engine, eight):
    """Otherwise the report of part 2 would be taken for part 1."""
    planned(engine, eight)
    claimed(engine, eight)
    told(engine, eight, "18")
    settled(engine, eight)
    with database.reading(engine) as session:
        assert {row.state for row in session.scalars(select(tables.SmsPart))} == {"claimed"}


def test_a_number_that_has_come_round_is_the_newest_part_s(engine, eight):
    old = planned(engine, eight, "old", lasting=86_400)
    (task,) = claimed(engine, eight, parts=1)
    ended(engine, task, eight, refs=[(1, "17")])
    new = planned(engine, eight + 1_000, "new", lasting=86_400)
    (task,) = claimed(engine, eight + 1_000, parts=1)
    told(engine, eight + 1_000, "17")  # before the new one's own answer is written
    settled(engine, eight + 1_000)
    assert state(engine, old)[0] == "sent"
    ended(engine, task, eight + 1_001, refs=[(1, "17")])
    settled(engine, eight + 1_002)
    assert (state(engine, old)[0], state(engine, new)[0]) == ("sent", "delivered")


def test_a_report_to_another_phone_is_nobody_s_and_in_the_end_put_aside(engine, eight):
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight, parts=1)
    ended(engine, task, eight, refs=[(1, "17")])
    told(engine, eight, "17", phone=BINH)
    settled(engine, eight)
    assert (receipts(engine), state(engine, notice)[0]) == ([""], "sent")
    settled(engine, eight + notices.RECEIPT_PATIENCE)
    assert (receipts(engine), state(engine, notice)[0]) == (["unmatched"], "sent")


def test_a_late_yes_takes_a_no_back_and_is_told_as_reached_twice_where_another_way_was_taken(engine, eight):
    notice = planned(engine, eight)
    (task,) = claimed(engine, eight, parts=1)
    ended(engine, task, eight, refs=[(1, "17")])
    told(engine, eight + 1, "17", delivered=False)
    settled(engine, eight + 1)
    assert state(engine, notice) == ("created", "esms")
    told(engine, eight + 2, "17")
    settled(engine, eight + 2)
    assert state(engine, notice)[0] == "delivered"


@pytest.mark.parametrize("happening", [Happening.UNREACHED, Happening.REFUSED, Happening.POSTPONED])
def test_parts_that_were_certainly_not_handed_over_are_forgotten(engine, eight, happening):
    planned(engine, eight)
    (task,) = claimed(engine, eight)
    ended(engine, task, eight, happening, refs=[(1, "17")], until=eight + 10)
    with database.reading(engine) as session:
        parts = [(row.part, row.ref, row.state) for row in session.scalars(select(tables.SmsPart))]
    assert parts == [(1, "17", "handed")]
