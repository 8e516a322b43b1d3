"""Who joins the queue, and when they count as present."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.queue import day as days
from gateway.rules import numbers, order
from gateway.rules.lifecycle import ticket as lifecycle
from gateway.rules.lifecycle.ticket import State, Verb


@dataclass(frozen=True)
class WalkIn:
    """A person who takes a ticket at the place. `issued_at`: the press, in seconds by the gateway's clock.

    A kiosk names its own series, number and page token; at the desk the gateway gives them.
    """

    site_id: int
    day: date
    service_id: int
    issued_at: int
    priority: bool = False
    phone: str | None = None
    language: str = "vi"
    series: str = numbers.DESK_SERIES
    n: int | None = None
    token: str | None = None
    kiosk_id: int | None = None


def fresh_token() -> str:
    """22 characters that nobody can guess: the address of a person's own page."""
    return secrets.token_urlsafe(16)


def admit(session: Session, person: WalkIn, promises: order.Promises, now: int, by: str) -> tables.Ticket:
    """Put a walk-in into the queue at the place that the hour of their ticket earned."""
    day = days.opened(session, person.site_id, person.day)
    n = person.n or days.next_number(session, person.site_id, person.day, person.series)
    place = order.walk_in(person.issued_at, person.priority, promises)
    ticket = tables.Ticket(
        token=person.token or fresh_token(),
        site_id=person.site_id,
        day=person.day,
        series=person.series,
        n=n,
        number=numbers.label(person.series, n),
        source="walk_in",
        service_id=person.service_id,
        kiosk_id=person.kiosk_id,
        phone=person.phone,
        language=person.language,
        priority=person.priority,
        created_at=person.issued_at,
        present_at=person.issued_at,
        base=place.base,
        due=place.due,
        seq=days.next_seq(day),
        state=State.WAITING,
    )
    session.add(ticket)
    session.flush()
    days.record(session, day, now, "admitted", ticket_id=ticket.id, by=by)
    return ticket


def book(session: Session, applicant: tables.Applicant, shift: tables.Shift, now: int) -> tables.Ticket:
    """Give a registered applicant the next booked number of the shift's day."""
    day = days.opened(session, shift.site_id, shift.day)
    n = days.next_number(session, shift.site_id, shift.day, numbers.BOOKED_SERIES)
    registration = session.get_one(tables.Registration, applicant.registration_id)
    ticket = tables.Ticket(
        token=fresh_token(),
        site_id=shift.site_id,
        day=shift.day,
        series=numbers.BOOKED_SERIES,
        n=n,
        number=numbers.label(numbers.BOOKED_SERIES, n),
        source="booked",
        service_id=applicant.service_id,
        applicant_id=applicant.id,
        phone=registration.phone,
        language=registration.language,
        priority=applicant.priority,
        slot_at=applicant.slot_at,
        created_at=now,
        state=State.BOOKED,
    )
    session.add(ticket)
    applicant.state = "numbered"
    session.flush()
    days.record(session, day, now, "booked", ticket_id=ticket.id, by="gateway")
    return ticket


def locked(session: Session, ticket_id: int) -> tuple[tables.Ticket, tables.SiteDay]:
    """A ticket as it is now that its day is locked."""
    found = session.get_one(tables.Ticket, ticket_id)
    day = days.opened(session, found.site_id, found.day)
    session.refresh(found)
    return found, day


def check_in(
    session: Session, ticket_id: int, promises: order.Promises, now: int, by: str
) -> tables.Ticket | None:
    """A booked person is here. None where that cannot be (not booked); once present, again changes nothing."""
    ticket, day = locked(session, ticket_id)
    after = lifecycle.after(State(ticket.state), Verb.CHECK_IN)
    if after is None:
        return ticket if ticket.state == State.WAITING else None
    place = order.booked(ticket.slot_at or now, now, ticket.priority, promises)
    ticket.state, ticket.present_at, ticket.seq = after, now, days.next_seq(day)
    ticket.base, ticket.due = place.base, place.due
    days.record(session, day, now, "checked_in", ticket_id=ticket.id, by=by)
    return ticket


def come_back(
    session: Session, ticket_id: int, promises: order.Promises, now: int, by: str
) -> tables.Ticket | None:
    """A missed person is back in time, once: waiting again, never earlier than before. Else None."""
    ticket, day = locked(session, ticket_id)
    after = lifecycle.after(State(ticket.state), Verb.RETURN)
    missed = ticket.missed_at
    if after is None or missed is None or ticket.base is None or ticket.due is None:
        return None
    if not order.may_return(missed, now, ticket.returned, promises):
        return None
    place = order.returned(order.Place(ticket.base, ticket.due, order.Why.RETURNED), missed, promises)
    ticket.state, ticket.due, ticket.returned = after, place.due, True
    ticket.counter_id, ticket.calls = None, 0
    days.record(session, day, now, "returned", ticket_id=ticket.id, by=by)
    return ticket


def cancel(session: Session, ticket_id: int, now: int, by: str) -> tables.Ticket | None:
    """Give a ticket up; None where it is too late for that."""
    ticket, day = locked(session, ticket_id)
    after = lifecycle.after(State(ticket.state), Verb.CANCEL)
    if after is None:
        return None
    ticket.state = after
    days.record(session, day, now, "cancelled", ticket_id=ticket.id, by=by)
    return ticket


def ticket_for(session: Session, site_id: int, day: date, code: str) -> tables.Ticket | None:
    """The ticket that a code names: its number on that site-day, or the token of its page."""
    code = code.strip().rsplit("/", 1)[-1]
    here = select(tables.Ticket).filter_by(site_id=site_id, day=day)
    return session.scalar(here.filter_by(number=numbers.spelled(code))) or session.scalar(
        here.filter_by(token=code)
    )
