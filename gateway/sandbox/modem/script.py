"""Which fault strikes which message. The package's docstring says what each does and what it may be told."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.sandbox.modem.judge import Taken


class Moment(StrEnum):
    COMMAND = "command"  # AT+CMGS is heard, there is no prompt yet
    PROMPT = "prompt"  # right after the prompt
    PDU = "pdu"  # the first octets of the PDU are read
    RESULT = "result"  # the PDU is read, nothing is said
    NUMBER = "number"  # between "+CMGS:" and OK
    OK = "ok"  # right after OK


class Fault(StrEnum):
    PROMPT_LATE = "prompt_late"
    NO_PROMPT = "no_prompt"
    PROMPT_ERROR = "prompt_error"
    RESULT_ERROR = "result_error"
    RESULT_LATE = "result_late"
    RESULT_LOST = "result_lost"
    NUMBER_LOST = "number_lost"
    URC = "urc"
    GARBAGE = "garbage"
    DRIP = "drip"
    REPORT_EARLY = "report_early"
    REPORT_LOST = "report_lost"
    REPORT_TWICE = "report_twice"
    REPORT_LATE = "report_late"
    REPORT_FAILED = "report_failed"
    REPORT_PENDING = "report_pending"
    SILENCE = "silence"
    UNPLUG = "unplug"
    REBOOT = "reboot"
    REGISTER = "register"
    CARD = "card"
    FULL = "full"
    ANSWER = "answer"


_GARBAGE = b"\xff\xfe\x00\x80\xc3(\r\n\x00\xffOKAY\xf0\r\n"

DETAILS: Mapping[Fault, Mapping[str, Any]] = {
    Fault.PROMPT_LATE: {"seconds": 1.0},
    Fault.NO_PROMPT: {},
    Fault.PROMPT_ERROR: {"code": "500", "table": "CMS"},
    Fault.RESULT_ERROR: {"code": "500", "table": "CMS", "taken": False},
    Fault.RESULT_LATE: {"seconds": 1.0},
    Fault.RESULT_LOST: {"taken": True},
    Fault.NUMBER_LOST: {},
    Fault.URC: {"at": Moment.COMMAND, "line": "RING"},
    Fault.GARBAGE: {"at": Moment.COMMAND, "octets": _GARBAGE},
    Fault.DRIP: {"gap": 0.002},
    Fault.REPORT_EARLY: {"at": Moment.NUMBER},
    Fault.REPORT_LOST: {},
    Fault.REPORT_TWICE: {},
    Fault.REPORT_LATE: {"seconds": 1.0},
    Fault.REPORT_FAILED: {"status": 0x46},
    Fault.REPORT_PENDING: {"status": 0x20, "seconds": 0.0},
    Fault.SILENCE: {"at": Moment.PDU, "seconds": 20.0, "taken": False},
    Fault.UNPLUG: {"at": Moment.PDU, "seconds": 3.0, "taken": False},
    Fault.REBOOT: {"at": Moment.PDU, "seconds": 3.0, "taken": False},
    Fault.REGISTER: {"at": Moment.COMMAND, "place": 2, "seconds": 3.0},
    Fault.CARD: {"at": Moment.COMMAND, "state": "absent", "seconds": 3.0},
    Fault.FULL: {},
    Fault.ANSWER: {"command": "", "lines": ("ERROR",)},
}

_ON_A_LINE = {Fault.PROMPT_LATE, Fault.NO_PROMPT, Fault.PROMPT_ERROR, Fault.DRIP, Fault.FULL}
_BEFORE_THE_PDU = {Moment.COMMAND, Moment.PROMPT, Moment.PDU}


@dataclass
class Scripted:
    """One fault to come. `left` None is for ever; `struck` counts how often it was met."""

    fault: Fault
    skip: int
    left: int | None
    to: str | None
    part: int | None
    details: Mapping[str, Any] = field(default_factory=dict)
    struck: int = 0

    def __getitem__(self, name: str) -> Any:
        return self.details[name]

    @property
    def on_a_line(self) -> bool:
        """Whether it is counted by AT+CMGS, and not by the PDU."""
        if self.fault is Fault.REPORT_EARLY:
            return False
        return self.fault in _ON_A_LINE or self.details.get("at") in _BEFORE_THE_PDU

    def strikes(self) -> bool:
        """Counts one message that it could be met by."""
        if self.skip:
            self.skip -= 1
            return False
        if self.left == 0:
            return False
        self.left = None if self.left is None else self.left - 1
        self.struck += 1
        return True


class Script:
    """The faults to come, in the order in which they were told."""

    def __init__(self) -> None:
        self._rows: list[Scripted] = []

    def add(
        self,
        fault: Fault | str,
        after: int,
        times: int | None,
        to: str | None,
        part: int | None,
        told: Mapping,
    ) -> Scripted:
        """ValueError for a fault that does not exist, TypeError for a detail that it does not have."""
        fault = Fault(fault)
        known = DETAILS[fault]
        if strange := set(told) - set(known):
            raise TypeError(
                f"{fault} has no {', '.join(sorted(strange))}; it has {', '.join(known) or 'nothing'}"
            )
        details = {**known, **told}
        if "at" in details:
            details["at"] = Moment(details["at"])
        row = Scripted(fault, after, times, to, part, details)
        if row.on_a_line and (to is not None or part is not None):
            raise TypeError(f"{fault} strikes before the PDU is read: it cannot know `to` or `part`")
        self._rows.append(row)
        return row

    def clear(self) -> None:
        self._rows.clear()

    def on_line(self) -> list[Scripted]:
        """What meets the AT+CMGS that was just heard."""
        return self._met(row for row in self._rows if row.on_a_line and row.fault is not Fault.ANSWER)

    def on_pdu(self, one: Taken) -> list[Scripted]:
        """What meets the PDU that was just read."""
        rows = (row for row in self._rows if not row.on_a_line and row.fault is not Fault.ANSWER)
        return self._met(row for row in rows if row.to in (None, one.phone) and row.part in (None, one.part))

    def on_command(self, text: str) -> Scripted | None:
        """What is said to a command other than AT+CMGS, if not what it should be."""
        for row in self._rows:
            if row.fault is Fault.ANSWER and re.fullmatch(row["command"], text) and row.strikes():
                return row
        return None

    def _met(self, rows: Iterable[Scripted]) -> list[Scripted]:
        if not self._rows:
            return []
        return [row for row in list(rows) if row.strikes()]
