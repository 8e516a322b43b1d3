"""The notice engine beside a bare loop of the same POSTs in the same run. `make bench` prints the tables.

The floor is a pool of threads with a `requests` session each that keeps no state at all. What is asserted is a
ratio to it, with slack below what a quiet machine shows: it fails on a real loss, not on a busy neighbour. On
a machine that others keep busy speeds are printed and not judged; CPU at 100 ms is.
CPU is that of the sending processes; the database server's and the provider's own are not in it.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import pytest
import requests

from gateway import database, notices
from tests.bench import measuring
from tests.bench.measuring import AT_ONCE, LADDER, Spent, Standing
from tests.running import until

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(1_800)]
NOTICES = 5_000
BARE, OWN, LITE, POST = "bare loop", "… over our connections", "SQLite FULL", "PostgreSQL"


@pytest.mark.parametrize(
    "receipts, refused", [(False, 0), (True, 20)], ids=["plain", "receipts-and-fallback"]
)
def test_at_the_speed_of_a_wire_of_100_ms(postgresql, tmp_path, receipts, refused):
    with measuring.provider(100, refused) as at:
        stood = compared(at, tmp_path, postgresql, receipts, rounds=3)
    shown(stood, "providers that answer in 100 ms", receipts, refused)
    assert stood[LITE].cpu_of_floor <= 1.6 and stood[POST].cpu_of_floor <= 2.0
    judge_speed_only_on_a_quiet_machine(stood[BARE], 0.5)
    least = 0.85 if receipts else 0.9  # the last receipts come after the last POST
    assert stood[LITE].of_floor >= least and stood[POST].of_floor >= least


@pytest.mark.parametrize(
    "receipts, refused", [(False, 0), (True, 20)], ids=["plain", "receipts-and-fallback"]
)
def test_providers_that_answer_at_once_do_not_wait_long_for_the_rows(postgresql, tmp_path, receipts, refused):
    with measuring.provider(0, refused) as at:
        stood = compared(at, tmp_path, postgresql, receipts, rounds=5)
    shown(stood, "providers that answer at once", receipts, refused)
    judge_speed_only_on_a_quiet_machine(stood[BARE], 0.15)
    # Receipts are written by another process, which the loop does not have to share the cores with
    lite, post = (0.35, 0.2) if receipts else (0.5, 0.35)
    assert stood[LITE].of_floor >= lite and stood[POST].of_floor >= post


def judge_speed_only_on_a_quiet_machine(bare: Standing, least: float) -> None:
    """The loop needs one process; the engine, its database and the receipts need several to be given CPU at once."""
    if bare.idle < least:
        pytest.skip(f"other programs use this machine: the loop left only {100 * bare.idle:.0f} % of it idle")


def compared(at, folder: Path, server: str, receipts: bool, rounds: int) -> dict[str, Standing]:
    """Floor and engine in turns, `rounds` times."""
    spent: dict[str, list[Spent]] = {BARE: [], OWN: [], LITE: [], POST: []}
    for _ in range(rounds):
        spent[BARE].append(measuring.floor(at, NOTICES))
        for name, kind in ((LITE, "sqlite"), (POST, "postgresql")):
            with measuring.database_of_one_s_own(kind, folder, server) as url:
                spent[name].append(measuring.engine(url, at, NOTICES, receipts=receipts))
        spent[OWN].append(measuring.floor(at, NOTICES, how="exchange"))
    return {name: measuring.standing(NOTICES, each, spent[BARE]) for name, each in spent.items()}


def shown(stood: dict[str, Standing], what: str, receipts: bool, refused: int) -> None:
    more = f", {refused} of 100 refused by Zalo, every receipt settled" if receipts else ""
    title = f"{NOTICES} notices, {AT_ONCE} at a time, {what}{more}"
    measuring.show(title, [measuring.HEAD, *(one.row(name) for name, one in stood.items())])


@pytest.mark.parametrize("delay", [100, 0], ids=["in 100 ms", "at once"])
def test_a_second_worker_on_postgresql_nearly_doubles_it(postgresql, tmp_path, delay):
    """Where the CPU allows it: a worker, the database's server and a provider at once may fill a machine already."""
    floors: dict[int, list[Spent]] = {1: [], 2: []}
    engines: dict[int, list[Spent]] = {1: [], 2: []}
    with measuring.provider(delay) as at:
        for _ in range(3):
            for many in (1, 2):
                floors[many].append(measuring.floor(at, NOTICES, processes=many))
                with measuring.database_of_one_s_own("postgresql", tmp_path, postgresql) as url:
                    engines[many].append(measuring.engine(url, at, NOTICES, workers=many))
    rows = [
        measuring.standing(NOTICES, each[many], floors[1]) for each in (floors, engines) for many in (1, 2)
    ]
    names = ("bare loop", "two bare loops", "one worker", "two workers")
    title = f"{NOTICES} notices on PostgreSQL, {AT_ONCE} at a time each, providers: {delay} ms"
    measuring.show(title, [measuring.HEAD, *(row.row(name) for name, row in zip(names, rows, strict=True))])
    gain, could, idle = rows[3].rate / rows[2].rate, rows[1].rate / rows[0].rate, rows[2].idle
    print(
        f"two workers {gain:.2f} × one, which left {100 * idle:.0f} % idle; two bare loops {could:.2f} × one"
    )
    assert gain >= (1.5 if idle >= 0.5 else 0.9)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_urgent_notice_overtakes_a_bulk_of_five_thousand(postgresql, tmp_path, kind):
    with (
        measuring.provider(100) as at,
        measuring.database_of_one_s_own(kind, tmp_path, postgresql) as url,
    ):
        engine = database.connect(url)
        database.migrate(engine)
        measuring.plan(engine, "b", NOTICES)
        with measuring.started(measuring.worker(url, at, "sent")) as ended:
            until(lambda: at.ask("seen")["references"] > 200, what="the bulk's sending")
            committed, bare = called(engine, at, 30)
            assert at.ask("seen")["references"] < NOTICES  # the bulk was there to be overtaken
            ended()
        first = at.ask("first")
        engine.dispose()
    took = {
        "the worker's first POST": [1_000 * (first[phone[-9:]] - then) for phone, then in committed.items()],
        "a bare POST at that moment": [1_000 * (first[phone[-9:]] - then) for phone, then in bare.items()],
    }
    rows = [
        (what, *(f"{of(each):.0f}" for of in (statistics.median, min, max))) for what, each in took.items()
    ]
    title = f"an urgent notice behind a bulk of {NOTICES}, from its commit, {kind}, providers: 100 ms"
    measuring.show(title, [("", "median ms", "least", "most"), *rows])
    ours, theirs = map(statistics.median, took.values())
    assert ours <= 100 + 5 * theirs


def called(engine, at, many: int) -> tuple[dict[str, float], dict[str, float]]:
    """Call so many people one after another; when each one's notice was committed, and when a bare POST began."""
    committed, bare = {}, {}
    for n in range(many):
        now, phone, other = int(time.time()), f"+849080{n:05d}", f"849070{n:05d}"
        data = {"number": f"{n:05d}", "counter": "1", "place": "An Mỹ"}
        planned = notices.Planned(f"u{n}", "called", phone, data, now, now + 120)
        with database.writing(engine) as session:
            notices.plan(session, planned, LADDER, now)
        committed[phone] = time.time()
        time.sleep(0.13)  # people are called at moments that fit no rhythm of ours
        bare[other] = time.time()
        requests.post(f"{at.url}/message/template", json={"phone": other, "tracking_id": other}, timeout=20)
    return committed, bare
