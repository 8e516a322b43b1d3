"""What every test may ask for: an empty database on SQLite and on a real PostgreSQL, a moment, free ports."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy

from gateway import database
from gateway.rules import settings
from gateway.rules.settings import Settings

# 24/11/2026, 08:00 at the station: every test that needs a moment starts from the same one
EIGHT = int(datetime(2026, 11, 24, 1, 0, tzinfo=UTC).timestamp())


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
    template = request.getfixturevalue("migrated_template")
    with _database(request.getfixturevalue("postgresql"), template) as url:
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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="FOLDER", help="keep the walk's pictures here (README's)")
