"""The jobs on disk: one SQLite row a paper, unique by (key, copy).

NEW ─► READY_CHECK ─► SENDING ─► SENT ─► CONFIRMED
 │        │  ▲           │         │
 │        ▼  │           ▼         ▼
 └──────► HELD        UNCERTAIN ── and in the same transaction a NEW row, copy + 1, marked IN LẠI
CANCELLED before anything was sent; FAILED when it can never be printed, or was tried too often.

A row is durable (synchronous=FULL) before the call that made it returns, and SENDING is durable before
the first byte goes out: after a crash, a row in SENDING or SENT may or may not be on paper.
"""
from __future__ import annotations

import contextlib
import json
import logging
import pathlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from printers import ticket as tickets

NEW, READY_CHECK, HELD = "NEW", "READY_CHECK", "HELD"
SENDING, SENT = "SENDING", "SENT"
CONFIRMED, UNCERTAIN, FAILED, CANCELLED = "CONFIRMED", "UNCERTAIN", "FAILED", "CANCELLED"

UNSENT = (NEW, READY_CHECK, HELD)  # the printer has no byte of it
ON_ITS_WAY = (SENDING, SENT)  # it may be on paper
FINAL = (CONFIRMED, UNCERTAIN, FAILED, CANCELLED)
OPEN = UNSENT + ON_ITS_WAY

# From each state, where a job may go.  Whatever is not here is a mistake of ours and changes nothing.
NEXT = {
    NEW: (READY_CHECK, HELD, CANCELLED, FAILED),
    READY_CHECK: (SENDING, HELD, CANCELLED, FAILED),
    HELD: (READY_CHECK, HELD, CANCELLED, FAILED),
    SENDING: (SENT, HELD, UNCERTAIN, FAILED),
    SENT: (CONFIRMED, UNCERTAIN, FAILED),
    CONFIRMED: (), UNCERTAIN: (), FAILED: (), CANCELLED: (),
}

TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    copy INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    confirmed_by TEXT NOT NULL DEFAULT '',
    ticket TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    UNIQUE (key, copy)
)"""
STILL_OPEN = "state NOT IN ('CONFIRMED', 'UNCERTAIN', 'FAILED', 'CANCELLED')"
# The loop looks for open jobs four times a second, among a day's finished ones.
INDEX = f"""
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (id)
WHERE {STILL_OPEN}"""
COLUMNS = "key, copy, state, reason, confirmed_by, created_at, changed_at, id, ticket"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One paper.  Times are epoch seconds; `reason` says why it is HELD, UNCERTAIN or FAILED;
    `confirmed_by` is gsH, gsr, status or sent (the last means only: handed over)."""
    key: str
    copy: int
    state: str
    reason: str
    confirmed_by: str
    created_at: int
    changed_at: int
    id: int = field(repr=False)
    ticket: tickets.Ticket = field(repr=False)


class Ledger:
    """The file.  Safe to use from several threads and, for adding and reading, from several processes."""

    def __init__(self, path: str | pathlib.Path):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
        # WAL lets `status` read while the kiosk prints; FULL so that a number on paper never vanishes.
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute(TABLE)
        self._database.execute(INDEX)

    def add(self, key: str, ticket: tickets.Ticket, copy: int, now: int) -> Job:
        """A NEW job, or the one that is already there under (key, copy)."""
        with self._transaction():
            self._insert(key, ticket, copy, now)
            return self._one("key = ? AND copy = ?", (key, copy))

    def add_copy(self, key: str, now: int) -> Job | None:
        """A marked NEW job with the next copy number, or the one still unsent; None for no such key."""
        with self._transaction():
            jobs = self._some("key = ?", (key,))
            if not jobs:
                return None
            if jobs[-1].state in UNSENT:
                return jobs[-1]
            self._insert(key, jobs[-1].ticket, jobs[-1].copy + 1, now)
            return self._one("key = ? AND copy = ?", (key, jobs[-1].copy + 1))

    def move(self, job: Job, state: str, now: int, reason: str = "", confirmed_by: str = "") -> Job | None:
        """The job in its new state; None if somebody else moved it first."""
        with self._transaction():
            return self._moved(job, state, now, reason, confirmed_by)

    def give_up(self, job: Job, reason: str, now: int, most_copies: int) -> list[Job]:
        """UNCERTAIN, and at once its marked copy; FAILED instead when there are enough copies already."""
        with self._transaction():
            if job.copy >= most_copies:
                moved = self._moved(job, FAILED, now, "too_often", "")
                return [moved] if moved else []
            moved = self._moved(job, UNCERTAIN, now, reason, "")
            if moved is None:
                return []
            self._insert(job.key, job.ticket, job.copy + 1, now)
            return [moved, self._one("key = ? AND copy = ?", (job.key, job.copy + 1))]

    def first(self, states: tuple[str, ...] = OPEN) -> Job | None:
        """The oldest open job in one of the states."""
        marks = ", ".join("?" * len(states))
        with self._lock:
            jobs = self._some(f"state IN ({marks}) AND {STILL_OPEN}", states, "LIMIT 1")
        return jobs[0] if jobs else None

    def all(self, state: str | None = None) -> list[Job]:
        """All jobs, oldest first."""
        with self._lock:
            return self._some("state = ?", (state,)) if state else self._some("1", ())

    def forget(self, before: int) -> int:
        """Delete finished jobs last changed before that moment; answers how many."""
        marks = ", ".join("?" * len(FINAL))
        with self._transaction():
            done = self._database.execute(
                f"DELETE FROM jobs WHERE changed_at < ? AND state IN ({marks})", (before, *FINAL))
            return done.rowcount

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                # A failed COMMIT (disk full) may have ended the transaction by itself.
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _insert(self, key: str, ticket: tickets.Ticket, copy: int, now: int) -> None:
        marked = tickets.marked_reprint(ticket) if copy > 1 else ticket
        text = json.dumps(marked.to_document(), ensure_ascii=False)
        added = self._database.execute(
            "INSERT INTO jobs (key, copy, state, ticket, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (key, copy) DO NOTHING", (key, copy, NEW, text, now, now))
        if added.rowcount == 1:
            log.info("print job %s copy %d: NEW", key, copy)

    def _moved(self, job: Job, state: str, now: int, reason: str, confirmed_by: str) -> Job | None:
        if state not in NEXT[job.state]:
            raise ValueError(f"a job in {job.state} cannot become {state}")
        done = self._database.execute(
            "UPDATE jobs SET state = ?, reason = ?, confirmed_by = ?, changed_at = ? "
            "WHERE id = ? AND state = ?", (state, reason, confirmed_by, now, job.id, job.state))
        if done.rowcount != 1:
            return None
        log.info("print job %s copy %d: %s → %s %s", job.key, job.copy, job.state, state,
                 reason or confirmed_by)
        return self._one("id = ?", (job.id,))

    def _one(self, where: str, values: tuple) -> Job:
        return self._some(where, values)[0]

    def _some(self, where: str, values: tuple, tail: str = "") -> list[Job]:
        rows = self._database.execute(f"SELECT {COLUMNS} FROM jobs WHERE {where} ORDER BY id {tail}", values)
        return [Job(*row[:-1], tickets.Ticket.from_document(json.loads(row[-1]))) for row in rows]
