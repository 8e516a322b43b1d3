"""What Zalo tells us, read from the body of an event: bounded, NFC, and nothing believed that is not there. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

TEXT_LENGTH, URL_LENGTH, NAME_LENGTH, ATTACHMENTS = 4_000, 2_000, 200, 10
USER = re.compile(r"[0-9A-Za-z_-]{1,40}")
# Zalo's names for what a message holds; others are kept as "file"
KINDS = {
    "text": "text",
    "image": "image",
    "gif": "image",
    "photo": "image",
    "file": "file",
    "audio": "audio",
    "voice": "audio",
    "video": "video",
    "sticker": "sticker",
    "location": "location",
    "link": "link",
    "links": "link",
    "business_card": "card",
}


class Unreadable(ValueError):
    """The body is no event that can be understood."""


@dataclass(frozen=True)
class Heard:
    """An event. `at`: when it happened, in seconds; `order`: the same in ms as Zalo says it; `kind`: of a message.

    `of_admin`: a person answered in Zalo's own app. `raw` is the whole event.
    """

    name: str
    user_id: str
    at: int
    order: int
    by_app: str = ""
    msg_id: str | None = None
    quoted: str = ""
    kind: str = ""
    text: str = ""
    attachments: tuple[Mapping[str, Any], ...] = ()
    of_admin: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


def read(body: str, stored_at: int, now: int) -> Heard:
    """An event's body; `stored_at` stands in for a time that is missing or lies ahead. Raises `Unreadable`."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise Unreadable("not JSON") from fault
    if not isinstance(raw, dict):
        raise Unreadable("not an object")
    name = said(raw.get("event_name"), 60)
    order = _milliseconds(raw.get("timestamp"))
    at = order // 1_000
    message = _object(raw.get("message"))
    return Heard(
        name=name,
        user_id=_user(raw, name),
        at=at if 0 < at <= now else min(stored_at, now),
        order=order if 0 < at <= now else stored_at * 1_000,
        by_app=_id(raw.get("user_id_by_app")),
        msg_id=said(message.get("msg_id"), 80) or None,
        quoted=said(message.get("quote_msg_id"), 80),
        kind=_kind(name),
        text=said(message.get("text"), TEXT_LENGTH, lines=True),
        attachments=tuple(_attachments(message.get("attachments"))),
        of_admin=bool(said(_object(raw.get("sender")).get("admin_id"), 40)),
        raw=raw,
    )


def said(value: object, most: int, lines: bool = False) -> str:
    """A text (or a number, as Zalo sends either) as it is kept: NFC, without control characters, bounded."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    text = unicodedata.normalize("NFC", str(value)[: most * 2])
    kept = "\n" if lines else ""
    return "".join(char for char in text if char in kept or not _hidden(char)).strip()[:most]


def _hidden(char: str) -> bool:
    """Control characters and half surrogate pairs; joiners stay, emoji are made of them."""
    return unicodedata.category(char) in ("Cc", "Cs") or char in "\u202a\u202b\u202c\u202d\u202e"


def info(raw: Mapping[str, Any]) -> tuple[str, str]:
    """(name, phone) of a `user_submit_info`, in either of its shapes. What else it holds is not ours to keep."""
    given = _object(raw.get("info"))
    return said(given.get("name") or given.get("user_name"), NAME_LENGTH), said(
        given.get("phone") or given.get("user_phone") or given.get("phone_number"), 40
    )


def tag(raw: Mapping[str, Any]) -> str:
    """The word of a tag event; Zalo's page does not say where it stands."""
    found = raw.get("tag") or raw.get("tag_name") or raw.get("tags")
    if isinstance(found, list):
        found = found[0] if found else ""
    if isinstance(found, dict):
        found = found.get("name") or found.get("tag_name")
    return said(found, 60)


def changed(raw: Mapping[str, Any], name: str) -> str:
    """The new value of a change, e.g. "status": {"prev_status", "new_status"}."""
    given = raw.get(name)
    if isinstance(given, dict):
        return said(given.get(f"new_{name}") or given.get("new_value"), 40)
    return said(given, 40)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(value: object) -> str:
    found = said(value, 60)
    return found if USER.fullmatch(found) else ""


def _milliseconds(value: object) -> int:
    text = said(value, 20)
    return int(text) if text.isascii() and text.isdecimal() else 0


def _user(raw: Mapping[str, Any], name: str) -> str:
    """Whom an event is about. What the page said is about its recipient."""
    sender, recipient = (
        _id(_object(raw.get("sender")).get("id")),
        _id(_object(raw.get("recipient")).get("id")),
    )
    if name.startswith("oa_"):
        return recipient
    direct = _id(_object(raw.get("follower")).get("id")) or sender
    named = _id(_object(raw.get("user")).get("id")) or _id(raw.get("user_id"))
    return direct or named or (recipient if "tag" in name else "")


def _kind(name: str) -> str:
    """The kind of a message event; empty where it is none."""
    for prefix in ("user_send_", "oa_send_"):
        if name.startswith(prefix):
            return KINDS.get(name.removeprefix(prefix), "file" if prefix == "user_send_" else "text")
    return ""


def _attachments(given: object):
    for one in given[:ATTACHMENTS] if isinstance(given, list) else ():
        payload = _object(_object(one).get("payload"))
        kind = KINDS.get(said(_object(one).get("type"), 30), "file")
        found = {
            "kind": kind,
            "url": link(payload.get("url")),
            "thumbnail": link(payload.get("thumbnail")),
            "name": said(payload.get("name") or payload.get("title"), NAME_LENGTH),
            "description": said(payload.get("description"), NAME_LENGTH),
            **_place(payload.get("coordinates")),
        }
        yield {key: value for key, value in found.items() if value != ""}


def link(value: object) -> str:
    """An address that a page may show: http or https, of a bounded length. Else nothing."""
    text = said(value, URL_LENGTH + 1)
    good = len(text) <= URL_LENGTH and re.fullmatch(r"https?://[^\s\"'<>\\]+", text)
    return text if good else ""


def _place(value: object) -> dict[str, str]:
    given = _object(value)
    found = {}
    for name, most in (("latitude", 90), ("longitude", 180)):
        text = str(given.get(name, ""))[:24]
        if re.fullmatch(r"-?\d{1,3}(\.\d{1,15})?", text) and abs(float(text)) <= most:
            found[name] = text
    return found if len(found) == 2 else {}
