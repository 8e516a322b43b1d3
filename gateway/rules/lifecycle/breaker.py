"""When a channel, or one kind of message on it, is left alone for a while: one pure, total table.

Theory
------
A breaker belongs to a channel and a subject (a kind of notice whose template is at fault, or "" for all).
  closed    all is well; `failures` in a row are counted,
  open      nothing is handed over until `probe_at`,
  probing   one message is trying again; if nobody says how that ended, another may from `probe_at` on.
Two faults open it, and they differ in what the others do meanwhile:
  refusal   the provider says no to everybody (quota, papers, token): the others take the next channel at once,
  outage    it was not reached so many times in a row: the others count it as not reached, without knocking.
A refusal is asked again at a steady pace or at the provider's own hour (midnight for a day's quota); an outage
soon, then ever more slowly, and at once when the lane itself says that it is back: a modem that was plugged in
again. Only the probe's own answer closes a breaker: answers that were under way when it opened say nothing about now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    CLOSED = "closed"  # all is well
    OPEN = "open"  # left alone until probe_at
    PROBING = "probing"  # one message tries


class Happening(StrEnum):
    WORKED = "worked"  # the provider took a message, or judged it for itself
    REFUSED = "refused"  # it says no to all of them
    UNREACHED = "unreached"  # it could not be reached, or nobody knows
    PROBED = "probed"  # a message sets out to try
    PROBE_WORKED = "probe_worked"  # that message was taken
    BACK = "back"  # the lane itself says that it works again
    JUDGED = (
        "judged"  # that message was refused for itself: the provider is there, and says nothing of the others
    )


class Fault(StrEnum):
    NONE = ""
    REFUSAL = "refusal"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Policy:
    """`failures` in a row make an outage; the probes' intervals are seconds, `slowest` bounds an outage's."""

    failures: int
    outage_probe: int
    refusal_probe: int
    slowest: int = 900


@dataclass(frozen=True, slots=True)
class Breaker:
    state: State = State.CLOSED
    failures: int = 0
    fault: Fault = Fault.NONE
    opened_at: int = 0
    probe_at: int = 0
    probes: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """`until`: when the provider's own hour comes, if it is known."""

    happening: Happening
    until: int = 0


Cell = Callable[[Breaker, Event, int, Policy], Breaker]


def step(breaker: Breaker, event: Event, now: int, policy: Policy) -> Breaker:
    """The breaker after `event`. Total: every state × happening has a cell."""
    return TABLE[breaker.state, event.happening](breaker, event, now, policy)


def may_probe(breaker: Breaker, now: int) -> bool:
    """Whether a message may set out to try."""
    return breaker.state is not State.CLOSED and now >= breaker.probe_at


def _stay(breaker: Breaker, _event: Event, _now: int, _policy: Policy) -> Breaker:
    return breaker


def _well(breaker: Breaker, _event: Event, _now: int, _policy: Policy) -> Breaker:
    return replace(breaker, failures=0) if breaker.failures else breaker


def _close_if_outage(breaker: Breaker, _event: Event, _now: int, _policy: Policy) -> Breaker:
    """It answers again; whether a quota or a template is well again, the next probe must show."""
    return Breaker() if breaker.fault is Fault.OUTAGE else breaker


def _close(_breaker: Breaker, _event: Event, _now: int, _policy: Policy) -> Breaker:
    return Breaker()


def _count(breaker: Breaker, event: Event, now: int, policy: Policy) -> Breaker:
    failures = breaker.failures + 1
    if failures < policy.failures:
        return replace(breaker, failures=failures)
    return Breaker(State.OPEN, failures, Fault.OUTAGE, now, now + policy.outage_probe, 0)


def _refuse(breaker: Breaker, event: Event, now: int, policy: Policy) -> Breaker:
    until = event.until if event.until > now else now + policy.refusal_probe
    opened_at = breaker.opened_at if breaker.fault is Fault.REFUSAL else now
    return replace(breaker, state=State.OPEN, fault=Fault.REFUSAL, opened_at=opened_at, probe_at=until)


def _refuse_if_outage(breaker: Breaker, event: Event, now: int, policy: Policy) -> Breaker:
    """Reached after all, and refused; of refusals one is enough."""
    return breaker if breaker.fault is Fault.REFUSAL else _refuse(breaker, event, now, policy)


def _probe(breaker: Breaker, _event: Event, now: int, policy: Policy) -> Breaker:
    """Whoever sets out may die on the way: then another may try after the same time."""
    if now < breaker.probe_at:
        return breaker
    return replace(
        breaker, state=State.PROBING, probe_at=now + _interval(breaker, policy), probes=breaker.probes + 1
    )


def _soon(breaker: Breaker, _event: Event, now: int, _policy: Policy) -> Breaker:
    return replace(breaker, probe_at=min(breaker.probe_at, now), probes=0)


def _still_away(breaker: Breaker, _event: Event, now: int, policy: Policy) -> Breaker:
    return replace(breaker, state=State.OPEN, probe_at=now + _interval(breaker, policy))


def _interval(breaker: Breaker, policy: Policy) -> int:
    if breaker.fault is Fault.REFUSAL:
        return policy.refusal_probe
    return min(policy.slowest, policy.outage_probe * 2 ** min(breaker.probes, 20))


ROWS: Mapping[State, Mapping[Happening, Cell]] = {
    State.CLOSED: {
        Happening.WORKED: _well,
        Happening.REFUSED: _refuse,
        Happening.UNREACHED: _count,
        Happening.PROBED: _stay,
        Happening.PROBE_WORKED: _well,
        Happening.BACK: _stay,
        Happening.JUDGED: _well,
    },
    State.OPEN: {
        Happening.WORKED: _stay,
        Happening.REFUSED: _refuse_if_outage,
        Happening.UNREACHED: _stay,
        Happening.PROBED: _probe,
        Happening.PROBE_WORKED: _close,
        Happening.BACK: _soon,
        Happening.JUDGED: _close_if_outage,
    },
    State.PROBING: {
        Happening.WORKED: _stay,
        Happening.REFUSED: _refuse,
        Happening.UNREACHED: _still_away,
        Happening.PROBED: _probe,
        Happening.PROBE_WORKED: _close,
        Happening.BACK: _stay,
        Happening.JUDGED: _close_if_outage,
    },
}

TABLE: Mapping[tuple[State, Happening], Cell] = {
    (state, happening): cell for state, row in ROWS.items() for happening, cell in row.items()
}
