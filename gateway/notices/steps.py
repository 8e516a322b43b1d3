"""A notice's row: its id, its lock, and one step of its lifecycle carried out on it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules.lifecycle import notice as lifecycle
from gateway.rules.lifecycle.notice import FINAL, Event, Policy, State
from gateway.rules.settings import Settings


def new_id(prefix: str) -> str:
    """An id that sorts by time and cannot be guessed: prefix, 12 hex digits of milliseconds, 20 of chance."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def locked(session: Session, ids: Iterable[str]) -> dict[str, tables.Notice]:
    found = session.scalars(
        select(tables.Notice)
        .where(tables.Notice.id.in_(set(ids)))
        .order_by(tables.Notice.id)
        .with_for_update()
    )
    return {row.id: row for row in found}


def moved(row: tables.Notice, event: Event, now: int, policy: Policy) -> lifecycle.Notice:
    """Carry out one step on a locked row."""
    before = lifecycle.Notice(
        State(row.state),
        row.rung,
        row.tries,
        row.due,
        row.deadline,
        row.urgent,
        row.reason,
        row.reached_twice,
    )
    after = lifecycle.step(before, event, now, policy)
    if after != before:
        row.state, row.rung, row.tries, row.due = after.state, after.rung, after.tries, after.due
        row.reason, row.reached_twice, row.changed_at = storable(after.reason, 200), after.reached_twice, now
        if after.state is not State.SENDING:
            row.lease = None
        if after.state in FINAL and row.final_at is None:
            row.final_at = now
    return after


def storable(text: str, most: int) -> str:
    """A provider's words, bounded. No database keeps a NUL or half a surrogate pair, and one bad answer must
    not stop the round that it is written in."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:most]


def policy(config: Settings) -> Policy:
    """The `[notices]` numbers that the lifecycle needs. Every provider of a rung counts as a rung of its own."""
    own = config.notices
    return Policy(
        rungs=len(ladder(config)),
        receipt_wait=own.receipt_wait,
        receipt_wait_urgent=own.receipt_wait_urgent,
        unknown_wait=own.unknown_wait,
        retries=own.retries,
        lease=own.lease,
    )


def ladder(config: Settings) -> tuple[str, ...]:
    """The channels in order: `sms` stands for its providers, e.g. ("zalo", "esms", "modem")."""
    return tuple(
        channel
        for rung in config.notices.ladder
        for channel in (config.sms.providers if rung == "sms" else (rung,))
    )
