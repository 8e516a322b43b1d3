"""Reading notices for programs: one with its attempts, and pages that stay stable while others are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables


@dataclass(frozen=True)
class Wanted:
    """Which notices: `api_key_id` None is everybody's; `since` in seconds; `after` ends the page before."""

    api_key_id: int | None
    state: str | None = None
    kind: str | None = None
    since: int | None = None
    after: str | None = None
    most: int = 100


def one(session: Session, notice_id: str, api_key_id: int | None) -> tables.Notice | None:
    """A notice, if it is this program's."""
    row = session.get(tables.Notice, notice_id)
    return row if row is not None and api_key_id in (None, row.api_key_id) else None


def attempts(session: Session, notice_id: str) -> Sequence[tables.Attempt]:
    """What was tried, in order."""
    wanted = select(tables.Attempt).filter_by(notice_id=notice_id)
    return session.scalars(wanted.order_by(tables.Attempt.at, tables.Attempt.rung, tables.Attempt.id)).all()


def page(session: Session, wanted: Wanted) -> Sequence[tables.Notice]:
    """Oldest first. Ids sort by the time they were made, so a page is one walk along an index."""
    rows = select(tables.Notice)
    if wanted.api_key_id is not None:
        rows = rows.where(tables.Notice.api_key_id == wanted.api_key_id)
    for column, value in ((tables.Notice.state, wanted.state), (tables.Notice.kind, wanted.kind)):
        rows = rows if value is None else rows.where(column == value)
    floor = max(wanted.after or "", f"n_{wanted.since * 1_000:012x}" if wanted.since else "")
    rows = rows.where(tables.Notice.id > floor)
    return session.scalars(rows.order_by(tables.Notice.id).limit(wanted.most)).all()


def by_keys(session: Session, keys: Sequence[str]) -> dict[str, tables.Notice]:
    """The notices with these keys."""
    found: dict[str, tables.Notice] = {}
    for start in range(0, len(keys), 500):
        some = select(tables.Notice).where(tables.Notice.key.in_(keys[start : start + 500]))
        found |= {row.key: row for row in session.scalars(some)}
    return found
