"""báo nhận: kept as they come, read and matched with their attempts later."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.notices import steps
from gateway.queue.day import insert_new
from gateway.rules.lifecycle.notice import Event, Happening, Policy

LOOK_AGAIN = 5
RECEIPT_PATIENCE = 300  # seconds that a receipt may wait for its attempt to be written


def store_receipt(session: Session, receipt: Mapping[str, Any], now: int) -> bool:
    """Keep a receipt as it came; False if it came before. `settle_receipts` does the work later."""
    fresh = insert_new(
        session, tables.Receipt, **{"code": "", "outcome": "", "at": now, "due": now} | dict(receipt)
    )
    database.ring(session)
    return fresh


def unread_receipts(
    session: Session, channels: Collection[str], room: int, now: int
) -> list[tuple[int, str, str]]:
    """Receipts that somebody who knows the channel must read first: (id, channel, body)."""
    wanted = select(tables.Receipt.id, tables.Receipt.channel, tables.Receipt.body)
    waiting = wanted.where(
        tables.Receipt.done_at.is_(None),
        tables.Receipt.delivered.is_(None),
        tables.Receipt.due <= now,
        tables.Receipt.channel.in_(channels),
    )
    return [
        (one.id, one.channel, one.body)
        for one in session.execute(waiting.order_by(tables.Receipt.due, tables.Receipt.id).limit(room))
    ]


def read_receipt(session: Session, receipt_id: int, delivered: bool | None, code: str, now: int) -> None:
    """What a receipt's body says; None when it says only that the message is under way."""
    receipt = session.get_one(tables.Receipt, receipt_id)
    receipt.delivered, receipt.code, receipt.due = delivered, steps.storable(code, 40), now
    if delivered is None:
        receipt.done_at, receipt.outcome = now, "under_way"


def put_off_receipt(session: Session, receipt_id: int, now: int) -> None:
    """It could not be read or confirmed now: again later, and in the end not at all."""
    receipt = session.get_one(tables.Receipt, receipt_id)
    receipt.due = now + max(LOOK_AGAIN, now - receipt.at)
    if now - receipt.at >= RECEIPT_PATIENCE:
        receipt.done_at, receipt.outcome = now, "unread"


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
    attempts = {receipt.id: _attempt_of(session, receipt) for receipt in waiting}
    # All at once and in one order: two workers that lock one by one would wait for each other
    noticed = steps.locked(session, [one.notice_id for one in attempts.values() if one is not None])
    for receipt in waiting:
        attempt = attempts[receipt.id]
        if attempt is not None:
            _settle(receipt, attempt, noticed[attempt.notice_id], now, policy)
        elif now - receipt.at >= RECEIPT_PATIENCE:
            receipt.done_at, receipt.outcome = now, "unmatched"
        else:  # twice as long as it has waited already: strangers must not stand in the others' way
            receipt.due = now + max(1, now - receipt.at)
    return len(waiting)


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
    receipt: tables.Receipt, attempt: tables.Attempt, row: tables.Notice, now: int, policy: Policy
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
    steps.moved(row, Event(happening, receipt.code, rung=attempt.rung), now, policy)
