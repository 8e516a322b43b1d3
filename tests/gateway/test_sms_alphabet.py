import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.sms import alphabet

LETTERS = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)
VOWELS = "aăâeêioôơuưy"
VIETNAMESE = "".join(
    unicodedata.normalize("NFC", letter + tone)
    for vowel in VOWELS + VOWELS.upper()
    for letter in [vowel]
    for tone in ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]
) + "đĐ"  # fmt: skip


@pytest.mark.parametrize(
    ("letter", "code"),
    [("@", "00"), ("$", "02"), ("_", "11"), ("É", "1f"), (" ", "20"), ("¤", "24"), ("0", "30"),
     ("¡", "40"), ("A", "41"), ("§", "5f"), ("¿", "60"), ("a", "61"), ("à", "7f"), ("\f", "1b0a"),
     ("^", "1b14"), ("{", "1b28"), ("}", "1b29"), ("\\", "1b2f"), ("[", "1b3c"),
     ("~", "1b3d"), ("]", "1b3e"), ("|", "1b40"), ("€", "1b65")],
)  # fmt: skip
def test_the_codes_are_those_of_the_standard(letter, code):
    assert alphabet.septets(letter).hex() == code


def test_there_are_137_letters():
    assert len(set(LETTERS)) == 137
    assert all(alphabet.fits_gsm7(letter) for letter in LETTERS)


@pytest.mark.parametrize("letter", ["`", "đ", "ơ", "ạ", "ç", "“", "…", "\u00a0", "😀", "\x1b", "\t"])
def test_what_is_not_in_the_alphabet_does_not_fit(letter):
    assert not alphabet.fits_gsm7(letter)


@given(st.text(LETTERS))
def test_every_text_of_its_letters_comes_back(text):
    assert alphabet.from_septets(alphabet.septets(text)) == text


def test_an_escape_before_an_unknown_code_shows_the_basic_letter():
    assert alphabet.from_septets(bytes([0x1B, 0x41])) == "A"


def test_an_escape_at_the_end_shows_nothing():
    assert alphabet.from_septets(bytes([0x41, 0x1B])) == "A"


def test_vietnamese_without_accents_is_plain_ascii():
    plain = alphabet.unaccent(VIETNAMESE)
    assert len(VIETNAMESE) == 146
    assert plain.isascii() and len(plain) == len(VIETNAMESE)
    assert set(plain.lower()) == set("aeiouyd")


def test_unaccenting_spares_the_punctuation_that_would_cost_a_message():
    text = "“Số 042” – hẹn\u00a014:30… phí 25.000₫, ‘đúng giờ’\u200b"
    plain = alphabet.unaccent(text)
    assert plain == "\"So 042\" - hen 14:30... phi 25.000d, 'dung gio'"
    assert alphabet.fits_gsm7(plain)


@given(st.text(VIETNAMESE + " .,0123456789"))
def test_decomposed_and_composed_unaccent_alike(text):
    assert alphabet.unaccent(unicodedata.normalize("NFD", text)) == alphabet.unaccent(text)


@given(st.text())
def test_units_are_utf16_units(text):
    assert alphabet.units(text) == sum(2 if ord(letter) > 0xFFFF else 1 for letter in text)
