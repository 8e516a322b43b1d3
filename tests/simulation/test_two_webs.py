"""Two web processes on PostgreSQL: staff who press Next at the same instant never get the same person.

`make test` presses sixty times together, `make soak`
two hundred times.
"""

from __future__ import annotations

import os
import threading

import pytest
import requests

from tests import running
from tests.conftest import free_port

pytestmark = [pytest.mark.processes, pytest.mark.postgres]
TURNS = int(os.environ.get("NEXT_TURNS", "60"))


@pytest.fixture
def station(tmp_path, postgresql_url):
    made = running.environment(tmp_path, database=postgresql_url, forked=True)
    yield made
    made.close()


def test_two_staff_press_next_at_the_same_instant_again_and_again(station):
    station.settle()
    staff = station.key()
    addresses = [start_web(station, f"web{n}") for n in (1, 2)]
    for _ in range(2 * TURNS):
        made = staff.post(f"{addresses[0]}/api/v1/sites/TK1/tickets", json={"service": "new"}, timeout=10)
        assert made.status_code == 201, made.text
    counters = staff.get(f"{addresses[0]}/api/v1/sites/TK1/counters", timeout=10).json()["counters"]
    called: dict[int, list[str]] = {0: [], 1: []}
    together = threading.Barrier(2, timeout=30)

    def press(which: int) -> None:
        with requests.Session() as session:
            session.headers.update(staff.headers)
            for _ in range(TURNS):
                together.wait()
                path = f"/api/v1/counters/{counters[which]['id']}/next"
                called[which].append(session.post(addresses[which] + path, timeout=20).json()["number"])

    threads = [threading.Thread(target=press, args=(which,)) for which in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = sorted(f"A{n:03d}" for n in range(1, 2 * TURNS + 1))
    assert sorted(called[0] + called[1]) == expected
    for which in (0, 1):  # each counter was given people in the order they came
        assert called[which] == sorted(called[which])


def start_web(station, name):
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    station.start(name, "web", alive=f"{url}/readyz", GATEWAY_WEB__PORT=port)
    return url


def test_sixteen_clients_at_two_processes_never_share_a_number(station):
    station.settle()
    staff = station.key()
    addresses = [start_web(station, f"web{n}") for n in (1, 2)]
    numbers: list[str] = []

    def take(which: int) -> None:
        with requests.Session() as session:
            session.headers.update(staff.headers)
            for _ in range(10):
                path = f"{addresses[which % 2]}/api/v1/sites/TK1/tickets"
                numbers.append(session.post(path, json={"service": "new"}, timeout=20).json()["number"])

    threads = [threading.Thread(target=take, args=(which,)) for which in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == sorted(f"A{n:03d}" for n in range(1, 161))
