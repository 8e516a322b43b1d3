"""Taking in what providers post: one transaction, one fsync, for all that wait at that moment.

A webhook answers only when its row is durable, and Zalo wants the answer within 2 s. A commit each would be
the gateway's first limit, so whoever finds nobody writing starts a writer, and all who come while it commits
share its next batch. The writer is a thread of its own and not one of those that wait: nothing can bound a
commit (a lock, an fsync, a server that fell silent), but everybody can stop waiting for it in time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from gateway import database, gauges, notices, storage

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 1.5  # of the 2 s that Zalo gives
MOST = 200  # rows of a batch


@dataclass(frozen=True, eq=False)
class _Entry:
    receipt: Mapping[str, Any]
    kept: Future[bool] = field(default_factory=Future)


class Intake:
    """`keep` may be called from any thread; `now()` gives whole seconds."""

    def __init__(self, engine: Engine, now: Callable[[], int], patience: float = PATIENCE_SECONDS):
        """`patience`: seconds that `keep` waits at most."""
        self._engine, self._now, self._patience = engine, now, patience
        self._turn = threading.Lock()
        self._waiting: deque[_Entry] = deque()
        self._writing = False

    @property
    def waiting(self) -> int:
        """How many rows no batch has taken yet."""
        return len(self._waiting)

    @property
    def writing(self) -> bool:
        """Whether a batch is under way."""
        return self._writing

    def keep(self, receipt: Mapping[str, Any]) -> bool:
        """Keep a row of `receipts`, and return when it is durable: True if it is new, False if it was known.

        Raises `storage.Away` when that does not come to pass in time: it is not kept, or nobody knows yet, so
        the sender must send it again. Any other error is this row's own.
        """
        return self.keep_all([receipt])[0]

    def keep_all(self, receipts: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Keep the rows of one call, within the time of one; the first error of any is raised."""
        now = self._now()
        entries = [_Entry({"at": now, "due": now, **one}) for one in receipts]
        with self._turn:
            self._waiting.extend(entries)
            begins, self._writing = not self._writing, True
        if begins:
            self._begin()
        end = time.monotonic() + self._patience
        try:
            return [entry.kept.result(max(0.0, end - time.monotonic())) for entry in entries]
        except TimeoutError as fault:
            for entry in entries:
                self._withdraw(entry)
            raise storage.Away(f"no commit within {self._patience} s") from fault

    def _begin(self) -> None:
        try:
            threading.Thread(target=self._write, name="intake", daemon=True).start()
        except RuntimeError:  # no thread to be had: those who wait go away, the next to come tries again
            log.error("no thread can be started for what providers post")
            with self._turn:
                self._writing = False

    def _withdraw(self, entry: _Entry) -> None:
        """If no batch has it yet, none will: it is not kept for a sender who was told to send it again."""
        if entry.kept.cancel():
            with self._turn, contextlib.suppress(ValueError):  # it has left the queue in this moment
                self._waiting.remove(entry)

    def _write(self) -> None:
        """Commit batch after batch until nobody waits."""
        try:
            while batch := self._taken():
                self._commit(batch)
        except BaseException:
            with self._turn:
                self._writing = False
            raise

    def _taken(self) -> list[_Entry]:
        batch: list[_Entry] = []
        with self._turn:
            while self._waiting and len(batch) < MOST:
                entry = self._waiting.popleft()
                if entry.kept.set_running_or_notify_cancel():
                    batch.append(entry)
            self._writing = bool(batch)
        return batch

    def _commit(self, batch: Sequence[_Entry]) -> None:
        began = time.monotonic()
        try:
            with database.writing(self._engine) as session:
                fresh = notices.store_receipts(session, [entry.receipt for entry in batch], self._now())
        except Exception as fault:
            self._failed(batch, fault)
            return
        for entry, new in zip(batch, fresh, strict=True):
            entry.kept.set_result(new)
        gauges.kept(len(batch), time.monotonic() - began)

    def _failed(self, batch: Sequence[_Entry], fault: Exception) -> None:
        """The storage's fault is everybody's; one bad row's is found by halves, and the others are kept."""
        if storage.is_away(fault):
            for entry in batch:
                entry.kept.set_exception(_away(fault))
        elif len(batch) == 1:
            batch[0].kept.set_exception(fault)
        else:
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])


def _away(fault: Exception) -> storage.Away:
    """One each: an exception that several threads raise would collect all their traces."""
    away = storage.Away(storage.in_short(fault))
    away.__cause__ = fault
    return away
