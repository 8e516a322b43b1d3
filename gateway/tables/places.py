"""Places, their shifts, and who registered for them."""

from __future__ import annotations

from datetime import date

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Table, row_id


class Site(Table):
    """điểm làm thủ tục: a place with counters."""

    __tablename__ = "sites"
    id: Mapped[int] = row_id()
    code: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    name_en: Mapped[str] = mapped_column(String(120), default="")
    address: Mapped[str] = mapped_column(String(200), default="")
    map_url: Mapped[str] = mapped_column(String(500), default="")
    active: Mapped[bool] = mapped_column(default=True)


class Service(Table):
    """thủ tục: what a person comes for. `seconds`: the prior mean of one service."""

    __tablename__ = "services"
    id: Mapped[int] = row_id()
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
    id: Mapped[int] = row_id()
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
    id: Mapped[int] = row_id()
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
    id: Mapped[int] = row_id()
    token: Mapped[str] = mapped_column(String(32), unique=True)
    contact_name: Mapped[str] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(String(16), index=True)
    zalo_user_id: Mapped[str | None] = mapped_column(String(40), index=True)
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
    id: Mapped[int] = row_id()
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
