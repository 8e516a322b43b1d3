"""The day's quota: kept from every answer, full again at midnight in Vietnam, and compared with tonight."""

from __future__ import annotations

import random
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event

from gateway import alerts, database, example, notices, quotas, registrations, tables
from gateway.rules import hours

DAY, HOUR = 86_400, 3_600


def note(engine, *answers, channel="zalo"):
    """(remaining, total, at) each in a transaction of its own."""
    for remaining, total, at in answers:
        with database.writing(engine) as session:
            quotas.noted(session, channel, remaining, total, at)


def left(engine, now, channel="zalo", **more):
    with database.reading(engine) as session:
        return quotas.left(session, channel, now, **more)


def needed(engine, config, now, channel="zalo"):
    with database.reading(engine) as session:
        return quotas.needed_tonight(session, config, now, channel)


def look(engine, config, now):
    with database.writing(engine) as session:
        quotas.look(session, config, now)
    with database.reading(engine) as session:
        return {row.key: row.data for row in alerts.open_ones(session)}


def plan(engine, now, count, due=0, ladder=("zalo", "esms"), kind="reminder"):
    with database.writing(engine) as session:
        made = [
            notices.Planned(
                f"{kind}:{now}:{due}:{n}:{ladder}", kind, f"+8490512{n:04}", {}, now + due, now + due + DAY
            )
            for n in range(count)
        ]
        return notices.plan_all(session, made, ladder, now)


# What is left


def test_nobody_has_said_is_not_none_left(engine, eight):
    assert left(engine, eight) is None


def test_the_last_answer_counts(engine, eight):
    note(engine, (499, 500, eight), (498, 500, eight + 1))
    assert left(engine, eight + 2) == 498


def test_in_whatever_order_answers_come_back_the_smallest_of_the_day_counts(engine, eight):
    for seed in range(20):
        chance, channel = random.Random(seed), f"zalo{seed}"
        answers = list(range(400, 420))
        chance.shuffle(answers)
        note(
            engine,
            *((one, chance.choice([500, None]), eight + chance.randrange(600)) for one in answers),
            channel=channel,
        )
        assert left(engine, eight + 700, channel) == 400, seed


def test_answers_that_come_back_out_of_order_do_not_raise_what_is_left(engine, eight):
    note(engine, (498, 500, eight + 1), (499, 500, eight), (499, 500, eight + 2))
    assert left(engine, eight + 3) == 498


def test_an_answer_without_a_total_keeps_the_known_one(engine, eight):
    note(engine, (499, 500, eight), (498, None, eight + 1))
    assert left(engine, eight) == 498 and left(engine, eight + DAY) == 500


def test_at_midnight_in_vietnam_the_day_is_full_again(engine, eight):
    midnight = eight + 16 * HOUR
    note(engine, (3, 500, eight))
    assert left(engine, midnight - 1) == 3 and left(engine, midnight) == 500
    note(engine, (499, 500, midnight))
    assert left(engine, midnight + 1) == 499


def test_a_day_can_be_another_zone_s(engine, eight):
    note(engine, (3, 500, eight))
    assert left(engine, eight + 16 * HOUR, zone=ZoneInfo("UTC")) == 3
    assert left(engine, eight + 23 * HOUR, zone=ZoneInfo("UTC")) == 500


def test_an_answer_of_yesterday_is_no_news(engine, eight):
    note(engine, (499, 500, eight + DAY), (2, 500, eight))
    assert left(engine, eight + DAY) == 499


def test_a_new_day_without_a_known_total_is_unknown(engine, eight):
    note(engine, (7, None, eight))
    assert left(engine, eight) == 7 and left(engine, eight + DAY) is None


def test_a_total_that_grew_gives_more_that_is_left(engine, eight):
    note(engine, (10, 500, eight), (1_509, 2_000, eight + 5))
    assert left(engine, eight + 6) == 1_509
    note(engine, (9, 500, eight + 4))  # an older answer than the one that told of it
    assert left(engine, eight + 6) == 1_509
    note(engine, (1_508, 2_000, eight + 7))
    assert left(engine, eight + 8) == 1_508


def test_a_change_of_the_quota_moves_what_is_left(engine, eight):
    with database.writing(engine) as session:
        quotas.moved(session, "zalo", 1_000, eight)
        assert quotas.left(session, "zalo", eight) == 1_000
        quotas.noted(session, "zalo", 900, 1_000, eight + 1)
        quotas.moved(session, "zalo", 2_000, eight + 2)
        assert quotas.left(session, "zalo", eight + 3) == 1_900
        quotas.moved(session, "zalo", 50, eight + 4)
        assert quotas.left(session, "zalo", eight + 5) == 0
        quotas.moved(session, "zalo", 500, eight + DAY)
        assert quotas.left(session, "zalo", eight + DAY) == 500


@pytest.mark.parametrize(
    ("remaining", "total"), [(-1, -1), (10**12, 10**12), (10**19 - 1, None), (-5, 500), (2**31, 500)]
)
def test_a_day_without_an_end_is_no_limit_and_breaks_nothing(engine, config, eight, remaining, total):
    note(engine, (remaining, total, eight))
    assert left(engine, eight) is None and look(engine, config, eight) == {}


def test_a_total_that_no_column_holds_leaves_the_rest_of_the_answer(engine, eight):
    note(engine, (480, 10**12, eight))
    assert left(engine, eight) == 480


def test_yesterday_s_answer_that_is_written_after_midnight_does_not_shrink_the_whole_new_day(engine, eight):
    midnight = eight + 16 * HOUR
    note(engine, (4, 5_000, midnight - 2), (3, 5_000, midnight), (4_999, 5_000, midnight + 1))
    assert left(engine, midnight + 2) == 4_999
    # Hundreds are on their way at once
    note(engine, (4_700, 5_000, midnight + 9), (4_990, 5_000, midnight + 9))
    assert left(engine, midnight + 10) == 4_700


def test_a_day_that_zalo_begins_later_than_midnight_is_seen_when_it_begins(engine, eight):
    midnight = eight + 16 * HOUR
    note(engine, (300, 10_000, midnight + HOUR), (9_999, 10_000, midnight + 7 * HOUR))
    assert left(engine, midnight + 8 * HOUR) == 9_999


def test_each_channel_has_its_own_day(engine, eight):
    note(engine, (10, 500, eight))
    note(engine, (20, None, eight), channel="zalo_uid")
    assert (left(engine, eight), left(engine, eight, "zalo_uid")) == (10, 20)


# Zalo asked at start-up


class Zalo:
    def __init__(self, answer):
        self._answer = answer

    def quota(self):
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        ({"dailyQuota": "500", "remainingQuota": "480"}, (480, 500)),
        ({"dailyQuota": 500, "remainingQuota": 0, "dailyQuotaPromotion": None}, (0, 500)),
        ({"dailyQuota": None, "remainingQuota": None}, (None, None)),
        ({"remainingQuota": "many", "dailyQuota": -1}, (None, None)),
        ({}, (None, None)),
        (None, (None, None)),
    ],
)
def test_zalo_s_quota_is_read_as_it_writes_it(answer, read):
    assert quotas.read(Zalo(answer)) == read


def test_what_zalo_says_at_start_up_is_kept_and_a_failure_is_no_harm(engine, eight):
    assert not quotas.ask(engine, Zalo(RuntimeError("away")), eight)
    assert not quotas.ask(engine, Zalo({}), eight) and left(engine, eight) is None
    assert quotas.ask(engine, Zalo({"dailyQuota": "500", "remainingQuota": "480"}), eight)
    assert left(engine, eight) == 480


# What tonight needs


def test_what_waits_on_the_channel_before_midnight_is_needed(engine, config, eight):
    plan(engine, eight, 3)
    plan(engine, eight, 2, due=16 * HOUR - 1)
    plan(engine, eight, 4, due=16 * HOUR)
    plan(engine, eight, 5, ladder=("esms",))
    plan(engine, eight, 1, kind="called")
    assert needed(engine, config, eight) == 6 and needed(engine, config, eight, "zalo_uid") == 0


def test_what_is_sent_or_withdrawn_is_needed_no_more(engine, config, eight):
    made = plan(engine, eight, 3)
    with database.writing(engine) as session:
        notices.cancel(session, made[0], eight, notices.policy(config))
        session.get_one(tables.Notice, made[1]).state = "sent"
    assert needed(engine, config, eight) == 1


def registered(engine, config, now, people, day=1, first=0, user_id=None):
    """Alone each, at the example's first site; their registrations' ids."""
    made = []
    with database.writing(engine) as session:
        for n in range(first, first + people):
            asked = registrations.Request(
                "Trần Văn An", f"+849{50000000 + n}", (registrations.Person("Trần Văn An", "new"),), "đồng ý",
                site="TK1", day=hours.day_of(now, config.station.zone) + timedelta(days=day),
                zalo_user_id=user_id and f"{user_id}{n}",
            )  # fmt: skip
            outcome = registrations.register(session, asked, config, now)
            assert isinstance(outcome, tables.Registration), outcome
            made.append(outcome.id)
    return made


@pytest.fixture
def town(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
    return engine


def test_whoever_is_given_a_number_this_afternoon_is_needed(town, config, eight):
    registered(town, config, eight, 4)
    registered(town, config, eight, 2, day=2, first=10)
    assert needed(town, config, eight) == 4
    day = hours.day_of(eight, config.station.zone) + timedelta(days=1)
    with database.writing(town) as session:
        for shift in registrations.shifts_of(session, day):
            registrations.give_numbers(session, shift.id, config, eight + 7 * HOUR)
    assert needed(town, config, eight + 7 * HOUR) == 4  # now as notices, and not twice


def test_whoever_cancelled_or_whose_day_is_off_is_not_needed(town, config, eight):
    first, second, third = registered(town, config, eight, 3)
    with database.writing(town) as session:
        registration = session.get_one(tables.Registration, first)
        registrations.cancel(session, registration, None, notices.policy(config), eight, "An")
    assert needed(town, config, eight) == 2
    with database.writing(town) as session:
        shift = session.get_one(tables.Shift, session.get_one(tables.Registration, second).shift_id)
        shift.state = "closed"
    assert needed(town, config, eight) == 0


def test_who_has_shared_their_zalo_is_counted_by_user_id(town, config, eight):
    registered(town, config, eight, 3)
    registered(town, config, eight, 2, first=10, user_id="u")
    with database.writing(town) as session:
        session.add(tables.ZaloUser(id="555", phone="+84950000000", phone_at=eight, created_at=eight))
    assert (needed(town, config, eight), needed(town, config, eight, "zalo_uid")) == (2, 3)
    off = config.model_copy(update={"zalo": config.zalo.model_copy(update={"by_user_id": False})})
    assert needed(town, off, eight) == 5


# The alert


def test_tonight_that_does_not_fit_is_an_alert_until_it_fits(engine, config, eight):
    plan(engine, eight, 30)
    note(engine, (30, 100, eight))
    assert look(engine, config, eight) == {}
    plan(engine, eight, 1, due=HOUR)
    (data,) = look(engine, config, eight + 1).values()
    assert data | {"reason": ""} == {"channel": "zalo", "left": 30, "total": 100, "needed": 31, "reason": ""}
    assert data["reason"] == (
        "Hôm nay còn 30/100 tin, từ giờ đến nửa đêm cần 31. / "
        "30 of 100 messages left today, 31 needed before midnight."
    )
    assert list(look(engine, config, eight + 20)) == ["quota_soon:zalo"]
    assert look(engine, config, eight + 16 * HOUR) == {}  # a new day holds a hundred again


def test_a_day_that_is_nearly_used_up_is_an_alert(engine, config, eight):
    note(engine, (20, 100, eight))
    assert look(engine, config, eight) == {}
    note(engine, (19, 100, eight))
    assert look(engine, config, eight)["quota_soon:zalo"]["needed"] == 0


def test_without_a_word_of_zalo_or_without_the_channel_there_is_no_alert(engine, config, eight):
    plan(engine, eight, 5)
    assert look(engine, config, eight) == {}
    note(engine, (1, None, eight), channel="zalo_uid")
    note(engine, (0, 100, eight))
    off = config.model_copy(update={"zalo": config.zalo.model_copy(update={"by_phone": False})})
    assert look(engine, off, eight) == {}


def test_the_same_look_writes_the_alert_once_and_changed_numbers_at_once(engine, config, eight):
    note(engine, (0, 100, eight))

    def seen():
        with database.reading(engine) as session:
            (alert,) = alerts.open_ones(session)
            return alert.count, alert.seen_at - eight, alert.data["needed"]

    look(engine, config, eight)
    for later in (20, 40, 599):
        look(engine, config, eight + later)
    assert seen() == (1, 0, 0)
    look(engine, config, eight + 600)
    assert seen() == (2, 600, 0)
    plan(engine, eight, 7)
    look(engine, config, eight + 620)
    assert seen() == (3, 620, 7)


def test_a_look_walks_along_indexes_only(sqlite, config, eight):
    """It is done every twenty seconds, over a table of a million notices."""
    note(sqlite, (10, 500, eight))
    asked = []
    with database.writing(sqlite) as session:
        event.listen(sqlite, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
        quotas.look(session, config, eight)
        explained = [
            session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            for statement, values in [one for one in asked if one[0].startswith("SELECT")]
        ]
    steps = [row.detail for rows in explained for row in rows]
    assert any("ix_notices_due" in one for one in steps)
    assert [one for one in steps if one.startswith("SCAN") and "CONSTANT" not in one] == []
