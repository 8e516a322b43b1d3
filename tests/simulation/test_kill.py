"""kill -9 of everything in the middle of a night's sending: every notice still ends, none is lost or doubled.

`make test` has eighty notices, of which some are waiting and some handed over at the kill; `make soak` has two hundred.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway import database, registrations, tables
from gateway.rules import hours
from gateway.rules.lifecycle.notice import FINAL
from tests import running

pytestmark = pytest.mark.processes
PEOPLE = int(os.environ.get("KILL_NOTICES", "80"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def station(request, tmp_path):
    made = running.environment(
        tmp_path,
        request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None,
        forked=True,
        GATEWAY_ZALO__CONCURRENCY="4",
        GATEWAY_NOTICES__LEASE="5",
        GATEWAY_NOTICES__UNKNOWN_WAIT="3",
        GATEWAY_NOTICES__RECEIPT_WAIT="6",
    )
    yield made
    made.close()


def test_every_notice_survives_kill_9_of_everything(station):
    station.settle()
    # However fast or slow this machine is today, the kill comes before the last notice and before the first receipt
    alive = f"{station.sandbox_url}/phones"
    station.start("sandbox", "sandbox", alive=alive, GATEWAY_SANDBOX__RECEIPT_DELAY="60")
    station.connect_zalo()
    station.start("serve", "serve", alive=f"{station.url}/readyz", GATEWAY_ZALO__PER_MINUTE="120")
    engine = database.connect(station.config.database.url)
    day = register(engine, station.config, PEOPLE)
    printed = station.command("number", day.isoformat()).stdout
    assert f"{PEOPLE} số, {PEOPLE} tin báo" in printed

    running.until(lambda: attempts(engine) >= PEOPLE // 5, what="the first attempts")
    for name in ("serve", "sandbox"):
        station.kill(name)
    caught = states(engine)
    assert sum(count for state, count in caught.items() if state not in FINAL) >= PEOPLE // 4, caught
    assert 0 < caught["created"] < PEOPLE, caught

    station.sandbox()
    station.serve()
    running.until(lambda: all(state in FINAL for state in states(engine)), 60, "the end of every notice")
    final = states(engine)
    assert sum(final.values()) == PEOPLE
    assert final["delivered"] == PEOPLE, final
    doubled = [
        (phone, via)
        for phone, messages in station.phones().items()
        for via, count in Counter(one["via"] for one in messages).items()
        if count > 1
    ]
    assert doubled == []
    assert tries_on(engine, "zalo") == [1] * PEOPLE
    print(f"\nat the kill: {dict(caught)}; at the end: {dict(final)}")


def register(engine, config, people):
    """So many people for tomorrow, each with a phone of their own."""
    with database.writing(engine) as session:
        now = session.scalar(select(func.min(tables.Shift.opens_at))) + 60
        day = hours.day_of(now, config.station.zone) + timedelta(days=1)
        shifts = session.scalars(select(tables.Shift.id).filter_by(day=day)).all()
        for place in range(people):
            asked = registrations.Request(
                f"Người số {place}",
                f"+849051{place:05d}",
                (registrations.Person(f"Người số {place}", "new"),),
                "đồng ý",
                shift_id=shifts[place % 2],
            )
            made = registrations.register(session, asked, config, now)
            assert isinstance(made, tables.Registration), made
    return day


def attempts(engine):
    with database.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(tables.Attempt))


def states(engine):
    with database.reading(engine) as session:
        return Counter(session.scalars(select(tables.Notice.state)))


def tries_on(engine, channel):
    wanted = select(func.count()).select_from(tables.Attempt).where(tables.Attempt.channel == channel)
    with database.reading(engine) as session:
        return list(session.scalars(wanted.group_by(tables.Attempt.notice_id)))
