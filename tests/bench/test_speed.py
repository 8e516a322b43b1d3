"""How fast it is, as ratios to a floor measured in the same run. `make bench` prints the table.

No time is asserted: machines differ. What must hold is that our own share stays in proportion to the floor.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests
from sqlalchemy import func, select

from gateway import database, notices, tables
from tests import running

pytestmark = pytest.mark.processes
PRESSES, NOTICES, AT_ONCE = 60, 240, 16


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


def test_notices_beside_a_bare_loop_of_the_same_posts(station):
    """Floor: the same POSTs to the same stand-in by a pool of sessions that keeps no state at all."""
    engine = database.connect(station.config.database.url)
    with database.reading(engine) as session:
        token = session.scalar(select(tables.ZaloToken.access_token))
    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert all(pool.map(lambda n: bare(station.sandbox_url, token, n), range(NOTICES)))
    floor = NOTICES / (time.perf_counter() - began)
    began = time.perf_counter()
    plan(engine, station.config)
    running.until(lambda: delivered(engine) == NOTICES, 30, "the delivery of every notice")
    ours = NOTICES / (time.perf_counter() - began)
    print(
        f"\nbare loop {floor:.0f}/s; numbered, sent, receipted and durable {ours:.0f}/s; ratio {ours / floor:.2f}"
    )
    assert ours > 0.05 * floor


def plan(engine, config):
    """Write all notices down in one transaction, as a night's numbering does."""
    now = int(time.time())
    data = {"number": "042", "place": "An Mỹ"}
    with database.writing(engine) as session:
        for n in range(NOTICES):
            planned = notices.Planned(f"b{n}", "missed", f"+849051{n:05d}", data, now, now + 9_000)
            notices.plan(session, planned, ("zalo", "esms"), now)


LOCAL = threading.local()


def bare(url, token, n):
    if not hasattr(LOCAL, "session"):
        LOCAL.session = requests.Session()
    body = {
        "phone": f"849050{n:05d}",
        "template_id": "100003",
        "template_data": {"so": "042", "noi": "An Mỹ"},
        "tracking_id": f"bare_{n}",
    }
    answer = LOCAL.session.post(
        f"{url}/message/template", json=body, headers={"access_token": token}, timeout=20
    )
    return answer.json()["error"] == 0


def delivered(engine):
    with database.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(tables.Notice).filter_by(state="delivered"))


def report(what, seconds):
    milliseconds = sorted(1_000 * one for one in seconds)
    worst = milliseconds[-1]
    print(
        f"\n{what}: median {statistics.median(milliseconds):.1f} ms, worst {worst:.1f} ms, n {len(milliseconds)}",
        end="",
    )
