"""Opening the database and its transactions, the same for SQLite and PostgreSQL.

`writing` is a transaction that may change rows (BEGIN IMMEDIATE on SQLite, so two writers wait for each
other instead of failing half-way); `reading` is a snapshot that changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import alembic.command
import alembic.config
import sqlalchemy
import sqlalchemy.exc
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session

LOCK_WAIT_SECONDS = 30
# libpq's own would wait minutes for a host that fell silent: seconds to connect, milliseconds for an answer
PATIENCE = {"connect_timeout": 5, "tcp_user_timeout": 30_000}
CHANNEL = "gateway"
_writers: WeakKeyDictionary[Engine, threading.Lock] = WeakKeyDictionary()


def connect(url: str, pool_size: int = 20) -> Engine:
    """An engine for `sqlite:///FILE` or `postgresql+psycopg://…`; connects lazily."""
    if not url.startswith("sqlite"):
        asked = sqlalchemy.make_url(url).query  # what the address itself says goes first
        return sqlalchemy.create_engine(
            url,
            connect_args={name: value for name, value in PATIENCE.items() if name not in asked},
            pool_size=pool_size,
            max_overflow=20,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    file = sqlalchemy.make_url(url).database
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = sqlalchemy.create_engine(
        url,
        connect_args={"timeout": LOCK_WAIT_SECONDS},
        pool_size=pool_size,
        max_overflow=-1,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not open transactions on its own
    cursor = connection.cursor()
    # FULL: an accepted notice or a given number must outlive a power cut (sqlite.org/pragma.html#pragma_synchronous)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _on_sqlite_begin(connection: sqlalchemy.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def _turn(engine: Engine) -> AbstractContextManager[Any]:
    """SQLite has one writer at a time: this process's threads take turns here, woken as soon as it is theirs.

    SQLite's own waiting sleeps up to 100 ms between looks (sqlite3_busy_timeout); it is left to other processes.
    """
    if engine.dialect.name != "sqlite":
        return nullcontext()
    return _taken(_writers.setdefault(engine, threading.Lock()))


@contextmanager
def _taken(turn: threading.Lock) -> Iterator[None]:
    """Behind a file that another process has locked, everybody waits as long as the first, and not in a row."""
    if not turn.acquire(timeout=LOCK_WAIT_SECONDS):
        raise sqlalchemy.exc.TimeoutError("another thread has been writing for too long")
    try:
        yield
    finally:
        turn.release()


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A transaction that commits at the end of the block, or changes nothing if the block raises."""
    with (
        _turn(engine),
        engine.connect().execution_options(begin="BEGIN IMMEDIATE") as connection,
        connection.begin(),
        Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session,
    ):
        yield session
        session.flush()


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A transaction for reading only; what it would change is thrown away."""
    with Session(engine, expire_on_commit=False) as session:
        yield session


def on_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def ring(session: Session) -> None:
    """Wake whoever waits for changes, when this transaction commits (SQLite's watchers see the file change)."""
    if on_postgresql(session):
        session.execute(text(f"NOTIFY {CHANNEL}"))


def migrate(engine: Engine) -> None:
    """Bring the schema to the newest version; safe to repeat."""
    with engine.connect() as connection, _rebuilding(connection):
        alembic.command.upgrade(_alembic(connection), "head")


@contextmanager
def _rebuilding(connection: sqlalchemy.Connection) -> Iterator[None]:
    """SQLite changes a column by making its table anew; what points to the table must let go of it meanwhile.

    See sqlite.org/lang_altertable.html#otheralter; inside a transaction the pragma would do nothing.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver = connection.connection.dbapi_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        if broken := driver.execute("PRAGMA foreign_key_check").fetchone():
            raise sqlalchemy.exc.IntegrityError(
                "foreign_key_check", None, ValueError(f"{broken[0]}: {broken[2]}")
            )
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def is_current(engine: Engine) -> bool:
    """Whether the schema is at the newest version."""
    with engine.connect() as connection:
        script = ScriptDirectory.from_config(_alembic(connection))
        return MigrationContext.configure(connection).get_current_revision() == script.get_current_head()


def _alembic(connection: sqlalchemy.Connection) -> alembic.config.Config:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config
