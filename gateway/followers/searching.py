"""The list of followers as the officer sees it: found by name, phone, tag; phones masked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.followers.tagging import PREFIX
from gateway.rules import phone

PAGE = 50
MOST_READ = 20_000  # names looked through for one search
EXPORTED = 20_000
_user, _tag = tables.ZaloUser, tables.ZaloTag


@dataclass(frozen=True)
class Wanted:
    """Which of them: `following` None is everybody; `text` is a part of a name (accents or none), a phone or an id."""

    text: str = ""
    tag: str = ""
    following: bool | None = None
    shared: bool = False


@dataclass(frozen=True)
class Entry:
    """A person in the list. `phone` is masked, empty where none was shared; `waiting`: tags Zalo is not told of
    yet; `talk`: their newest conversation."""

    id: str
    name: str
    following: bool
    phone: str
    seen_at: int
    tags: tuple[str, ...]
    waiting: frozenset[str] = frozenset()
    talk: int | None = None


@dataclass(frozen=True)
class Found:
    """A part of the list; `after` leads to the next."""

    entries: Sequence[Entry] = ()
    count: int = 0
    after: str = ""


@dataclass(frozen=True)
class Counts:
    """How many people are known, follow, have shared a phone, have spoken since a moment."""

    known: int = 0
    following: int = 0
    shared: int = 0
    lately: int = 0


def search(session: Session, wanted: Wanted, after: str = "", most: int = PAGE) -> Found:
    """Those who fit, who spoke last first."""
    rows = session.execute(
        _ordered(_filtered(select(_user.id, _user.name, _user.phone, _user.seen_at), wanted))
    )
    fitting = [row for row in rows if _fits(row, wanted.text)]
    rest = _behind(fitting, after)
    shown = rest[:most]
    following = f"{shown[-1].seen_at}:{shown[-1].id}" if len(rest) > most else ""
    return Found(_entries(session, [row.id for row in shown]), len(fitting), following)


def everybody(session: Session, wanted: Wanted) -> Iterator[Entry]:
    """All who fit, in the same order, for a table."""
    rows = session.execute(
        _ordered(_filtered(select(_user.id, _user.name, _user.phone, _user.seen_at), wanted))
    )
    ids = [row.id for row in rows if _fits(row, wanted.text)][:EXPORTED]
    for start in range(0, len(ids), 500):
        yield from _entries(session, ids[start : start + 500])


def person(session: Session, user_id: str) -> Entry | None:
    """One of them."""
    found = _entries(session, [user_id])
    return found[0] if found else None


def counts(session: Session, since: int) -> Counts:
    """The sums above the list."""
    row = session.execute(
        select(
            func.count(),
            func.count().filter(_user.following),
            func.count().filter(_user.phone.is_not(None)),
            func.count().filter(_user.seen_at > since),
        )
    ).one()
    return Counts(*row)


def _filtered(some: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.following is not None:
        some = some.where(_user.following.is_(wanted.following))
    if wanted.shared:
        some = some.where(_user.phone.is_not(None))
    if wanted.tag:
        some = some.where(_user.id.in_(select(_tag.user_id).where(_tag.tag == wanted.tag)))
    return some


def _ordered(some: Select[Any]) -> Select[Any]:
    return some.order_by(_user.seen_at.desc(), _user.id).limit(MOST_READ)


def _fits(row: Row[Any], text: str) -> bool:
    if not text.strip():
        return True
    number = phone.parse(text)
    if isinstance(number, phone.Phone):
        return row.phone == number.e164 or row.id == text.strip()
    return plain(text) in plain(row.name) or row.id == text.strip()


def plain(text: str) -> str:
    """Without accents and capitals: what people type when they look for somebody."""
    bare = unicodedata.normalize("NFD", text.casefold().replace("đ", "d"))
    return " ".join("".join(char for char in bare if not unicodedata.combining(char)).split())


def _behind(rows: Sequence[Row[Any]], after: str) -> Sequence[Row[Any]]:
    """What follows a place; the place itself may be gone by now."""
    at, colon, user_id = after.partition(":")
    if not (colon and at.isascii() and at.isdigit() and len(at) < 15):
        return rows
    place = (-int(at), user_id)
    return [row for row in rows if (-row.seen_at, row.id) > place]


def _entries(session: Session, ids: Sequence[str]) -> list[Entry]:
    rows = {row.id: row for row in session.scalars(select(_user).where(_user.id.in_(ids)))}
    tags: dict[str, list[str]] = {}
    for row in session.execute(
        select(_tag.user_id, _tag.tag).where(_tag.user_id.in_(ids)).order_by(_tag.tag)
    ):
        tags.setdefault(row.user_id, []).append(row.tag)
    waiting, talks = _waiting(session, ids), _talks(session, ids)
    return [
        Entry(
            one,
            rows[one].name,
            rows[one].following,
            phone.masked(rows[one].phone) if rows[one].phone else "",
            rows[one].seen_at,
            tuple(tags.get(one, ())),
            frozenset(waiting.get(one, ())),
            talks.get(one),
        )
        for one in ids
        if one in rows
    ]


def _talks(session: Session, ids: Sequence[str]) -> Mapping[str, int]:
    talk = tables.Conversation
    newest = select(talk.user_id, func.max(talk.id)).where(talk.user_id.in_(ids)).group_by(talk.user_id)
    return dict(session.execute(newest).all())


def _waiting(session: Session, ids: Sequence[str]) -> Mapping[str, list[str]]:
    """Person → the tags of which Zalo has not been told yet."""
    name = tables.Fact.name
    found: dict[str, list[str]] = {}
    for one in session.scalars(select(name).where(name.startswith(PREFIX, autoescape=True))):
        _prefix, user_id, tag = one.split(":", 2)
        found.setdefault(user_id, []).append(tag)
    return {one: found[one] for one in ids if one in found}
