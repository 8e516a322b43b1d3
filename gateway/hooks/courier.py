"""Tells programs what becomes of their notices: every event at least once, until it is taken or given up.

What is promised of the order: those of one notice come strictly in order, the next when the one before it is
taken or given up. Those of different notices are begun in the order in which they happened; two may be on their
way at once, and one that has to be told again comes later than others (its `timestamp` says where it belongs).
A program knows a repeat by its `webhook-id`.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import Engine

from gateway import config as configuration
from gateway import database
from gateway.hooks import deliveries
from gateway.hooks.calling import Caller, Outcome
from gateway.hooks.deliveries import Errand
from gateway.rules import hooks as rules
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
HOOKS_AT_ONCE = 8
CALLS_AT_ONCE = 2  # to one hook
LOOK_SECONDS = 1.0
FORGET_SECONDS = 3_600


class _Batch:
    """One hook's errands for its threads. The first that is not taken ends it: the rest is left for later."""

    def __init__(self, errands: list[Errand], until: float):
        """`until` (monotonic): when no call is begun any more, so that none outlasts the lease."""
        self._errands, self._until = deque(errands), until
        self.broken = False

    def next(self) -> Errand | None:
        try:
            return self._errands.popleft()
        except IndexError:
            return None

    def over(self) -> bool:
        return self.broken or time.monotonic() >= self._until


class Courier:
    """`run()` until `stop()`, or `round()` by hand. Any number of them may work on one database."""

    def __init__(
        self, engine: Engine, config: Settings, now: Callable[[], int], caller: Caller | None = None
    ):
        self._engine, self._config, self._now = engine, config, now
        self._own = configuration.own_secret(config, "web.secret_key")
        self._caller = caller or Caller(config.hooks.allow, config.hooks.timeout)
        self._patience = 10 + config.hooks.timeout
        self._lease = 30 + 2 * round(self._patience)  # looking a name up may take longer than the call
        self._pool = ThreadPoolExecutor(HOOKS_AT_ONCE * CALLS_AT_ONCE, thread_name_prefix="hooks")
        self._answers: deque[tuple[Errand, Outcome | None, float]] = deque()
        self._open: Counter[str] = Counter()
        self._stop, self._wake = threading.Event(), threading.Event()
        self._forget_at = 0

    def run(self) -> None:
        """A turn that fails is logged and tried again; nothing is lost by it."""
        while not self._stop.is_set():
            self._wake.clear()
            try:
                moved = self._turn()
            except Exception:
                log.exception("a turn of the hooks' courier failed; it is tried again")
                moved = 0
            if not moved or self._open:
                self._wake.wait(LOOK_SECONDS)
        self.close()

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def close(self) -> None:
        """Let the calls that are under way end, and write them down; the rest is given back."""
        self._stop.set()
        self._pool.shutdown(wait=True)
        try:
            self._write_down()
        except Exception:
            log.exception("the last answers of hooks are not written down; those events are told again")
        self._caller.close()

    def round(self) -> int:
        """Tell what is due now, wait for the answers and write them down; how many calls that was."""
        for future in self._send(self._now()):
            future.result()
        told = sum(outcome is not None for _, outcome, _ in self._answers)
        self._write_down()
        return told

    def _turn(self) -> int:
        """Write down the answers that came and send what is due, without waiting; whether anything moved."""
        written = self._write_down()
        now = self._now()
        self._forget(now)
        return written + len(self._send(now))

    def _send(self, now: int) -> list[Future[None]]:
        until = time.monotonic() + self._patience
        futures = []
        for errands in self._claimed(now):
            self._open[errands[0].hook_id] += len(errands)
            batch = _Batch(errands, until)
            threads = min(CALLS_AT_ONCE, len(errands))
            futures += [self._pool.submit(self._tell, batch) for _ in range(threads)]
        return futures

    def _write_down(self) -> int:
        answers = list(self._answers)
        if not answers:
            return 0
        with database.writing(self._engine) as session:
            deliveries.record(session, answers, self._config.hooks.retries, self._now())
        for errand, _, _ in answers:
            self._answers.popleft()
            self._open[errand.hook_id] -= 1
        self._open = +self._open
        return len(answers)

    def _claimed(self, now: int) -> list[list[Errand]]:
        room = HOOKS_AT_ONCE - len(self._open)
        if room <= 0:
            return []
        with database.reading(self._engine) as session:
            busy = [one for one in deliveries.busy(session, now) if one not in self._open]
        if not busy:
            return []
        with database.writing(self._engine) as session:
            return deliveries.claim(session, busy, room, self._lease, now)

    def _forget(self, now: int) -> None:
        if now < self._forget_at:
            return
        self._forget_at = now + FORGET_SECONDS
        with database.writing(self._engine) as session:
            deliveries.forget(session, now)

    def _tell(self, batch: _Batch) -> None:
        """One of a batch's threads."""
        while (errand := batch.next()) is not None:
            outcome = None if self._stop.is_set() or batch.over() else self._told(errand)
            if outcome is not None and not outcome.taken:
                batch.broken = True
            self._answers.append((errand, outcome, random.random()))
        self._wake.set()

    def _told(self, errand: Errand) -> Outcome:
        try:
            return self.deliver(errand)
        except Exception as fault:
            log.exception("hook %s could not be called", errand.hook_id)
            return Outcome(None, f"lỗi của trạm / a fault of ours ({type(fault).__name__})")

    def deliver(self, errand: Errand) -> Outcome:
        """Make the call, outside any transaction."""
        body = json.dumps(errand.body, ensure_ascii=False, separators=(",", ":")).encode()
        secrets = [rules.secret_of(self._own, errand.hook_id, one) for one in errand.generations]
        signed = rules.headers(secrets, errand.event_id, self._now(), body)
        told = {"Content-Type": "application/json", "User-Agent": "queue-number-gateway", **signed}
        return self._caller.post(errand.url, body, told)
