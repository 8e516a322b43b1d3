"""What happens to a notice: one pure, total table `step(notice, event, now, policy)`.

Theory
------
A notice climbs down a ladder of rungs (channels). On a rung it is
  created   waiting for its `due` to be sent on this rung,
  sending   handed over to the channel by a worker that holds a lease until `due`,
  sent      taken by the provider; until `due` we wait for a receipt,
  unknown   handed over, and nobody knows with what outcome; until `due` we wait for a receipt.
It ends, for ever, as
  delivered a receipt says it arrived,
  failed    the last rung is used up; `reason` says why,
  cancelled somebody withdrew it,
  expired   its deadline passed first.

Two rules make it safe. A rung whose outcome is unknown is never tried again: the notice waits, then takes
the next rung. A final state is never overwritten: what arrives late is kept as evidence on the attempt, and
a second arrival is recorded as `reached_twice`.

Receipts may come before the provider's own answer is stored; that cell exists (sending × delivered), and so
does its echo (delivered × accepted). Whoever executes the steps decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    CREATED = "created"  # due to be sent on its rung
    SENDING = "sending"  # a worker has handed it over, under a lease
    SENT = "sent"  # the provider took it
    UNKNOWN = "unknown"  # handed over, outcome not known
    DELIVERED = "delivered"  # a receipt says so
    FAILED = "failed"  # no rung is left
    CANCELLED = "cancelled"  # withdrawn
    EXPIRED = "expired"  # too late to be of use


FINAL = frozenset({State.DELIVERED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Happening(StrEnum):
    CLAIMED = "claimed"  # a worker took it to send it
    ACCEPTED = "accepted"  # the provider took it
    REFUSED = "refused"  # never as it stands: the next rung
    UNREACHED = "unreached"  # certainly not handed over: the same rung again, later
    UNSURE = "unsure"  # perhaps handed over
    POSTPONED = "postponed"  # not at this hour: the same rung at `until`
    DELIVERED = "delivered"  # a receipt: it arrived
    UNDELIVERED = "undelivered"  # a receipt: it did not arrive
    SILENCE = "silence"  # its time is up and nothing came
    CANCEL = "cancel"  # somebody withdraws it


@dataclass(frozen=True)
class Event:
    """`until` goes with POSTPONED; `reason` is a short code or sentence for the record.

    `rung` is where the attempt was made that this is about; None when it is about no attempt.
    """

    happening: Happening
    reason: str = ""
    until: int = 0
    rung: int | None = None


@dataclass(frozen=True)
class Policy:
    """`rungs`: how many channels. The waits are seconds; `retries` are the pauses before the 2nd, 3rd … try."""

    rungs: int
    receipt_wait: int
    receipt_wait_urgent: int
    unknown_wait: int
    retries: tuple[int, ...]
    lease: int


@dataclass(frozen=True)
class Notice:
    state: State
    rung: int
    tries: int
    due: int
    deadline: int
    urgent: bool
    reason: str = ""
    reached_twice: bool = False


Cell = Callable[[Notice, Event, int, Policy], Notice]


def step(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """The notice after `event`, seen at `now` (whole seconds). Total: every state × happening has a cell.

    News of a rung that was left already changes nothing, unless it is that the message arrived after all.
    """
    if event.rung not in (None, notice.rung) and event.happening is not Happening.DELIVERED:
        return notice
    return TABLE[notice.state, event.happening](notice, event, now, policy)


def _stay(notice: Notice, _event: Event, _now: int, _policy: Policy) -> Notice:
    return notice


def _claimed(notice: Notice, _event: Event, now: int, policy: Policy) -> Notice:
    if now >= notice.deadline:
        return _end(notice, State.EXPIRED, "deadline", now)
    return replace(notice, state=State.SENDING, tries=notice.tries + 1, due=now + policy.lease)


def _accepted(notice: Notice, _event: Event, now: int, policy: Policy) -> Notice:
    wait = policy.receipt_wait_urgent if notice.urgent else policy.receipt_wait
    if notice.rung + 1 < policy.rungs:  # leave the next rung half of the time that is left
        wait = min(wait, max(1, (notice.deadline - now) // 2))
    return replace(notice, state=State.SENT, due=min(now + wait, max(now, notice.deadline)), reason="")


def _unsure(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    wait = min(policy.unknown_wait, max(1, (notice.deadline - now) // 2))
    return replace(notice, state=State.UNKNOWN, due=now + wait, reason=event.reason)


def _again(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """The same rung after a pause, while pauses are left and the next rung still gets its half of the time."""
    pause = policy.retries[notice.tries - 1] if notice.tries <= len(policy.retries) else None
    last = notice.rung + 1 >= policy.rungs
    if pause is None or (not last and pause > (notice.deadline - now) // 2):
        return _next_rung(notice, event, now, policy)
    return _created(replace(notice, reason=event.reason), now + pause, now)


def _postponed(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """Later on the same rung, and no failed try; but a provider (`rung`) may not wait away the next rung's half."""
    more = event.rung is not None and notice.rung + 1 < policy.rungs
    if more and event.until > now + (notice.deadline - now) // 2:
        return _next_rung(notice, event, now, policy)
    return _created(replace(notice, reason=event.reason, tries=max(0, notice.tries - 1)), event.until, now)


def _next_rung(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    if notice.rung + 1 >= policy.rungs:
        return _end(notice, State.FAILED, event.reason or "no_receipt", now)
    return _created(replace(notice, rung=notice.rung + 1, tries=0, reason=event.reason), now, now)


def _overdue(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """It could not be sent in time, or its channel is not on the ladder any more."""
    if now >= notice.deadline:
        return _end(notice, State.EXPIRED, notice.reason or "deadline", now)
    return _end(notice, State.FAILED, "no_channel", now) if notice.rung >= policy.rungs else notice


def _created(notice: Notice, due: int, now: int) -> Notice:
    if max(due, now) >= notice.deadline:
        return _end(notice, State.EXPIRED, notice.reason or "deadline", now)
    return replace(notice, state=State.CREATED, due=due)


def _delivered(notice: Notice, _event: Event, now: int, _policy: Policy) -> Notice:
    return _end(notice, State.DELIVERED, "", now)


def _delivered_late(notice: Notice, _event: Event, _now: int, _policy: Policy) -> Notice:
    return replace(notice, reached_twice=True)


def _arrived_late(notice: Notice, _event: Event, _now: int, _policy: Policy) -> Notice:
    return replace(notice, reason="arrived_late")


def _silent(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """Waiting longer is of no use once the deadline has passed; else the next rung."""
    if now >= notice.deadline:
        return _end(notice, State.EXPIRED, event.reason or "no_receipt", now)
    return _next_rung(notice, event, now, policy)


def _lost_in_sending(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """The lease ran out: the worker died between handing over and writing the answer down."""
    return _unsure(notice, replace(event, reason="worker_lost"), now, policy)


def _cancelled(notice: Notice, event: Event, now: int, _policy: Policy) -> Notice:
    return _end(notice, State.CANCELLED, event.reason or "withdrawn", now)


def _end(notice: Notice, state: State, reason: str, now: int) -> Notice:
    return replace(notice, state=state, reason=reason, due=now)


def _waiting(silence: Cell) -> Mapping[Happening, Cell]:
    """The row of a state that waits for a receipt after a hand-over."""
    return {
        Happening.CLAIMED: _stay,
        Happening.ACCEPTED: _accepted,
        Happening.REFUSED: _next_rung,
        Happening.UNREACHED: _stay,
        Happening.UNSURE: _stay,
        Happening.POSTPONED: _stay,
        Happening.DELIVERED: _delivered,
        Happening.UNDELIVERED: _next_rung,
        Happening.SILENCE: silence,
        Happening.CANCEL: _cancelled,
    }


def _final(arrived: Cell = _stay) -> Mapping[Happening, Cell]:
    return dict.fromkeys(Happening, _stay) | {Happening.DELIVERED: arrived}


ROWS: Mapping[State, Mapping[Happening, Cell]] = {
    State.CREATED: {
        Happening.CLAIMED: _claimed,
        Happening.ACCEPTED: _stay,  # the answer to an older rung, recorded on its attempt
        Happening.REFUSED: _stay,
        Happening.UNREACHED: _stay,
        Happening.UNSURE: _stay,
        Happening.POSTPONED: _postponed,
        Happening.DELIVERED: _delivered,  # an older rung's receipt: no need to send on this one
        Happening.UNDELIVERED: _stay,
        Happening.SILENCE: _overdue,
        Happening.CANCEL: _cancelled,
    },
    State.SENDING: {
        Happening.CLAIMED: _stay,
        Happening.ACCEPTED: _accepted,
        Happening.REFUSED: _next_rung,
        Happening.UNREACHED: _again,
        Happening.UNSURE: _unsure,
        Happening.POSTPONED: _postponed,
        Happening.DELIVERED: _delivered,  # the receipt overtook the answer
        Happening.UNDELIVERED: _next_rung,
        Happening.SILENCE: _lost_in_sending,
        Happening.CANCEL: _cancelled,
    },
    State.SENT: _waiting(_silent) | {Happening.ACCEPTED: _stay, Happening.REFUSED: _stay},
    # A worker that was late, not dead, may still say that it handed nothing over
    State.UNKNOWN: _waiting(_silent) | {Happening.UNREACHED: _again, Happening.POSTPONED: _postponed},
    State.DELIVERED: _final(_delivered_late),
    State.FAILED: _final(_arrived_late),
    State.CANCELLED: _final(),
    State.EXPIRED: _final(_arrived_late),
}

TABLE: Mapping[tuple[State, Happening], Cell] = {
    (state, happening): cell for state, row in ROWS.items() for happening, cell in row.items()
}
