"""Signing what programs are told, by the Standard Webhooks specification (standardwebhooks.com). Pure.

A hook's secret is not kept anywhere: it follows from our own secret, the hook's id and a generation.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"
EVENTS = (
    "notice.sent",
    "notice.unknown",
    "notice.delivered",
    "notice.failed",
    "notice.expired",
    "notice.cancelled",
    "notice.reached_twice",
)
FINAL = tuple(one for one in EVENTS if one not in ("notice.sent", "notice.unknown"))
PING = "ping"


def secret_of(own_secret: str, hook_id: str, generation: int) -> str:
    """What the program keeps to check signatures: "whsec_" and 32 bytes in base64."""
    digest = hmac.digest(own_secret.encode(), f"hook:{hook_id}:{generation}".encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(digest).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: "v1," and the HMAC-SHA256 of `id.timestamp.body` in base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def happened(before: str, state: str, twice_before: bool, twice: bool) -> str | None:
    """The event that a notice's step is, if it is one: entering a state, or arriving a second time."""
    if twice and not twice_before:
        return "notice.reached_twice"
    found = f"notice.{state}"
    return found if state != before and found in EVENTS else None
