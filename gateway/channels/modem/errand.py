"""One message and what of it has been handed over; and the one who carries it to the modem, part by part."""

import threading
import time
from collections import deque
from collections.abc import Callable

from gateway.channels import Accepted, Fault, Message, Part, Refused, Unreachable, codes
from gateway.channels.modem import preparing
from gateway.channels.modem.dialogue import Dialogue, Rebooted, Said, Silent
from gateway.channels.modem.port import Gone
from gateway.rules.sms import pdu

LINK_SECONDS = 4.0
"""A modem lets its link to the network go a few seconds after the last text (27.005, 3.5.6: one to five)."""

LONGEST_REF = 80


class Answer:
    """How an errand ended, for the one thread that waits. A Future's condition costs as much as a part's way there."""

    def __init__(self) -> None:
        self._closed = threading.Lock()
        self._closed.acquire()
        self._accepted: Accepted | None = None
        self._fault: Exception | None = None

    def set_result(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._closed.release()

    def set_exception(self, fault: Exception) -> None:
        self._fault = fault
        self._closed.release()

    def result(self) -> Accepted:
        """Waits for it; raises what it ended with."""
        self._closed.acquire()
        if self._accepted is None:
            raise self._fault
        return self._accepted


class Errand:
    """One message for the modem. Made by whoever sends, so that the modem waits for no arithmetic."""

    def __init__(self, message: Message, reference_bits: int) -> None:
        self.message, self.answer = message, Answer()
        self._bits, mask = reference_bits, (1 << reference_bits) - 1
        self._joint = message.joint & mask
        try:
            self._pdus = self._made(message.valid_seconds)
        except ValueError as fault:
            reason = f"Tin quá dài / {fault}"
            raise Refused("length", reason, "message", Fault.BUG) from fault
        self.total = len(self._pdus)
        self._begun = {
            part.number: part
            for part in message.begun
            if part.total == self.total and part.joint & mask == self._joint
        }
        self.rest = tuple(number for number in range(1, self.total + 1) if number not in self._begun)
        self.handed: list[Part] = []

    def part(self, number: int, with_validity: bool) -> pdu.Pdu:
        return (self._pdus if with_validity else self._made(None))[number - 1]

    def took(self, number: int, reference: int | None) -> None:
        """The modem has this part, under this number; None: perhaps."""
        ref = None if reference is None else str(reference)
        self.handed.append(Part(number, self.total, self._joint, ref))

    def accepted(self) -> Accepted:
        """Named by the modem's numbers in the order of the parts, "17-18-19", those of earlier tries among them."""
        if self.total == 1 and self.handed:
            return Accepted(self.handed[0].ref, handed=tuple(self.handed))
        parts = self._begun | {part.number: part for part in self.handed}
        ref = "-".join(part.ref for _, part in sorted(parts.items()) if part.ref)
        if len(ref) > LONGEST_REF:
            ref = ref[: ref.rindex("-", 0, LONGEST_REF + 1)]
        return Accepted(ref or None, parts=len(self.rest), handed=tuple(self.handed))

    def fail(self, fault: Refused | Unreachable) -> None:
        fault.handed = tuple(self.handed)
        self.answer.set_exception(fault)

    def _made(self, valid_seconds: int | None) -> tuple[pdu.Pdu, ...]:
        return pdu.submits(
            self.message.to,
            self.message.text,
            reference=self._joint,
            reference_bits=self._bits,
            valid_seconds=valid_seconds,
        )


class Carrier:
    """Hands over the parts of one errand after another, in one conversation."""

    def __init__(self, talk: Dialogue, clear: Callable[[], None], link: bool) -> None:
        """`clear` makes room in the memories. `link`: it can be kept up."""
        self._talk, self._clear = talk, clear
        self._link, self._last, self._validity = link, 0.0, True

    def carry(self, errand: Errand, more: bool, count: Callable[[], None]) -> None:
        """All parts that are left. Raises Said, Silent, Rebooted or Gone; what was taken is in `errand.handed`.

        `more`: other errands wait. `count` is called for each part.
        """
        if self._link and (more or len(errand.rest) > 1) and time.monotonic() - self._last > LINK_SECONDS:
            preparing.tried(self._talk, "AT+CMMS=1")
        for number in errand.rest:
            count()
            try:
                reference = self._part(errand, number)
            except Exception as fault:
                if getattr(fault, "taken", True):
                    errand.took(number, None)
                raise
            errand.took(number, reference)
            self._last = time.monotonic()

    def _part(self, errand: Errand, number: int) -> int:
        """One part, and a second try where the first error says how to do better, and that nothing was sent."""
        cleared = synced = False
        while True:
            try:
                return self._submit(errand.part(number, self._validity))
            except Silent as fault:
                if fault.taken or synced:
                    raise
                synced = True
            except Said as fault:
                if _full(fault) and not cleared:
                    cleared = True
                    self._clear()
                elif _no_validity(fault) and self._validity:
                    self._validity = False
                elif fault.asked and not synced:
                    synced = True
                    self._talk.resync()
                else:
                    raise

    def _submit(self, one: pdu.Pdu) -> int:
        try:
            return self._talk.submit(one)
        except Silent as fault:
            late = self._synced(fault)
            if not fault.taken or late is None:
                raise
            return late  # it had only been slow

    def _synced(self, fault: Silent) -> int | None:
        try:
            late = self._talk.resync()
        except (Silent, Rebooted, Gone) as worse:
            worse.taken = fault.taken
            raise
        fault.synced = True
        return late


class Cap:
    """So many parts in any minute: operators bar SIMs that send like a machine."""

    def __init__(self, per_minute: int | None, clock: Callable[[], int]) -> None:
        self._most, self._clock = per_minute, clock
        self._sent: deque[int] = deque()

    def count(self) -> None:
        if self._most is not None:
            self._sent.append(self._clock())

    def wait(self, parts: int) -> int:
        """Seconds until so many parts may go; 0 is now. More parts than the cap may go when all is quiet."""
        if self._most is None or not self._sent:
            return 0
        now = self._clock()
        while self._sent and self._sent[0] <= now - 60:
            self._sent.popleft()
        if not self._sent or len(self._sent) + parts <= self._most:
            return 0
        leaving = min(len(self._sent) + parts - self._most, len(self._sent))
        return self._sent[leaving - 1] + 60 - now


def _full(fault: Said) -> bool:
    return (fault.table == "cms" and fault.code in codes.STORAGE_FULL) or (fault.table, fault.code) == (
        "cme",
        "20",
    )


def _no_validity(fault: Said) -> bool:
    return fault.table == "cms" and fault.code in codes.VALIDITY_UNSUPPORTED
