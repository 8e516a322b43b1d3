"""One press, one answer: requests that carry an Idempotency-Key are done once, however often they come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.queue.day import insert_new

KEY_LENGTH = 64
ENTRIES_A_STATEMENT = 1_000


@dataclass(frozen=True)
class Answer:
    """An HTTP status and a JSON body (None: no body)."""

    status: int
    body: dict[str, Any] | None


CONFLICT = Answer(409, None)  # the key was used for another request


def once(
    session: Session, owner: str, key: str | None, asked: Any, now: int, act: Callable[[], Answer]
) -> Answer:
    """Do `act` unless (owner, key) was answered before; then give that answer, or CONFLICT for another `asked`.

    The row is written before `act` in the same transaction: a rival with the same key waits for it.
    """
    if key is None:
        return act()
    body_hash = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
    fresh = insert_new(
        session, tables.Press, owner=owner, key=key, body_hash=body_hash, status=0, answer=None, at=now
    )
    press = session.get_one(tables.Press, (owner, key))
    if not fresh:
        return Answer(press.status, press.answer) if press.body_hash == body_hash else CONFLICT
    answer = act()
    press.status, press.answer = answer.status, answer.body
    return answer


def remembered(session: Session, owner: str, entries: Sequence[tuple[str, str]], now: int) -> dict[str, str]:
    """Remember (key, content) pairs; of the keys that were known already, the content that they came with first."""
    dialect = postgresql if database.on_postgresql(session) else sqlite
    insert = dialect.insert(tables.Press.__table__).on_conflict_do_nothing()
    insert = insert.returning(tables.Press.__table__.c.key)
    known: dict[str, str] = {}
    for start in range(0, len(entries), ENTRIES_A_STATEMENT):
        some = entries[start : start + ENTRIES_A_STATEMENT]
        rows = [
            {
                "owner": owner,
                "key": _short(key),
                "body_hash": content,
                "status": 202,
                "answer": None,
                "at": now,
            }
            for key, content in some
        ]
        fresh = set(session.connection().execute(insert, rows).scalars())
        old = {_short(key): key for key, _ in some if _short(key) not in fresh}
        if not old:
            continue
        found = session.execute(
            select(tables.Press.key, tables.Press.body_hash).where(
                tables.Press.owner == owner, tables.Press.key.in_(old)
            )
        )
        known |= {old[short]: content for short, content in found}
    return known


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
