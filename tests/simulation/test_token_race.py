"""Real processes and Zalo's single-use refresh tokens: one refresh among many, and no consent lost to a kill."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import func, select

from gateway import consent, database, notices, safe, tables
from gateway.web import app as web_app
from tests import running, warm

pytestmark = pytest.mark.processes
THREADS, PROCESSES = 8, 4
NOTICES = 40


class Zalo(ThreadingHTTPServer):
    """The token endpoint alone: each refresh token works once. `cut` is called when the new pair is made."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Endpoint)
        self.taken: list[str] = []
        self.good, self.cut, self.lock = "r1", lambda: None, threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def renewed(self, token):
        with self.lock:
            self.taken.append(token)
            if token != self.good:
                return {"error": -14014, "error_name": "Invalid refresh token"}
            number = int(token[1:]) + 1
            self.good = f"r{number}"
        self.cut()
        return {"access_token": f"a{number}", "refresh_token": self.good, "expires_in": "90000"}


class _Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        answer = json.dumps(self.server.renewed(form["refresh_token"][0])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def zalo():
    made = Zalo()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def station(request, tmp_path, zalo):
    url = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
    made = running.environment(tmp_path, database=url, forked=True, GATEWAY_ZALO__OAUTH_BASE=zalo.url)
    yield made
    made.close()


@pytest.fixture
def connected(station):
    """Migrated, with the pair a1, r1; the engine."""
    engine = database.connect(station.config.database.url)
    database.migrate(engine)
    with database.writing(engine) as session:
        consent.finish(session, station.config, ("a1", "r1", 90_000), "test", web_app.seconds_now())
    yield engine
    engine.dispose()


class Asker:
    """A process that stands ready to renew, and its two pipes."""

    def __init__(self, environ):
        reads, ours = os.pipe()
        theirs, writes = os.pipe()
        with open(os.devnull, "w") as nothing:
            files = (reads, writes, nothing.fileno())
            self.process = warm.starter().start("tests.simulation.asker", (), environ, files)
        os.close(reads)
        os.close(writes)
        self.stdin, self.stdout = os.fdopen(ours, "w"), os.fdopen(theirs)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        for pipe in (self.stdin, self.stdout):
            with suppress(BrokenPipeError):
                pipe.close()


@contextmanager
def askers(station, count):
    started = [Asker(station.environ) for _ in range(count)]
    try:
        assert [one.stdout.readline() for one in started] == ["ready\n"] * count
        yield started
    finally:
        for one in started:
            one.close()


def told(asker, used, threads=1):
    asker.stdin.write(f"{used} {threads}\n")
    asker.stdin.flush()


def kept(engine, station):
    """The tokens in the database, opened."""
    box = safe.of(station.config)
    with database.reading(engine) as session:
        row = session.get(tables.ZaloToken, station.config.zalo.oa_id)
        return box.open(row.access_token), box.open(row.refresh_token)


def spooled(station):
    return sorted(one.name for one in station.folder.glob("zalo_tokens.*"))


def test_of_many_threads_in_many_processes_one_refreshes(station, zalo, connected):
    with askers(station, PROCESSES) as started:
        for one in started:
            told(one, "a1", THREADS)
        assert [one.stdout.readline() for one in started] == [f"a2 {THREADS}\n"] * PROCESSES
    assert zalo.taken == ["r1"] and kept(connected, station) == ("a2", "r2") and spooled(station) == []


@pytest.mark.timeout(180)
def test_two_workers_and_two_webs_find_the_token_expired_and_one_refresh_is_made(station):
    """The program's own processes before the sandbox's Zalo, which takes a refresh token once, too."""
    station.environ["GATEWAY_ZALO__OAUTH_BASE"] = station.sandbox_url
    station.settle()
    station.sandbox()
    station.connect_zalo()
    engine = database.connect(station.config.database.url)
    now = web_app.seconds_now()
    with database.writing(engine) as session:
        session.get(tables.ZaloToken, station.config.zalo.oa_id).access_until = now - 1
        data = {"number": "042", "place": "An Mỹ", "minutes": "30"}
        planned = [
            notices.Planned(f"b{n}", "missed", f"+849051{n:05d}", data, now, now + 9_000)
            for n in range(NOTICES)
        ]
        notices.plan_all(session, planned, ("zalo", "esms"), now)
    for name, port in (("web1", station.environ["GATEWAY_WEB__PORT"]), ("web2", str(running.free_port()))):
        alive = f"http://127.0.0.1:{port}/readyz"
        station.start(name, "web", alive=alive, GATEWAY_WEB__PORT=port)
    for name in ("work1", "work2"):
        station.spawn(name, "work")
    running.until(lambda: delivered(engine) == NOTICES, 120, "the delivery of every notice")
    lines = (station.folder / "sandbox" / "zalo-tokens.jsonl").read_text().splitlines()
    assert [row["kind"] for row in map(json.loads, lines)].count("spent") == 1
    with database.reading(engine) as session:
        assert set(session.scalars(select(tables.Attempt.channel))) == {"zalo"}
        row = session.get(tables.ZaloToken, station.config.zalo.oa_id)
        assert (row.generation, row.refused_at, row.lost_reason) == (2, 0, "")
    engine.dispose()


def delivered(engine):
    with database.reading(engine) as session:
        return session.scalar(
            select(func.count()).select_from(tables.Notice).where(tables.Notice.state == "delivered")
        )


@pytest.mark.timeout(120)
def test_killed_between_zalo_s_answer_and_the_commit_the_next_process_has_the_new_pair(
    station, zalo, connected
):
    held = Held(connected)
    zalo.cut = held.hold
    with askers(station, 1) as (victim,):
        told(victim, "a1")
        running.until(lambda: spooled(station), what="the spool")
        victim.kill()  # SIGKILL, while it waits for the database to take its commit
    held.free()
    zalo.cut = lambda: None
    assert kept(connected, station) == ("a1", "r1")
    with askers(station, 2) as started:
        for one in started:
            told(one, "a1", THREADS)
        assert [one.stdout.readline() for one in started] == [f"a2 {THREADS}\n"] * 2
    assert zalo.taken == ["r1"] and kept(connected, station) == ("a2", "r2") and spooled(station) == []


class Held:
    """Keeps the database from taking a commit of anybody else's on the token's row."""

    def __init__(self, engine):
        self._url = engine.url
        self.free: Callable[[], None] = lambda: None

    def hold(self):
        if self._url.get_backend_name() == "sqlite":
            link = sqlite3.connect(self._url.database, isolation_level=None, check_same_thread=False)
            link.execute("BEGIN IMMEDIATE")
        else:
            link = psycopg.connect(_plain(self._url))
            link.execute("SELECT * FROM zalo_tokens FOR UPDATE")
        self.free = link.close


def _plain(url):
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.mark.postgres
@pytest.mark.timeout(120)
@pytest.mark.parametrize("station", ["postgresql"], indirect=True)
def test_the_database_goes_away_with_zalo_s_answer_the_process_is_killed_and_nothing_is_lost(
    station, zalo, connected
):
    name = connected.url.database
    admin = psycopg.connect(_plain(connected.url.set(database="postgres")), autocommit=True)

    def cut():
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    zalo.cut = cut
    with askers(station, 1) as (victim,):
        told(victim, "a1")
        running.until(lambda: spooled(station), what="the spool")
        victim.kill()
    zalo.cut = lambda: None
    with pytest.raises(sqlalchemy.exc.OperationalError):
        kept(connected, station)
    admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    admin.close()
    with askers(station, 1) as (heir,):
        told(heir, "a1")
        assert heir.stdout.readline() == "a2 1\n"
    assert zalo.taken == ["r1"] and kept(connected, station) == ("a2", "r2") and spooled(station) == []
