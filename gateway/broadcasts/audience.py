"""Whom a round is told: who registered for some shifts, and who carries some tags. Each person once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from gateway import followers, tables
from gateway.rules.lifecycle.ticket import State
from gateway.rules.settings import Settings

MOST_PEOPLE = 10_000
"""What is planned in one transaction; a larger audience is told in parts."""

STATES = ("registered", "numbered", "served", "no_show")
OPTED_OUT = ("-139", "-141", "-244")
"""Zalo's codes for a person who does not want messages of ours: what nobody asked for does not go to them at all."""

_PORTION = 1_000
_r, _a, _u = tables.Registration, tables.Applicant, tables.ZaloUser


@dataclass(frozen=True)
class Audience:
    """`sites` are codes, `states` of STATES; shifts count from `since` to `until`, both included."""

    sites: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    states: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Person:
    """One person to be told. `phone` is E.164 or empty, then `user_id` is known; `seen_at`: their last word to
    the page, 0 for never."""

    phone: str
    user_id: str | None
    name: str
    language: str
    seen_at: int = 0

    @property
    def mark(self) -> str:
        """The person in a key, without saying who it is."""
        return hashlib.sha256((self.phone or f"zalo:{self.user_id}").encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Gathered:
    """`opted_out` and `unreachable` (no phone and no follower) are left out of `people`; `more`: there are more
    than one round may tell."""

    people: tuple[Person, ...] = ()
    opted_out: int = 0
    unreachable: int = 0
    more: bool = False


def stored(audience: Audience) -> dict[str, Any]:
    """As a row keeps it."""
    return {
        "sites": list(audience.sites),
        "since": audience.since.isoformat() if audience.since else None,
        "until": audience.until.isoformat() if audience.until else None,
        "states": list(audience.states),
        "tags": list(audience.tags),
    }


def kept(data: Mapping[str, Any]) -> Audience:
    """From a row."""
    since, until = (date.fromisoformat(data[name]) if data.get(name) else None for name in ("since", "until"))
    lists = (tuple(data.get(name) or ()) for name in ("sites", "states", "tags"))
    sites, states, tags = lists
    return Audience(sites, since, until, states, tags)


def gather(session: Session, audience: Audience, config: Settings, now: int) -> Gathered:
    """The people of an audience as it stands now, in an order that does not change by itself."""
    refused = _opted_out(session, now)
    registered = _registered(session, audience)
    tagged = _tagged(session, audience.tags)
    willing = [row for row in registered if not refused & {row.phone, row.zalo_user_id}]
    keen = [row for row in tagged if not refused & {row.phone, row.id}]
    people, unreachable = _each_once(session, willing, keen, config)
    ordered = sorted(people, key=lambda one: (one.phone, one.user_id or ""))
    left_out = {row.phone for row in registered} - {row.phone for row in willing}
    left_out |= {row.phone or row.id for row in tagged} - {row.phone or row.id for row in keen}
    more = max(len(ordered), len(registered), len(tagged)) > MOST_PEOPLE
    return Gathered(tuple(ordered[:MOST_PEOPLE]), len(left_out), unreachable, more)


def _registered(session: Session, audience: Audience) -> Sequence[tables.Registration]:
    """The registrations of the wanted shifts that are not cancelled, the newest first."""
    if not (audience.sites and audience.since and audience.until and audience.states):
        return ()
    mine = (
        select(_a.registration_id)
        .join(tables.Shift, tables.Shift.id == _a.shift_id)
        .join(tables.Site, tables.Site.id == tables.Shift.site_id)
        .outerjoin(tables.Ticket, tables.Ticket.applicant_id == _a.id)
        .where(
            tables.Site.code.in_(audience.sites),
            tables.Shift.day.between(audience.since, audience.until),
            or_(*(_STATE[one] for one in audience.states)),
        )
    )
    wanted = select(_r).where(_r.id.in_(mine), _r.phone != "", _r.cancelled_at.is_(None))
    return session.scalars(wanted.order_by(_r.id.desc()).limit(MOST_PEOPLE + 1)).all()


def _tickets(*states: State) -> ColumnElement[bool]:
    return and_(_a.state == "numbered", tables.Ticket.state.in_(states))


_STATE: Mapping[str, ColumnElement[bool]] = {
    "registered": _a.state == "registered",
    "numbered": _tickets(State.BOOKED, State.WAITING, State.CALLED, State.SERVING),
    "served": _tickets(State.DONE),
    "no_show": _tickets(State.NO_SHOW),
}


def _tagged(session: Session, tags: Collection[str]) -> Sequence[tables.ZaloUser]:
    if not tags:
        return ()
    carry = select(tables.ZaloTag.user_id).where(tables.ZaloTag.tag.in_(tags))
    return session.scalars(select(_u).where(_u.id.in_(carry)).order_by(_u.id).limit(MOST_PEOPLE + 1)).all()


def _each_once(
    session: Session,
    registered: Sequence[tables.Registration],
    tagged: Sequence[tables.ZaloUser],
    config: Settings,
) -> tuple[list[Person], int]:
    """One person a phone; a Zalo user is written to for one of their phones only. And how many cannot be reached."""
    newest: dict[str, tables.Registration] = {}
    for row in registered:
        newest.setdefault(row.phone, row)
    users = _users(session, {row.zalo_user_id for row in newest.values() if row.zalo_user_id})
    owners = _owners(session, newest) if config.zalo.shared_phone else {}
    people = {
        number: Person(number, None, row.contact_name, row.language or "vi") for number, row in newest.items()
    }
    given: set[str] = set()
    for number, owner in owners.items():  # the phone that they shared goes first
        people[number] = _known_as(people[number], owner, given)
    for number, row in newest.items():
        user = users.get(row.zalo_user_id or "")
        people[number] = _known_as(people[number], user or _stranger(row.zalo_user_id), given)
    unreachable = 0
    for user in tagged:
        unreachable += _joined(people, user, given)
    return list(people.values()), unreachable


def _stranger(user_id: str | None) -> tables.ZaloUser | None:
    """A user id that a program gave us, of whom Zalo has told nothing yet."""
    return tables.ZaloUser(id=user_id, following=True, seen_at=0, name="", language="") if user_id else None


def _known_as(person: Person, user: tables.ZaloUser | None, given: set[str]) -> Person:
    """With their Zalo user, unless that one is told already, or has left."""
    if user is None or person.user_id or user.id in given or not user.following:
        return person
    given.add(user.id)
    return replace(person, user_id=user.id, seen_at=user.seen_at)


def _joined(people: dict[str, Person], user: tables.ZaloUser, given: set[str]) -> bool:
    """Add somebody with a tag to those who registered; whether they can be reached by nothing."""
    if user.id in given:
        return False
    number = user.phone or ""
    if number in people:
        people[number] = _known_as(people[number], user, given)
        return False
    fresh = _known_as(Person(number, None, user.name, user.language or "vi"), user, given)
    if not (fresh.phone or fresh.user_id):
        return True
    people[number or f"zalo:{user.id}"] = fresh
    return False


def _users(session: Session, ids: Collection[str]) -> dict[str, tables.ZaloUser]:
    return {row.id: row for row in _in_portions(session, _u.id, ids)}


def _owners(session: Session, numbers: Collection[str]) -> dict[str, tables.ZaloUser]:
    """Phone → the Zalo user who shared it; one that two of them claim goes by phone, as any notice does."""
    rows = [row for row in _in_portions(session, _u.phone, numbers) if row.phone]
    claims = Counter(row.phone for row in rows)
    return {row.phone: row for row in rows if claims[row.phone] == 1}


def _in_portions(session: Session, column: Any, values: Collection[str]) -> Iterable[Any]:
    ordered = sorted(values)
    for start in range(0, len(ordered), _PORTION):
        yield from session.scalars(select(column.class_).where(column.in_(ordered[start : start + _PORTION])))


def _opted_out(session: Session, now: int) -> frozenset[str | None]:
    """The phones and Zalo users of those who want no news of ours: they told us in the chat, or they told Zalo."""
    suppression, tag = tables.Suppression, tables.ZaloTag
    refused = select(suppression.phone).where(suppression.code.in_(OPTED_OUT), suppression.until > now)
    said = set(session.scalars(select(tag.user_id).where(tag.tag == followers.NO_NEWS)))
    names = said.union(session.scalars(refused))
    theirs = {row.phone for row in _in_portions(session, _u.id, names) if row.phone}
    theirs |= {row.phone for row in _in_portions(session, _r.zalo_user_id, said) if row.phone}
    return frozenset(names | theirs)
