"""The merged queue of a site and day."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Table, row_id


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
    id: Mapped[int] = row_id()
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
    id: Mapped[int] = row_id()
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id"))
    day: Mapped[date]
    version: Mapped[int]
    at: Mapped[int]
    type: Mapped[str] = mapped_column(String(20))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    counter_id: Mapped[int | None] = mapped_column(ForeignKey("counters.id"))
    by: Mapped[str] = mapped_column(String(80), default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
