"""Notices through real channels and stand-ins: delivered, or fallen back, never lost, never doubled."""

from __future__ import annotations

import pytest

from gateway.rules.sms import alphabet

AN, BINH, CHI = "+84905123456", "+84905123457", "+84905123458"
PEOPLE = (("Nguyễn Thị An", AN), ("Trần Văn Bình", BINH), ("Lê Thị Ánh Chi", CHI))


def test_a_notice_goes_by_zalo_and_its_signed_receipt_ends_it(make_town, until):
    town = make_town()
    town.serve()
    town.work()
    town.register(PEOPLE[0])
    assert town.number() == 1
    until(town.settled)
    assert town.notices() == {AN: ("delivered", "")}
    assert town.attempts(AN) == [("zalo", "delivered")]
    (message,) = town.messages(AN)
    assert message["via"] == "zalo"
    assert all(part in message["text"] for part in ("001", "N. T. AN", "An Mỹ", "07:30"))


@pytest.mark.parametrize("provider", ["esms", "modem"])
def test_refused_or_unanswered_by_zalo_both_get_the_sms(make_town, until, provider):
    town = make_town(GATEWAY_NOTICES__RECEIPT_WAIT="3", GATEWAY_SMS__PROVIDERS=f'["{provider}"]')
    town.fault("zalo_refused", BINH)
    town.fault("zalo_no_receipt", CHI)
    town.serve()
    town.work()
    town.register(*PEOPLE)
    assert town.number() == 3
    until(town.settled)
    assert town.notices() == {AN: ("delivered", ""), BINH: ("delivered", ""), CHI: ("delivered", "")}
    assert town.attempts(BINH) == [("zalo", "refused"), (provider, "delivered")]
    assert town.attempts(CHI) == [("zalo", "accepted"), (provider, "delivered")]
    sms = [one for one in town.messages(BINH) if one["via"] == "sms"]
    assert len(sms) == 1
    expected = "CA TP: Lich hen T. V. BINH: so 002, 07:30 "
    assert sms[0]["text"].startswith(expected)
    assert alphabet.unaccent(sms[0]["text"]) == sms[0]["text"]


def test_an_accented_sms_comes_out_of_its_pdus_as_it_went_in(make_town, until):
    town = make_town(GATEWAY_SMS__PROVIDERS='["modem"]', GATEWAY_SMS__UNACCENTED="false")
    town.fault("zalo_refused", BINH)
    town.serve()
    town.work()
    town.register(PEOPLE[1])
    town.number()
    until(town.settled)
    (message,) = town.messages(BINH)
    assert message["text"].startswith("CA TP: Lịch hẹn T. V. BÌNH: số 001, 07:30 ")
    assert message["text"].split(" ")[-1].startswith("http://127.0.0.1:")
    assert message["parts"] > 1


def test_a_send_with_an_unknown_outcome_is_never_repeated_on_zalo(make_town, until):
    town = make_town(GATEWAY_NOTICES__UNKNOWN_WAIT="1", GATEWAY_ZALO__TIMEOUT="1")
    town.fault("zalo_timeout", AN)
    town.fault("zalo_no_receipt", AN)
    town.serve()
    town.work()
    town.register(PEOPLE[0])
    town.number()
    until(town.settled)
    assert town.notices() == {AN: ("delivered", "")}
    assert town.attempts(AN) == [("zalo", "unknown"), ("esms", "delivered")]
    assert [one["via"] for one in town.messages(AN)] == ["sms"]


def test_a_receipt_settles_what_a_time_out_left_unknown_and_no_sms_is_sent(make_town, until):
    town = make_town(GATEWAY_ZALO__TIMEOUT="1")
    town.fault("zalo_timeout", AN)
    town.serve()
    town.work()
    town.register(PEOPLE[0])
    town.number()
    until(town.settled)
    assert town.notices() == {AN: ("delivered", "")}
    assert town.attempts(AN) == [("zalo", "delivered")]
    assert [one["via"] for one in town.messages(AN)] == ["zalo"]


def test_without_any_way_to_reach_them_the_notice_fails_with_its_reason(make_town, until):
    town = make_town(GATEWAY_NOTICES__RECEIPT_WAIT="3")
    town.fault("zalo_refused", AN)
    town.fault("sms_failed", AN)
    town.serve()
    town.work()
    town.register(PEOPLE[0])
    town.number()
    until(town.settled)
    state, reason = town.notices()[AN]
    assert state == "failed"
    assert reason != ""
    assert town.attempts(AN) == [("zalo", "refused"), ("esms", "undelivered"), ("modem", "undelivered")]


def test_a_sim_whose_day_is_used_up_is_spared_and_its_notices_wait_with_the_reason(make_town, until):
    town = make_town(
        GATEWAY_NOTICES__LADDER='["sms"]', GATEWAY_SMS__PROVIDERS='["modem"]', GATEWAY_SMS__MODEM__PER_DAY="1"
    )
    town.serve()
    town.work()
    town.register(PEOPLE[0])
    town.number()
    until(town.settled)
    town.register(PEOPLE[1])
    town.number()
    until(lambda: town.notices()[BINH][1])
    state, reason = town.notices()[BINH]
    assert (state, reason.rpartition(" / ")[2]) == ("created", "the SIM's day is used up")
    assert town.messages(BINH) == []


def test_a_modem_s_rate_makes_a_notice_wait_not_fail(make_town, until):
    town = make_town(
        GATEWAY_NOTICES__LADDER='["sms"]',
        GATEWAY_SMS__PROVIDERS='["modem"]',
        GATEWAY_SMS__MODEM__PER_MINUTE="1",
    )
    town.serve()
    town.work()
    town.register(*PEOPLE[:2])
    town.number()
    until(lambda: ("modem", "postponed") in town.attempts(AN) + town.attempts(BINH))
    assert sorted(state for state, _ in town.notices().values()) in (
        ["created", "delivered"],
        ["created", "sent"],
    )
