"""Texts that came in over the modem, put together from their parts. Nothing that came is ever thrown away unread.

Theory: parts come in any order, twice, or never; and a sender's phone uses the same reference again after a
while. A part waits here and in the modem's memory for the rest. What is still not whole after a day, or when
there is no room any more, is handed on as it is, with "[…]" where something is missing.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.channels import Incoming
from gateway.rules.sms import pdu

KEPT = 24 * 3600
"""Seconds to wait for the missing parts of a text, counted by the network's clock, so that a restart is no delay."""

AT_LEAST = 600
"""Seconds to wait in any case: a phone that was off for days gets the parts of an old text one after another."""

MOST_TEXTS = 200
"""Unfinished texts kept at once, so that nobody can fill our memory with first parts."""

GAP = "[…]"

Place = tuple[str, str]
"""Where the modem holds something: the name of a memory, and an index in it."""


@dataclass(frozen=True)
class Arrival:
    """A text to hand on, and the places in the modem's memory that hold it.

    `again`: only a part of a text that is whole already, to be deleted.
    """

    incoming: Incoming
    places: tuple[Place, ...]
    again: bool = False


@dataclass
class _Text:
    """A text that is not whole. `until`: epoch seconds."""

    sender: str
    total: int
    until: int
    at: int
    parts: dict[int, str] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)

    def arrival(self) -> Arrival:
        return Arrival(Incoming(self.sender, pdu.joined(self._pieces()), self.at), tuple(self.places))

    def _pieces(self) -> Iterable[str]:
        missing = False
        for number in range(1, self.total + 1):
            if number in self.parts:
                yield self.parts[number]
            elif not missing:
                yield GAP
            missing = number not in self.parts


_Key = tuple[str, int, int]


class Inbox:
    """Only the thread that owns the port uses it."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[_Key, _Text] = OrderedDict()
        self._whole: OrderedDict[_Key, tuple[int, dict[int, str]]] = OrderedDict()

    @property
    def places(self) -> set[Place]:
        """What must stay in the modem's memory."""
        return {place for text in self._waiting.values() for place in text.places}

    def add(self, delivered: pdu.Delivered, place: Place | None, now: int) -> list[Arrival]:
        """What this part completes, or pushes out. `place`: where the modem holds it, None if nowhere."""
        if delivered.join is None:
            text = _Text(delivered.sender, 1, now, delivered.at or now, {1: delivered.text})
            text.places += [place] if place else []
            return [text.arrival()]
        key = (delivered.sender, delivered.join.reference, delivered.join.total)
        if self._known(key, delivered, now):
            return [Arrival(Incoming(delivered.sender, delivered.text, now), (place,), True)] if place else []
        return self._push_out(key, delivered) + self._put(key, delivered, place, now)

    def forget_places(self) -> None:
        """The modem may hold another SIM now: what it still has will be read again."""
        for text in self._waiting.values():
            text.places.clear()

    def overdue(self, now: int) -> list[Arrival]:
        """What has waited for its missing parts for a day."""
        due = [key for key, text in self._waiting.items() if text.until <= now]
        return [self._waiting.pop(key).arrival() for key in due]

    def oldest(self) -> Arrival | None:
        """What has waited longest, when its room is needed."""
        return self._waiting.popitem(last=False)[1].arrival() if self._waiting else None

    def unheld(self) -> list[Arrival]:
        """What only we hold, when this program ends."""
        keys = [key for key, text in self._waiting.items() if len(text.places) < len(text.parts)]
        return [self._waiting.pop(key).arrival() for key in keys]

    def _known(self, key: _Key, delivered: pdu.Delivered, now: int) -> bool:
        """Whether it belongs to a text that is whole already: networks say things twice."""
        at, parts = self._whole.get(key, (0, {}))
        return now - at <= KEPT and parts.get(delivered.join.number) == delivered.text

    def _push_out(self, key: _Key, delivered: pdu.Delivered) -> list[Arrival]:
        """A new text under the reference of one that never became whole."""
        text = self._waiting.get(key)
        if text is None or text.parts.get(delivered.join.number, delivered.text) == delivered.text:
            return []
        return [self._waiting.pop(key).arrival()]

    def _put(self, key: _Key, delivered: pdu.Delivered, place: Place | None, now: int) -> list[Arrival]:
        at = min(delivered.at or now, now)
        until = max(at + KEPT, now + AT_LEAST)
        text = self._waiting.setdefault(key, _Text(delivered.sender, delivered.join.total, until, at))
        text.parts[delivered.join.number] = delivered.text
        if place and place not in text.places:
            text.places.append(place)
        if len(text.parts) < text.total:
            oldest = self.oldest() if len(self._waiting) > MOST_TEXTS else None
            return [oldest] if oldest else []
        del self._waiting[key]
        self._remember(key, text, now)
        return [text.arrival()]

    def _remember(self, key: _Key, text: _Text, now: int) -> None:
        self._whole[key] = (now, text.parts)
        self._whole.move_to_end(key)
        if len(self._whole) > MOST_TEXTS:
            self._whole.popitem(last=False)
