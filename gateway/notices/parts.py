"""The parts of text messages: written down before they are handed over, and matched with their reports.

A lane that reports by part names each part for itself: a modem by a number that wraps at 255 and starts anew
with it, a message centre by an id. So a report is matched here, in the rows, and not in the memory of whoever
sent: it may come before the part's own answer is written, between two parts, or to the process after the next.

A notice has arrived when all of its parts have, and has failed when one has.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, bindparam, case, delete, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.notices import receipts, steps
from gateway.rules.lifecycle.notice import Event, Happening, Policy

if TYPE_CHECKING:
    from gateway.notices.sending import Result, Task

EVENT = "part"
REMEMBERED = 48 * 3_600
"""Seconds; networks try for a day or two, then report a failure."""

UNNAMED = 600
"""Seconds in which a report that fits nothing may belong to a part whose name nobody has learnt."""

FRESH, PATIENT = 600, 5
"""A number may have come round again: an older part is meant only if no fresh one claims its report in time."""

ASTRAY = 5
"""Seconds that clocks may differ by: a report that is older than the try cannot be about its parts."""

_table = tables.SmsPart.__table__
_c = _table.c
Cut = Callable[["Task"], tuple[int, int] | None]


@dataclass(frozen=True)
class Handed:
    """A part that was handed over, `number` from 1; `ref` None: nobody knows whether it was taken."""

    number: int
    total: int
    joint: int
    ref: str | None


_NAMES = [column.name for column in _c]
_INSERT = sqlite.insert(_table)
_INSERT = _INSERT.on_conflict_do_update(
    index_elements=["notice_id", "channel", "part"],
    set_={name: _INSERT.excluded[name] for name in _NAMES[3:]},
)
_INSERT_JSON = text(
    "INSERT INTO sms_parts SELECT * FROM jsonb_populate_recordset(NULL::sms_parts, CAST(:rows AS jsonb))"
    " ON CONFLICT (notice_id, channel, part) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES[3:])
)
_OLD = select(_table).where(_c.notice_id.in_(bindparam("ids", expanding=True)))


def begin(session: Session, tasks: Sequence[Task], cut: Cut, now: int) -> list[Task]:
    """Write down the parts that these tasks are about to hand over; each task with those that went before.

    `cut(task)`: (how many parts, what joins them on the phone), or None where the lane does not report by part.
    """
    sizes = {task.attempt_id: size for task in tasks if (size := cut(task)) is not None}
    again = [task.notice_id for task in tasks if task.again and task.attempt_id in sizes]
    before = _before(session, again) if again else {}
    begun, fresh = [], []
    for task in tasks:
        if (size := sizes.get(task.attempt_id)) is None:
            begun.append(task)
            continue
        old = _still_good(before.get((task.notice_id, task.channel), ()), *size)
        begun.append(replace(task, total=size[0], begun=old))
        known = {one.number for one in old}
        fresh += [_claimed(task, part, size, now) for part in range(1, size[0] + 1) if part not in known]
    if fresh:
        steps.written(session, _INSERT, _INSERT_JSON, fresh)
    return begun


def _before(session: Session, ids: Iterable[str]) -> Mapping[tuple[str, str], Sequence[Row]]:
    found = defaultdict(list)
    for row in steps.rows(session, _OLD, ids=sorted(set(ids))):
        found[row.notice_id, row.channel].append(row)
    return found


def _still_good(old: Sequence[Row], total: int, joint: int) -> tuple[Handed, ...]:
    """What an earlier try handed over of the same text."""
    same = [
        row for row in old if row.ref and row.state != "failed" and (row.total, row.joint) == (total, joint)
    ]
    return tuple(
        Handed(row.part, row.total, row.joint, row.ref) for row in sorted(same, key=lambda row: row.part)
    )


def _claimed(task: Task, part: int, size: tuple[int, int], now: int) -> dict[str, Any]:
    return {
        "notice_id": task.notice_id,
        "channel": task.channel,
        "part": part,
        "total": size[0],
        "joint": size[1],
        "ref": None,
        "phone": task.phone,
        "attempt_id": task.attempt_id,
        "state": "claimed",
        "code": "",
        "at": now,
        "told_at": None,
    }


_TAKEN = (
    update(_table)
    .where(
        _c.notice_id == bindparam("notice"), _c.channel == bindparam("lane"), _c.part == bindparam("number")
    )
    .values(
        ref=bindparam("new_ref"),
        at=bindparam("new_at"),
        # A report may have overtaken this answer: what it said stays
        state=case((_c.state == "claimed", "handed"), else_=_c.state),
    )
)
_TAKEN_JSON = text(
    """
    UPDATE sms_parts SET ref = j.new_ref, at = j.new_at,
        state = CASE WHEN state = 'claimed' THEN 'handed' ELSE state END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS j(notice text, lane text, number int, new_ref text, new_at bigint)
    WHERE sms_parts.notice_id = j.notice AND sms_parts.channel = j.lane AND sms_parts.part = j.number
    """
)
_LEFT = delete(_table).where(
    _c.notice_id == bindparam("notice"),
    _c.channel == bindparam("lane"),
    _c.attempt_id == bindparam("attempt"),
    _c.state == "claimed",
)
_UNDECIDED = (Happening.UNSURE, Happening.ACCEPTED)


def record(session: Session, results: Sequence[Result], now: int) -> None:
    """Write down which parts were taken under which name, and forget those that certainly were not handed over."""
    counted = [one for one in results if one.task.total]
    taken = [
        {
            "notice": one.task.notice_id,
            "lane": one.task.channel,
            "number": part.number,
            "new_ref": steps.storable(part.ref, 80),
            "new_at": now,
        }
        for one in counted
        for part in one.handed
        if part.ref is not None
    ]
    if taken:
        steps.written(session, _TAKEN, _TAKEN_JSON, taken)
    left = [
        {"notice": one.task.notice_id, "lane": one.task.channel, "attempt": one.task.attempt_id}
        for one in counted
        if one.event.happening not in _UNDECIDED
    ]
    if left:
        steps.many(session, _LEFT, left)


_r = tables.Receipt.__table__.c
_WAITING = (
    select(_r.id, _r.channel, _r.delivered, _r.code, _r.at, _r.body)
    .where(_r.done_at.is_(None), _r.delivered.is_not(None), _r.event == EVENT, _r.due <= bindparam("now"))
    .order_by(_r.due, _r.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)
_CANDIDATES = (
    select(
        _table,
        tables.Attempt.state.label("attempt"),
        tables.Attempt.at.label("tried_at"),
        tables.Attempt.rung,
        tables.Attempt.receipt_at,
    )
    .join(tables.Attempt, tables.Attempt.id == _c.attempt_id)
    .where(
        _c.channel.in_(bindparam("channels", expanding=True)),
        _c.phone.in_(bindparam("phones", expanding=True)),
        _c.at > bindparam("since"),
    )
    .order_by(_c.at.desc(), _c.part)
)
_TOLD = (
    update(_table)
    .where(
        _c.notice_id == bindparam("notice"), _c.channel == bindparam("lane"), _c.part == bindparam("number")
    )
    .values(
        ref=bindparam("new_ref"),
        state=bindparam("new_state"),
        code=bindparam("new_code"),
        told_at=bindparam("new_at"),
    )
)


def settle(session: Session, most: int, now: int, policy: Policy) -> int:
    """Match stored reports with their parts and move the notices on. How many were looked at."""
    waiting = steps.rows(session, _WAITING, now=now, most=most)
    if waiting:
        _Matching(session, waiting, now).carry_out(policy)
    return len(waiting)


@dataclass
class _Known:
    """A part as it stands while a batch of reports is read."""

    row: Row
    ref: str | None
    state: str
    code: str = ""
    told: Row | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.row.notice_id, self.row.channel


class _Matching:
    """The reports of one transaction, and the parts that they may be about."""

    def __init__(self, session: Session, waiting: Sequence[Row], now: int):
        self._session, self._waiting, self._now = session, waiting, now
        self._about = {one.id: json.loads(one.body) for one in waiting}
        self._look()

    def _look(self) -> None:
        given = {
            "channels": sorted({one.channel for one in self._waiting}),
            "phones": sorted({about["to"] for about in self._about.values()}),
            "since": self._now - REMEMBERED,
        }
        self._to: dict[tuple[str, str], list[_Known]] = defaultdict(list)
        self._of: dict[tuple[str, str], list[_Known]] = defaultdict(list)
        for row in steps.rows(self._session, _CANDIDATES, **given):
            one = _Known(row, row.ref, row.state, row.code)
            self._to[row.channel, row.phone].append(one)
            self._of[one.key].append(one)

    def carry_out(self, policy: Policy) -> None:
        """Who locks what is ordered as everywhere: the notices first, by id."""
        found = self._found()
        noticed = steps.locked(self._session, [part.row.notice_id for part in found.values()])
        if noticed and database.on_postgresql(self._session):
            self._look()  # until the lock, another process may have written on the same message's other parts
            found = self._found()
        outcomes, told = [], []
        for report in self._waiting:
            part = found.get(report.id)
            if part is not None and part.row.notice_id in noticed:
                told.append((report, part))
                outcomes.append((report.id, "matched", self._now, self._now))
            elif self._now - report.at >= receipts.RECEIPT_PATIENCE:
                outcomes.append((report.id, "unmatched", self._now, self._now))
            else:
                outcomes.append((report.id, "", None, self._now + max(1, self._now - report.at)))
        self._write(told)
        self._move(told, noticed, policy)
        receipts.done(self._session, outcomes)

    def _found(self) -> dict[int, _Known]:
        found = {report.id: self._part_of(report) for report in self._waiting}
        return {key: part for key, part in found.items() if part is not None}

    def _part_of(self, report: Row) -> _Known | None:
        about = self._about[report.id]
        to = self._to.get((report.channel, about["to"]), ())
        mine = [one for one in to if one.row.tried_at <= report.at + ASTRAY]
        for ref in about["refs"]:  # the likeliest name first
            named = [one for one in mine if one.ref == ref and self._may_be(one, report)]
            if named:
                return next((one for one in named if one.told is None and one.state == "handed"), named[0])
        nameless = [one for one in mine if self._is_nameless(one, report)]
        if not nameless or any(one.ref is None and one.row.attempt == "handing_over" for one in mine):
            return None  # nobody's, or of one whose name is still to come
        one = min(nameless, key=lambda known: (-known.row.at, known.row.part))
        one.ref = about["refs"][0]
        return one

    def _may_be(self, one: _Known, report: Row) -> bool:
        return report.at - one.row.at <= FRESH or self._now - report.at >= PATIENT

    @staticmethod
    def _is_nameless(one: _Known, report: Row) -> bool:
        """Its try has ended, and nobody learnt its name."""
        ended = one.row.attempt in ("unknown", "accepted")
        return one.ref is None and ended and report.at - one.row.at <= UNNAMED

    def _write(self, told: Sequence[tuple[Row, _Known]]) -> None:
        for report, part in told:
            if part.state != "delivered":  # the network says it twice, or takes a no back
                part.state, part.code, part.told = (
                    ("delivered" if report.delivered else "failed"),
                    report.code,
                    report,
                )
        changed = {(*one.key, one.row.part): one for _, one in told if one.told is not None}
        rows = [
            {
                "notice": notice,
                "lane": lane,
                "number": number,
                "new_ref": one.ref,
                "new_state": one.state,
                "new_code": steps.storable(one.code, 40),
                "new_at": self._now,
            }
            for (notice, lane, number), one in sorted(changed.items())
        ]
        if rows:
            steps.many(self._session, _TOLD, rows)

    def _move(self, told: Sequence[tuple[Row, _Known]], noticed: Mapping[str, Row], policy: Policy) -> None:
        taken, reports = steps.Steps(policy), receipts.Reports()
        last = {part.key: report for report, part in told}  # a batch may hold all the parts of a message
        for (notice, channel), report in last.items():
            newest = max(self._of[notice, channel], key=lambda one: (one.row.at, one.row.attempt_id)).row
            mine = [one for one in self._of[notice, channel] if _same_words(one.row, newest)]
            decided = _decided(mine)
            if decided is None:
                continue
            code = next((one.code for one in mine if one.state == "failed"), report.code)
            attempt = receipts.Attempted(newest.attempt_id, newest.attempt, newest.receipt_at)
            happening = reports.add(attempt, receipts.Said(decided, report.at))
            if happening is not None:
                taken.take(noticed[notice], Event(happening, code, rung=newest.rung), self._now)
        taken.write(self._session, self._now)
        reports.write(self._session)


def _same_words(one: Row, other: Row) -> bool:
    """Whether both are parts of one text; an earlier try may have had other words."""
    return (one.total, one.joint) == (other.total, other.joint)


def _decided(parts: Sequence[_Known]) -> bool | None:
    """Whether the message arrived; None while a part is under way."""
    if any(one.state == "failed" for one in parts):
        return False
    arrived = sum(one.state == "delivered" for one in parts)
    return True if parts and arrived == parts[0].row.total else None
