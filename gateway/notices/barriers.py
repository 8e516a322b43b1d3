"""What channels cannot do for now: the breakers' rows, and what a round makes of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from gateway import alerts, tables
from gateway.notices import words
from gateway.queue.day import insert_new
from gateway.rules import channels
from gateway.rules.lifecycle import breaker as lifecycle
from gateway.rules.lifecycle.breaker import Breaker, Event, Fault, Happening, Policy, State
from gateway.rules.lifecycle.notice import State as NoticeState
from gateway.rules.settings import Settings

ALL = ""  # the subject of a breaker that holds for everything on its channel


@dataclass(frozen=True)
class Barrier:
    """A breaker that is not closed, or counts failures: `reason` as the provider gave it."""

    channel: str
    subject: str
    breaker: Breaker
    code: str
    reason: str


Barriers = dict[tuple[str, str], Barrier]


@dataclass(frozen=True)
class News:
    """What one hand-over says about its channel (`subject` ALL) or about a kind of notice there."""

    channel: str
    subject: str
    event: Event
    code: str = ""
    reason: str = ""
    alert: str = "refused"


@dataclass
class Changed:
    opened: list[Barrier] = field(default_factory=list)
    closed: list[Barrier] = field(default_factory=list)


_c = tables.Breaker.__table__.c
_STANDING = select(*_c).where((_c.state != "closed") | (_c.failures > 0))


def policy(config: Settings) -> Policy:
    own = config.notices
    return Policy(own.outage_failures, own.outage_probe, own.refusal_probe)


def standing(session: Session) -> dict[tuple[str, str], Barrier]:
    """Every breaker that is not quite well."""
    return {(row.channel, row.subject): _barrier(row) for row in session.connection().execute(_STANDING)}


def in_the_way(barriers: Barriers, channel: str, kind: str) -> Barrier | None:
    """What keeps a kind of notice from a channel now, if anything."""
    for subject in (ALL, kind):
        found = barriers.get((channel, subject))
        if found is not None and found.breaker.state is not State.CLOSED:
            return found
    return None


def set_out(session: Session, barrier: Barrier, now: int, rule: Policy) -> tuple[bool, Barrier]:
    """Let one message try again: (False, …) where another worker's message does already; and how it stands."""
    row = _locked(session, barrier.channel, barrier.subject)
    before = _barrier(row).breaker
    after = lifecycle.step(before, Event(Happening.PROBED), now, rule)
    _write(row, after)
    session.flush()
    return after is not before, _barrier(row)


def heard(session: Session, news: Iterable[News], now: int, rule: Policy) -> Changed:
    """Carry out what hand-overs said. Alerts are raised and ended here, one for each breaker that opens."""
    changed = Changed()
    bounded = [
        replace(one, code=words.storable(one.code, 40), reason=words.storable(one.reason, 200))
        for one in news
    ]
    for one in sorted(bounded, key=lambda one: (one.channel, one.subject)):
        row = _locked(session, one.channel, one.subject)
        before = _barrier(row).breaker
        after = lifecycle.step(before, one.event, now, rule)
        if after is before:
            continue
        _write(row, after)
        if after.state is State.OPEN and before.fault is not after.fault:
            row.code, row.reason = one.code, one.reason
            changed.opened.append(_barrier(row))
            _raise(session, one, after, now)
        if after.state is State.CLOSED and before.state is not State.CLOSED:
            changed.closed.append(_barrier(row))
            alerts.over(session, _key(one), now)
            if channels.provider(one.channel) == "zalo" and one.subject == ALL:
                alerts.over(session, alerts.CONSENT, now)
            _due_now(session, one.channel, one.subject, now)
    session.flush()
    return changed


def look_again(session: Session, channel: str, now: int, rule: Policy) -> None:
    """A lane says that it is back: where it was out, one may try at once; else all that waits after a failed try."""
    standing = select(tables.Breaker.subject).filter_by(channel=channel, subject=ALL, state=State.OPEN.value)
    was_out = session.scalar(standing) is not None
    if was_out:
        row = _locked(session, channel, ALL)
        _write(row, lifecycle.step(_barrier(row).breaker, Event(Happening.BACK), now, rule))
    _due_now(session, channel, ALL, now, 1 if was_out else None)


def _due_now(session: Session, channel: str, subject: str, now: int, most: int | None = None) -> None:
    """What waits after a failed try, or on its last rung for this channel, goes at once.

    What another turn has in its hands is left to it: that one may be waiting for this very breaker.
    """
    notice = tables.Notice
    waiting = (
        select(notice.id)
        .where(notice.state == NoticeState.CREATED, notice.channel == channel, notice.due > now)
        .where(or_(notice.tries > 0, notice.reason.startswith(HELD, autoescape=True)))
        .order_by(notice.due, notice.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    if subject != ALL:
        waiting = waiting.where(notice.kind == subject)
    due = update(notice).where(notice.id.in_(waiting)).values(due=now)
    session.execute(due.execution_options(synchronize_session=False))


def _raise(session: Session, news: News, breaker: Breaker, now: int) -> None:
    if news.alert == "consent":  # one grant for all of Zalo's channels: one thing to be told
        about = {"channel": "zalo", "code": news.code, "reason": news.reason}
        alerts.raised(session, alerts.CONSENT, "consent", about, now)
        return
    kind = "outage" if breaker.fault is Fault.OUTAGE else news.alert
    data = {
        "channel": news.channel,
        "subject": news.subject,
        "code": news.code,
        "reason": news.reason,
        "again_at": breaker.probe_at,
    }
    alerts.raised(session, _key(news), kind, data, now)


def _key(news: News) -> str:
    return f"breaker:{news.channel}:{news.subject}"


HELD = "held: "
"""How the reason of a notice begins that waits for its last channel to come back."""


def _locked(session: Session, channel: str, subject: str) -> tables.Breaker:
    wanted = select(tables.Breaker).filter_by(channel=channel, subject=subject).with_for_update()
    found = session.scalar(wanted)
    if found is None:
        fresh = {"state": "closed", "failures": 0, "code": "", "reason": "", "fault": ""}
        moments = {"opened_at": 0, "probe_at": 0, "probes": 0}
        insert_new(session, tables.Breaker, channel=channel, subject=subject, **fresh, **moments)
        found = session.scalars(wanted).one()
    return found


def _barrier(row: Any) -> Barrier:
    """Of a row of the table, read either way."""
    breaker = Breaker(
        State(row.state), row.failures, Fault(row.fault), row.opened_at, row.probe_at, row.probes
    )
    return Barrier(row.channel, row.subject, breaker, row.code, row.reason)


def _write(row: tables.Breaker, after: Breaker) -> None:
    row.state, row.failures, row.fault = after.state.value, after.failures, after.fault.value
    row.opened_at, row.probe_at, row.probes = after.opened_at, after.probe_at, after.probes
