"""What the network brings to the modem: texts and status reports, stored, told, or held (3GPP TS 27.005, 3.4).

The network keeps what the modem cannot take now (no port, no power, a full memory, an older +CDS that nobody
acknowledged, AT+CNMI not said since the boot) and brings it when that is over.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.sandbox import air
from gateway.sandbox.modem.judge import Taken

if TYPE_CHECKING:
    from gateway.sandbox.modem.stand_in import ModemStandIn

HELD_MOST = 5_000


@dataclass(frozen=True)
class Arrival:
    """A PDU for the modem; `kind` "CMT" is a text, "CDS" a status report."""

    kind: str
    hex: str
    length: int


class Air:
    """Runs in the modem's thread, or under its lock."""

    def __init__(self, modem: ModemStandIn, ack_seconds: float) -> None:
        self._modem, self._ack_seconds = modem, ack_seconds
        self.held: deque[Arrival] = deque(maxlen=HELD_MOST)
        self._unacknowledged: Arrival | None = None
        self._acks = 0

    def report(self, one: Taken, status: int) -> None:
        now = int(time.time())
        text, length = air.report(one.number, one.to, now, now, status)
        self.bring(Arrival("CDS", text, length))

    def bring(self, one: Arrival) -> None:
        if any(other.kind == one.kind for other in self.held) or not self._brought(one):
            self.held.append(one)

    def boot(self) -> None:
        """An arrival that nobody acknowledged goes back to the network."""
        self._acks += 1
        if self._unacknowledged is not None:
            self.held.appendleft(self._unacknowledged)
            self._unacknowledged = None

    def release(self) -> None:
        """Something is over that may have held arrivals back."""
        for _ in range(len(self.held)):
            one = self.held.popleft()
            if not self._brought(one):
                self.held.append(one)

    def acknowledge(self, good: bool) -> bool:
        """AT+CNMA; False when there is nothing to acknowledge."""
        one, self._unacknowledged = self._unacknowledged, None
        if one is None:
            return False
        self._acks += 1
        if not good:
            self.held.appendleft(one)
        else:
            self._modem.after_answer(self.release)
        return True

    def _brought(self, one: Arrival) -> bool:
        modem, modes = self._modem, self._modem.modes
        if modem.away or self._unacknowledged is not None or not modem.card.registered:
            return False
        if one.kind == "CMT":
            return self._direct(one, ",") if modes.mt == 2 else self._store_text(one)
        if not modes.cnmi_said:
            return False
        if modes.ds == 0:
            return True  # nobody wants it
        return self._direct(one, " ") if modes.ds == 1 else self._store_report(one)

    def _direct(self, one: Arrival, space: str) -> bool:
        head = f"+CMT: ,{one.length}" if space == "," else f"+CDS: {one.length}"
        self._modem.write(f"\r\n{head}\r\n{one.hex}\r\n".encode("ascii"))
        if self._modem.modes.csms:
            self._unacknowledged = one
            self._acks += 1
            mine = self._acks
            self._modem.later(self._ack_seconds, lambda: self._give_up(mine))
        return True

    def _give_up(self, mine: int) -> None:
        """Nobody acknowledged in time: no more is told directly until AT+CNMI is said again (27.005, 3.4.4)."""
        if mine != self._acks or self._unacknowledged is None:
            return
        self._modem.judge.object("an arrival was not acknowledged in time")
        self._modem.modes.stop_telling()
        self.boot()

    def _store_text(self, one: Arrival) -> bool:
        memory = self._modem.memory(2)
        at = memory.store(one.hex, one.length)
        if at is not None and self._modem.modes.mt:
            self._modem.tell(f'+CMTI: "{memory.name}",{at}')
        return at is not None

    def _store_report(self, one: Arrival) -> bool:
        at = self._modem.memories["SR"].store(one.hex, one.length)
        if at is not None:
            self._modem.tell(f'+CDSI: "SR",{at}')
        return at is not None
