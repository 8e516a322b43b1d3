"""Claiming what is due, and writing down what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, bindparam, case, func, or_, select, update
from sqlalchemy.orm import Session

from gateway import tables
from gateway.notices import steps
from gateway.rules.lifecycle.notice import Event, Happening, Policy, State


@dataclass(frozen=True)
class Task:
    """A claimed notice and the attempt that was written down for it before it is handed over."""

    notice_id: str
    attempt_id: str
    channel: str
    rung: int
    kind: str
    phone: str
    zalo_user_id: str | None
    language: str
    data: Mapping[str, Any]
    urgent: bool
    deadline: int
    lease_until: int


@dataclass(frozen=True)
class Result:
    """How the hand-over of a task ended. `provider_ref` is the provider's own id, where it gave one."""

    task: Task
    event: Event
    code: str = ""
    provider_ref: str | None = None
    parts: int = 0


def claim_due(
    session: Session,
    channels: Sequence[str],
    room: Mapping[int, int],
    worker: str,
    now: int,
    policy: Policy,
    quiet_until: int | None = None,
) -> list[Task]:
    """Take what is due on each rung that has room (rung → how many), and write an attempt for each.

    Urgent notices go first. In quiet hours the others wait until `quiet_until`, unless that were too late.
    The lease is the row's `due` while it is *sending*; when it runs out, `fall_silent` finds the row.
    """
    tasks = []
    for rung, most in room.items():
        for row in _due(session, rung, most, now):
            postponed = quiet_until is not None and not row.urgent and quiet_until < row.deadline
            event = Event(Happening.POSTPONED, "quiet_hours", quiet_until or now)
            after = steps.moved(row, event if postponed else Event(Happening.CLAIMED), now, policy)
            if after.state is State.SENDING:
                row.lease = worker
                tasks.append(_task(row, channels[rung]))
    session.flush()  # the notices before the attempts that point at them
    session.add_all(
        tables.Attempt(
            id=task.attempt_id, notice_id=task.notice_id, channel=task.channel, rung=task.rung, at=now
        )
        for task in tasks
    )
    return tasks


def _due(session: Session, rung: int, most: int, now: int) -> Sequence[tables.Notice]:
    return session.scalars(
        select(tables.Notice)
        .where(
            tables.Notice.final_at.is_(None),
            tables.Notice.state == State.CREATED,
            tables.Notice.rung == rung,
            tables.Notice.due <= now,
        )
        .order_by(tables.Notice.urgent.desc(), tables.Notice.due, tables.Notice.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()


def _task(row: tables.Notice, channel: str) -> Task:
    return Task(
        row.id,
        steps.new_id("a"),
        channel,
        row.rung,
        row.kind,
        row.phone,
        row.zalo_user_id,
        row.language,
        row.data,
        row.urgent,
        row.deadline,
        row.due,
    )


def fall_silent(session: Session, room: int, now: int, policy: Policy) -> int:
    """Move on what waited in vain: leases that ran out, receipts that did not come, deadlines that passed.

    How many rows moved.
    """
    handed_over = tables.Notice.state.in_((State.SENDING, State.SENT, State.UNKNOWN))
    too_late = or_(tables.Notice.deadline <= now, tables.Notice.rung >= policy.rungs)
    silent = session.scalars(
        select(tables.Notice)
        .where(
            tables.Notice.final_at.is_(None),
            or_(
                and_(handed_over, tables.Notice.due <= now),
                and_(tables.Notice.state == State.CREATED, too_late),
            ),
        )
        .order_by(tables.Notice.due)
        .limit(room)
        .with_for_update(skip_locked=True)
    ).all()
    for row in silent:
        lost = row.state == State.SENDING
        steps.moved(row, Event(Happening.SILENCE), now, policy)
        if lost:
            _mark_unknown(session, row.id, now)
    return len(silent)


def _mark_unknown(session: Session, notice_id: str, now: int) -> None:
    """The attempts that a dead worker left in its hands: nobody knows how they ended."""
    session.execute(
        update(tables.Attempt)
        .where(tables.Attempt.notice_id == notice_id, tables.Attempt.state == "handing_over")
        .values(state="unknown", code="worker_lost", answered_at=now)
    )


def record(session: Session, results: Sequence[Result], now: int, policy: Policy) -> None:
    """Write down how hand-overs ended, in one go, and move their notices on."""
    noticed = steps.locked(session, [result.task.notice_id for result in results])
    for result in results:
        row = noticed.get(result.task.notice_id)
        if row is not None:
            steps.moved(row, replace(result.event, rung=result.task.rung), now, policy)
    _write_attempts(session, results, now)


def _write_attempts(session: Session, results: Sequence[Result], now: int) -> None:
    columns = tables.Attempt.__table__.c
    # A receipt may have overtaken this answer: what it said stays
    undecided = or_(columns.state == "handing_over", columns.state == "unknown")
    session.connection().execute(
        update(tables.Attempt.__table__)
        .where(columns.id == bindparam("attempt"))
        .values(
            state=case((undecided, bindparam("new_state")), else_=columns.state),
            code=bindparam("new_code"),
            reason=bindparam("new_reason"),
            provider_ref=bindparam("new_ref"),
            parts=bindparam("new_parts"),
            answered_at=now,
        ),
        [
            {
                "attempt": one.task.attempt_id,
                "new_state": _attempt_state(one.event),
                "new_code": steps.storable(one.code, 40),
                "new_reason": steps.storable(one.event.reason, 200),
                "new_ref": steps.storable(one.provider_ref, 80) if one.provider_ref else None,
                "new_parts": one.parts,
            }
            for one in results
        ],
    )


def _attempt_state(event: Event) -> str:
    return {
        Happening.ACCEPTED: "accepted",
        Happening.REFUSED: "refused",
        Happening.UNREACHED: "unreached",
        Happening.UNSURE: "unknown",
        Happening.POSTPONED: "postponed",
    }[event.happening]


def parts_since(session: Session, channel: str, since: int) -> int:
    """Message parts handed to a channel since a moment."""
    sent = select(func.sum(tables.Attempt.parts)).where(
        tables.Attempt.channel == channel, tables.Attempt.at >= since
    )
    return session.scalar(sent) or 0
