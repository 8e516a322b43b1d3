"""What programs may be told, how it is signed, when it is told again, and which addresses may be called. Pure.

Signatures are those of the Standard Webhooks specification (standardwebhooks.com), so that a program can check
them with a library that it has already. A hook's secret is kept nowhere: it follows from our own secret, the
hook's id and a generation, and every process with the same secret key comes to the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

PREFIX = "whsec_"
PING = "ping"
EVENTS = (
    "notice.sent",
    "notice.unknown",
    "notice.delivered",
    "notice.failed",
    "notice.expired",
    "notice.cancelled",
    "notice.reached_twice",
)
FINAL = ("notice.delivered", "notice.failed", "notice.expired", "notice.cancelled")
OVERLAP_SECONDS = 86_400
"""After a rotation the old secret signs too for so long, and the program has time to change."""

SPREAD = 0.2
NAT64 = ipaddress.ip_network("64:ff9b::/96")  # an IPv4 address behind a translator (RFC 6052)


def secret_of(own_secret: str, hook_id: str, generation: int) -> str:
    """What the program keeps to check signatures: "whsec_" and 32 bytes in base64."""
    digest = hmac.digest(own_secret.encode(), f"hook:{hook_id}:{generation}".encode(), hashlib.sha256)
    return PREFIX + base64.b64encode(digest).decode()


def generations(generation: int, rotated_at: int | None, now: int) -> tuple[int, ...]:
    """Which secrets sign now: the newest, and for a day after a rotation the one before it."""
    old = generation > 1 and rotated_at is not None and now < rotated_at + OVERLAP_SECONDS
    return (generation, generation - 1) if old else (generation,)


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """ "v1," and the HMAC-SHA256 of `id.timestamp.body` in base64."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(secrets: Iterable[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; with several secrets, several signatures in one."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(one, message_id, timestamp, body) for one in secrets),
    }


def happened(before: str, state: str, twice_before: bool, twice: bool) -> tuple[str, ...]:
    """The events that a notice's step is: entering a state, and arriving a second time."""
    found = f"notice.{state}"
    entered = (found,) if state != before and found in EVENTS else ()
    return (*entered, "notice.reached_twice") if twice and not twice_before else entered


def pause(tries: int, retries: Sequence[int], chance: float) -> int | None:
    """Seconds until it is tried again after `tries` tries; None: not any more. `chance` is a draw in [0, 1)."""
    if tries > len(retries):
        return None
    return max(1, round(retries[tries - 1] * (1 - SPREAD + 2 * SPREAD * chance)))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a program wants to be told: `path` with its query."""

    secure: bool
    host: str
    port: int
    path: str


def address(url: str) -> Address | None:
    """The parts of an http or https URL; None for everything else, and for one that carries a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or port == 0:
        return None
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return None
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Address(secure, host, port or (443 if secure else 80), path)


def is_allowed(host: str, allow: Collection[str]) -> bool:
    """Whether the configuration names this host, whatever its address is."""
    return host.lower() in {one.lower().rstrip(".").strip("[]") for one in allow}


def is_public(text: str) -> bool:
    """Whether an IP address is out on the internet: not ours, not a neighbour's, not a group's.

    An IPv4 address inside an IPv6 one is judged itself (RFC 4291, 3056, 6052).
    """
    found = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in NAT64:
            inner = ipaddress.IPv4Address(found.packed[-4:])
        if inner is not None:
            found = inner
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)
