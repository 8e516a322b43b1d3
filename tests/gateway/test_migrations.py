"""The migrated schema is the declared schema, on both databases."""

from __future__ import annotations

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from gateway import database, notices, safe, tables, tokens
from gateway.notices import barriers, suppressing
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


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_tokens_and_spared_phones_of_the_version_before_zalo_s_three_ways_live_on(
    request, tmp_path, eight, kind
):
    url = f"sqlite:///{tmp_path / 'old.db'}"
    engine = database.connect(url if kind == "sqlite" else request.getfixturevalue("postgresql_url"))
    with engine.connect() as connection:
        alembic.command.upgrade(database._alembic(connection), "0002")
    with database.writing(engine) as session:
        for old in (OLD_TOKEN, OLD_SUPPRESSION):
            session.execute(text(old), {"now": eight, "until": eight + 90_000})
    database.migrate(engine)
    box = safe.Safe("A" * 43)
    kept = tokens.Tokens(
        engine, "99", lambda _old: None, lambda: eight, safe=box, spool=safe.Spool(tmp_path / "s", "99", box)
    )
    assert kept.current() == "a1"
    with database.writing(engine) as session:
        row = session.get_one(tables.ZaloToken, "99")
        assert safe.is_sealed(row.refresh_token) and box.open(row.refresh_token) == "r1"
        assert (row.generation, row.refused_at, row.lost_reason) == (7, 0, "")
        assert set(suppressing.suppressed(session, "zalo", ["+84905123456"], eight)) == {"+84905123456"}
        suppressing.suppress(session, "zalo_uid", "5" * 40, eight + 9, "-244", "x / y", "provider", eight)
    engine.dispose()


OLD_TOKEN = """
INSERT INTO zalo_tokens (oa_id, access_token, refresh_token, previous_refresh_token, access_until, refreshed_at,
                         generation, refreshing_until, lost_reason)
VALUES ('99', 'a1', 'r1', 'r0', :until, :now, 7, 0, '')
"""
OLD_SUPPRESSION = """
INSERT INTO suppressions (channel, phone, until, code, reason, by, at)
VALUES ('zalo', '+84905123456', :until, '-118', 'x / y', 'provider', :now)
"""
