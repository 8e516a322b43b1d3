"""hạn mức: how many messages a channel's day still holds, and whether tonight's fit in.

Every answer of Zalo says what is left; the newest is kept. The day is Vietnam's: when Zalo's begins is nowhere
written, so midnight there is taken for it, wherever the station's clock is set.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, Row, and_, case, func, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import alerts, database, tables
from gateway.rules import channels, hours
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
COUNTED = (channels.BY_USER_ID, channels.BY_PHONE)
LOW_PERCENT = 20
DAY = 86_400
LARGEST = 2**31 - 1  # as large a number as a column holds
APART = 512  # answers on their way at once differ by less; by more, it is another day at Zalo
_c = tables.ZaloQuota.__table__.c
_n = tables.Notice.__table__.c
_CREATED = text("notices.state = 'created'")  # as the partial index says it: a parameter would hide it


class Client(Protocol):
    """Who asks Zalo. `quota()`: the Official Account's day, as Zalo gives it."""

    def quota(self) -> Mapping[str, Any]: ...


def noted(
    session: Session,
    channel: str,
    remaining: int,
    total: int | None,
    now: int,
    zone: ZoneInfo = VIETNAM,
) -> None:
    """An answer said what is left. Answers come back in any order, so a day's smallest counts, until the day or
    its total is another one; what an answer of an older day said is no news. Far more than the smallest is a
    day that Zalo began later than we do. A number that is none to count with is how Zalo says "no limit".
    """
    if not 0 <= remaining <= LARGEST:
        return
    total = total if total is not None and 0 <= total <= LARGEST else None
    begins = _midnight(now, zone)
    dialect = postgresql if database.on_postgresql(session) else sqlite
    insert = dialect.insert(tables.ZaloQuota.__table__)
    insert = insert.values(channel=channel, remaining=remaining, total=total, at=now)
    new = insert.excluded
    resized = and_(new.total.is_not(None), _c.total.is_not(None), new.total != _c.total)
    apart = case((_c.total < 2 * APART, _c.total // 2), else_=APART)
    refilled = and_(new.at >= _c.at, new.remaining - _c.remaining > apart)
    fresh = or_(_c.at < begins, resized, refilled)
    statement = insert.on_conflict_do_update(
        index_elements=["channel"],
        set_={
            "remaining": case((or_(fresh, new.remaining < _c.remaining), new.remaining), else_=_c.remaining),
            "total": func.coalesce(new.total, _c.total),
            "at": case((new.at > _c.at, new.at), else_=_c.at),
        },
        where=and_(_c.at < begins + DAY, or_(~resized, new.at >= _c.at)),
    )
    session.execute(statement)


def moved(session: Session, channel: str, total: int, now: int, zone: ZoneInfo = VIETNAM) -> None:
    """Zalo gave the day another size: what is left moves with it."""
    row = session.get(tables.ZaloQuota, channel, with_for_update=True)
    if row is None:
        noted(session, channel, total, total, now, zone)
        return
    used = 0 if row.total is None or row.at < _midnight(now, zone) else row.total - row.remaining
    row.remaining, row.total, row.at = max(0, total - max(0, used)), total, max(row.at, now)
    session.flush()


def left(session: Session, channel: str, now: int, zone: ZoneInfo = VIETNAM) -> int | None:
    """How many today still holds; a new day is full again. None where nobody has said."""
    return _left(_row(session, channel), now, zone)


def _row(session: Session, channel: str) -> Row | None:
    return session.execute(select(*_c).where(_c.channel == channel)).first()


def _left(row: Row | None, now: int, zone: ZoneInfo) -> int | None:
    if row is None:
        return None
    return row.total if row.at < _midnight(now, zone) else row.remaining


def needed_tonight(session: Session, config: Settings, now: int, channel: str = channels.BY_PHONE) -> int:
    """How many messages a channel is to carry before midnight: what waits on its rung, and whoever has no number
    yet and is given one by then. Who has shared their Zalo is counted by user id, the others by phone."""
    waiting = select(func.count()).where(
        _CREATED, _n.channel == channel, _n.urgent.in_((False, True)), _n.due < _midnight(now, VIETNAM) + DAY
    )
    return session.scalar(waiting) + _unnumbered(session, config, now, channel)


def _unnumbered(session: Session, config: Settings, now: int, channel: str) -> int:
    """Applicants of today and tomorrow who will be told a number first on this channel."""
    today = hours.day_of(now, config.station.zone)
    a, r, s, u = tables.Applicant, tables.Registration, tables.Shift, tables.ZaloUser
    shifts = select(s.id).where(
        s.day.in_((today, today + timedelta(days=1))), s.state == "open", s.closes_at > now
    )
    people = (
        select(func.count(a.id))
        .join(r, r.id == a.registration_id)
        .where(a.shift_id.in_(shifts), a.state == "registered")
    )
    if channels.BY_USER_ID in channels.ladder(config):
        shared = or_(r.zalo_user_id.is_not(None), select(u.id).where(u.phone == r.phone).exists())
        people = people.where(shared if channel == channels.BY_USER_ID else ~shared)
    return session.scalar(people)


def look(session: Session, config: Settings, now: int) -> None:
    """Raise the alert of each channel whose day will not hold tonight's messages, or is nearly used up."""
    for channel in COUNTED:
        row = _row(session, channel) if channel in channels.ladder(config) else None
        rest = _left(row, now, VIETNAM)
        if row is None or rest is None:
            continue
        needed = needed_tonight(session, config, now, channel)
        key = f"quota_soon:{channel}"
        if rest < needed or rest * 100 < (row.total or 0) * LOW_PERCENT:
            alerts.lasting(session, key, "quota_soon", _told(channel, rest, row.total, needed), now)
        else:
            alerts.over(session, key, now)


def _told(channel: str, rest: int, total: int | None, needed: int) -> dict[str, Any]:
    of_vi, of_en = (f"/{total}", f" of {total}") if total is not None else ("", "")
    vi = f"Hôm nay còn {rest}{of_vi} tin, từ giờ đến nửa đêm cần {needed}."
    en = f"{rest}{of_en} messages left today, {needed} needed before midnight."
    return {"channel": channel, "left": rest, "total": total, "needed": needed, "reason": f"{vi} / {en}"}


def read(client: Client) -> tuple[int | None, int | None]:
    """(remaining, total) of the phone channel's day, as Zalo says when it is asked; None for what it leaves out."""
    answer = client.quota()
    answer = answer if isinstance(answer, Mapping) else {}
    return _whole(answer.get("remainingQuota")), _whole(answer.get("dailyQuota"))


def ask(engine: Engine, client: Client, now: int) -> bool:
    """Read the day's quota at start-up, before any answer has said it; whether Zalo knew. In vain is no harm."""
    try:
        remaining, total = read(client)
    except Exception as fault:
        log.warning("Zalo's quota cannot be read: %s: %s", type(fault).__name__, fault)
        return False
    if remaining is None:
        return False
    with database.writing(engine) as session:
        noted(session, channels.BY_PHONE, remaining, total, now)
    return True


def _midnight(now: int, zone: ZoneInfo) -> int:
    """When the day that `now` lies in began."""
    return hours.at(hours.day_of(now, zone), time(), zone)


def _whole(value: Any) -> int | None:
    digits = str(value)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
