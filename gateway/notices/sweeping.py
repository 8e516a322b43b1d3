"""Moving on what waited in vain: leases that ran out, receipts that did not come, deadlines that passed.

Every open state has its sweeper here: *sending*, *sent* and *unknown* by their `due`, *created* by its deadline
(its `due` is the claim's), and what has no channel any more by `adopt`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Row, and_, bindparam, or_, select, text, update
from sqlalchemy.orm import Session

from gateway import tables
from gateway.notices import steps
from gateway.rules import channels
from gateway.rules.lifecycle.notice import Event, Happening, Policy, State

_c = tables.Notice.__table__.c


@dataclass(frozen=True)
class Question:
    """A notice whose provider is asked what it knows, because no receipt came."""

    notice_id: str
    attempt_id: str
    channel: str
    rung: int
    provider_ref: str


@dataclass(frozen=True)
class Swept:
    moved: int
    questions: tuple[Question, ...]


def sweep(
    session: Session, most: int, questions: int, channels: Collection[str], now: int, policy: Policy
) -> Swept:
    """Move on at most `most` notices of each sort; of those whose provider is to be asked, at most `questions`,
    so that none waits for an asker longer than its answer is waited for. `channels` can be asked from here."""
    taken = steps.Steps(policy)
    waited = [
        *steps.rows(session, _WAITED, now=now, most=most),
        *(steps.rows(session, _UNASKED, now=now, most=min(most, questions)) if questions > 0 else ()),
    ]
    lost = [row.id for row in waited if row.state == State.SENDING]
    asked = []
    for row in (*waited, *steps.rows(session, _TOO_LATE, now=now, most=most)):
        before = row.asked
        after = taken.take(row, Event(Happening.SILENCE), now)
        if after.state is State.SENT and after.asked and not before:
            asked.append(row)
    questions = _questions(session, asked, channels)
    answerable = {one.notice_id for one in questions}
    for row in asked:
        if row.id not in answerable:  # there is nobody to ask
            taken.take(row, Event(Happening.SILENCE), now)
    moved = taken.write(session, now)
    if lost:
        _mark_unknown(session, lost, now)
    _forget_strays(session, most, now - STRAY_LEASES * policy.lease, now)
    return Swept(moved, tuple(questions))


# The states stand in the text as they do in the partial indexes: a parameter would hide them from the planner
_WAITED = (
    select(*steps.COLUMNS)
    .where(text("state IN ('sending', 'sent', 'unknown')"), _c.due <= bindparam("now"))
    .where(or_(_c.state != "sent", _c.asked, _c.deadline <= bindparam("now")))
    .order_by(_c.due)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_UNASKED = (
    select(*steps.COLUMNS)
    .where(text("state IN ('sending', 'sent', 'unknown')"), _c.due <= bindparam("now"))
    .where(_c.state == "sent", _c.asked.is_(False), _c.deadline > bindparam("now"))
    .order_by(_c.urgent.desc(), _c.due)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_TOO_LATE = (
    select(*steps.COLUMNS)
    .where(text("state = 'created'"), _c.deadline <= bindparam("now"))
    .order_by(_c.deadline)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


_STRAYS = (
    select(tables.Attempt.id)
    .where(text("attempts.state = 'handing_over'"), tables.Attempt.at < bindparam("before"))
    .order_by(tables.Attempt.at)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
STRAY_LEASES = 2


def _forget_strays(session: Session, most: int, before: int, now: int) -> None:
    """Attempts of a dead worker whose notice went another way meanwhile: cancelled, or arrived after all."""
    strays = session.connection().execute(_STRAYS, {"before": before, "most": most}).scalars().all()
    if strays:
        _left_unknown(session, tables.Attempt.id.in_(strays), now)


def _questions(session: Session, asked: Sequence[Row], channels: Collection[str]) -> list[Question]:
    """The accepted attempt of each on its present rung, where the provider gave it a name."""
    rows = {row.id: row for row in asked if row.channel in channels}
    if not rows:
        return []
    wanted = select(tables.Attempt).where(
        tables.Attempt.notice_id.in_(rows),
        tables.Attempt.state == "accepted",
        tables.Attempt.provider_ref.is_not(None),
    )
    return [
        Question(one.notice_id, one.id, one.channel, one.rung, one.provider_ref)
        for one in session.scalars(wanted)
        if one.rung == rows[one.notice_id].rung and one.channel == rows[one.notice_id].channel
    ]


def _mark_unknown(session: Session, ids: Sequence[str], now: int) -> None:
    """The attempts that a dead worker left in its hands: nobody knows how they ended."""
    _left_unknown(session, tables.Attempt.notice_id.in_(ids), now)


def _left_unknown(session: Session, which: ColumnElement[bool], now: int) -> None:
    session.execute(
        update(tables.Attempt)
        .where(which, tables.Attempt.state == "handing_over")
        .values(state="unknown", code="worker_lost", answered_at=now)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True)
class Answer:
    """What the provider said to a question: arrived, not, or None where it does not know or was not reached."""

    question: Question
    delivered: bool | None
    code: str = ""


def answered(session: Session, answers: Sequence[Answer], now: int, policy: Policy) -> None:
    """Carry out what providers said; who knows nothing has had its chance.

    Of an attempt whose receipt has come meanwhile the answer is no news.
    """
    taken = steps.Steps(policy)
    noticed = steps.locked(session, [one.question.notice_id for one in answers])
    known = {True: Happening.DELIVERED, False: Happening.UNDELIVERED, None: Happening.SILENCE}
    for one in answers:
        row = noticed.get(one.question.notice_id)
        if row is not None and _reported(session, one, now):
            taken.take(row, Event(known[one.delivered], one.code, rung=one.question.rung), now)
    taken.write(session, now)


def _reported(session: Session, answer: Answer, now: int) -> bool:
    """Write on the attempt what the provider said; False where it is decided already."""
    said = {True: "delivered", False: "undelivered", None: "accepted"}[answer.delivered]
    received = now if answer.delivered is not None else None
    change = (
        update(tables.Attempt)
        .where(tables.Attempt.id == answer.question.attempt_id, tables.Attempt.state == "accepted")
        .values(state=said, receipt_at=received)
    )
    return session.execute(change.execution_options(synchronize_session=False)).rowcount > 0


def adopt(
    session: Session, ladder: Sequence[str], most: int, now: int, policy: Policy, used: Collection[str] = ()
) -> int:
    """Give what waits for a channel that is not configured any more a rung that is. How many rows.

    `used` are the channels that something goes by although no ladder begins there: answers in the chat.

    A notice keeps the ladder it was planned with, so that a changed configuration never makes a rung mean
    another channel; here it gets the part of the new ladder that it has not tried.
    """
    answer = and_(_c.kind == channels.CHAT, _c.channel.in_(used))
    stranded = session.scalars(
        select(tables.Notice)
        .where(_c.state == State.CREATED.value, _c.channel.not_in(ladder), ~answer)
        .limit(most)
        .with_for_update(skip_locked=True)
    ).all()
    for row in stranded:
        _rehouse(session, row, ladder, now)
    session.flush()
    return len(stranded)


def _rehouse(session: Session, row: tables.Notice, ladder: Sequence[str], now: int) -> None:
    handed_over = tables.Attempt.state.not_in(("skipped", "unreached", "postponed"))
    mine = select(tables.Attempt.channel).where(tables.Attempt.notice_id == row.id, handed_over)
    tried = set(session.scalars(mine))
    rungs = channels.fitting(ladder, row.kind, row.phone, row.zalo_user_id, chatting=False)
    rest = [channel for channel in rungs if channel not in tried and row.kind != channels.CHAT]
    done = [channel for channel in row.ladder.split(steps.SEPARATOR) if channel in tried]
    if rest:
        row.ladder, row.rung = steps.SEPARATOR.join([*done, *rest]), len(done)
        row.channel, row.tries = rest[0], 0
    else:
        steps.ended(session, row, State.FAILED, "no_channel", now)
    row.changed_at = now


_STANDING = (
    select(*steps.COLUMNS)
    .where(text("state = 'created'"), _c.channel == bindparam("channel"), _c.urgent == bindparam("urgent"))
    .where(_c.due <= bindparam("now"), _c.due + _c.deadline <= 2 * bindparam("now", type_=_c.due.type))
    .where(_c.ladder.like(bindparam("further")))
    .order_by(_c.due, _c.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


def pass_by(session: Session, channels: Collection[str], most: int, now: int, policy: Policy) -> int:
    """Send on to the next channel what nobody has taken on this one for half of the time it had: nobody sends
    there, or the lane is full, or paused. How many."""
    taken = steps.Steps(policy)
    for channel in channels:
        for urgent in (True, False):
            further = f"%{channel}{steps.SEPARATOR}%"
            given = {"channel": channel, "urgent": urgent, "further": further, "now": now, "most": most}
            for row in steps.rows(session, _STANDING, **given):
                taken.take(row, Event(Happening.BARRED, "lane_stuck"), now)
    return taken.write(session, now)
