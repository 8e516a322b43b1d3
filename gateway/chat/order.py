"""What people said is worked off in its order, by one process at a time."""

from __future__ import annotations

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from gateway import database, tables


def my_turn(session: Session, channel: str) -> bool:
    """Whether nobody else works off this channel now; on SQLite there is one writer anyway."""
    if not database.on_postgresql(session):
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtext(f"gateway.{channel}")))))


def waiting(channel: str, now: int) -> Select[tuple[tables.Receipt]]:
    """What was said there and is to be worked off, locked."""
    r = tables.Receipt
    said = select(r).where(r.done_at.is_(None), r.delivered.is_(None), r.channel == channel, r.due <= now)
    return said.order_by(r.due, r.id).with_for_update(skip_locked=True)
