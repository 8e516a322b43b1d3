"""đợt báo: one thing that many people are told, e.g. that the team comes to their ward.

A draft is written, looked at (who, by which way, at what cost), confirmed, and then told by the engine like
any other notice. What was looked at is what is sent: if the people or the words change in between, nothing is.
"""

from gateway.broadcasts.audience import MOST_PEOPLE, STATES, Audience, Gathered, Person, gather, kept
from gateway.broadcasts.looking import KIND, NOBODY, Preview, Sample, Way, deadline, preview
from gateway.broadcasts.sending import (
    AT_ONCE,
    Draft,
    Outcome,
    State,
    discard,
    newest,
    prefix,
    progress,
    send,
    withdraw,
    write,
)

__all__ = [
    "AT_ONCE",
    "Audience",
    "Draft",
    "Gathered",
    "KIND",
    "MOST_PEOPLE",
    "NOBODY",
    "Outcome",
    "Person",
    "Preview",
    "STATES",
    "Sample",
    "State",
    "Way",
    "deadline",
    "discard",
    "gather",
    "kept",
    "newest",
    "prefix",
    "preview",
    "progress",
    "send",
    "withdraw",
    "write",
]
