"""Texts that came in over the modem, put together from their parts."""

from dataclasses import dataclass

from gateway.rules.sms import pdu

KEPT = 24 * 3600
"""Seconds to wait for the missing parts of a text."""

MOST_TEXTS = 200
"""Unfinished texts kept at once, so that nobody can fill our memory with first parts."""


@dataclass(frozen=True)
class Incoming:
    """A whole text. `sender`: "+84905123456", or a name such as "VIETTEL"; `at`: epoch seconds."""

    sender: str
    text: str
    at: int


@dataclass(frozen=True)
class Arrival:
    """A text that is complete, and the places in the modem's memory that hold it."""

    incoming: Incoming
    indexes: tuple[str, ...]


class Inbox:
    """Parts wait here, and in the modem's memory, until their text is whole."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int, int], dict[int, tuple[pdu.Delivered, str | None]]] = {}
        self._since: dict[tuple[str, int, int], int] = {}

    def add(self, delivered: pdu.Delivered, index: str | None, now: int) -> Arrival | None:
        """The text this part completes, or None. `index`: where the modem holds it, None if nowhere."""
        self._forget(now)
        join = delivered.join
        if join is None:
            return _arrival([(delivered, index)], now)
        key = (delivered.sender, join.reference, join.total)
        parts = self._waiting.setdefault(key, {})
        self._since.setdefault(key, now)
        parts[join.number] = (delivered, index)
        if len(parts) < join.total:
            return None
        del self._waiting[key], self._since[key]
        return _arrival([parts[number] for number in sorted(parts)], now)

    def _forget(self, now: int) -> None:
        for key, since in list(self._since.items()):
            if now - since > KEPT or len(self._since) > MOST_TEXTS:
                del self._waiting[key], self._since[key]


def _arrival(parts: list[tuple[pdu.Delivered, str | None]], now: int) -> Arrival:
    first = parts[0][0]
    text = pdu.joined(delivered.text for delivered, _ in parts)
    indexes = tuple(index for _, index in parts if index is not None)
    return Arrival(Incoming(first.sender, text, first.at or now), indexes)
