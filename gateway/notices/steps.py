"""Notices as the engine handles them: batches of plain rows, moved by the lifecycle, written back at once.

A batch is read with its rows locked, every row takes its step in memory, and the changed ones are written by
one statement. Nothing here decides; `rules.lifecycle.notice.step` does.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Select, TextClause, bindparam, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.hooks import outbox
from gateway.notices.words import storable
from gateway.rules import channels
from gateway.rules.lifecycle import notice as lifecycle
from gateway.rules.lifecycle.notice import FINAL, Event, Policy, State
from gateway.rules.settings import Settings

SEPARATOR = ","
_notices = tables.Notice.__table__
_c = _notices.c
COLUMNS = (
    _c.id,
    _c.kind,
    _c.phone,
    _c.zalo_user_id,
    _c.language,
    _c.data,
    _c.api_key_id,
    _c.urgent,
    _c.ladder,
    _c.state,
    _c.rung,
    _c.channel,
    _c.tries,
    _c.asked,
    _c.due,
    _c.deadline,
    _c.reason,
    _c.reached_twice,
    _c.created_at,
    _c.final_at,
)
_WRITE = (
    update(_notices)
    .where(_c.id == bindparam("row"))
    .values(
        {
            column: bindparam(f"new_{column.name}")
            for column in (
                _c.state, _c.rung, _c.channel, _c.tries, _c.asked, _c.due, _c.lease, _c.reason,
                _c.reached_twice, _c.changed_at, _c.final_at,
            )
        }
    )
)  # fmt: skip


_WRITE_JSON = text(
    """
    UPDATE notices SET state = j.new_state, rung = j.new_rung, channel = j.new_channel, tries = j.new_tries,
        asked = j.new_asked, due = j.new_due, lease = j.new_lease, reason = j.new_reason,
        reached_twice = j.new_reached_twice, changed_at = j.new_changed_at, final_at = j.new_final_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS j("row" text, new_state text, new_rung int,
        new_channel text, new_tries int, new_asked bool, new_due bigint, new_lease text, new_reason text,
        new_reached_twice bool, new_changed_at bigint, new_final_at bigint)
    WHERE notices.id = j."row"
    """
)
_LOCKED = (
    select(*COLUMNS).where(_c.id.in_(bindparam("ids", expanding=True))).order_by(_c.id).with_for_update()
)


def new_id(prefix: str) -> str:
    """An id that sorts by time and cannot be guessed: prefix, 12 hex digits of milliseconds, 20 of chance."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def rows(session: Session, wanted: Select, **given: Any) -> Sequence[Row]:
    """The rows of a statement that was built once: building one anew costs more than running it."""
    return session.connection().execute(wanted, given).all()


def locked(session: Session, ids: Iterable[str]) -> dict[str, Row]:
    """These notices by id, locked in one order: two workers that lock one by one would wait for each other."""
    wanted = sorted(set(ids))
    return {row.id: row for row in rows(session, _LOCKED, ids=wanted)} if wanted else {}


def written(session: Session, statement: Any, as_json: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write many rows by one statement: on SQLite row by row, which costs nothing there; on PostgreSQL as one
    JSON parameter, which takes a third of the time."""
    if database.on_postgresql(session):
        session.execute(as_json, {"rows": json.dumps(rows)})
    else:
        many(session, statement, rows)


def many(session: Session, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """One statement for many rows, each with all of its parameters: whole numbers, texts, truths or None."""
    connection = session.connection()
    if connection.dialect.name != "sqlite":
        connection.execute(statement, rows)
        return
    # Past SQLAlchemy, which looks at every parameter of every row: a fifth of a turn's time
    text_of, constants = _plain(statement)
    connection.exec_driver_sql(text_of, [{**constants, **row} for row in rows] if constants else list(rows))


@lru_cache(maxsize=64)
def _plain(statement: Any) -> tuple[str, Mapping[str, Any]]:
    """A statement as SQLite's driver takes it, and the values that are written in it."""
    compiled = statement.compile(dialect=sqlite.dialect(paramstyle="named"))
    return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}


@dataclass
class Steps:
    """The steps of one transaction. `take` them, then `write` them; reading a notice again is not needed."""

    policy: Policy
    worker: str | None = None
    _before: dict[str, Row] = field(default_factory=dict)
    _after: dict[str, lifecycle.Notice] = field(default_factory=dict)

    def take(self, row: Row, event: Event, now: int) -> lifecycle.Notice:
        """One step of a locked row; several for one row follow each other."""
        before = self._after.get(row.id) or _standing(row)
        after = lifecycle.step(before, event, now, self.policy)
        if after is not before:
            self._before.setdefault(row.id, row)
            self._after[row.id] = after
        return after

    def write(self, session: Session, now: int) -> int:
        """Write what changed, and what programs are to be told of it. How many rows."""
        if not self._after:
            return 0
        changed = [self._values(self._before[key], after, now) for key, after in self._after.items()]
        written(session, _WRITE, _WRITE_JSON, changed)
        outbox.told(
            session,
            [
                _change(row, self._after[key], now)
                for key, row in self._before.items()
                if row.api_key_id is not None
            ],
        )
        self._before, self._after = {}, {}
        return len(changed)

    def _values(self, row: Row, after: lifecycle.Notice, now: int) -> Mapping[str, Any]:
        return {
            "row": row.id,
            "new_state": after.state.value,
            "new_rung": after.rung,
            "new_channel": channel_at(row.ladder, after.rung),
            "new_tries": after.tries,
            "new_asked": after.asked,
            "new_due": after.due,
            "new_lease": self.worker if after.state is State.SENDING else None,
            "new_reason": storable(after.reason, 200),
            "new_reached_twice": after.reached_twice,
            "new_changed_at": now,
            "new_final_at": row.final_at or (now if after.state in FINAL else None),
        }


def _standing(row: Row) -> lifecycle.Notice:
    return lifecycle.Notice(
        State(row.state),
        row.rung,
        row.ladder.count(SEPARATOR) + 1,
        row.tries,
        row.due,
        row.deadline,
        row.urgent,
        row.reason,
        row.reached_twice,
        row.asked,
    )


def ended(session: Session, row: tables.Notice, state: State, reason: str, now: int) -> None:
    """End a locked notice that has no rung left to take a step on, and tell whoever wants to know."""
    before, row.state, row.reason, row.final_at = row.state, state.value, reason, now
    if row.api_key_id is not None:
        about = (row.id, row.api_key_id, row.kind, before, row.state, row.channel, reason)
        outbox.told(session, [outbox.Change(*about, row.reached_twice, row.reached_twice, row.deadline, now)])


def _change(row: Row, after: lifecycle.Notice, now: int) -> outbox.Change:
    return outbox.Change(
        row.id,
        row.api_key_id,
        row.kind,
        row.state,
        after.state.value,
        channel_at(row.ladder, after.rung),
        after.reason,
        row.reached_twice,
        after.reached_twice,
        row.deadline,
        now,
    )


def channel_at(ladder: str, rung: int) -> str:
    """The channel of a rung; empty beyond the ladder's end."""
    names = ladder.split(SEPARATOR)
    return names[rung] if rung < len(names) else ""


def policy(config: Settings, fallback_by: int | None = None) -> Policy:
    """The `[notices]` numbers that the lifecycle needs."""
    own = config.notices
    return Policy(
        receipt_wait=own.receipt_wait,
        receipt_wait_urgent=own.receipt_wait_urgent,
        unknown_wait=own.unknown_wait,
        retries=own.retries,
        lease=own.lease,
        fallback_by=fallback_by,
    )


def ladder(config: Settings) -> tuple[str, ...]:
    """The channels in order, e.g. ("zalo_cs", "zalo_uid", "zalo", "esms", "modem").

    A notice leaves out what cannot reach its person: see `people.addressed`.
    """
    return channels.ladder(config)
