"""Who watches a queue is told as soon as it changes: one thread reads, everybody else waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date

from sqlalchemy import Engine, select

from gateway import database, queue, tables
from gateway.pulse import Pulse
from gateway.rules import hours
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 15.0
MOST_WATCHING = 3_000
FRESH_SECONDS = 20  # expected times move on although nothing happens


class Hub:
    """The newest snapshot of each site's queue of today, and a way to wait for a newer one."""

    def __init__(self, engine: Engine, config: Settings, now: Callable[[], int]):
        self._engine, self._config, self._now = engine, config, now
        self._changed = threading.Condition()
        self._versions: dict[int, int] = {}
        self._snapshots: dict[tuple[int, date], tuple[int, queue.Snapshot]] = {}
        self._turns: dict[int, threading.Lock] = {}
        self.watching = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="hub", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout=5)

    def today(self) -> date:
        return hours.day_of(self._now(), self._config.station.zone)

    def _watch(self) -> None:
        pulse = Pulse(self._engine)
        while not self._stop.is_set():
            pulse.wait(HEARTBEAT_SECONDS, self._stop)
            self._look()  # also when nothing was said: a new day begins in silence
        pulse.close()

    def _look(self) -> None:
        try:
            with database.reading(self._engine) as session:
                wanted = select(tables.SiteDay.site_id, tables.SiteDay.version).filter_by(day=self.today())
                versions = dict(session.execute(wanted).all())
        except Exception:
            log.exception("the queue could not be read; the last good state stays")
            return
        with self._changed:
            if versions != self._versions:
                self._versions = versions
                self._changed.notify_all()

    def snapshot(self, site_id: int, day: date | None = None) -> queue.Snapshot:
        """A site's queue, read at most once a version (and once in 20 s, as expected times move on)."""
        day, now = day or self.today(), self._now()
        with self._changed:
            turn = self._turns.setdefault(site_id, threading.Lock())
        with turn:  # one reads, and the others take what it read
            return self._read(site_id, day, now)

    def _read(self, site_id: int, day: date, now: int) -> queue.Snapshot:
        with self._changed:
            held = self._snapshots.get((site_id, day))
        with database.reading(self._engine) as session:
            fresh_enough = held is not None and now - held[0] < FRESH_SECONDS
            if fresh_enough and queue.version(session, site_id, day) == held[1].version:
                return held[1]
            fresh = queue.snapshot(session, site_id, day, now)
        with self._changed:
            self._snapshots = {key: one for key, one in self._snapshots.items() if key[1] >= day}
            self._snapshots[site_id, day] = (now, fresh)
        return fresh

    def admit(self) -> bool:
        """Whether one more may watch; `leave` when it goes. Each holds a thread of the server."""
        with self._changed:
            if self.watching >= MOST_WATCHING:
                return False
            self.watching += 1
            return True

    def leave(self) -> None:
        with self._changed:
            self.watching -= 1

    def versions(self, site_id: int, last: int) -> Iterator[int | None]:
        """Each newer version of a site's queue, None as a heartbeat; ends when the hub stops."""
        while not self._stop.is_set():
            until = time.monotonic() + HEARTBEAT_SECONDS
            with self._changed:
                while (seen := self._versions.get(site_id, 0)) == last and not self._stop.is_set():
                    if not self._changed.wait(max(0.0, until - time.monotonic())):
                        break
            if self._stop.is_set():
                return
            yield seen if seen != last else None
            last = seen
