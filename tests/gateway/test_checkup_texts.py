"""`gateway check` looks at every lane of text messages: modems and SIMs, accounts, message centres."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pydantic
import pytest
import serial

from gateway import checkup, database, tables
from gateway.channels import codes
from gateway.rules import settings
from gateway.rules.smpp.pdus import Status
from gateway.sandbox import network
from gateway.sandbox.modem import Fault, ModemStandIn
from gateway.sandbox.smsc import Smsc
from tests.conftest import free_port
from tests.gateway import simcards
from tests.gateway.answering import host
from tests.gateway.simcards import State

__all__ = ["host"]
SECRETS = {
    "sms.esms.api_key": "KEY-of-esms",
    "sms.esms.secret_key": "SECRET-of-esms",
    "sms.esms.callback_secret": "CALLBACK",
    "sms.http.vina.secret": "SECRET-of-vina",
    "sms.http.vina.callback_secret": "CALLBACK",
    "sms.smpp.password": "smppsand",
}


@pytest.fixture
def checked(config, engine, eight):
    """checked(providers, **sections): the findings of a station with these lanes, by part."""

    def check(*providers, given=SECRETS, now=eight, **sections):
        own = settings.Sms.model_validate({"providers": providers, **sections})
        ladder = config.notices.model_copy(update={"ladder": ("sms",)})
        nowhere = config.zalo.model_copy(update={"oauth_base": f"http://127.0.0.1:{free_port()}"})
        hidden = {name: pydantic.SecretStr(text) for name, text in given.items()}
        here = config.model_copy(update={"sms": own, "notices": ladder, "secrets": hidden, "zalo": nowhere})
        return {one.part: one for one in checkup.findings(here, engine, now)}

    return check


@pytest.fixture
def sim(tmp_path):
    """A modem that answers; `sim(pin=…)`."""
    made = []

    def make(**options):
        one = ModemStandIn(tmp_path / "port", network.Network(tmp_path / "phones.jsonl"), delay=0, **options)
        one.start()
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()


def modem(url, **more):
    return {"modem": {"url": url, "price": 300, **more}}


# Modems


def test_a_modem_that_a_worker_has_is_told_by_its_row_and_its_port_is_left_alone(checked, engine, eight):
    simcards.alive(engine, eight, "modem")
    simcards.told(engine, State(), eight - 20)
    found = checked("modem", **modem("serial:///nowhere/at/all"))["modem"]
    assert found.well
    for word in ("E173", "SIM ready", "home network", "Viettel", "-77 dBm", "told 20 s ago"):
        assert word in found.text


def test_a_worker_whose_sim_is_locked_says_what_to_do(checked, engine, eight):
    simcards.alive(engine, eight, "modem")
    simcards.told(engine, State(state="refused", sim="puk", network="", signal=None), eight)
    found = checked("modem", **modem("serial:///nowhere"))["modem"]
    assert not found.well and "PUK" in found.text and "nowhere" not in found.text


def test_where_nobody_has_the_port_the_modem_is_asked_itself(checked, sim):
    one = sim()
    one.signal(18)
    found = checked("modem", **modem(one.url))["modem"]
    assert found.well, found
    for word in ("SIM ready", "home network", "Viettel", "-77 dBm", "asked now"):
        assert word in found.text
    assert one.judge.violations == []


@pytest.mark.parametrize(
    "state, place, word",
    [("SIM PUK", 1, "PUK"), ("absent", 1, "no SIM"), ("READY", 3, "denied"), ("READY", 2, "searching")],
)
def test_a_sim_or_network_that_refuses_is_named(checked, sim, state, place, word):
    one = sim()
    one.sim_state(state)
    one.register(place)
    found = checked("modem", **modem(one.url))["modem"]
    assert not found.well and word in found.text, found


def test_a_sim_that_wants_its_pin_is_never_given_one_by_the_check(checked, sim):
    one = sim(pin="1234")
    found = checked("modem", given={**SECRETS, "sms.modem.pin": "1111"}, **modem(one.url))["modem"]
    assert not found.well and "wants its PIN" in found.text and one.pin_tries == 0


def test_a_modem_that_says_nothing_is_silent(checked, sim):
    one = sim()
    one.silence(30)
    assert "the modem is silent" in checked("modem", **modem(one.url))["modem"].text


def test_a_modem_that_does_not_know_a_question_is_still_told_of(checked, sim):
    one = sim()
    for question in (r"AT\+COPS\?", r"AT\+CGMM", r"AT\+CSQ"):
        one.script(Fault.ANSWER, command=question, lines=("ERROR",), times=None)
    found = checked("modem", **modem(one.url))["modem"]
    assert found.well and "signal unknown" in found.text


def test_a_port_that_is_not_there_or_is_held_says_so(checked, sim, tmp_path):
    assert "no port /nowhere" in checked("modem", **modem("serial:///nowhere"))["modem"].text
    one = sim()
    with serial.Serial(str(tmp_path / "port"), exclusive=True):
        assert "held by another process" in checked("modem", **modem(one.url))["modem"].text


def test_a_modem_of_another_host_is_not_looked_for_here(checked, config, engine, eight):
    own = simcards.configured(config, providers=["modem"])
    only = own.notices.model_copy(update={"ladder": ("sms",), "lanes": ("esms",)})
    found = {
        one.part: one for one in checkup.findings(own.model_copy(update={"notices": only}), engine, eight)
    }
    assert not found["modem"].well and "its host says nothing" in found["modem"].text


# Providers


def test_the_balance_proves_the_keys_and_no_key_is_shown(checked, host):
    host.answers = [{"CodeResponse": "100", "Balance": 450000, "UserID": "1"}]
    found = checked("esms", esms={"base": host.url, "price": 500})
    assert found["esms"] == checkup.Finding("esms", True, "còn 450.000 đồng / 450,000 đồng left")
    assert all("KEY-of" not in one.text and "SECRET-of" not in one.text for one in found.values())
    assert all("KEY-of" not in path for path, _, _ in host.asked)


@pytest.mark.parametrize(
    "answer, word",
    [
        ({"CodeResponse": "101"}, "keys"),
        ({"CodeResponse": "100", "Balance": 99}, "top it up"),
        ((500, {}), "cannot be reached"),
    ],
)
def test_wrong_keys_an_empty_account_and_a_fault_are_told_apart(checked, host, answer, word):
    host.answers = [answer]
    found = checked("esms", esms={"base": host.url, "price": 500})["esms"]
    assert not found.well and word in found.text, found


def test_a_missing_secret_is_named_with_where_to_put_it(checked, host):
    files = ("api_key_file", "secret_key_file", "callback_secret_file")
    own = {"base": host.url, **dict.fromkeys(files, "/nowhere/secret")}
    found = checked("esms", given={}, esms=own)["esms"]
    assert not found.well and "GATEWAY_SMS__ESMS__" in found.text and host.asked == []


def test_a_provider_of_our_own_is_asked_at_its_root_only(checked, host):
    host.answers = [(404, {})]
    own = {"url": f"{host.url}/send?to={{to}}&text={{text}}", "method": "GET", "body": "query", "price": 400}
    found = checked("vina", http={"vina": own})["vina"]
    assert found.well and "its balance cannot be asked" in found.text
    assert [path for path, _, _ in host.asked] == ["/"]


def test_a_provider_that_is_not_there_cannot_be_reached(checked):
    found = checked("esms", esms={"base": f"http://127.0.0.1:{free_port()}"})["esms"]
    assert not found.well and "cannot be reached" in found.text


# SMPP


@pytest.fixture
def centre(tmp_path):
    one = Smsc(network.Network(tmp_path / "phones.jsonl"), None)
    one.start()
    yield one
    one.stop()


def test_a_message_centre_is_knocked_at_and_left(checked, centre):
    found = checked("smpp", smpp={"url": centre.url, "system_id": "sandbox", "price": 1})["smpp"]
    assert found == checkup.Finding("smpp", True, "đăng nhập được / lets us in")
    assert centre.complaints == []


def test_a_message_centre_that_does_not_let_us_in_says_why(checked, centre):
    found = checked("smpp", smpp={"url": centre.url, "system_id": "stranger"})["smpp"]
    assert not found.well and "0x0" in found.text
    known = [codes.complaint("smpp", code).reason for code in ("0x0D", "0x0E", "0x0F")]
    assert any(found.text.startswith(one) for one in known)


def test_a_centre_that_has_the_workers_line_already_is_well(checked, centre, engine, eight):
    centre.manner = replace(centre.manner, bind=Status.ALREADY_BOUND)
    own = {"smpp": {"url": centre.url, "system_id": "sandbox"}}
    assert not checked("smpp", **own)["smpp"].well
    simcards.alive(engine, eight, "smpp")
    assert checked("smpp", **own)["smpp"].well


def test_a_message_centre_that_is_not_there_or_whose_password_is_missing(checked, centre):
    away = checked("smpp", smpp={"url": f"smpp://127.0.0.1:{free_port()}"})["smpp"]
    assert not away.well and "cannot be reached" in away.text
    own = {"url": centre.url, "system_id": "sandbox", "password_file": "/nowhere/smpp_password"}
    found = checked("smpp", given={}, smpp=own)["smpp"]
    assert not found.well and "sms.smpp.password" in found.text


# What else it says


def test_lanes_without_a_price_are_named_and_are_a_fault_where_the_cheapest_goes_first(checked):
    lanes = {"esms": {"price": 0, "base": f"http://127.0.0.1:{free_port()}"}}
    found = checked("esms", **lanes)["sms prices"]
    assert found.well and "esms" in found.text
    assert not checked("esms", order="cheapest", **lanes)["sms prices"].well
    assert (
        checked("esms", esms={**lanes["esms"], "prices": {"viettel": 1}})["sms prices"].text
        == "có đủ / present"
    )


def test_it_works_where_the_schema_is_old(config, tmp_path, eight):
    old = database.connect(f"sqlite:///{tmp_path / 'empty.db'}")
    own = simcards.configured(config, providers=["modem"], modem={"url": "serial:///nowhere"})
    found = {one.part: one for one in checkup.findings(own, old, eight)}
    assert not found["database"].well and "no port" in found["modem"].text


def test_the_check_leaves_no_row_behind(checked, engine, sim):
    checked("modem", **modem(sim().url))
    with database.reading(engine) as session:
        assert session.get(tables.ModemState, "modem") is None
    assert not Path("/nowhere").exists()
