"""The rows: which programs want to be told, and what they are to be told."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.rules import hooks as rules

MOST_A_KEY = 10
REPLAYED_AT_ONCE = 10_000
_h = tables.Hook.__table__.c
_LIVE = select(_h.id, _h.api_key_id, _h.events).where(
    _h.api_key_id.in_(bindparam("keys", expanding=True)), _h.ended_at.is_(None)
)


@dataclass(frozen=True, slots=True)
class Change:
    """A step of a notice that a program accepted responsibility for; `at` in seconds."""

    notice_id: str
    api_key_id: int
    kind: str
    before: str
    state: str
    channel: str
    reason: str
    twice_before: bool
    reached_twice: bool
    deadline: int
    at: int


def told(session: Session, changes: Iterable[Change]) -> int:
    """Write down what programs are to be told of these steps; how many rows. Nothing where nobody listens."""
    changes = list(changes)
    if not changes:
        return 0
    live = session.connection().execute(_LIVE, {"keys": list({one.api_key_id for one in changes})}).all()
    rows = [
        _row(hook.id, one.notice_id, event, one.at, _about(one))
        for one in changes
        if (event := rules.happened(one.before, one.state, one.twice_before, one.reached_twice))
        for hook in live
        if hook.api_key_id == one.api_key_id and event in hook.events
    ]
    if rows:
        session.connection().execute(insert(tables.HookEvent.__table__), rows)
        database.ring(session)
    return len(rows)


def _about(change: Change) -> dict[str, Any]:
    """Neither phone nor name: the program knows whom it meant."""
    return {
        "id": change.notice_id,
        "kind": change.kind,
        "state": change.state,
        "channel": change.channel,
        "reason": change.reason,
        "reached_twice": change.reached_twice,
        "deadline": change.deadline,
    }


def _row(hook_id: str, notice_id: str | None, event: str, now: int, about: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": new_id("e"),
        "hook_id": hook_id,
        "notice_id": notice_id,
        "type": event,
        "body": {"type": event, "timestamp": now, "data": about},
        "state": "waiting",
        "due": now,
        "tries": 0,
        "reason": "",
        "created_at": now,
    }


def new_id(prefix: str) -> str:
    """Sorts by time, cannot be guessed; a nanosecond clock keeps one transaction's events in their order."""
    return f"{prefix}_{time.time_ns():016x}{secrets.token_hex(8)}"


def add(session: Session, api_key_id: int, url: str, events: Sequence[str], now: int) -> tables.Hook | None:
    """A hook of a program; None if it has enough of them."""
    if len(of_key(session, api_key_id)) >= MOST_A_KEY:
        return None
    made = tables.Hook(
        id=new_id("h"), api_key_id=api_key_id, url=url, events=list(events), generation=1, created_at=now
    )
    session.add(made)
    session.flush()
    return made


def of_key(session: Session, api_key_id: int) -> Sequence[tables.Hook]:
    """A program's hooks that have not ended."""
    wanted = select(tables.Hook).filter_by(api_key_id=api_key_id, ended_at=None)
    return session.scalars(wanted.order_by(tables.Hook.id)).all()


def ping(session: Session, hook: tables.Hook, now: int) -> str:
    """An event that says nothing; its id."""
    row = _row(hook.id, None, rules.PING, now, {})
    session.connection().execute(insert(tables.HookEvent.__table__), [row])
    database.ring(session)
    return row["id"]


def events(
    session: Session, hook_id: str, state: str | None, after: str, most: int
) -> Sequence[tables.HookEvent]:
    """What a hook was and is to be told, oldest first."""
    wanted = select(tables.HookEvent).where(tables.HookEvent.hook_id == hook_id, tables.HookEvent.id > after)
    if state is not None:
        wanted = wanted.where(tables.HookEvent.state == state)
    return session.scalars(wanted.order_by(tables.HookEvent.id).limit(most)).all()


def replay(
    session: Session, hook_id: str, now: int, since: int | None = None, event_id: str | None = None
) -> int:
    """Tell again what was told or given up: one event, or everything since a moment. How many."""
    again = update(tables.HookEvent).where(
        tables.HookEvent.hook_id == hook_id, tables.HookEvent.state != "waiting"
    )
    if event_id is not None:
        again = again.where(tables.HookEvent.id == event_id)
    if since is not None:
        again = again.where(tables.HookEvent.created_at >= since)
    done = session.execute(
        again.values(state="waiting", due=now, tries=0, reason="", done_at=None).execution_options(
            synchronize_session=False
        )
    )
    database.ring(session)
    return done.rowcount
