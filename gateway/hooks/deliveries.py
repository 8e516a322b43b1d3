"""The outbox's rows on their way: claimed, told, and what follows from the answer.

An event is claimed by *calling* it until its lease is over, so two couriers never tell one at once, and whoever
dies in the middle leaves it to be told again under the same id. `tries` is the claim's number: an answer that
comes after the lease finds another number and changes nothing. A hook's events are claimed in batches under the
lock of the hook's row, and only when none of its last batch is open: one hook is one courier's at a time, and
one that fails gets a single event. An event waits while an older one of the same notice is not settled, so
nobody hears *delivered* before *sent*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, bindparam, delete, exists, func, select, text, update
from sqlalchemy.orm import Session

from gateway import tables
from gateway.hooks import register
from gateway.hooks.calling import GONE, Outcome
from gateway.rules import hooks as rules

BATCH = 25
PATIENCE_SECONDS = 3 * 86_400
"""A hook to which nothing arrived for so long, and that fails again, is paused."""
KEPT_SECONDS = 30 * 86_400
"""What is settled is kept so long for replays; every entry is about one notice and nobody's name."""
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Errand:
    """One event on its way to one hook, with what its signature needs; `due` as it was before the claim."""

    event_id: str
    hook_id: str
    url: str
    generations: tuple[int, ...]
    body: Mapping[str, Any]
    tries: int
    due: int


_events = tables.HookEvent.__table__
_e, _h, _k = _events.c, tables.Hook.__table__.c, tables.ApiKey.__table__.c
_WAITING, _CALLING = (
    text("hook_events.state = 'waiting'"),
    text("hook_events.state = 'calling'"),
)  # see the indexes
_READY = and_(_e.hook_id == _h.id, _WAITING, _e.due <= bindparam("now"))
_LOST = and_(_e.hook_id == _h.id, _CALLING, _e.due <= bindparam("now"))
_OLDEST = select(func.min(_e.due)).where(_READY).correlate(tables.Hook.__table__).scalar_subquery()
_BUSY = (
    select(_h.id)
    .join(tables.ApiKey.__table__, _k.id == _h.api_key_id)
    .where(_h.ended_at.is_(None), _h.paused_at.is_(None), _k.revoked_at.is_(None))
    .where(exists().where(_READY) | exists().where(_LOST))
    .order_by(_OLDEST, _h.id)
)
_OURS = (
    select(_h.id, _h.url, _h.generation, _h.rotated_at, _h.failing_since)
    .where(_h.id == bindparam("hook"), _h.ended_at.is_(None), _h.paused_at.is_(None))
    .with_for_update(key_share=True, skip_locked=True)
)
_IN_HAND = select(_e.id).where(_e.hook_id == bindparam("hook"), _CALLING).limit(1)
_o = _events.alias("older")
_HELD_UP = exists().where(
    _o.c.notice_id == _e.notice_id,
    _o.c.hook_id == _e.hook_id,
    _o.c.id < _e.id,
    _o.c.state.in_(("waiting", "calling")),
)
_NEXT = (
    select(_e.id, _e.body, _e.tries, _e.due)
    .where(_e.hook_id == bindparam("hook"), _WAITING, _e.due <= bindparam("now"), ~_HELD_UP)
    .order_by(_e.due, _e.id)
    .limit(bindparam("room"))
    .with_for_update()
)


def busy(session: Session, now: int) -> Sequence[str]:
    """The hooks that are to be told something now, the one that waits longest first."""
    return session.connection().execute(_BUSY, {"now": now}).scalars().all()


def claim(session: Session, hook_ids: Sequence[str], most: int, lease: int, now: int) -> list[list[Errand]]:
    """A batch each for up to `most` of these hooks, ours until `now + lease`; in order within each."""
    batches: list[list[Errand]] = []
    for hook_id in hook_ids:
        if len(batches) >= most:
            break
        hook = session.connection().execute(_OURS, {"hook": hook_id}).first()
        if hook is not None and (batch := _batch(session, hook, lease, now)):  # else another courier is at it
            batches.append(batch)
    return batches


def _batch(session: Session, hook: Row, lease: int, now: int) -> list[Errand]:
    _find_again(session, hook.id, now)
    if session.connection().execute(_IN_HAND, {"hook": hook.id}).first():
        return []
    room = 1 if hook.failing_since is not None else BATCH
    rows = session.connection().execute(_NEXT, {"hook": hook.id, "now": now, "room": room}).all()
    if rows:
        ours = update(_events).where(_e.id.in_([row.id for row in rows]))
        session.connection().execute(ours.values(state="calling", due=now + lease, tries=_e.tries + 1))
    signing = rules.generations(hook.generation, hook.rotated_at, now)
    return [Errand(row.id, hook.id, hook.url, signing, row.body, row.tries + 1, row.due) for row in rows]


def _find_again(session: Session, hook_id: str, now: int) -> None:
    """Whoever told these did not come back: they are told again."""
    lost = update(_events).where(_e.hook_id == hook_id, _CALLING, _e.due <= now)
    session.connection().execute(lost.values(state="waiting"))


def record(
    session: Session,
    answers: Sequence[tuple[Errand, Outcome | None, float]],
    retries: Sequence[int],
    now: int,
) -> None:
    """Write down how calls ended, each with a draw in [0, 1) that spreads the next try; None: not told at all."""
    wanted = select(tables.Hook).where(tables.Hook.id.in_({errand.hook_id for errand, _, _ in answers}))
    wanted = wanted.order_by(tables.Hook.id).with_for_update(key_share=True)
    hooks = {hook.id: hook for hook in session.scalars(wanted)}
    for errand, outcome, chance in answers:
        mine = update(_events).where(
            _e.id == errand.event_id, _e.state == "calling", _e.tries == errand.tries
        )
        values = _values(errand, outcome, rules.pause(errand.tries, retries, chance), now)
        still_ours = session.connection().execute(mine.values(values)).rowcount > 0
        if still_ours and outcome is not None:
            _follow(session, hooks[errand.hook_id], outcome, now)


def _values(errand: Errand, outcome: Outcome | None, pause: int | None, now: int) -> dict[str, Any]:
    if outcome is None:
        return {"state": "waiting", "due": errand.due, "tries": errand.tries - 1}
    values: dict[str, Any] = {"status": outcome.status, "reason": outcome.reason[:200]}
    if outcome.taken:
        return values | {"state": "delivered", "done_at": now}
    if pause is None or outcome.status == GONE:
        return values | {"state": "failed", "done_at": now}
    return values | {"state": "waiting", "due": now + pause}


def _follow(session: Session, hook: tables.Hook, outcome: Outcome, now: int) -> None:
    """What one answer means for the hook itself."""
    if hook.ended_at is not None:
        return
    if outcome.taken:
        if hook.failing_since is not None:
            hook.failing_since = None
    elif outcome.status == GONE:
        register.end(session, hook, now)
    elif hook.failing_since is None:
        hook.failing_since = now
    elif hook.paused_at is None and now - hook.failing_since >= PATIENCE_SECONDS:
        register.suspend(session, hook, outcome.reason, now)


def forget(session: Session, now: int) -> int:
    """Delete some of what was settled long ago; how many rows."""
    old = (
        select(_e.id)
        .where(_e.id < f"e_{(now - KEPT_SECONDS) * 1_000_000_000:016x}", _e.state.in_(register.TOLD))
        .order_by(_e.id)
        .limit(FORGOTTEN_AT_ONCE)
    )
    return session.connection().execute(delete(_events).where(_e.id.in_(old))).rowcount
