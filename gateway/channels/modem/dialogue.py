"""Talking AT with a modem (3GPP TS 27.005 and 27.007): commands, their results, and unasked lines in between.

Theory: the modem may put a line of its own anywhere, also between our command and its OK, and in two pieces
(a header, then a PDU). So every line passes one place, `_line`, which keeps the unasked ones as notes and
gives only answers to whoever waits. Octets are never decoded strictly: one bad octet must not end the reader,
and what is not printable ASCII is noise and dropped.

A modem that has started anew forgets how it was set up, and might take a PDU for a text in the old text mode. It
says so by a line of its own, or by an echo that had been switched off: both end the conversation (Rebooted).
"""

import re
import time
from collections import deque
from dataclasses import dataclass

from gateway.channels.modem.patience import Patience
from gateway.channels.modem.port import Gone, Port
from gateway.rules.sms import pdu

ESCAPE, END = b"\x1b", b"\x1a"
LONGEST_LINE = 4096
OK_SECONDS = 5.0
"""Once the modem has said the number, its OK adds nothing that is worth a longer wait."""

_NOISE = bytes(octet for octet in range(256) if not 0x20 <= octet < 0x7F)
_ENDS = re.compile(rb"[\r\n]+")
_PROMPT = re.compile(rb"(?:^|[^\x21-\x7e])> ?$")
_NUMBER = re.compile(r"\+CMGS: *(\d+)")
_ERROR = re.compile(r"\+(CMS|CME) ERROR: *(\d+)")
_HEADED = re.compile(r"\+(CDS|CMT):")
_STORED = re.compile(r'\+(CMTI|CDSI): *"?(\w+)"?, *(\d+)')
_NETWORK = re.compile(r'\+C[EG]?REG: *\d+(?:,".*)?$')
_BOOT = re.compile(r"RDY|\^SYSSTART.*|NORMAL POWER DOWN|POWERED DOWN|MODEM:STARTUP")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){8,}")
_FINAL = re.compile(r"OK|ERROR|\+CM[ES] ERROR:.*|\+CMGS:.*")


class Silent(Exception):
    """The modem did not answer in time. `taken`: a PDU was fully written to it before. `synced`: it is well again."""

    def __init__(self, taken: bool = False) -> None:
        super().__init__("the modem is silent")
        self.taken, self.synced = taken, False


class Rebooted(Exception):
    """The modem has started anew and must be set up again. `taken` as in Silent."""

    def __init__(self) -> None:
        super().__init__("the modem has started anew")
        self.taken = False


class Said(Exception):
    """An error result: `table` "cms" or "cme", `code` its number. A plain ERROR has neither.

    `asked`: it came in place of the prompt, so nothing was sent. A number after the PDU says that it was not sent
    either; a plain ERROR there says nothing, so `taken` is True.
    """

    def __init__(self, table: str, code: str) -> None:
        super().__init__(f"+{table.upper()} ERROR: {code}" if table else "ERROR")
        self.table, self.code = table, code
        self.asked, self.taken = True, False


@dataclass(frozen=True)
class Note:
    """Something unasked: `kind` "CDS" or "CMT" with a PDU in `value`; "CMTI" or "CDSI" with a place in a memory."""

    kind: str
    value: str
    memory: str = ""


class Dialogue:
    """One conversation on an open port; only the thread that owns the port uses it.

    `armed`: the modem is set up, so a sign of a new start is news. `quiet`: it does not repeat our commands.
    `network_changed`: it has said something about its network since this was last set to False.
    """

    def __init__(self, port: Port, patience: Patience) -> None:
        self._port, self.patience = port, patience
        self._lines: deque[str] = deque()
        self._rest = b""
        self._header: str | None = None
        self.notes: deque[Note] = deque()
        self.armed = self.quiet = self.network_changed = False
        self._repeated = self._unsure = False
        self._end: Exception | None = None
        self.heard = time.monotonic()

    def command(self, text: str, wait: float | None = None) -> list[str]:
        """The lines a command answers before OK. Raises Said, Silent, Rebooted or Gone."""
        self._go_on()
        self._port.write(text.encode("ascii") + b"\r")
        deadline, lines = time.monotonic() + (wait or self.patience.command), []
        while (line := self._line(deadline)) != "OK":
            _raise_error(line)
            if not self._echo(line):
                lines.append(line)
        return lines

    def submit(self, message: pdu.Pdu) -> int:
        """Hands over one SUBMIT; the number the modem keeps it under. Raises Said, Silent, Rebooted or Gone."""
        self._go_on()
        if self._unsure:
            self.resync()
        self._port.write(b"AT+CMGS=%d\r" % message.length)
        self._prompt(time.monotonic() + self.patience.prompt)
        self._port.write(message.hex.encode("ascii") + END)
        try:
            return self._reference(time.monotonic() + self.patience.answer)
        except Said as fault:
            fault.asked, fault.taken = False, not fault.table
            raise
        except (Silent, Rebooted, Gone) as fault:
            fault.taken = True
            raise

    def listen(self, wait: float) -> None:
        """Waits for unasked lines until there is one, or `wait` seconds, or the bell rings."""
        self._go_on()
        if not self._lines:  # something may have come together with the last answer
            self._fill(wait, bell=True)
        while self._lines:
            line = self._lines.popleft()
            if not self._noted(line):
                self._stray(line)

    def resync(self, tries: int = 6) -> int | None:
        """Out of whatever the modem was waiting for, until it answers AT again. Raises Silent, Rebooted or Gone.

        The number of a PDU handed over before, when the answer that was waited for comes only now. Every other try
        goes without the escape: some modems take it for the first letter of a command.
        """
        late = None
        for number in range(tries):
            self._port.write(b"\rAT\r" if number % 2 else ESCAPE + b"AT\r")
            deadline = time.monotonic() + self.patience.sync
            try:
                while (line := self._line(deadline)) not in ("OK", "ERROR"):
                    late = _number(line, late)
            except Silent:
                continue
            if line == "OK":
                self._unsure = False
                return self._quieten(late)
        raise Silent

    def repeats(self) -> bool:
        """Whether the modem sends our commands back, also after ATE0."""
        self._repeated = False
        self.command("AT")
        return self._repeated

    def moved(self) -> bool:
        return self._port.moved()

    def _go_on(self) -> None:
        """A conversation that ended behind a message's number has ended, though the message was handed over."""
        if self._end is not None:
            raise self._end

    def _quieten(self, late: int | None) -> int | None:
        """Lets late answers to earlier commands pass, so that they are not taken for the next one's."""
        while self._lines or self._fill(0.1):
            while self._lines:
                line = self._lines.popleft()
                if not self._noted(line):
                    late = _number(line, late)
        return late

    def _prompt(self, deadline: float) -> None:
        while True:
            while self._lines:
                line = self._lines.popleft()
                if line.startswith(">"):  # with a line of the modem's own right behind it
                    if rest := line[1:].strip():
                        self._lines.appendleft(rest)
                    return
                if not self._noted(line):
                    self._stray(line)
                    _raise_error(line)
            if self._rest and _PROMPT.search(self._rest):
                self._rest = b""
                return
            self._more(deadline)

    def _reference(self, deadline: float) -> int:
        reference: int | None = None
        try:
            while (line := self._line(deadline)) != "OK":
                if (said := _number(line, None)) is not None:
                    reference, deadline = said, min(deadline, time.monotonic() + OK_SECONDS)
                elif reference is None:
                    self._stray(line)
                    _raise_error(line)
        except Silent:
            if reference is None:
                raise
            self._unsure = True  # its OK was lost on the way, and the message was not
        except (Rebooted, Gone) as fault:
            if reference is None:
                raise
            self._end = fault
        if reference is None:
            raise Silent  # an OK of something else: nobody knows what became of the PDU
        return reference

    def _line(self, deadline: float) -> str:
        """The next line that is an answer; notes are put aside on the way."""
        while True:
            while self._lines:
                line = self._lines.popleft()
                if not self._noted(line):
                    return line
            self._more(deadline)

    def _noted(self, line: str) -> bool:
        """Whether the line was unasked, and has been taken note of."""
        if self._header is not None and self._headed(line):
            return True
        if line == "OK" or line.startswith("+CMGS:"):
            return False
        if match := _HEADED.match(line):
            self._header = match[1]
        elif match := _STORED.match(line):
            self.notes.append(Note(match[1], match[3], match[2]))
        elif _NETWORK.match(line):
            self.network_changed = True
        elif _BOOT.fullmatch(line):
            if self.armed:
                raise Rebooted
        else:
            return False
        return True

    def _headed(self, line: str) -> bool:
        """Takes the PDU that its header announced; a result in its place means that noise has eaten the PDU."""
        if _HEX.fullmatch(line):
            self.notes.append(Note(self._header or "", line))
            self._header = None
            return True
        if _FINAL.fullmatch(line):
            self._header = None
        return False

    def _stray(self, line: str) -> None:
        """A line that answers nothing. A SIM that wants its PIN again is in a modem that has started anew."""
        if not self._echo(line) and self.armed and line.startswith("+CPIN:") and "READY" not in line:
            raise Rebooted

    def _echo(self, line: str) -> bool:
        """Whether it is our own command that came back. From a modem that had stopped doing so, it is a new start."""
        if not line.startswith("AT"):
            return False
        if self.armed and self.quiet:
            raise Rebooted
        self._repeated = True
        return True

    def _more(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Silent
        self._fill(left)

    def _fill(self, wait: float, bell: bool = False) -> bool:
        octets = self._port.read(wait, bell)
        if not octets:
            return False
        self.heard = time.monotonic()
        *whole, rest = _ENDS.split(self._rest + octets)
        self._rest = rest if len(rest) <= LONGEST_LINE else b""
        for line in whole:
            if text := line.translate(None, _NOISE).strip():
                self._lines.append(text.decode("ascii"))
        return True


def _number(line: str, otherwise: int | None) -> int | None:
    match = _NUMBER.match(line)
    return int(match[1]) if match else otherwise


def _raise_error(line: str) -> None:
    if match := _ERROR.match(line):
        raise Said(match[1].lower(), match[2])
    if line == "ERROR":
        raise Said("", "")
