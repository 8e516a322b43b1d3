"""The database side of sending: one turn is one transaction that writes results down and claims new tasks.

A desk has no threads and no clock, so a simulation can sit at it. A turn that fails writes nothing; then its
parts are done one by one, so that a row that cannot be written does not hold up the others.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from gateway import database, gauges, lanes, notices, quotas, storage, tables, templates
from gateway.notices import Answer, Question, Result, Room, Task, Terms, barriers
from gateway.queue.day import insert_new
from gateway.rules import channels, hours, windows
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 10
NIGHTFALL_SECONDS = 300  # a fallback so long before the quiet hours still gets through


@dataclass(frozen=True)
class Brought:
    """What the lanes brought back since the last turn."""

    results: Sequence[Result] = ()
    answers: Sequence[Answer] = ()


@dataclass
class Turn:
    """What a turn found: tasks to hand over, questions to ask, receipts to read; `moved` rows in all.

    `left`: what was brought and is not in the rows, because the database is away; bring it again.
    """

    tasks: list[Task] = field(default_factory=list)
    questions: tuple[Question, ...] = ()
    unread: list[tuple[int, str, str]] = field(default_factory=list)
    moved: int = 0
    left: Brought = field(default_factory=Brought)
    walls: dict[tuple[str, str], barriers.Barrier] | None = None


class Desk:
    """`channels` are those that this host sends on; `name` is the lease's."""

    def __init__(self, engine: Engine, config: Settings, channels: Sequence[str], name: str):
        self._engine, self._config, self._channels, self._name = engine, config, tuple(channels), name
        self._breaking = barriers.policy(config)
        self._started_at: int | None = None
        self._seen_at = 0
        self.leads = False
        self.known = templates.Known({})
        self.cut: notices.Cut = lambda _task: None

    def turn(self, brought: Brought, rooms: Mapping[str, Room], now: int, questions: int = 1_000) -> Turn:
        """One transaction's worth of work. `questions`: how many providers can be asked beside it."""
        found = Turn()
        parts = [
            functools.partial(part, found=found, now=now)
            for part in (
                functools.partial(self._record, brought),
                self._settle,
                functools.partial(self._sweep, questions),
                functools.partial(self._claim, rooms),
                self._beat,
                functools.partial(self._note_limits, brought),
            )
        ]
        try:
            with database.writing(self._engine) as session:
                for part in parts:
                    part(session)
        except Exception as fault:
            if storage.is_away(fault):
                log.error("the database is away; what was brought is kept (%s)", storage.in_short(fault))
                return Turn(left=brought)
            log.exception("a turn failed and wrote nothing; its parts are tried alone")
            found = self._one_by_one(brought, rooms, now, questions)
        return found

    def look_again(self, channel: str, now: int) -> None:
        """A lane says that it is back."""
        with database.writing(self._engine) as session:
            barriers.look_again(session, channel, now, self._breaking)

    def _one_by_one(self, brought: Brought, rooms: Mapping[str, Room], now: int, questions: int) -> Turn:
        """What cannot be written even alone is left to its lease: its outcome is then *unknown*, which is true."""
        found = Turn()
        found.left = self.record(brought, now)
        if found.left.results or found.left.answers:
            return found
        for part in (self._settle, functools.partial(self._sweep, questions)):
            self._tried(part, found, now)
        if not self._tried(functools.partial(self._claim, rooms), found, now):
            found.tasks = []
        self._tried(self._beat, found, now)
        return found

    def record(self, brought: Brought, now: int) -> Brought:
        """Write down what was brought, each alone; what is left because the database is away."""
        alone = [Brought([one], []) for one in brought.results] + [
            Brought([], [one]) for one in brought.answers
        ]
        for place, one in enumerate(alone):
            try:
                with database.writing(self._engine) as session:
                    self._record(one, session, Turn(), now)
                    self._note_limits(one, session, Turn(), now)
            except Exception as fault:
                if storage.is_away(fault):
                    rest = alone[place:]
                    return Brought([r for b in rest for r in b.results], [a for b in rest for a in b.answers])
                log.exception("a result cannot be written; its notice is left to its lease")
        return Brought()

    def _tried(self, part: Callable[..., None], found: Turn, now: int) -> bool:
        try:
            with database.writing(self._engine) as session:
                part(session, found=found, now=now)
        except Exception:
            log.exception("a part of a turn failed")
            return False
        return True

    def terms(self, session: Session, now: int) -> Terms:
        """What holds for this turn."""
        table, zone = self._config.timetable, self._config.station.zone
        night = hours.next_quiet(now, table.quiet_from, table.quiet_until, zone)
        return Terms(
            policy=notices.policy(self._config, night - NIGHTFALL_SECONDS if night is not None else None),
            breaking=self._breaking,
            batch=self._config.notices.batch,
            quiet_until=hours.quiet_until(now, table.quiet_from, table.quiet_until, zone),
            barriers=barriers.standing(session),
            able=self._able,
            free_seconds=self._config.zalo.free_hours * windows.HOUR,
            cut=self.cut,
        )

    def _able(self, channel: str, kind: str) -> bool:
        if kind == channels.CHAT:
            return channel == channels.BY_CHAT or channels.is_text(channel)
        if channel in (channels.BY_USER_ID, channels.BY_PHONE):
            return kind in self._config.zalo.templates and self.known.usable(kind)
        return True

    def _record(self, brought: Brought, session: Session, found: Turn, now: int) -> None:
        if brought.results:
            notices.record(session, brought.results, now, self.terms(session, now))
            if any(one.task.kind == channels.CHAT for one in brought.results):
                database.ring(session)  # who answered sees that it is on its way
        if brought.answers:
            notices.answered(session, brought.answers, now, notices.policy(self._config))
        found.moved += len(brought.results) + len(brought.answers)

    def _note_limits(self, brought: Brought, session: Session, found: Turn, now: int) -> None:
        """What the answers say of the day. Last, and in one order: every turn writes these few rows, and whoever
        waits for them may hold nothing that another turn still wants."""
        for channel, (left, total) in sorted(_left(brought.results).items()):
            quotas.noted(session, channel, left, total, now)

    def _settle(self, session: Session, found: Turn, now: int) -> None:
        policy = notices.policy(self._config)
        found.moved += notices.settle_receipts(session, self._config.notices.batch, now, policy)
        found.moved += notices.settle_parts(session, self._config.notices.batch, now, policy)
        found.unread = notices.unread_receipts(session, self._channels, self._config.notices.batch, now)

    def _sweep(self, questions: int, session: Session, found: Turn, now: int) -> None:
        policy = notices.policy(self._config)
        swept = notices.sweep(session, self._config.notices.batch, questions, self._channels, now, policy)
        found.questions = swept.questions
        found.moved += swept.moved

    def _claim(self, rooms: Mapping[str, Room], session: Session, found: Turn, now: int) -> None:
        terms = self.terms(session, now)
        ways = lanes.ways(session, self._config)
        limited = {name: way for name, way in ways.items() if way.per_minute and name in rooms}
        rooms = {
            name: self._within(session, limited.get(name), room, now)
            for name, room in rooms.items()
            if not ways[name].paused
        }
        began = time.monotonic()
        found.tasks, moved = notices.claim_due(session, rooms, terms, self._name, now)
        if moved:
            gauges.claimed(len(found.tasks), time.monotonic() - began)
        for name in limited:
            lanes.spent(session, name, sum(task.channel == name for task in found.tasks))
        found.moved += moved
        found.walls = dict(terms.barriers)

    @staticmethod
    def _within(session: Session, way: lanes.Way | None, room: Room, now: int) -> Room:
        """Of a lane's room what its rate lets through."""
        if way is None:
            return room
        most = lanes.allowed(session, way, now)
        return replace(room, any=min(room.any, most), urgent=max(0, min(room.urgent, most - room.any)))

    def _beat(self, session: Session, found: Turn, now: int) -> None:
        """Say now and then that this process lives, from the thread that does the work."""
        if self._started_at is not None and 0 <= now - self._seen_at < HEARTBEAT_SECONDS:
            return
        about: dict[str, Any] = {"seen_at": now, "lanes": list(self._channels), "leads": self.leads}
        if self._started_at is None:
            self._started_at = now
        row = session.get(tables.Workplace, self._name)
        if row is None:
            insert_new(session, tables.Workplace, name=self._name, started_at=self._started_at, **about)
        else:
            row.seen_at, row.leads = now, self.leads
        self._seen_at = now


def _left(results: Sequence[Result]) -> dict[str, tuple[int, int | None]]:
    """Channel → the least that any of these answers says the day still holds, and of how many."""
    found: dict[str, tuple[int, int | None]] = {}
    for one in results:
        if one.left is not None and one.left < found.get(one.task.channel, (one.left + 1, None))[0]:
            found[one.task.channel] = (one.left, one.total)
    return found
