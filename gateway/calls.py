"""Calling and telling: what a counter does, and the notices that go with it, in one transaction.

`queue` knows nothing of messages and `notices` nothing of queues; here a call becomes both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import notices, queue, registrations, tables
from gateway.rules import hours, order, wording
from gateway.rules.lifecycle.ticket import State
from gateway.rules.settings import Settings

Verb = Callable[[Session, int, date, int, str], "tables.Ticket | queue.Refusal | None"]
NEAR_PLACES = 2  # times the open counters


def call_next(config: Settings) -> Verb:
    """Call the next person, tell them, and tell those whose turn is near."""

    def act(session: Session, counter_id: int, day: date, now: int, by: str):
        outcome = queue.call_next(session, counter_id, day, now, by)
        if isinstance(outcome, tables.Ticket):
            _tell(session, outcome, "called", config, now, counter_id)
            _tell_near(session, outcome, config, now)
        return outcome

    return act


def recall(config: Settings) -> Verb:
    """Call once more, on the phone too."""
    return _telling(queue.recall, "called", config)


def no_show(config: Settings) -> Verb:
    """Give up waiting, and say how to come back."""
    return _telling(queue.no_show, "missed", config)


def _telling(verb: Verb, kind: str, config: Settings) -> Verb:
    """A verb of the queue, and a notice of this kind to the person it was about."""

    def act(session: Session, counter_id: int, day: date, now: int, by: str):
        outcome = verb(session, counter_id, day, now, by)
        if isinstance(outcome, tables.Ticket):
            _tell(session, outcome, kind, config, now, counter_id)
        return outcome

    return act


def _tell(
    session: Session,
    ticket: tables.Ticket,
    kind: str,
    config: Settings,
    now: int,
    counter_id: int | None = None,
) -> None:
    if ticket.phone is None:
        return
    site = session.get_one(tables.Site, ticket.site_id)
    data = registrations.facts(ticket, site, config)
    person = session.get(tables.Applicant, ticket.applicant_id) if ticket.applicant_id else None
    user_id = None
    if person is not None:
        data["name"] = person.name
        user_id = session.get_one(tables.Registration, person.registration_id).zalo_user_id
    if counter_id is not None:
        label = session.get_one(tables.Counter, counter_id).label
        data["counter"] = wording.counter_name(label, ticket.language)
    data["minutes"] = str(config.policy.missed_within // 60)
    lasting = {"called": config.notices.deadlines.called, "near": config.notices.deadlines.near}
    planned = notices.Planned(
        key=f"{kind}:{ticket.id}:{counter_id or 0}:{ticket.called_at or 0}",
        kind=kind,
        phone=ticket.phone,
        zalo_user_id=user_id,
        language=ticket.language,
        data=data,
        due=now,
        deadline=now + lasting.get(kind, config.policy.missed_within),
        ticket_id=ticket.id,
    )
    notices.plan(session, planned, notices.ladder(config), now, config.zalo.shared_phone)


def _tell_near(session: Session, called: tables.Ticket, config: Settings, now: int) -> None:
    """Once for each person: the place is near, or the expected wait short."""
    untold = session.scalars(
        select(tables.Ticket).where(
            tables.Ticket.site_id == called.site_id,
            tables.Ticket.day == called.day,
            tables.Ticket.state == State.WAITING,
            tables.Ticket.near_told.is_(False),
            tables.Ticket.phone.is_not(None),
        )
    ).all()
    if not untold:
        return
    seen = queue.snapshot(session, called.site_id, called.day, now)
    places = NEAR_PLACES * sum(desk.state == "open" for desk in seen.desks)
    soon = now + config.policy.near_minutes * 60
    near = {one.ticket_id for one in seen.waiting if one.ahead < places or (one.eta and one.eta[0] <= soon)}
    for ticket in untold:
        if ticket.id in near:
            ticket.near_told = True
            _tell(session, ticket, "near", config, now)


def arrive(
    session: Session, site_ids: Sequence[int], day: date, code: str, config: Settings, now: int, by: str
) -> tables.Ticket | queue.Refusal:
    """A booked person reports, or a missed one is back; or why that cannot be."""
    found = [queue.ticket_for(session, site_id, day, code) for site_id in site_ids]
    tickets = [ticket for ticket in found if ticket is not None]
    if not tickets:
        return queue.Refusal(
            "Không tìm thấy số này trong hôm nay tại điểm làm thủ tục.", "There is no such number here today."
        )
    if len(tickets) > 1:
        return queue.Refusal(
            "Nhiều điểm có số này. Hãy chọn điểm làm thủ tục.",
            "Several sites have this number. Name the site.",
        )
    ticket = tickets[0]
    if ticket.state == State.NO_SHOW:
        back = queue.come_back(session, ticket.id, config.policy, now, by)
        return back or queue.Refusal(
            "Đã quá thời gian quay lại. Mời lấy số mới.",
            "It is too late to come back. Please take a new number.",
        )
    if ticket.state == State.BOOKED and not order.check_in_open(ticket.slot_at or now, now, config.policy):
        opens = hours.clock((ticket.slot_at or now) - config.policy.check_in_opens, config.station.zone)
        return queue.Refusal(
            f"Chưa đến giờ báo có mặt. Mời quay lại từ {opens}.", f"Too early. Check-in opens at {opens}."
        )
    present = queue.check_in(session, ticket.id, config.policy, now, by)
    return present or queue.Refusal(
        "Số này đã được gọi hoặc đã xong.", "This number was called or finished already."
    )
