"""What the page said comes back as an event: our own messages, and those of somebody in Zalo's own app."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.chat import conversations
from gateway.chat.events import Heard
from gateway.chat.talk import Talk
from gateway.rules import channels

LATER = "later"
ELSEWHERE = "Zalo"
PATIENCE = 60  # seconds in which Zalo's answer to our own message is surely written down


def said(talk: Talk, event: Heard, receipt: tables.Receipt) -> str:
    """An echo: ours is not written twice, another's is an answer in the conversation; or LATER."""
    session = talk.session
    if event.msg_id is None:
        return "kept"
    known = session.scalar(select(tables.ChatMessage).filter_by(msg_id=event.msg_id))
    if known is not None:
        return "again"
    if _ours(session, event.msg_id):
        return "ours"
    if not event.of_admin and talk.now - receipt.at < PATIENCE:
        return LATER
    conversation = talk.conversation
    session.add(
        tables.ChatMessage(
            conversation_id=conversation.id,
            user_id=talk.user.id,
            way="out",
            kind=event.kind,
            text=event.text,
            attachments=[dict(one) for one in event.attachments],
            msg_id=event.msg_id,
            by=ELSEWHERE,
            at=event.at,
        )
    )
    if event.of_admin and event.at < conversation.asked_at:  # told late: what was asked since still waits
        conversation.answered_at = max(conversation.answered_at or 0, event.at)
    elif event.of_admin:  # a person; an automatic answer of Zalo's own leaves the conversation as it is
        conversations.answered(conversation, event.at)
    conversation.changed_at = talk.now
    session.flush()
    return "done"


def _ours(session: Session, msg_id: str) -> bool:
    """Whether we sent it ourselves; the message then learns its id."""
    sent = select(tables.Attempt.notice_id).where(
        tables.Attempt.provider_ref == msg_id, tables.Attempt.channel.in_(channels.ZALO)
    )
    notice_id = session.scalar(sent.limit(1))
    if notice_id is None:
        return False
    message = session.scalar(select(tables.ChatMessage).filter_by(notice_id=notice_id, msg_id=None))
    if message is not None:
        message.msg_id = msg_id
        session.flush()
    return True
