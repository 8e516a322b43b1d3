"""Whose numbers a phone may ask about by text message: those that were registered or taken with it.

What is told goes to that phone alone, whoever wrote its number as the sender; a cancellation must name its number.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import or_, select

from gateway import queue, registrations, tables
from gateway.chat.theirs import LIVE, SHOWN
from gateway.rules import names, numbers
from gateway.rules.lifecycle.ticket import State
from gateway.texts.talk import Talk, plain

NAME_SHOWN = 20
_URGENT = (State.CALLED, State.SERVING, State.WAITING, State.NO_SHOW)


@dataclass(frozen=True)
class Turn:
    """One person's booked or waiting turn. `ahead`: people before a waiting one."""

    site: tables.Site
    slot_at: int | None
    applicant: tables.Applicant | None = None
    registration: tables.Registration | None = None
    ticket: tables.Ticket | None = None
    ahead: int | None = None

    @property
    def number(self) -> str:
        return self.ticket.number if self.ticket else ""

    @property
    def name(self) -> str:
        """As others may see it, in plain letters; of a long one the given name and the initials next to it."""
        words = plain(names.shown(self.applicant.name)).split() if self.applicant else []
        while len(words) > 1 and len(" ".join(words)) > NAME_SHOWN:
            words.pop(0)
        return " ".join(words)[:NAME_SHOWN]

    @property
    def may_cancel(self) -> bool:
        """A number in hand that the queue still gives back."""
        return self.ticket is not None and self.ticket.state in registrations.GIVES_UP

    @property
    def page(self) -> str:
        """Where its page stands under the station's address."""
        return f"/r/{self.registration.token}" if self.registration else f"/p/{self.ticket.token}"

    @property
    def urgency(self) -> tuple[int, int, int]:
        """Who is called comes before who waits, and an earlier hour before a later one."""
        state = State(self.ticket.state) if self.ticket else None
        place = _URGENT.index(state) if state in _URGENT else len(_URGENT)
        return place, self.ahead or 0, self.slot_at or 0


def turns(talk: Talk) -> list[Turn]:
    """Their turns of today and later, the most urgent first."""
    return sorted([*_registered(talk), *_walked_in(talk)], key=lambda one: one.urgency)


def _registered(talk: Talk) -> list[Turn]:
    wanted = (
        select(tables.Applicant, tables.Registration, tables.Site, tables.Ticket)
        .join(tables.Registration, tables.Registration.id == tables.Applicant.registration_id)
        .join(tables.Shift, tables.Shift.id == tables.Applicant.shift_id)
        .join(tables.Site, tables.Site.id == tables.Shift.site_id)
        .outerjoin(tables.Ticket, tables.Ticket.applicant_id == tables.Applicant.id)
        .where(
            tables.Registration.phone == talk.phone,
            tables.Shift.day >= talk.today,
            tables.Applicant.state != "cancelled",
            or_(tables.Ticket.id.is_(None), tables.Ticket.state.in_(LIVE)),
        )
        .order_by(tables.Applicant.slot_at, tables.Applicant.registration_id, tables.Applicant.position)
    )
    return [
        Turn(site, person.slot_at, person, made, ticket, _ahead(talk, ticket))
        for person, made, site, ticket in talk.session.execute(wanted.limit(SHOWN * 2))
    ]


def _walked_in(talk: Talk) -> list[Turn]:
    wanted = (
        select(tables.Ticket, tables.Site)
        .join(tables.Site, tables.Site.id == tables.Ticket.site_id)
        .where(
            tables.Ticket.phone == talk.phone,
            tables.Ticket.applicant_id.is_(None),
            tables.Ticket.day >= talk.today,
            tables.Ticket.state.in_(LIVE),
        )
        .order_by(tables.Ticket.id)
    )
    rows = talk.session.execute(wanted.limit(SHOWN))
    return [Turn(site, None, ticket=ticket, ahead=_ahead(talk, ticket)) for ticket, site in rows]


def _ahead(talk: Talk, ticket: tables.Ticket | None) -> int | None:
    if ticket is None or ticket.state != State.WAITING:
        return None
    seen = queue.snapshot(talk.session, ticket.site_id, ticket.day, talk.now).standing(ticket.id)
    return seen.ahead if seen else None


def named(given: list[Turn], argument: str) -> list[Turn]:
    """Those whose printed number is exactly this one; "42" is 042."""
    spelled = numbers.spelled(argument)
    return [one for one in given if one.number == spelled]
