"""The stand-in modem judges like a real one: what it takes is right, what is wrong gets an error."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.rules.sms import pdu
from gateway.sandbox import faults, modem, network
from tests.gateway import dialling
from tests.gateway.dialling import AN, LONG, SOON, ask, line, made, submit

phones, make, sim, port = dialling.phones, dialling.make, dialling.sim, dialling.port


def test_a_right_text_is_on_the_phone_and_reported(port, phones):
    assert submit(port, made()[0]) == ["+CMGS:", "0", "OK"]
    assert line(port) == "+CDS: 25"
    report = pdu.read_report(line(port))
    assert (report.reference, report.to, report.fate) == (0, AN, pdu.Fate.DELIVERED)
    assert [one.text for one in phones.messages(AN)] == ["Số A042"]


def test_parts_are_shown_when_all_are_there_in_their_order(port, phones):
    for one in reversed(made(LONG, report=False)):
        assert phones.messages(AN) == []
        submit(port, one)
    assert [(one.text, one.parts) for one in phones.messages(AN)] == [(LONG, 3)]


def test_a_wrong_length_is_refused_and_nothing_arrives(port, phones):
    for length in (made()[0].length - 1, made()[0].length + 1):
        assert submit(port, made()[0], length) == ["+CMS", "ERROR:", "304"]
    assert phones.messages(AN) == []


@pytest.mark.parametrize("text", ["", "00", "zz", "0031000B914809153254F60008A71C0053"])
def test_what_is_no_pdu_is_refused(port, sim, text):
    assert ask(port, "AT+CMGS=20") == [">"]
    assert ask(port, text, terminator=b"\x1a") == ["+CMS", "ERROR:", "304"]
    assert len(sim.judge.violations) == 1


def test_no_text_goes_before_pdu_mode(sim):
    with dialling.opened(sim, ready=False) as port:
        assert ask(port, "ATE0") == ["ATE0", "OK"]
        assert ask(port, "AT+CMGS=20") == ["+CMS", "ERROR:", "302"]


@pytest.mark.parametrize(
    "text",
    ["AT+CMGS=3", "AT+CMGS=999", "AT+NONSENSE", "AT+CMGR=77", "hello", "AT+CNMI=9", "AT+CUSD=1", "ATD113;",
     "AT+CMEE=3", 'AT+CPMS="XX"', "AT+CREG=x", "AT+CMGD=0", "AT+CMGD=99", "AT+CMGD=1,5", "AT+CNMA", "AT+CSQ=5",
     "AT+CMGF=", 'AT+CSCS="UCS2"', "AT+CMGW=20", "AT="],
)  # fmt: skip
def test_what_a_modem_does_not_know_is_an_error(port, text):
    assert "ERROR" in " ".join(ask(port, text))
    assert ask(port, "AT") == ["OK"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("ATI", "SANDBOX"), ("AT+CGMM", "SB-1"), ("AT+CPIN?", "+CPIN: READY"), ("AT+CREG?", "+CREG: 0,1"),
     ("AT+CSQ", "+CSQ: 21,99"), ("AT+COPS?", '+COPS: 0,0,"Viettel"'), ("AT+CNUM", '+CNUM: "","+84900000099",145'),
     ("AT+CSCA?", '+CSCA: "+84900000023",145'), ("AT+CSMS?", "+CSMS: 0,1,1,1"), ("AT+CSMS=1", "+CSMS: 1,1,1"),
     ("AT+CPMS?", '+CPMS: "ME",0,50,"ME",0,50,"ME",0,50'), ('AT+CPMS="SM","SM","SM"', "+CPMS: 0,50,0,50,0,50"),
     ('AT+CPMS="SR"', "+CPMS: 0,20,0,50,0,50"), ("AT+CNMI?", "+CNMI: 2,1,0,1,0"), ("AT+CMGF?", "+CMGF: 0"),
     ("AT+CNMI=?", "+CNMI: (0-3),(0-2),(0,2),(0,1,2),(0,1)"), ("AT+CMMS=?", "+CMMS: (0-2)"),
     ("AT+CPMS=?", '+CPMS: ("ME","SM","SR"),("ME","SM"),("ME","SM")'), ("AT+CIMI", "452040000000099")],
)  # fmt: skip
def test_a_question_has_its_answer(port, text, said):
    assert " ".join(ask(port, text)[:-1]).startswith(said)


def test_commands_on_one_line_have_one_result(port):
    assert ask(port, "AT+CMEE=1;+CREG=2;+CREG?;+CSQ") == [
        "+CREG:", '2,1,"00C8","0000002A"', "+CSQ:", "21,99", "OK",
    ]  # fmt: skip
    assert ask(port, "ATE0V1") == ["OK"]
    assert ask(port, "AT+CSQ;+NONSENSE;+CREG=0") == ["+CME", "ERROR:", "4"]
    assert ask(port, "AT+CREG?")[1].startswith("2,1")


def test_errors_are_said_as_the_client_asked(port):
    told = [" ".join(ask(port, text)) for text in ("AT+CMEE=0;+X", "AT+CMEE=1;+X", "AT+CMEE=2;+X")]
    assert told == ["ERROR", "+CME ERROR: 4", "+CME ERROR: operation not supported"]


def test_an_echo_says_lines_and_pdus_back(sim):
    with dialling.opened(sim, ready=False) as port:
        assert ask(port, "AT+CMGF=0") == ["AT+CMGF=0", "OK"]
        one = made()[0]
        assert ask(port, f"AT+CMGS={one.length}") == [f"AT+CMGS={one.length}", ">"]
        assert ask(port, one.hex, terminator=b"\x1a")[0].rstrip("\x1a") == one.hex


def test_a_line_may_end_as_a_terminal_ends_it(port):
    one = made()[0]
    assert ask(port, "AT", terminator=b"\r\n") == ["OK"]
    assert ask(port, f"AT+CMGS={one.length}", terminator=b"\r\n") == [">"]
    assert ask(port, one.hex, terminator=b"\x1a") == ["+CMGS:", "0", "OK"]


def test_escape_leaves_a_text_and_the_modem_listens_again(port, sim, phones):
    assert ask(port, "AT+CMGS=20") == [">"]
    assert ask(port, "0031", terminator=b"\x1b") == ["OK"]
    assert ask(port, "AT") == ["OK"]
    assert (phones.messages(AN), sim.judge.violations) == ([], [])


def test_nobody_who_did_not_ask_gets_a_report(port):
    submit(port, made(report=False)[0])
    assert submit(port, made()[0]) == ["+CMGS:", "1", "OK"]
    assert dialling.report(port).reference == 1


def test_a_failed_text_is_not_on_the_phone_and_its_report_says_so(port, phones):
    phones.faults.switch(faults.SMS_FAILED, AN, True)
    submit(port, made()[0])
    assert dialling.report(port).fate is pdu.Fate.FAILED
    assert phones.messages(AN) == []


def test_a_number_the_network_does_not_know_is_refused(port, phones):
    phones.faults.switch(faults.SMS_REFUSED, AN, True)
    assert submit(port, made()[0]) == ["+CMS", "ERROR:", "1"]


def test_the_modems_own_number_goes_round_after_255(port, sim):
    for at in range(258):
        assert submit(port, made(report=False)[0])[1] == str(at % 256)
    sim.reboot(0)
    assert sim.wait(lambda sim: sim.boots == 2, SOON)


def test_a_silent_modem_has_taken_the_text(port, phones):
    phones.faults.switch(faults.MODEM_SILENT, None, True)
    one = made(report=False)[0]
    assert ask(port, f"AT+CMGS={one.length}") == [">"]
    port.write(one.hex.encode() + b"\x1a")
    assert phones.wait(lambda network: network.messages(AN), SOON)
    assert ask(port, "AT") == ["OK"]


PIECES = (
    b"AT", b"\r", b"\n", b"\x1a", b"\x1b", b"+CMGS=20", b"+CPMS=", b'"', b",", b"=?", b";", b"?", b"\x00\xff",
    b"+CNMI=", made()[0].hex.encode(), b"+CMGD=1,4", b"ATZ", b"99999999999999999999", b"+CPIN=", b"A/",
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=25))
def test_whatever_comes_in_it_lives_on(port, sim, pieces):
    port.write(b"".join(pieces) + b"\x1b\r\x1b")
    port.write(b"AT+CGSN\r")
    while "490154203237518" not in line(port):
        pass
    assert line(port) == "OK"
    assert not [one for one in sim.judge.violations if "itself" in one]


def test_a_modem_that_is_pulled_out_takes_its_link_along(tmp_path, phones):
    sim = modem.ModemStandIn(tmp_path / "modem", phones)
    sim.start()
    assert (tmp_path / "modem").is_symlink()
    sim.stop()
    assert not (tmp_path / "modem").is_symlink()


def test_two_modems_stand_side_by_side(tmp_path):
    phones = network.Network(tmp_path)
    names = ("modem", "second")
    sims = [modem.ModemStandIn(tmp_path / name, phones, delay=0, name=name) for name in names]
    for sim in sims:
        sim.start()
    phones.faults.switch(faults.MODEM_UNPLUGGED, "second", True)
    assert [(tmp_path / name).is_symlink() for name in names] == [True, False]
    for sim in sims:
        sim.stop()
    phones.close()
