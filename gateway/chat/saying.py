"""What we say in a chat or by text message: a message of the conversation, and the notice that carries it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from gateway import notices, tables
from gateway.chat import conversations
from gateway.rules import channels, senders, windows
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet

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


def lane(talk: tables.Conversation, config: Settings) -> str | None:
    """The lane by which somebody who texted is answered: the one that heard them, if it is still in use, so that
    the answer comes from the number that they wrote to. None where nothing can go back."""
    if not talk.phone or not senders.answerable(talk.phone):
        return None
    lanes = channels.two_way(config)
    return talk.channel if talk.channel in lanes else next(iter(lanes), None)


def text(
    session: Session,
    config: Settings,
    talk: tables.Conversation,
    words: str,
    now: int,
    by: str,
    language: str,
    accented: bool = False,
) -> tables.ChatMessage:
    """Answer somebody who texted, by text message; LookupError where no lane can.

    It is kept as it is sent: in plain letters, unless `accented` or the configuration says otherwise.
    """
    way = lane(talk, config)
    if way is None:
        raise LookupError("no lane of text messages can answer this sender")
    accented = accented or not config.sms.unaccented
    kept = unicodedata.normalize("NFC", words if accented else alphabet.unaccent(words))[:TEXT_LENGTH]
    message = tables.ChatMessage(
        conversation_id=talk.id, way="out", kind="text", text=kept, attachments=[], by=by[:60], at=now
    )
    session.add(message)
    session.flush()
    lasting = STALE_SECONDS if by == AUTO else config.notices.deadlines.other
    planned = notices.Planned(
        key=f"chat:{message.id}",
        kind=channels.CHAT,
        phone=talk.phone or "",
        data={"text": kept, **({"accented": True} if accented else {})},
        due=now,
        deadline=now + max(1, lasting),
        language=language,
        urgent=True,
    )
    message.notice_id = notices.plan(session, planned, (way,), now)
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
