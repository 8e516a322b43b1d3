"""AT+CMGS from its line to its final result, with the faults that strike on the way (3GPP TS 27.005, 3.5.1)."""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING

from gateway.rules.sms import pdu
from gateway.sandbox import faults
from gateway.sandbox.modem import judge
from gateway.sandbox.modem.judge import Taken
from gateway.sandbox.modem.script import Fault, Moment, Scripted

if TYPE_CHECKING:
    from gateway.sandbox.modem.stand_in import ModemStandIn

DELIVERED, NOT_OBTAINABLE = 0x00, 0x43
LATE_PROMPT = 3.0  # seconds, where the page asks for it
SLOW_GAP = 0.01
PART_THAT_FAILS = 2

_DISASTERS = (Fault.SILENCE, Fault.UNPLUG, Fault.REBOOT)


class State(Enum):
    IDLE = "idle"  # commands are heard
    PROMPTING = "prompting"  # AT+CMGS was heard, the prompt is not said yet
    PDU = "pdu"  # the PDU is waited for
    RESULT = "result"  # the PDU was read, the result is not said yet
    LOST = "lost"  # the PDU was read, and no result will be said


class Sending:
    """One message at a time, in the modem's thread."""

    def __init__(self, modem: ModemStandIn) -> None:
        self._modem = modem
        self.state = State.IDLE
        self.given_up = False
        self.number = 0
        self._length = 0
        self._met: list[Scripted] = []
        self._between: list[tuple[Taken, int]] = []
        self._blocked = False
        self.cut = False

    def boot(self) -> None:
        self.stop()
        self.number = 0

    def stop(self) -> None:
        self.state, self.cut, self.given_up, self._met = State.IDLE, False, False, []

    def escape(self) -> None:
        """ESC: the text is not sent, if it is not sent yet."""
        if self.state in (State.PDU, State.PROMPTING):
            self.stop()
            self._modem.tell("OK")
            self.pace()
        elif self.state is State.LOST:
            self.stop()
        self.given_up = self.state is State.RESULT

    def begin(self, length: int) -> None:
        modem = self._modem
        self._length, self._met, self.given_up = length, modem.script_rows.on_line(), False
        if self._met:
            self._prepare()
            if self._strike(Moment.COMMAND, self._met):
                return
            if row := _first(self._met, Fault.PROMPT_ERROR):
                self._fail(row["code"], row["table"])
                return
        self.state = State.PROMPTING
        if wait := self._prompt_wait():
            modem.soon(wait, self._prompt)
        else:
            self._prompt()

    def _prepare(self) -> None:
        self.pace()
        if _first(self._met, Fault.FULL):
            self._blocked = True
            self._modem.fill()

    def _prompt_wait(self) -> float:
        if row := _first(self._met, Fault.PROMPT_LATE):
            return row["seconds"]
        return LATE_PROMPT if self._modem.on(faults.MODEM_SLOW) else 0.0

    def _prompt(self) -> None:
        self.state = State.PDU
        if not _first(self._met, Fault.NO_PROMPT) and not self._modem.on(faults.MODEM_NO_PROMPT):
            self._modem.write(b"\r\n> ")
        for one, status in self._between:
            self._modem.air.report(one, status)
        self._between.clear()
        if self._met:
            self.cut = any(row.details.get("at") is Moment.PDU for row in self._met)
            self._strike(Moment.PROMPT, self._met)

    def pdu_begins(self) -> bool:
        """The first octets after the prompt; False when nothing more of them is heard."""
        self.cut = False
        return not self._strike(Moment.PDU, self._met)

    def take(self, raw: bytes) -> None:
        """All of the PDU is here."""
        self.state = State.RESULT
        submitted = self._modem.judge.read(raw, self._length)
        if submitted is None:
            self._fail("304")
            return
        to = judge.e164(submitted.to)
        if code := self._refusal(to):
            self._fail(code)
            return
        one = self._taken(to, submitted)
        met = self._modem.script_rows.on_pdu(one)
        if met:
            self._met += met
            if self._strike(Moment.RESULT, met, one):
                return
            if self._wrong_result(one, met):
                return
        self._right_result(one, met)

    def _refusal(self, to: str | None) -> str | None:
        modem = self._modem
        if not modem.card.registered:
            return modem.card.fault("CMS") or "331"
        if self._blocked or modem.on(faults.MODEM_FULL):
            self._blocked = modem.memory(1).full
            if self._blocked:
                return "322"
        return "1" if to is None or modem.on(faults.SMS_REFUSED, to) else None

    def _taken(self, to: str, submitted: pdu.Submitted) -> Taken:
        join = submitted.join
        return Taken(
            to, submitted.to, join.reference if join else None, join.total if join else 1,
            join.number if join else 1, submitted.text, submitted.asks_report, submitted.valid_seconds,
            self.number, time.monotonic(),
        )  # fmt: skip

    def _wrong_result(self, one: Taken, met: list[Scripted]) -> bool:
        if row := _first(met, Fault.RESULT_ERROR):
            if row["taken"]:
                self._carry(one, met)
            self._fail(row["code"], row["table"])
            return True
        row = _first(met, Fault.RESULT_LOST)
        if row:
            if row["taken"]:
                self._carry(one, met)
            self.state = State.LOST
        return row is not None

    def _right_result(self, one: Taken, met: list[Scripted]) -> None:
        modem, on = self._modem, self._modem.on
        early = self._carry(one, met)
        if on(faults.MODEM_SILENT, one.phone):
            self.state = State.LOST
        elif on(faults.MODEM_ERROR, one.phone):
            self._fail(None)
        elif row := _first(met, Fault.RESULT_LATE):
            modem.soon(row["seconds"], lambda: self._finish(one, met, early))
        else:
            self._finish(one, met, early)

    def _finish(self, one: Taken, met: list[Scripted], early: list[tuple[Moment, int]]) -> None:
        modem = self._modem
        if not met and not early:
            modem.write(b"\r\n+CMGS: %d\r\n\r\nOK\r\n" % one.number)
        else:
            self._report_early(one, early, Moment.RESULT)
            if not _first(met, Fault.NUMBER_LOST):
                modem.tell(f"+CMGS: {one.number}")
            self._report_early(one, early, Moment.NUMBER)
            if self._strike(Moment.NUMBER, met):
                return
            modem.tell("OK")
            self._between += [(one, status) for at, status in early if at is Moment.PROMPT]
        self._end()
        if met:
            self._strike(Moment.OK, met)

    def _end(self) -> None:
        self.stop()
        self.pace()
        self._modem.answered()

    def pace(self) -> None:
        """How fast it speaks from now on."""
        row = _first(self._met, Fault.DRIP)
        gap = row["gap"] if row else SLOW_GAP if self._modem.on(faults.MODEM_SLOW) else 0.0
        if gap != self._modem.port.gap:
            self._modem.flush()
            self._modem.port.gap = gap

    def _fail(self, code: str | None, table: str = "CMS") -> None:
        self._modem.tell("ERROR" if code is None else f"+{table} ERROR: {code}")
        self._end()

    def _report_early(self, one: Taken, early: list[tuple[Moment, int]], at: Moment) -> None:
        for when, status in early:
            if when is at:
                self._modem.air.report(one, status)

    def _carry(self, one: Taken, met: list[Scripted]) -> list[tuple[Moment, int]]:
        """The PDU is on the air; the reports that come earlier than a result."""
        modem = self._modem
        self.number = (self.number + 1) % 256
        status = self._fate(one, met)
        if status != DELIVERED:
            one = judge.failing(one)
        modem.deliver(one)
        if (
            not one.asks_report
            or modem.on(faults.SMS_NO_RECEIPT, one.phone)
            or _first(met, Fault.REPORT_LOST)
        ):
            return []
        told = self._told(one, met, status)
        if row := _first(met, Fault.REPORT_EARLY):
            return [(row["at"], said) for _, said in told]
        if modem.on(faults.SMS_REPORT_EARLY, one.phone):
            return [(Moment.NUMBER, said) for _, said in told]
        for delay, said in told:
            modem.later(delay, lambda said=said: modem.air.report(one, said))
        return []

    def _fate(self, one: Taken, met: list[Scripted]) -> int:
        if row := _first(met, Fault.REPORT_FAILED):
            return row["status"]
        on = self._modem.on
        part = one.part == PART_THAT_FAILS and on(faults.SMS_PART_FAILED, one.phone)
        return NOT_OBTAINABLE if part or on(faults.SMS_FAILED, one.phone) else DELIVERED

    def _told(self, one: Taken, met: list[Scripted], status: int) -> list[tuple[float, int]]:
        """After how many seconds which status is reported."""
        late = _first(met, Fault.REPORT_LATE)
        delays = self._modem.receipts(late["seconds"] if late else 0.0, one.phone)
        told = [(delay, status) for delay in delays]
        if row := _first(met, Fault.REPORT_PENDING):
            told = [(told[0][0], row["status"]), *((delay + row["seconds"], said) for delay, said in told)]
        return told + told if _first(met, Fault.REPORT_TWICE) else told

    def _strike(self, at: Moment, met: list[Scripted], one: Taken | None = None) -> bool:
        """What happens at this moment; True when it ends the message."""
        modem = self._modem
        for row in met:
            if row.details.get("at") is not at:
                continue
            if row.fault is Fault.URC:
                modem.tell(row["line"])
            elif row.fault is Fault.GARBAGE:
                modem.write(row["octets"])
            elif row.fault is Fault.REGISTER:
                modem.alter(row["seconds"], registration=row["place"])
            elif row.fault is Fault.CARD:
                modem.alter(row["seconds"], state=row["state"])
            elif row.fault in _DISASTERS:
                if one is not None and row["taken"]:
                    self._carry(one, met)
                modem.disaster(row.fault, row["seconds"])
                return True
        return False


def _first(met: list[Scripted], fault: Fault) -> Scripted | None:
    return next((row for row in met if row.fault is fault), None) if met else None
