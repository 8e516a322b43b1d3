"""Writing a notice down, and withdrawing it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.notices import people, steps
from gateway.rules import channels
from gateway.rules.lifecycle.notice import Event, Happening, Policy, State
from gateway.rules.settings import Settings

_notices = tables.Notice.__table__
_INSERT = sqlite.insert(_notices).on_conflict_do_nothing().returning(_notices.c.id)
# One parameter instead of a quarter of a million: a batch of 10,000 takes a third of the time
_INSERT_JSON = text(
    "INSERT INTO notices SELECT * FROM jsonb_populate_recordset(NULL::notices, CAST(:rows AS jsonb))"
    " ON CONFLICT DO NOTHING RETURNING id"
)
HANDLED = frozenset({"called", "printed", "dropped"})


@dataclass(frozen=True)
class Planned:
    """What to tell whom. `key` makes the second planning of the same thing harmless; times are seconds.

    `urgent` None: as the kind is.
    """

    key: str
    kind: str
    phone: str
    data: Mapping[str, Any]
    due: int
    deadline: int
    language: str = "vi"
    zalo_user_id: str | None = None
    ticket_id: int | None = None
    api_key_id: int | None = None
    urgent: bool | None = None

    @property
    def at_once(self) -> bool:
        return self.kind in channels.URGENT if self.urgent is None else self.urgent


def plan(
    session: Session, planned: Planned, ladder: Sequence[str], now: int, by_shared_phone: bool = True
) -> str | None:
    """Write a notice down; its id, or None if one with this key exists already."""
    return plan_all(session, [planned], ladder, now, by_shared_phone)[0]


def plan_all(
    session: Session,
    planned: Sequence[Planned],
    ladder: Sequence[str],
    now: int,
    by_shared_phone: bool = True,
) -> list[str | None]:
    """Write notices down, in their order; an id for each, or None where its key exists already.

    `by_shared_phone`: a phone number may lead to the Zalo user who shared it (`[zalo] shared_phone`).
    """
    written = [
        _row(one, rungs, now)
        for one, rungs in people.addressed(session, planned, ladder, now, by_shared_phone)
    ]
    # RETURNING says which are new on both databases; the drivers' row counts do not
    fresh: set[str] = set()
    if database.on_postgresql(session):
        fresh.update(session.execute(_INSERT_JSON, {"rows": json.dumps(written)}).scalars())
    elif written:
        fresh.update(session.connection().execute(_INSERT, written).scalars())
    database.ring(session)
    return [row["id"] if row["id"] in fresh else None for row in written]


def _row(planned: Planned, ladder: Sequence[str], now: int) -> dict[str, Any]:
    return {
        "id": steps.new_id("n"),
        "key": planned.key,
        "kind": planned.kind,
        "phone": planned.phone,
        "zalo_user_id": planned.zalo_user_id,
        "language": planned.language,
        "data": dict(planned.data),
        "ticket_id": planned.ticket_id,
        "api_key_id": planned.api_key_id,
        "urgent": planned.at_once,
        "ladder": steps.SEPARATOR.join(ladder),
        "channel": ladder[0],
        "state": State.CREATED.value,
        "rung": 0,
        "tries": 0,
        "asked": False,
        "due": planned.due,
        "deadline": planned.deadline,
        "reason": "",
        "reached_twice": False,
        "created_at": now,
        "changed_at": now,
        "handled": "",
        "handled_by": "",
        "repeats": None,
    }


def cancel(
    session: Session, notice_id: str, now: int, policy: Policy, reason: str = ""
) -> tables.Notice | None:
    """Withdraw a notice; what was handed over already may still arrive. None if there is no such notice."""
    _cancel_all(session, [notice_id], now, policy, reason)
    return session.get(tables.Notice, notice_id, populate_existing=True)


def cancel_for_ticket(session: Session, ticket_id: int, now: int, policy: Policy) -> None:
    """Withdraw what a ticket's person was still to be told, also by a channel that is yet to follow."""
    ids = session.scalars(
        select(tables.Notice.id).where(tables.Notice.ticket_id == ticket_id, tables.Notice.final_at.is_(None))
    ).all()
    _cancel_all(session, ids, now, policy, "ticket_cancelled")


def _cancel_all(session: Session, ids: Sequence[str], now: int, policy: Policy, reason: str) -> None:
    taken = steps.Steps(policy)
    for row in steps.locked(session, ids).values():
        taken.take(row, Event(Happening.CANCEL, reason), now)
    taken.write(session, now)


def repeat(session: Session, notice_id: str, by: str, config: Settings, now: int) -> str | None:
    """Plan again what failed or expired, as a notice of its own: a final state is never overwritten.

    Its id; None if there is nothing to repeat, or it is too late for what it says.
    """
    old = session.get(tables.Notice, notice_id, with_for_update=True)
    if old is None or not worth_repeating(old, config, now):
        return None
    planned = Planned(
        key=f"repeat:{old.id}",
        kind=old.kind,
        phone=old.phone,
        data=old.data,
        due=now,
        deadline=_worth_until(old, config, now),
        language=old.language,
        zalo_user_id=old.zalo_user_id,
        ticket_id=old.ticket_id,
        api_key_id=old.api_key_id,
        urgent=old.urgent,
    )
    fresh = plan(session, planned, steps.ladder(config), now, config.zalo.shared_phone)
    if fresh is not None:
        session.get_one(tables.Notice, fresh).repeats = old.id
        old.handled, old.handled_by = "repeated", by[:80]
    return fresh


def worth_repeating(old: tables.Notice, config: Settings, now: int) -> bool:
    """Whether `repeat` would plan it again now."""
    return _lost(old) and old.phone != "" and now < _worth_until(old, config, now)


def _worth_until(old: tables.Notice, config: Settings, now: int) -> int:
    """An hour that has passed is not told again; anything else gets its kind's time anew."""
    lasting = {"called": config.notices.deadlines.called, "near": config.notices.deadlines.near}
    if old.kind in ("appointment", "reminder"):
        return old.deadline
    return max(old.deadline, now + lasting.get(old.kind, config.notices.deadlines.other))


def _lost(row: tables.Notice) -> bool:
    """Ended without reaching the person, and nobody has dealt with it."""
    return row.state in (State.FAILED, State.EXPIRED) and not row.handled


def handle(session: Session, notice_id: str, how: str, by: str, now: int) -> bool:
    """A person has dealt with one that did not arrive: `how` of HANDLED. False if there is nothing to handle."""
    row = session.get(tables.Notice, notice_id, with_for_update=True)
    if row is None or how not in HANDLED or not _lost(row):
        return False
    row.handled, row.handled_by, row.changed_at = how, by[:80], now
    return True
