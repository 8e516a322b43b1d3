"""luồng gửi: how each channel is used now, and how to change it while it runs.

config.toml gives the beginning; a row in `lanes` is what somebody changed since, for all workers on all hosts.
The rate is a bucket of tokens in that row, so that two workers together keep to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway.queue.day import insert_new
from gateway.rules import channels
from gateway.rules.settings import Settings

MOST_AT_ONCE, MOST_A_MINUTE = 256, 100_000
BURST_SECONDS = 10  # a lane that was idle may send as much at once as in so many seconds
TOKEN = 1_000
_ALL = select(*tables.Lane.__table__.c)
# As the partial indexes say it: a parameter would hide them from the planner
_CREATED = text("state = 'created'")
_UNDER_WAY = text("state IN ('sending', 'sent', 'unknown')")


@dataclass(frozen=True)
class Way:
    """A lane as it is used: `per_minute` 0 is no limit of ours. `price` in đồng a part."""

    channel: str
    concurrency: int
    per_minute: int
    paused: bool
    price: int


@dataclass(frozen=True)
class Seen:
    """A lane as the officer sees it: how many wait, since when the oldest is due, and who changed it last."""

    way: Way
    waiting: int
    oldest_due: int | None
    under_way: int
    changed_at: int
    changed_by: str


def ways(session: Session, config: Settings) -> dict[str, Way]:
    """Every lane of the ladder."""
    changed = {row.channel: row for row in session.connection().execute(_ALL)}
    return {channel: _way(channel, config, changed.get(channel)) for channel in channels.used(config)}


def changed(session: Session) -> dict[str, int]:
    """The lanes whose concurrency somebody changed; for a modem `change` has written none."""
    wanted = select(tables.Lane.channel, tables.Lane.concurrency).where(tables.Lane.concurrency.is_not(None))
    return dict(session.execute(wanted).all())


def _way(channel: str, config: Settings, row: Any) -> Way:
    at_once, a_minute, price = _configured(channel, config)
    if row is not None:
        fixed = row.concurrency is None or (channels.is_text(channel) and config.sms.sim(channel) is not None)
        at_once = at_once if fixed else row.concurrency
        a_minute = a_minute if row.per_minute is None else row.per_minute
    return Way(channel, at_once, a_minute, row is not None and row.paused, price)


def _configured(channel: str, config: Settings) -> tuple[int, int, int]:
    """(at once, a minute, price). A modem sends one at a time, and keeps its own rate in parts."""
    zalo = config.zalo
    own = {
        channels.BY_CHAT: (zalo.concurrency, zalo.per_minute, 0),
        channels.BY_USER_ID: (zalo.concurrency, zalo.per_minute, zalo.price_by_user_id),
        channels.BY_PHONE: (zalo.concurrency, zalo.per_minute, zalo.price),
    }
    if channel in own:
        return own[channel]
    lane = config.sms.lane(channel)
    return (1, 0, lane.price) if config.sms.sim(channel) else (lane.concurrency, lane.per_minute, lane.price)


def price(channel: str, config: Settings, phone: str = "") -> int:
    """What a part costs on a channel by the configuration, đồng; on a lane of text messages by the number's network."""
    if channels.is_text(channel):
        return channels.price(channel, config.sms, phone)
    return _configured(channel, config)[2]


def change(
    session: Session,
    channel: str,
    by: str,
    now: int,
    *,
    concurrency: int | None = None,
    per_minute: int | None = None,
    paused: bool | None = None,
) -> None:
    """Use a lane differently from now on; what is None stays. Bounds are the caller's `MOST_…`."""
    row = _row(session, channel)
    row.concurrency = row.concurrency if concurrency is None else max(1, min(concurrency, MOST_AT_ONCE))
    row.per_minute = row.per_minute if per_minute is None else max(0, min(per_minute, MOST_A_MINUTE))
    row.paused = row.paused if paused is None else paused
    row.changed_at, row.changed_by = now, by[:80]
    about = {"concurrency": row.concurrency, "per_minute": row.per_minute, "paused": row.paused}
    access.audit(session, now, by, "lane.change", channel, **about)
    session.flush()
    database.ring(session)


def _row(session: Session, channel: str) -> tables.Lane:
    fresh = {"paused": False, "tokens": 0, "filled_at": 0, "changed_at": 0, "changed_by": ""}
    insert_new(session, tables.Lane, channel=channel, **fresh)
    return session.scalars(select(tables.Lane).filter_by(channel=channel).with_for_update()).one()


def allowed(session: Session, way: Way, now: int) -> int:
    """How many the lane's rate lets through now; its row is locked until they are `spent`."""
    row = _row(session, way.channel)
    most = TOKEN * max(1, way.per_minute * BURST_SECONDS // 60)
    since = max(0, now - row.filled_at)  # a clock that was set back gives nothing and takes nothing
    row.tokens = min(most, max(0, row.tokens) + since * way.per_minute * TOKEN // 60)
    row.filled_at = now
    session.flush()
    return row.tokens // TOKEN


def spent(session: Session, channel: str, count: int) -> None:
    row = session.get_one(tables.Lane, channel)
    row.tokens -= count * TOKEN
    session.flush()


def overview(session: Session, config: Settings, now: int) -> Sequence[Seen]:
    """Every lane with what waits in it."""
    waiting = _waiting(session, now)
    under_way = _under_way(session)
    rows = {row.channel: row for row in session.scalars(select(tables.Lane))}
    return [
        Seen(
            way,
            *waiting.get(channel, (0, None)),
            under_way.get(channel, 0),
            rows[channel].changed_at if channel in rows else 0,
            rows[channel].changed_by if channel in rows else "",
        )
        for channel, way in ways(session, config).items()
    ]


def _waiting(session: Session, now: int) -> Mapping[str, tuple[int, int | None]]:
    """Channel → (how many are due, since when the oldest)."""
    counted = (
        select(tables.Notice.channel, func.count(), func.min(tables.Notice.due))
        .where(_CREATED, tables.Notice.due <= now)
        .group_by(tables.Notice.channel)
    )
    return {channel: (count, oldest) for channel, count, oldest in session.execute(counted)}


def _under_way(session: Session) -> Mapping[str, int]:
    counted = select(tables.Notice.channel, func.count()).where(_UNDER_WAY)
    return dict(session.execute(counted.group_by(tables.Notice.channel)).all())
