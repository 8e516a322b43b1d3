"""Running what is measured, each in processes of its own, and the table of it.

Two runs are compared only within one round, one after the other on the same machine; over several rounds the
median of the ratios counts. A machine that is busy with other things slows both.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import sqlalchemy
from sqlalchemy import Engine, func, insert, select

from gateway import database, notices, tables
from tests.conftest import free_port
from tests.running import ROOT, answers, until

AT_ONCE = 32
LADDER = ("zalo", "esms")


@dataclass(frozen=True)
class Spent:
    """What a run took: wall seconds, CPU seconds of all its processes, the largest one's memory in MB.

    `idle` is the share of the machine's CPU that nobody used meanwhile.
    """

    seconds: float
    cpu: float
    rss: float
    idle: float


@dataclass(frozen=True)
class Provider:
    url: str

    def ask(self, what: str) -> Any:
        return requests.get(f"{self.url}/{what}", timeout=20).json()


@contextmanager
def provider(delay: int, refused: int = 0) -> Iterator[Provider]:
    """A provider in a process of its own that answers after `delay` ms and refuses so many of a hundred."""
    port = free_port()
    words = [sys.executable, "-m", "tests.bench.provider", *map(str, (port, delay, refused))]
    process = subprocess.Popen(words, cwd=ROOT)
    try:
        made = Provider(f"http://127.0.0.1:{port}")
        until(lambda: answers(f"{made.url}/seen"), what="the provider's start")
        yield made
    finally:
        process.kill()
        process.wait()


def printed(*words: object) -> Mapping[str, Any]:
    """Run a module of the bench to its end; the JSON it printed."""
    command = [sys.executable, "-m", *map(str, words)]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)


@contextmanager
def started(*commands: Sequence[object]) -> Iterator[Callable[[], Spent]]:
    """Processes that begin together, when all are ready; call what you get to wait for their end."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen([sys.executable, "-m", *map(str, one)], **pipes) for one in commands]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        before = _ticks()
        yield lambda: _spent(processes, before)
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _spent(processes: Sequence[subprocess.Popen], before: tuple[int, int]) -> Spent:
    told = [json.loads(process.stdout.readline()) for process in processes]
    idle, total = (after - start for after, start in zip(_ticks(), before, strict=True))
    for process in processes:
        process.wait(timeout=60)
    return Spent(
        max(one["seconds"] for one in told),
        sum(one["cpu"] for one in told),
        max(one["rss"] for one in told),
        idle / max(1, total),
    )


def _ticks() -> tuple[int, int]:
    """The machine's ticks since it started: idle ones (with waiting for the disk), and all (proc(5), /proc/stat)."""
    numbers = [int(one) for one in Path("/proc/stat").read_text(encoding="ascii").split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)


def floor(at: Provider, count: int, processes: int = 1, how: str = "requests") -> Spent:
    at.ask("reset")
    share = count // processes
    commands = [("tests.bench.floor", at.url, n * share, share, AT_ONCE, how) for n in range(processes)]
    with started(*commands) as ended:
        return ended()


def worker(url: str, at: Provider, until_state: str) -> tuple[object, ...]:
    return ("tests.bench.engine_run", url, at.url, AT_ONCE, until_state)


def engine(url: str, at: Provider, count: int, *, workers: int = 1, receipts: bool = False) -> Spent:
    """The product's run over `count` notices, in an empty database; everything in it checked afterwards."""
    at.ask("reset")
    made = database.connect(url)
    database.migrate(made)
    plan(made, "b", count)
    command = worker(url, at, "delivered" if receipts else "sent")
    with started(*[command] * workers) as ended, postman(made, at, receipts):
        spent = ended()
    states = ended_as(made)
    made.dispose()
    assert states == {"delivered" if receipts else "sent": count}, states
    assert at.ask("seen")["doubled"] == 0
    return spent


def plan(engine: Engine, prefix: str, count: int, first: int = 0, ladder: Sequence[str] = LADDER) -> None:
    """Write notices down in one transaction, as a night's numbering does."""
    now = int(time.time())
    planned = [
        notices.Planned(
            f"{prefix}{n}",
            "missed",
            f"+849051{n % 100_000:05d}",
            {"number": f"{n % 100_000:05d}", "place": "An Mỹ", "minutes": "30"},
            now,
            now + 9_000,
        )
        for n in range(first, first + count)
    ]
    with database.writing(engine) as session:
        notices.plan_all(session, planned, ladder, now)


@contextmanager
def postman(engine: Engine, at: Provider, busy: bool) -> Iterator[None]:
    """Bring receipts into the database while the run goes on, from this process, as `notices.store_receipt` writes
    them, but many at once: the web's own speed is not what is measured."""
    over = threading.Event()

    def bring() -> None:
        while not over.wait(0.1):
            taken, now = at.ask("receipts"), int(time.time())
            if taken:
                with database.writing(engine) as session:
                    session.execute(insert(tables.Receipt), [_receipt(*one, now) for one in taken])
                    database.ring(session)

    thread = threading.Thread(target=bring)
    if busy:
        thread.start()
    try:
        yield
    finally:
        over.set()
        if busy:
            thread.join()


def _receipt(channel: str, reference: str, now: int) -> Mapping[str, Any]:
    """As the webhook stores a delivery that it understood."""
    return {
        "channel": channel,
        "key": f"{channel}:user_received_message:{reference}",
        "event": "user_received_message",
        "reference": reference,
        "provider_ref": reference,
        "delivered": True,
        "code": "",
        "body": "{}",
        "at": now,
        "due": now,
        "done_at": None,
        "outcome": "",
    }


def ended_as(engine: Engine) -> dict[str, int]:
    wanted = select(tables.Notice.state, func.count()).group_by(tables.Notice.state)
    with database.reading(engine) as session:
        return dict(Counter(dict(session.execute(wanted).all())))


@contextmanager
def database_of_one_s_own(kind: str, folder: Path, server: str) -> Iterator[str]:
    """The address of an empty database on SQLite or on the PostgreSQL server."""
    name = f"bench_{time.time_ns()}"
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    there = sqlalchemy.create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with there.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    yield f"{server}/{name}"
    with there.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    there.dispose()


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median over rounds of ours to theirs."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Standing:
    """How a way of sending did over several rounds, beside the floor of the same rounds."""

    rate: float
    cpu: float  # ms a notice
    rss: float  # MB
    idle: float
    of_floor: float
    cpu_of_floor: float

    def row(self, name: str) -> tuple[str, ...]:
        return (
            name,
            f"{self.rate:.0f}",
            f"{self.of_floor:.2f}",
            f"{self.cpu:.2f}",
            f"{self.cpu_of_floor:.2f}",
            f"{self.rss:.0f}",
            f"{100 * self.idle:.0f} %",
        )


HEAD = ("", "notices/s", "of the loop", "CPU ms", "of the loop", "RSS MB", "machine idle")


def standing(count: int, spent: Sequence[Spent], beside: Sequence[Spent]) -> Standing:
    return Standing(
        rate=statistics.median(count / one.seconds for one in spent),
        cpu=statistics.median(1_000 * one.cpu / count for one in spent),
        rss=statistics.median(one.rss for one in spent),
        idle=statistics.median(one.idle for one in spent),
        of_floor=ratio([1 / one.seconds for one in spent], [1 / one.seconds for one in beside]),
        cpu_of_floor=ratio([one.cpu for one in spent], [one.cpu for one in beside]),
    )


def show(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print a table with its heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n\n{title}\n{machine()}")
    for row in rows:
        first, *rest = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        print("  ".join([first, *(text.strip().rjust(len(text)) for text in rest)]))


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    python, file = platform.python_version(), sqlite3.sqlite_version
    return f"({cores} cores of {platform.machine()} shared by all processes, Python {python}, SQLite {file})"
