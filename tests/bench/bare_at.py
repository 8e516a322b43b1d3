"""The floor: AT+CMGS, the prompt, the PDU, OK, and again; nothing is kept, reports are asked for and read over.

`python -m tests.bench.bare_at LINK COUNT PARTS HOW`; HOW is `coding` (each PDU is made when its turn comes, as
one writes it) or `ready` (all PDUs are made before the clock starts, which no program that is given texts can do).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import serial

from gateway.rules.sms import pdu
from tests.bench import modems, spending

SETTINGS = (
    "ATZ",
    "ATE0",
    "AT+CMEE=1",
    "AT+CMGF=0",
    'AT+CPMS="ME","ME","ME"',
    "AT+CNMI=2,1,0,1,0",
    "AT+CMMS=1",
)


class Port:
    """A serial port, read in gulps: an octet at a time would be the slowest part of it."""

    def __init__(self, link: str):
        self._port = serial.Serial(link, 115_200, timeout=10)
        self._heard = b""

    def ask(self, octets: bytes, end: bytes) -> None:
        """Write, and read until `end` was said."""
        self._port.write(octets)
        while end not in self._heard:
            more = self._port.read(1)
            assert more, f"no {end!r} after {octets!r}: {self._heard!r}"
            self._heard += more + self._port.read(self._port.in_waiting)
        self._heard = self._heard[self._heard.index(end) + len(end) :]


def pdus(count: int, parts: int) -> Iterator[pdu.Pdu]:
    for n in range(count):
        yield from pdu.submits(modems.phone(n), modems.text(parts, n), reference=n % 256, valid_seconds=9_000)


def send(port: Port, each: Iterable[pdu.Pdu]) -> None:
    for one in each:
        port.ask(b"AT+CMGS=%d\r" % one.length, b"\r\n> ")
        port.ask(one.hex.encode() + b"\x1a", b"\r\nOK\r\n")


def main(link: str, count: int, parts: int, how: str) -> None:
    port = Port(link)
    for command in SETTINGS:
        port.ask(command.encode() + b"\r", b"\r\nOK\r\n")
    made = pdus(count, parts)
    given = list(made) if how == "ready" else made
    spending.told(lambda: send(port, given))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
