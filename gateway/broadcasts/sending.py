"""A round written down, sent, followed and withdrawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import access, delivery, notices, tables
from gateway.broadcasts import audience as audiences
from gateway.broadcasts import looking
from gateway.broadcasts.audience import Audience, Person
from gateway.broadcasts.looking import KIND, Preview, Words
from gateway.notices import steps
from gateway.rules import channels
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.rules.settings import Settings

SHOWN = 50
AT_ONCE = 500  # notices withdrawn in one transaction: the engine writes in between
FOREVER = 4_102_444_800


class State(StrEnum):
    DRAFT = "draft"  # nobody is told anything
    SENT = "sent"  # planned: the engine tells everybody
    CANCELLED = "cancelled"  # thrown away, or what was not told yet withdrawn


class Outcome(StrEnum):
    SENT = "sent"  # planned by this call
    ALREADY = "already"  # planned before: nothing was done twice
    CHANGED = "changed"  # somebody came or left, or the words are others: look again
    LATE = "late"  # nothing would arrive in time
    MISCOUNTED = "miscounted"  # whoever confirmed typed another number of people
    EMPTY = "empty"  # there is nobody to tell
    NO_DRAFT = "no_draft"  # thrown away meanwhile


@dataclass(frozen=True)
class Draft:
    """What is to be told, to whom, and from when on (`due` None: as soon as it is confirmed)."""

    title: str
    place: str
    address: str
    day: date | None
    url: str
    audience: Audience
    due: int | None = None


def write(
    session: Session, draft: Draft, by: str, now: int, broadcast_id: int | None = None
) -> tables.Broadcast | None:
    """Keep a draft, a new one or in place of an older; None if that one is no draft any more."""
    row = tables.Broadcast(made_by=by[:80], made_at=now, state=State.DRAFT.value)
    if broadcast_id is not None:
        found = session.get(tables.Broadcast, broadcast_id, with_for_update=True)
        if found is None or found.state != State.DRAFT:
            return None
        row = found
    row.title, row.place, row.address = draft.title, draft.place, draft.address
    row.day, row.url, row.due = draft.day, draft.url, draft.due
    row.audience = audiences.stored(draft.audience)
    session.add(row)
    session.flush()
    access.audit(session, now, by, "round.write", f"round:{row.id}")
    return row


def newest(session: Session) -> Sequence[tables.Broadcast]:
    """The last rounds, newest first."""
    return session.scalars(select(tables.Broadcast).order_by(tables.Broadcast.id.desc()).limit(SHOWN)).all()


def send(
    session: Session,
    broadcast_id: int,
    mark: str,
    people: int | None,
    config: Settings,
    words: Words,
    by: str,
    now: int,
) -> tuple[Outcome, Preview | None]:
    """Plan a round for exactly the people and words that `mark` stands for, if whoever confirms knows how many
    `people` they are. With it comes what the round is now, where it is a draft."""
    row = session.get(tables.Broadcast, broadcast_id, with_for_update=True, populate_existing=True)
    if row is None or row.state != State.DRAFT:
        already = row is not None and row.sent_at is not None
        return (Outcome.ALREADY if already else Outcome.NO_DRAFT), None
    found = looking.preview(session, row, config, words, now)
    if found.mark != mark:
        return Outcome.CHANGED, found
    if not found.people or found.late:
        return (Outcome.LATE if found.people else Outcome.EMPTY), found
    if people != found.people:
        return Outcome.MISCOUNTED, found
    _plan(session, row, found, config, now)
    row.state, row.sent_by, row.sent_at = State.SENT.value, by[:80], now
    row.people, row.cost = found.people, found.expected
    access.audit(session, now, by, "round.send", f"round:{row.id}", people=found.people, cost=found.expected)
    return Outcome.SENT, found


def _plan(session: Session, row: tables.Broadcast, found: Preview, config: Settings, now: int) -> None:
    """One notice a person."""
    due = max(now, row.due or now)
    planned = [_planned(row, one, due, found.deadline) for one in found.gathered.people]
    notices.plan_all(session, planned, channels.ladder(config), now, config.zalo.shared_phone)


def _planned(row: tables.Broadcast, one: Person, due: int, deadline: int) -> notices.Planned:
    return notices.Planned(
        key=f"{prefix(row.id)}{one.mark}",
        kind=KIND,
        phone=one.phone,
        data=looking.told(row, one.name),
        due=due,
        deadline=deadline,
        language=one.language,
        zalo_user_id=one.user_id,
    )


def prefix(broadcast_id: int) -> str:
    """How the keys of a round's notices begin."""
    return f"{KIND}:{broadcast_id}:"


def discard(session: Session, broadcast_id: int, by: str, now: int) -> bool:
    """Throw a draft away; False if it is none."""
    row = session.get(tables.Broadcast, broadcast_id, with_for_update=True, populate_existing=True)
    if row is None or row.state != State.DRAFT:
        return False
    row.state = State.CANCELLED.value
    access.audit(session, now, by, "round.discard", f"round:{row.id}")
    return True


def withdraw(session: Session, broadcast_id: int, config: Settings, by: str, now: int) -> int:
    """Withdraw some of a sent round's notices that have not ended, AT_ONCE at most; how many. 0: it is done.

    What was handed over may still arrive; what would have followed it does not.
    """
    row = session.get(tables.Broadcast, broadcast_id, with_for_update=True, populate_existing=True)
    if row is None or row.sent_at is None:
        return 0
    if row.state == State.SENT:
        row.state = State.CANCELLED.value
        access.audit(session, now, by, "round.withdraw", f"round:{row.id}")
    family = delivery.family(prefix(row.id), row.sent_at)
    open_ones = select(tables.Notice.id).join(family, family.c.id == tables.Notice.id)
    ids = session.scalars(open_ones.where(tables.Notice.final_at.is_(None)).limit(AT_ONCE)).all()
    taken = steps.Steps(notices.policy(config))
    for one in steps.locked(session, ids).values():
        taken.take(one, Event(Happening.CANCEL, "withdrawn"), now)
    return taken.write(session, now)


def progress(session: Session, row: tables.Broadcast, config: Settings, now: int) -> delivery.Progress:
    """Where the round's notices stand, those sent again counted once."""
    wanted = delivery.Wanted(row.sent_at or now, FOREVER, KIND, key=prefix(row.id))
    return delivery.progress(session, wanted, config, now)
