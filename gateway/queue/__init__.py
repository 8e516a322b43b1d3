"""hàng đợi: the merged queue of a site and day.

Every change locks its site-day first (`day.opened`), so changes of one queue happen one after another, each
with a version and an event; two counters can never be given one ticket. Functions take a Session inside a
`database.writing` transaction, and `now` in whole seconds.
"""

from gateway.queue.admission import WalkIn, admit, book, cancel, check_in, come_back, fresh_token, ticket_for
from gateway.queue.calling import (
    Refusal,
    call_next,
    finish,
    no_show,
    pause,
    recall,
    resume,
    start,
    transfer,
)
from gateway.queue.reading import Snapshot, Standing, snapshot, version

__all__ = [
    "Refusal",
    "Snapshot",
    "Standing",
    "WalkIn",
    "admit",
    "book",
    "call_next",
    "cancel",
    "check_in",
    "come_back",
    "finish",
    "fresh_token",
    "no_show",
    "pause",
    "recall",
    "resume",
    "snapshot",
    "start",
    "ticket_for",
    "transfer",
    "version",
]
