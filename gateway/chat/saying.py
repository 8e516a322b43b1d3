"""What we say in a chat: a message of the conversation, and the notice that carries it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from gateway import notices, tables
from gateway.chat import conversations
from gateway.rules import channels, windows
from gateway.rules.settings import Settings

AUTO = "auto"
TEXT_LENGTH, BUTTONS, TITLE_LENGTH = 2_000, 5, 100  # what Zalo takes
STALE_SECONDS = 2 * 3_600  # places in a queue and free days are not true for longer


def say(
    session: Session,
    config: Settings,
    user_id: str,
    text: str,
    now: int,
    by: str,
    buttons: Sequence[Mapping[str, Any]] = (),
    attachment: Mapping[str, Any] | None = None,
    conversation: tables.Conversation | None = None,
    quote: str | None = None,
) -> tables.ChatMessage:
    """Say something to a person; its state is the state of the message's notice.

    `by` is a staff name or "auto"; with a staff name the conversation is answered. It is sent while their
    window is open, and a text of the program only while it is true.
    """
    talk = conversation or conversations.opened(session, user_id, now)
    message = tables.ChatMessage(
        conversation_id=talk.id,
        user_id=user_id,
        way="out",
        kind=_kind(attachment),
        text=unicodedata.normalize("NFC", text)[:TEXT_LENGTH],
        attachments=[dict(attachment)] if attachment else [],
        quoted=(quote or "")[:80],
        by=by[:60],
        at=now,
    )
    session.add(message)
    session.flush()
    message.notice_id = _carried(session, config, message, buttons, attachment, now)
    if by != AUTO:
        conversations.answered(talk, now)
    talk.changed_at = now
    session.flush()
    return message


def _kind(attachment: Mapping[str, Any] | None) -> str:
    return str(attachment["kind"])[:12] if attachment else "text"


def _carried(
    session: Session,
    config: Settings,
    message: tables.ChatMessage,
    buttons: Sequence[Mapping[str, Any]],
    attachment: Mapping[str, Any] | None,
    now: int,
) -> str | None:
    user = session.get_one(tables.ZaloUser, message.user_id)
    own = config.zalo
    until = windows.window(user.seen_at, now, own.free_hours, own.window_days).until
    lasting = STALE_SECONDS if message.by == AUTO else config.notices.deadlines.other
    data: dict[str, Any] = {"text": message.text, "buttons": [_button(one) for one in buttons[:BUTTONS]]}
    if attachment:
        data["attachment"] = dict(attachment)
    if message.quoted:
        data["quote"] = message.quoted
    planned = notices.Planned(
        key=f"chat:{message.id}",
        kind=channels.CHAT,
        phone="",
        zalo_user_id=message.user_id,
        data=data,
        due=now,
        deadline=max(now + 1, min(until, now + lasting)),
        language=user.language or config.station.languages[0],
        urgent=True,
    )
    return notices.plan(session, planned, (channels.BY_CHAT,), now)


def _button(given: Mapping[str, Any]) -> dict[str, Any]:
    return {**given, "title": str(given["title"])[:TITLE_LENGTH]}
