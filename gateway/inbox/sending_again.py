"""Sending once more what did not arrive: the same message, carried by a new notice."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import access, database, notices, tables
from gateway.chat import conversations, saying
from gateway.inbox.acting import Refusal, may_answer
from gateway.inbox.reading import Reader, conversation, own_message
from gateway.rules import channels, windows
from gateway.rules.settings import Settings

MOST = 200
LOOK_BACK = 8 * 86_400  # no answer is under way for longer
LOST = ("failed", "expired", "cancelled")


def say_again(
    session: Session, talk_id: int, message_id: int, reader: Reader, config: Settings, now: int
) -> tables.ChatMessage | Refusal | None:
    """The message, under way again; None if there is nothing to repeat (it arrived, or somebody was faster)."""
    talk = conversation(session, talk_id, reader, lock=True)
    message = own_message(session, talk_id, message_id) if talk is not None else None
    if talk is None or message is None:
        return Refusal.UNKNOWN
    old = session.get(tables.Notice, message.notice_id, with_for_update=True) if message.notice_id else None
    if old is None or old.state not in LOST or message.seen_at is not None:
        return None
    refused = may_answer(session, talk, config, now)
    if refused is not None:
        return refused
    way = channels.BY_CHAT if talk.user_id is not None else saying.lane(talk, config)
    planned = _planned(session, message, old, config, now)
    message.notice_id = notices.plan(session, planned, (way or channels.BY_CHAT,), now)
    session.get_one(tables.Notice, message.notice_id).repeats = old.id
    old.handled, old.handled_by = "repeated", reader.name[:80]
    if talk.asked_at <= message.at:  # nothing was asked since: this is the answer
        conversations.answered(talk, now)
    talk.changed_at = now
    access.audit(session, now, reader.name, "inbox.again", str(talk.id), message=message.id)
    return message


def look(session: Session, now: int) -> int:
    """Whoever was not reached by our answer waits again; how many conversations. Again changes nothing."""
    talk, message, notice = tables.Conversation, tables.ChatMessage, tables.Notice
    lost = (
        select(message.id)
        .join(notice, notice.id == message.notice_id)
        .where(
            message.conversation_id == talk.id,
            message.by.not_in((saying.AUTO, "")),
            notice.kind == channels.CHAT,
            notice.state.in_(("failed", "expired")),
            notice.created_at >= talk.answered_at,
        )
    )
    wanted = select(talk).where(
        talk.state == conversations.ANSWERED,
        talk.closed_at.is_(None),
        talk.answered_at > now - LOOK_BACK,
        lost.exists(),
    )
    found = session.scalars(wanted.order_by(talk.id).limit(MOST).with_for_update(skip_locked=True)).all()
    for one in found:
        one.state, one.changed_at = conversations.WAITING, now
    if found:
        database.ring(session)
    return len(found)


def _planned(
    session: Session, message: tables.ChatMessage, old: tables.Notice, config: Settings, now: int
) -> notices.Planned:
    until = now + config.notices.deadlines.other
    if message.user_id is not None:
        user = session.get_one(tables.ZaloUser, message.user_id)
        shut = windows.window(user.seen_at, now, config.zalo.free_hours, config.zalo.window_days).until
        until = min(until, shut)
    return notices.Planned(
        key=f"repeat:{old.id}",
        kind=channels.CHAT,
        phone=old.phone if message.user_id is None else "",
        zalo_user_id=message.user_id,
        data=old.data,
        due=now,
        deadline=max(now + 1, until),
        language=old.language,
        urgent=True,
    )
