"""Finding a person by phone, number or notice, with everything they were told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.delivery.people import Entry, entry
from gateway.rules import channels, numbers
from gateway.rules.settings import Settings

HISTORY = 50
LOOK_BACK_DAYS, LOOK_AHEAD_DAYS = 14, 31


@dataclass(frozen=True)
class Found:
    """A ticket with the newest notice about it; None where nobody was told anything."""

    number: str
    site: str
    day: date
    source: str
    state: str
    notice_id: str | None


@dataclass(frozen=True)
class Spared:
    """A channel on which this phone is not tried until a moment."""

    channel: str
    until: int
    reason: str
    code: str
    by: str


def find_by_number(session: Session, text: str, today: date) -> list[Found]:
    """The tickets with this number in the last two weeks and the next month, the nearest day first."""
    parts = re.fullmatch(r"([A-Z]?)([0-9]+)", numbers.spelled(text.strip()))
    if not parts or len(parts[2]) > 5:
        return []
    span = range(-LOOK_BACK_DAYS, LOOK_AHEAD_DAYS + 1)
    wanted = (
        select(tables.Ticket, tables.Site)
        .join(tables.Site, tables.Site.id == tables.Ticket.site_id)
        .where(
            tables.Ticket.day.in_([today + timedelta(days=one) for one in span]),
            tables.Ticket.site_id.in_(session.scalars(select(tables.Site.id)).all()),
            tables.Ticket.series == parts[1],
            tables.Ticket.n == int(parts[2]),
        )
    )
    rows = session.execute(wanted.limit(200)).all()
    near = sorted(rows, key=lambda row: (abs((row.Ticket.day - today).days), row.Site.code))
    return [
        Found(one.number, site.name, one.day, one.source, one.state, _about(session, one.id))
        for one, site in near[:HISTORY]
    ]


def _about(session: Session, ticket_id: int) -> str | None:
    wanted = select(tables.Notice.id).filter_by(ticket_id=ticket_id)
    return session.scalar(wanted.order_by(tables.Notice.id.desc()).limit(1))


def newest_of(session: Session, number: str) -> str | None:
    """The newest notice to a phone (E.164)."""
    wanted = select(tables.Notice.id).filter_by(phone=number)
    return session.scalar(wanted.order_by(tables.Notice.created_at.desc(), tables.Notice.id.desc()).limit(1))


def find_by_phone(session: Session, number: str, config: Settings, now: int) -> list[Entry]:
    """What a phone (E.164) was told, newest first."""
    wanted = select(tables.Notice).filter_by(phone=number)
    rows = session.scalars(
        wanted.order_by(tables.Notice.created_at.desc(), tables.Notice.id.desc()).limit(HISTORY)
    )
    return [entry(row, config, now) for row in rows]


def history(session: Session, ids: Sequence[str]) -> dict[str, list[tables.Attempt]]:
    """Notice → everything that was tried, in order."""
    rows = session.scalars(
        select(tables.Attempt)
        .where(tables.Attempt.notice_id.in_(ids))
        .order_by(tables.Attempt.at, tables.Attempt.rung, tables.Attempt.id)
    )
    found: dict[str, list[tables.Attempt]] = {}
    for row in rows:
        found.setdefault(row.notice_id, []).append(row)
    return found


def spared(session: Session, number: str, config: Settings, now: int) -> list[Spared]:
    """The channels that spare this phone now."""
    wanted = select(tables.Suppression).where(
        tables.Suppression.channel.in_((*channels.used(config), channels.TEXTS)),
        tables.Suppression.phone == number,
        tables.Suppression.until > now,
    )
    return [Spared(row.channel, row.until, row.reason, row.code, row.by) for row in session.scalars(wanted)]
