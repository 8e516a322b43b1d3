"""A round: looked at, confirmed with the number of people, told once to each, withdrawn where it still can be."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from gateway import broadcasts, database, example, followers, notices, registrations, tables
from gateway.broadcasts import Audience, Draft, Outcome, audience, looking
from gateway.rules import hours, settings
from gateway.web import language
from tests.gateway import mixed_audience
from tests.gateway.mixed_audience import HOUR, NOW, register, told_by

TOMORROW = date(2026, 11, 25)
WHOLE = ("registered", "numbered", "served", "no_show")


def words(tongue, text):
    return language.catalogue(tongue).gettext(text)


@pytest.fixture
def here(config):
    """Every Zalo way is on, and there is a template for rounds."""
    template = settings.Template(id="100009", params={"noi": "{place}", "ngay": "{date}"})
    zalo = config.zalo.model_copy(
        update={"templates": {"round": template}, "price": 200, "price_by_user_id": 165}
    )
    esms = config.sms.esms.model_copy(update={"price": 500})
    return config.model_copy(update={"zalo": zalo, "sms": config.sms.model_copy(update={"esms": esms})})


@pytest.fixture
def station(engine, here):
    with database.writing(engine) as session:
        example.load(session, here, NOW)
    return engine


def draft(**changes):
    asked = {
        "title": "Đội lưu động tuần 48",
        "place": "Nhà văn hoá phường An Xuân",
        "address": "12 Trần Phú",
        "day": date(2026, 11, 30),
        "url": "https://dk.example.vn",
        "audience": Audience(("TK1",), TOMORROW, TOMORROW, WHOLE),
    }
    return Draft(**{**asked, **changes})


def written(engine, **changes):
    with database.writing(engine) as session:
        return broadcasts.write(session, draft(**changes), "binh", NOW).id


def looked_at(engine, here, broadcast_id, now=NOW):
    with database.reading(engine) as session:
        row = session.get(tables.Broadcast, broadcast_id)
        return broadcasts.preview(session, row, here, words, now)


def sent(engine, here, broadcast_id, mark=None, people=None, now=NOW):
    found = looked_at(engine, here, broadcast_id, now)
    with database.writing(engine) as session:
        outcome, _found = broadcasts.send(
            session, broadcast_id, mark or found.mark, people or found.people, here, words, "binh", now
        )
    return outcome


def phones(found):
    return [one.phone for one in found.gathered.people]


def test_each_person_is_told_once_however_often_they_registered(station, here):
    register(station, here, ("An", "+84905000001"), ("Bình", "+84905000002"), days=1)
    register(station, here, ("Cúc", "+84905000001"), days=2)
    both = Audience(("TK1",), TOMORROW, TOMORROW + timedelta(days=1), WHOLE)
    found = looked_at(station, here, written(station, audience=both))
    assert phones(found) == ["+84905000001", "+84905000002"]


def test_only_the_wanted_shifts_and_sites_count(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    register(station, here, ("Bình", "+84905000002"), days=2)
    register(station, here, ("Chi", "+84905000003"), days=1, site="TK2")
    assert phones(looked_at(station, here, written(station))) == ["+84905000001"]


def test_people_are_chosen_by_where_their_matter_stands(station, here):
    register(station, here, *((f"Người {name}", f"+8490500000{n}") for n, name in enumerate("ABCDE")), days=1)
    with database.writing(station) as session:
        for shift in registrations.shifts_of(session, TOMORROW, "TK1"):
            registrations.give_numbers(session, shift.id, here, NOW)
        tickets = session.scalars(select(tables.Ticket).order_by(tables.Ticket.n)).all()
        tickets[0].state, tickets[1].state = "done", "no_show"
    register(station, here, ("Người F", "+84905000005"), days=2)

    def chosen(*states):
        wide = Audience(("TK1",), TOMORROW, TOMORROW + timedelta(days=1), states)
        return [one[-1] for one in phones(looked_at(station, here, written(station, audience=wide)))]

    assert chosen("served") == ["0"] and chosen("no_show") == ["1"]
    assert chosen("numbered") == ["2", "3", "4"] and chosen("registered") == ["5"]
    assert chosen(*WHOLE) == ["0", "1", "2", "3", "4", "5"]


def test_who_cancelled_hears_nothing(station, here):
    rows = register(station, here, ("An", "+84905000001"), ("Bình", "+84905000002"), days=1)
    with database.writing(station) as session:
        mine = session.get(tables.Registration, rows[0])
        registrations.cancel(session, mine, None, notices.policy(here), NOW, "An")
    assert phones(looked_at(station, here, written(station))) == ["+84905000002"]


def test_who_wants_no_news_hears_nothing_by_any_channel(station, here):
    register(
        station, here, *((name, f"+8490500000{n}") for n, name in enumerate(("An", "Bình", "Chi", "Dung")))
    )
    with database.writing(station) as session:
        notices.suppress(
            session, "zalo", "+84905000000", NOW + HOUR, "-141", "từ chối / refused", "zalo", NOW
        )
        notices.suppress(session, "zalo", "+84905000001", NOW + HOUR, "-118", "không có / none", "zalo", NOW)
        chi = followers.known(session, "777", NOW)
        followers.follow(session, chi, NOW, NOW)
        followers.bind_phone(session, chi, "0905000002", NOW)
        followers.tag(session, "777", followers.NO_NEWS)
        mine = session.scalars(select(tables.Registration).filter_by(phone="+84905000003")).one()
        mine.zalo_user_id = "777"  # Chi registered Dung with Dung's phone
    found = looked_at(station, here, written(station))
    assert phones(found) == ["+84905000001"] and found.gathered.opted_out == 3


def test_who_wants_no_news_hears_nothing_by_an_older_registration_of_the_same_phone_either(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    (later,) = register(station, here, ("Bình", "+84905000001"), days=2)
    with database.writing(station) as session:
        session.get(tables.Registration, later).zalo_user_id = followers.known(session, "777", NOW).id
        followers.tag(session, "777", followers.NO_NEWS)
    found = looked_at(station, here, written(station))
    assert phones(found) == [] and found.gathered.opted_out == 1


def test_tagged_followers_join_by_phone_or_by_user_id(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    mixed_audience.follower(station, "501", phone="0905000001", tags=("hẹn lại",))
    mixed_audience.follower(station, "502", tags=("hẹn lại",))
    mixed_audience.follower(station, "503", phone="0905000003", following=False, tags=("hẹn lại",))
    mixed_audience.follower(station, "504", following=False, tags=("hẹn lại",))
    mixed_audience.follower(station, "505", tags=("khác",))
    wide = Audience(("TK1",), TOMORROW, TOMORROW, WHOLE, ("hẹn lại",))
    found = looked_at(station, here, written(station, audience=wide))
    assert [(one.phone, one.user_id) for one in found.gathered.people] == [
        ("", "502"),
        ("+84905000001", "501"),
        ("+84905000003", None),
    ]
    assert found.gathered.unreachable == 1


def test_a_zalo_user_is_written_to_for_one_of_their_phones_only(station, here):
    mixed_audience.follower(station, "501", phone="0905000002")
    rows = register(station, here, ("An", "+84905000001"), ("Mẹ", "+84905000002"), ("Cha", "+84905000003"))
    with database.writing(station) as session:
        for one in session.scalars(select(tables.Registration).where(tables.Registration.id.in_(rows))):
            one.zalo_user_id = "501"
    found = looked_at(station, here, written(station))
    assert [one.user_id for one in found.gathered.people] == [None, "501", None]
    assert sent(station, here, written(station)) is Outcome.SENT
    assert [one.zalo_user_id for one in told_by(station)] == [None, "501", None]


def test_the_preview_says_by_which_way_and_at_what_cost(station, here):
    register(station, here, *((f"Người {n}", f"+8490500000{n}") for n in range(5)), days=1)
    mixed_audience.follower(station, "500", phone="0905000000", seen_at=NOW - HOUR)
    mixed_audience.follower(station, "501", phone="0905000001", seen_at=NOW - 49 * HOUR)
    with database.writing(station) as session:
        notices.suppress(
            session, "zalo", "+84905000002", NOW + 9 * HOUR, "-118", "không có / none", "zalo", NOW
        )
    found = looked_at(station, here, written(station))
    parts = found.samples[0].parts
    assert {way.channel: (way.people, way.cost) for way in found.ways} == {
        "zalo_cs": (1, 0),
        "zalo_uid": (1, 165),
        "zalo": (2, 400),
        "esms": (1, 500 * parts),
    }
    assert found.expected == 565 + 500 * parts
    assert found.worst == (165 + 200) * 2 + 200 * 2 + 500 * parts * 5
    assert found.template == {"noi": "Nhà văn hoá phường An Xuân, 12 Trần Phú", "ngay": "30/11/2026"}
    vi, en = found.samples
    assert "Nhà văn hoá phường An Xuân, 12 Trần Phú ngày 30/11/2026. https://dk.example.vn" in vi.text
    assert vi.sms.isascii() and vi.parts == 1 and "mobile" in en.text.casefold()


def test_without_a_template_zalo_is_only_for_those_who_have_just_spoken(station, here):
    bare = here.model_copy(update={"zalo": here.zalo.model_copy(update={"templates": {}})})
    register(station, bare, ("An", "+84905000001"), ("Bình", "+84905000002"), days=1)
    mixed_audience.follower(station, "501", phone="0905000001", seen_at=NOW - HOUR)
    found = looked_at(station, bare, written(station))
    assert [(way.channel, way.people) for way in found.ways] == [("zalo_cs", 1), ("esms", 1)]


def test_a_template_that_wants_what_a_round_does_not_say_is_not_counted_on(station, here):
    wants = settings.Template(id="100009", params={"so": "{number}"})
    bare = here.model_copy(update={"zalo": here.zalo.model_copy(update={"templates": {"round": wants}})})
    register(station, bare, ("An", "+84905000001"), days=1)
    assert [way.channel for way in looked_at(station, bare, written(station)).ways] == ["esms"]


def test_a_day_s_quota_that_does_not_hold_everybody_is_said(station, here):
    register(station, here, *((f"Người {n}", f"+8490500000{n}") for n in range(3)), days=2)
    with database.writing(station) as session:
        session.add(tables.ZaloQuota(channel="zalo", total=500, remaining=2, at=NOW))
    after = Audience(("TK1",), TOMORROW, TOMORROW + timedelta(days=1), WHOLE)
    found = looked_at(station, here, written(station, audience=after))
    assert [(way.channel, way.left, way.fits) for way in found.ways] == [("zalo", 2, False)]
    later = written(station, audience=after, due=NOW + 24 * HOUR)
    assert [(way.left, way.fits) for way in looked_at(station, here, later).ways] == [(500, True)]


def test_nobody_is_told_before_somebody_confirms(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    looked_at(station, here, written(station))
    assert told_by(station) == []


def test_a_confirmed_round_is_planned_once(station, here):
    register(station, here, ("An", "+84905000001"), ("Bình", "+84905000002"), days=1)
    mixed_audience.follower(station, "502", tags=("hẹn lại",))
    one = written(station, audience=Audience(("TK1",), TOMORROW, TOMORROW, WHOLE, ("hẹn lại",)))
    assert sent(station, here, one) is Outcome.SENT
    assert sent(station, here, one, "any") is Outcome.ALREADY
    told = told_by(station)
    assert [(row.phone, row.kind, row.due) for row in told] == [
        ("", "round", NOW),
        ("+84905000001", "round", NOW),
        ("+84905000002", "round", NOW),
    ]
    assert told[0].ladder == "zalo_uid" and told[1].ladder == "zalo,esms"
    assert told[1].deadline == hours.at(
        date(2026, 11, 30), looking.WORTH_UNTIL, hours.ZoneInfo("Asia/Ho_Chi_Minh")
    )
    assert all(row.key.startswith(f"round:{one}:") and row.phone[-9:] not in row.key[12:] for row in told[1:])
    with database.reading(station) as session:
        row = session.get(tables.Broadcast, one)
        assert (row.state, row.people, row.sent_by) == ("sent", 3, "binh")
        actions = session.scalars(
            select(tables.Audit.action).where(tables.Audit.subject == f"round:{one}")
        ).all()
    assert actions == ["round.write", "round.send"]


def test_a_round_that_is_planned_again_by_a_crash_tells_nobody_twice(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    one = written(station)
    sent(station, here, one)
    with database.writing(station) as session:
        row = session.get(tables.Broadcast, one)
        row.state, row.sent_at = "draft", None
    assert sent(station, here, one) is Outcome.SENT
    assert len(told_by(station)) == 1


@pytest.mark.parametrize("change", ["somebody came", "somebody cancelled", "the words changed"])
def test_what_was_not_looked_at_is_not_sent(station, here, change):
    rows = register(station, here, ("An", "+84905000001"), ("Bình", "+84905000002"), days=1)
    one = written(station)
    mark = looked_at(station, here, one).mark
    if change == "somebody came":
        register(station, here, ("Chi", "+84905000003"), days=1)
    elif change == "somebody cancelled":
        with database.writing(station) as session:
            mine = session.get(tables.Registration, rows[0])
            registrations.cancel(session, mine, None, notices.policy(here), NOW, "An")
    else:
        with database.writing(station) as session:
            broadcasts.write(session, draft(place="Trường Lê Lợi"), "chi", NOW, one)
    assert sent(station, here, one, mark) is Outcome.CHANGED
    assert told_by(station) == []
    assert sent(station, here, one) is Outcome.SENT


def test_whoever_confirms_must_know_how_many(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    one = written(station)
    assert sent(station, here, one, people=2) is Outcome.MISCOUNTED
    assert told_by(station) == []


def test_a_round_for_nobody_or_too_late_is_not_sent(station, here):
    assert sent(station, here, written(station)) is Outcome.EMPTY
    register(station, here, ("An", "+84905000001"), days=1)
    one = written(station, day=date(2026, 11, 24))
    assert sent(station, here, one, now=NOW + 10 * HOUR) is Outcome.LATE
    assert told_by(station) == []


def test_the_night_is_said_and_the_engine_keeps_it(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    at_night = hours.at(date(2026, 11, 24), hours.time(23, 0), here.station.zone)
    one = written(station, due=at_night)
    found = looked_at(station, here, one)
    assert found.quiet and hours.clock(found.starts, here.station.zone) == "06:30"
    sent(station, here, one)
    assert [(row.due, row.urgent) for row in told_by(station)] == [(at_night, False)]


def test_what_is_not_told_yet_can_be_withdrawn(station, here):
    register(station, here, *((f"Người {n}", f"+8490500000{n}") for n in range(4)), days=1)
    one = written(station)
    sent(station, here, one)
    with database.writing(station) as session:
        rows = session.scalars(select(tables.Notice).order_by(tables.Notice.phone)).all()
        rows[0].state, rows[0].final_at = "delivered", NOW
        rows[1].state = "sent"
    with database.writing(station) as session:
        assert broadcasts.withdraw(session, one, here, "binh", NOW + 5) == 3
        assert broadcasts.withdraw(session, one, here, "binh", NOW + 5) == 0
    assert [row.state for row in told_by(station)] == ["delivered", "cancelled", "cancelled", "cancelled"]
    with database.reading(station) as session:
        row = session.get(tables.Broadcast, one)
        assert row.state == "cancelled"
        found = broadcasts.progress(session, row, here, NOW)
        assert (found.reached, found.set_aside, found.finished) == (1, 3, True)


def test_what_was_sent_again_counts_once(station, here):
    register(station, here, ("An", "+84905000001"), ("Bình", "+84905000002"), days=1)
    one = written(station)
    sent(station, here, one)
    with database.writing(station) as session:
        first, _second = session.scalars(select(tables.Notice).order_by(tables.Notice.phone)).all()
        first.state, first.final_at = "failed", NOW
        again = notices.repeat(session, first.id, "binh", here, NOW + 60)
        session.get(tables.Notice, again).state = "delivered"
    with database.reading(station) as session:
        found = broadcasts.progress(session, session.get(tables.Broadcast, one), here, NOW + 60)
    assert (found.reached, found.waiting, found.total) == (1, 1, 2)


def test_two_rounds_do_not_count_each_other_s_people(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    ids = [written(station) for _n in range(11)]
    sent(station, here, ids[0])
    sent(station, here, ids[10])
    with database.reading(station) as session:
        found = broadcasts.progress(session, session.get(tables.Broadcast, ids[0]), here, NOW)
    assert found.total == 1


def test_a_draft_thrown_away_cannot_be_sent(station, here):
    register(station, here, ("An", "+84905000001"), days=1)
    one = written(station)
    with database.writing(station) as session:
        assert broadcasts.discard(session, one, "binh", NOW)
        assert not broadcasts.discard(session, one, "binh", NOW)
        assert broadcasts.write(session, draft(), "binh", NOW, one) is None
    assert sent(station, here, one) is Outcome.NO_DRAFT
    assert told_by(station) == []


def test_five_thousand_people_are_planned_at_once(station, here):
    mixed_audience.crowd(station, 5_000, TOMORROW)
    one = written(station)
    assert looked_at(station, here, one).people == 5_000
    assert sent(station, here, one) is Outcome.SENT
    with database.reading(station) as session:
        assert session.scalar(select(func.count()).select_from(tables.Notice)) == 5_000


def test_more_than_one_round_may_tell_is_said(station, here):
    mixed_audience.crowd(station, audience.MOST_PEOPLE + 5, TOMORROW)
    found = looked_at(station, here, written(station))
    assert found.people == audience.MOST_PEOPLE and found.gathered.more


def test_two_officers_who_confirm_at_once_send_it_once(station, here):
    register(station, here, *((f"Người {n}", f"+8490500000{n}") for n in range(5)), days=1)
    one = written(station)
    mark = looked_at(station, here, one).mark
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda _n: sent(station, here, one, mark, 5), range(4)))
    assert sorted(outcomes) == [Outcome.ALREADY] * 3 + [Outcome.SENT]
    assert len(told_by(station)) == 5
