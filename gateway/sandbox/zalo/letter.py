"""A consultation message as it comes over the wire, judged as Zalo judges it, and as the phone will show it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.zalo import uploads
from gateway.sandbox.zalo.answers import No

LONGEST_TEXT, LONGEST_TITLE, LONGEST_QUERY, MOST_BUTTONS = 2_000, 100, 1_000, 5

_ADDRESS = re.compile(r"https?://[^\s/]+\S*")
_CALLED = re.compile(r"\+?\d{3,15}", re.ASCII)


@dataclass(frozen=True)
class Letter:
    """`echo`: what Zalo's event of our own message is called. `more`: beside the text, for the phone."""

    text: str
    echo: str
    more: Mapping[str, Any]


def read(message: Any, kept: uploads.Uploads, now: float) -> Letter:
    """The message Zalo would carry; No for one that it would not."""
    if not isinstance(message, dict):
        raise No(-201, "message")
    if "text" in message and not isinstance(message["text"], str):
        raise No(-201, "text")
    text, attachment = message.get("text", ""), message.get("attachment")
    if len(text) > LONGEST_TEXT:
        raise No(-210, "text")
    if attachment is None:
        if not text.strip():
            raise No(-201, "text")
        return Letter(text, "oa_send_text", {})
    echo, more = _attachment(attachment, text, kept, now)
    return Letter(text, echo, more)


def _attachment(given: Any, text: str, kept: uploads.Uploads, now: float) -> tuple[str, dict[str, Any]]:
    kind, payload = _part(given, "type"), _part(given, "payload")
    if not isinstance(payload, dict):
        raise No(-201, "payload")
    if kind == "file":
        return "oa_send_file", _file(payload, text, kept)
    if kind != "template":
        raise No(-233, "attachment.type")
    if "buttons" in payload:
        if not text.strip():
            raise No(-201, "text")
        return "oa_send_list", {"buttons": _buttons(payload["buttons"])}
    if payload.get("template_type") == "media":
        return "oa_send_image", _picture(_only(payload), kept, now)
    if payload.get("template_type") == "request_user_info":
        return "oa_send_request_user_info", {"ask": _ask(_only(payload))}
    raise No(-233, "template_type")


def _file(payload: Mapping[str, Any], text: str, kept: uploads.Uploads) -> dict[str, Any]:
    found = kept.find("file", str(payload.get("token", "")))
    if found is None:
        raise No(-201, "token")
    if text:
        raise No(-201, "text")
    return {"file": found.name, "link": f"/media/{found.file}"}


def _picture(element: Mapping[str, Any], kept: uploads.Uploads, now: float) -> dict[str, Any]:
    if element.get("media_type") != "image":
        raise No(-201, "media_type")
    if "attachment_id" not in element:
        return {"link": _address(element.get("url"), "url")}
    found = kept.find("image", str(element["attachment_id"]))
    if found is None:
        raise No(-201, "attachment_id")
    if now - found.at > uploads.IMAGE_LIFE:
        raise No(-100, "attachment_id")
    return {"picture": f"/media/{found.file}"}


def _ask(element: Mapping[str, Any]) -> dict[str, str]:
    title, subtitle = _words(element.get("title"), "title"), _words(element.get("subtitle"), "subtitle")
    _address(element.get("image_url"), "image_url")
    return {"title": title, "subtitle": subtitle}


def _only(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    elements = payload.get("elements")
    if not isinstance(elements, list) or len(elements) != 1 or not isinstance(elements[0], dict):
        raise No(-201, "elements")
    return elements[0]


def _buttons(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given:
        raise No(-201, "buttons")
    if len(given) > MOST_BUTTONS:
        raise No(-210, "buttons")
    return [_button(one) for one in given]


def _button(given: Any) -> dict[str, Any]:
    title, kind, payload = _part(given, "title"), _part(given, "type"), _part(given, "payload")
    shown = {"title": _words(title, "title"), "type": kind}
    if len(title) > LONGEST_TITLE:
        raise No(-210, "title")
    if kind in ("oa.query.show", "oa.query.hide"):
        if len(_words(payload, "payload")) > LONGEST_QUERY:
            raise No(-210, "payload")
        return {**shown, "query": payload}
    if kind == "oa.open.url":
        return {**shown, "url": _address(_part(payload, "url"), "url")}
    if kind in ("oa.open.phone", "oa.open.sms"):
        called = _part(payload, "phone_code")
        if not isinstance(called, str) or not _CALLED.fullmatch(called):
            raise No(-201, "phone_code")
        if kind == "oa.open.sms":
            _words(payload.get("content"), "content")
        return {**shown, "call": called}
    raise No(-201, "button type")


def _part(given: Any, name: str) -> Any:
    return given.get(name) if isinstance(given, dict) else None


def _words(given: Any, name: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise No(-201, name)
    return given


def _address(given: Any, name: str) -> str:
    if not isinstance(given, str) or not _ADDRESS.fullmatch(given):
        raise No(-201, name)
    return given
