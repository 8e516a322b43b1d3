"""tin báo: the outbox. Planning a notice, claiming what is due, writing down what became of it.

Functions run inside a `database.writing` transaction. What happens next is decided by
`rules.lifecycle.notice.step` alone; here its answers are carried out on rows.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, bindparam, case, func, or_, select, update
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.queue.day import insert_new
from gateway.rules.lifecycle import notice as lifecycle
from gateway.rules.lifecycle.notice import FINAL, Event, Happening, Policy, State
from gateway.rules.settings import Settings

URGENT = frozenset({"called", "near"})
RECEIPT_PATIENCE = 300  # seconds that a receipt may wait for its attempt to be written


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


@dataclass(frozen=True)
class Result:
    """How the hand-over of a task ended. `provider_ref` is the provider's own id, where it gave one."""

    task: Task
    event: Event
    code: str = ""
    provider_ref: str | None = None
    parts: int = 0


def new_id(prefix: str) -> str:
    """An id that sorts by time and cannot be guessed: prefix, 12 hex digits of milliseconds, 20 of chance."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def plan(session: Session, planned: Planned, now: int) -> str | None:
    """Write a notice down; its id, or None if one with this key exists already."""
    notice_id = new_id("n")
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
            after = _apply(row, event if postponed else Event(Happening.CLAIMED), now, policy)
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
        new_id("a"),
        channel,
        row.rung,
        row.kind,
        row.phone,
        row.zalo_user_id,
        row.language,
        row.data,
        row.urgent,
        row.deadline,
    )


def fall_silent(session: Session, room: int, now: int, policy: Policy) -> int:
    """Move on what waited in vain: leases that ran out, receipts that did not come. How many rows moved."""
    waiting = (State.SENDING, State.SENT, State.UNKNOWN)
    rows = session.scalars(
        select(tables.Notice)
        .where(tables.Notice.final_at.is_(None), tables.Notice.state.in_(waiting), tables.Notice.due <= now)
        .order_by(tables.Notice.due)
        .limit(room)
        .with_for_update(skip_locked=True)
    ).all()
    for row in rows:
        lost = row.state == State.SENDING
        _apply(row, Event(Happening.SILENCE), now, policy)
        if lost:
            _mark_unknown(session, row.id, now)
    return len(rows)


def _mark_unknown(session: Session, notice_id: str, now: int) -> None:
    """The attempts that a dead worker left in its hands: nobody knows how they ended."""
    session.execute(
        update(tables.Attempt)
        .where(tables.Attempt.notice_id == notice_id, tables.Attempt.state == "handing_over")
        .values(state="unknown", code="worker_lost", answered_at=now)
    )


def record(session: Session, results: Sequence[Result], now: int, policy: Policy) -> None:
    """Write down how hand-overs ended, in one go, and move their notices on."""
    rows = _rows(session, [result.task.notice_id for result in results])
    for result in results:
        row = rows.get(result.task.notice_id)
        if row is not None:
            _apply(row, replace(result.event, rung=result.task.rung), now, policy)
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
                "new_code": _storable(one.code, 40),
                "new_reason": _storable(one.event.reason, 200),
                "new_ref": _storable(one.provider_ref, 80) if one.provider_ref else None,
                "new_parts": one.parts,
            }
            for one in results
        ],
    )


def _storable(text: str, most: int) -> str:
    """A provider's words, bounded; PostgreSQL keeps no NUL, and one bad answer must not block the others."""
    return text.replace("\0", "\ufffd")[:most]


def _attempt_state(event: Event) -> str:
    return {
        Happening.ACCEPTED: "accepted",
        Happening.REFUSED: "refused",
        Happening.UNREACHED: "unreached",
        Happening.UNSURE: "unknown",
        Happening.POSTPONED: "postponed",
    }[event.happening]


def _rows(session: Session, ids: Iterable[str]) -> dict[str, tables.Notice]:
    found = session.scalars(
        select(tables.Notice)
        .where(tables.Notice.id.in_(set(ids)))
        .order_by(tables.Notice.id)
        .with_for_update()
    )
    return {row.id: row for row in found}


def store_receipt(session: Session, receipt: Mapping[str, Any], now: int) -> bool:
    """Keep a receipt as it came; False if it came before. `settle_receipts` does the work later."""
    fresh = insert_new(session, tables.Receipt, **{"code": "", "outcome": "", "at": now, "due": now} | dict(receipt))
    database.ring(session)
    return fresh


def settle_receipts(session: Session, room: int, now: int, policy: Policy) -> int:
    """Match stored receipts with their attempts and move the notices on. How many were looked at.

    A receipt that is earlier than our own record of the attempt's id waits for it a while.
    """
    waiting = session.scalars(
        select(tables.Receipt)
        .where(
            tables.Receipt.done_at.is_(None), tables.Receipt.delivered.is_not(None), tables.Receipt.due <= now
        )
        .order_by(tables.Receipt.due, tables.Receipt.id)
        .limit(room)
        .with_for_update(skip_locked=True)
    ).all()
    for receipt in waiting:
        attempt = _attempt_of(session, receipt)
        if attempt is not None:
            _settle(session, receipt, attempt, now, policy)
        elif now - receipt.at >= RECEIPT_PATIENCE:
            receipt.done_at, receipt.outcome = now, "unmatched"
        else:  # twice as long as it has waited already: strangers must not stand in the others' way
            receipt.due = now + max(1, now - receipt.at)
    return len(waiting)


def parts_since(session: Session, channel: str, since: int) -> int:
    """Message parts handed to a channel since a moment."""
    sent = select(func.sum(tables.Attempt.parts)).where(
        tables.Attempt.channel == channel, tables.Attempt.at >= since
    )
    return session.scalar(sent) or 0


def unread_receipts(session: Session, room: int) -> list[tuple[int, str, str]]:
    """Receipts that somebody who knows the channel must read first: (id, channel, body)."""
    wanted = select(tables.Receipt.id, tables.Receipt.channel, tables.Receipt.body)
    waiting = wanted.where(tables.Receipt.done_at.is_(None), tables.Receipt.delivered.is_(None))
    return list(session.execute(waiting.order_by(tables.Receipt.due, tables.Receipt.id).limit(room)))


def read_receipt(session: Session, receipt_id: int, delivered: bool | None, code: str, now: int) -> None:
    """What a receipt's body says; None when it says only that the message is under way."""
    receipt = session.get_one(tables.Receipt, receipt_id)
    receipt.delivered, receipt.code = delivered, code[:40]
    if delivered is None:
        receipt.done_at, receipt.outcome = now, "under_way"


def _attempt_of(session: Session, receipt: tables.Receipt) -> tables.Attempt | None:
    if receipt.reference:
        found = session.get(tables.Attempt, receipt.reference)
        if found is not None:
            return found
    if not receipt.provider_ref:
        return None
    wanted = select(tables.Attempt).filter_by(channel=receipt.channel, provider_ref=receipt.provider_ref)
    return session.scalar(wanted.order_by(tables.Attempt.at.desc()).limit(1))


def _settle(
    session: Session, receipt: tables.Receipt, attempt: tables.Attempt, now: int, policy: Policy
) -> None:
    receipt.done_at, receipt.outcome = now, "matched"
    if receipt.delivered is None or attempt.receipt_at is not None and not receipt.delivered:
        return
    repeated = attempt.state == "delivered"
    attempt.receipt_at = attempt.receipt_at or receipt.at
    attempt.state = "delivered" if receipt.delivered or repeated else "undelivered"
    if repeated:  # the provider says it twice; the person was reached once
        return
    happening = Happening.DELIVERED if receipt.delivered else Happening.UNDELIVERED
    row = _rows(session, [attempt.notice_id])[attempt.notice_id]
    _apply(row, Event(happening, receipt.code, rung=attempt.rung), now, policy)


def cancel(
    session: Session, notice_id: str, now: int, policy: Policy, reason: str = ""
) -> tables.Notice | None:
    """Withdraw a notice; what was handed over already may still arrive. None if there is no such notice."""
    row = _rows(session, [notice_id]).get(notice_id)
    if row is not None:
        _apply(row, Event(Happening.CANCEL, reason), now, policy)
    return row


def cancel_for_ticket(session: Session, ticket_id: int, now: int, policy: Policy) -> None:
    """Withdraw what a ticket's person was still to be told."""
    ids = session.scalars(
        select(tables.Notice.id).where(
            and_(tables.Notice.ticket_id == ticket_id, tables.Notice.final_at.is_(None)),
            or_(tables.Notice.state == State.CREATED, tables.Notice.state == State.UNKNOWN),
        )
    ).all()
    for notice_id in ids:
        cancel(session, notice_id, now, policy, "ticket_cancelled")


def _apply(row: tables.Notice, event: Event, now: int, policy: Policy) -> lifecycle.Notice:
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
        row.reason, row.reached_twice, row.changed_at = _storable(after.reason, 200), after.reached_twice, now
        if after.state is not State.SENDING:
            row.lease = None
        if after.state in FINAL and row.final_at is None:
            row.final_at = now
    return after


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
