"""What modems say is kept, counted against their SIM's day, and becomes an alert where a person is needed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import alerts, database, modems, tables
from gateway.checkup import texts
from tests.gateway.simcards import State, configured, parts, seen, told

HOUR, DAY = 3_600, 86_400


@pytest.fixture
def own(config):
    return configured(config)


def open_alerts(engine):
    with database.reading(engine) as session:
        return {one.key: one.data for one in alerts.open_ones(session)}


def look(engine, config, now):
    with database.writing(engine) as session:
        modems.look(session, config, now)


def test_what_a_modem_says_is_seen_with_its_signal_and_its_sims_day(engine, own, eight):
    told(engine, State(), eight)
    parts(engine, ["delivered", "delivered", "failed", "handed"], eight - 60)
    one = seen(engine, own, eight + 30)
    assert (one.well, one.bars, one.advice, one.full) == (True, 3, "", False)
    assert one.counted == modems.Counted(sent=4, last_hour=4, delivered=2, failed=1, unknown=0)
    assert (one.per_day, one.per_minute) == (150, 6)


def test_a_part_that_nobody_knows_of_is_unknown_only_when_its_answer_is_late(engine, own, eight):
    parts(engine, ["claimed"], eight)
    assert seen(engine, own, eight + 10).counted.unknown == 0
    assert seen(engine, own, eight + 200).counted.unknown == 1


def test_the_day_is_the_stations_and_the_last_hour_reaches_over_midnight(engine, own, eight):
    midnight = eight - 8 * HOUR
    parts(engine, ["delivered"] * 2, midnight - 600)
    parts(engine, ["delivered"] * 3, midnight + 60)
    counted = seen(engine, own, midnight + 120).counted
    assert (counted.sent, counted.last_hour, counted.delivered) == (3, 5, 3)


def test_a_sim_whose_day_is_used_up_says_so(engine, own, eight):
    parts(engine, ["delivered"] * 40, eight, channel="sim2")
    assert seen(engine, own, eight, "sim2").full and not seen(engine, own, eight).full


def test_a_modem_that_never_spoke_says_what_to_do(engine, own, eight):
    one = seen(engine, own, eight)
    assert (one.said, one.well) == (None, False) and "gateway work" in one.advice


def test_what_was_said_long_ago_is_not_taken_for_now(engine, own, eight):
    told(engine, State(), eight)
    one = seen(engine, own, eight + modems.SAID_SECONDS)
    assert not one.well and one.bars is None and one.advice == modems.UNHEARD


@pytest.mark.parametrize(
    "dbm, bars", [(None, None), (-113, 0), (-109, 1), (-97, 2), (-85, 3), (-73, 4), (-51, 4)]
)
def test_bars_are_those_of_a_handset(dbm, bars):
    assert modems.bars(dbm) == bars


@pytest.mark.parametrize(
    "state, word",
    [
        (State(state="refused", sim="pin", network=""), "pin_file"),
        (State(state="refused", sim="puk", network=""), "PUK"),
        (State(state="refused", sim="absent", network=""), "lắp lại SIM"),
        (State(state="refused", sim="failure", network=""), "SIM lỗi"),
        (State(state="refused", network="denied"), "từ chối SIM"),
    ],
)
def test_a_sim_that_needs_hands_is_an_alert_until_it_is_ready(engine, own, eight, state, word):
    told(engine, state, eight)
    found = open_alerts(engine)
    assert list(found) == ["sim:modem"] and word in found["sim:modem"]["reason"]
    told(engine, State(state="opening", sim="", network=""), eight + 10)
    assert "sim:modem" in open_alerts(engine)
    told(engine, State(), eight + 20)
    assert open_alerts(engine) == {}


def test_a_modem_that_is_not_ready_is_an_alert_only_after_ten_minutes(engine, own, eight):
    told(engine, State(state="silent", since=eight), eight)
    look(engine, own, eight + 599)
    assert open_alerts(engine) == {}
    told(engine, State(state="silent", since=eight), eight + 590)
    look(engine, own, eight + 600)
    assert "rút nguồn" in open_alerts(engine)["modem:modem"]["reason"]
    told(engine, State(), eight + 700)
    assert open_alerts(engine) == {}


def test_a_modem_that_changes_its_excuse_is_away_since_it_first_was(engine, own, eight):
    told(engine, State(state="silent"), eight)
    told(engine, State(state="silent", reason="khác / other"), eight + 500)
    assert seen(engine, own, eight + 500).said.since == eight


def test_a_modem_whose_host_went_with_it_is_an_alert_too(engine, own, eight):
    told(engine, State(), eight)
    look(engine, own, eight + 599)
    assert open_alerts(engine) == {}
    look(engine, own, eight + 600)
    assert open_alerts(engine)["modem:modem"]["reason"] == modems.UNHEARD


def test_a_process_that_merely_looks_for_the_port_does_not_speak_for_it(engine, own, eight):
    told(engine, State(), eight, host="pi:1")
    assert not told(engine, State(state="gone", sim=""), eight + 5, host="server:1")
    assert not told(engine, State(state="gone", sim=""), eight + 5, host="pi:2")
    assert seen(engine, own, eight + 5).well
    assert told(engine, State(state="gone", sim=""), eight + 5, host="pi:1")
    assert told(engine, State(), eight + 6, host="pi:2")


def test_a_process_that_died_with_its_port_keeps_nobody_from_speaking_for_long(engine, own, eight):
    told(engine, State(), eight, host="pi:1")
    assert told(engine, State(state="gone", sim=""), eight + modems.SAID_SECONDS, host="pi:2")


def test_rubbish_from_the_line_is_stored_as_far_as_a_column_holds_it(engine, own, eight):
    wild = State(operator="Viet\0tel" * 20, model="\ud800\r\nE", reason="x" * 999, signal=None, stored=-1)
    told(engine, wild, eight)
    said = seen(engine, own, eight).said
    assert (len(said.operator), said.model, len(said.reason), said.stored) == (40, "E", 200, 0)


def test_a_modem_that_left_the_configuration_is_forgotten_after_a_day(engine, own, eight):
    told(engine, State(state="refused", sim="puk"), eight, channel="old")
    told(engine, State(), eight, channel="modem")
    with database.writing(engine) as session:
        assert modems.forget_gone(session, own, eight + HOUR) == 0
        assert modems.forget_gone(session, own, eight + DAY + 1) == 1
        assert session.scalars(select(tables.ModemState.channel)).all() == ["modem"]
    assert open_alerts(engine) == {}


def test_every_advice_has_both_languages():
    words = [modems.UNHEARD, modems.UNKNOWN, *modems._SIM.values(), *modems._NETWORK.values()]
    words += [*modems._STATE.values(), modems._WEAK, modems._FULL]
    assert all(len(one.split(" / ")) == 2 and len(one) <= 250 for one in words)


@pytest.mark.parametrize(
    "state, word", [(State(signal=-107), "Sóng yếu"), (State(stored=24), "Bộ nhớ"), (State(), "")]
)
def test_a_modem_that_is_ready_may_still_want_something(engine, own, eight, state, word):
    told(engine, state, eight)
    one = seen(engine, own, eight)
    assert one.well and one.advice.startswith(word)


def test_a_network_that_refuses_the_sim_is_an_alert_at_once_and_over_when_it_takes_it_again(make_town, until):
    town = make_town(GATEWAY_SMS__PROVIDERS='["modem"]')
    town.work()
    until(lambda: well(town))
    town.sandbox.modem.register(3)
    until(lambda: "sim:modem" in open_alerts(town.engine))
    until(lambda: not checked(town).well)
    assert not well(town) and "denied" in checked(town).text
    town.sandbox.modem.register(1)
    until(lambda: open_alerts(town.engine) == {})
    until(lambda: well(town))
    assert checked(town).well and "told" in checked(town).text


def well(town):
    return seen(town.engine, town.config, town.now()).well


def checked(town):
    return next(one for one in texts.findings(town.config, town.engine, town.now()) if one.part == "modem")
