import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.sms import alphabet, segments

GSM7, UCS2 = alphabet.Alphabet.GSM7, alphabet.Alphabet.UCS2
MIXED = st.text(st.sampled_from("ab€[]ếđĐ😀𠀀 \n"), max_size=700)


@pytest.mark.parametrize(
    ("text", "letters", "lengths"),
    [
        ("", GSM7, [0]),
        ("A" * 160, GSM7, [160]),
        ("A" * 161, GSM7, [153, 8]),
        ("A" * 306, GSM7, [153, 153]),
        ("A" * 307, GSM7, [153, 153, 1]),
        ("€" * 80, GSM7, [80]),
        ("€" * 81, GSM7, [76, 5]),
        ("a" * 152 + "€" + "b" * 20, GSM7, [152, 21]),
        ("ế" * 70, UCS2, [70]),
        ("ế" * 71, UCS2, [67, 4]),
        ("ế" * 134, UCS2, [67, 67]),
        ("ế" * 66 + "😀" + "ế" * 10, UCS2, [66, 11]),
        ("😀" * 35, UCS2, [35]),
    ],
)
def test_a_text_is_cut_where_the_standard_says(text, letters, lengths):
    cut = segments.split(text)
    assert cut.alphabet is letters
    assert [len(part) for part in cut.parts] == lengths


@given(MIXED)
def test_the_parts_are_the_text_and_none_is_too_heavy(text):
    cut = segments.split(text)
    most = segments.SINGLE if len(cut.parts) == 1 else segments.JOINED
    assert "".join(cut.parts) == unicodedata.normalize("NFC", text)
    assert all(segments.weight(part, cut.alphabet) <= most[cut.alphabet] for part in cut.parts)


@given(MIXED)
def test_no_part_could_have_taken_the_first_letter_of_the_next(text):
    cut = segments.split(text)
    for part, following in zip(cut.parts, cut.parts[1:], strict=False):
        assert segments.weight(part + following[0], cut.alphabet) > segments.JOINED[cut.alphabet]


def test_decomposed_letters_are_composed_before_they_are_counted():
    assert segments.split(unicodedata.normalize("NFD", "ế" * 70)).parts == ("ế" * 70,)


def test_a_text_beyond_255_parts_is_an_error():
    segments.split("A" * 153 * 255)
    with pytest.raises(ValueError, match="256"):
        segments.split("A" * (153 * 255 + 1))
