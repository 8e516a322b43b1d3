"""When will it be my turn: list scheduling over the open counters. Pure, whole seconds."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

RANGE = 300  # shown as a range of five minutes: more would be a promise that a queue cannot keep
BUSY_REST = 0.3  # the least share of a service that a busy counter is thought to need still


@dataclass(frozen=True)
class Busy:
    """A counter that serves: since when, and the mean seconds of that service."""

    since: int
    mean: int


def free_times(now: int, idle: int, busy: Sequence[Busy]) -> list[int]:
    """When each open counter is free: idle ones now, busy ones when their service is likely over."""
    rests = [max(now + round(BUSY_REST * one.mean), one.since + one.mean) for one in busy]
    return [now] * idle + rests


def starts(free: Sequence[int], means: Sequence[int]) -> list[int]:
    """The expected start of each ticket, given in the order of calling; [] for nobody open is all far away."""
    if not free:
        return []
    heap = list(free)
    heapq.heapify(heap)
    begun = []
    for mean in means:
        start = heap[0]
        heapq.heapreplace(heap, start + mean)
        begun.append(start)
    return begun


def shown(start: int, earliest: int | None = None) -> tuple[int, int]:
    """The range that a person is told, on whole five minutes; never before `earliest`."""
    low = max(start, earliest or start)
    low -= low % RANGE
    return low, low + RANGE
