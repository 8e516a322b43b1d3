"""Fetching who follows, and what Zalo knows of them. Nothing is held while Zalo is asked.

First the list, page by page; then the details of those that were not fetched lately. What was read is kept at
once, so a fault in the middle (the client's error goes to the caller) or a crash costs one page: the next call
goes on where this one ended.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Engine, func, or_, select, update
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.followers import people, tagging
from gateway.queue.day import insert_new
from gateway.rules import hours, phone
from gateway.rules.settings import Settings

FACT = "followers.synced"
DAY = 86_400
PAGE = 50  # Zalo's most
LAST_OFFSET = 9_951  # Zalo lists nobody beyond it
DETAILS = 500
FEW = 5
AT_ONCE = 20  # details between two transactions: what a crash costs
ABOUT_ONE = ("phone", "message")  # scopes of a refusal that is about this person only
_user = tables.ZaloUser


class Client(Protocol):
    """What Zalo is asked."""

    def users(
        self, offset: int, count: int = 50, *, follower: bool | None = None
    ) -> tuple[int, list[str]]: ...

    def user(self, user_id: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Listing:
    """How far the list was read. `ended` 0: it is being read. `total` as the first page said, and `moved`
    whether a later one said otherwise: then places shifted, and who was not seen may still follow.

    `beyond`: followers that Zalo counts and does not list. Times are whole seconds.
    """

    begun: int = 0
    ended: int = 0
    offset: int = 0
    total: int = 0
    moved: bool = False
    beyond: int = 0
    new: int = 0
    gone: int = 0


@dataclass(frozen=True)
class Synced:
    """`total` followers by Zalo's count, of whom it does not list `beyond`; `new` and `gone` since the last list;
    `details` fetched by this call, `left` still to fetch."""

    total: int
    new: int
    gone: int
    beyond: int = 0
    details: int = 0
    left: int = 0


def synced(session: Session) -> Listing:
    """How far the list was read last."""
    row = session.get(tables.Fact, FACT)
    return Listing(**json.loads(row.value)) if row else Listing()


def due(session: Session, config: Settings, now: int) -> bool:
    """Whether `sync` has something to do."""
    listing = synced(session)
    return not listing.ended or listing.ended <= _before(config, now) or bool(_left(session, config, now))


def sync(engine: Engine, client: Client, config: Settings, now: int, most: int = DETAILS) -> Synced:
    """Bring the list up to date, and the details of at most so many followers; the rate is the client's.

    A list that is younger than `sync_hours` is not fetched again. Raises what the client raises.
    """
    with database.reading(engine) as session:
        listing = synced(session)
    if listing.ended and listing.ended <= _before(config, now) or not listing.begun:
        listing = Listing(begun=now)
    while not listing.ended:
        total, ids = client.users(listing.offset, PAGE, follower=True)
        with database.writing(engine) as session:
            listing = _listed(session, listing, total, [str(one) for one in ids], now)
    fetched = _fetch(engine, client, config, now, most)
    with database.reading(engine) as session:
        left = _left(session, config, now)
    return Synced(listing.total, listing.new, listing.gone, listing.beyond, fetched, left)


def meet(engine: Engine, client: Client, config: Settings, now: int, most: int = FEW) -> int:
    """Fetch the details of a few who are new, then of those fetched longest ago; how many. Cheap to call often."""
    return _fetch(engine, client, config, now, most)


def _before(config: Settings, now: int) -> int:
    """What was fetched by then is fetched again."""
    return now - config.zalo.sync_hours * 3_600


def _listed(session: Session, listing: Listing, total: int, ids: Sequence[str], now: int) -> Listing:
    """Keep one page; at the list's end also who left."""
    new = _keep(session, sorted({one[:40] for one in ids if one}), listing.begun, now)
    following = listing.offset + PAGE
    first = listing.offset == 0
    listing = replace(
        listing,
        total=total if first else listing.total,
        moved=listing.moved or (not first and total != listing.total),
        new=listing.new + new,
    )
    if ids and following < total and following <= LAST_OFFSET:
        listing = replace(listing, offset=following)
    else:
        whole = following >= total and not listing.moved
        gone = _leave(session, listing.begun) if whole else 0
        listing = replace(listing, ended=now, gone=gone, beyond=max(0, total - following))
    session.merge(tables.Fact(name=FACT, value=json.dumps(asdict(listing)), at=now))
    return listing


def _keep(session: Session, ids: Sequence[str], begun: int, now: int) -> int:
    """These follow, as far as nothing later says otherwise; how many of them are new to us."""
    known = {row.id: row for row in session.scalars(select(_user).where(_user.id.in_(ids)).with_for_update())}
    for row in known.values():
        if row.following_at < begun:
            row.following, row.following_at = True, begun
    fresh = [one for one in ids if one not in known]
    return sum(insert_new(session, _user, **_fresh(one, begun, now)) for one in fresh)


def _fresh(user_id: str, begun: int, now: int) -> dict[str, Any]:
    empty = {
        "by_app": "",
        "name": "",
        "phone": None,
        "phone_at": None,
        "seen_at": 0,
        "language": "",
        "read_at": 0,
    }
    return {"id": user_id, "following": True, "following_at": begun, "created_at": now, **empty}


def _leave(session: Session, begun: int) -> int:
    """Who was not listed follows no more, unless they began to after the list was begun."""
    gone = update(_user).where(_user.following, _user.following_at < begun)
    return session.execute(
        gone.values(following=False, following_at=begun).execution_options(synchronize_session=False)
    ).rowcount


def _stale(config: Settings, now: int) -> tuple[ColumnElement[bool], ...]:
    """Followers, and who has spoken to the page lately, whose details are old."""
    lately = now - config.zalo.window_days * DAY
    return or_(_user.following, _user.seen_at > lately), _user.read_at <= _before(config, now)


def _left(session: Session, config: Settings, now: int) -> int:
    return session.scalar(select(func.count()).select_from(_user).where(*_stale(config, now))) or 0


def _fetch(engine: Engine, client: Client, config: Settings, now: int, most: int) -> int:
    with database.reading(engine) as session:
        wanted = select(_user.id).where(*_stale(config, now)).order_by(_user.read_at, _user.id)
        ids = session.scalars(wanted.limit(most)).all()
    for start in range(0, len(ids), AT_ONCE):
        _fetch_some(engine, client, config, ids[start : start + AT_ONCE], now)
    return len(ids)


def _fetch_some(engine: Engine, client: Client, config: Settings, ids: Sequence[str], now: int) -> None:
    """Ask for these and keep the answers, also those before a fault."""
    answers: dict[str, Mapping[str, Any]] = {}
    try:
        for user_id in ids:
            answers[user_id] = _asked(client, user_id)
    finally:
        if answers:
            with database.writing(engine) as session:
                for user_id, about in sorted(answers.items()):
                    _learn(session, user_id, about, config, now)


def _asked(client: Client, user_id: str) -> Mapping[str, Any]:
    """What Zalo knows of one; nothing where it refuses to tell of just this one."""
    try:
        found = client.user(user_id)
    except Exception as fault:
        if getattr(fault, "scope", "") in ABOUT_ONE:
            return {}
        raise
    return found if isinstance(found, Mapping) else {}


def _learn(session: Session, user_id: str, about: Mapping[str, Any], config: Settings, now: int) -> None:
    row = session.get(_user, user_id, with_for_update=True, populate_existing=True)
    if row is None or not (row.following or row.seen_at):  # erased while we asked
        return
    row.read_at = now
    if not about:
        return
    people.named(row, about.get("display_name"))
    row.by_app = str(about.get("user_id_by_app") or row.by_app)[:40]
    people.interacted(row, _spoken(about.get("user_last_interaction_date"), config, now))
    _follows(row, about.get("user_is_follower"), now)
    shared = about.get("shared_info")
    number = mobile(shared.get("phone")) if isinstance(shared, Mapping) else None
    if number is not None and number != row.phone:
        people.bind_phone(session, row, number, now)
    notes = about.get("tags_and_notes_info")
    if isinstance(notes, Mapping) and isinstance(notes.get("tag_names"), list):
        tagging.learn(session, user_id, notes["tag_names"])


def _follows(row: tables.ZaloUser, told: Any, now: int) -> None:
    if isinstance(told, bool) and row.following_at < now and told is not row.following:
        row.following, row.following_at = told, now


def _spoken(told: Any, config: Settings, now: int) -> int:
    """The beginning of the day that is told as the last one ("24/11/2026"): no window is thought too long."""
    try:
        day = datetime.strptime(str(told), "%d/%m/%Y").date()
    except ValueError:
        return 0
    at = hours.at(day, time(), config.station.zone)
    return at if 0 < at <= now else 0


def mobile(told: Any) -> str | None:
    """A shared phone (a number or a text, 84…, 0… or without either) as E.164; None if nothing can be sent to it."""
    text = str(told or "").strip()
    found = phone.parse(text)
    if isinstance(found, phone.PhoneFault) and found.code == "zero" and found.suggestion:
        found = phone.parse(found.suggestion)  # a number written as one loses its 0
    return found.e164 if isinstance(found, phone.Phone) and found.kind is phone.Kind.MOBILE else None
