"""What refuses everybody is found once, said once, and spared; what refuses one phone rests that phone."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from sqlalchemy import func, select

from gateway import alerts, database, lanes, notices, tables
from gateway import channels as rooms
from gateway.channels import codes
from gateway.channels.zalo import ZaloTemplate
from gateway.rules import settings
from gateway.worker import Worker
from gateway.worker.lane import Lane
from gateway.worker.timetable import Timetable
from tests.gateway.test_worker_faults import (
    AN,
    BINH,
    CHI,
    Channel,
    plain,
    plan,
    rounds,
    states,
    still,
    worker_of,
)

__all__ = ["plain"]
NO_NIGHT = {"quiet_from": "00:00", "quiet_until": "00:00"}


@pytest.fixture
def now(eight):
    return [eight]


class Wall(Channel):
    """Takes so many, and then refuses everybody by a code, until `mended` is set."""

    def __init__(self, taken, code, concurrency=16):
        super().__init__("zalo", self._answer_of, concurrency)
        self._left, self._code, self._turn = taken, code, threading.Lock()
        self.refused = 0
        self.mended = threading.Event()

    def _answer_of(self, message):
        with self._turn:
            if self._left > 0 or self.mended.is_set():
                self._left -= 1
                return rooms.Accepted(f"ref-{message.reference}")
            self.refused += 1
        raise codes.complaint("zalo", self._code)


class Asked(Channel):
    """A channel that knows, when it is asked, that everything arrived."""

    def pull(self, provider_ref, reference):
        return rooms.Report(reference, provider_ref, None, True, "status 1", None, True)


def phones(count):
    return [f"+849051{n:05d}" for n in range(count)]


def tried(engine):
    """(channel, attempt's state) → how many."""
    with database.reading(engine) as session:
        counted = select(tables.Attempt.channel, tables.Attempt.state, func.count())
        rows = session.execute(counted.group_by(tables.Attempt.channel, tables.Attempt.state))
        return {(channel, state): count for channel, state, count in rows}


def open_alerts(engine):
    with database.reading(engine) as session:
        return [(one.kind, one.data["channel"], one.data["code"]) for one in alerts.open_ones(session)]


def test_eight_hundred_notices_against_a_quota_of_a_hundred_are_seven_hundred_sms_and_one_alert(
    engine, plain, now, eight
):
    zalo, esms = Wall(100, "-144"), Channel("esms", concurrency=8)
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, *phones(800))
    rounds(
        worker,
        lambda: len(esms.given) == 700 and Counter(s for s, _, _ in states(engine).values())["sent"] == 800,
    )
    found = tried(engine)
    assert found["zalo", "accepted"] == 100
    assert found["esms", "accepted"] == 700
    assert found["zalo", "skipped"] + found["zalo", "refused"] == 700
    assert zalo.refused <= 2 * zalo.concurrency  # only what was under way when the wall was found
    assert open_alerts(engine) == [("quota", "zalo", "-144")]
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Alert)).one().count == 1


def test_after_a_quarter_of_an_hour_one_message_tries_and_its_success_opens_the_way(
    engine, plain, now, eight
):
    zalo, esms = Wall(0, "-144"), Channel("esms", concurrency=8)
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, *phones(40))
    rounds(worker, lambda: len(esms.given) == 40)
    before = zalo.refused
    now[0] += 901
    plan(engine, now[0], *[f"+849052{n:05d}" for n in range(20)])
    rounds(worker, lambda: len(esms.given) == 60)
    assert zalo.refused == before + 1
    now[0] += 901
    zalo.mended.set()
    plan(engine, now[0], AN)
    rounds(worker, lambda: states(engine)[AN][:2] == ("sent", 0))
    assert open_alerts(engine) == []
    plan(engine, now[0], BINH, CHI)
    rounds(worker, lambda: states(engine)[BINH][:2] == states(engine)[CHI][:2] == ("sent", 0))


def test_a_template_at_fault_is_spared_and_the_other_kinds_go_on(engine, plain, now, eight):
    def answer(message):
        if message.kind == "missed":
            raise codes.complaint("zalo", "-131")
        return rooms.Accepted("ref")

    zalo, esms = Channel("zalo", answer), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, *phones(30))
    plan(engine, eight, *phones(5), kind="appointment")
    rounds(worker, lambda: {s for s, _, _ in states(engine).values()} == {"sent"} and len(esms.given) == 30)
    assert len(zalo.given) <= 5 + 3
    assert open_alerts(engine) == [("refused", "zalo", "-131")]


def test_on_the_last_channel_notices_wait_for_it_and_go_as_soon_as_it_is_back(engine, plain, now, eight):
    zalo = Wall(0, "-137")
    worker = worker_of(engine, plain, now, zalo)
    plan(engine, eight, *phones(50), ladder=("zalo",))
    rounds(worker, lambda: {state[0] for state in states(engine).values()} == {"created"} and still(worker))
    assert all(reason.startswith("held: ") for _, _, reason in states(engine).values())
    held = zalo.refused
    assert held <= 2 * zalo.concurrency
    now[0] += 901
    zalo.mended.set()
    rounds(worker, lambda: {state for state, _, _ in states(engine).values()} == {"sent"})
    assert len(zalo.given) == held + 50


def test_a_wait_for_the_last_channel_ends_at_the_deadline_with_its_reason(engine, plain, now, eight):
    worker = worker_of(engine, plain, now, Wall(0, "-137"))
    plan(engine, eight, AN, ladder=("zalo",), deadline=2_000)
    for _ in range(4):
        rounds(worker, lambda: still(worker))
        now[0] += 700
    rounds(worker, lambda: states(engine)[AN][0] == "expired")
    assert "Zalo Cloud" in states(engine)[AN][2]


def test_a_provider_that_is_away_is_not_knocked_at_by_the_whole_batch(engine, plain, now, eight):
    knocks = []

    def away(message):
        knocks.append(message.to)
        raise rooms.Unreachable("no connection", sent=False)

    zalo, esms = Channel("zalo", away, 4), Asked("esms", concurrency=8)
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, *phones(200))
    rounds(worker, lambda: still(worker) and ("zalo", "unreached") in tried(engine))
    assert len(knocks) <= 5 + 2 * 4 + 4
    assert open_alerts(engine)[0][0] == "outage"
    began = now[0]
    while {state for state, _, _ in states(engine).values()} != {"delivered"}:
        now[0] += 10
        rounds(worker, lambda: still(worker))
        assert now[0] < began + 1_800, states(
            engine
        )  # four pauses, 13 minutes and a fifth at most; then the SMS
    assert len(esms.given) == 200
    assert len(knocks) <= 60


def test_a_phone_without_zalo_gets_its_sms_at_once_for_a_month_and_can_be_tried_again_by_hand(
    engine, plain, now, eight
):
    def answer(message):
        raise codes.complaint("zalo", "-118")

    zalo, esms = Channel("zalo", answer), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN)
    rounds(worker, lambda: states(engine)[AN][:2] == ("sent", 1))
    plan(engine, eight, AN, kind="appointment")
    rounds(worker, lambda: len(esms.given) == 2)
    assert zalo.given == [AN]
    assert open_alerts(engine) == []
    with database.writing(engine) as session:
        assert notices.lift(session, "zalo", AN, "officer", now[0])
    plan(engine, eight, AN, kind="called")
    rounds(worker, lambda: zalo.given == [AN, AN] and still(worker))
    now[0] += 30 * 86_400 + 1
    with database.writing(engine) as session:
        assert notices.suppressing.expire(session, now[0]) == 1


def test_a_kind_without_a_zalo_template_goes_by_sms_and_nobody_is_alarmed(engine, plain, now, eight):
    zalo, esms = Channel("zalo"), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN, kind="ready")
    rounds(worker, lambda: states(engine)[AN][:2] == ("sent", 1))
    assert (zalo.given, esms.given) == ([], [AN])
    assert tried(engine) == {("zalo", "skipped"): 1, ("esms", "accepted"): 1}
    assert open_alerts(engine) == []


def test_an_alert_reaches_the_officer_s_phone_once(engine, now, eight):
    config = settings.read({"alerts": {"phones": ["0905 999 999"]}, "timetable": NO_NIGHT}, {})
    with database.writing(engine) as session:
        assert alerts.raised(session, "breaker:zalo:", "quota", {"channel": "zalo"}, eight)
        assert not alerts.raised(session, "breaker:zalo:", "quota", {"channel": "zalo"}, eight + 1)
    zalo, esms = Channel("zalo"), Channel("esms")
    worker = worker_of(engine, config, now, zalo, esms)
    table = Timetable(engine, config)
    for _ in range(3):
        table.look(now[0])
        now[0] += 21
    rounds(worker, lambda: esms.given == ["+84905999999"])
    assert zalo.given == []


def test_an_urgent_notice_goes_before_the_bulk_that_waits_in_the_lane(engine, plain, now, eight):
    go, begun = threading.Event(), threading.Event()

    def slow(message):
        begun.set()
        assert go.wait(20)
        return rooms.Accepted("ref")

    zalo = Channel("zalo", slow, 2)
    worker = worker_of(engine, plain, now, zalo)
    plan(engine, eight, *phones(50))
    rounds(worker, begun.is_set)
    plan(engine, eight, AN, kind="called")
    rounds(worker, lambda: states(engine)[AN][0] == "sending")
    go.set()
    rounds(worker, lambda: AN in zalo.given)
    assert zalo.given.index(AN) <= 2 * zalo.concurrency - 1
    rounds(worker, lambda: len(zalo.given) == 51)


def test_a_lane_is_paused_slowed_and_widened_while_it_runs(engine, plain, now, eight):
    zalo = Channel("zalo", concurrency=4)
    worker = worker_of(engine, plain, now, zalo)
    with database.writing(engine) as session:
        lanes.change(session, "zalo", "admin", eight, paused=True)
    plan(engine, eight, *phones(30))
    for _ in range(5):
        worker.round()
    assert zalo.given == []
    with database.writing(engine) as session:
        lanes.change(session, "zalo", "admin", eight, paused=False, per_minute=12)
    rounds(worker, lambda: len(zalo.given) == 2 and still(worker))  # ten seconds' worth
    now[0] += 5
    rounds(worker, lambda: len(zalo.given) == 3 and still(worker))
    with database.writing(engine) as session:
        lanes.change(session, "zalo", "admin", eight, per_minute=0, concurrency=9)
    now[0] += 2
    rounds(worker, lambda: len(zalo.given) == 30)
    assert sum(one.name.startswith("lane-zalo") for one in threading.enumerate()) >= 9


def test_two_workers_keep_one_rate_together(engine, plain, now, eight):
    zalo = Channel("zalo", concurrency=4)
    workers = [worker_of(engine, plain, now, zalo) for _ in range(2)]
    with database.writing(engine) as session:
        lanes.change(session, "zalo", "admin", eight, per_minute=60)
    plan(engine, eight, *phones(40))
    for _ in range(6):
        for worker in workers:
            worker.round()
    rounds(workers[0], lambda: len(zalo.given) == 10 and still(workers[1]))


def test_a_host_sends_only_what_it_is_told_to(engine, now, eight):
    config = settings.read({"timetable": NO_NIGHT, "notices": {"lanes": ["esms"]}}, {})
    zalo, esms = Channel("zalo"), Channel("esms")
    worker = worker_of(engine, config, now, zalo, esms)
    plan(engine, eight, AN, ladder=("zalo", "esms"))
    plan(engine, eight, BINH, ladder=("esms",))
    rounds(worker, lambda: esms.given == [BINH])
    assert states(engine)[AN][0] == "created"
    assert isinstance(worker, Worker)


def test_no_receipt_and_the_provider_knows_that_it_arrived_so_no_sms_is_sent(engine, plain, now, eight):
    zalo, esms = Asked("zalo"), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, AN)
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    now[0] += 61
    rounds(worker, lambda: states(engine)[AN][0] == "delivered")
    assert esms.given == []
    assert tried(engine) == {("zalo", "delivered"): 1}


class Modem(Channel):
    """A modem that is at another process's port, or at this one's."""

    def __init__(self, here, answer=None):
        super().__init__("modem", answer)
        self.here = here

    def ready(self):
        return self.here


def test_a_modem_s_notices_go_where_the_modem_is_and_without_one_they_go_on_late(engine, now, eight):
    document = {
        "timetable": NO_NIGHT,
        "notices": {"ladder": ["sms"]},
        "sms": {"providers": ["modem", "esms"]},
    }
    config = settings.read(document, {})

    def away(message):
        raise rooms.Unreachable("no modem at its port", sent=False)

    esms, near, far = Channel("esms"), Modem(True), Modem(False, away)
    elsewhere, here = worker_of(engine, config, now, far, esms), worker_of(engine, config, now, near)
    plan(engine, eight, AN, ladder=("modem", "esms"))
    for _ in range(3):
        elsewhere.round()
    rounds(here, lambda: near.given == [AN])
    assert far.given == []
    here._modems["modem"].release()
    plan(engine, eight, BINH, ladder=("modem", "esms"))
    now[0] += 40
    rounds(elsewhere, lambda: far.given == [BINH])
    for _ in range(200):
        now[0] += 30
        rounds(elsewhere, lambda: still(elsewhere))
    assert BINH in esms.given


def test_a_lane_that_stands_still_is_told_of_and_told_over(engine, plain, now, eight):
    plan(engine, eight, AN)
    table = Timetable(engine, plain)
    now[0] += 700
    table.look(now[0])
    assert [kind for kind, channel, _ in _stuck(engine)] == ["stuck"]
    zalo = Channel("zalo")
    rounds(worker_of(engine, plain, now, zalo), lambda: zalo.given == [AN])
    table.look(now[0] + 30)
    assert _stuck(engine) == []


def _stuck(engine):
    with database.reading(engine) as session:
        return [(one.kind, one.data["channel"], one.count) for one in alerts.open_ones(session)]


@pytest.mark.parametrize("tail", ["x" * 500, "\0", "\ud800"], ids=["long", "NUL", "half a pair"])
def test_a_provider_s_long_or_strange_words_keep_no_breaker_from_opening(engine, plain, now, eight, tail):
    def answer(_message):
        raise codes.complaint("zalo", "-144", tail)

    zalo, esms = Channel("zalo", answer, 4), Channel("esms", concurrency=8)
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, *phones(60))
    rounds(worker, lambda: len(esms.given) == 60)
    assert len(zalo.given) <= 2 * zalo.concurrency
    assert open_alerts(engine) == [("quota", "zalo", "-144")]


def test_what_nobody_takes_on_its_channel_goes_on_to_the_next_in_time(engine, plain, now, eight):
    esms = Channel("esms")
    worker = worker_of(engine, plain, now, esms)  # nobody sends Zalo
    plan(engine, eight, AN, kind="near", deadline=120)
    table = Timetable(engine, plain)
    table.look(now[0])
    rounds(worker, lambda: still(worker))
    assert esms.given == []
    now[0] += 61
    table.look(now[0])
    rounds(worker, lambda: esms.given == [AN])


def test_a_provider_that_comes_and_goes_is_one_thing_to_know(engine, eight):
    key, about = "breaker:zalo:", {"channel": "zalo"}
    with database.writing(engine) as session:
        assert alerts.raised(session, key, "outage", about, eight)
        for minute in range(1, 30):
            assert alerts.over(session, key, eight + 60 * minute)
            assert not alerts.raised(session, key, "outage", about, eight + 60 * minute + 30)
        assert len(alerts.open_ones(session)) == 1
        alerts.over(session, key, eight + 3_600)
        assert alerts.raised(session, key, "outage", about, eight + 3 * 3_600)


def test_when_no_receipts_come_only_as_many_are_asked_as_can_be_and_nobody_reached_gets_an_sms(
    engine, plain, now, eight
):
    zalo, esms = Asked("zalo", concurrency=16), Channel("esms")
    worker = worker_of(engine, plain, now, zalo, esms)
    plan(engine, eight, *phones(300))
    rounds(worker, lambda: {state for state, _, _ in states(engine).values()} == {"sent"})
    now[0] += 61
    rounds(worker, lambda: {state for state, _, _ in states(engine).values()} == {"delivered"})
    assert esms.given == []


class Urgent:
    urgent = True


def test_a_lane_ends_whatever_was_drained_from_it():
    go = threading.Event()
    lane = Lane("x", 8, lambda _task: go.wait(20))
    for _ in range(8):
        lane.put(Urgent())
    lane.resize(4)
    lane.drained()
    go.set()
    ending = threading.Thread(target=lane.end, daemon=True)
    ending.start()
    ending.join(10)
    assert not ending.is_alive()


def test_a_clock_that_is_set_back_stops_no_lane(engine, plain, now, eight):
    zalo = Channel("zalo", concurrency=4)
    worker = worker_of(engine, plain, now, zalo)
    with database.writing(engine) as session:
        lanes.change(session, "zalo", "admin", eight, per_minute=60)
    plan(engine, eight - 7_200, *phones(8))
    rounds(worker, lambda: len(zalo.given) == 8)
    now[0] -= 3_600
    plan(engine, eight - 7_200, *phones(20)[8:])
    rounds(worker, lambda: still(worker))
    now[0] += 15
    rounds(worker, lambda: len(zalo.given) >= 16)


def test_a_message_that_lacks_something_goes_by_sms_and_its_template_stays_open(engine, now, eight):
    params = {"so": "{number}", "noi": "{address}", "link": "{url}"}
    templates = {"missed": {"id": "1", "params": params}}
    config = settings.read({"timetable": NO_NIGHT, "zalo": {"templates": templates}}, {})
    zalo = ZaloTemplate("http://127.0.0.1:9", None)  # nobody there: nothing may get so far
    zalo.concurrency = 1
    esms = Channel("esms")
    worker = worker_of(engine, config, now, zalo, esms)
    plan(engine, eight, AN)
    rounds(worker, lambda: esms.given == [AN])
    assert open_alerts(engine) == []
    with database.reading(engine) as session:
        (attempt, _) = session.scalars(select(tables.Attempt).order_by(tables.Attempt.rung)).all()
    assert (attempt.code, attempt.reason.rpartition(" ")[2]) == ("empty", "noi")
