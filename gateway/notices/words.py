"""Other people's words, as a database keeps them."""

from __future__ import annotations


def storable(text: str, most: int) -> str:
    """A provider's words, bounded. No database keeps a NUL or half a surrogate pair, PostgreSQL keeps nothing
    that is too long, and one bad answer must not stop the round that it is written in."""
    if text.isascii() and text.isprintable():
        return text[:most]
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:most]
