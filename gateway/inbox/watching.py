"""What has changed in the conversations, for pages that are open."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules import channels

MOST = 200
SENT_DAYS = 2
_talk, _message, _notice = tables.Conversation, tables.ChatMessage, tables.Notice


@dataclass(frozen=True)
class Change:
    """A conversation as it stands; `mark` differs whenever something in it does. `hidden`: for officers only."""

    id: int
    state: str
    unread: int
    topic: str
    assigned_to: str
    hidden: bool
    mark: tuple[object, ...]


def changes(session: Session, since: int) -> list[Change]:
    """The conversations in which something happened since a moment (seconds), the newest first; at most MOST.

    Also what became of the messages that we sent: their notices move on without the conversation.
    """
    moved = (
        select(_message.conversation_id)
        .join(_notice, _notice.id == _message.notice_id)
        .where(
            _message.at >= since - SENT_DAYS * 86_400,
            or_(_notice.changed_at >= since, _message.seen_at >= since),
        )
    )
    wanted = select(_talk).where(or_(_talk.changed_at >= since, _talk.id.in_(moved)))
    rows = session.scalars(wanted.order_by(_talk.changed_at.desc(), _talk.id.desc()).limit(MOST)).all()
    marks = _marks(session, [row.id for row in rows])
    return [
        Change(
            row.id,
            row.state,
            row.unread,
            row.topic,
            row.assigned_to,
            row.sensitive or row.topic == "complaint",
            (row.state, row.unread, row.topic, row.sensitive, row.assigned_to, *marks.get(row.id, ())),
        )
        for row in rows
    ]


def _marks(session: Session, ids: list[int]) -> dict[int, tuple[object, ...]]:
    """Of each conversation its last message, and how many of ours stand how."""
    if not ids:
        return {}
    last = (
        select(_message.conversation_id, func.max(_message.id), func.count(_message.seen_at))
        .where(_message.conversation_id.in_(ids))
        .group_by(_message.conversation_id)
    )
    found: dict[int, tuple[object, ...]] = {row[0]: (row[1], row[2]) for row in session.execute(last)}
    states = (
        select(_message.conversation_id, _notice.state, func.count(), func.max(_notice.reason))
        .join(_notice, _notice.id == _message.notice_id)
        .where(_message.conversation_id.in_(ids), _notice.kind == channels.CHAT)
        .group_by(_message.conversation_id, _notice.state)
        .order_by(_message.conversation_id, _notice.state)
    )
    for talk_id, *counted in session.execute(states):
        found[talk_id] = (*found.get(talk_id, ()), *counted)
    return found
