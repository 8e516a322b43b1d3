"""By which of Zalo's ways a person is told: free text, template by user id, template by phone, and then SMS."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import channels as rooms
from gateway import database, delivery, notices, tables
from gateway.channels import codes
from gateway.rules import channels, settings
from gateway.worker.timetable import Timetable
from tests.gateway.test_worker_faults import AN, BINH, CHI, Channel, plain, rounds, states, still, worker_of

__all__ = ["plain"]
HOUR = 3_600
LADDER = ("zalo_cs", "zalo_uid", "zalo", "esms")


@pytest.fixture
def now(eight):
    return [eight]


def known(engine, now, user_id="555", *, spoke=0, phone=None):
    """A Zalo user who spoke so many seconds ago (0: never)."""
    with database.writing(engine) as session:
        seen = now[0] - spoke if spoke else 0
        session.add(tables.ZaloUser(id=user_id, seen_at=seen, phone=phone, phone_at=seen, created_at=now[0]))


def tell(engine, now, phone=AN, user_id=None, ladder=LADDER, kind="missed", **data):
    given = {"number": "042", "place": "An Mỹ", "minutes": "30", **data}
    key = f"{kind}:{phone}:{user_id}:{now[0]}"
    planned = notices.Planned(key, kind, phone, given, now[0], now[0] + 9_000, zalo_user_id=user_id)
    with database.writing(engine) as session:
        return notices.plan(session, planned, ladder, now[0])


def all_of(*faulty):
    own = {one.name: one for one in faulty}
    return [own.get(name, Channel(name)) for name in LADDER]


def tried(engine):
    with database.reading(engine) as session:
        wanted = select(tables.Attempt.channel, tables.Attempt.state, tables.Attempt.code)
        return [tuple(row) for row in session.execute(wanted.order_by(tables.Attempt.at, tables.Attempt.rung))]


def ladder_of(engine, notice_id):
    with database.reading(engine) as session:
        return session.get_one(tables.Notice, notice_id).ladder


def test_who_spoke_to_the_page_yesterday_gets_a_free_text_with_every_accent(engine, plain, now):
    known(engine, now, spoke=24 * HOUR)
    texts = []
    chat = Channel("zalo_cs", lambda message: texts.append(message) or rooms.Accepted("m1"))
    worker = worker_of(engine, plain, now, *all_of(chat))
    tell(engine, now, user_id="555", kind="called", counter="Quầy 2", url="https://a.vn/p/1")
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    assert texts[0].zalo_user_id == "555"
    assert texts[0].text == "Công an phường: Mời số 042 đến Quầy 2, An Mỹ."
    assert [(one["title"], one["payload"]["url"]) for one in texts[0].buttons] == [
        ("Xem trên trang", "https://a.vn/p/1")
    ]
    assert tried(engine) == [("zalo_cs", "accepted", "")]


def test_who_spoke_three_days_ago_gets_the_template_by_user_id(engine, plain, now):
    known(engine, now, spoke=72 * HOUR)
    worker = worker_of(engine, plain, now, *all_of())
    tell(engine, now, user_id="555")
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    assert tried(engine) == [("zalo_cs", "skipped", "suppressed"), ("zalo_uid", "accepted", "")]


@pytest.mark.parametrize("spoke", [0, 8 * 24 * HOUR])
def test_who_never_spoke_or_long_ago_is_not_even_tried_by_chat(engine, plain, now, spoke):
    known(engine, now, spoke=spoke)
    notice_id = tell(engine, now, user_id="555")
    assert ladder_of(engine, notice_id) == "zalo_uid,zalo,esms"


def test_a_phone_whose_owner_nobody_knows_on_zalo_goes_by_phone(engine, plain, now):
    assert ladder_of(engine, tell(engine, now)) == "zalo,esms"


def test_a_phone_that_its_owner_shared_is_told_by_user_id(engine, plain, now):
    known(engine, now, "556", spoke=1 * HOUR, phone=AN)
    notice_id = tell(engine, now)
    with database.reading(engine) as session:
        row = session.get_one(tables.Notice, notice_id)
    assert (row.zalo_user_id, row.ladder) == ("556", "zalo_cs,zalo_uid,zalo,esms")


def test_a_phone_that_two_zalo_users_claim_goes_by_phone(engine, plain, now):
    known(engine, now, "555", spoke=2 * HOUR, phone=AN)
    known(engine, now, "556", spoke=1 * HOUR, phone=AN)
    assert ladder_of(engine, tell(engine, now)) == "zalo,esms"


@pytest.mark.parametrize(
    ("spoke", "ladder"), [(1, "zalo_cs,esms"), (72, "zalo_uid,esms"), (0, "zalo_uid,esms")]
)
def test_who_must_be_told_at_once_is_tried_by_one_of_zalos_ways_and_then_by_sms(
    engine, plain, now, spoke, ladder
):
    known(engine, now, spoke=spoke * HOUR)
    assert ladder_of(engine, tell(engine, now, user_id="555", kind="called")) == ladder


@pytest.mark.parametrize(
    ("off", "left"),
    [
        ({"by_chat": False}, ("zalo_uid", "zalo", "esms")),
        ({"by_user_id": False}, ("zalo_cs", "zalo", "esms")),
        ({"by_phone": False}, ("zalo_cs", "zalo_uid", "esms")),
        ({"by_chat": False, "by_user_id": False, "by_phone": False}, ("esms",)),
    ],
)
def test_each_way_can_be_switched_off_and_people_are_answered_by_chat_all_the_same(off, left):
    config = settings.read({"zalo": off}, {})
    assert channels.ladder(config) == left
    assert "zalo_cs" in channels.used(config)


def test_a_host_that_sends_zalo_sends_all_of_it():
    config = settings.read({"notices": {"lanes": ["zalo"]}, "sms": {"providers": ["esms", "modem"]}}, {})
    assert channels.here(config) == ("zalo_cs", "zalo_uid", "zalo")


def test_what_zalo_does_not_send_by_user_id_goes_by_phone_from_then_on_without_asking(engine, plain, now):
    def not_by_id(_message):
        raise codes.complaint("oa", "-249")

    by_id = Channel("zalo_uid", not_by_id)
    worker = worker_of(engine, plain, now, *all_of(by_id))
    tell(engine, now, AN, "555")
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    tell(engine, now, BINH, "556")
    rounds(worker, lambda: states(engine).get(BINH, ("",))[0] == "sent")
    assert by_id.given == [AN]
    assert states(engine)[BINH][1] == 1  # of its own ladder: zalo_uid, zalo, esms


def test_a_user_id_that_zalo_does_not_know_is_not_looked_for_behind_that_phone_again(engine, plain, now):
    def stranger(_message):
        raise rooms.Refused("-201u", "không có người dùng / no such user", "phone", rooms.Fault.PERSON, 30)

    known(engine, now, "555", phone=AN)
    worker = worker_of(engine, plain, now, *all_of(Channel("zalo_uid", stranger)))
    tell(engine, now)
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    assert [channel for channel, state, _ in tried(engine) if state == "accepted"] == ["zalo"]
    now[0] += 5
    assert ladder_of(engine, tell(engine, now)) == "zalo,esms"


def test_refusing_us_by_user_id_rests_that_user_and_nobody_else(engine, plain, now):
    def refuses(message):
        if message.zalo_user_id == "555":
            raise codes.complaint("oa", "-244")
        return rooms.Accepted("m")

    by_id = Channel("zalo_uid", refuses)
    worker = worker_of(engine, plain, now, *all_of(by_id))
    tell(engine, now, AN, "555")
    tell(engine, now, BINH, "556")
    rounds(worker, lambda: {s for s, _, _ in states(engine).values()} == {"sent"})
    now[0] += 60
    tell(engine, now, CHI, "555")
    rounds(worker, lambda: states(engine)[CHI][0] == "sent")
    assert by_id.given == [AN, BINH]
    with database.reading(engine) as session:
        resting = session.scalars(select(tables.Suppression)).all()
    assert [(one.channel, one.phone) for one in resting] == [("zalo_uid", "555")]


def test_an_answer_in_a_chat_never_becomes_an_sms_and_is_not_on_the_list_of_people_not_reached(
    engine, plain, now
):
    def shut(_message):
        raise codes.complaint("oa", "-230")

    esms = Channel("esms")
    worker = worker_of(engine, plain, now, *all_of(Channel("zalo_cs", shut), esms))
    tell(engine, now, "", "555", ladder=("zalo_cs",), kind="chat", text="Mời ông đến quầy 2")
    rounds(worker, lambda: states(engine)[""][0] == "failed")
    assert esms.given == []
    with database.reading(engine) as session:
        assert delivery.lost(session, plain, now[0], 7).count == 0
        wanted = delivery.Wanted(0, now[0] + 1)
        assert delivery.progress(session, wanted, plain, now[0]).total == 0


def test_an_answer_in_a_chat_goes_out_although_that_user_refuses_notices(engine, plain, now):
    with database.writing(engine) as session:
        notices.suppress(session, "zalo_cs", "555", now[0] + 9_000, "-244", "x", "provider", now[0])
    sent = []
    chat = Channel("zalo_cs", lambda message: sent.append(message) or rooms.Accepted("m"))
    worker = worker_of(engine, plain, now, *all_of(chat))
    button = {"title": "Đăng ký", "type": "oa.open.url", "payload": {"url": "https://a.vn"}}
    tell(engine, now, "", "555", ladder=("zalo_cs",), kind="chat", text="Chào ông", buttons=[button])
    rounds(worker, lambda: states(engine)[""][0] == "sent")
    assert (sent[0].text, sent[0].buttons) == ("Chào ông", (button,))


def test_an_answer_that_waits_for_a_channel_that_is_gone_ends_and_takes_no_other(engine, now):
    config = settings.read({"notices": {"ladder": ["sms"]}}, {})
    tell(engine, now, "", "555", ladder=("zalo_cs",), kind="chat", text="Chào ông")
    Timetable(engine, config).look(now[0])
    assert states(engine)[""] == ("failed", 0, "no_channel")


def test_a_notice_that_waits_for_a_way_that_was_switched_off_takes_the_next_that_fits(engine, plain, now):
    config = settings.read({"zalo": {"by_user_id": False, "templates": {"missed": {"id": "1"}}}}, {})
    tell(engine, now, AN, "555", ladder=("zalo_uid", "zalo", "esms"))
    Timetable(engine, config).look(now[0])
    by_phone = Channel("zalo")
    worker = worker_of(engine, plain, now, by_phone, Channel("esms"))
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    assert by_phone.given == [AN]
    assert still(worker)


def test_an_answer_waits_for_the_chat_also_where_no_notice_begins_there(engine, now):
    config = settings.read({"zalo": {"by_chat": False}}, {})
    answer = notices.Planned(
        "chat:1", "chat", "", {"text": "Dạ"}, now[0] + 30, now[0] + 9_000, zalo_user_id="555", urgent=True
    )
    with database.writing(engine) as session:
        chat = notices.plan(session, answer, ("zalo_cs",), now[0])
    other = tell(engine, now, user_id="555", ladder=("zalo_cs", "esms"))
    Timetable(engine, config).look(now[0])
    with database.reading(engine) as session:
        found = {row.id: (row.state, row.channel) for row in session.scalars(select(tables.Notice))}
    assert found[chat] == ("created", "zalo_cs")
    assert found[other][0] == "created" and found[other][1] != "zalo_cs"


def test_without_zalo_an_answer_in_the_chat_ends_as_failed(engine, now):
    config = settings.read({"notices": {"ladder": ["sms"]}}, {})
    answer = notices.Planned(
        "chat:1", "chat", "", {"text": "Dạ"}, now[0] + 30, now[0] + 9_000, zalo_user_id="555", urgent=True
    )
    with database.writing(engine) as session:
        notices.plan(session, answer, ("zalo_cs",), now[0])
    Timetable(engine, config).look(now[0])
    with database.reading(engine) as session:
        assert [row.state for row in session.scalars(select(tables.Notice))] == ["failed"]


def test_who_typed_a_phone_into_zalo_gets_no_link_by_which_its_number_could_be_given_up(engine, plain, now):
    known(engine, now, "556", spoke=HOUR, phone=AN)
    own = settings.read({"zalo": {"templates": {"missed": {"id": "1", "params": {"link": "{url}"}}}}}, {})
    plain = plain.model_copy(update={"zalo": own.zalo})
    heard = []

    def refuses(message):
        heard.append(message)
        raise codes.complaint("oa", "-244")

    by_chat, by_id = Channel("zalo_cs", refuses), Channel("zalo_uid", refuses)
    by_phone = Channel("zalo", lambda message: heard.append(message) or rooms.Accepted("m1"))
    worker = worker_of(engine, plain, now, *all_of(by_chat, by_id, by_phone))
    tell(engine, now, url="https://a.vn/p/secret")
    rounds(worker, lambda: states(engine)[AN][0] == "sent")
    said = [str((one.text, one.template_data, one.buttons)) for one in heard]
    assert ["secret" in one for one in said] == [False, False, True]
    assert "Số 042 đã được gọi" in said[0]


@pytest.mark.parametrize("sent", [False, True])
def test_when_the_page_s_host_is_away_everybody_goes_by_phone_at_once_and_the_last_way_of_zalo_is_waited_for(
    engine, plain, now, sent
):
    def away(_message):
        raise rooms.Unreachable("no answer in time", sent=sent)

    people = [f"+8490{n:07}" for n in range(40)]
    for n, phone in enumerate(people):
        known(engine, now, f"{n}", spoke=HOUR, phone=phone)
        tell(engine, now, phone)
    worker = worker_of(engine, plain, now, *all_of(Channel("zalo_cs", away), Channel("zalo_uid", away)))
    for _ in range(4):  # half a minute
        rounds(worker, lambda: still(worker))
        now[0] += 7
    assert {state for state, _, _ in states(engine).values()} == {"sent"}
    by_phone = [channel for channel, state, _ in tried(engine) if state == "accepted"]
    assert by_phone == ["zalo"] * 40
