"""Programs and machines that talk with the gateway."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Json, Moment, Table, row_id, where


class ApiKey(Table):
    """A program's key (hash only). `scope`: notices, staff or admin."""

    __tablename__ = "api_keys"
    id: Mapped[int] = row_id()
    name: Mapped[str] = mapped_column(String(60), unique=True)
    scope: Mapped[str] = mapped_column(String(10))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[int]
    revoked_at: Mapped[int | None]


class Press(Table):
    """An answered request that carried an Idempotency-Key: the same press again gets the same answer."""

    __tablename__ = "presses"
    owner: Mapped[str] = mapped_column(String(80), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    body_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int] = mapped_column(Integer)
    answer: Mapped[dict[str, Any] | None] = mapped_column(Json)
    at: Mapped[int] = mapped_column(Moment, index=True)


class Hook(Table):
    """A program that wants to be told what becomes of its notices, and where.

    `failing_since`: nothing arrived since then; `paused_at`: it is not called until somebody resumes it.
    """

    __tablename__ = "hooks"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_keys.id"), index=True)
    url: Mapped[str] = mapped_column(String(500))
    events: Mapped[list[Any]] = mapped_column(default=list)
    generation: Mapped[int] = mapped_column(Integer, default=1)
    rotated_at: Mapped[int | None]
    created_at: Mapped[int]
    failing_since: Mapped[int | None]
    paused_at: Mapped[int | None]
    ended_at: Mapped[int | None]


class HookEvent(Table):
    """What a hook is to be told: an outbox row of its own. `id` stays the same however often it is sent.

    `due`: when it is told next, or while it is *calling*, when that is taken for lost.
    """

    __tablename__ = "hook_events"
    __table_args__ = (
        Index("ix_hook_events_due", "hook_id", "due", "id", **where("state = 'waiting'")),
        Index("ix_hook_events_calling", "hook_id", "due", **where("state = 'calling'")),
        Index(None, "hook_id", "id"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    hook_id: Mapped[str] = mapped_column(ForeignKey("hooks.id"))
    notice_id: Mapped[str | None] = mapped_column(ForeignKey("notices.id"), index=True)
    type: Mapped[str] = mapped_column(String(30))
    body: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(10), default="waiting")
    due: Mapped[int]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    status: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[int]
    done_at: Mapped[int | None]


class Kiosk(Table):
    """máy lấy số. Keys and codes are kept as hashes only; `acked` is the highest event stored with no gap."""

    __tablename__ = "kiosks"
    __table_args__ = (UniqueConstraint("site_id", "series"),)
    id: Mapped[int] = row_id()
    name: Mapped[str] = mapped_column(String(40), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    series: Mapped[str] = mapped_column(String(4))
    key_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    code_until: Mapped[int | None]
    acked: Mapped[int] = mapped_column(default=0)
    seen_at: Mapped[int | None]
    offset: Mapped[int | None]
    printer: Mapped[dict[str, Any]] = mapped_column(default=dict)


class KioskEvent(Table):
    """A journal entry of a kiosk, admitted once. `refused`: why it changed nothing, if so."""

    __tablename__ = "kiosk_events"
    kiosk_id: Mapped[int] = mapped_column(ForeignKey("kiosks.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(String(40))
    type: Mapped[str] = mapped_column(String(30))
    at: Mapped[int]
    body: Mapped[dict[str, Any]]
    refused: Mapped[str] = mapped_column(String(200), default="")
