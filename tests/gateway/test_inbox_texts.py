"""Who texts the station stands in the same inbox: marked, found, and answered by the lane that heard them."""

from __future__ import annotations

import io
import re

import pytest
from sqlalchemy import select

from gateway import database, followers, inbox, notices, retention, tables, texts
from gateway.chat import saying
from gateway.web.app import create_app, limiter
from tests.gateway import browsing, letters
from tests.gateway.texting import AN, BINH, Phones

PAGE, DAY = "/admin/inbox", 86_400
OFFICER = inbox.Reader("binh", True)


@pytest.fixture
def config(config):
    return config.model_copy(update={"sms": config.sms.model_copy(update={"providers": ("esms", "modem")})})


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def phones(app, sqlite, config, now):
    return Phones(sqlite, config, now)


@pytest.fixture
def app(sqlite, config, now):
    browsing.station(config, sqlite, now)
    made = create_app(
        config, sqlite, now=lambda: now[0], upload=lambda name, octets: {"kind": "image", "id": "P"}
    )
    limiter.reset()
    return made


@pytest.fixture
def visit(app):
    def signed_in(name):
        made = browsing.Visitor(app)
        made.sign_in(name)
        return made

    return signed_in


@pytest.fixture
def asked(phones):
    """A question by text message; its conversation."""
    phones.text("Cho tôi hỏi đăng ký tạm trú cần gì?")
    return phones.conversation().id


def answer(visitor, talk_id, text, **more):
    return visitor.post(f"{PAGE}/{talk_id}/answer", {"text": text, **more}, f"{PAGE}/{talk_id}")


def make(engine, *rows):
    with database.writing(engine) as session:
        session.add_all(rows)


def registration(engine, name, phone=AN, language="vi"):
    with database.writing(engine) as session:
        shift = session.scalars(select(tables.Shift.id)).first()
        session.add(
            tables.Registration(
                token=name.replace(" ", "")[:20], contact_name=name, phone=phone, language=language,
                shift_id=shift, consent_text="", consent_at=0, created_at=0,
            )
        )  # fmt: skip


# The list


def test_both_ways_stand_in_one_list_each_with_its_mark(visit, phones, asked, sqlite, now):
    ids = letters.three(sqlite, now[0])
    an = visit("an")
    page = an.text(PAGE)
    text = page.split(f'data-thread="{asked}"')[1].split("</li>")[0]
    zalo = page.split(f'data-thread="{ids["binh"]}"')[1].split("</li>")[0]
    assert '<span class="topic way sms">SMS</span>' in text and "090***456" in text
    assert "data-window" not in text and "0905" not in text
    assert '<span class="topic way zalo">Zalo</span>' in zalo and "data-window" in zalo
    only = an.text(f"{PAGE}?way=sms")
    assert f'data-thread="{asked}"' in only and f'data-thread="{ids["binh"]}"' not in only
    assert f'data-thread="{asked}"' not in an.text(f"{PAGE}?way=zalo")
    assert f"{PAGE}/{asked}?state=waiting&way=sms" in only.replace("&amp;", "&")
    assert f'data-thread="{asked}"' in an.text(f"{PAGE}?way=pigeon")


def test_a_known_phone_has_the_name_that_it_was_registered_with(visit, asked, sqlite):
    registration(sqlite, "Nguyễn Thị An")
    page = visit("an").text(f"{PAGE}/{asked}")
    assert '<b id="talk-name">Nguyễn Thị An</b>' in page and "090***456" in page and "0905123456" not in page


def test_texts_are_found_by_words_name_phone_and_last_digits(visit, phones, asked, sqlite):
    registration(sqlite, "Nguyễn Thị An")
    phones.text("Khuyến mãi", "VIETTEL")
    promotion = phones.conversation("VIETTEL").id
    an = visit("an")

    def found(words):
        page = an.post(f"{PAGE}/search", {"q": words}, PAGE).text
        return [int(one) for one in re.findall(r'data-thread="(\d+)"', page)]

    assert found("tam tru") == found("nguyen thi an") == found("0905 123 456") == found("456") == [asked]
    assert found("viettel") == found("khuyen mai") == [promotion]
    assert found("+8490") == found("90512345") == found("123") == []


def test_a_complaint_by_text_is_for_officers_only(visit, phones, sqlite):
    phones.text("Tôi tố cáo cán bộ nhận hối lộ")
    talk = phones.conversation().id
    an = visit("an")
    assert an.get(f"{PAGE}/{talk}").status_code == 404 and f'data-thread="{talk}"' not in an.text(PAGE)
    assert "data-thread" not in an.post(f"{PAGE}/search", {"q": "0905123456"}, PAGE).text
    assert visit("binh").get(f"{PAGE}/{talk}").status_code == 200


@pytest.mark.parametrize("state", ["", *inbox.STATES])
def test_the_list_is_ordered_on_both_databases(engine, config, eight, state):
    phones = Phones(engine, config, [eight])
    phones.text("Cho hỏi")
    phones.text("Cho hỏi", "VIETTEL")
    letters.three(engine, eight)
    with database.reading(engine) as session:
        for way in ("", *inbox.WAYS):
            inbox.threads(session, inbox.Wanted(state, way=way), OFFICER, config, eight)
        waiting = inbox.threads(session, inbox.Wanted(), OFFICER, config, eight).rows
        for words in ("viettel", "0905123456", "456", "hỏi"):
            assert inbox.find(session, words, OFFICER, config, eight)
    # Bình's window ends in an hour; who texted just now is waited for as long as a free answer would be
    assert [one.name or one.phone for one in waiting[:2]] == ["Trần Bình", "Nguyễn Thị An"]
    assert {one.by_text for one in waiting[2:4]} == {True}


# Answering


@pytest.mark.parametrize("text", ["👍", "\u200b", "\u202e 🙏"])
def test_nothing_is_sent_where_plain_letters_leave_nothing(visit, phones, asked, text):
    assert answer(visit("an"), asked, text).status_code == 422 and phones.answers() == []
    assert answer(visit("an"), asked, "👍", accented="1").status_code == 303
    assert [one.text for one in phones.answers()] == ["👍"]


def test_an_answer_goes_by_the_lane_that_heard_the_question_in_plain_letters(visit, phones, asked):
    registration(phones.engine, "Nguyễn Thị An", language="en")
    assert answer(visit("an"), asked, "Mời ông/bà mang “thẻ căn cước”…").status_code == 303
    (said,) = phones.answers()
    notice = phones.notice(said)
    assert said.text == 'Moi ong/ba mang "the can cuoc"...' and said.by == "an"
    assert (notice.kind, notice.phone, notice.ladder, notice.zalo_user_id) == ("chat", AN, "modem", None)
    assert (notice.data, notice.urgent, notice.language) == ({"text": said.text}, True, "en")
    talk = phones.conversation()
    assert (talk.state, talk.assigned_to, talk.unread) == ("answered", "an", 0)


def test_accents_are_kept_where_staff_say_so(visit, phones, asked):
    answer(visit("an"), asked, "Mời ông/bà", accented="1")
    (said,) = phones.answers()
    assert said.text == "Mời ông/bà" and phones.notice(said).data == {"text": "Mời ông/bà", "accented": True}


@pytest.mark.parametrize(("text", "more", "taken"), [
    ("a" * 459, {}, True), ("a" * 460, {}, False), ("ế" * 459, {}, True), ("ế" * 201, {"accented": "1"}, True),
    ("ế" * 202, {"accented": "1"}, False), ("  ", {}, False),
])  # fmt: skip
def test_an_answer_has_three_parts_at_most(visit, phones, asked, text, more, taken):
    assert answer(visit("an"), asked, text, **more).status_code == (303 if taken else 422)
    assert len(phones.answers()) == taken


def test_a_text_message_carries_no_pictures(visit, phones, asked):
    picture = (io.BytesIO(letters.PNG), "a.png")
    assert answer(visit("an"), asked, "Xem ảnh", file=picture).status_code == 422
    assert phones.answers() == []


def test_the_answer_box_of_a_text_counts_and_has_neither_file_nor_quote(visit, asked):
    page = visit("an").text(f"{PAGE}/{asked}")
    assert 'data-sms-count="/admin/sms/count"' in page and 'data-sms-lane="modem"' in page
    assert "sms_count.js" in page and 'name="accented"' in page and "Tối đa 3 phần" in page
    assert 'type="file"' not in page and "data-quote" not in page and "Quan tâm trang" not in page
    assert "data-canned" in page and browsing.inline(page) == []


def test_whoever_answers_may_count(visit, asked):
    an = visit("an")
    token = re.search(r'csrf-token" content="([^"]+)"', an.get(f"{PAGE}/{asked}").text)[1]
    told = an.client.post("/admin/sms/count", json={"text": "Mời ông/bà"}, headers={"X-CSRFToken": token})
    assert told.status_code == 200 and told.json["parts"] == 1 and told.json["alphabet"] == "GSM7"


@pytest.mark.parametrize("sender", ["VIETTEL", "9029", "+8613812345678"])
def test_a_name_cannot_be_answered_and_the_page_says_why(visit, phones, sender):
    phones.text("Ưu đãi lớn", sender)
    talk, an = phones.conversation(sender).id, visit("an")
    page = an.text(f"{PAGE}/{talk}")
    assert (
        "Không trả lời được người gửi này" in page and 'id="note-only"' in page and 'id="answer"' not in page
    )
    assert answer(an, talk, "Chào").status_code == 409 and phones.rows(tables.Notice) == []
    assert an.post(f"{PAGE}/{talk}/note", {"text": "Quảng cáo"}, f"{PAGE}/{talk}").status_code == 303


def test_where_the_lane_is_gone_another_answers_and_else_the_page_says_so(engine, config, eight):
    phones = Phones(engine, config, [eight])
    phones.text("Cho hỏi", lane="viettel2")
    talk = phones.conversation()
    assert saying.lane(talk, config) == "modem"
    one_way = config.model_copy(update={"sms": config.sms.model_copy(update={"providers": ("esms",)})})
    assert saying.lane(talk, one_way) is None
    with database.writing(engine) as session:
        refused = inbox.answer(session, talk.id, OFFICER, "Chào", one_way, eight)
    assert refused is inbox.Refusal.ONE_WAY


def test_the_same_press_is_one_answer(visit, phones, asked):
    an = visit("an")
    for _ in range(2):
        assert answer(an, asked, "Chào ông/bà", key="k1").status_code == 303
    assert len(phones.answers()) == 1


# What became of it


@pytest.mark.parametrize(
    ("state", "shown"),
    [("created", "đang gửi"), ("sent", "đã gửi"), ("delivered", "đã nhận"), ("failed", "không gửi được")],
)
def test_the_state_of_an_answer_is_the_state_of_its_notice(visit, phones, asked, sqlite, state, shown):
    an = visit("an")
    answer(an, asked, "Chào ông/bà")
    with database.writing(sqlite) as session:
        session.get_one(tables.Notice, phones.answers()[0].notice_id).state = state
    assert shown in an.text(f"{PAGE}/{asked}")


def test_what_did_not_arrive_is_sent_again_by_text(visit, phones, asked, sqlite, now):
    an = visit("an")
    answer(an, asked, "Chào ông/bà", accented="1")
    (said,) = phones.answers()
    with database.writing(sqlite) as session:
        session.get_one(tables.Notice, said.notice_id).state = "failed"
        assert inbox.look(session, now[0]) == 1
    assert phones.conversation().state == "waiting"
    assert an.post(f"{PAGE}/{asked}/again/{said.id}", {}, f"{PAGE}/{asked}").status_code == 303
    again = phones.notice(phones.answers()[0])
    assert (again.repeats, again.phone, again.ladder) == (said.notice_id, AN, "modem")
    assert (
        again.data == {"text": "Chào ông/bà", "accented": True} and phones.conversation().state == "answered"
    )


# Who it is


def test_the_panel_shows_what_was_registered_with_this_phone_and_that_they_want_no_texts(
    visit, phones, asked, sqlite
):
    with database.writing(sqlite) as session:
        shift = session.scalars(select(tables.Shift)).first()
        service = session.scalars(select(tables.Service.id)).first()
        common = {"site_id": shift.site_id, "day": shift.day, "service_id": service, "created_at": 0}
        session.add(
            tables.Ticket(
                token="mine",
                series="A",
                n=7,
                number="A007",
                source="walk_in",
                phone=AN,
                state="waiting",
                **common,
            )
        )
        session.add(
            tables.Ticket(
                token="other",
                series="A",
                n=8,
                number="A008",
                source="walk_in",
                phone=BINH,
                state="waiting",
                **common,
            )
        )
    phones.text("STOP")
    page = visit("an").text(f"{PAGE}/{asked}")
    assert "A007" in page and "A008" not in page and "Không nhận tin (đã nhắn STOP)" in page
    assert answer(visit("an"), asked, "Chào ông/bà").status_code == 303
    phones.text("START")
    assert "Không nhận tin" not in visit("an").text(f"{PAGE}/{asked}")


def test_an_officer_sees_the_whole_phone_and_it_is_written_down(visit, phones, asked, sqlite):
    assert visit("an").post(f"{PAGE}/{asked}/phone", {}, f"{PAGE}/{asked}").status_code == 403
    assert "0905 123 456" in visit("binh").post(f"{PAGE}/{asked}/phone", {}, f"{PAGE}/{asked}").text
    assert [one.action for one in phones.rows(tables.Audit)][-1] == "inbox.phone"


def test_a_sender_s_name_is_no_phone(visit, phones):
    phones.text("Ưu đãi", "VIETTEL")
    talk = phones.conversation("VIETTEL").id
    assert visit("binh").post(f"{PAGE}/{talk}/phone", {}, f"{PAGE}/{talk}").status_code == 404


def test_the_earlier_conversations_of_a_phone_are_its_own(visit, phones, asked, sqlite, now):
    with database.writing(sqlite) as session:
        assert inbox.close(session, asked, OFFICER, now[0]) is None
    phones.text("Cho hỏi tiếp")
    phones.text("Việc khác", BINH)
    page = visit("an").text(f"{PAGE}/{phones.conversation().id}")
    assert f'href="{PAGE}/{asked}' in page
    assert (
        f"{PAGE}/{asked}" not in visit("an").text(f"{PAGE}/{phones.conversation(BINH).id}").split("<aside")[1]
    )


def test_the_pages_speak_english_too(visit, asked):
    assert visit("an").get(f"{PAGE}/{asked}?lang=en").status_code == 200


# Not longer than needed


def test_texts_and_their_phones_are_erased_in_time_and_an_open_conversation_ends(engine, config, eight):
    phones = Phones(engine, config, [eight])
    phones.text("Chuyện riêng của An")
    phones.text("STOP", BINH)
    late = eight + (config.retention.days + 2) * DAY
    with database.writing(engine) as session:
        erased = retention.purge(session, config, late)
        assert (erased.messages, erased.talks) == (3, 2)
        assert not any(vars(retention.purge(session, config, late)).values())
    assert [(one.phone, one.state) for one in phones.rows(tables.Conversation)] == [(None, "closed")] * 2
    assert {one.text for one in phones.rows(tables.ChatMessage)} == {""}
    with database.reading(engine) as session:
        assert texts.stopped(session, BINH, late)  # that nobody texts them is still known
        rows = inbox.threads(session, inbox.Wanted("closed"), OFFICER, config, late).rows
        assert [(one.by_text, one.name, one.phone) for one in rows] == [(True, "", "")] * 2
        talk = session.scalars(select(tables.Conversation)).first()
        assert inbox.person(session, talk, OFFICER, late).earlier == []
    phones.now[0] = late
    phones.text("Lại hỏi")
    assert phones.conversation().state == "waiting"


def test_the_phones_of_parts_are_erased_when_their_reports_can_no_longer_come(engine, config, eight):
    phones = Phones(engine, config, [eight])
    phones.text("help")
    notice = phones.answers()[0].notice_id
    common = {
        "channel": "modem",
        "total": 1,
        "joint": 1,
        "ref": "1",
        "phone": AN,
        "attempt_id": "a",
        "at": eight,
    }
    make(engine, tables.SmsPart(notice_id=notice, part=1, **common))
    with database.writing(engine) as session:
        retention.purge(session, config, eight + 8 * DAY)
    assert [one.phone for one in phones.rows(tables.SmsPart)] == [""]


def test_who_withdraws_on_zalo_and_wants_no_texts_still_gets_none(engine, config, eight):
    phones = Phones(engine, config, [eight])
    phones.text("STOP")
    with database.writing(engine) as session:
        letters.person(session, "u-an", "An", eight, AN)
        notices.suppress(session, "esms", AN, eight + DAY, "D", "", "provider", eight)
        assert followers.erase(session, "u-an", config, eight)
    assert [one.channel for one in phones.rows(tables.Suppression)] == ["sms"] and phones.is_stopped()
