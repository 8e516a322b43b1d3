"""A site's day: its lock, its counting, its log."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import database, tables


def insert_new(session: Session, table: type[tables.Table], **values: Any) -> bool:
    """INSERT unless its key exists already; whether the row is new. Waits for a rival that is not decided yet."""
    dialect = postgresql if database.on_postgresql(session) else sqlite
    rows = dialect.insert(table.__table__).values(**values).on_conflict_do_nothing()
    # RETURNING says it on both databases; the drivers' row counts do not
    return session.execute(rows.returning(literal(1))).first() is not None


def opened(session: Session, site_id: int, day: date) -> tables.SiteDay:
    """The site-day, locked until this transaction ends."""
    wanted = select(tables.SiteDay).filter_by(site_id=site_id, day=day).with_for_update()
    found = session.scalar(wanted)
    if found is None:
        insert_new(session, tables.SiteDay, site_id=site_id, day=day, version=0, seq=0)
        found = session.scalars(wanted).one()
    return found


def record(session: Session, day: tables.SiteDay, now: int, kind: str, **about: Any) -> None:
    """Write down what happened as the day's next version, and wake who watches the queue."""
    day.version += 1
    session.add(
        tables.Event(site_id=day.site_id, day=day.day, version=day.version, at=now, type=kind, **about)
    )
    session.flush()
    database.ring(session)


def next_seq(day: tables.SiteDay) -> int:
    day.seq += 1
    return day.seq


def next_number(session: Session, site_id: int, day: date, series: str) -> int:
    """The next number of a series that the gateway owns. Call it with the day opened."""
    key = {"site_id": site_id, "day": day, "series": series}
    found = session.scalar(select(tables.SeriesDay).filter_by(**key).with_for_update())
    if found is None:
        found = tables.SeriesDay(**key, last=0)
        session.add(found)
    found.last += 1
    session.flush()
    return found.last
