"""Hours: RFC 3339, the station's own clock on the wall, and the night in which nobody is disturbed. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def rfc3339(at: int, zone: ZoneInfo) -> str:
    """1764000000 → "2025-11-24T23:00:00+07:00"."""
    return datetime.fromtimestamp(at, zone).isoformat()


def seconds(text: str) -> int:
    """RFC 3339 with an offset → whole seconds; ValueError if it has no offset or is no such text."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs its offset, e.g. 2026-11-24T14:30:00+07:00")
    return int(moment.timestamp())


def day_of(at: int, zone: ZoneInfo) -> date:
    """The calendar day at the station."""
    return datetime.fromtimestamp(at, zone).date()


def at(day: date, clock: time, zone: ZoneInfo) -> int:
    """The moment at which the station's clock shows `clock` on `day`."""
    return int(datetime.combine(day, clock, zone).timestamp())


def clock(at_: int, zone: ZoneInfo) -> str:
    """ "14:30"."""
    return f"{datetime.fromtimestamp(at_, zone):%H:%M}"


def calendar(day: date) -> str:
    """ "24/11/2026", as it is written in Vietnam."""
    return f"{day:%d/%m/%Y}"


def quiet_until(now: int, begins: time, ends: time, zone: ZoneInfo) -> int | None:
    """The end of the quiet hours that `now` lies in, or None when it lies in none. The hours may span midnight."""
    if begins == ends:
        return None
    local = datetime.fromtimestamp(now, zone)
    inside = begins <= local.time() < ends if begins < ends else not ends <= local.time() < begins
    if not inside:
        return None
    end = at(local.date(), ends, zone)
    return end if end > now else at(local.date() + timedelta(days=1), ends, zone)


def next_quiet(now: int, begins: time, ends: time, zone: ZoneInfo) -> int | None:
    """When the quiet hours begin next; None where there are none, or they have begun."""
    if begins == ends or quiet_until(now, begins, ends, zone) is not None:
        return None
    today = day_of(now, zone)
    begin = at(today, begins, zone)
    return begin if begin > now else at(today + timedelta(days=1), begins, zone)


def utc(at_: int) -> datetime:
    return datetime.fromtimestamp(at_, UTC)
