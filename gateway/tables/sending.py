"""The notice engine's rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Moment, Table, row_id, where


class Notice(Table):
    """tin báo: one thing one person must be told, and where its sending stands (an outbox row).

    `ladder` are the channels in order as they were when it was planned, and `channel` is the one on its present
    rung; `due` is when the engine must act next; `key` makes planning it twice harmless; `lease` names the
    worker. `asked`: the provider was asked about it on this rung. The last three: what a person did about one
    that failed, and which older notice this one repeats.
    """

    __tablename__ = "notices"
    __table_args__ = (
        # One index for each question of the engine, over the few rows that it is about: flat with a million rows
        Index("ix_notices_due", "channel", "urgent", "due", "id", **where("state = 'created'")),
        Index("ix_notices_late", "deadline", **where("state = 'created'")),
        Index("ix_notices_waiting", "due", **where("state IN ('sending', 'sent', 'unknown')")),
        Index("ix_notices_lost", "created_at", **where("state IN ('failed', 'expired')")),
        Index(None, "api_key_id", "id"),
        Index(None, "created_at"),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(100), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    phone: Mapped[str] = mapped_column(String(16), index=True)
    zalo_user_id: Mapped[str | None] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(2), default="vi")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    api_key_id: Mapped[int | None] = mapped_column(ForeignKey("api_keys.id"))
    urgent: Mapped[bool] = mapped_column(default=False)
    ladder: Mapped[str] = mapped_column(String(160), default="")
    state: Mapped[str] = mapped_column(String(10), default="created")
    rung: Mapped[int] = mapped_column(Integer, default=0)
    channel: Mapped[str] = mapped_column(String(12), default="")
    tries: Mapped[int] = mapped_column(Integer, default=0)
    asked: Mapped[bool] = mapped_column(default=False)
    due: Mapped[int]
    deadline: Mapped[int]
    lease: Mapped[str | None] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(200), default="")
    reached_twice: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[int]
    changed_at: Mapped[int]
    final_at: Mapped[int | None]
    handled: Mapped[str] = mapped_column(String(10), default="")
    handled_by: Mapped[str] = mapped_column(String(80), default="")
    repeats: Mapped[str | None] = mapped_column(String(36))


class Attempt(Table):
    """lần gửi: one try of one notice on one channel. `id` is the reference that the provider is given.

    `cost` in đồng, by the price that was in force; a *skipped* one was never handed over.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        Index(None, "channel", "at"),
        Index("ix_attempts_open", "at", **where("state = 'handing_over'")),
    )
    id: Mapped[str] = mapped_column(String(48), primary_key=True)
    notice_id: Mapped[str] = mapped_column(ForeignKey("notices.id"), index=True)
    channel: Mapped[str] = mapped_column(String(12))
    rung: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str] = mapped_column(String(12), default="handing_over")
    provider_ref: Mapped[str | None] = mapped_column(String(80), index=True)
    code: Mapped[str] = mapped_column(String(40), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    parts: Mapped[int] = mapped_column(Integer, default=0)
    cost: Mapped[int] = mapped_column(Integer, default=0)
    at: Mapped[int]
    answered_at: Mapped[int | None]
    receipt_at: Mapped[int | None]


class Suppression(Table):
    """A phone (by Zalo user id: the user) that is not worth a try on a channel until a day.

    The channel "sms" stands for every way of text messages: its owner has asked for none. `by`: the provider,
    or the person who decided it.
    """

    __tablename__ = "suppressions"
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    phone: Mapped[str] = mapped_column(String(40), primary_key=True)
    until: Mapped[int] = mapped_column(Moment, index=True)
    code: Mapped[str] = mapped_column(String(40), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    by: Mapped[str] = mapped_column(String(80), default="")
    at: Mapped[int]


class SmsPart(Table):
    """One part of a text message that was handed over: what its report is matched by.

    By notice and not by attempt: a later try sends only the parts that are missing, with the same `joint`
    (what joins the parts on the phone). `ref` is the provider's name for the part, a modem's number "17" or
    an SMPP message id; empty while nobody knows whether it was taken. `state`: claimed (its try is under way, or
    nobody knows how it ended), handed, delivered, failed. `attempt_id`: the try that handed it over.
    """

    __tablename__ = "sms_parts"
    __table_args__ = (Index(None, "channel", "phone", "at"), Index(None, "at"))
    notice_id: Mapped[str] = mapped_column(ForeignKey("notices.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    part: Mapped[int] = mapped_column(Integer, primary_key=True)
    total: Mapped[int] = mapped_column(Integer)
    joint: Mapped[int] = mapped_column(Integer)
    ref: Mapped[str | None] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(String(16))
    attempt_id: Mapped[str] = mapped_column(String(48))
    state: Mapped[str] = mapped_column(String(10), default="claimed")
    code: Mapped[str] = mapped_column(String(40), default="")
    at: Mapped[int]
    told_at: Mapped[int | None]


class SmsText(Table):
    """The words of a kind of notice as a text message, where an officer changed them."""

    __tablename__ = "sms_texts"
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[int]
    changed_by: Mapped[str] = mapped_column(String(80), default="")


class ModemState(Table):
    """What a modem last said of itself; the process that has its port writes it.

    `state`: ready, opening, silent, gone, refused; `reason` is "vi / en". `sim`: ready, pin, puk, absent,
    failure, or empty; `network`: home, roaming, searching, denied, off, or empty. `signal` in dBm.
    """

    __tablename__ = "modem_states"
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    host: Mapped[str] = mapped_column(String(60), default="")
    device: Mapped[str] = mapped_column(String(200), default="")
    model: Mapped[str] = mapped_column(String(80), default="")
    state: Mapped[str] = mapped_column(String(10), default="opening")
    reason: Mapped[str] = mapped_column(String(200), default="")
    sim: Mapped[str] = mapped_column(String(10), default="")
    network: Mapped[str] = mapped_column(String(10), default="")
    operator: Mapped[str] = mapped_column(String(40), default="")
    signal: Mapped[int | None] = mapped_column(Integer)
    stored: Mapped[int] = mapped_column(Integer, default=0)
    memory: Mapped[int] = mapped_column(Integer, default=0)
    recoveries: Mapped[int] = mapped_column(Integer, default=0)
    since: Mapped[int] = mapped_column(Moment, default=0)
    seen_at: Mapped[int] = mapped_column(Moment, default=0)


class Breaker(Table):
    """What a channel cannot do for now. `subject` is a template's kind, or empty for the whole channel.

    `state` by rules.lifecycle.breaker; while it is open, one message may try again at `probe_at`.
    """

    __tablename__ = "breakers"
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    subject: Mapped[str] = mapped_column(String(20), primary_key=True)
    state: Mapped[str] = mapped_column(String(8), default="closed")
    failures: Mapped[int] = mapped_column(Integer, default=0)
    code: Mapped[str] = mapped_column(String(40), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    fault: Mapped[str] = mapped_column(String(10), default="")
    opened_at: Mapped[int] = mapped_column(Moment, default=0)
    probe_at: Mapped[int] = mapped_column(Moment, default=0)
    probes: Mapped[int] = mapped_column(Integer, default=0)


class Alert(Table):
    """One thing the officer must know. While it lasts there is one row for it, however often it is seen."""

    __tablename__ = "alerts"
    __table_args__ = (Index("uq_alerts_open", "key", unique=True, **where("closed_at IS NULL")),)
    id: Mapped[int] = row_id()
    key: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(20))
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    count: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[int] = mapped_column(Moment, index=True)
    seen_at: Mapped[int]
    closed_at: Mapped[int | None]
    read_at: Mapped[int | None]
    read_by: Mapped[str] = mapped_column(String(80), default="")


class Lane(Table):
    """luồng gửi: how a channel is used from now on; empty means as config.toml says.

    `tokens` (thousandths of a message) and `filled_at` are the rate's bucket, for all workers.
    """

    __tablename__ = "lanes"
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    concurrency: Mapped[int | None]
    per_minute: Mapped[int | None]
    paused: Mapped[bool] = mapped_column(default=False)
    tokens: Mapped[int] = mapped_column(default=0)
    filled_at: Mapped[int] = mapped_column(default=0)
    changed_at: Mapped[int] = mapped_column(default=0)
    changed_by: Mapped[str] = mapped_column(String(80), default="")


class Workplace(Table):
    """A process that sends: it says now and then that it lives, and which lanes it runs."""

    __tablename__ = "workplaces"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    started_at: Mapped[int]
    seen_at: Mapped[int] = mapped_column(Moment, index=True)
    lanes: Mapped[list[Any]] = mapped_column(default=list)
    leads: Mapped[bool] = mapped_column(default=False)


class Receipt(Table):
    """báo nhận, stored as it came before anything is done with it.

    `key` makes a repeat the same one. `delivered` is empty while the worker has not read the body yet.
    `due` is when it is looked at next: one that fits no attempt steps aside for the others.
    """

    __tablename__ = "receipts"
    __table_args__ = (Index("ix_receipts_waiting", "due", "id", **where("done_at IS NULL")),)
    id: Mapped[int] = row_id()
    channel: Mapped[str] = mapped_column(String(12))
    key: Mapped[str] = mapped_column(String(160), unique=True)
    event: Mapped[str] = mapped_column(String(60))
    reference: Mapped[str | None] = mapped_column(String(48))
    provider_ref: Mapped[str | None] = mapped_column(String(80))
    delivered: Mapped[bool | None]
    code: Mapped[str] = mapped_column(String(40), default="")
    body: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[int]
    due: Mapped[int]
    done_at: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(20), default="")
