"""One process does it: who holds PostgreSQL's advisory lock of a name; on SQLite there is only this machine.

The lock belongs to a connection and is free as soon as that connection or its process is gone
(postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS), so nobody waits for a dead leader.
"""

from __future__ import annotations

import hashlib
import logging

from sqlalchemy import Connection, Engine, text

log = logging.getLogger(__name__)


class Leadership:
    """Of one name, for one thread: `held()` tries to get it and says whether this process has it."""

    def __init__(self, engine: Engine, name: str):
        self._engine, self._name = engine, name
        digest = hashlib.sha256(f"gateway:{name}".encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)
        self._connection: Connection | None = None

    def held(self) -> bool:
        if self._engine.dialect.name == "sqlite":
            return True
        try:
            return self._still() or self._taken()
        except Exception as fault:
            log.warning("leadership of %s is not known now: %s", self._name, type(fault).__name__)
            self.release()
            return False

    def _still(self) -> bool:
        """A connection that still answers still holds its lock."""
        if self._connection is None:
            return False
        self._connection.execute(text("SELECT 1"))
        return True

    def _taken(self) -> bool:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}):
            self._connection = connection
            log.info("this process leads %s", self._name)
            return True
        connection.close()
        return False

    def release(self) -> None:
        """Let another process have it; the connection is thrown away, as its lock is its own."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
