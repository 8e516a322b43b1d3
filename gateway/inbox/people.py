"""What is known of the citizen beside their words: phone, numbers, tags, earlier conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.inbox.reading import Reader, visible
from gateway.rules import phone

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
    """`phone` is masked, as they shared it; `own` of a place: registered from this very chat."""

    name: str
    following: bool
    phone: str
    tags: Sequence[str]
    places: list[Place]
    earlier: list[Earlier]


def person(session: Session, talk: tables.Conversation, reader: Reader) -> Person:
    """Everything for the panel beside a conversation."""
    user = session.get_one(tables.ZaloUser, talk.user_id)
    tags = select(tables.ZaloTag.tag).filter_by(user_id=user.id).order_by(tables.ZaloTag.tag)
    return Person(
        name=user.name,
        following=user.following,
        phone=phone.masked(user.phone) if user.phone else "",
        tags=session.scalars(tags).all(),
        places=_places(session, user),
        earlier=_earlier(session, talk, reader),
    )


def _places(session: Session, user: tables.ZaloUser) -> list[Place]:
    made, one, ticket, site = tables.Registration, tables.Applicant, tables.Ticket, tables.Site
    theirs = made.zalo_user_id == user.id
    wanted = (
        select(one, made, ticket, site)
        .join(made, made.id == one.registration_id)
        .join(tables.Shift, tables.Shift.id == one.shift_id)
        .join(site, site.id == tables.Shift.site_id)
        .outerjoin(ticket, ticket.applicant_id == one.id)
        .where(or_(theirs, made.phone == user.phone) if user.phone else theirs)
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
            own=row.Registration.zalo_user_id == user.id,
        )
        for row in session.execute(wanted.limit(PLACES))
    ]


def _earlier(session: Session, talk: tables.Conversation, reader: Reader) -> list[Earlier]:
    other = tables.Conversation
    wanted = (
        select(other)
        .where(other.user_id == talk.user_id, other.id != talk.id, visible(reader))
        .order_by(other.id.desc())
        .limit(EARLIER)
    )
    return [Earlier(one.id, one.topic, one.closed_at or one.changed_at) for one in session.scalars(wanted)]
