"""Writing a notice down, and withdrawing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.notices import steps
from gateway.queue.day import insert_new
from gateway.rules.lifecycle.notice import Event, Happening, Policy, State

URGENT = frozenset({"called", "near"})


@dataclass(frozen=True)
class Planned:
    """What to tell whom. `key` makes the second planning of the same thing harmless; times are seconds."""

    key: str
    kind: str
    phone: str
    data: Mapping[str, Any]
    due: int
    deadline: int
    language: str = "vi"
    zalo_user_id: str | None = None
    ticket_id: int | None = None
    api_key_id: int | None = None


def plan(session: Session, planned: Planned, now: int) -> str | None:
    """Write a notice down; its id, or None if one with this key exists already."""
    notice_id = steps.new_id("n")
    fresh = insert_new(
        session,
        tables.Notice,
        id=notice_id,
        key=planned.key,
        kind=planned.kind,
        phone=planned.phone,
        zalo_user_id=planned.zalo_user_id,
        language=planned.language,
        data=dict(planned.data),
        ticket_id=planned.ticket_id,
        api_key_id=planned.api_key_id,
        urgent=planned.kind in URGENT,
        state=State.CREATED,
        rung=0,
        tries=0,
        due=planned.due,
        deadline=planned.deadline,
        reason="",
        reached_twice=False,
        created_at=now,
        changed_at=now,
    )
    database.ring(session)
    return notice_id if fresh else None


def cancel(
    session: Session, notice_id: str, now: int, policy: Policy, reason: str = ""
) -> tables.Notice | None:
    """Withdraw a notice; what was handed over already may still arrive. None if there is no such notice."""
    row = steps.locked(session, [notice_id]).get(notice_id)
    if row is not None:
        steps.moved(row, Event(Happening.CANCEL, reason), now, policy)
    return row


def cancel_for_ticket(session: Session, ticket_id: int, now: int, policy: Policy) -> None:
    """Withdraw what a ticket's person was still to be told, also by a channel that is yet to follow."""
    ids = session.scalars(
        select(tables.Notice.id).where(tables.Notice.ticket_id == ticket_id, tables.Notice.final_at.is_(None))
    ).all()
    for notice_id in ids:
        cancel(session, notice_id, now, policy, "ticket_cancelled")
