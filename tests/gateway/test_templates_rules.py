"""What a Zalo template wants: every fault of a message and of the configuration is found before Zalo finds it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from gateway.rules import templates


def param(name="ten", kind="STRING", most=None, least=None, require=True):
    return {"name": name, "type": kind, "max": most, "min": least, "require": require}


def codes(problems):
    return [(one.name, one.code) for one in problems]


# A message


def test_data_that_fits_has_no_faults():
    params = [param("ten", most=30), param("so", most=10), param("ghi_chu", require=False)]
    assert templates.faults(params, {"ten": "N. T. HƯƠNG", "so": "A042", "ghi_chu": ""}) == []
    assert templates.faults(params, {"ten": "N. T. HƯƠNG", "so": "A042"}) == []


def test_what_is_missing_empty_or_unknown_is_named():
    params = [param("ten"), param("so"), param("noi", require=False)]
    found = templates.faults(params, {"so": " \u00a0 ", "gio": "08:00"})
    assert codes(found) == [("ten", "missing"), ("so", "empty"), ("gio", "unknown")]
    assert all(one.name in one.vi and one.name in one.en for one in found)


@given(some.text(alphabet=some.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=60))
@example("Trần Thị Hường" * 3)
@example("👩‍👩‍👧‍👦" * 5)
@example("🇻🇳" * 15)
@example(unicodedata.normalize("NFD", "Nguyễn Thị Ngọc Ánh Hường"))
def test_a_length_is_code_points_of_the_composed_text(text):
    composed = unicodedata.normalize("NFC", text)
    for given_text in (text, composed, unicodedata.normalize("NFD", text)):
        found = codes(templates.faults([param(most=20)], {"ten": given_text}))
        wanted = [("ten", "empty")] if not composed.strip() else [("ten", "long")] * (len(composed) > 20)
        assert found == wanted


def test_an_nfd_name_of_thirty_letters_is_not_too_long():
    name = "ừ" * 30
    assert len(unicodedata.normalize("NFD", name)) == 90
    assert templates.faults([param(most=30)], {"ten": unicodedata.normalize("NFD", name)}) == []
    assert codes(templates.faults([param(most=30)], {"ten": name + "ừ"})) == [("ten", "long")]


def test_an_emoji_counts_as_the_code_points_it_is_made_of():
    family = "👩‍👩‍👧‍👦"
    assert len(family) == 7
    assert templates.faults([param(most=7)], {"ten": family}) == []
    assert codes(templates.faults([param(most=6)], {"ten": family})) == [("ten", "long")]


# The contract's table, written again: type, most characters
LENGTHS = [
    ("name", 30), ("phone", 15), ("address", 200), ("code", 30), ("label", 30), ("status", 30), ("contact", 50),
    ("title", 5), ("product", 200), ("amount", 20), ("otp", 10), ("url", 200), ("currency", 12), ("bank note", 90),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "most"), LENGTHS)
def test_a_type_has_its_most_where_zalo_names_none(kind, most):
    for spelled in (kind, kind.upper(), kind.title()):
        assert templates.longest(param(kind=spelled)) == most
    assert templates.faults([param(kind=kind)], {"ten": "a" * most}) == []
    assert codes(templates.faults([param(kind=kind)], {"ten": "a" * (most + 1)})) == [("ten", "long")]


def test_the_length_that_zalo_names_goes_before_the_type_s():
    assert templates.longest(param(kind="NAME", most=100)) == 100
    assert templates.longest(param(kind="NAME", most=0)) == 30
    assert templates.longest(param(kind="STRING")) is None
    assert templates.faults([param(kind="STRING")], {"ten": "a" * 5_000}) == []


def test_a_text_that_is_too_short_is_found():
    assert codes(templates.faults([param(least=3)], {"ten": "ab"})) == [("ten", "short")]
    assert templates.faults([param(least=3)], {"ten": "abc"}) == []
    assert templates.faults([param(least=3, require=False)], {"ten": ""}) == []


@pytest.mark.parametrize("letter", ["\n", "\t", "\x00", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\ud800"])
def test_a_control_character_is_found(letter):
    assert codes(templates.faults([param()], {"ten": f"An{letter}Bình"})) == [("ten", "control")]


@pytest.mark.parametrize(
    "text", ["08:00", "08:00:30", "23:59:59 31/12/2026", "14:30 24/11/2026", "24/11/2026", "11/2026"]
)
@pytest.mark.parametrize("kind", ["TIME", "DATE", "time", "11"])
def test_a_time_in_one_of_zalo_s_shapes_is_taken(kind, text):
    assert templates.faults([param(kind=kind)], {"ten": text}) == []


@pytest.mark.parametrize(
    "text",
    ["8h", "24:00", "08:60", "2026-11-24", "24-11-2026", "32/11/2026", "24/13/2026", "13/2026", "mai",
     "24/11/2026 14:30", "٠٨:٠٠", "08:00x"],
)  # fmt: skip
def test_a_time_in_any_other_shape_is_found(text):
    assert codes(templates.faults([param(kind="DATE")], {"ten": text})) == [("ten", "format")]


anything = some.text(max_size=50)
any_param = some.builds(
    param,
    name=some.sampled_from(["a", "b", "c"]),
    kind=some.sampled_from(["STRING", "DATE", "NAME", "", "3"]) | anything,
    most=some.none() | some.integers(-5, 40),
    least=some.none() | some.integers(-5, 40),
    require=some.booleans(),
)


@given(some.lists(any_param, max_size=5), some.dictionaries(anything, anything, max_size=5))
def test_whatever_zalo_lists_and_whatever_is_given_is_judged_without_an_error(params, data):
    for found in (templates.faults(params, data), templates.mismatch(params, data, {"number": "A042"})):
        said = templates.sentence(found)
        assert len(said) <= templates.LONGEST_SENTENCE and bool(said) == bool(found)


# The configuration


def test_patterns_that_fit_have_no_mismatch():
    params = [param("ten", "NAME"), param("ngay", "DATE"), param("gio", "TIME"), param("them", require=False)]
    configured = {"ten": "{name}", "ngay": "{date}", "gio": "{time} {date}"}
    assert templates.mismatch(params, configured, {"time": "08:00", "date": "24/11/2026"}) == []


def test_a_parameter_that_only_one_side_knows_is_found_without_any_message():
    params = [param("ten"), param("so"), param("tuy_y", require=False)]
    found = templates.mismatch(params, {"ten": "{name}", "soo": "{number}"})
    assert codes(found) == [("so", "missing"), ("soo", "unknown")]


def test_a_pattern_that_is_too_long_by_itself_is_found():
    found = templates.mismatch([param(kind="TITLE")], {"ten": "Kính thưa {name}"})
    assert codes(found) == [("ten", "long")]


def test_a_place_of_this_station_that_may_be_too_long_is_found():
    params = [param("noi", most=20)]
    assert templates.mismatch(params, {"noi": "{place}"}, {"place": "Nhà văn hoá"}) == []
    assert codes(templates.mismatch(params, {"noi": "{place}"}, {"place": "x" * 21})) == [
        ("noi", "may_be_long")
    ]
    decomposed = unicodedata.normalize("NFD", "Nhà văn hoá phường 5")
    assert templates.mismatch(params, {"noi": "{place}"}, {"place": decomposed}) == []


def test_a_parameter_that_config_leaves_empty_is_found():
    assert codes(templates.mismatch([param()], {"ten": "  "})) == [("ten", "empty")]
    assert templates.mismatch([param(require=False)], {"ten": ""}) == []


@pytest.mark.parametrize("pattern", ["{name", "}", "{name.first}", "{name[0]}", "{0!x}", "{:"])
def test_a_malformed_pattern_is_found(pattern):
    assert codes(templates.mismatch([param()], {"ten": pattern}, {"name": "An"}))[0] == ("ten", "pattern")


def test_a_date_that_is_filled_with_something_else_is_found():
    known = {"time": "08:00", "date": "24/11/2026", "number": "A042"}
    assert codes(templates.mismatch([param(kind="DATE")], {"ten": "{number}"}, known)) == [("ten", "format")]
    assert codes(templates.mismatch([param(kind="DATE")], {"ten": "ngày {date}"}, known)) == [
        ("ten", "format")
    ]
    assert templates.mismatch([param(kind="DATE")], {"ten": "{whenever}"}, known) == []


def test_many_problems_are_said_in_both_languages_and_within_a_reason_s_length():
    found = templates.faults([param(f"tham_so_{n}") for n in range(20)], {})
    said = templates.sentence(found)
    vietnamese, english = said.split(" / ")
    assert vietnamese.startswith("thiếu tham số tham_so_0; ") and vietnamese.endswith("; …")
    assert english.startswith("parameter tham_so_0 is missing; ") and english.endswith("; …")
    assert len(said) <= templates.LONGEST_SENTENCE
    assert templates.sentence([]) == ""
