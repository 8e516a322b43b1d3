"""Talking AT with a modem (3GPP TS 27.005 and 27.007): commands, their results, and unasked lines in between.

Theory: the modem may put a line of its own anywhere, also between our command and its OK, and in two pieces
(a header, then a PDU). So every line passes one place, `_line`, which keeps the unasked ones as notes and
gives only answers to whoever waits. Octets are never decoded strictly: one bad octet must not end the reader.
"""

import re
import time
from collections import deque
from dataclasses import dataclass

import serial

from gateway.rules.sms import pdu

ESCAPE, END = b"\x1b", b"\x1a"
LONGEST_LINE = 4096

_ERROR = re.compile(r"\+(CMS|CME) ERROR: *(\d+)")
_HEADED = re.compile(r"\+(CDS|CMT):")
_STORED = re.compile(r'\+(CMTI|CDSI): *"?\w+"?, *(\d+)')


class Silent(Exception):
    """The modem did not answer in time. `taken`: a PDU was fully written to it before."""

    def __init__(self, taken: bool = False) -> None:
        super().__init__("the modem is silent")
        self.taken = taken


class Gone(Exception):
    """The port does not work any more. `taken` as in Silent."""

    def __init__(self, reason: str, taken: bool = False) -> None:
        super().__init__(reason)
        self.taken = taken


class Said(Exception):
    """An error result: `table` "cms" or "cme", `code` its number. A plain ERROR is the modem's "unknown"."""

    def __init__(self, table: str, code: str) -> None:
        super().__init__(f"+{table.upper()} ERROR: {code}")
        self.table, self.code = table, code


@dataclass(frozen=True)
class Note:
    """Something unasked: `kind` "CDS" or "CMT" with a PDU in `value`, "CMTI" or "CDSI" with an index."""

    kind: str
    value: str


class Dialogue:
    """One conversation on an open port; only the thread that owns the port uses it."""

    def __init__(self, port: serial.SerialBase) -> None:
        self._port = port
        self._buffer = bytearray()
        self._header: str | None = None
        self.notes: deque[Note] = deque(maxlen=1000)

    def command(self, text: str, wait: float = 5.0) -> list[str]:
        """The lines a command answers before OK. Raises Said, Silent or Gone."""
        self._write(text.encode("ascii") + b"\r")
        deadline, lines = time.monotonic() + wait, []
        while (line := self._line(deadline)) != "OK":
            _raise_error(line)
            if not line.startswith("AT"):  # an echo, as long as ATE0 has not worked
                lines.append(line)
        return lines

    def submit(self, message: pdu.Pdu, prompt_wait: float, answer_wait: float) -> int:
        """Hands over one SUBMIT; the number the modem keeps it under. Raises Said, Silent or Gone."""
        self._write(f"AT+CMGS={message.length}\r".encode("ascii"))
        self._prompt(time.monotonic() + prompt_wait)
        try:
            self._write(message.hex.encode("ascii") + END)
            return self._reference(time.monotonic() + answer_wait)
        except (Silent, Gone) as fault:
            fault.taken = True
            raise

    def listen(self, wait: float) -> None:
        """Waits for unasked lines until there is one, or `wait` seconds, or the port is woken."""
        if b"\n" not in self._buffer:  # something may have come together with the last answer
            self._port.timeout = wait
            self._fill()
        while (line := self._complete_line()) is not None:
            self._noted(line)

    def resync(self, tries: int = 5) -> None:
        """Out of whatever the modem was waiting for, until it answers AT again. Raises Silent or Gone."""
        self._write(ESCAPE)
        for _ in range(tries):
            try:
                self.command("AT", wait=1.0)
            except (Said, Silent):
                continue
            return self._quieten()
        raise Silent

    def _quieten(self) -> None:
        """Lets a late answer to an earlier command pass, so that it is not taken for the next one's."""
        while True:
            self._port.timeout = 0.1
            if not self._fill():
                return
            while (line := self._complete_line()) is not None:
                self._noted(line)

    def _prompt(self, deadline: float) -> None:
        while True:
            if self._buffer.lstrip(b"\r\n").startswith(b">"):
                at = self._buffer.index(b">")
                del self._buffer[: at + 2 if self._buffer[at + 1 : at + 2] == b" " else at + 1]
                return
            line = self._complete_line()
            if line is None:
                self._more(deadline)
            elif not self._noted(line):
                _raise_error(line)

    def _reference(self, deadline: float) -> int:
        reference = None
        while (line := self._line(deadline)) != "OK":
            _raise_error(line)
            if match := re.match(r"\+CMGS: *(\d+)", line):
                reference = int(match[1])
        if reference is None:
            raise Silent  # an OK of something else: nobody knows what became of the PDU
        return reference

    def _line(self, deadline: float) -> str:
        """The next line that is an answer; notes are put aside on the way."""
        while True:
            line = self._complete_line()
            if line is None:
                self._more(deadline)
            elif not self._noted(line):
                return line

    def _noted(self, line: str) -> bool:
        if self._header:
            self.notes.append(Note(self._header, line))
            self._header = None
        elif match := _HEADED.match(line):
            self._header = match[1]
        elif match := _STORED.match(line):
            self.notes.append(Note(match[1], match[2]))
        else:
            return False
        return True

    def _complete_line(self) -> str | None:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).strip()
            del self._buffer[: end + 1]
            if line:
                return line.decode("ascii", "replace")
        if len(self._buffer) > LONGEST_LINE:
            self._buffer.clear()
        return None

    def _more(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Silent
        self._port.timeout = left
        self._fill()

    def _fill(self) -> bool:
        try:
            octets = self._port.read(1)
            octets += self._port.read(self._port.in_waiting)
        except (serial.SerialException, OSError, TypeError) as fault:
            # pyserial trips over its own None when another thread closes the port while it reads.
            raise Gone(type(fault).__name__) from fault
        self._buffer += octets
        return bool(octets)

    def _write(self, octets: bytes) -> None:
        try:
            self._port.write(octets)
        except (serial.SerialException, OSError) as fault:
            raise Gone(type(fault).__name__) from fault


def _raise_error(line: str) -> None:
    if match := _ERROR.match(line):
        raise Said(match[1].lower(), match[2])
    if line == "ERROR":
        raise Said("cms", "500")
