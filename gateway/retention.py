"""Personal data is used for the queue and then gone.

What is erased stays erased: SQLite overwrites deleted content (`PRAGMA secure_delete`), and counts, hours and
states remain for the reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta

from sqlalchemy import Text, cast, delete, or_, select, update
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
    messages: int
    talks: int
    users: int
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
                or_(tables.Notice.phone != ERASED, tables.Notice.zalo_user_id.is_not(None)),
            )
            .values(phone=ERASED, zalo_user_id=None, data={}),
        ),
        _messages(session, started),
        _talks(session, started),
        _users(session, started),
        _raw(session, raw_before),
    )
    if any(vars(erased).values()):
        access.audit(session, now, "gateway", "purge", before=last.isoformat(), **vars(erased))
    return erased


def _messages(session: Session, before: int) -> int:
    """What was said in conversations; that and when something was said stays."""
    said = or_(tables.ChatMessage.text != ERASED, cast(tables.ChatMessage.attachments, Text) != "[]")
    return _changed(
        session,
        update(tables.ChatMessage)
        .where(tables.ChatMessage.at < before, said)
        .values(text=ERASED, attachments=[], quoted=ERASED),
    )


def _talks(session: Session, before: int) -> int:
    """Whose phone it was in which nobody has said anything since; the conversation is over then, if it was not."""
    talk = tables.Conversation
    silent = (talk.phone.is_not(None), talk.asked_at < before, talk.changed_at < before)
    ended = update(talk).where(*silent, talk.closed_at.is_(None))
    _changed(
        session,
        ended.values(
            state="closed", closed_at=talk.changed_at, closed_by="auto", unread=0, assigned_to=ERASED
        ),
    )
    return _changed(session, update(talk).where(*silent).values(phone=None))


def _users(session: Session, before: int) -> int:
    """Zalo users who have left the page and have been silent since, and of whom nobody waits for anything."""
    user = tables.ZaloUser
    expected = select(tables.Registration.id).where(tables.Registration.zalo_user_id == user.id)
    gone = (
        user.following.is_(False),
        user.seen_at < before,
        user.following_at < before,
        user.created_at < before,
        ~expected.exists(),
    )
    ids = select(user.id).where(*gone)
    _changed(session, delete(tables.ZaloTag).where(tables.ZaloTag.user_id.in_(ids)))
    known = or_(user.name != ERASED, user.phone.is_not(None), user.by_app != ERASED)
    return _changed(
        session,
        update(user).where(*gone, known).values(name=ERASED, by_app=ERASED, phone=None, phone_at=None),
    )


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
    parts = (
        update(tables.SmsPart)
        .where(tables.SmsPart.at < before, tables.SmsPart.phone != ERASED)
        .values(phone=ERASED)
    )
    presses = delete(tables.Press).where(tables.Press.at < before)
    links = delete(tables.ZaloLink).where(tables.ZaloLink.until < before)
    consents = delete(tables.ZaloConsent).where(tables.ZaloConsent.made_at < before)
    return sum(_changed(session, change) for change in (receipts, entries, parts, presses, links, consents))


def _changed(session: Session, change) -> int:
    return session.execute(change.execution_options(synchronize_session=False)).rowcount
