"""A chat that a citizen can use: asked for a number it gives one, and what it does not know goes to a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway import access, chat, database, example, queue, registrations, tables
from gateway.rules import hours
from tests.gateway.chatting import AN, BINH, CHI, Page

DAY = 86_400


@pytest.fixture
def page(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
    return Page(engine, config, [eight])


@pytest.fixture
def changed(page):
    """`changed(section, key=…)`: the page with another configuration."""

    def change(section, **keys):
        own = getattr(page.config, section).model_copy(update=keys)
        page.config = page.config.model_copy(update={section: own})

    return change


def registered(page, people=("Nguyễn Thị An",), who=AN, phone="+84905123456", days=1, site="TK1"):
    """Register people from a chat (`who` None: from the web); the registration."""
    day = hours.day_of(page.now[0], page.config.station.zone) + timedelta(days=days)
    asked = registrations.Request(
        people[0],
        phone,
        tuple(registrations.Person(name, "new") for name in people),
        "đồng ý",
        site=site,
        day=day,
        zalo_user_id=who,
    )
    with database.writing(page.engine) as session:
        made = registrations.register(session, asked, page.config, page.now[0])
        assert isinstance(made, tables.Registration), made
        return made


def numbered(page, made):
    with database.writing(page.engine) as session:
        registrations.give_numbers(session, made.shift_id, page.config, page.now[0])
        people = select(tables.Applicant.id).filter_by(registration_id=made.id)
        return list(
            session.scalars(
                select(tables.Ticket).where(tables.Ticket.applicant_id.in_(people)).order_by(tables.Ticket.n)
            )
        )


def states(page):
    return [one.state for one in page.rows(tables.Applicant)]


# Greeting and menu


def test_who_follows_is_greeted_once_with_what_they_can_do(page):
    first = page.follow()
    assert [one.kind for one in first] == ["text"] and "Kính chào Quý công dân" in first[0].text
    assert [one["payload"] for one in page.buttons(first[0])] == [
        "#dangky",
        "#so",
        "#gio",
        "#giayto",
        "#nguoi",
    ]
    assert page.follow() == []
    user = page.user()
    assert (user.following, user.following_at, user.seen_at) == (True, page.now[0], page.now[0])


def test_an_answer_is_an_urgent_notice_by_chat_that_ends_with_the_window(page):
    (answer,) = page.text("menu")
    notice = page.notice(answer)
    assert (notice.kind, notice.key, notice.ladder) == ("chat", f"chat:{answer.id}", "zalo_cs")
    assert (notice.urgent, notice.zalo_user_id, notice.phone) == (True, AN, "")
    assert page.now[0] < notice.deadline <= page.now[0] + 7 * DAY
    assert notice.data["text"] == answer.text


def test_english_is_spoken_from_when_it_is_asked_for(page):
    page.text("English")
    assert page.user().language == "en"
    page.text("tiếng Việt")
    assert page.user().language == "vi"


# My number


def test_my_number_tells_number_place_hour_and_relatives_with_masked_names(page):
    made = registered(page, ("Nguyễn Thị An", "Trần Văn Bình"))
    numbered(page, made)
    (answer,) = page.text("sô của tooi")
    assert "001 · N. T. AN" in answer.text and "002 · T. V. BÌNH" in answer.text
    assert "Điểm cấp căn cước An Mỹ" in answer.text and "07:30" in answer.text
    assert "Nguyễn Thị An" not in answer.text and "0905" not in answer.text
    assert f"/r/{made.token}" in page.buttons(answer)[0]["payload"]["url"]


def test_before_the_numbers_are_out_the_hour_is_told_and_when_the_number_comes(page):
    registered(page)
    (answer,) = page.text("#so")
    assert "Hẹn 07:30 Thứ Tư, 25/11/2026" in answer.text and "15:00 chiều hôm trước" in answer.text


def test_who_waits_hears_how_many_are_ahead_and_when_it_is_their_turn(page):
    mine = numbered(page, registered(page, days=0))[0]
    with database.writing(page.engine) as session:
        for _ in range(3):
            queue.admit(
                session, queue.WalkIn(1, mine.day, 1, page.now[0]), page.config.policy, page.now[0], "x"
            )
        page.now[0] = mine.slot_at
        queue.check_in(session, mine.id, page.config.policy, page.now[0], "An")
        seen = queue.snapshot(session, 1, mine.day, page.now[0]).standing(mine.id)
    (answer,) = page.text("đến lượt tôi chưa")
    ahead = f"còn {seen.ahead} người phía trước" if seen.ahead else "không còn ai phía trước"
    assert ahead in answer.text and "Dự kiến đến lượt:" in answer.text


def test_chi_sees_nothing_of_an_s(page):
    numbered(page, registered(page))
    (answer,) = page.text("số của tôi", CHI)
    assert "Chưa thấy số nào" in answer.text
    assert [one["payload"] for one in page.buttons(answer)] == ["#dangky", "#sdt", "#nguoi"]


def test_a_shared_phone_shows_the_number_and_changes_nothing(page):
    made = registered(page, who=None)
    mine = numbered(page, made)
    (asked,) = page.text("#sdt", BINH)
    assert page.notice(asked).data["attachment"]["kind"] == "ask_contact"
    (answer,) = page.share(84905123456, BINH)
    assert (
        "090***456" in answer.text and mine[0].number in answer.text and "chỉ xem được ở đây" in answer.text
    )
    assert page.user(BINH).phone == "+84905123456"
    assert made.token not in str(page.notice(answer).data) and mine[0].token not in str(
        page.notice(answer).data
    )
    for command in (f"#huy! {mine[0].number}", "#huy", "#doi", "#toi"):
        (refused,) = page.text(command, BINH)
        assert "chỉ xem được ở đây" in refused.text, command
    assert states(page) == ["numbered"]


def test_a_shared_phone_shows_nothing_where_the_station_does_not_want_it(page, changed):
    changed("zalo", shared_phone=False)
    numbered(page, registered(page, who=None))
    (answer,) = page.share("0905 123 456", BINH)
    assert "Chưa thấy số nào" in answer.text


def test_a_shared_text_that_is_no_mobile_number_is_said_to_be_none(page):
    for wrong in ("12", "", None, "0235 3812 345", [1], "x" * 5_000):
        (answer,) = page.share(wrong)
        assert "không đúng" in answer.text, wrong
    assert page.user().phone is None


# Cancelling


def test_a_number_is_given_up_by_two_taps_and_not_by_one(page):
    mine = numbered(page, registered(page, ("Nguyễn Thị An", "Trần Văn Bình")))
    (which,) = page.text("huỷ lịch")
    (really,) = page.tap(which, f"Huỷ {mine[1].number}")
    assert states(page) == ["numbered", "numbered"]
    (done,) = page.tap(really, "Vâng, huỷ")
    assert "Đã huỷ 1 người" in done.text and states(page) == ["numbered", "cancelled"]
    (again,) = page.text(f"#huy! {mine[1].number}")
    assert states(page) == ["numbered", "cancelled"] and "Đã huỷ" not in again.text


@pytest.mark.parametrize("text", ["#huy A-001", "huỷ số 1", "#HUY 001", "hủy 001"])
def test_a_number_is_named_as_people_write_it(page, text):
    numbered(page, registered(page, ("Nguyễn Thị An", "Trần Văn Bình")))
    (answer,) = page.text(text.replace("A-", ""))
    assert "chắc chắn muốn huỷ" in answer.text and "001" in answer.text


def test_the_whole_family_is_cancelled_at_once_if_wanted(page):
    registered(page, ("Nguyễn Thị An", "Trần Văn Bình"))
    (which,) = page.text("#huy")
    (really,) = page.tap(which, "Huỷ tất cả")
    (done,) = page.tap(really, "Vâng, huỷ tất cả")
    assert "Đã huỷ 2 người" in done.text and states(page) == ["cancelled"] * 2


def test_a_button_of_last_week_cancels_no_number_of_today_that_is_called_the_same(page):
    numbered(page, registered(page))
    (really,) = page.text("#huy 001")
    page.now[0] += 2 * DAY
    numbered(page, registered(page, days=1))
    (answer,) = page.tap(really, "Vâng, huỷ")
    assert states(page) == ["numbered", "numbered"]
    assert "chắc chắn muốn huỷ" in answer.text
    page.tap(answer, "Vâng, huỷ")
    assert states(page) == ["numbered", "cancelled"]


def test_who_registered_somebody_since_is_asked_anew_before_all_are_cancelled(page):
    registered(page, ("Nguyễn Thị An", "Trần Văn Bình"))
    (really,) = page.text("#huy tatca")
    registered(page, ("Lê Thị Chi",), days=2)
    (answer,) = page.tap(really, "Vâng, huỷ tất cả")
    assert states(page) == ["registered"] * 3 and "chắc chắn muốn huỷ" in answer.text


def test_a_yes_that_is_tapped_twice_cancels_once(page):
    registered(page, ("Nguyễn Thị An", "Trần Văn Bình"))
    (which,) = page.text("#huy")
    (really,) = page.tap(which, "Huỷ N. T. AN")
    page.tap(really, "Vâng, huỷ")
    (again,) = page.tap(really, "Vâng, huỷ")
    assert states(page) == ["cancelled", "registered"] and "Đã huỷ" not in again.text


def test_who_is_called_cannot_be_cancelled_by_chat(page):
    mine = numbered(page, registered(page, days=0))[0]
    with database.writing(page.engine) as session:
        queue.check_in(session, mine.id, page.config.policy, page.now[0], "An")
        queue.call_next(session, 1, mine.day, page.now[0], "An")
    (answer,) = page.text(f"#huy! {mine.number}")
    assert "Không có số nào có thể huỷ" in answer.text and states(page) == ["numbered"]


def test_nobody_cancels_another_s_number(page):
    mine = numbered(page, registered(page))[0]
    for text in (f"#huy! {mine.number}", f"#huy! ~{mine.applicant_id}", "#huy! tatca"):
        page.text(text, CHI)
    assert states(page) == ["numbered"]


# Moving


def test_another_day_is_chosen_from_buttons_and_confirmed(page):
    registered(page, ("Nguyễn Thị An", "Trần Văn Bình"))
    (which,) = page.text("đổi ngày")
    assert len(page.buttons(which)) == 5
    (really,) = page.tap(which, "Thứ Sáu, 27/11/2026")
    assert {one.shift_id for one in page.rows(tables.Applicant)} == {
        page.rows(tables.Registration)[0].shift_id
    }
    (done,) = page.tap(really, "Vâng, đổi ngày")
    assert "Đã đổi ngày" in done.text and "Thứ Sáu, 27/11/2026" in done.text
    (shift,) = {one.shift_id for one in page.rows(tables.Applicant)}
    with database.reading(page.engine) as session:
        assert session.get_one(tables.Shift, shift).day.isoformat() == "2026-11-27"


def test_a_yes_to_another_day_that_is_tapped_twice_keeps_the_hour_of_the_first(page):
    registered(page)
    (which,) = page.text("đổi ngày")
    (really,) = page.tap(which, "Thứ Sáu, 27/11/2026")
    page.tap(really, "Vâng, đổi ngày")
    first = page.rows(tables.Applicant)[0]
    for n in range(12):  # the rest of that hour is taken meanwhile
        registered(page, (f"Trần Văn B{chr(97 + n)}",), CHI, f"+8491300000{n}", 3)
    (again,) = page.tap(really, "Vâng, đổi ngày")
    second = page.rows(tables.Applicant)[0]
    assert (second.shift_id, second.slot_at) == (first.shift_id, first.slot_at)
    assert "07:30" in again.text


def test_more_days_are_shown_when_asked_for(page):
    registered(page)
    (first,) = page.text("#doi")
    (second,) = page.tap(first, "Xem thêm ngày")
    titles = [[one["title"] for one in page.buttons(answer)] for answer in (first, second)]
    assert not set(titles[0][:4]) & set(titles[1][:4])


def test_a_number_once_given_stays_with_its_day(page):
    numbered(page, registered(page))
    (answer,) = page.text("đổi lịch")
    assert "không đổi ngày" in answer.text


def test_strange_arguments_move_nobody(page):
    made = registered(page)
    before = made.shift_id
    for text in (
        "#doi! r1 s999",
        "#doi! r999 s5",
        "#doi r1 t99999",
        "#doi! s0",
        "#doi r99999999999999999999 s1",
    ):
        page.text(text)
        page.text(text, CHI)
    assert {one.shift_id for one in page.rows(tables.Applicant)} == {before}


# Arriving


def test_who_says_that_they_are_here_is_sent_to_the_desk(page):
    numbered(page, registered(page, days=0))
    (answer,) = page.text("tôi tới rồi")
    assert "bàn tiếp đón" in answer.text and "/p/" in page.buttons(answer)[0]["payload"]["url"]
    assert page.rows(tables.Ticket)[0].state == "booked"


def test_where_the_station_allows_it_they_are_present_by_chat(page, changed):
    changed("policy", check_in_by_chat=True)
    numbered(page, registered(page, ("Nguyễn Thị An", "Trần Văn Bình"), days=0))
    (which,) = page.text("#toi")
    (done,) = page.tap(which, "Đã đến: tất cả")
    assert done.text.count("Đã báo có mặt.") == 2
    assert [one.state for one in page.rows(tables.Ticket)] == ["waiting", "waiting"]


def test_nobody_reports_hours_before(page, changed):
    changed("policy", check_in_by_chat=True)
    mine = numbered(page, registered(page, days=0))[0]
    page.now[0] = mine.slot_at - page.config.policy.check_in_opens - 60
    (answer,) = page.text("#toi")
    assert "Chưa đến giờ báo có mặt" in answer.text
    assert page.rows(tables.Ticket)[0].state == "booked"


def test_nobody_is_here_for_tomorrow(page, changed):
    changed("policy", check_in_by_chat=True)
    numbered(page, registered(page))
    (answer,) = page.text("#toi")
    assert "Hôm nay không có số nào" in answer.text


# Hours and papers


def test_hours_and_places_are_told_with_a_map_where_there_is_one(page):
    with database.writing(page.engine) as session:
        session.get_one(tables.Site, 1).map_url = "https://maps.example.vn/an-my"
        session.get_one(tables.Site, 2).map_url = "javascript:alert(1)"
    (answer,) = page.text("mấy giờ mở cửa vậy ad")
    for told in (
        "An Mỹ",
        "12 Hùng Vương",
        "Hoà Hương",
        "Hôm nay: 08:00–00:00",
        "07:30–17:00 Thứ Tư, 25/11/2026",
    ):
        assert told in answer.text
    urls = [one["payload"] for one in page.buttons(answer) if one["type"] == "oa.open.url"]
    assert urls == [{"url": "https://maps.example.vn/an-my"}]


def test_what_to_bring_is_told_for_each_service(page):
    (answer,) = page.text("can mang giay to gi a")
    for told in ("Cấp căn cước lần đầu: Giấy khai sinh", "Cấp đổi căn cước: Thẻ căn cước", "Đăng ký cư trú"):
        assert told in answer.text


# To a person


def test_anything_else_waits_for_a_person_and_says_so_once(page):
    (told,) = page.text("Cho hỏi thủ tục đăng ký tạm trú cho sinh viên thì làm ở phường nào vậy ạ")
    assert "Đã chuyển tin nhắn" in told.text and "08:00" in told.text
    assert page.text("Tôi ở trọ") == []
    talk = page.conversation()
    assert (talk.state, talk.unread, talk.topic, talk.sensitive) == ("waiting", 2, "residence", False)
    page.now[0] += 12 * 3_600 + 1
    assert len(page.text("Vẫn chưa ai trả lời tôi")) == 1


def test_a_complaint_is_sensitive_at_once(page):
    page.text("Tôi muốn tố cáo cán bộ nhũng nhiễu")
    assert (page.conversation().topic, page.conversation().sensitive) == ("complaint", True)


def test_a_question_that_becomes_a_complaint_is_one(page):
    page.text("Khi nào có thẻ căn cước của tôi")
    page.text("Chờ lâu quá, tôi sẽ khiếu nại")
    assert (page.conversation().topic, page.conversation().sensitive) == ("complaint", True)


def test_thanks_and_stickers_are_not_told_that_they_were_passed_on(page):
    page.text("#so")
    assert page.text("cảm ơn ạ") == [] and page.send("sticker") == []
    assert (page.conversation().state, page.conversation().unread) == ("waiting", 2)


def test_pictures_and_files_are_kept_bounded_and_only_with_web_addresses(page):
    given = [{"type": "image", "payload": {"url": f"https://zalo.example/{n}.jpg"}} for n in range(12)]
    given[1]["payload"]["url"] = "javascript:alert(1)"
    given[2]["payload"]["url"] = "https://x/" + "a" * 5_000
    given[3] = "nothing"
    page.send("image", attachments=given, text="a" * 9_000 + "\0")
    message = page.all(select(tables.ChatMessage).filter_by(way="in"))[0]
    assert message.kind == "image" and len(message.text) == 4_000 and len(message.attachments) == 10
    assert [one for one in message.attachments if "url" in one] == [
        {"kind": "image", "url": f"https://zalo.example/{n}.jpg"} for n in (0, *range(4, 10))
    ]


def test_a_location_keeps_its_coordinates(page):
    place = {"coordinates": {"latitude": "15.57", "longitude": "108.48"}}
    page.send("location", attachments=[{"type": "location", "payload": place}])
    message = page.all(select(tables.ChatMessage).filter_by(way="in"))[0]
    assert message.attachments == [{"kind": "location", "latitude": "15.57", "longitude": "108.48"}]


def test_with_the_answers_off_everything_goes_to_a_person_in_silence(page, changed):
    changed("zalo", answers=False)
    assert page.follow() == [] and page.text("#so") == [] and page.text("xin chào") == []
    assert (page.conversation().state, page.conversation().unread) == ("waiting", 2)


def test_after_twenty_answers_an_hour_the_rest_goes_to_a_person(page):
    answered = [len(page.text("#so")) for _ in range(25)]
    assert answered == [1] * 20 + [0] * 5
    assert (page.conversation().state, page.conversation().unread) == ("waiting", 5)
    page.now[0] += 3_601
    assert len(page.text("#so")) == 1


def test_a_conversation_that_somebody_took_is_theirs_but_for_commands(page):
    page.text("Tôi cần hỏi về việc tách hộ khẩu cho con trai")
    with database.writing(page.engine) as session:
        talk = chat.current(session, AN)
        talk.assigned_to = "Chi"
        chat.say(session, page.config, AN, "Chào ông/bà", page.now[0], "Chi", conversation=talk)
    assert page.conversation().state == "answered"
    assert page.text("ở đâu") == [] and page.text("huỷ") == [] and page.text("xin chào") == []
    assert (page.conversation().state, page.conversation().unread) == ("waiting", 3)
    assert len(page.text("#so")) == 1 and len(page.text("Số của tôi")) == 1
    assert page.conversation().unread == 3


@pytest.mark.parametrize(("role", "assigned"), [("staff", ""), ("officer", "Chi")])
def test_a_complaint_leaves_the_hands_of_whoever_may_not_see_it(page, role, assigned):
    page.text("Cho hỏi về hộ khẩu")
    with database.writing(page.engine) as session:
        access.add_staff(session, "Chi", role, page.now[0], "mật khẩu để thử")
        chat.current(session, AN).assigned_to = "Chi"
    page.text("Tôi tố cáo cán bộ đòi tiền")
    assert (page.conversation().sensitive, page.conversation().assigned_to) == (True, assigned)


# Conversations


def test_a_silent_automatic_conversation_is_over_after_a_day(page):
    page.text("#so")
    page.now[0] += DAY - 60
    page.text("#so")
    assert len(page.rows(tables.Conversation)) == 1
    page.now[0] += DAY + 1
    page.text("#so")
    assert [one.state for one in page.rows(tables.Conversation)] == ["closed", "automatic"]


def test_one_that_waits_for_a_person_is_not_over(page):
    page.text("Cho hỏi về hộ khẩu")
    page.now[0] += 10 * DAY
    page.text("Alo còn ai không vậy")
    assert len(page.rows(tables.Conversation)) == 1


@pytest.mark.parametrize(("days", "topic"), [(6, "residence"), (8, "")])
def test_a_closed_one_is_never_opened_again_and_its_topic_lasts_a_week(page, days, topic):
    page.text("Cho hỏi về hộ khẩu")
    with database.writing(page.engine) as session:
        chat.close(chat.current(session, AN), "Chi", page.now[0])
    page.now[0] += days * DAY
    page.text("Tôi gửi thêm ảnh nhé")
    assert [one.state for one in page.rows(tables.Conversation)] == ["closed", "waiting"]
    assert page.conversation().topic == topic
