"""Which failures are the storage's own: full, away, locked or broken.

What was asked may be right then, nothing of it was stored, and the same again later may work. Every other
failure of a statement is the program's or the data's, and would fail again.
"""

from __future__ import annotations

import sqlite3

import psycopg
import sqlalchemy.exc

RETRY_SECONDS = 5
"""How long a caller who got 503 should wait before the next try."""

# Primary result codes (sqlite.org/rescode.html). SQLITE_ERROR is not among them: that is a wrong statement
_SQLITE = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    }
)
# psycopg files these two under InternalError: a server that may only be read, and one that ended our session
_SQLSTATES = ("25006", "25P03")


class Away(Exception):
    """The storage did not take it; whoever asked must ask again. The cause says why, where it is known."""


def is_away(fault: BaseException | None) -> bool:
    """Whether a failure is the storage's, from SQLAlchemy or straight from a driver."""
    if isinstance(fault, sqlalchemy.exc.DBAPIError):
        return fault.connection_invalidated or is_away(fault.orig)
    if isinstance(fault, sqlite3.Error):
        return getattr(fault, "sqlite_errorcode", 0) & 0xFF in _SQLITE  # the low byte is the primary code
    if isinstance(fault, psycopg.Error):
        return isinstance(fault, (psycopg.OperationalError, psycopg.InterfaceError)) or _internal(fault)
    waits = (
        sqlalchemy.exc.TimeoutError,
        sqlalchemy.exc.DisconnectionError,
        sqlalchemy.exc.PendingRollbackError,
    )
    return isinstance(fault, (Away, *waits))


def _internal(fault: psycopg.Error) -> bool:
    state = fault.sqlstate or ""
    return state in _SQLSTATES or state.startswith("XX")


def in_short(fault: BaseException) -> str:
    """One line for the log: a full disk must not fill up with the story of it, and rows stay out of it."""
    while (inner := getattr(fault, "orig", None) or fault.__cause__) is not None and not _is_driver_s(fault):
        fault = inner
    first = (str(fault).splitlines() or [""])[0]
    return f"{type(fault).__name__}: {first[:200]}"


def _is_driver_s(fault: BaseException) -> bool:
    return isinstance(fault, (sqlite3.Error, psycopg.Error))
