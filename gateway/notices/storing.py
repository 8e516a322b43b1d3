"""báo nhận, taken in: stored as they come, many in one statement. `receipts` works on them later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import database, tables

_EMPTY = {
    "reference": None,
    "provider_ref": None,
    "delivered": None,
    "code": "",
    "body": "",
    "done_at": None,
    "outcome": "",
}
# Built once: rendering the statement costs more than running it for one row
_INSERT = {
    dialect.dialect.name: dialect.insert(tables.Receipt.__table__)
    .on_conflict_do_nothing()
    .returning(tables.Receipt.__table__.c.key)
    for dialect in (postgresql, sqlite)
}


def store_receipts(session: Session, receipts: Sequence[Mapping[str, Any]], now: int) -> list[bool]:
    """Keep receipts as they came; for each whether it is new. `at` and `due` are `now` where they are not given.

    The same key twice among them is new once. Rows go in by key, so two processes never wait in a circle.
    """
    rows = sorted(({**_EMPTY, "at": now, "due": now, **one} for one in receipts), key=lambda row: row["key"])
    connection = session.connection()
    fresh = set(connection.execute(_INSERT[connection.dialect.name], rows).scalars()) if rows else set()
    if fresh:
        database.ring(session)
    return [_first(fresh, one["key"]) for one in receipts]


def _first(fresh: set[str], key: str) -> bool:
    """Whether this is the one that made its key's row."""
    if key not in fresh:
        return False
    fresh.remove(key)
    return True


def store_receipt(session: Session, receipt: Mapping[str, Any], now: int) -> bool:
    """Keep one; False if it came before."""
    return store_receipts(session, [receipt], now)[0]
