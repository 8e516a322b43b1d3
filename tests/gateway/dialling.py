"""A client of a modem that only asks and reads, for tests of the stand-in itself."""

from contextlib import contextmanager

import pytest
import serial

from gateway.rules.sms import pdu
from gateway.sandbox import modem, network

AN, BINH = "+84905123456", "+84912345678"
LONG = "Số thứ tự. " * 15  # three parts
SOON = 10
ENDS = (b"OK\r\n", b"ERROR\r\n", b"> ")


@pytest.fixture
def phones(tmp_path):
    phones = network.Network(tmp_path)
    yield phones
    phones.close()


@pytest.fixture
def make(tmp_path, phones):
    """`make(pin="1234", …)` gives a modem that runs until the test is over."""
    made = []

    def start(**words) -> modem.ModemStandIn:
        sim = modem.ModemStandIn(tmp_path / "dev" / "modem", phones, **{"delay": 0, **words})
        sim.start()
        made.append(sim)
        return sim

    yield start
    for sim in made:
        sim.stop()


@pytest.fixture
def sim(make):
    return make()


@contextmanager
def opened(sim, ready=True):
    """Its port; with `ready` the echo is off, PDU mode on, and texts and reports are told."""
    with serial.Serial(sim.url.removeprefix("serial://").removesuffix("?baud=115200"), timeout=SOON) as port:
        if ready:
            for text in ("ATE0", "AT+CMEE=1", "AT+CMGF=0", "AT+CNMI=2,1,0,1,0"):
                assert ask(port, text)[-1] == "OK"
        yield port


@pytest.fixture
def port(sim):
    with opened(sim) as port:
        yield port


def ask(port, text, terminator=b"\r") -> list[str]:
    """What is said until the final result or the prompt, in words."""
    port.write(text.encode() + terminator)
    return heard(port).split()


def heard(port) -> str:
    said = b""
    while not said.endswith(ENDS) and b"ERROR: " not in said.rsplit(b"\r\n", 2)[-2:][0]:
        octet = port.read(1)
        assert octet, said
        said += octet
    return said.decode("latin-1")


def line(port) -> str:
    while not (said := port.readline().strip()):
        pass
    return said.decode("latin-1")


def made(text="Số A042", to=AN, **words):
    return pdu.submits(to, text, **{"reference": 3, **words})


def submit(port, one, length=None) -> list[str]:
    assert ask(port, f"AT+CMGS={length or one.length}")[-1] == ">"
    return ask(port, one.hex, terminator=b"\x1a")


def report(port) -> pdu.StatusReport:
    while not line(port).startswith("+CDS:"):
        pass
    return pdu.read_report(line(port))
