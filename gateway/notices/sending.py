"""Claiming what is due, and writing down what became of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Row, bindparam, case, func, insert, or_, select, text, update
from sqlalchemy.orm import Session

from gateway import tables
from gateway.notices import barriers, parts, people, steps, suppressing
from gateway.notices.barriers import HELD, Barrier, Barriers
from gateway.notices.parts import Handed
from gateway.rules import channels
from gateway.rules.lifecycle import breaker as breakers
from gateway.rules.lifecycle.notice import Event, Happening, Policy, State

_notices, _attempts = tables.Notice.__table__.c, tables.Attempt.__table__.c
DAY = 86_400
_DUE = {
    urgent: select(*steps.COLUMNS)
    .where(
        _notices.state == text("'created'"),  # as the partial index says it, not as a parameter
        _notices.channel == bindparam("channel"),
        _notices.urgent.is_(urgent),
        _notices.due <= bindparam("now"),
    )
    .order_by(_notices.due, _notices.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
    for urgent in (True, False)
}


@dataclass(frozen=True)
class Task:
    """A claimed notice and the attempt that was written down for it before it is handed over.

    `probes` is the subject of the breaker that this task tries, None for nearly all. `due` is when it was due.
    `again`: it may have been tried on this rung before. Where the lane reports by part, `total` is how many there
    are, and `begun` are those that an earlier try handed over.
    """

    notice_id: str
    attempt_id: str
    channel: str
    rung: int
    kind: str
    phone: str
    zalo_user_id: str | None
    language: str
    data: Mapping[str, Any]
    urgent: bool
    deadline: int
    lease_until: int
    due: int
    last: bool
    probes: str | None = None
    again: bool = False
    total: int = 0
    begun: tuple[Handed, ...] = ()


@dataclass(frozen=True)
class Result:
    """How the hand-over of a task ended. `provider_ref` is the provider's own id, where it gave one.

    `cost` in đồng; `news` is what it says about the channel; `rest_days` is how long this phone is spared there;
    `left` and `total`: what the provider says the day still holds, of how many. `handed`: the parts of this try.
    """

    task: Task
    event: Event
    code: str = ""
    provider_ref: str | None = None
    parts: int = 0
    cost: int = 0
    news: tuple[barriers.News, ...] = ()
    rest_days: int | None = None
    left: int | None = None
    total: int | None = None
    handed: tuple[Handed, ...] = ()


@dataclass(frozen=True)
class Room:
    """How many tasks a lane takes now: of all kinds, and of urgent ones beyond that.

    `late`: only what has been due for so many seconds, i.e. what whoever is nearer has not taken.
    """

    any: int
    urgent: int
    late: int = 0


@dataclass(frozen=True)
class Terms:
    """What holds for a round: the rules, the quiet hours (until when, or None), what channels cannot do now.

    `able(channel, kind)`: whether a channel knows how to say this kind at all. `free_seconds`: how long after
    a person's last word a free text may go to them. `cut`: see `parts.begin`.
    """

    policy: Policy
    breaking: breakers.Policy
    batch: int
    quiet_until: int | None = None
    barriers: Barriers = field(default_factory=dict)
    able: Callable[[str, str], bool] = lambda _channel, _kind: True
    free_seconds: int = 48 * 3_600
    cut: parts.Cut = lambda _task: None


SILENT = "chưa nhắn cho trang gần đây / has not spoken to the page lately"


def whom(channel: str, about: Row | Task) -> str:
    """Whom a channel tells it to: a phone number, or a Zalo user id."""
    return (about.zalo_user_id or "") if channel in channels.TO_A_USER else about.phone


def claim_due(
    session: Session, rooms: Mapping[str, Room], terms: Terms, worker: str, now: int
) -> tuple[list[Task], int]:
    """Take what is due on each channel that has room, and write an attempt for each. (tasks, rows moved)

    Urgent notices go first, always. What a channel cannot take now moves on without being handed over. In
    quiet hours bulk waits until they end, unless that were too late. The lease is the row's `due` while it is
    *sending*; when it runs out, the sweeper finds the row.
    """
    claim = _Claim(session, terms, steps.Steps(terms.policy, worker), now)
    for channel, room in rooms.items():
        claim.on(channel, room)
    moved = claim.steps.write(session, now)
    if claim.attempts:
        steps.written(session, _NOTE, _NOTE_JSON, claim.attempts)
    return parts.begin(session, claim.tasks, terms.cut, now), moved


class _Claim:
    """One transaction's claiming: the rows' steps, their attempts, and the tasks that come of it."""

    def __init__(self, session: Session, terms: Terms, taken: steps.Steps, now: int):
        self._session, self._terms, self._now = session, terms, now
        self.steps = taken
        self.tasks: list[Task] = []
        self.attempts: list[dict[str, Any]] = []

    def on(self, channel: str, room: Room) -> None:
        wall = barriers.in_the_way(self._terms.barriers, channel, barriers.ALL)
        shut = wall is not None
        # Who is nearer would only send it past a lane that is out; to try that lane is theirs
        late = 0 if shut and not breakers.may_probe(wall.breaker, self._now) else room.late
        for urgent, most in ((True, room.any + room.urgent), (False, room.any)):
            # What only moves past a shut channel takes no room in its lane
            rows = self._due(channel, urgent, max(most, self._terms.batch) if shut else most, late)
            spared = self._spared(channel, rows)
            for row in rows:
                self._take(row, spared.get(row.id))
            room = replace(room, any=max(0, room.any - len(rows))) if urgent else room

    def _spared(self, channel: str, rows: Sequence[Row]) -> dict[str, str]:
        """Notice → why its person is not to be told here now. Who is answered has just spoken: they are not spared."""
        told = {row.id: whom(channel, row) for row in rows if row.kind != channels.CHAT}
        ids = {one for one in told.values() if one}
        spared = suppressing.suppressed(self._session, channel, ids, self._now)
        if channel == channels.BY_CHAT:
            silent = people.silent(self._session, ids, self._now - self._terms.free_seconds)
            spared = dict.fromkeys(silent, SILENT) | spared
        return {notice: spared[one] for notice, one in told.items() if one in spared}

    def _due(self, channel: str, urgent: bool, most: int, late: int) -> Sequence[Row]:
        if most <= 0:
            return ()
        return steps.rows(self._session, _DUE[urgent], channel=channel, now=self._now - late, most=most)

    def _take(self, row: Row, spared: str | None) -> None:
        terms, now = self._terms, self._now
        if now < row.deadline:
            if terms.quiet_until is not None and not row.urgent and terms.quiet_until < row.deadline:
                self.steps.take(row, Event(Happening.POSTPONED, "quiet_hours", terms.quiet_until), now)
                return
            if not terms.able(row.channel, row.kind):
                self._pass(row, "no_template", "no_template")
                return
            if spared is not None:
                self._pass(row, "suppressed", spared)
                return
            wall = barriers.in_the_way(terms.barriers, row.channel, row.kind)
            if wall is not None:
                self._at(wall, row)
                return
        self._claim(row, None)

    def _at(self, wall: Barrier, row: Row) -> None:
        """One may try again when its time has come; the others go on as the fault tells them."""
        probing = False
        if breakers.may_probe(wall.breaker, self._now):
            probing, wall = barriers.set_out(self._session, wall, self._now, self._terms.breaking)
            self._terms.barriers[wall.channel, wall.subject] = wall
        if probing or wall.breaker.state is breakers.State.CLOSED:
            self._claim(row, wall.subject if probing else None)
        elif wall.breaker.fault is breakers.Fault.OUTAGE and _further_way(row):
            self._pass(row, wall.code, wall.reason)
        elif wall.breaker.fault is breakers.Fault.OUTAGE:
            self.steps.take(row, Event(Happening.CLAIMED), self._now)
            self._note(row, "unreached", wall.code, wall.reason)
            self.steps.take(row, Event(Happening.UNREACHED, wall.reason, chance=_chance(row.id)), self._now)
        else:
            self._pass(row, wall.code, wall.reason, wall.breaker.probe_at)

    def _pass(self, row: Row, code: str, reason: str, until: int = 0) -> None:
        """Past this channel without being handed over; on the last one it waits, where waiting may help."""
        held = until > self._now and row.rung == row.ladder.count(steps.SEPARATOR)
        shown = HELD + reason if held else reason
        self.steps.take(row, Event(Happening.BARRED, shown, until), self._now)
        if row.reason != shown:  # one that waits on is written down once
            self._note(row, "skipped", code, reason)

    def _claim(self, row: Row, probes: str | None) -> None:
        after = self.steps.take(row, Event(Happening.CLAIMED), self._now)
        if after.state is State.SENDING:
            attempt_id = self._note(row, "handing_over")
            self.tasks.append(_task(row, attempt_id, after.due, probes))

    def _note(self, row: Row, state: str, code: str = "", reason: str = "") -> str:
        attempt_id = steps.new_id("a")
        self.attempts.append(
            {
                "id": attempt_id,
                "notice_id": row.id,
                "channel": row.channel,
                "rung": row.rung,
                "state": state,
                "provider_ref": None,
                "code": steps.storable(code, 40),
                "reason": steps.storable(reason, 200),
                "parts": 0,
                "cost": 0,
                "at": self._now,
                "answered_at": None if state == "handing_over" else self._now,
                "receipt_at": None,
            }
        )
        return attempt_id


def _further_way(row: Row) -> bool:
    """Whether the same provider's next way follows, or another lane of text messages after one of them: only the
    last of such is waited for, and not each of them in turn."""
    following = steps.channel_at(row.ladder, row.rung + 1)
    if following == "":
        return False
    texts = channels.is_text(row.channel) and channels.is_text(following)
    return texts or channels.provider(following) == channels.provider(row.channel)


def _chance(notice_id: str) -> float:
    """A draw that a test can repeat: an id's last digits are chance."""
    return int(notice_id[-4:], 16) / 65_536


def _task(row: Row, attempt_id: str, lease_until: int, probes: str | None) -> Task:
    return Task(
        row.id,
        attempt_id,
        row.channel,
        row.rung,
        row.kind,
        row.phone,
        row.zalo_user_id,
        row.language,
        row.data,
        row.urgent,
        row.deadline,
        lease_until,
        row.due,
        row.rung == row.ladder.count(steps.SEPARATOR),
        probes,
        row.tries > 0 or bool(row.reason),  # what was put off or held begins to count anew
    )


def record(session: Session, results: Sequence[Result], now: int, terms: Terms) -> barriers.Changed:
    """Write down how hand-overs ended, in one go, and move their notices on; what opened or closed thereby."""
    taken = steps.Steps(terms.policy)
    noticed = steps.locked(session, [result.task.notice_id for result in results])
    for result in results:
        row = noticed.get(result.task.notice_id)
        if row is not None:
            event = replace(result.event, rung=result.task.rung, chance=_chance(row.id))
            taken.take(row, event, now)
    taken.write(session, now)
    _write_attempts(session, results, now)
    parts.record(session, results, now)
    _spare(session, results, now)
    news = [one for result in results for one in result.news]
    return barriers.heard(session, news, now, terms.breaking) if news else barriers.Changed()


def _spare(session: Session, results: Sequence[Result], now: int) -> None:
    for result in results:
        person = whom(result.task.channel, result.task)
        if result.rest_days is not None and person:
            until = now + result.rest_days * DAY
            about = (steps.storable(result.code, 40), steps.storable(result.event.reason, 200), "provider")
            suppressing.suppress(session, result.task.channel, person, until, *about, now)
    strangers = [one.task.zalo_user_id for one in results if one.code == NO_SUCH_USER]
    if strangers:  # what a phone's owner shared leads to nobody: it goes by phone from now on
        gone = update(tables.ZaloUser).where(tables.ZaloUser.id.in_(strangers)).values(phone=None)
        session.execute(gone.execution_options(synchronize_session=False))


NO_SUCH_USER = "-201u"
_UNDECIDED = or_(_attempts.state == "handing_over", _attempts.state == "unknown")
_ANSWER = (
    update(tables.Attempt.__table__)
    .where(_attempts.id == bindparam("attempt"))
    .values(
        # A receipt may have overtaken this answer: what it said stays
        state=case((_UNDECIDED, bindparam("new_state")), else_=_attempts.state),
        code=bindparam("new_code"),
        reason=bindparam("new_reason"),
        provider_ref=bindparam("new_ref"),
        parts=bindparam("new_parts"),
        cost=bindparam("new_cost"),
        answered_at=bindparam("new_at"),
    )
)
_ANSWER_JSON = text(
    """
    UPDATE attempts SET state = CASE WHEN attempts.state IN ('handing_over', 'unknown') THEN j.new_state
            ELSE attempts.state END,
        code = j.new_code, reason = j.new_reason, provider_ref = j.new_ref, parts = j.new_parts,
        cost = j.new_cost, answered_at = j.new_at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS j(attempt text, new_state text, new_code text,
        new_reason text, new_ref text, new_parts int, new_cost int, new_at bigint)
    WHERE attempts.id = j.attempt
    """
)
_NOTE = insert(tables.Attempt.__table__)
_NOTE_JSON = text(
    "INSERT INTO attempts SELECT * FROM jsonb_populate_recordset(NULL::attempts, CAST(:rows AS jsonb))"
)
_ATTEMPT_STATES = {
    Happening.ACCEPTED: "accepted",
    Happening.REFUSED: "refused",
    Happening.BARRED: "refused",
    Happening.UNREACHED: "unreached",
    Happening.UNSURE: "unknown",
    Happening.POSTPONED: "postponed",
}
SPARED = "spared"
"""The code of a task that was found waiting in its lane when the channel shut: never handed over."""


def _write_attempts(session: Session, results: Sequence[Result], now: int) -> None:
    steps.written(
        session,
        _ANSWER,
        _ANSWER_JSON,
        [
            {
                "attempt": one.task.attempt_id,
                "new_state": "skipped" if one.code == SPARED else _ATTEMPT_STATES[one.event.happening],
                "new_code": steps.storable(one.code, 40),
                "new_reason": steps.storable(one.event.reason.removeprefix(HELD), 200),
                "new_ref": steps.storable(one.provider_ref, 80) if one.provider_ref else None,
                "new_parts": one.parts,
                "new_cost": one.cost,
                "new_at": now,
            }
            for one in results
        ],
    )


def parts_since(session: Session, channel: str, since: int) -> int:
    """Message parts handed to a channel since a moment."""
    sent = select(func.sum(_attempts.parts)).where(_attempts.channel == channel, _attempts.at >= since)
    return session.scalar(sent) or 0


_URGENT = (
    select(_notices.id)
    .where(
        _notices.state == text("'created'"),
        _notices.channel.in_(bindparam("channels", expanding=True)),
        _notices.urgent.is_(True),
        _notices.due <= bindparam("now"),
    )
    .limit(1)
)


def urgent_is_due(session: Session, channels: Collection[str], now: int) -> bool:
    """Whether somebody must be told at once on one of these channels."""
    return bool(steps.rows(session, _URGENT, channels=list(channels), now=now))
