"""Thousands of notices on PostgreSQL, two processes that send, and a kill -9 of one of them five times over.

`make test` has five hundred notices, which five kills meet in full swing; `make soak` has five thousand.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter, defaultdict

import pytest
from sqlalchemy import func, select

from gateway import database, notices, tables
from gateway.rules.lifecycle.notice import FINAL
from gateway.web import app as web_app
from tests import running

pytestmark = [pytest.mark.processes, pytest.mark.postgres]
NOTICES = int(os.environ.get("ENGINE_NOTICES", "500"))
KILLS = 5


@pytest.fixture
def station(tmp_path, postgresql_url):
    made = running.environment(
        tmp_path,
        database=postgresql_url,
        forked=True,
        GATEWAY_NOTICES__LEASE="6",
        GATEWAY_NOTICES__UNKNOWN_WAIT="5",
        GATEWAY_NOTICES__RECEIPT_WAIT="30",
        GATEWAY_ZALO__CONCURRENCY="8",
    )
    yield made
    made.close()


@pytest.mark.timeout(300)
def test_nothing_is_lost_and_only_what_was_in_flight_at_a_kill_goes_by_another_channel(station):
    station.command("migrate")
    station.command("example")
    station.sandbox()
    station.connect_zalo()
    station.start("web", "web", alive=f"{station.url}/readyz")
    engine = database.connect(station.config.database.url)
    for name in ("work1", "work2"):
        station.spawn(name, "work")
    plan(engine)

    rng, in_flight = random.Random(5), set()
    for turn in range(1, KILLS + 1):
        share = turn * NOTICES // (KILLS + 2)
        running.until(lambda share=share: ended(engine) >= share, 120, f"{share} ends")
        victim = rng.choice(("work1", "work2"))
        station.kill(victim)
        in_flight |= handing_over(engine)
        station.spawn(victim, "work")
    running.until(lambda: ended(engine) == NOTICES, 180, "the end of every notice")

    final = states(engine)
    assert set(final) <= {state.value for state in FINAL}
    assert final["delivered"] == NOTICES, final
    via = received(station.folder)
    assert len(via) == NOTICES
    doubled = {phone for phone, ways in via.items() if any(count > 1 for count in ways.values())}
    assert doubled == set()
    twice = {phone for phone, ways in via.items() if len(ways) > 1}
    assert twice <= in_flight
    print(
        f"\n{KILLS} kills; {len(in_flight)} in flight at them, {len(twice)} people reached twice (Zalo and SMS); "
        f"{dict(final)}"
    )


def received(folder):
    """Phone → how often by which way, from the ledger of the town's phones."""
    via = defaultdict(Counter)
    for row in (folder / "sandbox" / "messages.jsonl").read_text(encoding="utf-8").splitlines():
        message = json.loads(row)
        via[message["phone"]][message["via"]] += 1
    return via


def plan(engine):
    now = web_app.seconds_now()
    data = {"number": "042", "place": "An Mỹ", "minutes": "30"}
    planned = [
        notices.Planned(f"b{n}", "missed", f"+849051{n:05d}", data, now, now + 9_000) for n in range(NOTICES)
    ]
    with database.writing(engine) as session:
        notices.plan_all(session, planned, ("zalo", "esms"), now)


def ended(engine):
    with database.reading(engine) as session:
        return session.scalar(
            select(func.count()).select_from(tables.Notice).where(tables.Notice.final_at.is_not(None))
        )


def handing_over(engine):
    """The phones of what was being handed over: what becomes of it nobody can know."""
    wanted = select(tables.Notice.phone).join(tables.Attempt, tables.Attempt.notice_id == tables.Notice.id)
    with database.reading(engine) as session:
        return set(session.scalars(wanted.where(tables.Attempt.state == "handing_over")))


def states(engine):
    with database.reading(engine) as session:
        return Counter(session.scalars(select(tables.Notice.state)))
