"""báo nhận: kept as they come, read and matched with their attempts later."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.orm import Session

from gateway import tables
from gateway.notices import steps
from gateway.rules import channels
from gateway.rules.lifecycle.notice import Event, Happening, Policy

_r, _a = tables.Receipt.__table__.c, tables.Attempt.__table__.c
LOOK_AGAIN = 5
RECEIPT_PATIENCE = 300  # seconds that a receipt may wait for its attempt to be written
SEEN = "seen"


def unread_receipts(
    session: Session, channels: Collection[str], room: int, now: int
) -> list[tuple[int, str, str]]:
    """Receipts that somebody who knows the channel must read first: (id, channel, body)."""
    found = steps.rows(session, _UNREAD, channels=list(channels), now=now, most=room)
    return [(one.id, one.channel, one.body) for one in found]


def something_waits(session: Session, channel: str, now: int) -> bool:
    """Whether something that somebody said there is still to be worked off."""
    return bool(steps.rows(session, _SAID, channel=channel, now=now))


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


def settle_receipts(session: Session, most: int, now: int, policy: Policy) -> int:
    """Match stored receipts with their attempts and move the notices on. How many were looked at.

    A receipt that is earlier than our own record of the attempt's id waits for it a while.
    """
    waiting = steps.rows(session, _WAITING, now=now, most=most)
    if waiting:
        _settle_all(session, waiting, now, policy)
    return len(waiting)


def _settle_all(session: Session, waiting: Sequence[Row], now: int, policy: Policy) -> None:
    attempts = _attempts_of(session, waiting)
    # All at once and in one order: two workers that lock one by one would wait for each other
    noticed = steps.locked(session, [one.notice_id for one in attempts.values()])
    seen = _seen(session, waiting, attempts)
    taken, outcomes, reports = steps.Steps(policy), [], Reports()
    for receipt in waiting:
        attempt = attempts.get(receipt.id)
        if attempt is not None:
            happening = reports.add(attempt, receipt)
            if happening is not None:
                taken.take(noticed[attempt.notice_id], Event(happening, receipt.code, rung=attempt.rung), now)
            outcomes.append((receipt.id, "matched", now, now))
        elif receipt.id in seen:
            outcomes.append((receipt.id, "matched", now, now))
        elif now - receipt.at >= RECEIPT_PATIENCE:
            outcomes.append((receipt.id, "unmatched", now, now))
        else:  # twice as long as it has waited already: strangers must not stand in the others' way
            outcomes.append((receipt.id, "", None, now + max(1, now - receipt.at)))
    taken.write(session, now)
    reports.write(session)
    done(session, outcomes)


def done(session: Session, outcomes: Sequence[tuple[int, str, int | None, int]]) -> None:
    """Write down what became of receipts: (id, outcome, when it was done or None, when it is looked at again)."""
    names = ("row", "new_outcome", "new_done_at", "new_due")
    steps.many(session, _DONE, [dict(zip(names, one, strict=True)) for one in outcomes])


_WAITING = (
    select(_r.id, _r.channel, _r.reference, _r.provider_ref, _r.delivered, _r.code, _r.at)
    .where(_r.done_at.is_(None), _r.delivered.is_not(None), _r.due <= bindparam("now"))
    .where(_r.event != "part")  # see `parts`
    .order_by(_r.due, _r.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_UNREAD = (
    select(_r.id, _r.channel, _r.body)
    .where(_r.done_at.is_(None), _r.delivered.is_(None), _r.due <= bindparam("now"))
    .where(_r.channel.in_(bindparam("channels", expanding=True)))
    .order_by(_r.due, _r.id)
    .limit(bindparam("most"))
)
_SAID = (
    select(_r.id)
    .where(_r.done_at.is_(None), _r.delivered.is_(None), _r.due <= bindparam("now"))
    .where(_r.channel == bindparam("channel"))
    .limit(1)
)
_DONE = (
    update(tables.Receipt.__table__)
    .where(_r.id == bindparam("row"))
    .values(outcome=bindparam("new_outcome"), done_at=bindparam("new_done_at"), due=bindparam("new_due"))
)
_REPORTED = (
    update(tables.Attempt.__table__)
    .where(_a.id == bindparam("row"))
    .values(state=bindparam("new_state"), receipt_at=bindparam("new_receipt_at"))
)

_m = tables.ChatMessage.__table__.c
_CHATTED = select(_m.id, _m.msg_id, _m.notice_id, _m.seen_at).where(
    _m.way == "out",
    _m.msg_id.in_(bindparam("refs", expanding=True)) | _m.notice_id.in_(bindparam("notices", expanding=True)),
)
_SEEN = (
    update(tables.ChatMessage.__table__)
    .where(_m.id == bindparam("row"))
    .values(seen_at=bindparam("new_seen_at"))
)


def _attempts_of(session: Session, waiting: Sequence[Row]) -> dict[int, Row]:
    """The attempt of each receipt: by our own reference, else by the provider's own id (the newest).

    One webhook tells of all of Zalo's channels, so a receipt of "zalo" may be of any of them.
    """
    wanted = select(_a.id, _a.notice_id, _a.channel, _a.rung, _a.state, _a.provider_ref, _a.receipt_at)
    references = {one.reference for one in waiting if one.reference}
    named = {row.id: row for row in steps.rows(session, wanted.where(_a.id.in_(references)))}
    found = {one.id: named[one.reference] for one in waiting if one.reference in named}
    rest = [one for one in waiting if one.id not in found and one.provider_ref]
    if rest:
        refs = {one.provider_ref for one in rest}
        rows = steps.rows(session, wanted.where(_a.provider_ref.in_(refs)).order_by(_a.at))
        known = {(channels.provider(row.channel), row.provider_ref): row for row in rows}
        for one in rest:
            if (one.channel, one.provider_ref) in known:
                found[one.id] = known[one.channel, one.provider_ref]
    return found


def _seen(session: Session, waiting: Sequence[Row], attempts: Mapping[int, Row]) -> set[int]:
    """Write on the messages of a chat when they were seen first; the receipts that tell of one."""
    told = [one for one in waiting if one.code == SEEN]
    notices = {attempts[one.id].notice_id: one for one in told if one.id in attempts}
    messages = {one.provider_ref: one for one in told if one.provider_ref}
    found = steps.rows(session, _CHATTED, refs=list(messages), notices=list(notices)) if told else ()
    times: dict[int, int] = {}
    matched = set()
    for row in found:
        receipt = messages.get(row.msg_id) or notices[row.notice_id]
        matched.add(receipt.id)
        if row.seen_at is None or receipt.at < row.seen_at:
            times[row.id] = receipt.at
    if times:
        pairs = [{"row": key, "new_seen_at": at} for key, at in sorted(times.items())]
        session.connection().execute(_SEEN, pairs)
    return matched


@dataclass(frozen=True)
class Attempted:
    """Of an attempt what a receipt needs to know."""

    id: str
    state: str
    receipt_at: int | None


@dataclass(frozen=True)
class Said:
    """Of a receipt what an attempt needs to know."""

    delivered: bool
    at: int


class Reports:
    """What a batch of receipts says about attempts; the later of two about one attempt sees the earlier."""

    def __init__(self) -> None:
        self._states: dict[str, tuple[str, int]] = {}

    def add(self, attempt: Row | Attempted, receipt: Row | Said) -> Happening | None:
        """Take one receipt in; what it means for the notice, or None if it says nothing new."""
        state, received = self._states.get(attempt.id, (attempt.state, attempt.receipt_at))
        if received is not None and not receipt.delivered:
            return None
        repeated = state == "delivered"
        said = "delivered" if receipt.delivered or repeated else "undelivered"
        self._states[attempt.id] = (said, received or receipt.at)
        if repeated:  # the provider says it twice; the person was reached once
            return None
        return Happening.DELIVERED if receipt.delivered else Happening.UNDELIVERED

    def write(self, session: Session) -> None:
        if self._states:
            steps.many(
                session,
                _REPORTED,
                [
                    {"row": key, "new_state": state, "new_receipt_at": at}
                    for key, (state, at) in self._states.items()
                ],
            )
