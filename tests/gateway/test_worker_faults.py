"""The worker among channels that misbehave: it never stops, never sends what it may not, never loses a notice."""

from __future__ import annotations

import logging
import secrets
import threading
from datetime import timedelta

import pytest
import sqlalchemy.exc
from sqlalchemy import select

from gateway import channels as rooms
from gateway import database, example, logs, notices, registrations, safe, tables, tokens
from gateway.rules import hours, settings
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.worker import Worker
from gateway.worker.desk import Brought, Desk
from gateway.worker.timetable import Timetable

AN, BINH, CHI = "+84905123456", "+84905123457", "+84905123458"


class Channel:
    """A channel whose answers the test gives; it remembers whom it was given."""

    def __init__(self, name, answer=None, concurrency=1):
        self.name, self.concurrency, self.given = name, concurrency, []
        self._answer = answer or (lambda message: rooms.Accepted(f"ref-{message.reference}"))

    def send(self, message):
        self.given.append(message.to)
        return self._answer(message)

    def pull(self, provider_ref, reference):
        raise rooms.Unreachable("away", sent=False)

    def callback(self, query):
        return rooms.Report(None, "x", None, False, "failed", None, False)

    def close(self):
        return None


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def plain():
    quiet = {"quiet_from": "00:00", "quiet_until": "00:00"}
    return settings.read(
        {
            "timetable": quiet,
            "notices": {"lease": 5, "unknown_wait": 1, "receipt_wait": 60},
            "zalo": {"templates": {kind: {"id": "1"} for kind in ("missed", "called", "appointment")}},
        },
        {},
    )


def worker_of(engine, config, now, *channels):
    return Worker(
        engine, config, {one.name: one for one in channels}, lambda _tongue, text: text, lambda: now[0]
    )


def plan(engine, eight, *phones, kind="missed", deadline=9_000, ladder=("zalo", "esms")):
    with database.writing(engine) as session:
        for phone in phones:
            data = {"number": "042", "place": "An Mỹ", "minutes": "30"}
            planned = notices.Planned(f"{kind}:{phone}", kind, phone, data, eight, eight + deadline)
            notices.plan(session, planned, ladder, eight)


def states(engine):
    with database.reading(engine) as session:
        return {
            row.phone: (row.state, row.rung, row.reason) for row in session.scalars(select(tables.Notice))
        }


def still(worker):
    """Whether a turn moves nothing, and nothing is under way."""
    return not worker.round() and not worker.under_way


def rounds(worker, until):
    """Let the worker turn until something is so."""
    for _ in range(4_000):
        worker.round()
        if until():
            return
        threading.Event().wait(0.002)
    raise AssertionError("it did not happen")


def test_an_answer_that_no_database_can_keep_stops_nobody(engine, plain, now, eight):
    zalo = Channel("zalo", lambda message: rooms.Accepted("\ud800\0" if message.to == AN else "fine"))
    worker = worker_of(engine, plain, now, zalo)
    plan(engine, eight, AN, BINH, CHI)
    rounds(worker, lambda: {state for state, _, _ in states(engine).values()} == {"sent"})
    assert sorted(zalo.given) == [AN, BINH, CHI]


def test_a_channel_that_breaks_in_the_middle_leaves_an_unknown_outcome_and_the_next_channel_takes_over(
    engine, plain, now, eight
):
    def broken(_message):
        raise ZeroDivisionError

    zalo, esms = Channel("zalo", broken), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN)
    rounds(worker, lambda: states(engine)[AN][0] == "unknown")
    now[0] += 2
    rounds(worker, lambda: states(engine)[AN][:2] == ("sent", 1))
    assert (zalo.given, esms.given) == ([AN], [AN])


def test_a_clean_stop_puts_back_what_waited_in_its_lane(engine, plain, now, eight):
    begun, go = threading.Event(), threading.Event()

    def slow(_message):
        begun.set()
        assert go.wait(20)
        return rooms.Accepted("ref")

    zalo = Channel("zalo", slow)
    worker = worker_of(engine, plain, now, zalo)
    plan(engine, eight, AN, BINH)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert begun.wait(20)
    worker.stop()
    go.set()
    thread.join(20)
    assert len(zalo.given) == 1
    left = ({AN, BINH} - set(zalo.given)).pop()
    assert states(engine)[zalo.given[0]][0] == "sent"
    assert states(engine)[left] == ("created", 0, "stopped")
    again = worker_of(engine, plain, now, Channel("zalo"))
    rounds(again, lambda: states(engine)[left][0] == "sent")


def test_who_lost_the_lease_sends_nothing_any_more(engine, plain, now, eight):
    go, first = threading.Event(), threading.Event()

    def slow(_message):
        first.set()
        assert go.wait(20)
        return rooms.Accepted("ref")

    zalo, esms = Channel("zalo", slow), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN, BINH)
    rounds(worker, first.is_set)
    now[0] += 6  # the lease of both is over while the first is still being sent
    rounds(worker, lambda: {state for state, _, _ in states(engine).values()} == {"unknown"})
    go.set()
    rounds(worker, lambda: sorted(state for state, _, _ in states(engine).values()) == ["created", "sent"])
    now[0] += 6  # the pause before the second try
    rounds(worker, lambda: {state for state, _, _ in states(engine).values()} == {"sent"})
    for phone in (AN, BINH):
        assert (zalo.given + esms.given).count(phone) == 1, (zalo.given, esms.given)


def test_a_provider_that_wants_a_day_is_not_waited_for(engine, plain, now, eight):
    def wait(_message):
        raise rooms.Unreachable("too many", sent=False, code="429", retry_after=86_400)

    esms = Channel("esms")
    worker = worker_of(engine, plain, now, Channel("zalo", wait), esms)
    plan(engine, eight, AN)
    rounds(worker, lambda: states(engine)[AN][:2] == ("sent", 1))
    assert esms.given == [AN]


def test_a_notice_whose_channel_is_gone_goes_on_with_what_is_configured_now(engine, plain, now, eight):
    plan(engine, eight, AN, ladder=("fax", "modem"))
    plan(engine, eight, BINH, ladder=("",))  # of a release that did not write ladders down
    zalo = Channel("zalo")
    worker = worker_of(engine, plain, now, zalo, Channel("esms"))
    rounds(worker, lambda: still(worker))
    assert zalo.given == []
    Timetable(engine, plain).look(now[0])
    rounds(worker, lambda: sorted(zalo.given) == [AN, BINH])


def test_a_notice_that_has_tried_every_channel_that_is_left_fails_and_says_so(engine, plain, now, eight):
    plan(engine, eight, AN, ladder=("fax",))
    with database.writing(engine) as session:
        notice_id = session.scalars(select(tables.Notice.id)).one()
        for channel in ("zalo", "esms"):
            session.add(tables.Attempt(id=channel, notice_id=notice_id, channel=channel, at=eight))
    Timetable(engine, plain).look(now[0])
    assert states(engine)[AN] == ("failed", 0, "no_channel")


def test_what_nobody_sends_expires_at_its_deadline(engine, plain, now, eight):
    plan(engine, eight, AN)
    now[0] += 9_000
    rounds(worker_of(engine, plain, now), lambda: states(engine)[AN][0] == "expired")


def test_a_callback_that_cannot_be_confirmed_is_put_off_and_given_up_in_the_end(engine, plain, now, eight):
    worker = worker_of(engine, plain, now, Channel("zalo"), Channel("esms"))
    receipt = {
        "channel": "esms",
        "key": "k",
        "event": "callback",
        "delivered": None,
        "body": "{}",
        "done_at": None,
    }
    receipt |= {"reference": None, "provider_ref": "x"}
    with database.writing(engine) as session:
        notices.store_receipt(session, receipt, eight)

    def stored():
        with database.reading(engine) as session:
            return session.scalars(select(tables.Receipt)).one()

    rounds(worker, lambda: stored().due > eight)
    due = stored().due
    assert (due, stored().done_at) == (eight + 5, None)
    now[0] = eight + notices.RECEIPT_PATIENCE
    rounds(worker, lambda: stored().outcome == "unread")


def test_numbers_missed_while_the_worker_was_off_are_given_when_it_is_back(engine, plain, now, eight):
    """Off since yesterday noon, back an hour after the shift opened."""
    with database.writing(engine) as session:
        example.load(session, plain, eight)
        day = hours.day_of(eight, plain.station.zone) + timedelta(days=1)
        person = registrations.Person("Nguyễn An", "new")
        asked = registrations.Request("Nguyễn An", AN, (person,), "đồng ý", site="TK1", day=day)
        registrations.register(session, asked, plain, eight)
        opens = session.scalars(select(tables.Shift.opens_at).filter_by(day=day)).first()
    now[0] = opens + 3_600
    Timetable(engine, plain).look(now[0])
    zalo = Channel("zalo")
    rounds(worker_of(engine, plain, now, zalo), lambda: zalo.given == [AN])


def test_the_logs_of_a_failed_write_show_neither_name_nor_phone(engine, eight):
    row = {"id": "x", "key": f"missed:{AN}", "phone": AN, "data": {"name": "Nguyễn Văn Ánh"}}
    with pytest.raises(sqlalchemy.exc.IntegrityError) as caught, database.writing(engine) as session:
        session.execute(tables.Notice.__table__.insert().values(**row))
    fault = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "call 0905123456, 84905123456", None, fault)
    shown = logs.Masking("%(message)s").format(record)
    assert shown.startswith("call 090***456, 090***456")
    assert "905123456" not in shown
    assert "Ánh" not in shown


def test_a_result_that_cannot_be_written_holds_up_nobody_else(engine, plain, now, eight):
    """A code that is no text is a fault of ours in a channel; the database takes no such thing."""

    def answer(message):
        if message.to == AN:
            raise rooms.Refused(["no text"], "x", "message", rooms.Fault.BUG)
        return rooms.Accepted("ref")

    zalo, esms = Channel("zalo", answer), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN, BINH, CHI)
    rounds(worker, lambda: [states(engine)[who][0] for who in (BINH, CHI)] == ["sent", "sent"])
    assert states(engine)[AN][0] == "sending"
    now[0] += 6
    rounds(worker, lambda: states(engine)[AN][0] == "unknown")
    now[0] += 2
    rounds(worker, lambda: states(engine)[AN][:2] == ("sent", 1))


def test_a_pair_of_tokens_that_could_not_be_stored_is_stored_before_anything_else_is_asked(engine, tmp_path, eight):
    """Zalo's refresh tokens work once: a disk that is full for a moment must not cost the consent."""
    asked, box = [], safe.Safe(secrets.token_urlsafe(32))

    def refresh(token):
        asked.append(token)
        assert token == "r1", "the used up token was shown again"
        return "a2", "r2", 90_000

    with database.writing(engine) as session:
        tokens.store(session, "99", "a1", "r1", 90_000, eight, "test", safe=box)
    keeper = tokens.Tokens(
        engine, "99", refresh, lambda: eight, safe=box, spool=safe.Spool(tmp_path, "99", box)
    )

    def full(_connection):
        if asked:
            raise sqlalchemy.exc.OperationalError("COMMIT", {}, Exception("disk full"))

    sqlalchemy.event.listen(engine, "commit", full)
    with pytest.raises(sqlalchemy.exc.OperationalError):
        keeper.renew("a1")
    sqlalchemy.event.remove(engine, "commit", full)
    assert keeper.renew("a1") == "a2"
    assert asked == ["r1"]
    with database.reading(engine) as session:
        assert box.open(session.get(tables.ZaloToken, "99").refresh_token) == "r2"


def test_a_database_that_goes_away_while_results_are_written_alone_keeps_the_rest(engine, plain, now, eight):
    desk = Desk(engine, plain, ("zalo",), "w")
    plan(engine, eight, AN, BINH, CHI)
    turn = desk.turn(Brought(), {"zalo": notices.Room(9, 0)}, eight)
    results = [notices.Result(task, Event(Happening.ACCEPTED), "", "ref") for task in turn.tasks]
    away = database.connect("postgresql+psycopg://nobody@127.0.0.1:1/none")
    left = Desk(away, plain, ("zalo",), "w").record(Brought(results, []), eight)
    assert left.results == results
    assert not desk.record(left, eight).results
    assert {state for state, _, _ in states(engine).values()} == {"sent"}


@pytest.mark.parametrize("said", [-1, 10**12, 10**19 - 1])
def test_whatever_zalo_says_is_left_of_the_day_what_it_took_is_written_down_as_taken(
    engine, plain, now, eight, said
):
    zalo = Channel("zalo", lambda _one: rooms.Accepted("ref", remaining=said, total=said))
    esms = Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN)
    rounds(worker, lambda: still(worker) and zalo.given)
    assert states(engine)[AN] == ("sent", 0, "")
    assert esms.given == []


def test_a_turn_takes_the_day_s_limit_last_so_that_two_workers_never_wait_in_a_circle(engine, plain, eight):
    desk, room = Desk(engine, plain, ("zalo",), "w"), {"zalo": notices.Room(1, 1)}
    plan(engine, eight, AN)
    (task,) = desk.turn(Brought(), room, eight).tasks
    plan(engine, eight, BINH)
    written = []

    def note(_connection, _cursor, statement, *_more):
        if not statement.lstrip().startswith("SELECT") or "FOR UPDATE" in statement:
            written.append(next((table for table in ("zalo_quotas", "notices") if table in statement), ""))

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    result = notices.Result(task, Event(Happening.ACCEPTED), left=480, total=500)
    desk.turn(Brought([result]), room, eight)
    sqlalchemy.event.remove(engine, "before_cursor_execute", note)
    assert written.count("notices") > 1
    assert "notices" not in written[written.index("zalo_quotas") :]
