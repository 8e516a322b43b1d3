"""A kiosk that loses its gateway prints on; what it printed is merged when the gateway is back, each once.

The station is made as an operator makes it, command by command. `make test` prints ten tickets without the gateway,
`make soak` thirty.
"""

from __future__ import annotations

import os
import time

import pytest
import requests
from sqlalchemy import select

from gateway import database, tables
from tests import running

pytestmark = pytest.mark.processes
PRESSES = int(os.environ.get("OFFLINE_PRESSES", "10"))


@pytest.fixture
def station(tmp_path):
    made = running.environment(tmp_path, forked=True, GATEWAY_KIOSK__LOCKOUT_SECONDS="0")
    yield made
    made.close()


def press(station, press_id):
    answer = requests.post(
        f"{station.kiosk_url}/press",
        json={"service": "new", "priority": False, "press_id": press_id},
        headers={"X-Requested-With": "kiosk"},
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["number"]


def start(station):
    station.command("example")
    station.sandbox()
    station.command("zalo", "token", "import", *station.tokens())
    station.serve()
    code = station.command("kiosk", "add", "K1", "--site", "TK1").stdout.splitlines()[-1]
    station.command("enrol", station.url, code, program="kiosk")
    station.kiosk()


def merged(engine):
    with database.reading(engine) as session:
        wanted = (
            select(tables.Ticket).filter_by(source="walk_in").order_by(tables.Ticket.due, tables.Ticket.seq)
        )
        return [ticket.number for ticket in session.scalars(wanted)]


def printed(station):
    return requests.get(f"{station.sandbox_url}/tickets", timeout=5).json()["tickets"]


def test_tickets_printed_without_the_gateway_stand_where_their_times_put_them(station):
    start(station)
    staff = station.key()
    engine = database.connect(station.config.database.url)
    assert press(station, "online-0001") == "B001"
    running.until(lambda: merged(engine) == ["B001"], what="the first ticket's arrival")
    before = staff.post(f"{station.url}/api/v1/sites/TK1/tickets", json={"service": "new"}, timeout=5).json()[
        "number"
    ]

    station.kill("serve")
    wait_for_another_second()
    offline = [press(station, f"offline-{n:04d}") for n in range(PRESSES)]
    assert press(station, "offline-0000") == offline[0]  # the same press again is the same ticket
    running.until(lambda: len(printed(station)) == PRESSES + 1, 120, "the printing of every ticket")
    wait_for_another_second()

    station.serve()
    after = staff.post(f"{station.url}/api/v1/sites/TK1/tickets", json={"service": "new"}, timeout=5).json()[
        "number"
    ]
    running.until(lambda: len(merged(engine)) == PRESSES + 3, 60, "the merging of every ticket")
    assert offline == [f"B{n:03d}" for n in range(2, PRESSES + 2)]
    assert merged(engine) == ["B001", before, *offline, after]
    status = requests.get(f"{station.kiosk_url}/status", timeout=5).json()
    running.until(
        lambda: requests.get(f"{station.kiosk_url}/status", timeout=5).json()["unsent"] == 0,
        what="all acknowledged",
    )
    assert status["series"] == "B"


def test_presses_survive_kill_9_of_the_kiosk_and_none_is_given_twice(station):
    start(station)
    engine = database.connect(station.config.database.url)
    given = []
    for life in range(3):
        given += [press(station, f"life{life}-{n:04d}") for n in range(5)]
        station.kill("kiosk")
        station.kiosk()
        given.append(press(station, f"life{life}-again"))
    assert given == [f"B{n:03d}" for n in range(1, len(given) + 1)]
    running.until(lambda: sorted(merged(engine)) == given, 60, "the merging of every ticket")


def wait_for_another_second():
    """Places are kept in whole seconds: let the next ticket fall into another one."""
    this = int(time.time())
    running.until(lambda: int(time.time()) > this)
