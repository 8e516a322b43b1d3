"""Labels of numbers, slots of a shift and how many people a slot can take. Pure."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol

BOOKED_SERIES = ""
DESK_SERIES = "A"
KIOSK_SERIES = "BCDEFGHJKLMNPQRSTUVWXYZ"  # no I and no O: they read as 1 and 0 on paper


class CapacityPolicy(Protocol):
    use: float
    walk_in_share: float
    no_show: float
    overflow: float


@dataclass(frozen=True)
class Capacity:
    """People a slot can take: `total`, `walk_in` kept for the hall, `seats` to book, `sold` with no-shows in mind."""

    total: int
    walk_in: int
    seats: int
    sold: int


def label(series: str, n: int) -> str:
    """What is printed and called: 042, B017. People read 100 as "99 are ahead of me", so it starts at 001."""
    return f"{series}{n:03d}"


def spelled(text: str) -> str:
    """A number as somebody types it, as it is printed: "2" → "002", "b17" → "B017"."""
    found = re.fullmatch(r"([A-Z]?)([0-9]{1,5})", text.upper())
    return label(found[1], int(found[2])) if found else text.upper()


def slots(opens_at: int, closes_at: int, seconds: int) -> range:
    """The starts of a shift's slots; a rest shorter than a slot is not one."""
    return range(opens_at, closes_at - seconds + 1, seconds)


def capacity(
    seconds: int, counters: int, mean: int, expected_walk_ins: float, no_show: float, policy: CapacityPolicy
) -> Capacity:
    """Capacity of one slot by QUEUE-POLICY.md; `mean` seconds a service, `no_show` the site's recent share."""
    total = math.floor(counters * seconds * policy.use / mean)
    wanted = round(expected_walk_ins + 0.5 * math.sqrt(expected_walk_ins))
    walk_ins = min(total, max(round(policy.walk_in_share * total), wanted))
    seats = total - walk_ins
    return Capacity(total, walk_ins, seats, sold(seats, no_show, policy.overflow))


def sold(seats: int, no_show: float, overflow: float) -> int:
    """The most people to book for `seats`, so that more come than fit with probability `overflow` at most."""
    most = math.ceil(seats / (1 - no_show))
    return next(n for n in range(most, seats - 1, -1) if overflowing(n, seats, no_show) <= overflow)


def overflowing(n: int, seats: int, no_show: float) -> float:
    """P(more than `seats` of `n` people come), each staying away with probability `no_show`."""
    come = 1 - no_show
    return sum(math.comb(n, k) * come**k * no_show ** (n - k) for k in range(seats + 1, n + 1))
