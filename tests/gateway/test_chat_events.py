"""What Zalo tells is worked off once, in any order, and one event that cannot be read holds nobody up."""

from __future__ import annotations

import json
import sqlite3
import threading
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from gateway import chat, database, example, notices, tables
from gateway.chat import events, taking
from tests.gateway.chatting import AN, CHI, Page, words
from tests.gateway.test_chat import numbered, registered

TEMPLATE = {"appointment": {"id": "312345", "params": {"so": "{number}"}}}


@pytest.fixture
def page(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
    return Page(engine, config, [eight])


def test_the_same_message_twice_is_answered_once(page):
    assert len(page.send("text", msg_id="m-1", text="#so")) == 1
    assert page.send("text", msg_id="m-1", text="#so") == []
    assert page.outcomes() == ["answered", "again"]
    assert len(page.all(select(tables.ChatMessage).filter_by(way="in"))) == 1


def test_events_are_worked_off_in_the_order_in_which_they_happened(page):
    said = {"sender": {"id": AN}, "recipient": {"id": "99"}}
    page.store("user_send_text", page.now[0] - 10, **said, message={"msg_id": "b", "text": "hai"})
    page.store("user_send_text", page.now[0] - 20, **said, message={"msg_id": "a", "text": "một"})
    page.work()
    heard = page.all(select(tables.ChatMessage).filter_by(way="in").order_by(tables.ChatMessage.id))
    assert [one.text for one in heard] == ["một", "hai"]
    assert (page.user().seen_at, page.conversation().asked_at) == (page.now[0] - 10, page.now[0] - 10)


def test_an_older_unfollow_that_comes_late_changes_nothing(page):
    page.follow()
    page.store("unfollow", page.now[0] - 60, follower={"id": AN})
    page.work()
    assert page.user().following
    page.store("unfollow", page.now[0], follower={"id": AN})
    page.work()
    assert not page.user().following


def test_following_again_lifts_what_spared_them(page):
    with database.writing(page.engine) as session:
        for channel, person in (("zalo", "+84905123456"), ("zalo_uid", AN), ("esms", "+84905123456")):
            notices.suppress(
                session, channel, person, page.now[0] + 9_999, "-139", "", "provider", page.now[0]
            )
    page.share("0905123456")
    page.text("dừng nhận tin")
    page.follow()
    assert [(one.channel) for one in page.rows(tables.Suppression)] == ["esms"]
    assert page.rows(tables.ZaloTag) == []


def test_one_event_that_cannot_be_worked_off_holds_nobody_up_and_is_given_up_in_the_end(page):
    sound = Page(page.engine, page.config, page.now, count(1_000))
    broken = {"event_name": "user_send_text", "sender": {"id": AN}, "message": {"msg_id": "x", "text": "#so"}}
    page.raw(json.dumps(broken), "user_send_text")

    def words_that_fail(_language, _text):
        raise RuntimeError("no words")

    for _ in range(taking.TRIES):
        with database.writing(page.engine) as session:
            assert chat.take_in(session, page.config, words_that_fail, page.now[0], 50) == 1
            assert chat.take_in(session, page.config, words_that_fail, page.now[0], 50) == 0
        page.now[0] += 3_600
    assert page.outcomes() == ["unread"] and page.rows(tables.ChatMessage) == []
    assert len(sound.text("#so", CHI)) == 1


def test_a_fault_that_passes_loses_nothing(page):
    page.store("user_send_text", sender={"id": AN}, message={"msg_id": "x", "text": "#so"})
    with database.writing(page.engine) as session:
        chat.take_in(session, page.config, lambda *_: 1 / 0, page.now[0], 50)
    page.now[0] += 5
    page.work()
    assert page.outcomes() == ["answered"] and len(page.said()) == 1


@pytest.mark.parametrize("body", ["", "nothing", "[]", "1", "null", '"follow"', "[" * 5_000])
def test_a_body_that_is_no_event_is_unread(page, body):
    page.raw(body)
    page.work()
    assert page.outcomes() == ["unread"]


@pytest.mark.parametrize(
    "event",
    [
        {"event_name": "widget_interaction_accepted", "user_id": AN},
        {"event_name": "follow"},
        {"event_name": "follow", "follower": {"id": "x" * 200}},
        {"event_name": "user_send_text", "sender": [], "message": "text"},
        {
            "event_name": "user_send_group_text",
            "sender": {"id": AN},
            "message": {"text": "#so", "msg_id": "g"},
        },
        {"event_name": 7},
        {},
    ],
)
def test_an_event_that_means_nothing_to_us_is_kept(page, event):
    page.raw(json.dumps(event))
    page.work()
    assert page.outcomes() == ["kept"] and page.rows(tables.ZaloUser) == []


def test_messages_of_every_kind_reach_a_person(page):
    kinds = (
        "image",
        "file",
        "audio",
        "video",
        "sticker",
        "location",
        "link",
        "business_card",
        "gif",
        "hologram",
    )
    for kind in kinds:
        page.send(kind)
    heard = page.all(select(tables.ChatMessage).filter_by(way="in").order_by(tables.ChatMessage.id))
    assert [one.kind for one in heard] == [
        "image", "file", "audio", "video", "sticker", "location", "link", "card", "image", "file"
    ]  # fmt: skip
    assert page.conversation().unread == len(kinds)


def test_an_event_from_the_future_counts_as_now(page):
    page.follow(at=page.now[0] + 10**6)
    assert page.user().seen_at == page.now[0]


# What the page said


def echoed(page, msg_id, admin=None, text="Chào ông/bà"):
    sender = {"id": "99", **({"admin_id": admin} if admin else {})}
    page.store("oa_send_text", sender=sender, recipient={"id": AN}, message={"msg_id": msg_id, "text": text})
    page.work()


def sent(page, answer, msg_id):
    """The worker has sent an answer; Zalo calls it `msg_id`."""
    about = {"notice_id": answer.notice_id, "channel": "zalo_cs", "state": "accepted"}
    with database.writing(page.engine) as session:
        session.add(tables.Attempt(id=f"a-{msg_id}", provider_ref=msg_id, at=page.now[0], **about))


def test_our_own_message_is_not_written_twice_and_learns_its_id(page):
    (answer,) = page.text("#so")
    sent(page, answer, "z-1")
    echoed(page, "z-1")
    echoed(page, "z-1")
    assert [one.msg_id for one in page.said()] == ["z-1"]
    assert page.outcomes()[-2:] == ["ours", "again"]


def test_an_echo_that_is_earlier_than_our_own_record_waits_for_it(page):
    (answer,) = page.text("#so")
    echoed(page, "z-1")
    assert page.outcomes()[-1] == ""
    sent(page, answer, "z-1")
    page.now[0] += 5
    page.work()
    assert page.outcomes()[-1] == "ours" and len(page.said()) == 1


def test_an_agent_s_answer_in_zalo_s_own_app_answers_the_conversation(page):
    page.text("Cho hỏi về hộ khẩu")
    echoed(page, "z-9", admin="7", text="Mời ông/bà đến phường")
    answer = page.said()[-1]
    assert (answer.by, answer.text, answer.notice_id) == ("Zalo", "Mời ông/bà đến phường", None)
    assert (page.conversation().state, page.conversation().unread) == ("answered", 0)


def test_an_automatic_message_of_zalo_s_own_is_kept_and_answers_nothing(page):
    page.text("Cho hỏi về hộ khẩu")
    echoed(page, "z-9", text="Cảm ơn đã quan tâm")
    page.now[0] += 61
    page.work()
    assert (page.said()[-1].by, page.conversation().state) == ("Zalo", "waiting")


# Details and tags


def test_tags_follow_what_zalo_tells(page):
    for shape in ({"tag": {"name": "vip"}}, {"tag_name": "khu 3"}, {"tag": "ưu tiên"}, {"tags": ["a"]}, {}):
        page.store("add_user_to_tag", user_id=AN, **shape)
    page.store("remove_user_from_tag", follower={"id": AN}, tag={"name": "vip"})
    page.work()
    assert [one.tag for one in page.rows(tables.ZaloTag)] == ["a", "khu 3", "ưu tiên"]


@pytest.mark.parametrize("number", [84905123456, "84905123456", "0905 123 456", "+84905123456"])
def test_a_shared_phone_is_kept_however_it_is_written(page, number):
    page.share(number)
    assert (page.user().phone, page.user().name) == ("+84905123456", "Nguyễn Thị An")


def test_the_newer_shape_of_a_shared_form_is_read_too(page):
    info = {
        "user_name": "An",
        "user_phone": "0905123456",
        "full_address": {"user_city": "ĐN"},
        "user_dob": "30/10/1999",
    }
    page.store("user_submit_info", sender={"id": AN}, info=info)
    page.work()
    assert page.user().phone == "+84905123456"
    assert "1999" not in str([one.text for one in page.rows(tables.ChatMessage)])


def test_an_older_phone_does_not_replace_a_newer(page):
    page.share("0905123456")
    page.store("user_submit_info", page.now[0] - 60, sender={"id": AN}, info={"phone": "0905999999"})
    page.work()
    assert page.user().phone == "+84905123456"


# Templates and limits


def changed_status(page, status, at=None):
    value = {"prev_status": "ENABLE", "new_status": status}
    page.store(
        "change_template_status", at, oa_id="99", template_id="312345", status=value, reason="nội dung"
    )
    page.work()


def test_a_template_that_we_use_and_that_is_shut_alerts_until_it_is_well(page):
    used = page.config.zalo.model_validate({**page.config.zalo.model_dump(), "templates": TEMPLATE})
    page.config = page.config.model_copy(update={"zalo": used})
    changed_status(page, "DISABLE")
    (alert,) = page.rows(tables.Alert)
    assert (alert.kind, alert.closed_at, alert.data["status"]) == ("template", None, "DISABLE")
    changed_status(page, "ENABLE", page.now[0] - 60)  # older, and late
    assert page.rows(tables.ZaloTemplate)[0].status == "DISABLE"
    page.now[0] += 60
    changed_status(page, "ENABLE")
    assert page.rows(tables.Alert)[0].closed_at == page.now[0]


def test_a_template_that_we_do_not_use_alerts_nobody(page):
    changed_status(page, "DISABLE")
    assert page.rows(tables.Alert) == [] and page.rows(tables.ZaloTemplate)[0].reason == "nội dung"


def test_quality_and_limits_are_kept(page):
    page.store(
        "change_template_quality",
        template_id="312345",
        quality={"prev_quality": "HIGH", "new_quality": "LOW"},
    )
    page.store("change_template_quota", template_id="312345", quota={"prev_value": 5, "new_value": 500})
    page.store("change_oa_daily_quota", oaId="99", quota={"prev_value": 1_000, "new_value": 2_000})
    page.work()
    row, quota = page.rows(tables.ZaloTemplate)[0], page.rows(tables.ZaloQuota)[0]
    assert (row.quality, row.daily_quota, quota.total, quota.remaining) == ("LOW", 500, 2_000, 2_000)


# Withdrawing


def test_who_withdraws_is_gone_with_everything_and_begins_anew(page):
    made = registered(page, ("Nguyễn Thị An", "Trần Văn Bình"))
    numbered(page, made)
    page.follow()
    page.share("0905123456")
    page.text("Tôi là An, số nhà 5")
    page.text("#dangky")
    page.store("add_user_to_tag", user_id=AN, tag_name="vip")
    page.text("Tôi là Chi", CHI)
    page.store("user_withdraw", user_id=AN)
    page.store("user_withdraw", user_id=AN)
    page.work()
    left = [one.id for one in page.rows(tables.ZaloUser)]
    registration = page.rows(tables.Registration)[0]
    assert left == [CHI] and page.rows(tables.ZaloTag) == [] and page.rows(tables.ZaloLink) == []
    assert (registration.contact_name, registration.phone, registration.zalo_user_id) == ("", "", None)
    assert {one.name for one in page.rows(tables.Applicant)} == {""}
    assert {one.state for one in page.rows(tables.Ticket)} == {"cancelled"}
    assert {one.user_id for one in page.rows(tables.ChatMessage)} == {CHI}
    kept = str([vars(row) for table in tables.Table.__subclasses__() for row in page.rows(table)])
    for trace in (f"'{AN}'", f'"{AN}"', "Nguyễn Thị An", "số nhà 5", "905123456"):
        assert trace not in kept, trace
    assert all(one.final_at for one in page.rows(tables.Notice) if one.zalo_user_id is None)
    page.text("#so")
    assert page.user().created_at == page.now[0] and page.user().phone is None


def test_who_is_served_already_is_erased_and_their_visit_stays_counted(page):
    mine = numbered(page, registered(page, days=0))[0]
    with database.writing(page.engine) as session:
        session.get_one(tables.Ticket, mine.id).state = "done"
    page.store("user_withdraw", sender={"id": AN})
    page.work()
    assert [(one.state, one.phone) for one in page.rows(tables.Ticket)] == [("done", None)]
    assert page.rows(tables.Applicant)[0].name == ""


def test_withdrawing_writes_down_no_name(page):
    registered(page)
    page.store("user_withdraw", user_id=AN)
    page.work()
    (row,) = page.all(select(tables.Audit).filter_by(action="zalo.withdraw"))
    assert AN not in f"{row.subject}{row.data}{row.actor}"


def test_who_withdraws_is_not_left_in_the_file(sqlite, config, eight):
    with database.writing(sqlite) as session:
        example.load(session, config, eight)
    page = Page(sqlite, config, [eight])
    numbered(page, registered(page, ("Nguyễn Thị Hương Giang",)))
    page.share("0905123456", name="Hương Giang")
    page.text("Tôi là Hương Giang, số 0905123456")
    arrived = {"recipient": {"id": "84905123456"}, "message": {"msg_id": "f1", "tracking_id": "a_1"}}
    for channel, body in (("zalo", json.dumps(arrived)), ("esms", "phone=0905123456&CodeResult=5")):
        with database.writing(sqlite) as session:
            told = {"channel": channel, "key": channel, "event": "", "body": body}
            notices.store_receipt(session, told, page.now[0])
            session.scalars(select(tables.Receipt).filter_by(channel=channel)).one().done_at = page.now[0]
            notices.suppress(session, channel, "+84905123456", eight + 99_999, "-139", "", "provider", eight)
    page.store("user_withdraw", user_id=AN)
    page.work()
    sqlite.dispose()
    with sqlite3.connect(sqlite.url.database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = Path(sqlite.url.database).read_bytes()
    assert "Hương Giang".encode() not in left and "HƯƠNG GIANG".encode() not in left
    assert b"905123456" not in left


def test_withdrawing_takes_nobody_s_notice_who_only_has_the_phone_that_was_shared(page):
    """Whoever typed another's number must not silence them; and who registered on the web still gets theirs."""
    page.share("0905123456", CHI)
    numbered(page, registered(page, who=None))
    mine = select(tables.Notice).filter_by(kind="appointment")
    assert page.all(mine)[0].ladder.startswith("zalo_cs,zalo_uid,zalo,")
    page.store("user_withdraw", user_id=CHI)
    page.work()
    (notice,) = page.all(mine)
    assert (notice.state, notice.phone, notice.zalo_user_id) == ("created", "+84905123456", None)
    assert (notice.channel, notice.rung, notice.ladder.partition(",")[0]) == ("zalo", 0, "zalo")
    assert notice.data["name"] == "Nguyễn Thị An"


# Any body


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "event_name",
                        "sender",
                        "id",
                        "message",
                        "text",
                        "msg_id",
                        "attachments",
                        "payload",
                        "url",
                        "info",
                        "phone",
                        "timestamp",
                        "tag",
                        "coordinates",
                        "latitude",
                        "longitude",
                        "type",
                    ]
                ),
                inner,
                max_size=6,
            )
        ),
    )
)
def test_any_json_is_read_or_called_unreadable(given_body):
    try:
        found = events.read(json.dumps(given_body), 100, 200)
    except events.Unreadable:
        return
    assert 0 <= found.at <= 200 and len(found.text) <= 4_000 and len(found.attachments) <= 10
    events.info(found.raw)
    events.tag(found.raw)


def test_an_answer_in_zalo_s_app_that_is_told_late_does_not_answer_what_was_asked_since(page):
    page.text("Cho hỏi về hộ khẩu")
    answered_at = page.now[0] + 60
    page.now[0] += 300
    page.text("Còn giấy khai sinh thì sao?")
    page.now[0] += 300
    sender = {"id": "99", "admin_id": "7"}
    page.store(
        "oa_send_text",
        answered_at,
        sender=sender,
        recipient={"id": AN},
        message={"msg_id": "z", "text": "Mời đến"},
    )
    page.work()
    talk = page.conversation()
    assert (talk.state, talk.unread, talk.answered_at) == ("waiting", 2, answered_at)


def test_what_was_said_before_somebody_withdrew_and_is_told_after_is_forgotten_too(page):
    page.text("Tôi là Nguyễn Thị An, số 0905123456")
    before = page.now[0]
    page.now[0] += 60
    page.store("user_withdraw", sender={"id": AN})
    page.work()
    page.store("user_send_text", before + 1, sender={"id": AN}, message={"msg_id": "l", "text": "Nguyễn hỏi"})
    page.work()
    assert page.user() is None and page.rows(tables.ChatMessage) == []
    assert not any("Nguyễn" in one.body for one in page.rows(tables.Receipt))
    page.now[0] += 60
    assert len(page.text("#so")) == 1, "who comes back later is somebody new"
    page.store("user_withdraw", before + 60, user_id=AN)  # the same wish, told once more
    page.work()
    assert page.user() is not None


def test_two_web_processes_do_not_work_off_one_event_twice(page):
    """Whoever comes second finds nothing to do."""
    page.store("user_send_text", sender={"id": AN}, message={"msg_id": "x", "text": "#so"})
    with database.writing(page.engine) as first:
        assert chat.take_in(first, page.config, words, page.now[0], 50) == 1
        if database.on_postgresql(first):
            with database.writing(page.engine) as second:
                assert chat.take_in(second, page.config, words, page.now[0], 50) == 0
    assert page.work() == 0 and len(page.said()) == 1


def test_a_change_of_a_queue_ends_the_round(page):
    registered(page)
    (really,) = page.text("#huy")
    for text in (page.buttons(really)[0]["payload"], "#so"):
        page.store("user_send_text", sender={"id": AN}, message={"msg_id": text, "text": text})
    with database.writing(page.engine) as session:
        assert chat.take_in(session, page.config, words, page.now[0], 50) == 1
    assert page.work() == 1 and page.rows(tables.Applicant)[0].state == "cancelled"


def test_staff_and_citizens_do_not_stand_in_each_other_s_way(page):
    """An answer is written while its conversation is held; the chat holds the person first."""
    page.text("Cho hỏi về hộ khẩu")
    faults = []

    def tried(act):
        for _ in range(15):
            try:
                act()
            except Exception as fault:  # said below, with all the others
                faults.append(fault)

    def answered():
        with database.writing(page.engine) as session:
            held = select(tables.Conversation).filter_by(user_id=AN, closed_at=None).with_for_update()
            talk = session.scalars(held).one()
            chat.say(session, page.config, AN, "Chào ông/bà", page.now[0], "Chi", conversation=talk)

    threads = [
        threading.Thread(target=tried, args=(act,)) for act in (answered, lambda: page.text("Tôi hỏi thêm"))
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert faults == []
    heard = page.all(select(tables.ChatMessage).filter_by(way="in"))
    assert (len(heard), sum(one.by == "Chi" for one in page.said())) == (16, 15)
