"""Delivers what programs are to be told: at least once, in order where nothing fails, never two calls of one event.

Only the oldest waiting event of a hook is claimed, so one program's trouble neither overtakes itself nor
holds up the others. A claim moves the event's `due` ahead: whoever dies in the middle leaves it to be sent
again with the same `webhook-id`, by which the program knows a repeat.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import Engine, bindparam, func, select, text
from sqlalchemy.orm import Session

from gateway import alerts, database, tables
from gateway import config as configuration
from gateway.hooks.calling import GONE, Caller, Outcome
from gateway.pulse import Pulse
from gateway.rules import hooks as rules
from gateway.rules import hours
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
LEASE_SECONDS = 60
AT_ONCE = 8
IDLE_SECONDS = 2.0
PATIENCE = 3 * 86_400
"""A hook that has failed for so long is paused, and somebody is told."""


@dataclass(frozen=True)
class Errand:
    """One event on its way, with what its signature needs."""

    event_id: str
    hook_id: str
    generation: int
    url: str
    body: dict
    tries: int


class Courier:
    """`run()` until `stop()`; or `round()` by hand."""

    def __init__(self, engine: Engine, config: Settings, now: Callable[[], int]):
        self._engine, self._config, self._now = engine, config, now
        self._own = configuration.own_secret(config, "web.secret_key")
        self._caller = Caller(config.hooks.allow, config.hooks.timeout)
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hooks")
        self._stop = threading.Event()

    def run(self) -> None:
        pulse = Pulse(self._engine)
        while not self._stop.is_set():
            try:
                busy = self.round()
            except Exception:
                log.exception("a round of the courier failed; it is tried again")
                busy = False
            if not busy:
                pulse.wait(IDLE_SECONDS, self._stop)
        pulse.close()
        self._pool.shutdown(wait=True)
        self._caller.close()

    def stop(self) -> None:
        self._stop.set()

    def round(self) -> int:
        """Deliver the oldest waiting event of each hook; how many calls were made."""
        now = self._now()
        with database.reading(self._engine) as session:
            if not session.execute(_WAITING, {"now": now}).first():
                return 0
        with database.writing(self._engine) as session:
            errands = _claimed(session, now)
        for errand, outcome in zip(errands, self._pool.map(self.deliver, errands), strict=True):
            self.record(errand, outcome)
        return len(errands)

    def deliver(self, errand: Errand) -> Outcome:
        """Make the call, outside any transaction."""
        moment = hours.rfc3339(errand.body["timestamp"], self._config.station.zone)
        body = json.dumps(errand.body | {"timestamp": moment}, ensure_ascii=False).encode()
        now = self._now()
        secret = rules.secret_of(self._own, errand.hook_id, errand.generation)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "queue-number-gateway",
            "webhook-id": errand.event_id,
            "webhook-timestamp": str(now),
            "webhook-signature": rules.signature(secret, errand.event_id, now, body),
        }
        return self._caller.post(errand.url, body, headers)

    def record(self, errand: Errand, outcome: Outcome) -> None:
        """Write down how it went, and when it is tried again."""
        now = self._now()
        with database.writing(self._engine) as session:
            event = session.get(tables.HookEvent, errand.event_id, with_for_update=True)
            hook = session.get(tables.Hook, errand.hook_id, with_for_update=True)
            if event is None or hook is None or event.state != "waiting":
                return
            event.status, event.reason = outcome.status, outcome.reason[:200]
            if outcome.taken:
                event.state, event.done_at, hook.failing_since = "delivered", now, None
                alerts.over(session, f"hook:{hook.id}", now)
            else:
                self._failed(session, hook, event, outcome, now)

    def _failed(
        self, session: Session, hook: tables.Hook, event: tables.HookEvent, outcome: Outcome, now: int
    ) -> None:
        hook.failing_since = hook.failing_since or now
        pauses = self._config.hooks.retries
        if outcome.status == GONE:
            hook.ended_at = now
        if outcome.status == GONE or event.tries > len(pauses):
            event.state, event.done_at = "failed", now
        else:
            spread = random.uniform(0.8, 1.2)  # so that a hundred do not knock at the same second
            event.due = now + round(pauses[event.tries - 1] * spread)
        if now - hook.failing_since >= PATIENCE:
            alerts.raised(session, f"hook:{hook.id}", "hook", {"channel": "hook", "url": hook.url}, now)


_e, _h = tables.HookEvent.__table__.c, tables.Hook.__table__.c
_OLDEST = (
    select(func.min(_e.id).label("id"))
    .join(tables.Hook.__table__, _h.id == _e.hook_id)
    .where(_e.state == "waiting", _h.ended_at.is_(None))
    .group_by(_e.hook_id)
    .subquery()
)
_WAITING = select(_e.id).where(text("state = 'waiting'"), _e.due <= bindparam("now")).limit(1)


def _claimed(session: Session, now: int) -> list[Errand]:
    """The oldest event of each hook, if it is due; ours until the lease is over."""
    rows = session.scalars(
        select(tables.HookEvent)
        .where(tables.HookEvent.id.in_(select(_OLDEST.c.id)), tables.HookEvent.due <= now)
        .order_by(tables.HookEvent.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    hooks = {
        hook.id: hook
        for hook in session.scalars(select(tables.Hook).where(tables.Hook.id.in_([r.hook_id for r in rows])))
    }
    for row in rows:
        row.due, row.tries = now + LEASE_SECONDS, row.tries + 1
    session.flush()
    return [
        Errand(
            row.id, row.hook_id, hooks[row.hook_id].generation, hooks[row.hook_id].url, row.body, row.tries
        )
        for row in rows
    ]
