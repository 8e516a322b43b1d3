"""What staff do in a conversation. Everything is written down, never with the words themselves."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway.chat import conversations, saying
from gateway.inbox.reading import Reader, conversation
from gateway.rules import windows
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet, segments

LONGEST = 2_000  # of an answer, as Zalo takes it
TOPICS = ("residence", "complaint", "procedure", "identity", "other")
COMPLAINT = "complaint"
NAME_LENGTH = 120
MOST_PARTS = 3  # of an answer by text message


class Refusal(Enum):
    """Why nothing was done."""

    UNKNOWN = "unknown"  # no such conversation, or not one that this reader may see
    CLOSED = "closed"  # it is over; the citizen's next word opens a new one
    SHUT = "shut"  # the citizen has been silent for too long: Zalo takes no answer any more
    EMPTY = "empty"
    LONG = "long"
    ONE_WAY = "one_way"  # whoever texted is a name or a short code, or no lane goes back to them
    PARTS = "parts"  # more than MOST_PARTS parts of a text message
    WORDS_ONLY = "words_only"  # a text message carries no pictures, files or quotes
    FORBIDDEN = "forbidden"  # this needs an officer


def worded(text: str) -> str | Refusal:
    """A text as it is kept: NFC, plain line ends, nothing around it."""
    plain = unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    plain = plain.strip()
    if not plain:
        return Refusal.EMPTY
    return plain if len(plain) <= LONGEST else Refusal.LONG


def may_answer(session: Session, talk: tables.Conversation, config: Settings, now: int) -> Refusal | None:
    """Why no answer can reach the citizen any more (it would be Zalo's error -230), or None."""
    if talk.closed_at is not None:
        return Refusal.CLOSED
    if talk.user_id is None:
        return None if saying.lane(talk, config) is not None else Refusal.ONE_WAY
    user = session.get_one(tables.ZaloUser, talk.user_id)
    own = config.zalo
    shut = windows.window(user.seen_at, now, own.free_hours, own.window_days).state == "shut"
    return Refusal.SHUT if shut else None


def answer(
    session: Session,
    talk_id: int,
    reader: Reader,
    text: str,
    config: Settings,
    now: int,
    *,
    quote: int | None = None,
    attachment: Mapping[str, Any] | None = None,
    name: str = "",
    accented: bool = False,
) -> list[tables.ChatMessage] | Refusal:
    """Answer the citizen; who answers what nobody has taken takes it.

    A picture carries the text with it; a file goes alone, so its words go before it. `quote` is the row of
    the citizen's message that this answers, `name` what the attachment is called. `accented`: a text message
    keeps its accents, at two or three times the price.
    """
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None:
        return Refusal.UNKNOWN
    refused = may_answer(session, talk, config, now)
    plain = worded(text)
    if refused is None and isinstance(plain, Refusal):
        refused = None if attachment and plain is Refusal.EMPTY else plain
    if refused is not None:
        return refused
    words = "" if isinstance(plain, Refusal) else plain
    if talk.user_id is None:
        texted = _texted(session, talk, reader, words, config, now, attachment, accented)
        if isinstance(texted, Refusal):
            return texted
        said = [texted]
    else:
        said = _said(session, talk, reader, words, config, now, quote, attachment, name)
    talk.assigned_to = talk.assigned_to or reader.name
    _written(session, now, reader.name, "inbox.answer", str(talk.id), messages=[one.id for one in said])
    return said


def _texted(
    session: Session,
    talk: tables.Conversation,
    reader: Reader,
    text: str,
    config: Settings,
    now: int,
    attachment: Mapping[str, Any] | None,
    accented: bool,
) -> tables.ChatMessage | Refusal:
    """Answer by text message, in the language in which their phone was last registered."""
    if attachment is not None:
        return Refusal.WORDS_ONLY
    kept = text if accented or not config.sms.unaccented else alphabet.unaccent(text)
    if not kept.strip():  # an emoji alone
        return Refusal.EMPTY
    if len(segments.split(kept).parts) > MOST_PARTS:
        return Refusal.PARTS
    made = select(tables.Registration.language).filter_by(phone=talk.phone)
    language = session.scalar(made.order_by(tables.Registration.id.desc()).limit(1))
    about = (session, config, talk, text, now, reader.name, language or config.station.languages[0])
    return saying.text(*about, accented=accented)


def _said(
    session: Session,
    talk: tables.Conversation,
    reader: Reader,
    text: str,
    config: Settings,
    now: int,
    quote: int | None,
    attachment: Mapping[str, Any] | None,
    name: str,
) -> list[tables.ChatMessage]:
    together = attachment is None or not text or attachment.get("kind") == "image"
    parts = [(text, attachment)] if together else [(text, None), ("", attachment)]
    quoted = _quoted(session, talk, quote)
    made = []
    for words, carried in parts:
        one = saying.say(
            session,
            config,
            talk.user_id,
            words,
            now,
            reader.name,
            attachment=carried,
            conversation=talk,
            quote=quoted,
        )
        if carried is not None:
            one.attachments = [{**carried, "name": name[:NAME_LENGTH]}]
        quoted = None
        made.append(one)
    session.flush()
    return made


def _quoted(session: Session, talk: tables.Conversation, message_id: int | None) -> str | None:
    """Zalo's id of a message of this conversation that the citizen wrote."""
    one = session.get(tables.ChatMessage, message_id) if message_id else None
    return one.msg_id if one is not None and one.conversation_id == talk.id and one.way == "in" else None


def note(session: Session, talk_id: int, reader: Reader, text: str, now: int) -> tables.ChatMessage | Refusal:
    """Write something down for colleagues; the citizen never sees it."""
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None:
        return Refusal.UNKNOWN
    plain = worded(text)
    if isinstance(plain, Refusal):
        return plain
    made = tables.ChatMessage(
        conversation_id=talk.id,
        user_id=talk.user_id,
        way="note",
        kind="text",
        text=plain,
        attachments=[],
        by=reader.name,
        at=now,
    )
    session.add(made)
    talk.changed_at = now
    session.flush()
    _written(session, now, reader.name, "inbox.note", str(talk.id), message=made.id)
    return made


def staff_for(session: Session, talk: tables.Conversation) -> Sequence[str]:
    """Who may be given this conversation: everybody, or officers and admins only."""
    wanted = select(tables.Staff.name).filter_by(active=True).order_by(tables.Staff.name)
    if talk.sensitive or talk.topic == COMPLAINT:
        wanted = wanted.where(tables.Staff.role.in_(("officer", "admin")))
    return session.scalars(wanted).all()


def assign(session: Session, talk_id: int, reader: Reader, name: str, now: int) -> Refusal | None:
    """Give it to somebody, or with "" to nobody."""
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None:
        return Refusal.UNKNOWN
    if talk.closed_at is not None:
        return Refusal.CLOSED
    if name and name not in staff_for(session, talk):
        return Refusal.FORBIDDEN
    if talk.assigned_to != name:
        _written(session, now, reader.name, "inbox.assign", str(talk.id), to=name)
        talk.assigned_to, talk.changed_at = name, now
    return None


def set_topic(session: Session, talk_id: int, reader: Reader, topic: str, now: int) -> Refusal | None:
    """What it is about; a complaint is sensitive from this moment on, whoever says so."""
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None:
        return Refusal.UNKNOWN
    if topic not in ("", *TOPICS):
        return Refusal.FORBIDDEN
    if talk.topic == topic:
        return None
    _written(session, now, reader.name, "inbox.topic", str(talk.id), topic=topic)
    talk.topic, talk.changed_at = topic, now
    if topic == COMPLAINT:
        _hide(session, talk)
    return None


def mark_sensitive(session: Session, talk_id: int, reader: Reader, on: bool, now: int) -> Refusal | None:
    """For officers only from now on; taking that back needs an officer, and another topic than a complaint."""
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None:
        return Refusal.UNKNOWN
    if talk.sensitive == on:
        return None
    if not on and (not reader.everything or talk.topic == COMPLAINT):
        return Refusal.FORBIDDEN
    _written(session, now, reader.name, "inbox.sensitive", str(talk.id), on=on)
    talk.sensitive, talk.changed_at = on, now
    if on:
        _hide(session, talk)
    return None


def _hide(session: Session, talk: tables.Conversation) -> None:
    """It is no longer in the hands of somebody who may not see it."""
    talk.sensitive = True
    if talk.assigned_to and talk.assigned_to not in staff_for(session, talk):
        talk.assigned_to = ""


def close(session: Session, talk_id: int, reader: Reader, now: int) -> Refusal | None:
    """The matter is dealt with. What the citizen writes later begins a new conversation."""
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None:
        return Refusal.UNKNOWN
    if talk.closed_at is None:
        conversations.close(talk, reader.name, now)
        _written(session, now, reader.name, "inbox.close", str(talk.id))
    return None


def mark_read(session: Session, talk_id: int, reader: Reader, now: int) -> bool:
    """Whoever has the conversation has seen it: nothing in it is unread any more. False if nothing changed."""
    talk = conversation(session, talk_id, reader, lock=True)
    if talk is None or not talk.unread or talk.assigned_to != reader.name:
        return False
    talk.unread, talk.changed_at = 0, now
    _written(session, now, reader.name, "inbox.read", str(talk.id))
    return True


def show_phone(session: Session, talk_id: int, reader: Reader, now: int) -> str | None:
    """The citizen's phone in full, to call them; who looked is written down."""
    talk = conversation(session, talk_id, reader)
    if talk is None:
        return None
    user = session.get(tables.ZaloUser, talk.user_id) if talk.user_id is not None else None
    number = user.phone if user else talk.phone
    if not number or not number.startswith("+"):
        return None
    _written(session, now, reader.name, "inbox.phone", str(talk_id))
    return number


def _written(session: Session, now: int, by: str, action: str, subject: str, **data: object) -> None:
    """Write down who did what, and wake the open pages."""
    access.audit(session, now, by, action, subject, **data)
    database.ring(session)
