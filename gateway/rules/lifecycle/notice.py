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

What a rung's failure means decides where the notice goes:
  never to this person (refused)       the next rung at once
  nobody can be told there (barred)    the next rung at once; on the last rung it waits for the channel
  not handed over (unreached)          the same rung after a pause, a few times, then the next rung
  not at this hour (postponed)         the same rung when the hour has come
  perhaps handed over (unsure)         wait for a receipt, then the next rung, and never this one again
  silence after it was taken           ask the provider once, then the next rung

Two rules make it safe. A rung whose outcome is unknown is never tried again: the notice waits, then takes
the next rung. A final state is never overwritten: what arrives late is kept as evidence on the attempt, and
a second arrival is recorded as `reached_twice`.

Two rules make it end. No wait on a rung takes more than half of the time that is left while a rung follows,
and every open state has a `due` at which a sweeper finds it; a `due` at or past the deadline is the end.

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
WAITING = frozenset({State.SENDING, State.SENT, State.UNKNOWN})


class Happening(StrEnum):
    CLAIMED = "claimed"  # a worker took it to send it
    ACCEPTED = "accepted"  # the provider took it
    REFUSED = "refused"  # never as it stands: the next rung
    BARRED = "barred"  # not handed over, for no fault of this message: the next rung, or wait until `until`
    UNREACHED = "unreached"  # certainly not handed over: the same rung again, later
    UNSURE = "unsure"  # perhaps handed over
    POSTPONED = "postponed"  # not at this hour: the same rung at `until`
    DELIVERED = "delivered"  # a receipt: it arrived
    UNDELIVERED = "undelivered"  # a receipt: it did not arrive
    SILENCE = "silence"  # its time is up and nothing came
    CANCEL = "cancel"  # somebody withdraws it


@dataclass(frozen=True, slots=True)
class Event:
    """`until` goes with POSTPONED and BARRED (0: never); `reason` is a short code or sentence for the record.

    `rung` is where the attempt was made that this is about; None when it is about no attempt.
    `chance` is a draw in [0, 1) that spreads repeats, so that a hundred do not knock at the same second.
    """

    happening: Happening
    reason: str = ""
    until: int = 0
    rung: int | None = None
    chance: float = 0.5


@dataclass(frozen=True, slots=True)
class Policy:
    """Seconds. `retries` are the pauses before the 2nd, 3rd … try, each ± a fifth.

    `ask_wait` is how long the provider's word is waited for when it is asked. `fallback_by` is the last
    moment before the quiet hours at which a fallback still gets through; None where there are none.
    """

    receipt_wait: int
    receipt_wait_urgent: int
    unknown_wait: int
    retries: tuple[int, ...]
    lease: int
    ask_wait: int = 15  # longer than a provider is given to answer
    fallback_by: int | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """`rungs`: how many channels its ladder has. `asked`: the provider was asked about it on this rung."""

    state: State
    rung: int
    rungs: int
    tries: int
    due: int
    deadline: int
    urgent: bool
    reason: str = ""
    reached_twice: bool = False
    asked: bool = False


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


def _last(notice: Notice) -> bool:
    return notice.rung + 1 >= notice.rungs


def _half(notice: Notice, now: int) -> int:
    """What a rung may take of the time that is left while another rung follows."""
    return max(1, (notice.deadline - now) // 2)


def _claimed(notice: Notice, _event: Event, now: int, policy: Policy) -> Notice:
    if now >= notice.deadline:
        return _end(notice, State.EXPIRED, notice.reason or "deadline", now)
    return replace(notice, state=State.SENDING, tries=notice.tries + 1, due=now + policy.lease)


def _accepted(notice: Notice, _event: Event, now: int, policy: Policy) -> Notice:
    due = min(now + _patience(notice, now, policy), max(now, notice.deadline))
    return replace(notice, state=State.SENT, due=due, reason="", asked=False)


def _patience(notice: Notice, now: int, policy: Policy) -> int:
    """How long a receipt is waited for: half of what is left at most, and so that a fallback is not caught
    by the night, if the message had a fair time to arrive before that."""
    wait = policy.receipt_wait_urgent if notice.urgent else policy.receipt_wait
    if _last(notice):
        return wait
    wait = min(wait, _half(notice, now))
    evening = policy.fallback_by - now if policy.fallback_by is not None and not notice.urgent else wait
    return min(wait, evening) if evening >= policy.unknown_wait else wait


def _unsure(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    wait = min(policy.unknown_wait, _half(notice, now))
    return replace(notice, state=State.UNKNOWN, due=now + wait, reason=event.reason)


def _again(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """The same rung after a pause, while pauses are left and the next rung still gets its half of the time.

    The last rung has nothing to leave time for: it goes on at the longest pause until the deadline.
    """
    left = policy.retries[max(0, notice.tries - 1) :] or (policy.retries[-1:] if _last(notice) else ())
    pause = round(left[0] * (0.8 + 0.4 * event.chance)) if left else None
    if pause is None or (not _last(notice) and pause > (notice.deadline - now) // 2):
        return _next_rung(notice, event, now, policy)
    return _created(replace(notice, reason=event.reason), now + pause, now)


def _postponed(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """Later on the same rung, and no failed try; but a provider (`rung`) may not wait away the next rung's half,
    however often it asks for a moment more: the next rung needs a fair time too."""
    wait = event.until - now
    fair = max(wait, policy.unknown_wait) if wait > 0 else 0
    if event.rung is not None and not _last(notice) and fair > (notice.deadline - now) // 2:
        return _next_rung(notice, event, now, policy)
    return _created(replace(notice, reason=event.reason, tries=max(0, notice.tries - 1)), event.until, now)


def _barred(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """Nothing was handed over. On the last rung the channel may come back in time."""
    if _last(notice) and event.until:
        return _created(replace(notice, reason=event.reason, tries=0), max(event.until, now + 1), now)
    return _next_rung(notice, event, now, policy)


def _next_rung(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    if _last(notice):
        return _end(notice, State.FAILED, event.reason or "no_receipt", now)
    return _created(
        replace(notice, rung=notice.rung + 1, tries=0, reason=event.reason, asked=False), now, now
    )


def _overdue(notice: Notice, _event: Event, now: int, _policy: Policy) -> Notice:
    """It could not be sent in time."""
    if now >= notice.deadline:
        return _end(notice, State.EXPIRED, notice.reason or "deadline", now)
    return notice


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


def _unanswered(notice: Notice, event: Event, now: int, policy: Policy) -> Notice:
    """No receipt: the provider is asked once what it knows; then the next rung."""
    if not notice.asked and now < notice.deadline:
        return replace(notice, asked=True, due=min(now + policy.ask_wait, notice.deadline))
    return _silent(notice, event, now, policy)


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


def _final(arrived: Cell = _stay) -> Mapping[Happening, Cell]:
    return dict.fromkeys(Happening, _stay) | {Happening.DELIVERED: arrived}


ROWS: Mapping[State, Mapping[Happening, Cell]] = {
    State.CREATED: {
        Happening.CLAIMED: _claimed,
        Happening.ACCEPTED: _stay,  # the answer to an older rung, recorded on its attempt
        Happening.REFUSED: _stay,
        Happening.BARRED: _barred,
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
        Happening.BARRED: _barred,
        Happening.UNREACHED: _again,
        Happening.UNSURE: _unsure,
        Happening.POSTPONED: _postponed,
        Happening.DELIVERED: _delivered,  # the receipt overtook the answer
        Happening.UNDELIVERED: _next_rung,
        Happening.SILENCE: _lost_in_sending,
        Happening.CANCEL: _cancelled,
    },
    State.SENT: {
        Happening.CLAIMED: _stay,
        Happening.ACCEPTED: _stay,
        Happening.REFUSED: _stay,
        Happening.BARRED: _stay,
        Happening.UNREACHED: _stay,
        Happening.UNSURE: _stay,
        Happening.POSTPONED: _stay,
        Happening.DELIVERED: _delivered,
        Happening.UNDELIVERED: _next_rung,
        Happening.SILENCE: _unanswered,
        Happening.CANCEL: _cancelled,
    },
    State.UNKNOWN: {
        Happening.CLAIMED: _stay,
        Happening.ACCEPTED: _accepted,  # a worker that was late, not dead
        Happening.REFUSED: _next_rung,
        Happening.BARRED: _barred,  # such a worker may also say that it handed nothing over
        Happening.UNREACHED: _again,
        Happening.UNSURE: _stay,
        Happening.POSTPONED: _postponed,
        Happening.DELIVERED: _delivered,
        Happening.UNDELIVERED: _next_rung,
        Happening.SILENCE: _silent,
        Happening.CANCEL: _cancelled,
    },
    State.DELIVERED: _final(_delivered_late),
    State.FAILED: _final(_arrived_late),
    State.CANCELLED: _final(_arrived_late),
    State.EXPIRED: _final(_arrived_late),
}
"""Every state's row, every happening's cell."""

TABLE: Mapping[tuple[State, Happening], Cell] = {
    (state, happening): cell for state, row in ROWS.items() for happening, cell in row.items()
}
