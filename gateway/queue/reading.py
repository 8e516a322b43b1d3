"""The queue as others see it: the board, a person's place, the reason for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.queue.calling import AT_COUNTER
from gateway.rules import forecast, order
from gateway.rules.lifecycle.ticket import State

CALLED_SHOWN = 12
STILL_CALLED = (*AT_COUNTER, State.DONE)
# Columns, not objects: a hall of 400 is read at every call, and plain rows cost a fifth
SEEN = tuple(
    getattr(tables.Ticket, name)
    for name in (
        "id",
        "number",
        "source",
        "service_id",
        "priority",
        "slot_at",
        "base",
        "returned",
        "counter_id",
        "only_counter_id",
        "called_at",
        "started_at",
    )
)
BOOKED_EARLIEST = 300  # a booked person is never told a time before slot − 5 min


@dataclass(frozen=True)
class Standing:
    """A present ticket's place: how many are ahead, when its turn is likely (a range, seconds), and why."""

    ticket_id: int
    number: str
    source: str
    service_id: int
    priority: bool
    slot_at: int | None
    ahead: int
    eta: tuple[int, int] | None
    why: order.Why
    only_counter_id: int | None = None  # sent on to this counter


@dataclass(frozen=True)
class Called:
    ticket_id: int
    number: str
    counter: str
    counter_id: int
    called_at: int
    calls: int
    state: str


@dataclass(frozen=True)
class Desk:
    """A counter as the board shows it; `number` is who is there."""

    id: int
    label: str
    state: str
    number: str | None


@dataclass(frozen=True)
class Snapshot:
    """Everything that can be seen of a queue at one version; `newcomer` is when one more would be called."""

    site_id: int
    day: date
    version: int
    waiting: tuple[Standing, ...]
    called: tuple[Called, ...]
    desks: tuple[Desk, ...]
    newcomer: tuple[int, int] | None

    def standing(self, ticket_id: int) -> Standing | None:
        return next((one for one in self.waiting if one.ticket_id == ticket_id), None)


def version(session: Session, site_id: int, day: date) -> int:
    return session.scalar(select(tables.SiteDay.version).filter_by(site_id=site_id, day=day)) or 0


def snapshot(session: Session, site_id: int, day: date, now: int) -> Snapshot:
    """Read a queue whole: the version first, so what is read is at least that new."""
    seen = version(session, site_id, day)
    counters = session.scalars(
        select(tables.Counter).filter_by(site_id=site_id).order_by(tables.Counter.label)
    ).all()
    here = select(*SEEN).where(tables.Ticket.site_id == site_id, tables.Ticket.day == day)
    waiting = here.where(tables.Ticket.state == State.WAITING)
    present = session.execute(waiting.order_by(tables.Ticket.due, tables.Ticket.seq)).all()
    means = dict(session.execute(select(tables.Service.id, tables.Service.seconds)).all())
    busy = session.execute(here.where(tables.Ticket.state.in_(AT_COUNTER))).all()
    free = _free(counters, busy, means, now)
    begun = forecast.starts(free, [*(means[ticket.service_id] for ticket in present), 0])
    return Snapshot(
        site_id,
        day,
        seen,
        _standings(present, begun),
        _called(session, site_id, day, counters),
        tuple(_desk(counter, busy) for counter in counters),
        forecast.shown(begun[-1]) if begun else None,
    )


def _free(counters, busy, means: Mapping[int, int], now: int) -> list[int]:
    taken = {ticket.counter_id for ticket in busy}
    idle = sum(1 for counter in counters if counter.state == "open" and counter.id not in taken)
    return forecast.free_times(
        now,
        idle,
        [forecast.Busy(ticket.started_at or ticket.called_at, means[ticket.service_id]) for ticket in busy],
    )


def _standings(present, begun: list[int]) -> tuple[Standing, ...]:
    return tuple(
        Standing(
            ticket.id,
            ticket.number,
            ticket.source,
            ticket.service_id,
            ticket.priority,
            ticket.slot_at,
            ahead,
            forecast.shown(begun[ahead], ticket.slot_at and ticket.slot_at - BOOKED_EARLIEST)
            if begun
            else None,
            why(ticket),
            ticket.only_counter_id,
        )
        for ahead, ticket in enumerate(present)
    )


def why(ticket: tables.Ticket) -> order.Why:
    """Which rule gave a present ticket its place."""
    if ticket.returned:
        return order.Why.RETURNED
    if ticket.source == "walk_in":
        return order.Why.WALK_IN_PRIORITY if ticket.priority else order.Why.WALK_IN
    if ticket.priority:
        return order.Why.BOOKED_PRIORITY
    return order.Why.BOOKED if ticket.base == ticket.slot_at else order.Why.BOOKED_LATE


def _called(session: Session, site_id: int, day: date, counters) -> tuple[Called, ...]:
    """The last people called, newest first, each once; the log knows the order within one second."""
    labels = {counter.id: counter.label for counter in counters}
    calls = session.execute(
        select(tables.Event.counter_id, tables.Event.at, tables.Ticket)
        .join(tables.Ticket, tables.Ticket.id == tables.Event.ticket_id)
        .where(
            tables.Event.site_id == site_id,
            tables.Event.day == day,
            tables.Event.type.in_(("called", "recalled")),
        )
        .order_by(tables.Event.version.desc())
        .limit(CALLED_SHOWN * 3)
    )
    newest: dict[int, Called] = {}
    for counter_id, at, ticket in calls:
        here = ticket.counter_id == counter_id
        newest.setdefault(
            ticket.id,
            Called(
                ticket.id,
                ticket.number,
                labels.get(counter_id, ""),
                counter_id,
                at,
                ticket.calls,
                ticket.state if here else State.WAITING,
            ),
        )
    # Who was sent on or did not come is not called any more: nobody must follow that number
    return tuple(one for one in newest.values() if one.state in STILL_CALLED)[:CALLED_SHOWN]


def _desk(counter: tables.Counter, busy) -> Desk:
    here = next((ticket.number for ticket in busy if ticket.counter_id == counter.id), None)
    return Desk(counter.id, counter.label, counter.state, here)
