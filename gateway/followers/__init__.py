"""The people who follow or write to the Official Account: what is known of them, and how it goes again.

Functions run inside a `database.writing` transaction; `at` is when Zalo says that it happened.
"""

from gateway.followers.erasing import erase
from gateway.followers.people import (
    NO_NEWS,
    bind_phone,
    follow,
    interacted,
    known,
    named,
    tag,
    tags,
    unfollow,
    untag,
)
from gateway.followers.searching import Counts, Entry, Found, Wanted, counts, everybody, person, search
from gateway.followers.sync import Listing, Synced, due, meet, sync, synced
from gateway.followers.tagging import push_tags, put_tag, tag_counts, take_tag, waiting_tags

__all__ = [
    "Counts",
    "Entry",
    "Found",
    "Listing",
    "NO_NEWS",
    "Synced",
    "Wanted",
    "bind_phone",
    "counts",
    "due",
    "erase",
    "everybody",
    "follow",
    "interacted",
    "known",
    "meet",
    "named",
    "person",
    "push_tags",
    "put_tag",
    "search",
    "sync",
    "synced",
    "tag",
    "tag_counts",
    "tags",
    "take_tag",
    "unfollow",
    "untag",
    "waiting_tags",
]
