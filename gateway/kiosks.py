"""máy lấy số: what kiosks report, each entry admitted exactly once, and what they are told.

An entry's identity is (kiosk, seq). Sending it again changes nothing and answers the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy.exc
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import queue, tables
from gateway.queue.day import insert_new
from gateway.rules import hours
from gateway.rules.settings import Settings


@dataclass(frozen=True)
class Clock:
    """The kiosk's clocks when it sent: wall (seconds), monotonic (seconds) and the boot it counts from."""

    at: int
    boot: str
    monotonic: float


@dataclass(frozen=True)
class Entry:
    """One journal entry; `body` has what the type needs. `fault`: why it cannot be used, if it is misshapen."""

    seq: int
    id: str
    type: str
    at: int
    boot: str
    monotonic: float
    body: dict[str, Any]
    fault: str = ""


def pressed_at(entry: Entry, sent: Clock, now: int) -> int:
    """When it happened by the gateway's clock, in seconds; never in the future.

    In the same boot the monotonic clock tells how long ago; else the wall clock with the offset measured now.
    """
    if entry.boot == sent.boot:
        ago = max(0.0, sent.monotonic - entry.monotonic)
        return now - round(ago)
    return min(now, entry.at + (now - sent.at))


def admit_entries(
    session: Session, kiosk: tables.Kiosk, sent: Clock, entries: Sequence[Entry], config: Settings, now: int
) -> tuple[int, list[dict[str, Any]]]:
    """Store entries and do what they say; (highest seq stored with no gap, [{"seq", "why"} refused])."""
    session.refresh(kiosk, with_for_update=True)
    for entry in sorted(entries, key=lambda one: one.seq):
        fresh = insert_new(
            session,
            tables.KioskEvent,
            kiosk_id=kiosk.id,
            seq=entry.seq,
            event_id=entry.id,
            type=entry.type,
            at=pressed_at(entry, sent, now),
            body=entry.body,
            refused=entry.fault,
        )
        if fresh and not entry.fault:
            _act(session, kiosk, entry, sent, config, now)
    session.flush()
    kiosk.seen_at, kiosk.offset = now, now - sent.at
    kiosk.acked = _without_gap(session, kiosk)
    return kiosk.acked, _refusals(session, kiosk, entries)


def _refusals(session: Session, kiosk: tables.Kiosk, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Which of these entries changed nothing, and why: the same answer however often it is asked."""
    ids = {entry.seq: entry.id for entry in entries}
    stored = session.execute(
        select(tables.KioskEvent.seq, tables.KioskEvent.event_id, tables.KioskEvent.refused)
        .where(tables.KioskEvent.kiosk_id == kiosk.id, tables.KioskEvent.seq.in_(ids))
        .order_by(tables.KioskEvent.seq)
    )
    # A kiosk whose journal was lost starts at 1 again: its new entries must not be taken for the old ones
    why = {
        seq: refused if event_id == ids[seq] else "this seq belongs to an earlier entry"
        for seq, event_id, refused in stored
    }
    return [{"seq": seq, "why": text} for seq, text in why.items() if text]


def _without_gap(session: Session, kiosk: tables.Kiosk) -> int:
    later = session.scalars(
        select(tables.KioskEvent.seq)
        .where(tables.KioskEvent.kiosk_id == kiosk.id, tables.KioskEvent.seq > kiosk.acked)
        .order_by(tables.KioskEvent.seq)
    )
    acked = kiosk.acked
    for seq in later:
        if seq != acked + 1:
            break
        acked = seq
    return acked


def _act(
    session: Session, kiosk: tables.Kiosk, entry: Entry, sent: Clock, config: Settings, now: int
) -> None:
    if entry.type == "printer.state":
        kiosk.printer = {key: entry.body.get(key) for key in ("online", "paper", "cover_open", "error")}
        return
    refused = (
        _issued(session, kiosk, entry, sent, config, now)
        if entry.type == "ticket.issued"
        else _printed(session, kiosk, entry)
    )
    if refused:
        session.get_one(tables.KioskEvent, (kiosk.id, entry.seq)).refused = refused


def _issued(
    session: Session, kiosk: tables.Kiosk, entry: Entry, sent: Clock, config: Settings, now: int
) -> str:
    body = entry.body
    if body.get("series") != kiosk.series:
        return f"series {body.get('series')!r} is not this kiosk's"
    wanted = select(tables.Service).filter_by(code=body.get("service"))
    # The paper is in somebody's hand: an unknown service must not cost them their place
    service = (
        session.scalar(wanted)
        or session.scalars(select(tables.Service).order_by(tables.Service.position)).first()
    )
    if service is None:
        return "the gateway has no services yet"
    person = queue.WalkIn(
        site_id=kiosk.site_id,
        day=date.fromisoformat(body["day"]),
        service_id=service.id,
        issued_at=pressed_at(entry, sent, now),
        priority=bool(body.get("priority")),
        phone=body.get("phone"),
        language=body.get("language") or "vi",
        series=kiosk.series,
        n=body["n"],
        token=body["token"],
        kiosk_id=kiosk.id,
    )
    try:
        with session.begin_nested():
            queue.admit(session, person, config.policy, now, by=kiosk.name)
    except sqlalchemy.exc.IntegrityError:
        return f"number {body.get('number')} of {body['day']} exists already"
    return ""


def _printed(session: Session, kiosk: tables.Kiosk, entry: Entry) -> str:
    states = {"ticket.printed": "printed", "ticket.reprinted": "reprinted", "ticket.held": "held"}
    if entry.type not in states:
        return ""  # a newer kiosk may tell more than this gateway knows: kept, nothing to do
    ticket = session.scalar(
        select(tables.Ticket).filter_by(
            site_id=kiosk.site_id,
            day=date.fromisoformat(entry.body["day"]),
            series=kiosk.series,
            n=entry.body["n"],
        )
    )
    if ticket is None:
        return "no such ticket"
    ticket.printed = states[entry.type]
    return ""


def state(session: Session, kiosk: tables.Kiosk, config: Settings, now: int) -> dict[str, Any]:
    """What a kiosk shows: services, the shift, the queue; the answer of GET /api/v1/kiosk/state."""
    zone = config.station.zone
    day = hours.day_of(now, zone)
    site = session.get_one(tables.Site, kiosk.site_id)
    services = session.scalars(
        select(tables.Service).filter_by(active=True).order_by(tables.Service.position)
    ).all()
    seen = queue.snapshot(session, site.id, day, now)
    return {
        "kiosk": {
            "name": kiosk.name,
            "series": kiosk.series,
            "acked": kiosk.acked,
            "issued": {"day": day.isoformat(), "n": _last_number(session, kiosk, day)},
        },
        "station": {"vi": config.station.name, "en": config.station.name_en},
        "site": {"code": site.code, "name": site.name, "address": site.address, "place": site.name},
        "services": [{"code": one.code, "name": {"vi": one.name, "en": one.name_en}} for one in services],
        "shift": _shift(session, site.id, day, config, now),
        "queue": _summary(seen, services, config),
        "base_url": config.web.base_url,
        "server_time": hours.rfc3339(now, zone),
    }


def _last_number(session: Session, kiosk: tables.Kiosk, day: date) -> int:
    """The highest number of the kiosk's series today: a kiosk that lost its journal goes on after it."""
    mine = select(func.max(tables.Ticket.n)).filter_by(site_id=kiosk.site_id, day=day, series=kiosk.series)
    return session.scalar(mine) or 0


def _shift(session: Session, site_id: int, day: date, config: Settings, now: int) -> dict[str, Any] | None:
    today = session.scalars(
        select(tables.Shift).filter_by(site_id=site_id, day=day).order_by(tables.Shift.opens_at)
    ).all()
    shift = next((one for one in today if one.closes_at > now), today[-1] if today else None)
    if shift is None:
        return None
    zone = config.station.zone
    open_now = shift.state == "open" and shift.opens_at <= now < shift.closes_at
    return {
        "open": open_now,
        "opens_at": hours.rfc3339(shift.opens_at, zone),
        "closes_at": hours.rfc3339(shift.closes_at, zone),
        "reason": None if open_now else {"vi": "Ngoài giờ làm việc.", "en": "Outside opening hours."},
    }


def _summary(seen: queue.Snapshot, services, config: Settings) -> dict[str, Any]:
    """What a newcomer of any service is told: who is present is ahead, and the expected time after them."""
    ahead = len(seen.waiting)
    eta = [hours.rfc3339(at, config.station.zone) for at in seen.newcomer or ()]
    return {
        "version": seen.version,
        "waiting": ahead,
        "ahead": {one.code: ahead for one in services},
        "eta": {one.code: eta for one in services} if eta else {},
    }


def overview(session: Session) -> list[dict[str, Any]]:
    """Each kiosk with how it is, for the console."""
    counted = dict(
        session.execute(
            select(tables.Ticket.kiosk_id, func.count())
            .where(tables.Ticket.kiosk_id.is_not(None))
            .group_by(tables.Ticket.kiosk_id)
        ).all()
    )
    return [
        {
            "name": kiosk.name,
            "series": kiosk.series,
            "seen_at": kiosk.seen_at,
            "offset": kiosk.offset,
            "printer": kiosk.printer,
            "tickets": counted.get(kiosk.id, 0),
        }
        for kiosk in session.scalars(select(tables.Kiosk).order_by(tables.Kiosk.name))
    ]
