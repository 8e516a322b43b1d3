"""Messages handed to a modem, part by part, and what their status reports add up to.

Theory: the modem gives every part its own number (0-255, it wraps), and reports come by that number and the
destination, in any order, before or after the command's OK. A message is delivered when all its parts are; it
has failed when one part has. A part whose hand-over ended in silence has no number: a report to the same
destination that fits nothing else is taken for it.
"""

from dataclasses import dataclass, field

from gateway.channels import Report
from gateway.rules import phone
from gateway.rules.sms import pdu

REMEMBERED = 48 * 3600
"""Seconds; networks try for a day or two, then report a failure."""

UNNUMBERED = 600
"""Seconds in which a report without a match may belong to a part without a number."""


@dataclass
class Sending:
    """One message under way. `numbers`: part → the modem's numbers; `join`: what ties the parts together."""

    reference: str
    to: str
    join: int
    total: int
    at: int
    numbers: dict[int, list[int]] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)
    delivered: set[int] = field(default_factory=set)
    closed: bool = False

    @property
    def provider_ref(self) -> str | None:
        """The modem's numbers in the order of the parts, "17-18-19"."""
        return "-".join(str(self.numbers[part][-1]) for part in sorted(self.numbers)) or None

    def missing(self, part: int) -> bool:
        return part not in self.numbers

    def taken(self, part: int, number: int) -> None:
        self.numbers.setdefault(part, []).append(number)
        self.unknown.discard(part)


class Airborne:
    """All messages of the last 48 hours."""

    def __init__(self) -> None:
        self._sendings: dict[str, Sending] = {}

    def begin(self, reference: str, to: str, total: int, join: int, now: int) -> Sending:
        """The message to be sent; when parts of it went out before, that one, so that only the rest is sent.

        The rest must carry the same join: with a new one the phone would keep two halves for ever.
        """
        self._forget(now)
        old = self._sendings.get(reference)
        if old and old.total == total:
            return old
        sending = Sending(reference, to, join, total, now)
        self._sendings[reference] = sending
        return sending

    def report(self, status: pdu.StatusReport, now: int) -> Report | None:
        """What a status report means for its message; None when it changes nothing yet."""
        to = _e164(status.to)
        code, at = f"ST {status.status:02X}", status.at
        sending, part = self._owner(to, status.reference, now)
        if sending is None:
            delivered = _DELIVERED[status.fate]
            return Report(None, str(status.reference), to, delivered, code, at, delivered is not None)
        if sending.closed:
            return None
        delivered = _counted(sending, part, status.fate)
        if delivered is None and status.fate is not pdu.Fate.PENDING:
            return None
        sending.closed = delivered is not None
        return Report(sending.reference, sending.provider_ref, to, delivered, code, at, sending.closed)

    def _owner(self, to: str, number: int, now: int) -> tuple[Sending | None, int]:
        newest_first = [one for one in reversed(self._sendings.values()) if one.to == to]
        for sending in newest_first:
            for part, numbers in sending.numbers.items():
                if number in numbers:
                    return sending, part
        for sending in newest_first:
            if sending.unknown and now - sending.at <= UNNUMBERED:
                part = min(sending.unknown)
                sending.taken(part, number)
                return sending, part
        return None, 0

    def _forget(self, now: int) -> None:
        while self._sendings:
            oldest = next(iter(self._sendings))
            if now - self._sendings[oldest].at <= REMEMBERED:
                return
            del self._sendings[oldest]


_DELIVERED = {pdu.Fate.DELIVERED: True, pdu.Fate.FAILED: False, pdu.Fate.PENDING: None}


def _counted(sending: Sending, part: int, fate: pdu.Fate) -> bool | None:
    if fate is pdu.Fate.DELIVERED:
        sending.delivered.add(part)
        return True if len(sending.delivered) == sending.total else None
    return _DELIVERED[fate]


def _e164(number: str) -> str:
    """Networks write the destination their own way, "84905…" or "0905…"."""
    parsed = phone.parse(number)
    return parsed.e164 if isinstance(parsed, phone.Phone) else number
