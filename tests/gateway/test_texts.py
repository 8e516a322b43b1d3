"""Who texts the station is answered in one part, passed on whole, and left alone when they say so."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from gateway import database, example, notices, queue, registrations, tables, texts
from gateway.rules import channels, hours
from gateway.rules import chat as rules
from gateway.rules.lifecycle.ticket import State
from tests.gateway.texting import AN, BINH, CHI, Phones

DAY = 86_400


@pytest.fixture
def config(config):
    return config.model_copy(update={"sms": config.sms.model_copy(update={"providers": ("esms", "modem")})})


@pytest.fixture
def phones(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
    return Phones(engine, config, [eight])


@pytest.fixture
def changed(phones):
    """`changed(key=…)`: the phones with another `[sms]`."""

    def change(**keys):
        own = phones.config.sms.model_copy(update=keys)
        phones.config = phones.config.model_copy(update={"sms": own})

    return change


def registered(phones, people=("Nguyễn Thị An",), phone=AN, days=1, numbers=True, language="vi", site="TK1"):
    """Register people with a phone, and give them their numbers."""
    day = hours.day_of(phones.now[0], phones.config.station.zone)
    asked = registrations.Request(
        people[0],
        phone,
        tuple(registrations.Person(name, "new") for name in people),
        "đồng ý",
        site=site,
        day=day + timedelta(days=days),
        language=language,
    )
    with database.writing(phones.engine) as session:
        made = registrations.register(session, asked, phones.config, phones.now[0])
        assert isinstance(made, tables.Registration), made
        if numbers:
            registrations.give_numbers(session, made.shift_id, phones.config, phones.now[0])
    return made


def states(phones):
    return [one.state for one in phones.rows(tables.Applicant)]


# My number


def test_the_number_hour_and_place_are_told_to_whoever_asks(phones):
    registered(phones)
    (answer,) = phones.text("  số của tôi. ")
    assert answer.startswith("So 001 (N. T. AN): hen 07:30 25/11 tai Diem cap can cuoc An My.")
    assert phones.outcomes() == ["answered"] and phones.conversation().state == "automatic"


def test_the_answer_is_an_urgent_notice_to_this_phone_by_the_lane_that_heard_it(phones):
    phones.text("so")
    (answer,) = phones.answers()
    notice = phones.notice(answer)
    assert (notice.kind, notice.key, notice.ladder) == ("chat", f"chat:{answer.id}", "modem")
    assert (notice.urgent, notice.zalo_user_id, notice.phone) == (True, None, AN)
    assert notice.data == {"text": answer.text} and notice.deadline <= phones.now[0] + 2 * 3_600


def test_who_has_no_number_yet_is_told_the_hour_and_when_it_comes(phones):
    registered(phones, numbers=False)
    assert "Hen 07:30 25/11" in phones.text("SO")[0]
    assert "15:00 chieu hom truoc" in phones.text("SO")[0]


def test_who_waits_is_told_how_many_are_ahead(phones, eight):
    today = hours.day_of(eight, phones.config.station.zone)
    with database.writing(phones.engine) as session:
        site = session.query(tables.Site).filter_by(code="TK1").one()
        service = session.query(tables.Service).first()
        for phone in (BINH, CHI):
            walked = queue.WalkIn(site.id, today, service.id, eight, phone=phone)
            queue.admit(session, walked, phones.config.policy, eight, "an")
    assert "Con 0 nguoi phia truoc." in phones.text("SO", BINH)[0]
    assert "Con 1 nguoi phia truoc." in phones.text("SO", CHI)[0]


def test_who_is_late_is_not_told_to_come_early(phones):
    registered(phones)
    assert "Moi den som 5 phut" in phones.text("SO")[0]
    phones.now[0] += DAY  # half past eight, an hour late
    assert "Da den gio hen, moi bao co mat." in phones.text("SO")[0]


def test_of_several_people_the_most_urgent_comes_first_and_the_rest_is_one_tap_away(phones):
    made = registered(phones, ("Nguyễn Thị An", "Trần Bình", "Lê Chi", "Hồ Dung", "Vũ Giang"))
    with database.writing(phones.engine) as session:
        ticket = session.query(tables.Ticket).filter_by(number="003").one()
        ticket.state = State.CALLED
    (answer,) = phones.text("SO")
    assert answer.startswith("So 003: Dang goi. So 001: 07:30 25/11. So 002: ") and len(answer) <= 160
    assert answer.endswith(f"Va 1 so khac, xem: {phones.config.web.base_url}/r/{made.token}")


def test_nobody_sees_the_numbers_of_another_phone(phones):
    registered(phones)
    assert phones.text("SO", BINH)[0].startswith("CA PHUONG: Chua thay so nao")


def test_the_language_is_the_one_in_which_the_phone_was_registered(phones):
    registered(phones, language="en")
    phones.text("help")
    assert phones.notice(phones.answers()[0]).language == "en"
    phones.text("help", BINH)
    assert phones.notice(phones.answers(BINH)[0]).language == "vi"


# Giving it up


def test_giving_a_number_up_asks_first_and_takes_the_number_itself(phones):
    registered(phones, ("Nguyễn Thị An", "Trần Bình"))
    (asked,) = phones.text("Huỷ")
    assert "Tra loi: HUY 001 hoac HUY 002" in asked and states(phones) == ["numbered", "numbered"]
    (done,) = phones.text("huy 002 ạ")
    assert done.startswith("Da huy so 002.") and states(phones) == ["numbered", "cancelled"]
    assert "Tra loi HUY 001 de xac nhan" in phones.text("HUY")[0]
    assert "Da huy so 001." in phones.text("HUY so 001")[0]
    assert phones.rows(tables.Registration)[0].cancelled_at is not None
    assert "khong co so 001 nao" in phones.text("huy001")[0]


def test_nobody_gives_up_the_number_of_another_phone(phones):
    registered(phones)
    assert "khong co so 001 nao" in phones.text("HUY 001", BINH)[0]
    assert states(phones) == ["numbered"]


def test_who_has_no_number_yet_is_led_to_the_page_that_only_this_phone_is_told(phones):
    made = registered(phones, numbers=False)
    assert f"/r/{made.token}" in phones.text("HUY")[0] and states(phones) == ["registered"]


def test_a_number_that_was_called_is_given_up_at_the_counter_only(phones):
    registered(phones)
    with database.writing(phones.engine) as session:
        session.query(tables.Ticket).one().state = State.CALLED
    assert "Khong huy duoc so 001 nua" in phones.text("HUY 001")[0]
    assert "Khong co so nao huy duoc" in phones.text("HUY")[0]


def test_two_turns_with_one_number_are_given_up_on_their_page(phones):
    registered(phones, days=1)
    registered(phones, ("Trần Bình",), days=2)
    for text in ("HUY 001", "HUY"):
        assert phones.text(text)[0].startswith("Co 2 so 001, chua huy so nao. Huy tai: http")
    assert states(phones) == ["numbered", "numbered"]


def test_a_wish_that_came_half_a_day_late_goes_to_a_person(phones):
    registered(phones)
    assert phones.text("HUY 001", at=phones.now[0] - 13 * 3_600) == []
    assert states(phones) == ["numbered"] and phones.conversation().state == "waiting"


# To be left alone


def notice_to(phones, phone=AN):
    with database.writing(phones.engine) as session:
        return notices.suppressing.suppressed(session, "esms", [phone], phones.now[0])


def test_who_says_stop_gets_no_notices_by_any_lane_and_is_told_so_once(phones):
    (told,) = phones.text("Từ chối.")
    assert told.startswith("CA PHUONG: Da ngung gui tin nhan") and phones.is_stopped()
    assert list(notice_to(phones)) == [AN] and notice_to(phones, BINH) == {}
    assert phones.text("STOP") == [] and phones.is_stopped()
    row = phones.rows(tables.Suppression)[0]
    assert (row.channel, row.code, row.until > phones.now[0] + 3_650 * DAY) == (
        channels.TEXTS,
        "stopped",
        True,
    )


def test_who_says_start_gets_them_again(phones):
    phones.text("STOP")
    assert "nhan tin nhan ve so thu tu" in phones.text("Nhận tin")[0]
    assert not phones.is_stopped() and notice_to(phones) == {}


def test_a_nod_or_a_complaint_is_no_such_wish(phones):
    phones.text("STOP", BINH)
    for word in ("Đã nhận", "không nhận được tin", "sao tôi không nhận được tin nhắn?", "Stop đi em"):
        phones.text(word)
        phones.text(word, BINH)
    assert not phones.is_stopped() and phones.is_stopped(BINH)


def test_who_is_left_alone_still_gets_the_answer_that_they_ask_for(phones):
    registered(phones)
    phones.text("STOP")
    assert phones.text("SO")[0].startswith("So 001")


def test_stop_is_honoured_where_nothing_is_answered_and_somebody_sees_it(phones, changed):
    changed(answers=False)
    assert phones.text("STOP") == [] and phones.is_stopped()
    assert phones.conversation().state == "waiting"


# Passed on


def test_everything_else_goes_to_a_person_and_nothing_is_sent(phones):
    said = ["Cho tôi hỏi thủ tục đăng ký tạm trú", "alo anh ơi cho em hỏi tí", "👍", "Đăng ký", ""]
    for text in said:
        assert phones.text(text) == []
    talk = phones.conversation()
    assert (talk.state, talk.unread, talk.channel, talk.user_id) == ("waiting", 5, "modem", None)
    assert [one.text for one in phones.rows(tables.ChatMessage)] == said
    assert set(phones.outcomes()) == {"passed_on"}


def test_a_long_text_is_kept_whole(phones):
    text = "Tôi xin trình bày " + "việc ế " * 1_500 + "hết."
    phones.text(text)
    assert phones.rows(tables.ChatMessage)[0].text == text


def test_a_complaint_is_for_officers_only(phones):
    phones.text("Tôi muốn tố cáo cán bộ vòi tiền")
    talk = phones.conversation()
    assert (talk.topic, talk.sensitive) == ("complaint", True)


def test_a_name_a_short_code_or_a_foreign_number_is_never_answered_by_itself(phones):
    senders = ["VIETTEL", "195", "9029", "+8613812345678", "+842353851234", "02353 851 234"]
    for sender in senders:
        phones.store(sender, "STOP")
        phones.store(sender, "HELP")
    phones.work()
    assert phones.rows(tables.Notice) == [] and phones.rows(tables.Suppression) == []
    kept = {one.phone: (one.state, one.unread) for one in phones.rows(tables.Conversation)}
    # The landline is one, however it is written, and these are the same two texts
    assert kept == dict.fromkeys(senders[:5], ("waiting", 2))


def test_a_national_number_as_networks_give_it_is_the_same_phone(phones):
    registered(phones)
    for sender in (AN, "0905123456", "84905123456", "0084905123456", "905123456"):
        phones.text("SO", sender)
    assert [one.phone for one in phones.rows(tables.Conversation)] == [AN] and len(phones.answers()) == 5


def test_after_five_answers_in_an_hour_a_person_looks_at_it(phones):
    answers = [phones.text("help") for _ in range(7)]
    assert [len(one) for one in answers] == [1, 1, 1, 1, 1, 0, 0]
    assert phones.conversation().state == "waiting" and phones.text("help", BINH)
    phones.now[0] += 3_600
    assert phones.text("help")


def test_who_confirms_gives_the_number_up_also_after_having_asked_much(phones):
    registered(phones)
    for _ in range(7):
        phones.text("help")
    assert phones.text("HUY") == [] and phones.text("HUY 999") == []
    assert "Da huy so 001." in phones.text("HUY 001")[0] and states(phones) == ["cancelled"]
    assert phones.text("HUY 001") == []


def test_fifteen_answers_a_day_are_enough_for_one_phone(phones):
    said = 0
    for _ in range(20):
        said += len(phones.text("help"))
        phones.now[0] += 1_800
    assert said == 15 and phones.conversation().state == "waiting"
    phones.now[0] += DAY
    assert phones.text("help")


def test_answers_leave_half_of_a_sims_day_to_notices(phones, changed):
    changed(modem=phones.config.sms.modem.model_copy(update={"per_day": 6}))
    answered = [len(phones.text("help", f"+8490512345{n}")) for n in range(5)]
    assert answered == [1, 1, 1, 0, 0]
    assert phones.text("STOP") == [] and phones.is_stopped()
    phones.now[0] += DAY
    assert phones.text("help")


def test_with_answers_off_everything_goes_to_a_person(phones, changed):
    changed(answers=False)
    assert phones.text("SO") == [] and phones.conversation().state == "waiting"


def test_where_no_lane_goes_back_nothing_is_answered(phones, changed):
    changed(providers=("esms",))
    assert phones.text("SO") == [] and phones.conversation().state == "waiting"


def test_while_a_person_is_at_it_only_the_plain_words_are_answered_by_itself(phones):
    phones.text("Cho hỏi")
    with database.writing(phones.engine) as session:
        session.query(tables.Conversation).one().assigned_to = "an"
    assert phones.text("bao giờ đến lượt") == [] and len(phones.text("SO")) == 1


# Once, in order, whatever comes


def test_the_same_text_told_twice_is_one(phones):
    for _ in range(3):
        phones.store(AN, "SO")
    phones.work()
    assert phones.outcomes() == ["answered", "again", "again"]
    assert len(phones.answers()) == 1 and len(phones.rows(tables.ChatMessage)) == 2


def test_texts_are_read_in_the_order_in_which_they_were_sent(phones):
    phones.store(AN, "START", phones.now[0] - 10)
    phones.store(AN, "STOP", phones.now[0] - 20)
    phones.work()
    assert not phones.is_stopped()


def test_what_cannot_be_read_is_put_aside(phones):
    bodies = ["", "[]", "{", "null", '{"sender": 5, "text": "SO"}', "[" * 5_000, '{"text": "SO"}']
    for body in bodies:
        phones.raw(body)
    phones.store(AN, "SO")
    assert phones.work() == 8 and phones.outcomes() == ["unread"] * 7 + ["answered"]


def test_a_moment_that_cannot_be_is_the_one_in_which_it_was_stored(phones):
    for n, at in enumerate([None, "yesterday", -5, True, 2**60, 1.5]):
        phones.raw(json.dumps({"sender": AN, "text": f"xin hỏi\0 gì\u202e đó\ud800{n}", "at": at}))
    phones.work()
    kept = [(one.at, one.text) for one in phones.rows(tables.ChatMessage)]
    assert kept == [(phones.now[0], f"xin hỏi gì đó{n}") for n in range(6)]


def test_one_that_breaks_is_tried_again_and_then_goes_to_a_person_while_the_others_go_on(phones, caplog):
    def broken(language, text):
        raise ValueError(f"Bí mật {AN}")

    phones.words = broken
    phones.store(AN, "Bí mật của tôi")
    phones.store(BINH, "SO")
    phones.work()
    assert phones.outcomes() == ["passed_on", ""]
    for _ in range(7):
        phones.now[0] += 400
        phones.work()
    assert phones.outcomes() == ["passed_on", "passed_on"] and phones.conversation(BINH).state == "waiting"
    assert [one.text for one in phones.rows(tables.ChatMessage)] == ["Bí mật của tôi", "SO"]
    assert "could not be worked off: ValueError" in caplog.text
    assert "905123456" not in caplog.text and "912345678" not in caplog.text and "Bí mật" not in caplog.text


def test_the_raw_text_is_kept_in_its_conversation_alone(phones):
    phones.text("Chuyện riêng")
    assert [one.body for one in phones.rows(tables.Receipt)] == [""]


def test_the_next_matter_after_a_closed_one_begins_a_new_conversation(phones):
    phones.text("Cho hỏi tạm trú")
    with database.writing(phones.engine) as session:
        talk = session.query(tables.Conversation).one()
        talk.state, talk.closed_at = "closed", phones.now[0]
    phones.text("Cho hỏi tiếp")
    first, second = phones.rows(tables.Conversation)
    assert (first.state, second.state, second.topic) == ("closed", "waiting", "residence")


def test_a_silent_automatic_conversation_is_over_after_a_day(phones):
    phones.text("SO")
    phones.now[0] += 2 * DAY
    phones.text("SO")
    assert [one.state for one in phones.rows(tables.Conversation)] == ["closed", "automatic"]


# What is understood


@pytest.mark.parametrize(
    ("text", "intent", "argument"),
    [
        ("SO", "number", ""), ("Sô", "number", ""), ("S0", "number", ""),
        ("soos cuar tooi", "number", ""), ("STT", "number", ""),
        ("bao giờ đến lượt tôi", "number", ""), ("HUY", "cancel", ""), ("Hủy", "cancel", ""),
        ("HUY A042", "cancel", "A042"), ("huỷ a-042", "cancel", "A042"), ("Huỷ số A 042 nhé", "cancel", "A042"),
        ("HUYA042", "cancel", "A042"), ("huy42", "cancel", "42"), ("cancel B1042", "cancel", "B1042"),
        ("tôi không đến được", "cancel", ""), ("TRO GIUP", "menu", ""), ("trợ giúp!", "menu", ""), ("?", "none", ""),
        ("  số của tôi. ", "number", ""), ("So cua toi", "number", ""), ("#so", "number", ""),
        ("xem số!", "number", ""),
        ("My number", "number", ""), ("stop.", "stop", ""), ("TU CHOI", "stop", ""), ("tc", "stop", ""),
        ("Dừng nhận tin", "stop", ""), ("không nhận tin", "stop", ""), ("nhan tin", "start", ""),
        ("đúng", "none", ""), ("Dung", "none", ""), ("giúp tôi với", "none", ""), ("cứu tôi", "none", ""),
        ("từ chối ạ", "stop", ""), ("stop tin nhắn", "stop", ""), ("unstop", "start", ""),
        ("không nhận được tin", "none", ""), ("Stop đi em", "none", ""),
        ("Đừng gửi nữa!", "stop", ""), ("dung gui nua", "stop", ""), ("thôi đừng nhắn tin nữa", "stop", ""),
        ("ngừng gửi", "stop", ""), ("TUCHOI", "stop", ""), ("STOP SMS", "stop", ""), ("tuwf choois", "stop", ""),
        ("nhận tin nhắn", "start", ""), ("không gửi nữa", "none", ""), ("đúng, gửi đi", "none", ""),
        ("huyr 042", "cancel", "042"), ("huyr soos 42", "cancel", "42"), ("huyR042", "cancel", "R042"),
        ("help", "menu", ""), ("STOP", "stop", ""), ("Từ chối", "stop", ""), ("START", "start", ""),
        ("nhận", "start", ""), ("đã nhận", "none", ""), ("cảm ơn", "none", ""), ("đăng ký", "none", ""),
        ("giờ làm việc", "none", ""), ("English", "none", ""), ("huy dong 42", "none", ""),
        ("Tôi muốn huỷ số A042 vì con ốm phải vào viện, xin cán bộ thông cảm", "none", ""),
        ("từ chối tiếp dân là sai", "none", ""), ("số 42 Hùng Vương có phải đổi thẻ không", "none", ""),
    ],
)  # fmt: skip
def test_a_few_words_are_understood_and_nothing_else(text, intent, argument):
    asked = rules.short(text)
    assert (asked.intent, asked.argument) == (intent, argument)


def test_texts_are_told_apart_from_what_zalo_tells(phones):
    assert texts.CHANNEL == "texts"
    phones.text("Xin chào cán bộ")
    assert phones.rows(tables.ZaloUser) == []
