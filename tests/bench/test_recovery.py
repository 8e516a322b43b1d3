"""How long a modem's fault is felt: from its end to the next text on the air, ours and others beside it.

Minutes long, as the others take minutes: `BENCH_RECOVERY=1 make bench`. Somebody wants to send a text every half
second all the while; nobody is told of the fault.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway import database
from tests.bench import gammu, measuring, modems, smstools
from tests.running import until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(1_200),
    pytest.mark.skipif(not os.environ.get("BENCH_RECOVERY"), reason="takes minutes: BENCH_RECOVERY=1"),
]
EVERY = 0.5  # seconds between two texts
UNTOUCHED = 3  # seconds between two texts of a lane that has no fault
MOST = 120  # seconds that anybody is waited for
FAULTS: Mapping[str, tuple[Mapping[str, Any], float]] = {
    "20 s of silence": ({"do": "silence", "seconds": 20}, 15),
    "3 s unplugged": ({"do": "unplug", "seconds": 3}, 30),
    "a reboot of 3 s": ({"do": "reboot", "seconds": 3}, 15),
}
"""What is done to the modem, and the seconds in which ours must be well again."""


@pytest.mark.parametrize("fault", FAULTS)
def test_the_lane_is_well_again_soon_after(tmp_path, fault):
    told, limit = FAULTS[fault]
    took = {"ours": recovery(ours, tmp_path / "ours", told)}
    for name, module in (("gammu-smsd", gammu), ("smstools3", smstools)):
        if module.installed():
            took[name] = recovery(_daemon(module), tmp_path / name, told)
    rows = [
        (name, f"more than {MOST}" if seconds is None else f"{seconds:.1f}") for name, seconds in took.items()
    ]
    measuring.show(f"after {fault}: seconds to the next text on the air", [("", "s"), *rows])
    assert took["ours"] is not None and took["ours"] <= limit


def recovery(running: Callable, folder: Path, told: Mapping[str, Any]) -> float | None:
    """Seconds from the fault's end to the next part that the modem took; None where none came in time."""
    folder.mkdir()
    with modems.stand_in(folder) as modem, running(folder, modem.link) as put, _wanted(put):
        until(lambda: len(modem.taken()) >= 3, 60, what="their beginning")
        over = time.monotonic() + told["seconds"]
        modem.told(**told)
        end = over + MOST
        while time.monotonic() < end:
            after = [row["at"] for row in modem.taken() if row["at"] >= over]
            if after:
                return after[0] - over
            time.sleep(0.1)
    return None


@contextmanager
def _wanted(put: Callable[[int], None]) -> Iterator[None]:
    """Somebody wants to send, all the time."""
    over = threading.Event()

    def feed() -> None:
        n = 0
        while not over.wait(EVERY):
            put(n)
            n += 1

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def ours(folder: Path, link: Path) -> Iterator[Callable[[int], None]]:
    """The engine with two modems, of which the other has no fault and must not feel this one's."""
    with (
        modems.stand_in(folder) as other,
        measuring.database_of_one_s_own("sqlite", folder, "") as url,
    ):
        engine = database.connect(url)
        database.migrate(engine)

        def put(n: int) -> None:
            for lane in ("modem", "modem1"):
                measuring.plan(engine, lane, 1, first=n, ladder=(lane,))

        with measuring.started(("tests.bench.modem_run", url, f"{link},{other.link}", 1, "killed")):
            yield put
        engine.dispose()
        moments = [row["at"] for row in other.taken()]
    longest = max(after - before for before, after in pairwise(moments))
    print(
        f"\na text every {EVERY} s by another lane of ours: {len(moments)} sent, the longest gap {longest:.1f} s"
    )
    assert longest <= UNTOUCHED


def _daemon(module: Any) -> Callable:
    @contextmanager
    def running(folder: Path, link: Path) -> Iterator[Callable[[int], None]]:
        with module.running(folder / "spool", link, 1, 0):
            yield lambda n: module.put(folder / "spool", 1, n)

    return running
