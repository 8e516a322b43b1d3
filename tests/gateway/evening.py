"""An officer before an evening's hundred notices: the fixtures and the reading that the tests of sending share."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, tables
from gateway.notices.barriers import HELD
from tests.gateway import browsing, mixed


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def app(sqlite, config, now):
    return browsing.station(config, sqlite, now)


def signed_in(app, name):
    made = browsing.Visitor(app)
    made.sign_in(name)
    return made


@pytest.fixture
def officer(app):
    return signed_in(app, "binh")


@pytest.fixture
def admin(app):
    return signed_in(app, "chi")


@pytest.fixture
def hundred(app, sqlite, config, now):
    """An evening's hundred notices; their ids."""
    return mixed.evening(sqlite, now[0], config.station.zone)


def rows(engine, *conditions):
    with database.reading(engine) as session:
        return session.scalars(select(tables.Notice).where(*conditions).order_by(tables.Notice.id)).all()


def lost(engine):
    return [row.id for row in rows(engine, tables.Notice.state == "failed", tables.Notice.handled == "")]


def held(engine):
    return [row.id for row in rows(engine, tables.Notice.reason.startswith(HELD))]


def row(engine, notice_id):
    with database.reading(engine) as session:
        return session.get(tables.Notice, notice_id)


def audited(engine, action):
    with database.reading(engine) as session:
        found = session.scalars(select(tables.Audit).filter_by(action=action).order_by(tables.Audit.id))
        return [(one.actor, one.subject) for one in found]


def snapshot(engine):
    with database.reading(engine) as session:
        return session.execute(select(*tables.Notice.__table__.c).order_by(tables.Notice.id)).all()


def act(visitor, how, *ids, path="/act"):
    return visitor.post(f"/admin/delivery{path}", {"act": how, "notice": list(ids)}, "/admin/delivery/search")
