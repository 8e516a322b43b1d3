"""A limit of the operating system on a running gateway, and faults of a server that no test can bring about gently.

Its own process, its own files: what the disk refuses there is refused by the kernel (EFBIG, which SQLite calls
a disk I/O error). PostgreSQL raises its own codes itself, so they come the way they come at a station.
"""

from __future__ import annotations

import resource
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import sqlalchemy
from sqlalchemy import select

from gateway import database, storage, tables
from tests import running

ROOM = 256 * 1024  # bytes that a file may still grow: for a few rows, not for many
TRIES = 200


@pytest.fixture
def station(tmp_path):
    made = running.environment(tmp_path, forked=True)
    made.start("web", "web", alive=f"{made.url}/readyz")
    yield made
    made.close()


def fill(station):
    """From now on no file of the gateway's may become much larger than its largest is now."""
    most = max(file.stat().st_size for file in station.folder.glob("gateway.db*"))
    limit(station, most + ROOM)


def limit(station, most):
    process = station.processes["web"].pid
    resource.prlimit(process, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


def callback(station, n):
    """eSMS tells of message `n`; the answer."""
    secret = station.environ["GATEWAY_SMS__ESMS__CALLBACK_SECRET"]
    return requests.get(f"{station.url}/webhooks/esms/{secret}?SMSID={n}&SendStatus=5", timeout=20)


def notify(station, program, n):
    """A program asks to tell somebody; the answer."""
    time = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    data = {"name": "An", "number": "042", "place": "An Mỹ", "time": time.isoformat()}
    body = {"to": {"phone": f"+84905{n:06d}"}, "kind": "appointment", "data": data}
    own = {"Idempotency-Key": f"limit-{n}"}
    return program.post(f"{station.url}/api/v1/notices", json=body, headers=own, timeout=20)


def is_away(answer):
    return answer.status_code == 503 and answer.headers["Content-Type"] == "application/problem+json"


def told_until_refused(call):
    """Numbers of what was accepted before the storage refused one; that one's number is the next."""
    for n in range(TRIES):
        answer = call(n)
        if answer.status_code >= 400:
            assert n and is_away(answer) and answer.headers["Retry-After"] == "5", answer.text
            return list(range(n))
    raise AssertionError("the limit was never met")


def stored(station, column):
    engine = sqlalchemy.create_engine(station.environ["GATEWAY_DATABASE__URL"])
    with engine.connect() as connection:
        found = connection.scalars(select(column)).all()
    engine.dispose()
    return sorted(found)


def test_when_the_kernel_lets_nothing_be_written_callers_are_told_503_and_afterwards_all_goes_on(station):
    program = station.key(scope="notices")
    fill(station)
    told = told_until_refused(lambda n: callback(station, n))
    assert is_away(notify(station, program, 0))
    running.until(lambda: requests.get(f"{station.url}/readyz", timeout=20).status_code == 503)
    assert requests.get(f"{station.url}/healthz", timeout=20).status_code == 200
    limit(station, resource.RLIM_INFINITY)
    running.until(lambda: requests.get(f"{station.url}/readyz", timeout=20).status_code == 200)
    assert callback(station, len(told)).status_code == 200
    assert notify(station, program, 0).status_code == 202
    assert stored(station, tables.Receipt.provider_ref) == sorted(str(n) for n in range(len(told) + 1))
    assert stored(station, tables.Notice.phone) == ["+84905000000"]


def test_what_was_accepted_before_the_limit_outlives_a_kill_under_it(station):
    fill(station)
    told = told_until_refused(lambda n: callback(station, n))
    station.kill("web")
    assert set(map(str, told)) <= set(stored(station, tables.Receipt.provider_ref))


STORAGE_S = {
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "55P03": "lock not available",
    "57014": "cancelled",
    "57P01": "admin shutdown",
    "57P03": "cannot connect now",
    "58030": "io error",
    "25006": "read only",
    "40001": "serialization failure",
    "40P01": "deadlock",
    "XX001": "data corrupted",
    "08006": "connection failure",
}
OURS = ("23505", "23502", "22001", "22P05", "42601", "42P01", "42703", "42501", "P0001")


def raised(engine, code):
    with pytest.raises(sqlalchemy.exc.DBAPIError) as caught, database.writing(engine) as session:
        session.connection().exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
    return caught.value


@pytest.fixture
def server(postgresql_url):
    engine = database.connect(postgresql_url)
    yield engine
    engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("code", STORAGE_S, ids=STORAGE_S.get)
def test_what_postgresql_says_of_itself_is_the_storage_s_fault(server, code):
    assert storage.is_away(raised(server, code))


@pytest.mark.postgres
@pytest.mark.parametrize("code", OURS)
def test_what_postgresql_says_of_a_statement_is_ours(server, code):
    assert not storage.is_away(raised(server, code))


@pytest.mark.postgres
def test_no_connection_left_in_the_pool_is_the_storage_s_fault(postgresql_url):
    one = sqlalchemy.create_engine(postgresql_url, pool_size=1, max_overflow=0, pool_timeout=0.05)
    with (
        one.connect(),
        pytest.raises(sqlalchemy.exc.TimeoutError) as caught,
        database.reading(one) as session,
    ):
        session.execute(sqlalchemy.text("SELECT 1"))
    assert storage.is_away(caught.value)
    one.dispose()


def test_a_server_that_refuses_connections_is_the_storage_s_fault(tmp_path):
    nobody = database.connect(f"postgresql+psycopg://gateway@127.0.0.1:{running.free_port()}/none")
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught, database.reading(nobody) as session:
        session.execute(sqlalchemy.text("SELECT 1"))
    assert storage.is_away(caught.value)


def test_a_file_that_is_no_database_is_the_storage_s_fault(tmp_path: Path):
    file = tmp_path / "gateway.db"
    file.write_bytes(b"not a database, not at all" * 400)
    engine = database.connect(f"sqlite:///{file}")
    with pytest.raises(sqlalchemy.exc.DatabaseError) as caught, database.reading(engine) as session:
        session.execute(sqlalchemy.text("SELECT 1 FROM notices"))
    assert storage.is_away(caught.value)
