"""What a consultation message may hold, and its shape on the wire (contract section 3.1).

What Zalo would refuse is refused here, so that nothing half right is handed over: a text of at most 2,000
characters, at most five buttons, one attachment. A file and the question for a phone number go alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.channels import Fault, Message, Refused
from gateway.channels.zalo.filled import composed

LONGEST, MOST_BUTTONS, LONGEST_TITLE, LONGEST_QUERY = 2_000, 5, 100, 1_000
LONGEST_SUBTITLE, LONGEST_URL = 500, 2_000
_WEB = re.compile(r"https?://[^\s/]+\S*")
_PHONE = re.compile(r"\+?[0-9]{3,15}")
_QUERIES = ("oa.query.show", "oa.query.hide")


def message(given: Message) -> dict[str, Any]:
    """The `message` object of a message; raises Refused where Zalo would not take it."""
    text = composed(given.text)
    if len(text) > LONGEST:
        long = f"tin dài {len(text)} ký tự, tối đa {LONGEST} / the text has {len(text)} characters"
        raise _refused("long", f"{long}, at most {LONGEST}")
    body: dict[str, Any] = {"text": text} if text.strip() else {}
    attachment = _attachment(given, bool(body))
    if attachment:
        body["attachment"] = attachment
    if not body:
        raise _refused("empty", "tin không có nội dung / the message is empty")
    if given.attachment and given.attachment.get("kind") == "ask_contact":
        body.pop("text", None)  # the words are the element's; what is in `text` is for our own pages
    return body | ({"quote_message_id": given.quote} if given.quote else {})


def _attachment(given: Message, worded: bool) -> dict[str, Any] | None:
    if given.buttons and given.attachment:
        raise _shape("nút bấm và tệp không đi chung", "buttons and an attachment do not go together")
    if given.buttons:
        if not worded:
            raise _shape("nút bấm cần có lời", "buttons need a text")
        return {"type": "template", "payload": {"buttons": buttons(given.buttons)}}
    if not given.attachment:
        return None
    make = _ATTACHMENTS.get(str(given.attachment.get("kind")))
    if make is None:
        raise _shape("loại tệp đính kèm không rõ", "an unknown kind of attachment")
    if make is _file and worded:
        raise _shape(
            "tệp phải gửi riêng, lời gửi ở tin khác", "a file goes alone, its words in another message"
        )
    return make(given.attachment)


def buttons(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Buttons as Zalo wants them, checked."""
    if len(given) > MOST_BUTTONS:
        raise _shape(f"quá {MOST_BUTTONS} nút bấm", f"more than {MOST_BUTTONS} buttons")
    return [_button(one) for one in given]


def _button(given: Mapping[str, Any]) -> dict[str, Any]:
    title, kind, payload = _words(given.get("title")), given.get("type"), given.get("payload")
    if not title or len(title) > LONGEST_TITLE:
        raise _shape("chữ trên nút trống hoặc quá dài", "a button's title is empty or too long")
    if kind in _QUERIES:
        query = _words(payload)
        if not query or len(query) > LONGEST_QUERY:
            raise _shape("lệnh của nút trống hoặc quá dài", "a button's query is empty or too long")
        return {"title": title, "type": kind, "payload": query}
    fits = _PAYLOADS.get(str(kind))
    found = fits(payload) if fits and isinstance(payload, Mapping) else None
    if found is None:
        raise _shape("nút bấm không đúng dạng", "a button has the wrong shape")
    return {"title": title, "type": kind, "payload": found}


def _link(payload: Mapping[str, Any]) -> dict[str, str] | None:
    url = _words(payload.get("url"))
    return {"url": url} if _WEB.fullmatch(url) and len(url) <= LONGEST_URL else None


def _call(payload: Mapping[str, Any]) -> dict[str, str] | None:
    number = _words(payload.get("phone_code"))
    return {"phone_code": number} if _PHONE.fullmatch(number) else None


def _text(payload: Mapping[str, Any]) -> dict[str, str] | None:
    content, call = _words(payload.get("content")), _call(payload)
    return {"content": content} | call if call and 0 < len(content) <= LONGEST_QUERY else None


_PAYLOADS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, str] | None]] = {
    "oa.open.url": _link,
    "oa.open.phone": _call,
    "oa.open.sms": _text,
}


def _image(given: Mapping[str, Any]) -> dict[str, Any]:
    found = _token(given.get("id"))
    element = {"media_type": "image", "attachment_id": found}
    return {"type": "template", "payload": {"template_type": "media", "elements": [element]}}


def _file(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "file", "payload": {"token": _token(given.get("token"))}}


def _ask_contact(given: Mapping[str, Any]) -> dict[str, Any]:
    """Zalo's own form for a phone number; it takes exactly one element."""
    title, subtitle = _words(given.get("title")), _words(given.get("subtitle"))
    picture = _words(given.get("image_url"))
    fits = 0 < len(title) <= LONGEST_TITLE and 0 < len(subtitle) <= LONGEST_SUBTITLE
    if not fits or not _WEB.fullmatch(picture):
        raise _shape("lời xin số điện thoại không đúng dạng", "the question for a phone has the wrong shape")
    element = {"title": title, "subtitle": subtitle, "image_url": picture}
    return {"type": "template", "payload": {"template_type": "request_user_info", "elements": [element]}}


_ATTACHMENTS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "image": _image,
    "file": _file,
    "ask_contact": _ask_contact,
}


def _token(value: Any) -> str:
    found = _words(value)
    if not found or len(found) > LONGEST_URL:
        raise _shape("thiếu mã tệp đã tải lên", "the uploaded file's id is missing")
    return found


def _words(value: Any) -> str:
    return composed(value).strip() if isinstance(value, str) else ""


def _shape(vietnamese: str, english: str) -> Refused:
    return _refused("shape", f"{vietnamese} / {english}")


def _refused(code: str, reason: str) -> Refused:
    return Refused(code, reason, "message", Fault.BUG)
