"""Texts and reports that come to the stand-in modem: stored, told, acknowledged, held by the network; and its PIN."""

import pytest

from gateway.rules.sms import pdu
from gateway.sandbox import air, modem
from tests.gateway import dialling
from tests.gateway.dialling import AN, BINH, SOON, ask, line, made, report, submit

phones, make, sim, port = dialling.phones, dialling.make, dialling.sim, dialling.port
TWO = "Tôi tới lúc 14:30. " * 5


def test_a_text_from_a_person_waits_in_the_memory_until_it_is_deleted(port, sim):
    sim.incoming(AN, "XN A042 – tới đúng giờ")
    assert line(port) == '+CMTI: "ME",1'
    said = ask(port, "AT+CMGR=1")
    assert said[1].startswith("0,,") and pdu.read_deliver(said[2]).text == "XN A042 – tới đúng giờ"
    assert ask(port, "AT+CMGR=1")[1].startswith("1,,")  # read by now
    assert ask(port, "AT+CMGL=4")[0] == "+CMGL:"
    assert ask(port, "AT+CMGL=0") == ["OK"]
    assert ask(port, "AT+CMGD=1") == ["OK"]
    assert ask(port, "AT+CMGL=4") == ["OK"]


def test_deleting_by_flag_leaves_what_was_not_read(port, sim):
    for _ in range(3):
        sim.incoming(AN, "XN")
        line(port)
    ask(port, "AT+CMGR=2")
    assert ask(port, "AT+CMGD=1,3") == ["OK"]
    assert [one.split(",")[0] for one in ask(port, "AT+CMGL=4") if one[:2] in ("1,", "2,", "3,")] == [
        "1",
        "3",
    ]
    ask(port, "AT+CMGD=1,4")
    assert sim.stored()["ME"] == 0


def test_a_full_memory_takes_no_more_and_the_network_can_hold_a_text(port, sim):
    for _ in range(modem.MEMORY):
        sim.incoming(AN, "XN")
        line(port)
    with pytest.raises(ValueError):
        sim.incoming(AN, "XN")
    sim.incoming(BINH, "HUY", hold=True)
    assert sim.held == 1
    assert ask(port, "AT+CMGD=7") == ["OK"]
    assert line(port) == '+CMTI: "ME",7'
    assert sim.held == 0


def test_a_long_text_comes_in_parts_in_any_order(port, sim):
    sim.incoming(AN, TWO, reference=700, bits=16, parts=(2, 1))
    places = [line(port).rsplit(",", 1)[1] for _ in range(2)]
    told = [pdu.read_deliver(ask(port, f"AT+CMGR={place}")[2]) for place in places]
    assert [(one.join.reference, one.join.number) for one in told] == [(700, 2), (700, 1)]
    assert pdu.joined(one.text for one in reversed(told)) == TWO


def test_a_text_can_be_told_directly_from_a_name(port, sim):
    ask(port, "AT+CNMI=2,2,0,1,0")
    sim.incoming("VIETTEL", "Quý khách đã hết tiền")
    assert line(port).startswith("+CMT: ,")
    assert pdu.read_deliver(line(port)).sender == "VIETTEL"
    assert sim.stored()["ME"] == 0


def test_reports_can_be_stored_in_a_memory_of_their_own(make):
    sim = make(reports="cdsi")
    with dialling.opened(sim, ready=False) as port:
        ask(port, "ATE0;+CMEE=1;+CMGF=0")
        assert ask(port, "AT+CNMI=2,1,0,1,0") == ["+CMS", "ERROR:", "303"]
        assert ask(port, "AT+CNMI=2,1,0,2,0") == ["OK"]
        submit(port, made()[0])
        assert line(port) == '+CDSI: "SR",1'
        ask(port, 'AT+CPMS="SR"')
        assert pdu.read_report(ask(port, "AT+CMGR=1")[2]).to == AN


def test_a_full_memory_of_reports_holds_them_in_the_network(make):
    sim = make(report_memory=1)
    with dialling.opened(sim) as port:
        ask(port, "AT+CNMI=2,1,0,2,0")
        submit(port, made()[0])
        assert line(port) == '+CDSI: "SR",1'
        for _ in range(2):
            submit(port, made()[0])
        assert sim.held == 2
        ask(port, 'AT+CPMS="SR"')
        ask(port, "AT+CMGD=1")
        assert line(port) == '+CDSI: "SR",1'


def test_a_report_that_nobody_acknowledges_stops_the_next(make):
    sim = make()
    with dialling.opened(sim) as port:
        ask(port, "AT+CSMS=1")
        submit(port, made()[0])
        assert report(port).reference == 0
        assert submit(port, made()[0]) == ["+CMGS:", "1", "OK"]
        assert sim.held == 1
        assert ask(port, "AT+CNMA") == ["OK"]
        assert report(port).reference == 1
        assert ask(port, "AT+CNMA=0") == ["OK"]
        assert ask(port, "AT+CNMA") == ["+CMS", "ERROR:", "340"]


def test_without_an_acknowledgement_in_time_nothing_is_told_until_it_is_asked_for_again(make):
    sim = make(ack_seconds=0.02)
    with dialling.opened(sim) as port:
        ask(port, "AT+CSMS=1")
        submit(port, made()[0])
        assert report(port).reference == 0
        assert sim.wait(lambda sim: sim.modes.ds == 0, SOON)
        assert ask(port, "AT+CNMI=2,1,0,1,0") == ["OK"]
        assert report(port).reference == 0


def test_what_comes_while_it_is_unplugged_comes_when_it_is_asked_for(sim):
    sim.script("unplug", at="result", seconds=None, taken=True)
    one = made()[0]
    with dialling.opened(sim) as port:
        assert ask(port, f"AT+CMGS={one.length}") == [">"]
        port.write(one.hex.encode() + b"\x1a")
        assert sim.wait(lambda sim: sim.held == 1, SOON)
    sim.incoming(AN, "XN")
    sim.plug()
    with dialling.opened(sim) as port:
        assert report(port).reference == 0
        assert (sim.held, sim.stored()["ME"]) == (0, 1)


def test_a_pin_is_asked_for_after_every_boot_and_three_wrong_ones_block_the_card(make):
    sim = make(pin="1234")
    with dialling.opened(sim, ready=False) as port:
        assert ask(port, "ATE0;+CMEE=1;+CMGF=0")[-1] == "OK"
        assert ask(port, "AT+CPIN?") == ["+CPIN:", "SIM", "PIN", "OK"]
        assert ask(port, "AT+CREG?")[1] == "0,0"
        assert ask(port, "AT+CMGS=20") == ["+CMS", "ERROR:", "311"]
        assert ask(port, 'AT+CPIN="1234"') == ["OK"]
        assert line(port) == "+CPIN: READY"
        sim.reboot(0)
        assert [line(port) for _ in range(3)] == ["RDY", "+CFUN: 1", "+CPIN: SIM PIN"]
        ask(port, "ATE0;+CMEE=1")
        assert [ask(port, "AT+CPIN=0000")[-1] for _ in range(3)] == ["16", "16", "12"]
        assert ask(port, "AT+CPIN?") == ["+CPIN:", "SIM", "PUK", "OK"]
        assert ask(port, 'AT+CPIN="12345678","1111"') == ["OK"]
    assert sim.pin_tries == 5


def test_a_sim_that_is_absent_or_not_let_in_sends_nothing(port, sim):
    ask(port, "AT+CREG=1")
    sim.register(3)
    assert line(port) == "+CREG: 3"
    assert submit(port, made()[0]) == ["+CMS", "ERROR:", "331"]
    sim.sim_state("absent")
    assert line(port) == "+CREG: 0"
    assert ask(port, "AT+CPIN?") == ["+CME", "ERROR:", "10"]
    assert ask(port, "AT+CMGS=20") == ["+CMS", "ERROR:", "310"]
    with pytest.raises(ValueError):
        sim.sim_state("eaten")


def test_any_pdu_can_arrive(port, sim):
    (text, length), *_ = air.delivers(BINH, "STOP", 1_795_429_800, reference=0)
    sim.arrive(text, length)
    assert line(port) == '+CMTI: "ME",1'
