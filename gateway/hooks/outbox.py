"""What programs are to be told, written down in the very transaction in which it happens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules import hooks as rules
from gateway.rules import hours

_events = tables.HookEvent.__table__
_h, _k = tables.Hook.__table__.c, tables.ApiKey.__table__.c
_LISTENING = (
    select(_h.id, _h.api_key_id, _h.events, _h.paused_at)
    .join(tables.ApiKey.__table__, _k.id == _h.api_key_id)
    .where(
        _h.api_key_id.in_(bindparam("keys", expanding=True)), _h.ended_at.is_(None), _k.revoked_at.is_(None)
    )
)


@dataclass(frozen=True, slots=True)
class Change:
    """A step of a notice that came from a program; `deadline` and `at` in seconds."""

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
    found = [(one, events) for one in changes if (events := _happened(one))]
    if not found:
        return 0
    keys = list({one.api_key_id for one, _ in found})
    listening = session.connection().execute(_LISTENING, {"keys": keys}).all()
    rows = [
        row(hook.id, one.notice_id, event, _about(one), one.at, paused=hook.paused_at is not None)
        for one, events in found
        for event in events
        for hook in listening
        if hook.api_key_id == one.api_key_id and event in hook.events
    ]
    if rows:
        session.connection().execute(insert(_events), rows)
    return len(rows)


def _happened(change: Change) -> tuple[str, ...]:
    return rules.happened(change.before, change.state, change.twice_before, change.reached_twice)


def _about(change: Change) -> dict[str, Any]:
    """Neither phone nor name: the program knows whom it meant."""
    return {
        "id": change.notice_id,
        "kind": change.kind,
        "state": change.state,
        "channel": change.channel,
        "reason": change.reason,
        "reached_twice": change.reached_twice,
        "deadline": moment(change.deadline),
    }


def moment(at: int) -> str:
    """RFC 3339 in UTC: who is told may sit anywhere."""
    return hours.utc(at).isoformat()


def row(
    hook_id: str, notice_id: str | None, event: str, about: dict[str, Any], now: int, *, paused: bool = False
) -> dict[str, Any]:
    """An event's row; a paused hook's waits until somebody resumes it."""
    return {
        "id": new_id("e"),
        "hook_id": hook_id,
        "notice_id": notice_id,
        "type": event,
        "body": {"type": event, "timestamp": moment(now), "data": about},
        "state": "held" if paused else "waiting",
        "due": now,
        "tries": 0,
        "reason": "",
        "created_at": now,
    }


def new_id(prefix: str) -> str:
    """Sorts by time, cannot be guessed; by the nanosecond, so one transaction's events keep their order."""
    return f"{prefix}_{time.time_ns():016x}{secrets.token_hex(8)}"
