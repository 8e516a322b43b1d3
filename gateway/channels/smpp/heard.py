"""What an SMSC sends by itself: receipts, and texts that people wrote to us.

A thread of its own tells them, as whoever takes note may have to wait for a database, and the line must not.
Only what was kept is acknowledged; otherwise the SMSC hears "later" and says it again. The parts of a long text
are the one exception: each is acknowledged when it comes, since most SMSCs send the next one only then, and they
wait in memory for the rest, ten minutes at the most; then what has come is told with a mark for what has not.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.channels import Incoming, PartReport
from gateway.rules import phone
from gateway.rules.smpp import receipts, texts
from gateway.rules.smpp.pdus import Address, Malformed, Pdu, ShortMessage, Status
from gateway.rules.sms import pdu

log = logging.getLogger(__name__)

PATIENCE = 600.0
"""Seconds that a long text waits for its missing parts."""

MOST_WAITING = 200
"""Unfinished texts kept at once, so that nobody can fill our memory with first parts."""

MISSING = "[…]"
_ABROAD = 1


@dataclass(eq=False)
class _Unfinished:
    at: int
    since: float
    parts: dict[int, str] = field(default_factory=dict)


class Ear:
    """Tells receipts and texts, one after the other."""

    def __init__(
        self,
        coding: str,
        on_part: Callable[[PartReport], None],
        on_incoming: Callable[[Incoming], None],
        clock: Callable[[], int],
        patience: float = PATIENCE,
    ) -> None:
        """`on_part` and `on_incoming` raise when they have not kept what they were told."""
        self._coding, self._on_part, self._on_incoming = coding, on_part, on_incoming
        self._clock, self._patience = clock, patience
        self._waiting: dict[tuple[str, str, int, int], _Unfinished] = {}
        self._work: queue.SimpleQueue[tuple[Pdu, Callable[[int], None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="smpp-ear", daemon=True)
        self._thread.start()

    def hear(self, deliver: Pdu, answer: Callable[[int], None]) -> None:
        """Takes a deliver_sm; `answer(status)` is called once it is told, by another thread."""
        self._work.put((deliver, answer))

    def close(self) -> None:
        """What is unfinished is told as it is."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=min(self._patience, 30.0) if self._waiting else None)
            except queue.Empty:
                self._give_up(time.monotonic() - self._patience)
                continue
            if work is None:
                self._give_up(time.monotonic())
                return
            deliver, answer = work
            answer(self._status(deliver))
            self._give_up(time.monotonic() - self._patience)

    def _status(self, deliver: Pdu) -> int:
        try:
            message = ShortMessage.read(deliver.body)
            receipt = receipts.read(message)
            if receipt is not None:
                self._report(message, receipt)
            else:
                self._text(message)
        except Malformed as fault:
            log.warning("smpp: a deliver_sm that cannot be read: %s", fault)
            return Status.NEVER
        except Exception:
            # Somebody else's code in our thread: it has not kept it, so the SMSC shall say it again.
            log.exception("smpp: a listener failed")
            return Status.LATER
        return Status.OK

    def _report(self, message: ShortMessage, receipt: receipts.Receipt) -> None:
        """The time is ours: an SMSC writes the time of its own zone and does not say which that is."""
        to = _person(message.source) or _person(message.to) or _named(message.source)
        self._on_part(PartReport(receipt.refs, to, receipt.delivered, receipt.code, self._clock()))

    def _text(self, message: ShortMessage) -> None:
        sender, now = _person(message.source) or _named(message.source), self._clock()
        text, join = texts.read(message, self._coding)
        if join is None:
            self._on_incoming(Incoming(sender, pdu.joined([text]), now))
            return
        key = (sender, message.to.number, join.reference, join.total)
        found = self._waiting.setdefault(key, _Unfinished(now, time.monotonic()))
        found.parts[join.number] = text
        if len(found.parts) == join.total:
            self._on_incoming(_put_together(sender, join.total, found))
            del self._waiting[key]

    def _give_up(self, before: float) -> None:
        """Tells the texts that have waited since before then, and the oldest where there are too many."""
        for place, (key, found) in enumerate(list(self._waiting.items())):
            if found.since > before and place >= len(self._waiting) - MOST_WAITING:
                return
            try:
                self._on_incoming(_put_together(key[0], key[3], found))
            except Exception:
                log.exception("smpp: a listener failed")
                return
            del self._waiting[key]


def _put_together(sender: str, total: int, found: _Unfinished) -> Incoming:
    """The text, with one mark for each gap."""
    parts = [found.parts.get(number, MISSING) for number in range(1, total + 1)]
    kept = [part for place, part in enumerate(parts) if part != MISSING or parts[place - 1 : place] != [part]]
    return Incoming(sender, pdu.joined(kept), found.at)


def _person(address: Address) -> str | None:
    """The E.164 of a Vietnamese number; SMSCs write it with and without its country."""
    number = phone.parse(("+" if address.ton == _ABROAD else "") + address.number.removeprefix("+"))
    return number.e164 if isinstance(number, phone.Phone) else None


def _named(address: Address) -> str:
    """A name such as "VIETTEL", a short code, or a number of another country."""
    abroad = address.ton == _ABROAD and address.number.isdigit()
    return f"+{address.number}" if abroad else address.number
