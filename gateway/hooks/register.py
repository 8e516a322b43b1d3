"""Which programs want to be told, and where: added, ended, paused, resumed, and what to tell them again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from gateway import alerts, tables
from gateway.hooks import outbox
from gateway.rules import hooks as rules

MOST_A_KEY = 10
TOLD = ("delivered", "failed", "dropped")
STATES = ("waiting", "calling", "held", *TOLD)
"""Of an event: to be told, being told now, kept while the hook is paused; told, given up, not told any more."""


def add(session: Session, api_key_id: int, url: str, events: Sequence[str], now: int) -> tables.Hook | None:
    """A hook of a program; None if it has enough of them."""
    lock = select(tables.ApiKey.id).where(tables.ApiKey.id == api_key_id).with_for_update(key_share=True)
    session.execute(lock)  # two at once would both see nine
    living = select(func.count()).select_from(tables.Hook).filter_by(api_key_id=api_key_id, ended_at=None)
    if session.scalar(living) >= MOST_A_KEY:
        return None
    made = tables.Hook(
        id=outbox.new_id("h"),
        api_key_id=api_key_id,
        url=url,
        events=list(events),
        generation=1,
        created_at=now,
    )
    session.add(made)
    session.flush()
    return made


def of_key(session: Session, api_key_id: int) -> Sequence[tables.Hook]:
    """A program's hooks that have not ended, oldest first."""
    wanted = select(tables.Hook).filter_by(api_key_id=api_key_id, ended_at=None)
    return session.scalars(wanted.order_by(tables.Hook.id)).all()


def found(session: Session, hook_id: str, api_key_id: int, *, lock: bool = False) -> tables.Hook | None:
    """A hook, if it is this program's, ended or not."""
    wanted = select(tables.Hook).filter_by(id=hook_id, api_key_id=api_key_id)
    return session.scalar(wanted.with_for_update(key_share=True) if lock else wanted)


def rotate(hook: tables.Hook, now: int) -> None:
    """A new secret; the one before it signs too for a day."""
    hook.generation, hook.rotated_at = hook.generation + 1, now


def ping(session: Session, hook: tables.Hook, now: int) -> str:
    """An event that says nothing, to see that it arrives; its id."""
    row = outbox.row(hook.id, None, rules.PING, {}, now)
    session.connection().execute(insert(tables.HookEvent.__table__), [row])
    return row["id"]


def end(session: Session, hook: tables.Hook, now: int) -> None:
    """Tell it no more; what was to be told is dropped. The caller holds the hook's row."""
    hook.ended_at = now
    session.flush()
    _move(session, hook.id, ("waiting", "held", "calling"), state="dropped", done_at=now)
    alerts.over(session, f"hook:{hook.id}", now)


def suspend(session: Session, hook: tables.Hook, reason: str, now: int) -> None:
    """Stop calling it until somebody resumes it, and say so; what happens meanwhile is kept."""
    hook.paused_at = now
    session.flush()
    _move(session, hook.id, ("waiting",), state="held")
    told = {"hook": hook.id, "url": hook.url, "reason": reason}
    alerts.raised(session, f"hook:{hook.id}", "hook", told, now)


def resume(session: Session, hook: tables.Hook, now: int) -> int:
    """Tell it again, first what was kept; how many events that is."""
    hook.paused_at = hook.failing_since = None
    session.flush()
    alerts.over(session, f"hook:{hook.id}", now)
    return _move(session, hook.id, ("held",), state="waiting", due=now, tries=0)


def replay(
    session: Session,
    hook: tables.Hook,
    now: int,
    *,
    since: int | None = None,
    event_id: str | None = None,
) -> int:
    """Tell again, in order, what was told or given up: one event, or everything since a moment. How many."""
    chosen = [] if event_id is None else [tables.HookEvent.id == event_id]
    if since is not None:
        chosen.append(tables.HookEvent.created_at >= since)
    fresh = {"state": "waiting", "due": now, "tries": 0, "status": None, "reason": "", "done_at": None}
    return _move(session, hook.id, TOLD, *chosen, **fresh)


def has(session: Session, hook: tables.Hook, event_id: str) -> bool:
    """Whether this event is one of this hook's."""
    row = session.get(tables.HookEvent, event_id)
    return row is not None and row.hook_id == hook.id


def _move(session: Session, hook_id: str, states: Sequence[str], *chosen, **values: object) -> int:
    moved = update(tables.HookEvent).where(
        tables.HookEvent.hook_id == hook_id, tables.HookEvent.state.in_(states), *chosen
    )
    return session.execute(moved.values(values).execution_options(synchronize_session=False)).rowcount


def events(
    session: Session, hook_id: str, state: str | None, after: str, most: int
) -> Sequence[tables.HookEvent]:
    """What a hook was and is to be told, oldest first; `after` ends the page before."""
    wanted = select(tables.HookEvent).where(tables.HookEvent.hook_id == hook_id, tables.HookEvent.id > after)
    if state is not None:
        wanted = wanted.where(tables.HookEvent.state == state)
    return session.scalars(wanted.order_by(tables.HookEvent.id).limit(most)).all()
