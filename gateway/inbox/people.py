"""What is known of the citizen beside their words: phone, numbers, tags, earlier conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.inbox.reading import Reader, masked, registered_names, visible
from gateway.rules import channels

PLACES, EARLIER = 12, 10


@dataclass(frozen=True)
class Place:
    """Somebody registered by this citizen or their phone. `number` and `token` are empty before the evening."""

    name: str
    state: str
    slot_at: int
    site: str
    number: str
    token: str
    registration: str
    own: bool


@dataclass(frozen=True)
class Earlier:
    id: int
    topic: str
    closed_at: int


@dataclass(frozen=True)
class Person:
    """`phone` is masked, as they shared it or text from it; `own` of a place: registered from this very chat.

    `stopped`: whoever has this phone wants no text messages; what they ask is answered all the same.
    """

    name: str
    following: bool
    phone: str
    stopped: bool
    tags: Sequence[str]
    places: list[Place]
    earlier: list[Earlier]


def person(session: Session, talk: tables.Conversation, reader: Reader, now: int) -> Person:
    """Everything for the panel beside a conversation."""
    user = session.get_one(tables.ZaloUser, talk.user_id) if talk.user_id is not None else None
    number = user.phone if user else talk.phone
    tags = select(tables.ZaloTag.tag).filter_by(user_id=user.id if user else "").order_by(tables.ZaloTag.tag)
    return Person(
        name=user.name if user else registered_names(session, {number or ""}).get(number or "", ""),
        following=user is not None and user.following,
        phone=masked(number),
        stopped=bool(number) and _has_stopped(session, number or "", now),
        tags=session.scalars(tags).all(),
        places=[
            *_places(session, user.id if user else None, number),
            *_tickets(session, number, user is None),
        ],
        earlier=_earlier(session, talk, reader),
    )


def _has_stopped(session: Session, number: str, now: int) -> bool:
    row = session.get(tables.Suppression, (channels.TEXTS, number))
    return row is not None and row.until > now


def _places(session: Session, user_id: str | None, number: str | None) -> list[Place]:
    made, one, ticket, site = tables.Registration, tables.Applicant, tables.Ticket, tables.Site
    whose = [made.zalo_user_id == user_id] if user_id else []
    whose += [made.phone == number] if number else []
    if not whose:
        return []
    wanted = (
        select(one, made, ticket, site)
        .join(made, made.id == one.registration_id)
        .join(tables.Shift, tables.Shift.id == one.shift_id)
        .join(site, site.id == tables.Shift.site_id)
        .outerjoin(ticket, ticket.applicant_id == one.id)
        .where(or_(*whose))
        .order_by(one.slot_at.desc(), one.id)
    )
    return [
        Place(
            name=row.Applicant.name,
            state=row.Ticket.state if row.Ticket else row.Applicant.state,
            slot_at=row.Applicant.slot_at,
            site=row.Site.name,
            number=row.Ticket.number if row.Ticket else "",
            token=row.Ticket.token if row.Ticket else "",
            registration=row.Registration.token,
            own=user_id is None or row.Registration.zalo_user_id == user_id,
        )
        for row in session.execute(wanted.limit(PLACES))
    ]


def _tickets(session: Session, number: str | None, texting: bool) -> list[Place]:
    """Numbers that were taken at the place with this phone."""
    if not (texting and number):
        return []
    ticket, site = tables.Ticket, tables.Site
    wanted = (
        select(ticket, site)
        .join(site, site.id == ticket.site_id)
        .where(ticket.phone == number, ticket.applicant_id.is_(None))
        .order_by(ticket.id.desc())
    )
    return [
        Place(
            "",
            row.Ticket.state,
            row.Ticket.created_at,
            row.Site.name,
            row.Ticket.number,
            row.Ticket.token,
            "",
            True,
        )
        for row in session.execute(wanted.limit(PLACES))
    ]


def _earlier(session: Session, talk: tables.Conversation, reader: Reader) -> list[Earlier]:
    other = tables.Conversation
    if talk.user_id is None and not talk.phone:
        return []
    theirs = other.user_id == talk.user_id if talk.user_id is not None else other.phone == talk.phone
    wanted = (
        select(other)
        .where(theirs, other.id != talk.id, visible(reader))
        .order_by(other.id.desc())
        .limit(EARLIER)
    )
    return [Earlier(one.id, one.topic, one.closed_at or one.changed_at) for one in session.scalars(wanted)]
