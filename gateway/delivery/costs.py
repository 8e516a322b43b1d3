"""What was sent, in how many parts and for how many đồng, by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules import channels, hours
from gateway.rules.settings import BUILT_IN

_attempt = tables.Attempt
_ORDER = {name: at for at, name in enumerate((*channels.ZALO, *BUILT_IN))}
HANDED_OVER = ("accepted", "delivered", "undelivered", "unknown")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Cost:
    """`messages` a provider took (or may have taken), those of them that a receipt says arrived, parts, đồng."""

    channel: str
    messages: int
    delivered: int
    parts: int
    dong: int


def spent(session: Session, since: int, until: int) -> list[Cost]:
    """By channel, for what was handed over from `since` until before `until` (seconds)."""
    names = used(session)
    wanted = _sums(names, since, until).add_columns(_attempt.channel).group_by(_attempt.channel)
    by_channel = {row.channel: _cost(row.channel, row) for row in session.execute(wanted)}
    return [by_channel[channel] for channel in names if channel in by_channel]


def daily(session: Session, day: date, zone: ZoneInfo) -> list[Cost]:
    """By channel for a day of the station's calendar."""
    return spent(session, hours.at(day, time(), zone), hours.at(day + timedelta(days=1), time(), zone))


def monthly(session: Session, first: date, zone: ZoneInfo) -> list[tuple[date, Cost]]:
    """By day and channel for the month that begins on `first`; days on which nothing was sent are left out."""
    days = _days(first)
    starts = [hours.at(one, time(), zone) for one in days]
    place = case(
        *((_attempt.at < start, at) for at, start in enumerate(starts[1:])), else_=len(days) - 1
    ).label("place")
    names = used(session)
    wanted = _sums(names, starts[0], starts[-1]).add_columns(place, _attempt.channel)
    rows = session.execute(wanted.group_by(place, _attempt.channel)).all()
    ordered = sorted(rows, key=lambda row: (row.place, names.index(row.channel)))
    return [(days[row.place], _cost(row.channel, row)) for row in ordered]


def _days(first: date) -> Sequence[date]:
    """The days of a month, and the first of the next."""
    found = [first]
    while found[-1].month == first.month:
        found.append(found[-1] + timedelta(days=1))
    return found


def used(session: Session) -> list[str]:
    """Every channel that something was ever sent by, Zalo's first: a lane that left the configuration has cost
    something too. Each is one step in the index, however many attempts there are."""
    first = select(func.min(_attempt.channel).label("channel")).cte("used", recursive=True)
    later = select(func.min(_attempt.channel)).where(_attempt.channel > first.c.channel).scalar_subquery()
    steps = first.union_all(select(later).where(first.c.channel.is_not(None)))
    found = sorted(session.scalars(select(steps.c.channel).where(steps.c.channel.is_not(None))))
    return sorted(found, key=lambda name: _ORDER.get(name, len(_ORDER)))


def _sums(names: Sequence[str], since: int, until: int) -> Select[Any]:
    return select(
        func.count().filter(_attempt.state.in_(HANDED_OVER)).label("messages"),
        func.count().filter(_attempt.state == "delivered").label("delivered"),
        func.sum(_attempt.parts).label("parts"),
        func.sum(_attempt.cost).label("dong"),
    ).where(_attempt.channel.in_(names), _attempt.at >= since, _attempt.at < until)


def _cost(channel: str, row: Any) -> Cost:
    return Cost(channel, row.messages, row.delivered, int(row.parts or 0), int(row.dong or 0))


def safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula (owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{text}" if text.startswith(_FORMULA) else text
