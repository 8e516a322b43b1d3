"""Conversations: one open at a time for each Zalo user or phone. A closed one is never opened again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules import chat as rules

SILENCE_SECONDS = 24 * 3_600
TOPIC_SECONDS = 7 * 24 * 3_600
AUTOMATIC, WAITING, ANSWERED, CLOSED = "automatic", "waiting", "answered", "closed"


def current(session: Session, user_id: str) -> tables.Conversation | None:
    """The person's open conversation."""
    return _current(session, user_id=user_id)


def _current(session: Session, **who: str) -> tables.Conversation | None:
    wanted = select(tables.Conversation).filter_by(**who, closed_at=None).with_for_update(key_share=True)
    return session.scalar(wanted.execution_options(populate_existing=True))


def opened(session: Session, user_id: str, now: int) -> tables.Conversation:
    """The person's open conversation, or a new one.

    One that only the program has answered and that was silent for a day is over. What the last was about
    goes on for a week.
    """
    session.scalar(select(tables.ZaloUser.id).filter_by(id=user_id).with_for_update(key_share=True))
    return _opened(session, now, user_id=user_id)


def opened_by_text(session: Session, phone: str, lane: str, now: int) -> tables.Conversation:
    """The same for whoever sends text messages: `phone` E.164 or a name; `lane` has just heard them.

    One process at a time calls it (`texts.take_in`), so there is nobody to lock.
    """
    talk = _opened(session, now, phone=phone)
    talk.channel = lane
    return talk


def _opened(session: Session, now: int, **who: str) -> tables.Conversation:
    talk = _current(session, **who)
    if talk is not None and not _over(talk, now):
        return talk
    if talk is not None:
        close(talk, "auto", now)
        session.flush()
    before = _last(session, who)
    kept = before is not None and before.closed_at is not None and now - before.closed_at <= TOPIC_SECONDS
    talk = tables.Conversation(
        **who,
        topic=before.topic if before and kept else "",
        sensitive=bool(before and kept and before.sensitive),
        state=AUTOMATIC,
        opened_at=now,
        asked_at=0,
        changed_at=now,
    )
    session.add(talk)
    session.flush()
    return talk


def _over(talk: tables.Conversation, now: int) -> bool:
    last = max(talk.opened_at, talk.asked_at, talk.answered_at or 0)
    return talk.state == AUTOMATIC and not talk.assigned_to and now - last > SILENCE_SECONDS


def _last(session: Session, who: Mapping[str, str]) -> tables.Conversation | None:
    mine = select(tables.Conversation).filter_by(**who)
    return session.scalar(mine.order_by(tables.Conversation.id.desc()).limit(1))


def close(talk: tables.Conversation, by: str, now: int) -> None:
    """The matter is dealt with."""
    talk.state, talk.closed_at, talk.closed_by = CLOSED, now, by[:60]
    talk.unread, talk.changed_at = 0, now


def answered(talk: tables.Conversation, now: int) -> None:
    """A person has answered."""
    talk.state, talk.answered_at, talk.unread, talk.changed_at = ANSWERED, now, 0, now


def handed_over(session: Session, talk: tables.Conversation, text: str, now: int) -> None:
    """A person is needed: it waits for them, and what it is about is guessed once."""
    talk.state, talk.unread, talk.changed_at = WAITING, talk.unread + 1, now
    guess = rules.topic(text)
    if not talk.topic or guess == rules.COMPLAINT:
        talk.topic = guess or talk.topic
    if guess == rules.COMPLAINT and not talk.sensitive:
        talk.sensitive = True
        _take_from_staff(session, talk)


def _take_from_staff(session: Session, talk: tables.Conversation) -> None:
    """What only officers may see is no longer in the hands of somebody else."""
    officer = select(tables.Staff.id).filter_by(name=talk.assigned_to, active=True)
    if session.scalar(officer.where(tables.Staff.role != "staff").limit(1)) is None:
        talk.assigned_to = ""


def heard(
    session: Session,
    talk: tables.Conversation,
    kind: str,
    text: str,
    at: int,
    now: int,
    *,
    msg_id: str | None = None,
    quoted: str = "",
    attachments: Sequence[Mapping[str, Any]] = (),
) -> tables.ChatMessage:
    """Keep what the person said."""
    message = tables.ChatMessage(
        conversation_id=talk.id,
        user_id=talk.user_id,
        way="in",
        kind=kind,
        text=text,
        attachments=[dict(one) for one in attachments],
        msg_id=msg_id,
        quoted=quoted,
        by="",
        at=at,
    )
    session.add(message)
    talk.asked_at, talk.changed_at = max(talk.asked_at, at), now
    session.flush()
    return message
