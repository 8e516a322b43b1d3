import re
import unicodedata

import pytest

from gateway import channels
from gateway.channels import codes

F = channels.Fault
ALL = [(name, code) for name, table in codes.TABLES.items() for code in table]

# Written from the providers' own lists, not from the program: class, what it holds for, days of rest.
# R repeat, C configuration, P person, T token, Q quota, N night, B our bug, - a feature that is not ours.
PHONE = """
-100 R msg      -101 C all      -102 C all      -103 C all      -104 C all      -105 C all      -106 B all
-107 C msg      -108 P phone    -109 C template -1091 - msg     -110 P phone 30 -111 C msg      -112 C msg
-1121 C msg     -1122 C template -1123 R msg    -1124 C msg     -113 C template -1131 C template
-114 P phone 7  -115 Q oa       -116 C msg      -117 C template -118 P phone 30 -119 P phone 30 -120 C oa
-1201 C template -1202 C template -121 B msg    -122 B msg      -123 B msg      -124 T oa       -1241 C all
-125 C oa       -126 C oa       -127 C oa       -128 C all      -129 C all      -130 C msg      -131 C template
-132 C msg      -133 N template -134 P phone    -135 C oa       -1351 C oa      -136 C oa       -137 Q oa
-138 C all      -1381 C oa      -139 P phone 365 -140 P phone 7 -141 P phone 365 -142 - msg     -143 - msg
-144 Q oa       -1441 Q oa      -145 C template -146 C template -147 Q template -1471 P phone 1 -1472 P phone 1
-148 - msg      -149 - msg      -1491 - msg     -150 - msg      -151 C template -152 C template -153 C msg
-158 C msg      -159 C msg      -160 C oa       -161 C oa       -162 C oa
"""
OA = """
-32 R msg       -100 C msg      -200 R msg      -201 C msg      -201u P phone   -204 C oa       -205 C oa
-209 C all      -210 C msg      -211 Q oa       -212 C all      -213 P phone 1  -216 T oa       -217 P phone 1
-218 P phone 1  -219 C all      -220 T oa       -221 C oa       -222 T oa       -223 C oa       -224 C oa
-227 P phone 7  -230 P phone    -232 P phone    -233 C msg      -234 N template -235 C oa       -237 - msg
-238 - msg      -240 B all      -241 - msg      -242 C all      -244 P phone 365 -248 C template
-249 C template 7 -320 C oa     -321 Q oa       -403 - msg      -1340 - msg     -1341 - msg     112 C all
452 T oa
"""
ESMS = """
99 P phone      101 C all       102 C oa        103 Q oa        104 C oa        105 C msg       106 C msg
107 C all       108 P phone     110 C msg       118 C all       120 C msg       140 C all       146 C template
177 C phone     204 C oa        300 C all       301 C all
"""
SPEEDSMS = """
007 C all       008 C oa        009 C oa        101 C oa        105 P phone     110 C msg       113 C msg
300 Q oa        500 R msg
"""
HTTP = {
    "later": (None, "message", None), "person": (F.PERSON, "phone", None), "config": (F.CONFIG, "account", None),
    "template": (F.CONFIG, "template", None), "message": (F.CONFIG, "message", None),
    "quota": (F.QUOTA, "account", None), "bug": (F.BUG, "message", None),
}  # fmt: skip
LETTERS = {
    "R": None,
    "C": F.CONFIG,
    "P": F.PERSON,
    "T": F.TOKEN,
    "Q": F.QUOTA,
    "N": F.NIGHT,
    "B": F.BUG,
    "-": F.BUG,
}
SCOPES = {"msg": "message", "phone": "phone", "template": "template", "oa": "account", "all": "channel"}
_ROW = re.compile(r"(-?[0-9]+u?) ([RCPTQNB-]) ([a-z]+)(?: ([0-9]+)(?=\s))?")


def published(text):
    return {
        code: (LETTERS[letter], SCOPES[scope], int(rest) if rest else None)
        for code, letter, scope, rest in _ROW.findall(text)
    }


def shown(table):
    return {code: (row.fault, row.scope, row.rest_days) for code, row in codes.TABLES[table].items()}


def test_the_phone_hosts_codes_are_those_published_each_with_its_class_scope_and_rest():
    assert shown("zalo") == published(PHONE)
    assert len(published(PHONE)) == 74


def test_the_official_accounts_codes_are_those_published_each_with_its_class_scope_and_rest():
    assert shown("oa") == published(OA)
    assert len(published(OA)) == 42


def test_esms_codes_are_those_published_each_with_its_class_and_scope():
    assert shown("esms") == published(ESMS)
    assert len(published(ESMS)) == 18
    assert {"100", "124", "199"} == codes.ESMS_TAKEN


def test_speedsms_codes_are_those_published_and_a_number_it_calls_invalid_is_the_persons():
    assert shown("speedsms") == published(SPEEDSMS) | {"invalidPhone": (F.PERSON, "phone", None)}
    assert len(published(SPEEDSMS)) == 9


def test_the_words_of_a_described_provider_each_have_a_class_and_a_scope():
    assert shown("http") == HTTP


def test_a_template_by_user_id_is_judged_by_the_accounts_codes_and_then_as_a_template():
    assert shown("zalo_uid") == published(PHONE) | published(OA)


@pytest.mark.parametrize(
    "said",
    [
        "user_id is invalid",
        "Params: USER_ID is not valid",
        "user id does not exist",
        "Invalid user_id",
        "userid invalid",
    ],
)
def test_a_parameter_that_is_no_user_id_is_told_from_others(said):
    fault = codes.complaint("oa", "-201", said)
    assert (fault.code, fault.fault, fault.scope) == ("-201u", F.PERSON, "phone")


@pytest.mark.parametrize("said", ["", "text is invalid", "user_id is missing", "template_data invalid"])
def test_other_parameters_are_our_own_fault(said):
    fault = codes.complaint("oa", "-201", said)
    assert (fault.code, fault.fault, fault.scope) == ("-201", F.CONFIG, "message")


def test_the_phone_host_has_no_user_ids():
    assert codes.complaint("zalo", "-201", "user_id is invalid").code == "-201"


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
