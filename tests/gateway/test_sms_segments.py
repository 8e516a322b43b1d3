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


@pytest.mark.parametrize(
    ("text", "lengths"),
    [
        ("A" * 161, [152, 9]),
        ("A" * 305, [152, 152, 1]),
        ("a" * 151 + "€" + "b" * 20, [151, 21]),
        ("ế" * 71, [66, 5]),
        ("ế" * 65 + "😀" + "ế" * 10, [65, 11]),
        ("A" * 160, [160]),
    ],
)
def test_a_reference_of_16_bits_takes_a_letter_from_each_part(text, lengths):
    assert [len(part) for part in segments.split(text, 16).parts] == lengths


def test_a_letter_keeps_the_marks_on_it():
    text = "ế" * 66 + "q\u0301" + "ế" * 10
    assert [len(part) for part in segments.split(text).parts] == [66, 12]
    hearts = "ế" * 66 + "❤\ufe0f" + "ế" * 10
    assert segments.split(hearts).parts[1].startswith("❤\ufe0f")


def test_marks_piled_up_beyond_a_part_are_torn_all_the_same():
    text = "a" + "\u0336" * 200
    parts = segments.split(text).parts
    assert "".join(parts) == text and max(map(len, parts)) <= 67


@given(MIXED, st.sampled_from([8, 16]), st.booleans())
def test_the_counter_says_what_is_sent(text, bits, unaccented):
    seen = segments.count(text, unaccented, bits)
    cut = segments.split(alphabet.unaccent(text) if unaccented else text, bits)
    assert (seen.alphabet, seen.parts) == (cut.alphabet, len(cut.parts))
    assert seen.used == sum(segments.weight(part, cut.alphabet) for part in cut.parts)
    assert bool(seen.foreign) == (cut.alphabet is UCS2)
    room = segments.SINGLE[cut.alphabet] if seen.parts == 1 else segments.capacity(cut.alphabet, bits)
    assert seen.left == room - segments.weight(cut.parts[-1], cut.alphabet)


@pytest.mark.parametrize(
    ("text", "unaccented", "expected"),
    [
        ("", False, segments.Count(GSM7, 1, 0, 160, ())),
        ("Số 5", False, segments.Count(UCS2, 1, 4, 66, ("ố",))),
        ("Số 5", True, segments.Count(GSM7, 1, 4, 156, ())),
        ("a" * 161, False, segments.Count(GSM7, 2, 161, 145, ())),
        ("€", False, segments.Count(GSM7, 1, 2, 158, ())),
        ("A" * 153 * 300, False, segments.Count(GSM7, 300, 153 * 300, 0, ())),
    ],
)
def test_the_counter_of_some_texts(text, unaccented, expected):
    assert segments.count(text, unaccented) == expected


def test_the_parts_of_one_text_are_joined_the_same_way_every_time_and_others_differently():
    assert segments.joint("n_1", "Số 5") == segments.joint("n_1", "Số 5")
    made = {segments.joint(f"n_{place}", "Số 5") for place in range(1_000)}
    assert len(made) > 980 and all(0 <= one <= 0xFFFF for one in made)
    assert segments.joint("n_1", "Số 5") != segments.joint("n_1", "Số 6")


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
