"""The modem's lane beside others who send through the same modem. `make bench` prints the tables.

The stand-in modem takes a part as fast as it can and reports it at once, so what is measured is the sender. Beside
ours, which is the whole durable engine on SQLite until every notice is delivered by its reports, run Debian's
gammu-smsd and smstools3, unchanged, and a bare loop of AT commands that keeps nothing. Only ratios within one run
are asserted; on a machine that others keep busy, those that hang on the CPU are printed and not judged.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from gateway import database
from tests.bench import gammu, measuring, modems, smstools
from tests.bench.measuring import Spent
from tests.running import until

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]
NOTICES = 2_000  # of three parts: a third
THEIRS = 12  # messages: others do one to four a second
LADDER = ("modem",)
BARE, READY, OURS, SENT = "bare loop", "… PDUs made before", "ours, delivered", "ours, handed over"


@pytest.mark.parametrize("parts", [1, 3], ids=["one-part", "three-parts"])
def test_the_lane_is_a_hundred_times_gammu_and_half_a_bare_loop(tmp_path, parts):
    count = NOTICES // parts
    rates: dict[str, list[float]] = {BARE: [], READY: [], OURS: [], SENT: []}
    idle, waits = [], []
    for _ in range(3):
        rates[BARE].append(count / (bare := loop(tmp_path, count, parts, "coding")).seconds)
        rates[READY].append(count / loop(tmp_path, count, parts, "ready").seconds)
        spent, handed_over, waited = ours(tmp_path, count, parts)
        rates[OURS].append(count / spent.seconds)
        rates[SENT].append(handed_over)
        idle.append(bare.idle)
        waits += waited
    theirs = {name: daemon(run, tmp_path / name, parts) for name, run in others().items()}
    shown(parts, count, rates, theirs, waits)
    if gammu.installed():
        assert statistics.median(rates[OURS]) >= 100 * theirs["gammu-smsd"]
    if statistics.median(idle) < 0.15:
        pytest.skip(f"other programs use this machine: the loop left only {100 * min(idle):.0f} % of it idle")
    assert measuring.ratio(rates[OURS], rates[BARE]) >= 0.5
    assert statistics.median(waits) < 0.002


def others() -> dict[str, Callable]:
    found = {"gammu-smsd": gammu, "smstools3": smstools}
    missing = [name for name, module in found.items() if not module.installed()]
    if missing:
        print(f"\nnot installed, so not measured: {', '.join(missing)} (bash .ci/packages bench)")
    return {name: module.running for name, module in found.items() if module.installed()}


def loop(folder: Path, count: int, parts: int, how: str) -> Spent:
    with (
        modems.stand_in(folder) as modem,
        measuring.started(("tests.bench.bare_at", modem.link, count, parts, how)) as ended,
    ):
        spent = ended()
        assert len(modem.taken()) == count * parts
    return spent


def ours(folder: Path, count: int, parts: int) -> tuple[Spent, float, Sequence[float]]:
    """Until delivered; messages a second that the modem took; seconds that it waited for us after each part."""
    with modems.stand_in(folder) as modem, measuring.database_of_one_s_own("sqlite", folder, "") as url:
        engine = database.connect(url)
        database.migrate(engine)
        measuring.plan(engine, "m", count, ladder=LADDER)
        with measuring.started(("tests.bench.modem_run", url, modem.link, parts, "delivered")) as ended:
            spent = ended()
        assert measuring.ended_as(engine) == {"delivered": count}
        engine.dispose()
        taken, last = modem.taken(), modem.ended()
    assert (len(taken), last["doubled"], last["orphans"], last["violations"]) == (count * parts, 0, 0, [])
    return spent, modems.span(taken, parts), last["idle"]


def daemon(running: Callable, folder: Path, parts: int) -> float:
    """Messages a second of another implementation, by what the modem took of it."""
    folder.mkdir()
    wanted, limit = THEIRS * parts, time.monotonic() + 120
    with modems.stand_in(folder) as modem, running(folder / "spool", modem.link, parts, THEIRS):
        until(lambda: len(modem.taken()) >= wanted or time.monotonic() > limit, 130, what="their sending")
        taken = modem.taken()
    assert len(taken) >= wanted, f"{len(taken)} of {wanted} parts in two minutes"
    return modems.span(taken, parts)


def shown(
    parts: int, count: int, rates: dict[str, list[float]], theirs: dict[str, float], waits: Sequence[float]
):
    medians = {name: statistics.median(each) for name, each in rates.items()} | theirs
    floor, least = medians[BARE], medians.get("gammu-smsd", 0.0)
    rows = [
        (
            name,
            f"{rate:.2f}" if rate < 10 else f"{rate:.0f}",
            f"{rate / floor:.3f}",
            f"{rate / least:.1f}" if least else "",
        )
        for name, rate in medians.items()
    ]
    title = f"{count} messages of {parts} parts through one modem ({THEIRS} by each other daemon)"
    measuring.show(title, [("", "messages/s", "of the loop", "× gammu-smsd"), *rows])
    cuts = statistics.quantiles(waits, n=100)
    print(
        f"the modem waited for ours after a part: median {1e3 * cuts[49]:.2f} ms, 90 % {1e3 * cuts[89]:.2f} ms, "
        f"99 % {1e3 * cuts[98]:.2f} ms"
    )
