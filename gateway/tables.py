"""The tables. No queries live here.

Times are whole seconds since 1970 UTC (`Moment`); days are the site's calendar days (Asia/Ho_Chi_Minh).
Texts are NFC. Enumerations are short texts with a CHECK-free vocabulary kept by `rules.lifecycle`.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only for INTEGER
Json = JSON().with_variant(postgresql.JSONB, "postgresql")
Moment = BigInteger

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {dict[str, Any]: Json, list[Any]: Json, int: BigInteger, date: Date}


def _where(condition: str) -> dict[str, Any]:
    """An index over some of the rows, on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _id() -> Mapped[int]:
    return mapped_column(BigId, primary_key=True, autoincrement=True)


class Site(Table):
    """điểm làm thủ tục: a place with counters."""

    __tablename__ = "sites"
    id: Mapped[int] = _id()
    code: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120), default="")
    address: Mapped[str] = mapped_column(String(200), default="")
    map_url: Mapped[str] = mapped_column(String(500), default="")
    active: Mapped[bool] = mapped_column(default=True)


class Service(Table):
    """thủ tục: what a person comes for. `seconds`: the prior mean of one service."""

    __tablename__ = "services"
    id: Mapped[int] = _id()
    code: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120))
    documents: Mapped[str] = mapped_column(Text, default="")
    documents_en: Mapped[str] = mapped_column(Text, default="")
    seconds: Mapped[int] = mapped_column(default=480)
    position: Mapped[int] = mapped_column(default=0)
    active: Mapped[bool] = mapped_column(default=True)


class Counter(Table):
    """quầy. `state`: open, paused or closed."""

    __tablename__ = "counters"
    __table_args__ = (UniqueConstraint("site_id", "label"),)
    id: Mapped[int] = _id()
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    label: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10), default="open")


class CounterService(Table):
    """Which services a counter can serve."""

    __tablename__ = "counter_services"
    counter_id: Mapped[int] = mapped_column(ForeignKey("counters.id"), primary_key=True)
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"), primary_key=True)


class Shift(Table):
    """buổi làm việc: a site's opening on a day. `counters` and `slot_seconds` give the capacity of a slot."""

    __tablename__ = "shifts"
    __table_args__ = (UniqueConstraint("site_id", "opens_at"), Index(None, "day", "site_id"))
    id: Mapped[int] = _id()
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    day: Mapped[date]
    opens_at: Mapped[int]
    closes_at: Mapped[int]
    slot_seconds: Mapped[int] = mapped_column(default=1_800)
    counters: Mapped[int] = mapped_column(default=3)
    numbered_at: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(10), default="open")


class Registration(Table):
    """đăng ký: made online by a contact for one or more applicants."""

    __tablename__ = "registrations"
    id: Mapped[int] = _id()
    token: Mapped[str] = mapped_column(String(32), unique=True)
    contact_name: Mapped[str] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(String(16), index=True)
    zalo_user_id: Mapped[str | None] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(2), default="vi")
    shift_id: Mapped[int] = mapped_column(ForeignKey("shifts.id"), index=True)
    source: Mapped[str] = mapped_column(String(10), default="web")
    consent_text: Mapped[str] = mapped_column(Text)
    consent_at: Mapped[int]
    created_at: Mapped[int]
    cancelled_at: Mapped[int | None]


class Applicant(Table):
    """người làm thủ tục: the contact or a relative. `state`: registered, numbered or cancelled."""

    __tablename__ = "applicants"
    __table_args__ = (Index(None, "shift_id", "state"),)
    id: Mapped[int] = _id()
    registration_id: Mapped[int] = mapped_column(ForeignKey("registrations.id"), index=True)
    shift_id: Mapped[int] = mapped_column(ForeignKey("shifts.id"))
    slot_at: Mapped[int]
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(80))
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"))
    relation: Mapped[str] = mapped_column(String(30), default="")
    birth_year: Mapped[int | None]
    priority: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(12), default="registered")


class SiteDay(Table):
    """One merged queue. Every change of a queue first bumps `version`: that row's lock puts changes in order.

    `seq` counts admissions, so it is the order in which tickets became present.
    """

    __tablename__ = "site_days"
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(default=0)
    seq: Mapped[int] = mapped_column(default=0)


class SeriesDay(Table):
    """dải số: the last number that its owner gave on a site-day."""

    __tablename__ = "series_days"
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    series: Mapped[str] = mapped_column(String(4), primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Ticket(Table):
    """phiếu số thứ tự: one person's place for one day at one site.

    `base` and `due` are seconds by QUEUE-POLICY.md, empty until the person is present; `seq` likewise.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("site_id", "day", "series", "n"),
        Index(None, "site_id", "day", "state", "due", "seq"),
    )
    id: Mapped[int] = _id()
    token: Mapped[str] = mapped_column(String(32), unique=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    day: Mapped[date]
    series: Mapped[str] = mapped_column(String(4))
    n: Mapped[int]
    number: Mapped[str] = mapped_column(String(12))
    source: Mapped[str] = mapped_column(String(8))
    service_id: Mapped[int] = mapped_column(ForeignKey("services.id"))
    applicant_id: Mapped[int | None] = mapped_column(ForeignKey("applicants.id"), unique=True)
    kiosk_id: Mapped[int | None] = mapped_column(ForeignKey("kiosks.id"))
    phone: Mapped[str | None] = mapped_column(String(16))
    language: Mapped[str] = mapped_column(String(2), default="vi")
    priority: Mapped[bool] = mapped_column(default=False)
    slot_at: Mapped[int | None]
    created_at: Mapped[int]
    present_at: Mapped[int | None]
    base: Mapped[int | None]
    due: Mapped[int | None]
    seq: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(10))
    counter_id: Mapped[int | None] = mapped_column(ForeignKey("counters.id"), index=True)
    only_counter_id: Mapped[int | None] = mapped_column(ForeignKey("counters.id"))
    calls: Mapped[int] = mapped_column(default=0)
    called_at: Mapped[int | None]
    started_at: Mapped[int | None]
    missed_at: Mapped[int | None]
    returned: Mapped[bool] = mapped_column(default=False)
    finished_at: Mapped[int | None]
    near_told: Mapped[bool] = mapped_column(default=False)
    printed: Mapped[str] = mapped_column(String(12), default="")


class Event(Table):
    """What happened in a queue, in order; with the tickets it explains every place and every call."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("site_id", "day", "version"),)
    id: Mapped[int] = _id()
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    day: Mapped[date]
    version: Mapped[int]
    at: Mapped[int]
    type: Mapped[str] = mapped_column(String(20))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    counter_id: Mapped[int | None] = mapped_column(ForeignKey("counters.id"))
    by: Mapped[str] = mapped_column(String(80), default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


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
        Index("ix_notices_due", "channel", "urgent", "due", "id", **_where("state = 'created'")),
        Index("ix_notices_late", "deadline", **_where("state = 'created'")),
        Index("ix_notices_waiting", "due", **_where("state IN ('sending', 'sent', 'unknown')")),
        Index("ix_notices_lost", "created_at", **_where("state IN ('failed', 'expired')")),
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
    ladder: Mapped[str] = mapped_column(String(60), default="")
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
        Index("ix_attempts_open", "at", **_where("state = 'handing_over'")),
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
    """A phone that is not worth a try on a channel until a day; `by`: the provider's answer, or a person."""

    __tablename__ = "suppressions"
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    phone: Mapped[str] = mapped_column(String(16), primary_key=True)
    until: Mapped[int] = mapped_column(Moment, index=True)
    code: Mapped[str] = mapped_column(String(40), default="")
    reason: Mapped[str] = mapped_column(String(200), default="")
    by: Mapped[str] = mapped_column(String(80), default="")
    at: Mapped[int]


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
    __table_args__ = (Index("uq_alerts_open", "key", unique=True, **_where("closed_at IS NULL")),)
    id: Mapped[int] = _id()
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
        Index("ix_hook_events_due", "hook_id", "due", "id", **_where("state = 'waiting'")),
        Index("ix_hook_events_calling", "hook_id", "due", **_where("state = 'calling'")),
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


class Receipt(Table):
    """báo nhận, stored as it came before anything is done with it.

    `key` makes a repeat the same one. `delivered` is empty while the worker has not read the body yet.
    `due` is when it is looked at next: one that fits no attempt steps aside for the others.
    """

    __tablename__ = "receipts"
    __table_args__ = (Index("ix_receipts_waiting", "due", "id", **_where("done_at IS NULL")),)
    id: Mapped[int] = _id()
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


class Staff(Table):
    """A person who may log in. `role`: staff, officer or admin."""

    __tablename__ = "staff"
    id: Mapped[int] = _id()
    name: Mapped[str] = mapped_column(String(60), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(10))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int]


class Kiosk(Table):
    """máy lấy số. Keys and codes are kept as hashes only; `acked` is the highest event stored with no gap."""

    __tablename__ = "kiosks"
    __table_args__ = (UniqueConstraint("site_id", "series"),)
    id: Mapped[int] = _id()
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


class ApiKey(Table):
    """A program's key (hash only). `scope`: notices, staff or admin."""

    __tablename__ = "api_keys"
    id: Mapped[int] = _id()
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


class ZaloToken(Table):
    """The Official Account's grant. Refresh tokens work once; `generation`, `refreshing_until` guard that."""

    __tablename__ = "zalo_tokens"
    oa_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    access_token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    previous_refresh_token: Mapped[str] = mapped_column(Text, default="")
    access_until: Mapped[int]
    refreshed_at: Mapped[int]
    generation: Mapped[int] = mapped_column(default=1)
    refreshing_until: Mapped[int] = mapped_column(default=0)
    lost_reason: Mapped[str] = mapped_column(String(200), default="")


class Audit(Table):
    """Who did what. `subject` names a row, never a person."""

    __tablename__ = "audit"
    id: Mapped[int] = _id()
    at: Mapped[int] = mapped_column(Moment, index=True)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80), default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
