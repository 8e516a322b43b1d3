"""The migrated schema is the declared schema, on both databases."""

from __future__ import annotations

import alembic.command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from gateway import database, notices, tables
from gateway.notices import barriers
from gateway.rules import settings
from gateway.worker.timetable import Timetable


def test_the_migrated_schema_is_the_declared_one(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.Table.metadata) == []


def test_migrating_again_changes_nothing(engine):
    database.migrate(engine)
    assert database.is_current(engine)


def test_a_notice_that_was_open_at_the_change_is_still_sent(tmp_path, eight):
    """Revision 0002 gives every notice a ladder of its own; those before it have none."""
    engine = database.connect(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.connect() as connection:
        alembic.command.upgrade(database._alembic(connection), "0001")
    with database.writing(engine) as session:
        session.execute(text(OLD_NOTICE), {"now": eight, "deadline": eight + 9_000})
    database.migrate(engine)
    config = settings.read({"zalo": {"templates": {"missed": {"id": "1"}}}}, {})
    Timetable(engine, config).look(eight)
    terms = notices.Terms(notices.policy(config), barriers.policy(config), 10)
    with database.writing(engine) as session:
        (task,), _ = notices.claim_due(session, {"zalo": notices.Room(5, 0)}, terms, "w", eight)
    assert (task.notice_id, task.channel, task.last) == ("n_old", "zalo", False)
    engine.dispose()


OLD_NOTICE = """
INSERT INTO notices (id, key, kind, phone, language, data, urgent, state, rung, tries, due, deadline, reason,
                     reached_twice, created_at, changed_at)
VALUES ('n_old', 'missed:1', 'missed', '+84905123456', 'vi', '{"number": "042"}', 0, 'created', 0, 0, :now,
        :deadline, '', 0, :now, :now)
"""
