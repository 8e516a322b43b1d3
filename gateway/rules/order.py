"""Earliest due time first: when each ticket is due, and why it stands where it stands.

Pure, over whole seconds (floats break first come first served: small differences vanish).
After J. R. Jackson's urgency numbers (1962): a class of tickets has a promised wait, and a ticket is due
at its base time plus that promise. `due` is fixed when a person becomes present, so a newcomer never
changes the order of the others. Whoever is present with the smallest `(due, seq)` is called next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol


class Promises(Protocol):
    """The seconds of `[policy]` that the order needs."""

    walk_in: int
    priority: int
    booked: int
    grace: int
    check_in_opens: int
    transfer: int
    missed_within: int
    missed_again: int


class Why(StrEnum):
    """The sentence that explains a place."""

    WALK_IN = "walk_in"  # took a ticket here
    WALK_IN_PRIORITY = "walk_in_priority"  # took a ticket here, with priority
    BOOKED = "booked"  # booked and here in time
    BOOKED_LATE = "booked_late"  # booked, but came after the grace
    BOOKED_PRIORITY = "booked_priority"  # booked, with priority
    RETURNED = "returned"  # missed the call and came back
    SECOND = "second"  # sent on for a second service


@dataclass(frozen=True)
class Place:
    """`base` and `due` in seconds since 1970; `why` names the rule that gave them."""

    base: int
    due: int
    why: Why


def walk_in(issued: int, priority: bool, promises: Promises) -> Place:
    """The place of a person who took a ticket at `issued` (the hour on the ticket)."""
    if priority:
        return Place(issued, issued + min(promises.priority, promises.walk_in), Why.WALK_IN_PRIORITY)
    return Place(issued, issued + promises.walk_in, Why.WALK_IN)


def booked(slot: int, arrived: int, priority: bool, promises: Promises) -> Place:
    """The place of a booked person: coming early gains nothing, coming late makes them a walk-in."""
    if arrived <= slot + promises.grace:
        plain = Place(slot, slot + promises.booked, Why.BOOKED)
    else:
        plain = Place(arrived, arrived + promises.walk_in, Why.BOOKED_LATE)
    if not priority:
        return plain
    base = max(slot, arrived)
    due = min(base + min(promises.booked, promises.priority), plain.due)
    return Place(base, due, Why.BOOKED_PRIORITY)


def returned(place: Place, missed: int, promises: Promises) -> Place:
    """The place of a person who missed their calls at `missed` and came back: never an earlier one."""
    return replace(place, due=max(place.due, missed + promises.missed_again), why=Why.RETURNED)


def may_return(missed: int, now: int, already: bool, promises: Promises) -> bool:
    """Whether a missed person may come back with the same number: once, within the time allowed."""
    return not already and now <= missed + promises.missed_within


def second_service(now: int, promises: Promises) -> Place:
    """The place for a further service after the first one is finished."""
    return Place(now, now + promises.transfer, Why.SECOND)


def check_in_open(slot: int, now: int, promises: Promises) -> bool:
    """Whether a booked person may report yet: from one hour (by default) before the slot."""
    return now >= slot - promises.check_in_opens
