"""What was found, and finding it without a fault stopping the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway import channels as rooms
from gateway import connections, tokens


@dataclass(frozen=True)
class Finding:
    """One line: which part, whether it is well, and what was seen."""

    part: str
    well: bool
    text: str


def tried(part: str, look: Callable[[], Finding]) -> Finding:
    """A finding, also where looking fails."""
    try:
        return look()
    except (connections.Missing, rooms.Refused, tokens.NoConsent) as fault:
        return Finding(part, False, str(fault)[:200])
    except rooms.Unreachable as fault:  # its words are the channel's, and hold no address and no key
        return Finding(part, False, f"không kết nối được / cannot be reached ({fault.reason})"[:200])
    except Exception as fault:
        return Finding(part, False, f"không kết nối được / cannot be reached ({type(fault).__name__})")
