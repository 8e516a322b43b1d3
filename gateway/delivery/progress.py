"""How far a day's notices have come: one bounded count, and when it will be over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CTE, Row, Select, func, literal, select
from sqlalchemy.orm import Session, aliased

from gateway import tables
from gateway.notices.barriers import HELD
from gateway.rules import channels
from gateway.rules.lifecycle.notice import WAITING, State
from gateway.rules.settings import Settings

MOST_COUNTED = 50_000
PACE_SECONDS = 120  # how far back the pace of sending is taken from
FAIR_SECONDS = 5  # a pace over less than this says nothing
_notice = tables.Notice


@dataclass(frozen=True)
class Wanted:
    """Which notices: made from `since` until before `until` (seconds); kind and site empty mean all.

    `key`: those of a `family` alone, which was planned at `since`.
    """

    since: int
    until: int
    kind: str = ""
    site_id: int | None = None
    key: str = ""


@dataclass(frozen=True)
class Progress:
    """People by where their notice stands. `told`: staff told them; `set_aside`: withdrawn or dropped.

    One that was sent again counts as the newer notice only. `held` is the part of `waiting` whose last
    channel refuses; `sent_by`, `answered_by` and `resumes_at` are moments, None where nothing is awaited or
    nobody can tell. `more`: there are more than were counted.
    """

    reached: int = 0
    told: int = 0
    under_way: int = 0
    waiting: int = 0
    lost: int = 0
    set_aside: int = 0
    held: int = 0
    twice: int = 0
    sent_by: int | None = None
    answered_by: int | None = None
    resumes_at: int | None = None
    more: bool = False

    @property
    def total(self) -> int:
        return self.reached + self.told + self.under_way + self.waiting + self.lost

    @property
    def finished(self) -> bool:
        return self.under_way + self.waiting == 0


def progress(session: Session, wanted: Wanted, config: Settings, now: int) -> Progress:
    """Where the wanted notices stand now."""
    rows = session.execute(_counted(wanted)).all()
    sums = dict.fromkeys(("reached", "told", "under_way", "waiting", "lost", "set_aside"), 0)
    for row in rows:
        part = _part(row.state, row.handled)
        if part:
            sums[part] += row.count
    waiting = [row for row in rows if row.state == State.CREATED]
    first_due = min((row.first_due for row in waiting), default=None)
    return Progress(
        **sums,
        held=sum(int(row.held or 0) for row in waiting),
        twice=sum(int(row.twice or 0) for row in rows),
        sent_by=_sent_by(session, sums["waiting"], first_due, config, now),
        answered_by=max((row.last_due for row in rows if row.state in WAITING), default=None),
        resumes_at=first_due if first_due is not None and first_due > now else None,
        more=_counts(rows) > MOST_COUNTED,
    )


def _counted(wanted: Wanted) -> Select[Any]:
    some = select(
        _notice.state,
        _notice.handled,
        _notice.due,
        func.coalesce(_notice.reason.startswith(HELD, autoescape=True), False).label("held"),
        _notice.reached_twice,
    ).where(
        _notice.created_at >= wanted.since,
        _notice.created_at < wanted.until,
        _notice.kind != channels.CHAT,
    )
    if wanted.kind:
        some = some.where(_notice.kind == wanted.kind)
    if wanted.key:
        mine = family(wanted.key, wanted.since)
        some = some.join(mine, mine.c.id == _notice.id)
    if wanted.site_id is not None:
        some = some.join(tables.Ticket, tables.Ticket.id == _notice.ticket_id).where(
            tables.Ticket.site_id == wanted.site_id
        )
    few = some.limit(MOST_COUNTED + 1).subquery()
    return select(
        few.c.state,
        few.c.handled,
        func.count().label("count"),
        func.min(few.c.due).label("first_due"),
        func.max(few.c.due).label("last_due"),
        func.count().filter(few.c.held).label("held"),
        func.count().filter(few.c.reached_twice).label("twice"),
    ).group_by(few.c.state, few.c.handled)


def family(key: str, at: int) -> CTE:
    """The ids of the notices that were planned together at `at` with keys that begin so, and of those that
    repeat them."""
    mine = (
        select(_notice.id)
        .where(_notice.created_at == at, _notice.key.startswith(key, autoescape=True))
        .cte("family", recursive=True)
    )
    again = aliased(_notice)
    return mine.union_all(select(again.id).join(mine, again.key == literal("repeat:") + mine.c.id))


def _counts(rows: Iterable[Row[Any]]) -> int:
    return sum(row.count for row in rows)


def _part(state: str, handled: str) -> str | None:
    if handled == "repeated":
        return None
    if handled in ("called", "printed"):
        return "told"
    if handled == "dropped" or state == State.CANCELLED:
        return "set_aside"
    if state in WAITING:
        return "under_way"
    return {State.DELIVERED: "reached", State.CREATED: "waiting"}.get(State(state), "lost")


def _sent_by(session: Session, waiting: int, first_due: int | None, config: Settings, now: int) -> int | None:
    """When the last one will have been handed over, at the pace of the last two minutes."""
    if not waiting or first_due is None or first_due > now:
        return None
    attempt = tables.Attempt
    given, first = session.execute(
        select(func.count(), func.min(attempt.at)).where(
            attempt.channel.in_(channels.ladder(config)),
            attempt.at >= now - PACE_SECONDS,
            attempt.state != "skipped",
        )
    ).one()
    if not given or now - first < FAIR_SECONDS:
        return None
    return now + round(waiting * (now - first) / given)
