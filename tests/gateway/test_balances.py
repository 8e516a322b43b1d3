"""The providers' accounts are asked once an hour, and one that runs low is an alert before the evening."""

from __future__ import annotations

import pytest

from gateway import alerts, balances, database
from tests.gateway.simcards import configured


class Provider:
    """Says its balance, or fails; counts how often it was asked."""

    def __init__(self, says):
        self.says, self.asked = says, 0

    def balance(self):
        self.asked += 1
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


class Modem:
    """Has no account."""


@pytest.fixture
def own(config):
    return configured(config)


def known(engine, channel="esms"):
    with database.reading(engine) as session:
        return next((one for one in balances.all_known(session) if one.channel == channel), None)


def open_alerts(engine):
    with database.reading(engine) as session:
        return {one.key: one.data["reason"] for one in alerts.open_ones(session)}


def test_each_account_is_asked_once_an_hour(engine, own, eight):
    lanes = {"esms": Provider(500_000), "vina": Provider(None), "modem": Modem(), "zalo": Provider(1)}
    assert balances.look(engine, lanes, own, eight) == 2
    assert balances.look(engine, lanes, own, eight + 3_599) == 0
    assert balances.look(engine, lanes, own, eight + 3_600) == 2
    assert (lanes["esms"].asked, lanes["vina"].asked, lanes["zalo"].asked) == (2, 2, 0)
    assert known(engine) == balances.Balance("esms", 500_000, eight + 3_600, "", eight + 3_600)
    assert known(engine, "vina").dong is None


def test_a_clock_that_was_set_back_is_no_reason_to_wait(engine, own, eight):
    lanes = {"esms": Provider(500_000)}
    balances.look(engine, lanes, own, eight)
    assert balances.look(engine, lanes, own, eight - 3_600) == 1


def test_a_failure_keeps_the_last_amount_stops_nobody_and_is_tried_again_soon(engine, own, eight):
    lanes = {"esms": Provider(500_000), "vina": Provider(7_000_000)}
    balances.look(engine, lanes, own, eight)
    lanes["esms"].says = RuntimeError("key=abc")
    balances.look(engine, lanes, own, eight + 3_600)
    assert known(engine) == balances.Balance("esms", 500_000, eight, "RuntimeError", eight + 3_600)
    assert known(engine, "vina").at == eight + 3_600
    assert balances.look(engine, lanes, own, eight + 3_600 + 599) == 0
    assert balances.look(engine, lanes, own, eight + 3_600 + 600) == 1


def test_an_account_that_runs_low_is_an_alert_until_it_is_topped_up(engine, own, eight):
    lanes = {"esms": Provider(99_999)}
    balances.look(engine, lanes, own, eight)
    assert "99.999 đồng" in open_alerts(engine)["balance:esms"]
    assert balances.low(known(engine), own)
    lanes["esms"].says = 100_000
    balances.look(engine, lanes, own, eight + 3_600)
    assert open_alerts(engine) == {} and not balances.low(known(engine), own)


def test_who_wants_no_such_alert_gets_none(engine, config, eight):
    own = configured(config, balance_low=0)
    balances.look(engine, {"esms": Provider(0)}, own, eight)
    assert open_alerts(engine) == {} and not balances.low(known(engine), own)


@pytest.mark.parametrize("answer", ["5000", 10**30, 1.5, b"x"])
def test_what_is_no_amount_is_not_taken_for_one(engine, own, eight, answer):
    balances.look(engine, {"esms": Provider(answer)}, own, eight)
    assert known(engine).dong is None and open_alerts(engine) == {}
