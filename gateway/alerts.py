"""What the officer must know: one row for one thing while it lasts, however often it is seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import database, tables

EXPIRY_SECONDS = 86_400
RELAPSE_SECONDS = 3_600
AGAIN_SECONDS = 600
KINDS = (
    "refused", "quota", "consent", "outage", "hook", "stuck",
    "template", "quota_soon", "consent_soon", "webhook", "sim", "modem", "balance",
)  # fmt: skip
CONSENT = "consent"
"""The key of the one alert that a person must consent again, whoever finds it."""
_c = tables.Alert.__table__.c


def raised(session: Session, key: str, kind: str, data: Mapping[str, Any], now: int) -> bool:
    """Say that something needs a person. True if it is new, False if it is known and only counted.

    What was over for less than an hour goes on: a provider that comes and goes is one thing to know.
    """
    lately = select(_c.id).where(_c.key == key[:100], _c.closed_at > now - RELAPSE_SECONDS)
    again = update(tables.Alert).where(
        _c.id.in_(lately.order_by(_c.id.desc()).limit(1)),
        ~select(_c.id).where(_c.key == key[:100], _c.closed_at.is_(None)).exists(),
    )
    relapsed = again.values(closed_at=None, seen_at=now, count=_c.count + 1, data=dict(data))
    if session.execute(relapsed.execution_options(synchronize_session=False)).rowcount:
        return False
    dialect = postgresql if database.on_postgresql(session) else sqlite
    given = {
        "key": key[:100],
        "kind": kind,
        "data": dict(data),
        "count": 1,
        "opened_at": now,
        "seen_at": now,
        "read_by": "",
    }
    insert = dialect.insert(tables.Alert.__table__).values(given)
    seen = insert.on_conflict_do_update(
        index_elements=["key"],
        index_where=_c.closed_at.is_(None),
        set_={"count": _c.count + 1, "seen_at": now},
    )
    return session.execute(seen.returning(_c.count)).scalar_one() == 1


def lasting(session: Session, key: str, kind: str, data: Mapping[str, Any], now: int) -> bool:
    """`raised` for what is looked at all the time: it keeps the newest data, and is written only when they
    changed or every ten minutes."""
    mine = select(_c.data, _c.seen_at).where(_c.key == key[:100], _c.closed_at.is_(None))
    row = session.execute(mine).first()
    if row is not None and row.data == dict(data) and 0 <= now - row.seen_at < AGAIN_SECONDS:
        return False
    new = raised(session, key, kind, data, now)
    if row is not None and row.data != dict(data):
        told = update(tables.Alert).where(_c.key == key[:100], _c.closed_at.is_(None))
        session.execute(told.values(data=dict(data)).execution_options(synchronize_session=False))
    return new


def over(session: Session, key: str, now: int) -> bool:
    """It is well again; False if nobody had said otherwise."""
    ended = update(tables.Alert).where(_c.key == key[:100], _c.closed_at.is_(None)).values(closed_at=now)
    return session.execute(ended.execution_options(synchronize_session=False)).rowcount > 0


def read(session: Session, alert_id: int, by: str, now: int) -> bool:
    """Somebody has seen it; False if it was seen before or is no alert."""
    seen = update(tables.Alert).where(_c.id == alert_id, _c.read_at.is_(None))
    done = session.execute(
        seen.values(read_at=now, read_by=by[:80]).execution_options(synchronize_session=False)
    )
    return done.rowcount > 0


def open_ones(session: Session) -> Sequence[tables.Alert]:
    """What is not well now, newest first."""
    return session.scalars(
        select(tables.Alert).where(_c.closed_at.is_(None)).order_by(_c.opened_at.desc()).limit(100)
    ).all()


def expire(session: Session, now: int) -> int:
    """End what was not seen for a day and has nobody who would say that it is well again."""
    lasting = update(tables.Alert).where(
        _c.closed_at.is_(None),
        _c.seen_at < now - EXPIRY_SECONDS,
        _c.key.not_like("breaker:%"),
        _c.key.not_like("hook:%"),
    )
    return session.execute(
        lasting.values(closed_at=now).execution_options(synchronize_session=False)
    ).rowcount
