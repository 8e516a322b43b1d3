"""Whole days of the notice engine under a virtual clock, with everything going wrong at once.

`make test` runs a few seeds with fewer people; `make soak` runs two hundred with a thousand.
"""

from __future__ import annotations

import os
import random

import pytest
from sqlalchemy import event

from gateway import database, notices, tables
from gateway.rules import hours, settings
from tests.simulation.world import World, drawn

SEEDS = range(int(os.environ.get("ENGINE_SEEDS", "2")))
PEOPLE = int(os.environ.get("ENGINE_PEOPLE", "400"))
KINDS = ("appointment", "missed", "near", "called")


@pytest.fixture(scope="module")
def migrated(tmp_path_factory):
    """An empty database to copy: migrating takes longer than a simulated hour."""
    file = tmp_path_factory.mktemp("engine") / "empty.db"
    engine = database.connect(f"sqlite:///{file}")
    database.migrate(engine)
    engine.dispose()
    return file.read_bytes()


@pytest.fixture
def engine_of(migrated, tmp_path):
    opened = []

    def make(name):
        file = tmp_path / f"{name}.db"
        file.write_bytes(migrated)
        engine = database.connect(f"sqlite:///{file}")
        # No power fails here: whole processes die, and what they committed is in the file
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.dispose()


@pytest.fixture
def config():
    templates = {kind: {"id": "1", "params": {"so": "{number}"}} for kind in KINDS}
    return settings.read({"zalo": {"templates": templates}, "sms": {"providers": ["esms", "modem"]}}, {})


def afternoon(eight):
    """Five to three, the day before."""
    return eight + 7 * 3_600 - 300


def plan(engine, config, rng, start):
    """Some hundred things to say: most of them tomorrow's numbers, some that cannot wait; a quarter by user id."""
    ladder = notices.ladder(config)
    planned = []
    for n in range(PEOPLE):
        kind = rng.choices(KINDS, [90, 4, 3, 3])[0]
        due = start + (300 if kind == "appointment" else rng.randrange(0, 5 * 3_600))
        lasting = {
            "appointment": rng.randrange(17, 24) * 3_600,
            "missed": 1_800,
            "near": 1_200,
            "called": 120,
        }
        data = {"number": f"{n:03d}", "place": "An Mỹ", "counter": "Quầy 2", "minutes": "30"}
        phone, user_id = f"+849051{n:05d}", f"u{n}" if n % 4 == 0 else None
        planned.append(
            notices.Planned(f"{kind}:{n}", kind, phone, data, due, due + lasting[kind], zalo_user_id=user_id)
        )
    with database.writing(engine) as session:
        for n in range(0, PEOPLE, 8):  # half of those whose user id is known have spoken lately, or a while ago
            seen = start - rng.choice([1, 60]) * 3_600
            session.add(tables.ZaloUser(id=f"u{n}", seen_at=seen, created_at=seen))
        session.flush()
        ids = notices.plan_all(session, planned, ladder, start)
    assert len(set(ids)) == PEOPLE
    return ids


def withdraw(world, ids):
    """Some change their minds."""
    policy = notices.policy(world.config)
    for notice_id in world.rng.sample(ids, round(world.day.cancelled * PEOPLE)):
        with database.writing(world.engine) as session:
            notices.cancel(session, notice_id, world.now, policy)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_notice_ends_in_time_with_its_reason_and_none_is_given_twice_to_a_channel(
    seed, engine_of, config, eight, record_property
):
    engine, start = engine_of(f"day{seed}"), afternoon(eight)
    ids = plan(engine, config, random.Random(seed), start)
    world = World(engine, config, seed, start)
    withdraw(world, ids)
    world.run()
    broken = list(world.judged())
    counted = world.counted()
    world.close()
    print(f"\nseed {seed}: {dict(counted)}; {world.day}")
    record_property("counted", dict(counted))
    assert broken == []
    assert sum(counted[state] for state in ("delivered", "failed", "expired", "cancelled")) == PEOPLE


def test_a_seed_names_a_day_s_faults():
    """Notices get ids by chance, so two runs of a seed have the same faults and not the same steps."""
    assert [drawn(random.Random(seed), 0) for seed in range(20)] == [
        drawn(random.Random(seed), 0) for seed in range(20)
    ]
    assert len({drawn(random.Random(seed), 0) for seed in range(20)}) == 20


def test_a_day_without_faults_reaches_everybody_once(engine_of, config, eight):
    engine, start = engine_of("calm"), afternoon(eight)
    plan(engine, config, random.Random(1), start)
    world = World(engine, config, 1, start)
    world.day = type(world.day)(*[0.0] * 8, None, None, None, False, 0.0, 0.0)
    world.run()
    assert list(world.judged()) == []
    assert world.counted()["delivered"] == PEOPLE
    assert world.counted()["reached twice"] == 0
    assert {channel for _, channel in world.sends} == {"zalo_cs", "zalo_uid", "zalo"}
    assert hours.day_of(world.now, config.station.zone) == hours.day_of(start, config.station.zone)
    world.close()
