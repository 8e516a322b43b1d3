"""The inbox in the reader's words: topics, states, what time is left, links in what citizens write."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, current_app
from flask_babel import gettext as _
from markupsafe import Markup, escape

from gateway import inbox
from gateway.rules import phone

MINUTE, HOUR, DAY = 60, 3_600, 86_400
SHOWN = 60  # letters of a link
_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"']+)|(?P<phone>(?<![\w.,/+-])(?:\+84|0)(?:[ .-]?[0-9]){8,10}(?![\w/-]))"
)
_AFTER = ".,;:!?)]}…”"


def linked(text: str) -> Markup:
    """A text whose addresses lead on and whose phone numbers can be tapped; everything else stays text."""
    made, at = Markup(""), 0
    for found in _FOUND.finditer(text):
        made += escape(text[at : found.start()]) + _link(found)
        at = found.end()
    return made + escape(text[at:])


def _link(found: re.Match[str]) -> Markup:
    if found["url"]:
        url = found["url"].rstrip(_AFTER)
        shown = url if len(url) <= SHOWN else f"{url[:SHOWN]}…"
        link = Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(url, shown)
        return link + escape(found["url"][len(url) :])
    number = phone.parse(found["phone"])
    if not isinstance(number, phone.Phone):
        return escape(found["phone"])
    return Markup('<a href="tel:{}">{}</a>').format(number.e164, found["phone"])


def address(given: Mapping[str, Any], name: str = "url") -> str:
    """An attachment's address if a page may show it: https, or the stand-ins on this machine; else nothing."""
    url = given.get(name)
    if not isinstance(url, str):
        return ""
    stand_ins = ("http://127.0.0.1:", "http://localhost:")
    sandbox = current_app.extensions["gateway"].config.sandbox.on
    return url if url.startswith("https://") or (sandbox and url.startswith(stand_ins)) else ""


def position(given: Mapping[str, Any]) -> str:
    """A map of the place that somebody sent; nothing if it is none."""
    try:
        north, east = float(given["latitude"]), float(given["longitude"])
    except (KeyError, TypeError, ValueError):
        return ""
    return f"https://www.openstreetmap.org/?mlat={north:.6f}&mlon={east:.6f}#map=17/{north:.6f}/{east:.6f}"


def left(seconds: int) -> str:
    """ "3 ngày 5 giờ", "5 giờ 12 phút", "12 phút": two units, rounded down; at least a minute."""
    seconds = max(MINUTE, seconds)
    days, hours, minutes = seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE
    if days:
        return _("%(days)d ngày %(hours)d giờ", days=days, hours=hours)
    if hours:
        return _("%(hours)d giờ %(minutes)d phút", hours=hours, minutes=minutes)
    return _("%(minutes)d phút", minutes=minutes)


def topic_word(topic: str) -> str:
    """What a conversation is about."""
    words = {
        "": _("Chưa rõ việc"),
        "residence": _("Cư trú"),
        "complaint": _("Khiếu nại, tố cáo"),
        "procedure": _("Thủ tục"),
        "identity": _("Căn cước"),
        "other": _("Việc khác"),
    }
    return words.get(topic, topic)


def talk_word(state: str) -> str:
    """A conversation's state, and the filter of that name."""
    words = {
        "": _("Tất cả"),
        "waiting": _("Chờ trả lời"),
        "mine": _("Của tôi"),
        "answered": _("Đã trả lời"),
        "automatic": _("Tự động"),
        "closed": _("Đã xong"),
    }
    return words.get(state, state)


def way_word(way: str) -> str:
    """By which way a conversation is held, and the filter of that name."""
    return {"": _("Mọi kênh"), "zalo": "Zalo", "sms": "SMS"}.get(way, way)


def ticket_word(state: str) -> str:
    """Where an applicant of theirs stands."""
    words = {
        "registered": _("đã đăng ký, chưa có số"),
        "numbered": _("đã có số"),
        "booked": _("đã có số"),
        "waiting": _("đang chờ"),
        "called": _("đang được mời"),
        "serving": _("đang làm thủ tục"),
        "done": _("đã xong"),
        "no_show": _("vắng mặt"),
        "cancelled": _("đã huỷ"),
    }
    return words.get(state, state)


def said_word(state: str) -> str:
    """Where a message of ours stands."""
    words = {
        "sending": _("đang gửi"),
        "held": _("đang chờ gửi"),
        "sent": _("đã gửi"),
        "arrived": _("đã nhận"),
        "seen": _("đã xem"),
        "failed": _("không gửi được"),
    }
    return words.get(state, state)


def kind_named(kind: str) -> str:
    """What somebody sent that is no text."""
    words = {
        "image": _("Ảnh"),
        "file": _("Tệp"),
        "audio": _("Tin thoại"),
        "video": _("Video"),
        "sticker": _("Nhãn dán"),
        "location": _("Vị trí"),
        "link": _("Liên kết"),
        "card": _("Danh thiếp"),
        "info": _("Đã gửi thông tin liên hệ"),
        "follow": _("Bắt đầu quan tâm trang"),
        "ask_contact": _("Xin số điện thoại"),
    }
    return words.get(kind, "" if kind == "text" else kind)


def speaker(by: str) -> str:
    """Who said it, where it is not the citizen."""
    return {"auto": _("Trả lời tự động"), "Zalo": _("Trả lời trong ứng dụng Zalo")}.get(by, by)


def script() -> dict[str, str]:
    """What the page's script says by itself."""
    return {
        "free": _("Miễn phí: còn {time}"),
        "paid": _("Mất phí: còn {time}"),
        "shut": _("Hết hạn trả lời"),
        "days": _("{days} ngày {hours} giờ"),
        "hours": _("{hours} giờ {minutes} phút"),
        "minutes": _("{minutes} phút"),
        "offline": _("Mất kết nối; đang nối lại. Tin mới có thể chưa hiện."),
        "retrying": _("Mất kết nối. Đang thử lại đúng tin này, không gửi hai lần…"),
        "unsure": _("Chưa nhận được trả lời. Bấm gửi lần nữa: tin cũ không bị gửi hai lần."),
        "signed_out": _("Phiên làm việc đã hết. Hãy tải lại trang và đăng nhập."),
        "too_large": _("Tệp quá lớn: ảnh tối đa 1 MB, PDF tối đa 5 MB."),
    }


REFUSED = {
    inbox.Refusal.UNKNOWN: (404, "Không có cuộc trò chuyện này. / There is no such conversation."),
    inbox.Refusal.CLOSED: (
        409,
        "Cuộc trò chuyện đã kết thúc; người dân nhắn lại thì mở cuộc mới. / "
        "The conversation is closed; a new one begins when the citizen writes again.",
    ),
    inbox.Refusal.SHUT: (
        409,
        "Đã quá hạn trả lời qua Zalo; tin chưa gửi. / The time to answer by Zalo is over; nothing was sent.",
    ),
    inbox.Refusal.EMPTY: (422, "Chưa có nội dung. / There is no text."),
    inbox.Refusal.LONG: (
        422,
        "Nội dung dài quá 2.000 ký tự; tin chưa gửi. / The text has more than 2,000 characters; nothing was sent.",
    ),
    inbox.Refusal.ONE_WAY: (
        409,
        "Không trả lời được người gửi này bằng tin nhắn; tin chưa gửi. / "
        "This sender cannot be answered by text message; nothing was sent.",
    ),
    inbox.Refusal.PARTS: (
        422,
        f"Tin nhắn dài quá {inbox.MOST_PARTS} phần; tin chưa gửi. Hãy viết ngắn lại hoặc bỏ dấu. / "
        f"The text message has more than {inbox.MOST_PARTS} parts; nothing was sent. Make it shorter, or plain.",
    ),
    inbox.Refusal.WORDS_ONLY: (
        422,
        "Tin nhắn SMS không gửi kèm ảnh, tệp được; tin chưa gửi. / "
        "A text message carries no pictures or files; nothing was sent.",
    ),
    inbox.Refusal.FORBIDDEN: (403, "Không làm được việc này. / This is not possible."),
}
"""Refusals of the acts as HTTP status and "vi / en"."""


def teach(blueprint: Blueprint) -> None:
    """Make these the filters of the templates."""
    for shown in (
        linked,
        address,
        position,
        left,
        topic_word,
        talk_word,
        way_word,
        ticket_word,
        said_word,
        kind_named,
        speaker,
    ):
        blueprint.add_app_template_filter(shown)
