"""Waiting for the database to change, without asking it over and over.

On PostgreSQL a connection of its own LISTENs; on SQLite it watches `PRAGMA data_version`, which another
connection's commit changes (sqlite.org/pragma.html#pragma_data_version) and which costs microseconds.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
from sqlalchemy import Engine

from gateway import database

SQLITE_LOOK_SECONDS = 0.02
RECONNECT_SECONDS = 1.0


class Pulse:
    """`wait(timeout)` returns when something was committed, or the time is up. For one thread only."""

    def __init__(self, engine: Engine):
        self._engine = engine
        self._connection: Any = None
        self._seen: Any = None

    def wait(self, timeout: float, stop: threading.Event) -> bool:
        """True if something may have changed; False if nothing did in `timeout` seconds, or `stop` was set."""
        try:
            if self._engine.dialect.name == "postgresql":
                return self._wait_notified(timeout, stop)
            return self._wait_changed(timeout, stop)
        except Exception:  # the database went away: what then changes is found by asking again
            self.close()
            stop.wait(min(timeout, RECONNECT_SECONDS))
            return True

    def _wait_notified(self, timeout: float, stop: threading.Event) -> bool:
        if self._connection is None:
            url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
            asked = self._engine.url.query
            patience = {name: value for name, value in database.PATIENCE.items() if name not in asked}
            self._connection = psycopg.connect(url, autocommit=True, **patience)
            self._connection.execute(f"LISTEN {database.CHANNEL}")
            return True  # what changed before we listened
        until = time.monotonic() + timeout
        while not stop.is_set() and time.monotonic() < until:
            rest = min(0.5, max(0.0, until - time.monotonic()))
            if any(True for _ in self._connection.notifies(timeout=rest, stop_after=1)):
                return True
        return False

    def _wait_changed(self, timeout: float, stop: threading.Event) -> bool:
        if self._connection is None:
            self._connection = self._engine.raw_connection()
            self._seen = None
        until = time.monotonic() + timeout
        while True:
            seen = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if seen != self._seen:
                self._seen = seen
                return True
            if time.monotonic() >= until or stop.wait(SQLITE_LOOK_SECONDS):
                return False

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:  # it was broken anyway
                return
