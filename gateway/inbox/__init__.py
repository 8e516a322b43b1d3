"""hộp thư: what staff see of the conversations with citizens by Zalo and text message, and what they do there.

Complaints and whatever is sensitive exist for officers and admins only: every function takes the `Reader`,
and for the others such a conversation is not there at all.
"""

from gateway.inbox.acting import (
    LONGEST,
    MOST_PARTS,
    TOPICS,
    Refusal,
    answer,
    assign,
    close,
    mark_read,
    mark_sensitive,
    note,
    set_topic,
    show_phone,
    staff_for,
)
from gateway.inbox.canned import canned, change_canned, defaults, remove_canned
from gateway.inbox.finding import find
from gateway.inbox.people import Person, person
from gateway.inbox.reading import (
    MESSAGES,
    STATES,
    THREADS,
    WAYS,
    Reader,
    Said,
    Thread,
    Threads,
    Wanted,
    conversation,
    counts,
    messages,
    own_message,
    thread,
    threads,
)
from gateway.inbox.sending_again import look, say_again
from gateway.inbox.uploading import LARGEST_FILE, Document, NotTaken, document
from gateway.inbox.watching import Change, changes

__all__ = [
    "LARGEST_FILE",
    "Document",
    "NotTaken",
    "document",
    "look",
    "LONGEST",
    "MESSAGES",
    "MOST_PARTS",
    "STATES",
    "THREADS",
    "TOPICS",
    "WAYS",
    "Change",
    "Person",
    "Reader",
    "Refusal",
    "Said",
    "Thread",
    "Threads",
    "Wanted",
    "answer",
    "assign",
    "canned",
    "change_canned",
    "changes",
    "close",
    "conversation",
    "counts",
    "defaults",
    "find",
    "mark_read",
    "mark_sensitive",
    "messages",
    "note",
    "own_message",
    "person",
    "remove_canned",
    "say_again",
    "set_topic",
    "show_phone",
    "staff_for",
    "thread",
    "threads",
]
