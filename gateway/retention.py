"""Personal data is used for the queue and then gone.

What is erased stays erased: SQLite overwrites deleted content (`PRAGMA secure_delete`), and counts, hours and
states remain for the reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from sqlalchemy import Text, cast, delete, select, update
from sqlalchemy.orm import Session

from gateway import access, tables
from gateway.rules import hours
from gateway.rules.settings import Settings

RAW_DAYS = 7  # providers' bodies and kiosks' entries are only for finding faults
ERASED = ""


@dataclass(frozen=True)
class Erased:
    """How many rows lost their personal data."""

    registrations: int
    applicants: int
    tickets: int
    notices: int
    raw: int


def purge(session: Session, config: Settings, now: int) -> Erased:
    """Erase names and phones of days that ended more than `[retention] days` ago; again changes nothing."""
    today = hours.day_of(now, config.station.zone)
    last = today - timedelta(days=config.retention.days)
    over = select(tables.Shift.id).where(tables.Shift.day < last)
    started = hours.at(last, time(), config.station.zone)
    raw_before = now - RAW_DAYS * 86_400
    erased = Erased(
        _changed(
            session,
            update(tables.Registration)
            .where(tables.Registration.shift_id.in_(over), tables.Registration.phone != ERASED)
            .values(contact_name=ERASED, phone=ERASED, zalo_user_id=None),
        ),
        _changed(
            session,
            update(tables.Applicant)
            .where(tables.Applicant.shift_id.in_(over), tables.Applicant.name != ERASED)
            .values(name=ERASED, relation=ERASED, birth_year=None),
        ),
        _changed(
            session,
            update(tables.Ticket)
            .where(tables.Ticket.day < last, tables.Ticket.phone.is_not(None))
            .values(phone=None),
        ),
        _changed(
            session,
            update(tables.Notice)
            .where(
                tables.Notice.final_at.is_not(None),
                tables.Notice.final_at < started,
                tables.Notice.phone != ERASED,
            )
            .values(phone=ERASED, zalo_user_id=None, data={}),
        ),
        _raw(session, raw_before),
    )
    if any(vars(erased).values()):
        access.audit(session, now, "gateway", "purge", before=last.isoformat(), **vars(erased))
    return erased


def _raw(session: Session, before: int) -> int:
    receipts = (
        update(tables.Receipt)
        .where(tables.Receipt.at < before, tables.Receipt.body != ERASED)
        .values(body=ERASED)
    )
    entries = (
        update(tables.KioskEvent)
        .where(tables.KioskEvent.at < before, cast(tables.KioskEvent.body, Text) != "{}")
        .values(body={})
    )
    presses = delete(tables.Press).where(tables.Press.at < before)
    return sum(_changed(session, change) for change in (receipts, entries, presses))


def _changed(session: Session, change) -> int:
    return session.execute(change.execution_options(synchronize_session=False)).rowcount
