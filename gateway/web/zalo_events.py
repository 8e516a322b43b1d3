"""What a posted event of Zalo says of itself, and the rows of `receipts` that keep it.

Nothing of it is believed here, and nothing of its shape is counted on: numbers stand where texts are
promised, lists where objects are, and names that nobody has documented come every year.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RECEIVED, SEEN = "user_received_message", "user_seen_message"
MOST_SEEN = 100  # messages that one event may call seen
NAME, REFERENCE, MESSAGE, NUMBER = 60, 48, 80, 40  # the longest of each
_PLAIN = re.compile(r"[\x21-\x7e]+")
# A pair of surrogates is one character; half of one, like a NUL, is none that a database holds
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\."
)


class Unreadable(ValueError):
    """It is no JSON object, or it does not say what kind of event it is."""


@dataclass(frozen=True)
class Told:
    """An event's parts that are looked at here; empty where it has none. `body` is the whole, storable."""

    app_id: str
    name: str
    timestamp: str
    msg_id: str
    tracking_id: str
    seen: tuple[str, ...]
    body: str

    def identity(self, raw: bytes) -> str:
        """What is the same when Zalo sends it again."""
        return self.msg_id or hashlib.sha256(raw).hexdigest()


def read(raw: bytes) -> Told | None:
    """The event in a posted body; None for the console's probe, an empty body or object."""
    text = raw.decode("utf-8-sig", "replace").replace("\0", "\ufffd")
    if not text.strip():
        return None
    try:
        event = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise Unreadable("no JSON") from fault
    if event == {}:
        return None
    if not isinstance(event, dict):
        raise Unreadable("no object")
    name = _text(event.get("event_name"), NAME)
    if not name:
        raise Unreadable("no name")
    message = event.get("message")
    message = message if isinstance(message, dict) else {}
    return Told(
        _text(event.get("app_id"), NUMBER),
        name,
        _text(event.get("timestamp"), NUMBER),
        _text(message.get("msg_id"), MESSAGE),
        _text(message.get("tracking_id"), REFERENCE),
        _seen(message) if name == SEEN else (),
        _storable(text),
    )


def rows(told: Told, raw: bytes) -> list[dict[str, Any]]:
    """The rows that keep a genuine event: a receipt for each message that arrived or was seen, else one of
    channel "oa" that the worker reads in its time.

    They get the moment at which they come: Zalo sends again for twelve hours, and what is older is no reason
    to lose it.
    """
    if told.name == RECEIVED and (told.msg_id or told.tracking_id):
        return [_row(told, told.identity(raw), told.body, reference=told.tracking_id or None, delivered=True)]
    if told.seen:
        bodies = (told.body, *("" for _ in told.seen[1:]))  # the whole once
        return [
            _row(told, msg_id, body, provider_ref=msg_id, delivered=True, code="seen")
            for msg_id, body in zip(told.seen, bodies, strict=True)
        ]
    return [_row(told, told.identity(raw), told.body, channel="oa", delivered=None)]


def _row(told: Told, identity: str, body: str, **about: Any) -> dict[str, Any]:
    return {
        "channel": "zalo",
        "key": f"zalo:{told.name}:{identity}",
        "event": told.name,
        "reference": None,
        "provider_ref": told.msg_id or None,
        "code": "",
        "body": body,
        "done_at": None,
        **about,
    }


def _seen(message: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of the messages that were seen, each once: a list of them, or the only one."""
    given = message.get("msg_ids")
    given = given if isinstance(given, list) else []
    found = (_text(one, MESSAGE) for one in (*given, message.get("msg_id")))
    return tuple(dict.fromkeys(one for one in found if one))[:MOST_SEEN]


def _text(value: Any, most: int) -> str:
    """An id or a name as text; a whole number is taken as its digits, anything else is as if it were absent."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > most or not _PLAIN.fullmatch(value):
        return ""
    return value


def _storable(text: str) -> str:
    """The JSON as it came, without the characters that would not come out of it into a table."""
    return _ESCAPES.sub(lambda found: r"\ufffd" if found[1] else found[0], text)


def _no_constant(name: str) -> Any:
    raise Unreadable(f"{name} is no JSON")
