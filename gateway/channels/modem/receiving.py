"""What comes in by the modem: status reports and texts from people, directly or by way of its memories.

Theory: what is held in a memory stays there until whoever listens has kept it. The places belong to one
conversation: after an unplug another SIM may be in the modem, so what was to be deleted is read again instead.
"""

import logging
import re
from collections import deque
from collections.abc import Callable, Sequence

from gateway.channels import Incoming, PartReport
from gateway.channels.modem import preparing, telling
from gateway.channels.modem.dialogue import Dialogue, Note, Said
from gateway.channels.modem.inbox import Arrival, Inbox, Place
from gateway.channels.modem.shelf import REPORTS, Shelf
from gateway.rules import phone
from gateway.rules.sms import fields, pdu

log = logging.getLogger(__name__)

SPARE = 2
"""Free places at which the memory counts as full: a full one receives nothing any more."""

AT_ONCE, GATHER_SECONDS = 200, 0.1
"""Reports are in no hurry: those of a moment are kept by one commit."""

STORED = (0, 1)
"""A stored text that came in, new or read; the others are drafts and copies of what was sent."""

_E164 = re.compile(r"\+84[35789][0-9]{8}")
_DELIVERED = {pdu.Fate.DELIVERED: True, pdu.Fate.FAILED: False, pdu.Fate.PENDING: None}


class Receiver:
    """The owner thread uses it; what is kept is noted by the threads that tell."""

    def __init__(
        self,
        name: str,
        on_parts: Callable[[Sequence[PartReport]], None],
        on_incoming: Callable[[Incoming], None],
        incoming: bool,
        ring: Callable[[], None],
        clock: Callable[[], int],
        again: float,
    ) -> None:
        """`ring` is called when there is something to delete."""
        self._name, self._incoming, self._ring, self._clock = name, incoming, ring, clock
        self._inbox = Inbox()
        self._kept: deque[tuple[int, tuple[Place, ...]]] = deque()
        self._conversation = 0
        self._told: set[Place] = set()
        self._others, self._stored_reports = 0, False
        self._reports = telling.Teller(
            name, on_parts, self._note_kept, at_once=AT_ONCE, gather=GATHER_SECONDS, again=again
        )
        self._texts = telling.Teller(name, lambda texts: on_incoming(*texts), self._note_kept, again=again)

    @property
    def waiting(self) -> bool:
        """Whether there is work for the owner."""
        return bool(self._kept)

    def begin(self, talk: Dialogue, memories: Shelf, acknowledges: bool) -> None:
        """A new conversation: places of the old one mean nothing any more."""
        self._talk, self._memories, self._acknowledges = talk, memories, acknowledges
        self._conversation += 1
        self._told.clear()
        self._inbox.forget_places()

    def read_all(self, stored_reports: bool) -> None:
        """What came while nobody listened."""
        self._stored_reports = stored_reports
        self._guarded(self._read_texts)
        if stored_reports:
            self._guarded(self._read_reports)
        self.work()

    def work(self) -> None:
        """Everything that was said unasked, and everything to delete. Reading may bring more, so until none is left."""
        while self._talk.notes:
            note = self._talk.notes.popleft()
            self._guarded(lambda note=note: self._take(note))
        while self._kept:
            conversation, places = self._kept.popleft()
            if conversation == self._conversation:
                self._delete(places)

    def counts(self) -> tuple[int, int] | None:
        try:
            return self._memories.counts()
        except Said:
            return None

    def tidy(self, stored: int, memory: int) -> None:
        """Looks after what is stored: what was told of in vain is read, what has waited a day goes on as it is, and
        when the memory is nearly full, so does the oldest.
        """
        if stored > self._others + len(self._needed()):
            self._guarded(self._read_texts)
        if self._stored_reports:
            self._guarded(self._read_reports)
        for arrival in self._inbox.overdue(self._clock()):
            self._hand_on(arrival)
        if memory and stored >= max(1, memory - SPARE):
            self._guarded(self._make_room)
        self.work()

    def clear(self) -> None:
        """The modem has no room for what it is to send: whatever nobody needs any more goes."""
        self.read_all(self._stored_reports)
        self._guarded(self._make_room)

    def close(self) -> None:
        """Tells what only we know."""
        for arrival in self._inbox.unheld():
            self._hand_on(arrival)
        self._reports.close()
        self._texts.close()

    def _needed(self) -> set[Place]:
        return self._inbox.places | self._told

    def _read_texts(self) -> None:
        found = list(self._memories.all(self._memories.texts))
        self._others = sum(status not in STORED for _, status, _ in found)
        for place, status, text in found:
            if status in STORED:
                self._guarded(lambda place=place, text=text: self._received(text, place))

    def _read_reports(self) -> None:
        for place, _, text in list(self._memories.all(REPORTS)):
            self._guarded(lambda place=place, text=text: self._received(text, place))

    def _make_room(self) -> None:
        needed = self._needed()
        if not needed:
            self._memories.delete_read()
            return
        found = list(self._memories.all(self._memories.texts))
        old = tuple(place for place, status, _ in found if status not in STORED and place not in needed)
        self._delete(old)
        if not old and (arrival := self._inbox.oldest()):
            self._hand_on(arrival)

    def _take(self, note: Note) -> None:
        if note.kind in ("CDS", "CMT"):
            if self._acknowledges:
                preparing.tried(self._talk, "AT+CNMA")
            self._received(note.value, None)
            return
        place = (note.memory, note.value)
        if note.kind == "CMTI" and not self._incoming:
            self._delete((place,))
        else:
            self._received(self._memories.read(place), place)

    def _received(self, text: str, place: Place | None) -> None:
        """One PDU, of whichever kind. What cannot be read is deleted: left where it is it would fill the SIM."""
        if place in self._told:
            return
        try:
            self._sorted(text, place)
        except fields.Malformed:
            self._delete((place,) if place else ())
            raise

    def _sorted(self, text: str, place: Place | None) -> None:
        if _is_report(text):
            self._reports.tell(_part_report(pdu.read_report(text)), self._tag((place,) if place else ()))
        elif not self._incoming:
            self._delete((place,) if place else ())
        else:
            for arrival in self._inbox.add(pdu.read_deliver(text), place, self._clock()):
                self._hand_on(arrival)

    def _hand_on(self, arrival: Arrival) -> None:
        if arrival.again:
            self._delete(arrival.places)
        else:
            self._texts.tell(arrival.incoming, self._tag(arrival.places))

    def _tag(self, places: tuple[Place, ...]) -> tuple[int, tuple[Place, ...]]:
        self._told.update(places)
        return self._conversation, places

    def _note_kept(self, belonging: tuple[int, tuple[Place, ...]]) -> None:
        if belonging[1]:
            self._kept.append(belonging)
            self._ring()

    def _delete(self, places: tuple[Place, ...]) -> None:
        for place in places:
            self._told.discard(place)
            self._guarded(lambda place=place: self._memories.delete(place))

    def _guarded(self, act: Callable[[], None]) -> None:
        """One bad PDU, or a place that is empty after all, holds up nothing else."""
        try:
            act()
        except (fields.Malformed, Said) as fault:
            log.warning("%s: something stored or said cannot be read: %s", self._name, fault)


def _is_report(text: str) -> bool:
    """By the two lowest bits behind the service-centre field (23.040, 9.2.3.1)."""
    try:
        first = 2 + 2 * int(text[:2], 16)
        return int(text[first : first + 2], 16) & 0x03 == 0x02
    except ValueError:
        raise fields.Malformed("no PDU") from None


def _part_report(status: pdu.StatusReport) -> PartReport:
    to = status.to
    if not _E164.fullmatch(to):  # networks write the destination their own way, "84905…" or "0905…"
        parsed = phone.parse(to)
        to = parsed.e164 if isinstance(parsed, phone.Phone) else to
    return PartReport(
        (str(status.reference),), to, _DELIVERED[status.fate], f"ST {status.status:02X}", status.at
    )
