"""Real processes whose disk is full or whose database is killed: what they said yes to is there afterwards."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading

import pytest
import requests
import sqlalchemy

from gateway import database, tables
from tests import running

pytestmark = [pytest.mark.processes]
TRIES = 3_000


@pytest.fixture
def station(tmp_path):
    made = running.environment(tmp_path, forked=True)
    yield made
    made.close()


@pytest.fixture
def desk(station):
    """The pages alone, and a program at the desk."""
    staff = prepared(station)
    station.start("web", "web", alive=f"{station.url}/readyz")
    return staff


def prepared(station):
    station.settle()
    return station.key()


def take(staff, station, key):
    """Take a ticket; (status, number)."""
    answer = staff.post(
        f"{station.url}/api/v1/sites/TK1/tickets",
        json={"service": "new"},
        headers={"Idempotency-Key": key},
        timeout=20,
    )
    return answer.status_code, answer.json().get("number")


def post_receipt(station, n):
    path = f"/webhooks/esms/{running.SECRETS['GATEWAY_SMS__ESMS__CALLBACK_SECRET']}"
    return requests.get(
        f"{station.url}{path}?SMSID={n}&SendStatus=5&Text={'x' * 150}", timeout=20
    ).status_code


def found(engine, column):
    with database.reading(engine) as session:
        return set(session.scalars(sqlalchemy.select(column)))


def until_full(staff, station):
    """Take tickets and post receipts until both are refused; (numbers given, receipts taken, key refused)."""
    numbers, receipts, key = set(), set(), None
    told = set()
    for n in range(TRIES):
        if "ticket" not in told:
            status, number = take(staff, station, f"press-{n}")
            assert status in (201, 503)
            told |= {"ticket"} if status == 503 else set()
            key = f"press-{n}"
            numbers |= {number} if number else set()
        status = post_receipt(station, n)
        assert status in (200, 503)
        receipts |= {str(n)} if status == 200 else set()
        if status == 503 and "ticket" in told:
            return numbers, receipts, key
    raise AssertionError("the disk was never full")


def test_a_file_that_may_not_grow_refuses_what_it_cannot_hold_and_keeps_what_it_accepted(station, desk):
    web = station.processes["web"].pid
    size = max(path.stat().st_size for path in station.folder.glob("gateway.db*"))
    # The kernel's own limit for that process: SQLite meets EFBIG, which it calls a disk I/O error
    resource.prlimit(web, resource.RLIMIT_FSIZE, (size + 65_536, resource.RLIM_INFINITY))
    numbers, receipts, key = until_full(desk, station)
    running.until(lambda: requests.get(f"{station.url}/readyz", timeout=5).status_code == 503)
    assert requests.get(f"{station.url}/healthz", timeout=5).status_code == 200
    resource.prlimit(web, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    running.until(lambda: requests.get(f"{station.url}/readyz", timeout=5).status_code == 200)
    everything_is_there(station, desk, numbers, receipts, key)


def everything_is_there(station, staff, numbers, receipts, key):
    status, number = take(staff, station, key)
    assert (status, number in numbers) == (201, False)
    engine = database.connect(station.config.database.url)
    assert found(engine, tables.Ticket.number) == numbers | {number}
    assert found(engine, tables.Receipt.provider_ref) == receipts
    engine.dispose()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 2 MB of its own, where the system lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_refuses_and_loses_nothing_and_serves_again_when_there_is_room(tmp_path, small_disk):
    station = running.environment(tmp_path, database=f"sqlite:///{small_disk / 'gateway.db'}", forked=True)
    try:
        staff = prepared(station)
        station.start("web", "web", alive=f"{station.url}/readyz")
        rest = shutil.disk_usage(small_disk).free
        (small_disk / "something else").write_bytes(b"x" * max(0, rest - 131_072))
        numbers, receipts, key = until_full(staff, station)
        running.until(lambda: requests.get(f"{station.url}/readyz", timeout=5).status_code == 503)
        (small_disk / "something else").unlink()
        running.until(lambda: requests.get(f"{station.url}/readyz", timeout=5).status_code == 200)
        everything_is_there(station, staff, numbers, receipts, key)
    finally:
        station.close()


@pytest.mark.postgres
def test_sessions_that_postgresql_ends_again_and_again_lose_nothing_that_was_accepted(
    tmp_path, postgresql, postgresql_url
):
    station = running.environment(tmp_path, database=postgresql_url, forked=True)
    try:
        staff = prepared(station)
        station.start("web", "web", alive=f"{station.url}/readyz")
        stop = threading.Event()
        killer = threading.Thread(target=end_sessions, args=(postgresql, postgresql_url, stop))
        killer.start()
        told = [(n, post_receipt(station, n), *take(staff, station, f"press-{n}")) for n in range(60)]
        stop.set()
        killer.join()
        assert {status for _, receipt, ticket, _ in told for status in (receipt, ticket)} <= {200, 201, 503}
        accepted = {str(n) for n, status, _, _ in told if status == 200}
        assert accepted <= {str(n) for n in range(60)} and accepted
        # With its own key again, a press that was refused gives the number that it may have had already
        numbers = [number or take(staff, station, f"press-{n}")[1] for n, _, _, number in told]
        engine = database.connect(postgresql_url)
        assert accepted <= found(engine, tables.Receipt.provider_ref)
        assert found(engine, tables.Ticket.number) == set(numbers)
        assert len(set(numbers)) == 60
        engine.dispose()
    finally:
        station.close()


def end_sessions(server_url, url, stop):
    """End every session of one database, many times a second."""
    name = sqlalchemy.make_url(url).database
    server = sqlalchemy.create_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        while not stop.wait(0.1):
            connection.exec_driver_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )
    server.dispose()
