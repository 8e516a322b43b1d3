"""How long after a person's last word to the page it may answer them, and at whose expense.

Zalo: free for 48 hours, paid until seven days, refused after that (error -230).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True)
class Window:
    """`free_until` and `until` in whole seconds; both 0 for somebody who never spoke."""

    state: Literal["free", "paid", "shut"]
    free_until: int
    until: int


def window(seen_at: int, now: int, free_hours: int = 48, window_days: int = 7) -> Window:
    """Where a person's window stands whose last word came at `seen_at` (0: never)."""
    if seen_at <= 0:
        return Window("shut", 0, 0)
    free_until = seen_at + free_hours * HOUR
    until = max(free_until, seen_at + window_days * DAY)
    if now < free_until:
        return Window("free", free_until, until)
    return Window("paid" if now < until else "shut", free_until, until)
