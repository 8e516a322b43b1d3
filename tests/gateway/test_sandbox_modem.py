"""The stand-in modem judges like a real one: what it takes is right, what is wrong gets an error."""

import pytest
import serial

from gateway.rules.sms import pdu
from gateway.sandbox import faults, modem, network, postman

AN = "+84905123456"


@pytest.fixture
def phones(tmp_path):
    phones = network.Network(tmp_path)
    yield phones
    phones.close()


@pytest.fixture
def sim(tmp_path, phones):
    post = postman.Postman()
    sim = modem.ModemStandIn(tmp_path / "dev" / "modem", phones, post, delay=0)
    sim.start()
    yield sim
    post.stop()
    sim.stop()


@pytest.fixture
def port(sim):
    with serial.Serial(sim.url.removeprefix("serial://").removesuffix("?baud=115200"), timeout=10) as port:
        assert ask(port, "ATE0") == ["ATE0", "OK"]
        yield port


def ask(port, text, end=(b"OK\r\n", b"ERROR\r\n", b"> "), terminator=b"\r"):
    port.write(text.encode() + terminator)
    heard = b""
    while not heard.endswith(end) and b"ERROR: " not in heard.rsplit(b"\r\n", 2)[-2:][0]:
        octet = port.read(1)
        assert octet, heard
        heard += octet
    return heard.decode().split()


def line(port):
    while not (heard := port.readline().strip()):
        pass
    return heard.decode()


def ready(port):
    for text in ("AT+CMGF=0", "AT+CNMI=2,1,0,1,0"):
        assert ask(port, text) == ["OK"]


def submit(port, one, length=None):
    assert ask(port, f"AT+CMGS={length or one.length}") == [">"]
    return ask(port, one.hex, terminator=b"\x1a")


def made(text="Số A042", **words):
    return pdu.submits(AN, text, reference=3, **words)


def test_a_right_text_is_on_the_phone_and_reported(port, phones):
    ready(port)
    assert submit(port, made()[0]) == ["+CMGS:", "0", "OK"]
    assert line(port) == "+CDS: 25"
    report = pdu.read_report(line(port))
    assert (report.reference, report.to, report.fate) == (0, AN, pdu.Fate.DELIVERED)
    assert [one.text for one in phones.messages(AN)] == ["Số A042"]


def test_parts_are_shown_when_all_are_there_in_their_order(port, phones):
    ready(port)
    parts = made("Số thứ tự. " * 15, report=False)
    for one in reversed(parts):
        assert phones.messages(AN) == []
        submit(port, one)
    assert [(one.text, one.parts) for one in phones.messages(AN)] == [("Số thứ tự. " * 15, 3)]


def test_a_wrong_length_is_refused_and_nothing_arrives(port, phones):
    ready(port)
    for length in (made()[0].length - 1, made()[0].length + 1):
        assert submit(port, made()[0], length) == ["+CMS", "ERROR:", "304"]
    assert phones.messages(AN) == []


@pytest.mark.parametrize("text", ["", "00", "zz", "0031000B914809153254F60008A71C0053"])
def test_what_is_no_pdu_is_refused(port, text):
    ready(port)
    assert ask(port, "AT+CMGS=20") == [">"]
    assert ask(port, text, terminator=b"\x1a") == ["+CMS", "ERROR:", "304"]


def test_no_text_goes_before_pdu_mode(port):
    assert ask(port, "AT+CMGS=20") == ["+CMS", "ERROR:", "302"]


@pytest.mark.parametrize(
    "text", ["AT+CMGS=3", "AT+CMGS=999", "AT+NONSENSE", "AT+CMGR=77", "hello", "AT+CNMI=9"]
)
def test_what_a_modem_does_not_know_is_an_error(port, text):
    ready(port)
    assert "ERROR" in " ".join(ask(port, text))


def test_escape_leaves_a_text_and_the_modem_listens_again(port, phones):
    ready(port)
    assert ask(port, "AT+CMGS=20") == [">"]
    assert ask(port, "0031", terminator=b"\x1b") == ["OK"]
    assert ask(port, "AT") == ["OK"]
    assert phones.messages(AN) == []


def test_nobody_who_did_not_ask_gets_a_report(port):
    ready(port)
    submit(port, made(report=False)[0])
    assert submit(port, made()[0]) == ["+CMGS:", "1", "OK"]
    line(port)
    assert pdu.read_report(line(port)).reference == 1


def test_a_failed_text_is_not_on_the_phone_and_its_report_says_so(port, phones):
    phones.faults.switch(faults.SMS_FAILED, AN, True)
    ready(port)
    submit(port, made()[0])
    line(port)
    assert pdu.read_report(line(port)).fate is pdu.Fate.FAILED
    assert phones.messages(AN) == []


def test_a_number_the_network_does_not_know_is_refused(port, phones):
    phones.faults.switch(faults.SMS_REFUSED, AN, True)
    ready(port)
    assert submit(port, made()[0]) == ["+CMS", "ERROR:", "1"]


def test_a_silent_modem_has_taken_the_text(port, phones):
    phones.faults.switch(faults.MODEM_SILENT, None, True)
    ready(port)
    one = made(report=False)[0]
    assert ask(port, f"AT+CMGS={one.length}") == [">"]
    port.write(one.hex.encode() + b"\x1a")
    assert phones.wait(lambda network: network.messages(AN), 10)
    assert ask(port, "AT") == ["OK"]


def test_a_text_from_a_person_waits_in_the_memory_until_it_is_deleted(port, sim):
    ready(port)
    sim.incoming(AN, "XN A042 – tới đúng giờ")
    assert line(port) == '+CMTI: "ME",1'
    heard = ask(port, "AT+CMGR=1")
    assert pdu.read_deliver(heard[2]).text == "XN A042 – tới đúng giờ"
    assert ask(port, "AT+CMGL=4")[0] == "+CMGL:"
    assert ask(port, "AT+CMGD=1") == ["OK"]
    assert ask(port, "AT+CMGL=4") == ["OK"]


def test_a_full_memory_takes_no_more(sim):
    for _ in range(modem.MEMORY):
        sim.incoming(AN, "XN")
    with pytest.raises(ValueError):
        sim.incoming(AN, "XN")


def test_a_modem_that_is_pulled_out_takes_its_link_along(tmp_path, phones):
    post = postman.Postman()
    sim = modem.ModemStandIn(tmp_path / "modem", phones, post)
    sim.start()
    assert (tmp_path / "modem").is_symlink()
    sim.stop()
    post.stop()
    assert not (tmp_path / "modem").is_symlink()
