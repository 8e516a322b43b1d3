"""One press, one answer: requests that carry an Idempotency-Key are done once, however often they come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from gateway import tables
from gateway.queue.day import insert_new

KEY_LENGTH = 64


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
