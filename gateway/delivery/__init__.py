"""What the officer in charge wants to know: who has been reached, who has not and why, what it cost.

Reading, and carrying out what a person decided about a notice. Every list has an end and every count a bound,
so a page costs the same with a thousand notices and with a million.
"""

from gateway.delivery.acting import ACTS, act, show_phone
from gateway.delivery.costs import Cost, daily, monthly, safe, spent
from gateway.delivery.finding import Found, Spared, find_by_number, find_by_phone, history, newest_of, spared
from gateway.delivery.health import ALIVE_SECONDS, Health, channel_health, workplaces
from gateway.delivery.people import (
    Entry,
    Page,
    appointed,
    entry,
    held,
    lost,
    needing,
    past,
    repeatable,
    these,
)
from gateway.delivery.progress import Progress, Wanted, family, progress

__all__ = [
    "ACTS",
    "ALIVE_SECONDS",
    "Cost",
    "Entry",
    "Found",
    "Health",
    "Page",
    "Progress",
    "Spared",
    "Wanted",
    "act",
    "appointed",
    "channel_health",
    "daily",
    "entry",
    "family",
    "find_by_number",
    "find_by_phone",
    "held",
    "history",
    "lost",
    "monthly",
    "needing",
    "newest_of",
    "past",
    "progress",
    "repeatable",
    "safe",
    "show_phone",
    "spared",
    "spent",
    "these",
    "workplaces",
]
