import unicodedata

import pytest

from gateway import channels
from gateway.channels import codes

F = channels.Fault
ALL = [(name, code) for name, table in codes.TABLES.items() for code in table]

# The phone channel's codes as Zalo and its resellers publish them.
PUBLISHED = [
    *range(100, 154), *range(158, 163), *range(1121, 1125), 1091, 1131, 1201, 1202, 1241, 1351, 1381,
    1441, 1471, 1472, 1491,
]  # fmt: skip


def test_every_published_code_of_zalo_is_known():
    assert {f"-{code}" for code in PUBLISHED} == set(codes.ZALO)


@pytest.mark.parametrize(("table", "code"), ALL)
def test_every_code_has_a_sentence_in_both_languages(table, code):
    row = codes.verdict(table, code)
    assert row.vietnamese and row.english and row.vietnamese != row.english
    assert row.vietnamese == unicodedata.normalize("NFC", row.vietnamese)
    assert row.english.isascii()


@pytest.mark.parametrize(("table", "code"), ALL)
def test_every_code_becomes_the_exception_of_its_class(table, code):
    row, fault = codes.verdict(table, code), codes.complaint(table, code, "Nguyên văn")
    if row.fault is None:
        assert isinstance(fault, channels.Unreachable) and fault.sent is False
    else:
        assert isinstance(fault, channels.Refused)
        assert (fault.fault, fault.scope, fault.rest_days) == (row.fault, row.scope, row.rest_days)
    assert code in fault.code and "Nguyên văn" in fault.reason


@pytest.mark.parametrize(
    ("table", "code", "fault", "scope"),
    [
        ("zalo", "-118", F.PERSON, "phone"), ("zalo", "-141", F.PERSON, "phone"), ("zalo", "-144", F.QUOTA, "account"),
        ("zalo", "-147", F.QUOTA, "template"), ("zalo", "-131", F.CONFIG, "template"),
        ("zalo", "-104", F.CONFIG, "channel"), ("zalo", "-124", F.TOKEN, "account"),
        ("zalo", "-133", F.NIGHT, "template"), ("zalo", "-122", F.BUG, "message"), ("zalo", "-100", None, "message"),
        ("esms", "103", F.QUOTA, "account"), ("esms", "99", F.PERSON, "phone"), ("esms", "146", F.CONFIG, "template"),
        ("cms", "1", F.PERSON, "phone"), ("cms", "21", F.CONFIG, "channel"), ("cms", "310", F.CONFIG, "channel"),
        ("cms", "304", F.BUG, "message"), ("cms", "314", None, "message"), ("cms", "38", None, "message"),
        ("cms", "322", None, "message"), ("cme", "11", F.CONFIG, "channel"), ("cme", "30", None, "message"),
    ],
)  # fmt: skip
def test_the_codes_that_matter_most(table, code, fault, scope):
    row = codes.verdict(table, code)
    assert (row.fault, row.scope) == (fault, scope)


def test_a_person_without_zalo_is_left_alone_for_a_month_and_one_who_refused_us_for_a_year():
    assert codes.verdict("zalo", "-118").rest_days == 30
    assert codes.verdict("zalo", "-141").rest_days == 365


@pytest.mark.parametrize("table", codes.TABLES)
def test_a_code_nobody_knows_is_worth_a_repeat_and_shows_what_was_said(table):
    fault = codes.complaint(table, "7777", "điều lạ")
    assert isinstance(fault, channels.Unreachable) and fault.sent is False
    assert "7777" in fault.code and "điều lạ" in fault.reason
