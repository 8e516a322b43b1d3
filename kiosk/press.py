"""One press: the next number of this kiosk's own series, in the journal first, then on paper.

Nothing here waits for the gateway or for the printer, and nothing that fails after the journal has
the number is told to the citizen as a failure: the number is theirs.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Protocol

from gateway.rules import numbers
from kiosk import clock, journal, paper, state, wording
from printers import ticket

log = logging.getLogger(__name__)

# Presses remembered by their press_id; a browser repeats within seconds, a day has some 820.
REMEMBERED = 200
# Days whose last number is kept through a rotation of the journal.
DAYS = 60


@dataclass(frozen=True)
class Order:
    """What somebody asks for. `phone` E.164 or None.

    `press_id` names the press, so that its repeat is the same ticket; None for a button of metal.
    """

    service: str
    priority: bool = False
    phone: str | None = None
    language: str = "vi"
    press_id: str | None = None


@dataclass(frozen=True)
class Issued:
    """A number that was given. `event` as journalled, `document` as printed; `repeated`: given before."""

    event: Mapping[str, Any]
    document: Mapping[str, Any]
    repeated: bool = False


@dataclass(frozen=True)
class Declined:
    """No number was given. `code`: unknown_service, closed, too_soon, printer or journal."""

    code: str
    text: wording.Both


class Spool(Protocol):
    """The part of `printers.jobs.Spool` that a press needs."""

    def submit(self, key: str, ticket: ticket.Ticket, copy: int = 1, *, now: int) -> Any: ...


@dataclass(frozen=True)
class Place:
    """Where and under which letter numbers are given. `lockout` in seconds."""

    station: str
    series: str
    lockout: float = 2.0


class Desk:
    """The only giver of this kiosk's numbers. Safe to use from several threads.

    `known` tells the gateway's newest state, `unready` why a kiosk without a screen cannot serve now
    (None: it can), `issued` is called after each new number.
    """

    def __init__(
        self,
        book: journal.Journal,
        spool: Spool,
        time: clock.Clock,
        place: Place,
        *,
        trail: paper.Trail,
        known: Callable[[], state.Known],
        unready: Callable[[], wording.Both | None] = lambda: None,
        issued: Callable[[], None] = lambda: None,
    ):
        self._book, self._spool, self._clock, self._place = book, spool, time, place
        self._trail, self._known, self._unready, self._on_issued = trail, known, unready, issued
        self._guard = threading.Lock()
        self._handing = threading.Lock()
        self._last_press: float | None = None
        self._counts: dict[str, int] = dict(book.carry.get("counts", {}).get(place.series, {}))
        self._presses: dict[str, Issued] = {}
        self._waiting: dict[str, Issued] = {}
        for name, entry in book.carry.get("presses", {}).items():
            self._presses[name] = Issued(entry["event"], entry["document"])
        for record in book.records:
            self._recall(record)

    def _recall(self, record: journal.Record) -> None:
        event = record.event
        if event["type"] != paper.ISSUED or event["series"] != self._place.series:
            return
        self._count(event["day"], event["n"])
        found = Issued(event, record.local["document"])
        self._remember(record.local.get("press_id"), found)
        if not self._trail.printed(paper.key(event)):
            self._waiting[paper.key(event)] = found

    def press(self, order: Order) -> Issued | Declined:
        """Give a number, or say why not. When it returns `Issued`, the number survives a power cut."""
        with self._guard:
            earlier = self._presses.get(order.press_id or "")
            if earlier is not None:
                return replace(earlier, repeated=True)
            moment, known = self._clock.now(), self._known()
            answer = self._hindrance(order, known, moment) or self._issue(order, known, moment)
        if isinstance(answer, Issued):
            self.hand_over()
            self._on_issued()
        return answer

    def _hindrance(self, order: Order, known: state.Known, moment: clock.Moment) -> Declined | None:
        if known.state is None or known.state.service(order.service) is None:
            return Declined("unknown_service", wording.both("Máy này không có thủ tục đó."))
        if order.press_id is None and self._too_soon(moment):
            return Declined("too_soon", wording.both("Vui lòng chờ vài giây rồi bấm lại."))
        reason = state.closed(known, moment)
        if reason is not None:
            return Declined("closed", reason)
        reason = self._unready()
        return Declined("printer", reason) if reason is not None else None

    def _too_soon(self, moment: clock.Moment) -> bool:
        last = self._last_press
        return last is not None and moment.monotonic - last < self._place.lockout

    def _issue(self, order: Order, known: state.Known, moment: clock.Moment) -> Issued | Declined:
        self._rotate_when_spent()
        day = self._day(moment)
        n = self._counts.get(day, 0) + 1
        event = self._event(order, moment, day, n)
        document = self._document(order, known, event, moment)
        try:
            record = self._book.append(event, {"press_id": order.press_id, "document": document})
        except journal.Unwritable as fault:
            log.error("no number given: %s", fault)
            return Declined("journal", wording.both("Máy đang gặp sự cố. Xin báo cán bộ trực."))
        found = Issued(record.event, document)
        self._count(day, n)
        self._remember(order.press_id, found)
        self._waiting[paper.key(record.event)] = found
        if order.press_id is None:
            self._last_press = moment.monotonic
        return found

    def _day(self, moment: clock.Moment) -> str:
        """Today, but never before the newest day a number was given for.

        A clock that once stood years ahead must not hold the kiosk there for ever: a trusted time
        overrules a day that lies beyond tomorrow. Each day counts by itself, so no number comes twice.
        """
        today = clock.day(moment.at, moment.zone)
        newest = max(self._counts, default=today)
        beyond = (date.fromisoformat(today) + timedelta(days=1)).isoformat()
        if newest > beyond and moment.trusted:
            log.error("numbers were given for %s by a wrong clock; today is %s", newest, today)
            newest = max((day for day in self._counts if day <= beyond), default=today)
        return max(today, newest)

    def _event(self, order: Order, moment: clock.Moment, day: str, n: int) -> dict[str, Any]:
        return {
            **paper.stamp(paper.ISSUED, moment),
            "series": self._place.series,
            "n": n,
            "number": numbers.label(self._place.series, n),
            "day": day,
            "service": order.service,
            "priority": order.priority,
            "token": secrets.token_urlsafe(16),
            "phone": order.phone,
            "language": order.language,
        }

    def _document(
        self, order: Order, known: state.Known, event: Mapping[str, Any], moment: clock.Moment
    ) -> dict[str, Any]:
        service = known.state.service(order.service)
        english = order.language == "en" and service.en != service.vi
        outlook = self.outlook(order.service, moment) if not order.priority else Outlook()
        document = {
            "station": self._place.station,
            "service": f"{service.vi[:58]} / {service.en[:58]}" if english else service.vi,
            "number": event["number"],
            "place": known.state.place,
            "url": f"{known.state.base_url}/p/{event['token']}",
            "ahead": outlook.ahead,
            "eta": outlook.eta,
            "priority": order.priority,
            "issued_at": clock.rfc3339(moment.at, moment.zone) if moment.trusted else None,
        }
        return {name: value for name, value in document.items() if value is not None and value != ""}

    def outlook(self, service: str, moment: clock.Moment) -> Outlook:
        """What a newcomer for `service` may expect; empty when the gateway has not spoken lately."""
        known = self._known()
        if known.state is None or not known.fresh(moment) or service not in known.state.ahead:
            return Outlook()
        # Whoever the gateway has not heard of stands before a newcomer, whatever they came for.
        unseen = sum(
            record.event["type"] == paper.ISSUED
            for record in self._book.since(self._book.acked, limit=1000)
        )
        pair = known.state.eta.get(service)
        # A range worked out for the queue as it was would be too early behind people it did not count.
        eta = "–".join(clock.hour(at, moment.zone) for at in pair) if pair and not unseen else ""
        return Outlook(known.state.ahead[service] + unseen, eta)

    def hand_over(self) -> None:
        """Give the printer's spool what the journal has and the spool may not have; repeating is harmless."""
        with self._handing:
            moment = self._clock.now()
            for name, waiting in list(self._waiting.items()):
                if self._handed(name, waiting, moment):
                    self._waiting.pop(name, None)

    def _handed(self, name: str, waiting: Issued, moment: clock.Moment) -> bool:
        if moment.trusted and waiting.event["day"] < clock.day(moment.at, moment.zone):
            log.warning("%s was never printed and its day is over", name)
            return True
        try:
            self._spool.submit(name, ticket.Ticket.from_document(dict(waiting.document)), now=int(moment.at))
        except Exception:
            # Whatever is wrong with paper or spool, the number stands and the next round tries again.
            log.exception("%s not handed to the printer", name)
            return False
        return True

    def meet(self, day: str, n: int) -> None:
        """The gateway has number `n` of `day` from this kiosk; the next one is higher."""
        with self._guard:
            self._count(day, n)

    @property
    def last(self) -> tuple[str, int] | None:
        """The newest day and the last number given on it."""
        with self._guard:
            return max(self._counts.items(), default=None)

    def _count(self, day: str, n: int) -> None:
        self._counts[day] = max(n, self._counts.get(day, 0))

    def _remember(self, press_id: str | None, found: Issued) -> None:
        if press_id is None:
            return
        self._presses[press_id] = found
        while len(self._presses) > REMEMBERED:
            del self._presses[next(iter(self._presses))]

    def _rotate_when_spent(self) -> None:
        if not self._book.spent or self._waiting:
            return
        counts = dict(sorted(self._counts.items())[-DAYS:])
        presses = {
            name: {"event": issued.event, "document": issued.document}
            for name, issued in list(self._presses.items())[-20:]
        }
        others = {
            series: days
            for series, days in self._book.carry.get("counts", {}).items()
            if series != self._place.series
        }
        try:
            self._book.rotate({"counts": {**others, self._place.series: counts}, "presses": presses})
        except OSError as fault:
            log.error("the journal is not rotated now: %s", fault)


@dataclass(frozen=True)
class Outlook:
    """People before a newcomer and when the call is expected ("09:40–09:45"), as far as known."""

    ahead: int | None = None
    eta: str = ""
