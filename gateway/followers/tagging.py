"""Words that staff put on followers. A change is a row here first; Zalo is told of it later.

What Zalo has not been told yet is a fact "tag:<user>:<tag>" with the value "put" or "taken".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, delete, func, select
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway.followers import people
from gateway.rules import names

TAG_LENGTH = 60
MOST_TAGS = 30  # of one person
PREFIX = "tag:"
PUT, TAKEN = "put", "taken"
AT_ONCE = 60
ABOUT_ONE = ("phone", "message", "template")
_tag, _fact = tables.ZaloTag, tables.Fact


class Client(Protocol):
    """Who is told."""

    def tag(self, user_id: str, name: str) -> Any: ...

    def untag(self, user_id: str, name: str) -> Any: ...


def clean(text: str) -> str:
    """A tag as it is kept: NFC, single blanks, nothing that cannot be seen, at most 60 characters."""
    return names.plain(text, TAG_LENGTH)


def tag_counts(session: Session) -> Sequence[tuple[str, int]]:
    """Every tag with how many carry it, the most used first."""
    counted = select(_tag.tag, func.count().label("count")).group_by(_tag.tag)
    rows = session.execute(counted.order_by(func.count().desc(), _tag.tag).limit(200))
    return [(row.tag, row.count) for row in rows]


def put_tag(session: Session, user_id: str, text: str, by: str, now: int) -> bool:
    """Tag a follower; False if they carry it already, carry too many, or there is no such person or word."""
    tag = clean(text)
    row = session.get(tables.ZaloUser, user_id, with_for_update=True) if tag else None
    if (
        row is None
        or len(people.tags(session, user_id)) >= MOST_TAGS
        or not people.tag(session, user_id, tag)
    ):
        return False
    _queue(session, user_id, tag, PUT, by, now)
    return True


def take_tag(session: Session, user_id: str, text: str, by: str, now: int) -> bool:
    """Take a tag from a follower; False if they do not carry it."""
    tag = clean(text)
    session.get(tables.ZaloUser, user_id, with_for_update=True)  # one change of a person's tags at a time
    if not people.untag(session, user_id, tag):
        return False
    _queue(session, user_id, tag, TAKEN, by, now)
    return True


def _queue(session: Session, user_id: str, tag: str, what: str, by: str, now: int) -> None:
    session.merge(tables.Fact(name=f"{PREFIX}{user_id}:{tag}", value=what, at=now))
    access.audit(session, now, by, f"tag.{what}", f"zalo:{user_id}", tag=tag)
    database.ring(session)


def waiting_tags(session: Session) -> int:
    """How many changes Zalo has not been told of yet."""
    return session.scalar(select(func.count()).select_from(_fact).where(_queued())) or 0


def _queued() -> ColumnElement[bool]:
    return _fact.name.startswith(PREFIX, autoescape=True)


def push_tags(engine: Engine, client: Client, now: int, most: int = AT_ONCE) -> int:
    """Tell Zalo of tags that were put or taken here; how many it was told. Raises what the client raises.

    Telling it twice is harmless, so a crash between telling and forgetting is. A tag that Zalo refuses to put
    on just this person stays ours alone.
    """
    with database.reading(engine) as session:
        queued = session.scalars(
            select(_fact).where(_queued()).order_by(_fact.at, _fact.name).limit(most)
        ).all()
    told = 0
    for one in queued:
        told += _told(client, one)
        with database.writing(engine) as session:  # a newer wish for the same tag stays
            session.execute(delete(_fact).filter_by(name=one.name, value=one.value, at=one.at))
    return told


def _told(client: Client, one: tables.Fact) -> bool:
    _prefix, user_id, tag = one.name.split(":", 2)
    try:
        (client.tag if one.value == PUT else client.untag)(user_id, tag)
    except Exception as fault:
        if getattr(fault, "scope", "") in ABOUT_ONE:
            return False
        raise
    return True


def learn(session: Session, user_id: str, told: Sequence[Any]) -> None:
    """Carry over what Zalo says somebody is tagged with; a change of ours that it does not know yet wins."""
    ours = {
        row.name.split(":", 2)[2]: row.value
        for row in session.scalars(
            select(_fact).where(_fact.name.startswith(f"{PREFIX}{user_id}:", autoescape=True))
        )
    }
    theirs = [clean(str(one)) for one in told[:MOST_TAGS]]
    wanted = {one for one in theirs if one and ours.get(one) != TAKEN}
    wanted |= {tag for tag, what in ours.items() if what == PUT}
    carried = set(people.tags(session, user_id))
    for tag in sorted(carried - wanted - {people.NO_NEWS}):  # what they asked of us is not Zalo's to forget
        people.untag(session, user_id, tag)
    for tag in sorted(wanted - carried):
        people.tag(session, user_id, tag)
