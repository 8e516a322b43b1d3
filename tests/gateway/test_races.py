"""Registering, moving and cancelling while the numbers are being given, on PostgreSQL with real transactions."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select

from gateway import database, example, notices, registrations, tables
from gateway.rules import hours

pytestmark = pytest.mark.postgres
AN = "+84905123456"


@pytest.fixture
def engine(postgresql_url):
    made = database.connect(postgresql_url)
    database.migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def tomorrow(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
    return hours.day_of(eight, config.station.zone) + timedelta(days=1)


def ask(config, day, name="Nguyễn An", site="TK1", phone=AN):
    return registrations.Request(
        name, phone, (registrations.Person(name, "new"),), "đồng ý", site=site, day=day
    )


def shift_id(engine, day, site="TK1"):
    with database.reading(engine) as session:
        return registrations.shifts_of(session, day, site)[0].id


def while_numbers_are_given(engine, config, eight, shift, act):
    """Run `act(session)` in a second transaction that meets the first one's lock; the first then commits."""
    waiting, done = threading.Event(), []

    def second():
        waiting.set()
        with database.writing(engine) as session:
            done.append(act(session))

    with database.writing(engine) as session:
        registrations.give_numbers(session, shift, config, eight)
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        wait_for_a_lock(engine)
    thread.join(20)
    return done[0]


def wait_for_a_lock(engine):
    """Until some transaction of this database waits for another one."""
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    for _ in range(2_000):
        with engine.connect() as connection:
            if connection.exec_driver_sql(blocked).scalar():
                return
        threading.Event().wait(0.005)
    raise AssertionError("nobody waits")


def test_who_registers_while_the_numbers_are_given_gets_one_too(engine, config, eight, tomorrow):
    shift = shift_id(engine, tomorrow)
    act = lambda session: registrations.register(session, ask(config, tomorrow), config, eight)  # noqa: E731
    made = while_numbers_are_given(engine, config, eight, shift, act)
    assert isinstance(made, tables.Registration)
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Ticket.number)).all() == ["001"]
        assert session.scalars(select(tables.Notice.kind)).all() == ["appointment"]


def test_cancelling_while_the_numbers_are_given_cancels_the_ticket_and_the_notice(
    engine, config, eight, tomorrow
):
    with database.writing(engine) as session:
        made = registrations.register(session, ask(config, tomorrow), config, eight)

    def act(session):
        mine = session.get_one(tables.Registration, made.id)
        return registrations.cancel(session, mine, None, notices.policy(config), eight, "citizen")

    assert while_numbers_are_given(engine, config, eight, shift_id(engine, tomorrow), act) == 1
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Ticket.state)).all() == ["cancelled"]
        assert session.scalars(select(tables.Notice.state)).all() == ["cancelled"]


def test_moving_while_the_numbers_are_given_is_refused_and_the_number_stays(engine, config, eight, tomorrow):
    with database.writing(engine) as session:
        made = registrations.register(session, ask(config, tomorrow), config, eight)
    later = shift_id(engine, tomorrow + timedelta(days=1))

    def act(session):
        return registrations.move(
            session, session.get_one(tables.Registration, made.id), later, config, eight
        )

    moved = while_numbers_are_given(engine, config, eight, shift_id(engine, tomorrow), act)
    assert isinstance(moved, registrations.Fault)
    with database.reading(engine) as session:
        person = session.scalars(select(tables.Applicant)).one()
        assert (person.shift_id, person.state) == (shift_id(engine, tomorrow), "numbered")


def test_one_person_at_two_sites_at_once_is_registered_once(engine, config, eight, tomorrow):
    together, made = threading.Barrier(2), []

    def register(site):
        together.wait()
        with database.writing(engine) as session:
            made.append(registrations.register(session, ask(config, tomorrow, site=site), config, eight))

    threads = [threading.Thread(target=register, args=(site,)) for site in ("TK1", "TK2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(isinstance(one, tables.Registration) for one in made) == [False, True]
