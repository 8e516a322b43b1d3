"""What staff do in conversations: complaints are officers' alone, an answer is one notice, nothing is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from gateway import database, inbox, tables
from gateway.worker.timetable import Timetable
from tests.gateway import letters

HOUR, DAY = letters.HOUR, letters.DAY
STAFF, OFFICER = inbox.Reader("an", False), inbox.Reader("binh", True)


@pytest.fixture
def now(eight):
    return eight


@pytest.fixture
def ids(engine, now):
    with database.writing(engine) as session:
        for name, role in (("an", "staff"), ("binh", "officer"), ("chi", "admin"), ("dung", "staff")):
            session.add(tables.Staff(name=name, role=role, password_hash="", created_at=now))
    return letters.three(engine, now)


@pytest.fixture
def work(engine):
    """work(act, …): an act in a transaction of its own."""

    def do(act, *given, **more):
        with database.writing(engine) as session:
            return act(session, *given, **more)

    return do


@pytest.fixture
def row(engine):
    def look(table, key):
        with database.reading(engine) as session:
            return session.get(table, key)

    return look


def talk_of(row, talk_id):
    return row(tables.Conversation, talk_id)


def audited(engine):
    with database.reading(engine) as session:
        rows = session.scalars(select(tables.Audit).order_by(tables.Audit.id))
        return [(one.actor, one.action, one.subject, one.data) for one in rows]


# Who sees what


def test_a_complaint_is_not_there_for_staff(work, ids, config, now):
    wanted = inbox.Wanted("")
    seen = [one.id for one in work(inbox.threads, wanted, STAFF, config, now).rows]
    assert sorted(seen) == sorted([ids["binh"], ids["chi"]])
    assert len(work(inbox.threads, wanted, OFFICER, config, now).rows) == 3
    assert work(inbox.conversation, ids["an"], STAFF) is None
    assert work(inbox.counts, STAFF)["waiting"] == 2 and work(inbox.counts, OFFICER)["waiting"] == 3
    assert work(inbox.counts, STAFF)["unread"] == 2
    assert work(inbox.find, "tố cáo", STAFF, config, now) == []
    assert work(inbox.find, "Nguyễn Thị An", STAFF, config, now) == []
    assert work(inbox.find, "0905123456", STAFF, config, now) == []


def test_staff_can_do_nothing_to_what_they_may_not_see(work, ids, config, now, engine):
    an = ids["an"]
    done = [
        work(inbox.answer, an, STAFF, "Chào", config, now),
        work(inbox.note, an, STAFF, "Chào", now),
        work(inbox.assign, an, STAFF, "an", now),
        work(inbox.set_topic, an, STAFF, "other", now),
        work(inbox.mark_sensitive, an, STAFF, False, now),
        work(inbox.close, an, STAFF, now),
        work(inbox.say_again, an, 1, STAFF, config, now),
    ]
    assert done == [inbox.Refusal.UNKNOWN] * 7
    assert not work(inbox.mark_read, an, STAFF, now) and work(inbox.show_phone, an, STAFF, now) is None
    assert audited(engine) == []


def test_who_marks_a_complaint_hides_it_at_once_and_it_leaves_the_hands_of_staff(work, ids, row, now):
    work(inbox.assign, ids["chi"], STAFF, "an", now)
    assert work(inbox.set_topic, ids["chi"], STAFF, "complaint", now) is None
    talk = talk_of(row, ids["chi"])
    assert talk.sensitive and talk.assigned_to == ""
    assert work(inbox.conversation, ids["chi"], STAFF) is None


def test_only_an_officer_takes_the_mark_away_and_never_from_a_complaint(work, ids, row, now):
    assert work(inbox.mark_sensitive, ids["chi"], STAFF, True, now) is None
    assert work(inbox.mark_sensitive, ids["chi"], STAFF, False, now) is inbox.Refusal.UNKNOWN
    assert work(inbox.mark_sensitive, ids["an"], OFFICER, False, now) is inbox.Refusal.FORBIDDEN
    assert work(inbox.set_topic, ids["an"], OFFICER, "other", now) is None
    assert talk_of(row, ids["an"]).sensitive
    assert work(inbox.mark_sensitive, ids["an"], OFFICER, False, now) is None
    assert not talk_of(row, ids["an"]).sensitive


def test_a_complaint_is_given_to_officers_only(work, ids, now):
    assert work(inbox.assign, ids["an"], OFFICER, "dung", now) is inbox.Refusal.FORBIDDEN
    assert work(inbox.assign, ids["an"], OFFICER, "chi", now) is None
    assert work(inbox.assign, ids["binh"], STAFF, "dung", now) is None
    assert work(inbox.assign, ids["binh"], STAFF, "nobody", now) is inbox.Refusal.FORBIDDEN


def test_a_persons_earlier_complaint_does_not_show_beside_their_next_conversation(work, ids, now, engine):
    work(inbox.close, ids["an"], OFFICER, now)
    with database.writing(engine) as session:
        fresh = letters.talk(session, "u-an", now, ["Cho hỏi giờ làm việc"])
        talk = session.get_one(tables.Conversation, fresh)
        assert inbox.person(session, talk, STAFF, now).earlier == []
        assert [one.id for one in inbox.person(session, talk, OFFICER, now).earlier] == [ids["an"]]


# The list


def test_who_waits_comes_first_whose_window_ends_first_and_the_shut_ones_last(work, ids, config, now, engine):
    with database.writing(engine) as session:
        letters.person(session, "u-old", "Old", now - 8 * DAY)
        old = letters.talk(session, "u-old", now - 8 * DAY)
        letters.person(session, "u-silent", "Silent", 0)
        silent = letters.talk(session, "u-silent", now - 9 * DAY)
    order = [one.id for one in work(inbox.threads, inbox.Wanted(), OFFICER, config, now).rows]
    assert order == [ids["binh"], ids["an"], ids["chi"], old, silent]
    states = {
        one.id: one.window.state for one in work(inbox.threads, inbox.Wanted(), OFFICER, config, now).rows
    }
    assert states == {
        ids["binh"]: "free", ids["an"]: "free", ids["chi"]: "paid", old: "shut", silent: "shut",
    }  # fmt: skip


def test_the_list_has_filters_and_pages(work, engine, config, now):
    letters.many(engine, now, talks=200, words=1)
    first = work(inbox.threads, inbox.Wanted("waiting"), OFFICER, config, now)
    second = work(inbox.threads, inbox.Wanted("waiting", page=2), OFFICER, config, now)
    assert (len(first.rows), first.more, len(second.rows), second.more) == (40, True, 10, False)
    assert {one.id for one in first.rows}.isdisjoint(one.id for one in second.rows)
    only = work(inbox.threads, inbox.Wanted("closed", "residence"), OFFICER, config, now)
    assert {(one.state, one.topic) for one in only.rows} == {("closed", "residence")}


def test_mine_are_those_that_i_was_given_and_that_are_open(work, ids, config, now):
    for name in ("binh", "chi"):
        work(inbox.assign, ids[name], OFFICER, "an", now)
    work(inbox.close, ids["chi"], OFFICER, now)
    mine = work(inbox.threads, inbox.Wanted("mine"), STAFF, config, now).rows
    assert [one.id for one in mine] == [ids["binh"]]
    assert work(inbox.counts, STAFF)["mine"] == 1


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("so cua toi", {"binh"}),
        ("SỐ CỦA TÔI", {"binh"}),
        ("thuong tru", {"chi"}),
        ("tru thuong", {"chi"}),
        ("lê chi", {"chi"}),
        ("0905 222 333", {"chi"}),
        ("333", {"chi"}),
        ("0905", set()),
        ("222", set()),
        ("to cao", {"an"}),
        ("100%", set()),
        ("_", set()),
        ("   ", set()),
    ],
)
def test_accents_and_order_do_not_matter_when_searching(work, ids, config, now, asked, found):
    names = {talk_id: name for name, talk_id in ids.items()}
    rows = work(inbox.find, asked, OFFICER, config, now)
    assert {names[one.id] for one in rows} == found


# Answering


def notices(engine):
    with database.reading(engine) as session:
        return list(
            session.scalars(select(tables.Notice).order_by(tables.Notice.created_at, tables.Notice.id))
        )


def test_an_answer_is_one_urgent_notice_by_chat_and_the_conversation_is_answered(
    work, ids, row, config, now, engine
):
    said = work(inbox.answer, ids["binh"], STAFF, "  Số của ông là 042.\r\n ", config, now)
    assert [one.text for one in said] == ["Số của ông là 042."]
    planned = notices(engine)
    assert [(one.kind, one.zalo_user_id, one.ladder, one.urgent, one.phone) for one in planned] == [
        ("chat", "u-binh", "zalo_cs", True, "")
    ]
    talk = talk_of(row, ids["binh"])
    assert (talk.state, talk.unread, talk.assigned_to, talk.answered_at) == ("answered", 0, "an", now)


def test_who_answers_in_another_s_place_does_not_take_it_away(work, ids, row, config, now):
    work(inbox.assign, ids["binh"], STAFF, "an", now)
    work(inbox.answer, ids["binh"], OFFICER, "Chào ông", config, now)
    assert talk_of(row, ids["binh"]).assigned_to == "an"


@pytest.mark.parametrize(
    ("text", "refused"), [("", "EMPTY"), (" \n\t", "EMPTY"), ("á" * 2_001, "LONG"), ("a\u0301" * 2_000, None)]
)
def test_a_text_has_1_to_2000_characters_as_they_are_sent(work, ids, config, now, text, refused, engine):
    made = work(inbox.answer, ids["binh"], STAFF, text, config, now)
    if refused:
        assert made is inbox.Refusal[refused] and notices(engine) == []
    else:
        assert len(made[0].text) == 2_000


def test_after_seven_days_nothing_is_sent(work, ids, config, now, engine):
    last = now - 3 * DAY + 7 * DAY
    assert not isinstance(work(inbox.answer, ids["chi"], OFFICER, "Kịp", config, last - 1), inbox.Refusal)
    assert work(inbox.answer, ids["chi"], OFFICER, "Muộn", config, last) is inbox.Refusal.SHUT
    assert [one.data["text"] for one in notices(engine)] == ["Kịp"]


def test_a_closed_conversation_takes_no_answer_but_a_note(work, ids, row, config, now, engine):
    work(inbox.close, ids["binh"], STAFF, now)
    talk = talk_of(row, ids["binh"])
    assert (talk.state, talk.closed_at, talk.closed_by, talk.unread) == ("closed", now, "an", 0)
    assert work(inbox.answer, ids["binh"], STAFF, "Chào", config, now) is inbox.Refusal.CLOSED
    assert work(inbox.note, ids["binh"], STAFF, "Đã gọi điện", now).way == "note"
    assert notices(engine) == []


def test_the_citizens_message_is_quoted_and_nobody_else_s(work, ids, config, now, engine):
    own, other = (work(inbox.messages, ids[name])[0][0] for name in ("binh", "chi"))
    work(inbox.answer, ids["binh"], STAFF, "Trả lời", config, now, quote=own.id)
    work(inbox.answer, ids["binh"], STAFF, "Trả lời khác", config, now + 1, quote=other.id)
    assert [one.data.get("quote") for one in notices(engine)] == [f"z{ids['binh']}-0", None]
    shown = work(inbox.messages, ids["binh"])[0]
    assert [one.quoted for one in shown] == ["", "Số của tôi là bao nhiêu?", ""]


def test_a_picture_goes_with_its_words_and_a_file_after_them(work, ids, config, now, engine):
    picture, file = {"kind": "image", "id": "P"}, {"kind": "file", "token": "F"}
    given = {"name": "a.png"}
    assert len(work(inbox.answer, ids["binh"], STAFF, "Ảnh", config, now, attachment=picture, **given)) == 1
    assert len(work(inbox.answer, ids["chi"], STAFF, "Tệp", config, now, attachment=file, **given)) == 2
    assert len(work(inbox.answer, ids["chi"], STAFF, "", config, now, attachment=file, **given)) == 1
    sent = sorted(
        (one.zalo_user_id, one.data["text"], (one.data.get("attachment") or {}).get("kind"))
        for one in notices(engine)
    )
    assert sent == [
        ("u-binh", "Ảnh", "image"), ("u-chi", "", "file"), ("u-chi", "", "file"), ("u-chi", "Tệp", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "reason", "seen", "shown"),
    [
        ("created", "", None, ("sending", "", False)),
        ("created", "held: hết hạn mức / no quota", None, ("held", "hết hạn mức / no quota", False)),
        ("sending", "", None, ("sending", "", False)),
        ("sent", "", None, ("sent", "", False)),
        ("unknown", "", None, ("sent", "", False)),
        ("delivered", "", None, ("arrived", "", False)),
        ("delivered", "", 5, ("seen", "", False)),
        ("failed", "đã chặn / blocked", None, ("failed", "đã chặn / blocked", True)),
        ("expired", "deadline", None, ("failed", "deadline", True)),
        ("cancelled", "", None, ("failed", "", True)),
    ],
)
def test_what_we_said_shows_where_it_stands(work, ids, config, now, engine, state, reason, seen, shown):
    made = work(inbox.answer, ids["binh"], STAFF, "Chào", config, now)[0]
    with database.writing(engine) as session:
        notice = session.get_one(tables.Notice, made.notice_id)
        notice.state, notice.reason = state, reason
        session.get_one(tables.ChatMessage, made.id).seen_at = seen
    said = work(inbox.messages, ids["binh"])[0][-1]
    assert (said.state, said.reason, said.again) == shown


def test_what_failed_is_sent_again_once(work, ids, config, now, engine):
    made = work(inbox.answer, ids["binh"], STAFF, "Chào", config, now)[0]
    assert work(inbox.say_again, ids["binh"], made.id, STAFF, config, now) is None
    with database.writing(engine) as session:
        session.get_one(tables.Notice, made.notice_id).state = "failed"
    again = work(inbox.say_again, ids["binh"], made.id, STAFF, config, now + 1)
    assert again.id == made.id and again.notice_id != made.notice_id
    assert work(inbox.say_again, ids["binh"], made.id, STAFF, config, now + 1) is None
    old, fresh = sorted(notices(engine), key=lambda one: one.created_at)
    assert (old.handled, fresh.repeats, fresh.data) == ("repeated", old.id, old.data)
    assert work(inbox.say_again, ids["chi"], made.id, STAFF, config, now) is inbox.Refusal.UNKNOWN


@pytest.mark.parametrize("state", ["failed", "expired"])
def test_who_was_not_reached_by_an_answer_waits_again(work, ids, config, now, engine, row, state):
    made = work(inbox.answer, ids["binh"], STAFF, "Chào", config, now)[0]
    other = work(inbox.answer, ids["chi"], STAFF, "Chào", config, now)[0]
    assert work(inbox.look, now + 1) == 0 and talk_of(row, ids["binh"]).state == "answered"
    with database.writing(engine) as session:
        session.get_one(tables.Notice, made.notice_id).state = state
        session.get_one(tables.Notice, other.notice_id).state = "delivered"
    Timetable(engine, config).look(now + 2)
    talk = talk_of(row, ids["binh"])
    assert (talk.state, talk.changed_at, talk.assigned_to) == ("waiting", now + 2, "an")
    work(inbox.say_again, ids["binh"], made.id, STAFF, config, now + 3)
    assert talk_of(row, ids["binh"]).state == "answered" and work(inbox.look, now + 4) == 0
    with database.writing(engine) as session:
        fresh = session.get_one(tables.ChatMessage, made.id).notice_id
        session.get_one(tables.Notice, fresh).state = state
    assert work(inbox.look, now + 5) == 1
    work(inbox.answer, ids["binh"], STAFF, "Gọi cho tôi", config, now + 6)
    assert work(inbox.look, now + 7) == 0 and talk_of(row, ids["binh"]).state == "answered"


def test_what_was_closed_stays_closed_whatever_becomes_of_its_answer(work, ids, config, now, engine, row):
    made = work(inbox.answer, ids["binh"], STAFF, "Chào", config, now)[0]
    work(inbox.close, ids["binh"], STAFF, now)
    with database.writing(engine) as session:
        session.get_one(tables.Notice, made.notice_id).state = "failed"
    assert work(inbox.look, now + 1) == 0 and talk_of(row, ids["binh"]).state == "closed"


def test_messages_come_fifty_at_a_time_in_the_order_in_which_they_were_said(work, ids, engine, now):
    with database.writing(engine) as session:
        talk = session.get_one(tables.Conversation, ids["binh"])
        for n in range(119):
            letters.word(session, talk, str(n), now + n)
        letters.word(session, talk, "came late", now + 100)
    last, more = work(inbox.messages, ids["binh"])
    assert (len(last), more) == (50, True) and [one.at for one in last] == sorted(one.at for one in last)
    before = min(one.id for one in last)
    older, _ = work(inbox.messages, ids["binh"], before)
    oldest, none = work(inbox.messages, ids["binh"], min(one.id for one in older))
    assert (len(older), len(oldest), none) == (50, 21, False)


# What is written down


def test_who_did_what_is_written_down_without_the_words(work, ids, config, now, engine):
    binh = ids["binh"]
    work(inbox.assign, binh, STAFF, "an", now)
    work(inbox.mark_read, binh, STAFF, now)
    work(inbox.note, binh, STAFF, "bí mật", now)
    work(inbox.answer, binh, STAFF, "bí mật", config, now)
    work(inbox.set_topic, binh, STAFF, "identity", now)
    work(inbox.mark_sensitive, binh, OFFICER, True, now)
    work(inbox.show_phone, ids["an"], OFFICER, now)
    work(inbox.close, binh, OFFICER, now)
    work(inbox.close, binh, OFFICER, now)
    told = audited(engine)
    assert [(who, what) for who, what, _, _ in told] == [
        ("an", "inbox.assign"), ("an", "inbox.read"), ("an", "inbox.note"), ("an", "inbox.answer"),
        ("an", "inbox.topic"), ("binh", "inbox.sensitive"), ("binh", "inbox.phone"), ("binh", "inbox.close"),
    ]  # fmt: skip
    assert "bí mật" not in str(told) and "0905" not in str(told)


def test_unread_is_over_when_its_own_reader_looks_and_not_when_others_do(work, ids, row, now):
    assert not work(inbox.mark_read, ids["binh"], STAFF, now)
    work(inbox.assign, ids["binh"], OFFICER, "an", now)
    assert not work(inbox.mark_read, ids["binh"], OFFICER, now)
    assert work(inbox.mark_read, ids["binh"], STAFF, now) and talk_of(row, ids["binh"]).unread == 0
    assert talk_of(row, ids["binh"]).state == "waiting"


def test_a_note_is_for_colleagues_and_nothing_is_sent(work, ids, row, config, now, engine):
    work(inbox.note, ids["binh"], STAFF, "Gọi lại chiều nay", now)
    assert notices(engine) == [] and talk_of(row, ids["binh"]).state == "waiting"
    rows = work(inbox.threads, inbox.Wanted(), STAFF, config, now).rows
    assert "Gọi lại" not in str(rows)


# Canned answers


def test_canned_answers_of_the_topic_come_first(work, engine, now):
    work(inbox.defaults, now)
    titles = [(one.topic, one.title) for one in work(inbox.canned, "residence")]
    assert titles[0][0] == "residence" and titles[1][0] == "" and len(titles) == 7


@pytest.mark.parametrize(
    ("topic", "title", "text", "refused"),
    [
        ("", "", "Chào", "EMPTY"),
        ("", "Chào", " ", "EMPTY"),
        ("nonsense", "Chào", "Chào", "EMPTY"),
        ("", "x" * 81, "Chào", "LONG"),
        ("", "Chào", "x" * 2_001, "LONG"),
    ],
)
def test_a_canned_answer_has_a_title_and_a_text_that_fit(work, engine, now, topic, title, text, refused):
    assert work(inbox.change_canned, None, topic, title, text, "binh", now) is inbox.Refusal[refused]
    with database.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(tables.CannedAnswer)) == 0


def test_canned_answers_are_added_changed_and_removed(work, now):
    made = work(inbox.change_canned, None, "", " Chào  hỏi ", "Xin chào\r\n", "binh", now)
    assert (made.title, made.text, made.changed_by) == ("Chào hỏi", "Xin chào", "binh")
    assert work(inbox.change_canned, made.id, "other", "Chào", "Chào", "chi", now).topic == "other"
    assert work(inbox.change_canned, 999, "", "Chào", "Chào", "chi", now) is inbox.Refusal.UNKNOWN
    assert work(inbox.remove_canned, made.id, "binh", now)
    assert not work(inbox.remove_canned, made.id, "binh", now)


# Attachments


@pytest.mark.parametrize(
    ("name", "octets", "kind"),
    [
        ("a.png", letters.PNG, "image"),
        ("a.jpg", b"\xff\xd8\xff\xe0" + b"0" * 9, "image"),
        ("a.pdf", b"%PDF-1.7", "file"),
        ("../../etc/a.pdf", b"%PDF-1.7", "file"),
        ("a.png", b"GIF89a", None),
        ("a.pdf", b"<script>", None),
        ("a.png", letters.PNG + b"0" * 1024 * 1024, None),
        ("a.pdf", b"%PDF-" + b"0" * 5 * 1024 * 1024, None),
        ("a.png", b"", None),
    ],
)
def test_a_file_is_judged_by_what_is_in_it(name, octets, kind):
    if kind is None:
        with pytest.raises(inbox.NotTaken):
            inbox.document(name, octets)
    else:
        found = inbox.document(name, octets)
        assert found.kind == kind and "/" not in found.name
