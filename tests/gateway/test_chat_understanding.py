"""What citizens type is understood with and without accents, and what is no command never becomes one."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules import chat, phrases
from gateway.rules.chat import Intent, plain, topic, understand

COMMANDS = [
    ("#dangky", "register"), ("#Đăng ký", "register"), ("# đăng kí", "register"), ("đăng ký", "register"),
    ("dang ki", "register"), ("đăng kí", "register"), ("dk", "register"), ("ĐK", "register"),
    ("tôi muốn đăng ký", "register"), ("cho em đăng ký ạ", "register"), ("lấy số", "register"),
    ("lay so thu tu", "register"), ("xin số thứ tự ạ", "register"), ("đăng ký cho mẹ tôi", "register"),
    ("dăng ky lay so", "register"), ("đặt lịch hẹn giúp em", "register"), ("book an appointment", "register"),
    ("#so", "number"), ("số của tôi", "number"), ("so cua toi", "number"), ("sô của tooi", "number"),
    ("soos cuar tooi", "number"), ("so61 cua3 to6i", "number"), ("socuatoi", "number"), ("SỐ CỦA TÔI???", "number"),
    ("số của con tôi ạ", "number"), ("đến lượt tôi chưa", "number"), ("toi luot toi chua a", "number"),
    ("còn mấy người nữa", "number"), ("con bao nhieu nguoi vay", "number"), ("số 42 đến lượt chưa", "number"),
    ("lịch hẹn của tôi", "number"), ("bao giờ đến lượt", "number"), ("my number", "number"),
    ("when is my turn?", "number"), ("đang gọi số mấy", "number"),
    ("#huy", "cancel"), ("#huỷ A-042", "cancel"), ("huy lich", "cancel"), ("hủy lịch", "cancel"),
    ("huỷ lịch hẹn", "cancel"),
    ("cho tôi hủy lịch với ạ", "cancel"), ("huỷ số 42", "cancel"), ("em không đến được", "cancel"),
    ("huy lịhc", "cancel"), ("cancel my appointment", "cancel"),
    ("#doi", "move"), ("đổi lịch", "move"), ("doi ngay", "move"), ("em muốn đổi ngày hẹn", "move"),
    ("dời lịch", "move"),
    ("reschedule", "move"), ("đổi sang ngày khác được không", "move"),
    ("#toi", "here"), ("tôi đã đến", "here"), ("toi toi roi", "here"), ("đến rồi ạ", "here"), ("i am here", "here"),
    ("tôi có mặt", "here"),
    ("#gio", "hours"), ("giờ làm việc", "hours"), ("gio lam viec", "hours"), ("mấy giờ mở cửa vậy ad", "hours"),
    ("địa chỉ ở đâu", "hours"), ("hôm nay có làm việc không", "hours"), ("thứ 7 có làm không", "hours"),
    ("opening hours", "hours"), ("làm ở đâu ạ", "hours"),
    ("#giayto", "documents"), ("giấy tờ", "documents"), ("cần mang giấy tờ gì", "documents"),
    ("can mang gi a", "documents"), ("cần mang theo giấy tờ gì ạ", "documents"), ("what do i need?", "documents"),
    ("xin chào ạ", "menu"), ("hello ad ạ", "menu"), ("đã đến ạ", "here"), ("dạ đã tới rồi ạ", "here"),
    ("#menu", "menu"), ("menu", "menu"), ("xin chào", "menu"), ("alo", "menu"), ("help", "menu"), ("#abc", "menu"),
    ("#nguoi", "person"), ("gặp cán bộ", "person"), ("cho tôi gặp cán bộ", "person"), ("tu van", "person"),
    ("english", "language"), ("#en", "language"), ("tiếng việt", "language"),
    ("#sdt", "phone"), ("dừng nhận tin", "stop"), ("stop", "stop"),
]  # fmt: skip

FOR_A_PERSON = [
    "cảm ơn", "không", "ok", "vâng ạ", "😀", "👍👍", "?", "...", "", " ", "\u200b", "đúng rồi", "đúng",
    "tôi chờ lâu quá rồi", "sao chưa có số", "không đăng ký được", "đăng ký bị lỗi", "thái độ cán bộ tệ quá",
    "tố cáo hàng xóm đánh bạc", "cán bộ đòi tiền tôi", "tôi muốn khiếu nại", "hàng xóm ồn ào quá",
    "đăng ký tạm trú", "đăng ký thường trú", "đăng ký xe máy", "đăng ký kết hôn", "gia hạn tạm trú", "chuyển hộ khẩu",
    "mất giấy tờ", "tôi bị mất căn cước", "khi nào có thẻ", "thẻ của tôi có chưa", "làm căn cước bao lâu có",
    "đổi căn cước", "đổi địa chỉ trên căn cước", "đổi bằng lái", "huỷ hộ khẩu", "huỷ thẻ cũ", "số căn cước của tôi",
    "số điện thoại công an phường", "lệ phí bao nhiêu", "có ai không", "toi", "so", "doi", "an", "12345", "0905123456",
    "tôi đến rồi mà không ai tiếp", "tôi muốn gặp trưởng công an", "lịch tiếp dân", "xe bị giữ", "hay lắm",
    "Tôi muốn huỷ lịch vì cán bộ ở đây làm việc quá chậm và thái độ", "#xin chào cán bộ phường cho tôi hỏi",
    "số của tôi bị gọi mất rồi phải làm sao bây giờ", "my neighbour is too loud", "where is my card",
]  # fmt: skip


@pytest.mark.parametrize(("text", "intent"), COMMANDS)
def test_a_wish_is_understood(text, intent):
    assert understand(text).intent == intent


@pytest.mark.parametrize("text", FOR_A_PERSON)
def test_what_is_no_command_goes_to_a_person(text):
    assert understand(text).intent is Intent.NONE


def test_the_tables_are_long_enough_to_mean_something():
    assert len(COMMANDS) >= 80 and len(FOR_A_PERSON) >= 25
    by_text = {"start"}
    assert {intent for _, intent in COMMANDS} == {one.value for one in Intent} - {"none"} - by_text


@pytest.mark.parametrize(
    ("text", "argument", "confirmed"),
    [
        ("#huy A-042", "A-042", False),
        ("#huy! 042", "042", True),
        ("#huy ! 042", "042", True),
        ("huỷ số a42", "A42", False),
        ("#doi r1 s2", "r1 s2", False),
        ("hủy 42!", "42", False),
        ("#english", "en", False),
    ],
)
def test_what_follows_a_command_is_its_argument(text, argument, confirmed):
    found = understand(text)
    assert (found.argument, found.confirmed) == (argument, confirmed)


def test_only_commands_and_the_menu_s_own_words_are_sure():
    assert all(understand(text).sure for text in ("#so", "Số của tôi", "so cua toi", "menu", "#huy A-042"))
    assert not any(understand(text).sure for text in ("ở đâu", "huỷ", "chào", "hi", "sô của tooi", "cán bộ"))


def test_no_phrase_means_two_things():
    owners = {}
    for name, some in phrases.PHRASES.items():
        for one in some:
            owners.setdefault(plain(one), set()).add(name)
    assert {phrase: names for phrase, names in owners.items() if len(names) > 1} == {}
    assert not {plain(one) for one in phrases.COURTESIES} & owners.keys()


def test_every_phrase_of_the_lists_is_understood_as_what_it_stands_for():
    wrong = {
        one: understand(one).intent
        for name, some in phrases.PHRASES.items()
        for one in some
        if understand(one).intent != name
    }
    assert wrong == {}


def test_every_title_on_our_buttons_is_a_menu_word():
    titles = (
        "Đăng ký lấy số",
        "Số của tôi",
        "Giờ và địa điểm",
        "Giấy tờ cần mang",
        "Gặp cán bộ",
        "Huỷ số",
        "Đổi ngày",
    )
    assert all(understand(title).sure for title in titles)


phrase = st.sampled_from([(one, Intent(name)) for name, some in phrases.PHRASES.items() for one in some])


@given(
    phrase,
    st.sampled_from(["NFC", "NFD", "NFKD"]),
    st.booleans(),
    st.sampled_from(["", "!", " ?", "...", " ạ", "\n"]),
)
def test_form_case_blanks_and_marks_change_nothing(case, form, loud, tail):
    text, intent = case
    shown = unicodedata.normalize(form, text.upper() if loud else text).replace(" ", "  ")
    assert understand(f"  {shown}{tail}").intent == intent


@given(phrase)
def test_accents_are_not_needed(case):
    text, intent = case
    assert understand(plain(text)).intent == intent


@given(
    phrase.filter(lambda case: len(plain(case[0])) >= 9 and max(map(len, plain(case[0]).split())) >= 5),
    st.data(),
)
def test_one_slip_in_a_long_word_changes_no_meaning(case, data):
    text, intent = case
    words = plain(text).split()
    place = max(range(len(words)), key=lambda n: len(words[n]))
    at = data.draw(st.integers(1, len(words[place]) - 2))
    words[place] = words[place][:at] + data.draw(st.sampled_from("bkmz")) + words[place][at + 1 :]
    assert understand(" ".join(words)).intent in (intent, Intent.NONE)


@given(st.text(max_size=500))
def test_any_text_is_read_without_fault(text):
    found = understand(text)
    assert len(found.argument) <= 80
    topic(text)
    chat.courteous(text)


@given(phrase, st.sampled_from(["tôi rất bức xúc vì", "cán bộ nói là tôi phải", "hôm qua tôi đã gọi nhưng"]))
def test_a_long_text_around_a_command_is_for_a_person(case, before):
    assert understand(f"{before} {case[0]} mà vẫn không được gì cả là sao").intent is Intent.NONE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tôi muốn đăng ký tạm trú", "residence"),
        ("thu tuc nhap khau cho con", "residence"),
        ("Tố cáo cán bộ nhũng nhiễu khi làm căn cước", "complaint"),
        ("cho hoi lam the can cuoc", "identity"),
        ("CCCD của tôi bao giờ có", "identity"),
        ("lệ phí bao nhiêu", "procedure"),
        ("I want to complain", "complaint"),
        ("Cán bộ gợi ý lót tay", "complaint"),
        ("chồng tôi đe doạ và hành hung mẹ con tôi", "complaint"),
        ("xin chào", ""),
        ("", ""),
    ],
)
def test_a_topic_is_guessed_and_a_complaint_goes_first(text, expected):
    assert topic(text) == expected
