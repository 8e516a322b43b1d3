import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules import phone

AN = phone.Phone("+84905123456", "0905123456", "84905123456", phone.Kind.MOBILE)


@pytest.mark.parametrize(
    "text",
    [
        "0905123456", "84905123456", "+84905123456", "0084905123456", " 0905 123 456 ", "0905.123.456",
        "0905-123-456", "(0905) 123 456", "+84 (0)905 123 456", "+84\u00a0905\u2013123\u2013456",
        "\u202a+84 905 123 456\u202c", "\u200b0905123456",
    ],
)  # fmt: skip
def test_every_way_of_writing_a_number_is_the_same_phone(text):
    assert phone.parse(text) == AN


@pytest.mark.parametrize(
    "prefix", ["030", "031", "039", "051", "055", "059", "070", "079", "081", "087", "089", "095"]
)
def test_prefixes_that_old_lists_miss_are_mobile(prefix):
    assert phone.parse(prefix + "1234567").kind is phone.Kind.MOBILE


def test_a_landline_is_a_number_but_no_mobile():
    number = phone.parse("0235 3852 123")
    assert (number.e164, number.kind) == ("+842353852123", phone.Kind.LANDLINE)


@pytest.mark.parametrize(
    ("old", "new"),
    [("01205123456", "0705123456"), ("+841295123456", "0825123456"), ("01695123456", "0395123456"),
     ("0186 512 3456", "0565123456"), ("01995123456", "0595123456")],
)  # fmt: skip
def test_an_old_number_of_eleven_digits_is_suggested_and_never_converted(old, new):
    fault = phone.parse(old)
    assert isinstance(fault, phone.PhoneFault)
    assert (fault.code, fault.suggestion) == ("old", new)
    assert new in fault.vietnamese and new in fault.english


def test_a_number_without_its_zero_is_asked_about():
    assert phone.parse("905123456").suggestion == "0905123456"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"), ("  . - ", "empty"), ("0905" * 20, "long"), ("0905 123 456 x3", "characters"),
        ("٠٩٠٥١٢٣٤٥٦", "characters"), ("０９０５１２３４５６", "characters"),
        ("0905123456\x1b@", "characters"),
        ("+0905123456", "foreign"), ("+1 650 555 0100", "foreign"), ("0012125550100", "foreign"),
        ("113", "length"), ("090512345", "length"), ("09051234567", "length"), ("0405123456", "prefix"),
        ("19001234", "length"), ("0000000000", "foreign"), ("0505123456", "prefix"),
        ("++84905123456", "characters"),
    ],
)  # fmt: skip
def test_what_is_no_phone_number_says_why(text, code):
    fault = phone.parse(text)
    assert isinstance(fault, phone.PhoneFault), fault
    assert fault.code == code
    assert fault.vietnamese.endswith((".", "?")) and fault.english.endswith((".", "?"))
    assert "{" not in fault.vietnamese + fault.english


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text):
    assert isinstance(phone.parse(text), phone.Phone | phone.PhoneFault)


@given(st.from_regex(r"0(3[0-9]|5[125689]|7[06789]|8[1-9]|9[0-9])[0-9]{7}", fullmatch=True))
def test_all_spellings_of_a_mobile_parse_back_to_it(national):
    number = phone.parse(national)
    assert number.national == national
    assert phone.parse(number.e164) == phone.parse(number.international) == number


def test_a_masked_number_keeps_three_digits_at_each_end():
    assert phone.masked("+84905123456") == "090***456"


@pytest.mark.parametrize("text", ["", "113", "+84905", "+8490512"])
def test_a_short_text_is_masked_whole(text):
    assert phone.masked(text) == "***"


@given(st.text(max_size=30))
def test_a_mask_never_shows_more_than_six_characters(text):
    shown = phone.masked(text).replace("***", "", 1)
    assert len(shown) <= 6
