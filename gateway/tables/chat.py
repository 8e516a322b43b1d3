"""What citizens ask through Zalo and by text message, and what they are answered."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Moment, Table, row_id, where


class Conversation(Table):
    """One matter of one Zalo user, or of one phone that sends text messages, from the first word until it is closed.

    Of `user_id` and `phone` one is empty; `phone` is E.164, or a name such as "VIETTEL" that nobody can answer.
    `channel`: the lane that heard the last text message, by which it is answered; empty for Zalo.

    `topic`: residence, complaint, procedure, identity, other, or empty. `state`: automatic (only the program
    has answered, nobody is needed), waiting (for a person), answered, closed. `unread`: messages that no
    person has seen. `asked_at`: the citizen's last message; their windows for our answers run from it.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        Index("uq_conversations_open", "user_id", unique=True, **where("closed_at IS NULL")),
        Index("uq_conversations_open_phone", "phone", unique=True, **where("closed_at IS NULL")),
        Index(None, "phone", "id"),
        Index(None, "state", "asked_at"),
        Index(None, "user_id", "id"),
    )
    id: Mapped[int] = row_id()
    user_id: Mapped[str | None] = mapped_column(ForeignKey("zalo_users.id"))
    phone: Mapped[str | None] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(12), default="")
    topic: Mapped[str] = mapped_column(String(12), default="")
    sensitive: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(10), default="automatic")
    assigned_to: Mapped[str] = mapped_column(String(60), default="")
    unread: Mapped[int] = mapped_column(default=0)
    opened_at: Mapped[int]
    asked_at: Mapped[int] = mapped_column(Moment, default=0)
    answered_at: Mapped[int | None]
    closed_at: Mapped[int | None] = mapped_column(Moment, index=True)
    closed_by: Mapped[str] = mapped_column(String(60), default="")
    changed_at: Mapped[int] = mapped_column(Moment, index=True)


class ChatMessage(Table):
    """One message of a conversation. `way`: in, out, or note (never sent).

    `by`: a staff name, "auto" for the program, "Zalo" for somebody who answered in Zalo's own app, empty for
    the citizen. `msg_id` is Zalo's; of a text message "sms:" and a digest, and `user_id` is empty. What we say
    goes out as the notice `notice_id`, whose state is its own.
    """

    __tablename__ = "chat_messages"
    __table_args__ = (Index(None, "conversation_id", "id"), Index(None, "user_id", "id"))
    id: Mapped[int] = row_id()
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("zalo_users.id"))
    way: Mapped[str] = mapped_column(String(4))
    kind: Mapped[str] = mapped_column(String(12), default="text")
    text: Mapped[str] = mapped_column(Text, default="")
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    msg_id: Mapped[str | None] = mapped_column(String(80), unique=True)
    quoted: Mapped[str] = mapped_column(String(80), default="")
    by: Mapped[str] = mapped_column(String(60), default="")
    at: Mapped[int] = mapped_column(Moment, index=True)
    notice_id: Mapped[str | None] = mapped_column(ForeignKey("notices.id"), index=True)
    seen_at: Mapped[int | None]


class CannedAnswer(Table):
    """An answer that staff give often; an empty topic fits every conversation."""

    __tablename__ = "canned_answers"
    id: Mapped[int] = row_id()
    topic: Mapped[str] = mapped_column(String(12), default="")
    title: Mapped[str] = mapped_column(String(80))
    text: Mapped[str] = mapped_column(Text)
    position: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[int]
    changed_by: Mapped[str] = mapped_column(String(80), default="")
