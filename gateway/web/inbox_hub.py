"""Who has the inbox open is told what changes: one thread reads, everybody else waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from gateway import database, inbox
from gateway.pulse import Pulse

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 15.0
REST_SECONDS = 0.5  # the database changes far oftener than conversations do
LOOK_SECONDS = 5.0
LATE_SECONDS = 10  # a transaction may be seen that much later than the moment it wrote down
MOST_WATCHING = 200
KEPT = 100


@dataclass(frozen=True)
class Step:
    """What one look found: `at` in seconds, and the conversations that had changed."""

    at: int
    changed: Sequence[inbox.Change]


class InboxHub:
    """The newest changes of the conversations, and a way to wait for the next; reads only while watched."""

    def __init__(self, engine: Engine, now: Callable[[], int]):
        self._engine, self._now = engine, now
        self._changed = threading.Condition()
        self._steps: deque[Step] = deque(maxlen=KEPT)
        self._count = 0  # of all steps so far
        self._marks: dict[int, tuple[object, ...]] = {}
        self._looked_at = 0
        self.watching = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def stop(self) -> None:
        """End every stream."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
            thread = self._thread
        if thread:
            thread.join(timeout=5)

    def admit(self) -> bool:
        """Whether one more may watch; `leave` when it goes. Each holds a thread of the server."""
        with self._changed:
            if self.watching >= MOST_WATCHING or self._stop.is_set():
                return False
            self.watching += 1
            if self._thread is None:
                self._looked_at = self._now()
                self._thread = threading.Thread(target=self._watch, name="inbox", daemon=True)
                self._thread.start()
            return True

    def leave(self) -> None:
        with self._changed:
            self.watching -= 1

    def _watch(self) -> None:
        pulse = Pulse(self._engine)
        try:
            while self._wanted():
                pulse.wait(LOOK_SECONDS, self._stop)
                self._look()  # also when nothing was said: not every change rings on PostgreSQL
                self._stop.wait(REST_SECONDS)
        finally:
            pulse.close()

    def _wanted(self) -> bool:
        """Whether somebody still watches; else the thread ends, and the next watcher begins another."""
        with self._changed:
            if self.watching and not self._stop.is_set():
                return True
            self._thread = None
            return False

    def _look(self) -> None:
        at = self._now()
        try:
            with database.reading(self._engine) as session:
                found = inbox.changes(session, min(self._looked_at, at) - LATE_SECONDS)
        except Exception:
            log.exception("the conversations could not be read; the last good state stays")
            return
        self._looked_at = at
        fresh = [one for one in found if self._marks.get(one.id) != one.mark]
        with self._changed:
            self._marks = {one.id: one.mark for one in found}
            if fresh:
                self._steps.append(Step(at, fresh))
                self._count += 1
                self._changed.notify_all()

    def steps(self) -> Iterator[Step]:
        """Each step newer than this call, an empty one as a heartbeat; ends when the hub stops."""
        with self._changed:
            seen = self._count
        return self._since(seen)

    def _since(self, seen: int) -> Iterator[Step]:
        """Whoever is slow is told what is kept."""
        while not self._stop.is_set():
            until = time.monotonic() + HEARTBEAT_SECONDS
            with self._changed:
                while self._count == seen and not self._stop.is_set():
                    if not self._changed.wait(max(0.0, until - time.monotonic())):
                        break
                missed = min(self._count - seen, len(self._steps))
                news = list(self._steps)[len(self._steps) - missed :]
                seen = self._count
            if self._stop.is_set():
                return
            yield from news or [Step(self._now(), ())]
