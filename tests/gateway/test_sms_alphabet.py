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


def test_an_escape_before_an_escape_shows_a_blank():
    assert alphabet.from_septets(bytes([0x41, 0x1B, 0x1B, 0x42])) == "A B"


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


@pytest.mark.parametrize(
    ("pasted", "sent"),
    [
        ("“Số 5” – ‘Đợt 2’… 25.000₫\u00a0nhé\u200b", "\"So 5\" - 'Dot 2'... 25.000d nhe"),
        ("• Giấy khai sinh\n● Ảnh 3×4", "- Giay khai sinh\n- Anh 3x4"),
        ("Cổng 1 → Quầy 2 ⇒ xong ✓", "Cong 1 -> Quay 2 => xong "),
        ("Ðà Nẵng, ðường 2/9", "Da Nang, duong 2/9"),
        ("ＨẸＮ １４：３０", "HEN 14:30"),
        ("Chào bạn 😀👍🏽👨‍👩‍👧🇻🇳1️⃣", "Chao ban 1"),
        ("½ ngày, 37°C, ≥ 18 tuổi, № 5, ﬁ, ™", "1/2 ngay, 37oC, >= 18 tuoi, No 5, fi, TM"),
        ("北京 Москва", "?? ??????"),
        ("Tab\there\u2028mới\x07", "Tab here\nmoi"),
        ("٣٤", "34"),
        ("\ud83d\ue000", ""),
        ("€ [1] {2} ~ ^ | \\", "€ [1] {2} ~ ^ | \\"),
    ],
)
def test_whatever_is_pasted_has_plain_letters(pasted, sent):
    assert alphabet.unaccent(pasted) == sent


@given(st.text())
def test_an_unaccented_text_never_forces_two_octets_a_letter(text):
    assert alphabet.fits_gsm7(alphabet.unaccent(text))


@given(st.text())
def test_unaccenting_twice_is_unaccenting_once(text):
    plain = alphabet.unaccent(text)
    assert alphabet.unaccent(plain) == plain


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Giảm 50% phí #2 & #3", "Giam 50 phan tram phi No.2 + No.3"),
        ("[Hẹn] {A} <B> C<D", "(Hen) (A) (B) C(D"),
        ("Thư: an@ca.vn\\x|y", "Thu: an(at)ca.vn/x/y"),
        ("10€ ~ 11£", "10EUR - 11GBP"),
        ("Xem https://a.vn/p?x=1&y=2#z và [này]", "Xem https://a.vn/p?x=1&y=2#z va (nay)"),
    ],
)
def test_a_brandnames_text_has_nothing_that_vendors_refuse(text, sent):
    assert alphabet.safe(text) == sent


@given(st.text())
def test_a_safe_text_is_printable_ascii_without_what_is_refused_outside_links(text):
    made = alphabet.safe(text.replace("http", "x"))
    assert made.isascii() and all(letter == "\n" or letter.isprintable() for letter in made)
    assert not set(made) & set("%#&[]{}\\<@^~|")


def test_the_letters_that_cost_an_alphabet_are_named_once_each():
    assert alphabet.foreign("Đợt 2: Đà") == ("Đ", "ợ")
