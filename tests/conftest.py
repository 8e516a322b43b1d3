"""What every test may ask for: an empty database on SQLite and on a real PostgreSQL, a moment, free ports."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import flask
import jinja2
import pytest
import sqlalchemy
from playwright import sync_api

from gateway import database
from gateway.rules import settings
from gateway.rules.settings import Settings

# 24/11/2026, 08:00 at the station: every test that needs a moment starts from the same one
EIGHT = int(datetime(2026, 11, 24, 1, 0, tzinfo=UTC).timestamp())


# Hundreds of applications are made here, each with an environment of its own: templates are compiled once for all
flask.Flask.jinja_options = {"bytecode_cache": jinja2.FileSystemBytecodeCache()}


@pytest.fixture
def eight() -> int:
    return EIGHT


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    """A configuration whose files lie in the test's own folder."""
    return settings.read(
        {
            "web": {"secret_key_file": str(tmp_path / "web_secret_key")},
            "zalo": {
                "app_id": "1234567890",
                "oa_id": "99",
                "token_key_file": str(tmp_path / "zalo_token_key"),
                "pkce_verifier_file": str(tmp_path / "zalo_pkce_verifier"),
            },
        },
        {},
    )


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a PostgreSQL server started for this run, on a free port, with its own data folder."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
    binaries = _postgresql_binaries()
    as_user = _user_for(folder)
    port = free_port()
    data = folder / "data"
    subprocess.run(
        [
            *as_user,
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "gateway",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
        ],
        check=True,
        capture_output=True,
    )
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c max_connections=300"
    if not any("bench" in word for word in request.config.args):
        options += " -c fsync=off"  # no test pulls this server's plug; what is measured is measured with it
    subprocess.run(
        [*as_user, binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"],
        check=True,
        capture_output=True,
    )
    try:
        yield f"postgresql+psycopg://gateway@127.0.0.1:{port}"
    finally:
        subprocess.run(
            [*as_user, binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], capture_output=True
        )
        shutil.rmtree(folder, ignore_errors=True)


def _postgresql_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.fail("PostgreSQL is not installed: `make test` installs it")
    return found[-1].parent


def _user_for(folder: Path) -> list[str]:
    """PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "postgres")
    return ["runuser", "-u", "postgres", "--"]


@pytest.fixture
def postgresql_url(postgresql: str) -> Iterator[str]:
    """An empty database of its own on that server."""
    with _database(postgresql) as url:
        yield url


@contextmanager
def _database(server: str, template: str = "template1") -> Iterator[str]:
    name = f"t_{secrets.token_hex(6)}"
    engine = sqlalchemy.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield f"{server}/{name}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_template(postgresql: str) -> Iterator[str]:
    """A migrated database to copy: migrating takes longer than most tests."""
    with _database(postgresql) as url:
        made = database.connect(url)
        database.migrate(made)
        made.dispose()
        yield url.rpartition("/")[2]


class Databases:
    """Migrated, empty databases that are lent to one test after another: emptying one takes a tenth of the time
    that making one does. One that somebody still talks to is thrown away, as is one whose tables were changed."""

    def __init__(self, server: str, template: str):
        self._server, self._template = server, template
        self._free: list[str] = []
        self._shape = self._asked(template, SHAPE)
        self._engine = sqlalchemy.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")

    @contextmanager
    def lent(self) -> Iterator[str]:
        name = self._free.pop() if self._free else self._made()
        try:
            yield f"{self._server}/{name}"
        finally:
            if self._emptied(name):
                self._free.append(name)
            else:
                self._drop(name)

    def _asked(self, name: str, question: str) -> object:
        engine = sqlalchemy.create_engine(f"{self._server}/{name}")
        try:
            with engine.connect() as connection:
                return connection.exec_driver_sql(question).scalar()
        finally:
            engine.dispose()

    def close(self) -> None:
        while self._free:
            self._drop(self._free.pop())
        self._engine.dispose()

    def _made(self) -> str:
        name = f"t_{secrets.token_hex(6)}"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        return name

    def _drop(self, name: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")

    def _emptied(self, name: str) -> bool:
        """Whether the database is as it was when it was made."""
        engine = sqlalchemy.create_engine(f"{self._server}/{name}", isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                if not _comes_true(lambda: not connection.exec_driver_sql(OTHERS).scalar()):
                    return False
                if connection.exec_driver_sql(SHAPE).scalar() != self._shape:
                    return False
                connection.exec_driver_sql("SET lock_timeout = '2s'")
                connection.exec_driver_sql(EMPTY)
            return True
        except sqlalchemy.exc.DBAPIError:
            return False
        finally:
            engine.dispose()


def _comes_true(asked: Callable[[], bool], seconds: float = 0.5) -> bool:
    """A connection that was closed is gone at the server a moment later."""
    end = time.monotonic() + seconds
    while not asked():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SHAPE = """
    SELECT (SELECT version_num FROM alembic_version)
        || md5(string_agg(concat(c.relname, ' ', a.attname, ' ', a.atttypid), ',' ORDER BY c.relname, a.attnum))
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0
"""
EMPTY = """
    DO $$ DECLARE one text; used text[]; full_ bool; BEGIN
        FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %%I)', one) INTO full_;
            IF full_ THEN used := array_append(used, quote_ident(one)); END IF;
        END LOOP;
        -- TRUNCATE, not DELETE: rows are then found in the order of their making, as in a new database
        IF used IS NOT NULL THEN EXECUTE 'TRUNCATE ' || array_to_string(used, ', ') || ' CASCADE'; END IF;
        FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' AND last_value IS NOT NULL
        LOOP EXECUTE format('ALTER SEQUENCE %%I RESTART', one); END LOOP;
    END $$
"""


@pytest.fixture(scope="session")
def databases(postgresql: str, migrated_template: str) -> Iterator[Databases]:
    made = Databases(postgresql, migrated_template)
    yield made
    made.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The same as an SQLite file."""
    file = tmp_path_factory.mktemp("migrated") / "gateway.db"
    made = database.connect(f"sqlite:///{file}")
    database.migrate(made)
    made.dispose()
    return file.read_bytes()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sqlalchemy.Engine]:
    """A migrated, empty database: once on SQLite, once on PostgreSQL."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    with request.getfixturevalue("databases").lent() as url:
        made = database.connect(url)
        yield made
        made.dispose()


@pytest.fixture
def sqlite(tmp_path: Path, migrated_file: bytes) -> Iterator[sqlalchemy.Engine]:
    """A migrated, empty SQLite database."""
    file = tmp_path / "gateway.db"
    file.write_bytes(migrated_file)
    made = database.connect(f"sqlite:///{file}")
    # What is tested here loses no power; the tests with processes of their own wait for the disk as at a station
    sqlalchemy.event.listen(made, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def chromium() -> Iterator[sync_api.Browser]:
    """One browser for all the tests of this process."""
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", help="keep the walk's pictures here (README's)")
