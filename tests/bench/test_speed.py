"""How fast it is, as ratios to a floor measured in the same run. `make bench` prints the table.

No time is asserted: machines differ. What must hold is that our own share stays in proportion to the floor.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from contextlib import suppress

import pytest
import requests

from tests import running

pytestmark = pytest.mark.processes
PRESSES = 60


@pytest.fixture
def station(tmp_path):
    made = running.environment(tmp_path)
    made.command("example")
    made.sandbox()
    made.connect_zalo()
    made.serve()
    yield made
    made.close()


def test_from_next_to_the_board_beside_a_bare_request(station):
    """Floor: a request that touches nothing, over the same server."""
    staff = station.key()
    for _ in range(PRESSES):
        staff.post(
            f"{station.url}/api/v1/sites/TK1/tickets", json={"service": "new"}, timeout=10
        ).raise_for_status()
    seen: dict[str, float] = {}
    listening = threading.Event()
    threading.Thread(target=listen, args=(station.url, seen, listening), daemon=True).start()
    assert listening.wait(10)
    floor, pressed, shown = [], [], []
    for _ in range(PRESSES):
        began = time.perf_counter()
        staff.get(f"{station.url}/healthz", timeout=10)
        floor.append(time.perf_counter() - began)
        began = time.perf_counter()
        number = staff.post(f"{station.url}/api/v1/counters/1/next", timeout=10).json()["number"]
        pressed.append(time.perf_counter() - began)
        running.until(lambda number=number: number in seen, what=f"{number} on the board")
        shown.append(seen[number] - began)
    report("bare request", floor)
    report("Next, answered", pressed)
    report("Next to the board's event", shown)
    assert statistics.median(shown) < 100 * statistics.median(floor)


def listen(url, seen, listening):
    with (
        suppress(requests.RequestException),  # the server is stopped while we listen
        requests.get(f"{url}/api/v1/sites/TK1/stream", stream=True, timeout=60) as stream,
    ):
        for row in stream.iter_lines(chunk_size=1):
            listening.set()
            if row.startswith(b"data: "):
                for one in json.loads(row[6:])["called"]:
                    seen.setdefault(one["number"], time.perf_counter())


def report(what, seconds):
    milliseconds = sorted(1_000 * one for one in seconds)
    worst = milliseconds[-1]
    print(
        f"\n{what}: median {statistics.median(milliseconds):.1f} ms, worst {worst:.1f} ms, n {len(milliseconds)}",
        end="",
    )
