"""Lists of people whom a notice has not reached; phones stay masked until somebody asks for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, text
from sqlalchemy.orm import Session

from gateway import notices, tables
from gateway.notices.barriers import HELD
from gateway.rules import hours, names, phone
from gateway.rules.settings import Settings

PAGE = 30
HELD_SHOWN = 200
MOST_COUNTED = 1_000
DAY = 86_400
LOOK_BACK = 7 * DAY  # a notice that is older was for an hour that has passed
HELD_WITHIN = 36 * 3_600  # from the afternoon on: everybody whose hour comes before the next evening
LAST_MOMENT = 4_102_444_800  # the year 2100: what other programs fill in may be any text
_notice = tables.Notice
# As the partial index says it, not as parameters; what was said in a chat is the inbox's
_LOST = text("notices.state IN ('failed', 'expired') AND notices.kind <> 'chat'")
_CREATED = text("notices.state = 'created'")


@dataclass(frozen=True)
class Entry:
    """A notice in a list. `phone` is masked, `name` shortened; `time` is the appointed hour.

    `repeatable`: sending it again is still of use. `due`: when the engine acts next, if it does.
    """

    id: str
    kind: str
    number: str
    name: str
    place: str
    time: int | None
    phone: str
    channel: str
    state: str
    reason: str
    created_at: int
    changed_at: int
    deadline: int
    due: int
    held: bool
    repeatable: bool
    handled: str
    handled_by: str


@dataclass(frozen=True)
class Page:
    """A part of a list: `count` goes up to a bound only (`more` beyond it); `after` leads to the next part."""

    entries: Sequence[Entry] = ()
    count: int = 0
    more: bool = False
    after: str = ""


def needing(
    session: Session,
    config: Settings,
    now: int,
    site_id: int | None = None,
    after: str = "",
    most: int = PAGE,
) -> Page:
    """Who was not reached, has not been dealt with and can still be told in time; the most pressing first."""
    wanted = _of_site(select(_notice), site_id).where(
        _LOST, _notice.created_at >= now - LOOK_BACK, _notice.handled == "", _notice.deadline > now
    )
    ordered = wanted.order_by(_notice.deadline, _notice.id)
    place = _place(after)
    if place:
        ordered = ordered.where(
            or_(_notice.deadline > place[0], and_(_notice.deadline == place[0], _notice.id > place[1]))
        )
    rows = session.scalars(ordered.limit(most + 1)).all()
    shown = rows[:most]
    following = f"{shown[-1].deadline}:{shown[-1].id}" if len(rows) > most else ""
    count, more = _bounded(session, wanted)
    return Page([entry(row, config, now) for row in shown], count, more, following)


def past(session: Session, now: int, site_id: int | None = None) -> int:
    """How many of the last day and a half nobody told before their hour had passed, up to a bound."""
    wanted = _of_site(select(_notice), site_id).where(
        _LOST, _notice.created_at >= now - 36 * 3_600, _notice.handled == "", _notice.deadline <= now
    )
    return _bounded(session, wanted)[0]


def held(session: Session, config: Settings, now: int, site_id: int | None = None) -> Page:
    """Who waits because their last channel refuses everything now, and whose hour comes before long."""
    wanted = _of_site(select(_notice), site_id).where(
        _CREATED,
        _notice.deadline > now,
        _notice.deadline < now + HELD_WITHIN,
        _notice.reason.startswith(HELD, autoescape=True),
    )
    rows = session.scalars(wanted.order_by(_notice.deadline, _notice.id).limit(HELD_SHOWN)).all()
    count, more = _bounded(session, wanted)
    return Page([entry(row, config, now) for row in rows], count, more)


def lost(
    session: Session,
    config: Settings,
    now: int,
    days: int,
    site_id: int | None = None,
    kind: str = "",
    open_only: bool = False,
    after: str = "",
    most: int = PAGE,
) -> Page:
    """Everything that failed or expired in the last days, newest first, dealt with or not."""
    wanted = _of_site(select(_notice), site_id).where(_LOST, _notice.created_at >= now - days * DAY)
    if kind:
        wanted = wanted.where(_notice.kind == kind)
    if open_only:
        wanted = wanted.where(_notice.handled == "")
    ordered = wanted.order_by(_notice.created_at.desc(), _notice.id.desc())
    place = _place(after)
    if place:
        ordered = ordered.where(
            or_(_notice.created_at < place[0], and_(_notice.created_at == place[0], _notice.id < place[1]))
        )
    rows = session.scalars(ordered.limit(most + 1)).all()
    shown = rows[:most]
    following = f"{shown[-1].created_at}:{shown[-1].id}" if len(rows) > most else ""
    count, more = _bounded(session, wanted)
    return Page([entry(row, config, now) for row in shown], count, more, following)


def repeatable(
    session: Session, config: Settings, now: int, days: int, site_id: int | None = None, kind: str = ""
) -> list[str]:
    """The ids of what failed or expired and can still be sent again, as many as are sent again at once."""
    wanted = _of_site(select(_notice), site_id).where(
        _LOST, _notice.created_at >= now - days * DAY, _notice.handled == "", _notice.phone != ""
    )
    if kind:
        wanted = wanted.where(_notice.kind == kind)
    rows = session.scalars(wanted.order_by(_notice.created_at.desc(), _notice.id.desc()).limit(MOST_COUNTED))
    return [row.id for row in rows if notices.worth_repeating(row, config, now)]


def these(session: Session, config: Settings, ids: Sequence[str], now: int) -> list[Entry]:
    """These notices, by hour and number."""
    rows = []
    for start in range(0, len(ids), 500):
        rows += session.scalars(select(_notice).where(_notice.id.in_(ids[start : start + 500])))
    found = [entry(row, config, now) for row in rows]
    return sorted(found, key=lambda one: (one.time or one.deadline, one.number, one.id))


def entry(row: tables.Notice, config: Settings, now: int) -> Entry:
    """A row as lists show it."""
    waits = row.state == "created" and row.reason.startswith(HELD)
    return Entry(
        row.id,
        row.kind,
        str(row.data.get("number") or ""),
        names.shown(str(row.data.get("name") or "")),
        str(row.data.get("place") or ""),
        appointed(row.data),
        phone.masked(row.phone) if row.phone else "",
        row.channel,
        row.state,
        row.reason,
        row.created_at,
        row.changed_at,
        row.deadline,
        row.due,
        waits,
        notices.worth_repeating(row, config, now),
        row.handled,
        row.handled_by,
    )


def appointed(data: dict[str, Any]) -> int | None:
    """The hour that a notice tells; None where it tells none (other programs fill the data in)."""
    try:
        at = hours.seconds(str(data["time"]))
    except (KeyError, ValueError, OverflowError):
        return None
    return at if 0 < at < LAST_MOMENT else None


def _of_site(wanted: Select[Any], site_id: int | None) -> Select[Any]:
    if site_id is None:
        return wanted
    return wanted.join(tables.Ticket, tables.Ticket.id == _notice.ticket_id).where(
        tables.Ticket.site_id == site_id
    )


def _bounded(session: Session, wanted: Select[Any]) -> tuple[int, bool]:
    few = wanted.with_only_columns(_notice.id).limit(MOST_COUNTED + 1).subquery()
    count = session.scalar(select(func.count()).select_from(few)) or 0
    return min(count, MOST_COUNTED), count > MOST_COUNTED


def _place(after: str) -> tuple[int, str] | None:
    at, colon, notice_id = after.partition(":")
    return (int(at), notice_id[:36]) if colon and at.isascii() and at.isdigit() and len(at) < 15 else None
