"""đăng ký: people register online, get a slot at once and their number the afternoon before.

A user's mistake is a value (`Fault`: where in the input, and a sentence in both languages), not an exception.
Functions run inside a `database.writing` transaction; `now` in whole seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import database, notices, queue, tables
from gateway.queue import day as days
from gateway.rules import hours, names, numbers
from gateway.rules.lifecycle import notice as notice_lifecycle
from gateway.rules.lifecycle.ticket import State
from gateway.rules.settings import Settings

LANDLINE = "+842"
GIVES_UP = (State.BOOKED, State.WAITING)  # who is called already tells the counter


@dataclass(frozen=True)
class Person:
    """One applicant as asked for; `name` is clean already (`rules.names.name`)."""

    name: str
    service: str
    relation: str = ""
    birth_year: int | None = None
    priority: bool = False


@dataclass(frozen=True)
class Request:
    """A registration as asked for. `phone` is E.164. Either `shift_id`, or `site` and `day`."""

    contact_name: str
    phone: str
    people: tuple[Person, ...]
    consent_text: str
    site: str | None = None
    day: date | None = None
    shift_id: int | None = None
    zalo_user_id: str | None = None
    language: str = "vi"
    source: str = "web"


@dataclass(frozen=True)
class Fault:
    """`pointer` is a JSON pointer into the request (RFC 6901)."""

    pointer: str
    vi: str
    en: str


NO_LANDLINE = Fault(
    "/contact/phone",
    "Số cố định không nhận được tin Zalo và SMS. Vui lòng nhập số di động.",
    "A landline gets no Zalo message and no SMS. Please give a mobile number.",
)


@dataclass(frozen=True)
class Given:
    """What one run of `give_numbers` did."""

    shifts: int
    numbers: int
    notices: int


def register(
    session: Session, asked: Request, config: Settings, now: int
) -> tables.Registration | tuple[Fault, ...]:
    """Register a contact's people for a shift, all or nobody; each family gets one slot."""
    services = {row.code: row for row in session.scalars(select(tables.Service).filter_by(active=True))}
    faults = [
        Fault(f"/applicants/{place}/service", "Không có thủ tục này.", "There is no such service.")
        for place, person in enumerate(asked.people)
        if person.service not in services
    ]
    if asked.phone.startswith(LANDLINE):
        faults.append(NO_LANDLINE)
    shifts = _shifts(session, asked, now)
    if isinstance(shifts, Fault):
        return (*faults, shifts)
    shift = shifts[0]
    _lock_contact(session, asked.phone)
    days.opened(session, shift.site_id, shift.day)  # seats are counted one registration at a time
    for one in shifts:  # the numbers of the day may have been given while we waited
        session.refresh(one)
    faults += _limits(session, asked.phone, [person.name for person in asked.people], shift, config)
    room = ((one, slot_for(session, one, len(asked.people), config, now)) for one in shifts)
    shift, slot = next(((one, slot) for one, slot in room if slot is not None), (shift, None))
    if slot is None:
        faults.append(Fault("/date", "Ngày này đã hết chỗ.", "This day has no places left."))
    if faults or slot is None:
        return tuple(faults)
    return _write(session, asked, shift, slot, services, config, now)


def _shifts(session: Session, asked: Request, now: int) -> Sequence[tables.Shift] | Fault:
    """The shift that was asked for, or all of that site and day: a day may have a morning and an afternoon."""
    wanted = select(tables.Shift).filter_by(state="open").where(tables.Shift.closes_at > now)
    if asked.shift_id is not None:
        shift = session.scalar(wanted.filter_by(id=asked.shift_id))
        return (
            [shift]
            if shift
            else Fault("/shift", "Không còn buổi làm việc này.", "This shift is not open any more.")
        )
    site = session.scalar(select(tables.Site).filter_by(code=asked.site, active=True))
    if site is None:
        return Fault("/site", "Không có điểm làm thủ tục này.", "There is no such site.")
    of_day = wanted.filter_by(site_id=site.id, day=asked.day)
    return session.scalars(of_day.order_by(tables.Shift.opens_at)).all() or Fault(
        "/date",
        "Ngày này đã qua hoặc điểm làm thủ tục không làm việc.",
        "This day is past, or the site is not open then.",
    )


def _lock_contact(session: Session, phone: str) -> None:
    """The limits are per phone and day, over all sites: one registration of a phone at a time."""
    if database.on_postgresql(session):  # on SQLite there is one writer anyway
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(phone))))


def _limits(
    session: Session,
    phone: str,
    people: Sequence[str],
    shift: tables.Shift,
    config: Settings,
    besides: int = 0,
) -> list[Fault]:
    """At most so many people a contact and day, and nobody twice on one day; not counting one registration."""
    live = session.execute(
        select(tables.Applicant.name, tables.Registration.phone)
        .join(tables.Registration, tables.Registration.id == tables.Applicant.registration_id)
        .join(tables.Shift, tables.Shift.id == tables.Applicant.shift_id)
        .where(
            tables.Applicant.state != "cancelled",
            tables.Shift.day == shift.day,
            tables.Registration.phone == phone,
            tables.Registration.id != besides,
        )
    ).all()
    most = config.policy.people_per_contact
    faults = []
    if len(live) + len(people) > most:
        faults.append(
            Fault(
                "/applicants",
                f"Mỗi số điện thoại đăng ký tối đa {most} người một ngày.",
                f"One phone number can register {most} people a day at most.",
            )
        )
    taken = {row.name.casefold() for row in live}
    for place, name in enumerate(people):
        if name.casefold() in taken:
            faults.append(
                Fault(
                    f"/applicants/{place}/name",
                    "Người này đã có đăng ký trong ngày.",
                    "This person is registered for that day already.",
                )
            )
        taken.add(name.casefold())
    return faults


def slot_for(session: Session, shift: tables.Shift, people: int, config: Settings, now: int) -> int | None:
    """The start of the first slot still to come with room for so many together; None if there is none."""
    left = seats_left(session, shift, config, now)
    return next((slot for slot, seats in left.items() if seats >= people), None)


def seats_left(session: Session, shift: tables.Shift, config: Settings, now: int) -> dict[int, int]:
    """Places left to book in each slot of a shift that is still to come."""
    counted = select(tables.Applicant.slot_at, func.count()).where(
        tables.Applicant.shift_id == shift.id, tables.Applicant.state != "cancelled"
    )
    taken = dict(session.execute(counted.group_by(tables.Applicant.slot_at)).all())
    mean = session.scalar(select(func.avg(tables.Service.seconds)).filter_by(active=True)) or 480
    room = numbers.capacity(
        shift.slot_seconds, shift.counters, int(mean), 0, config.policy.no_show, config.policy
    ).sold
    return {
        slot: max(0, room - taken.get(slot, 0))
        for slot in numbers.slots(shift.opens_at, shift.closes_at, shift.slot_seconds)
        if slot >= now  # an hour that has begun would make the person late before they set out
    }


def _write(
    session: Session,
    asked: Request,
    shift: tables.Shift,
    slot: int,
    services: dict[str, tables.Service],
    config: Settings,
    now: int,
) -> tables.Registration:
    registration = tables.Registration(
        token=secrets.token_urlsafe(16),
        contact_name=asked.contact_name,
        phone=asked.phone,
        zalo_user_id=asked.zalo_user_id,
        language=asked.language,
        shift_id=shift.id,
        source=asked.source,
        consent_text=asked.consent_text,
        consent_at=now,
        created_at=now,
    )
    session.add(registration)
    session.flush()
    session.add_all(
        tables.Applicant(
            registration_id=registration.id,
            shift_id=shift.id,
            slot_at=slot,
            position=place,
            name=person.name,
            service_id=services[person.service].id,
            relation=person.relation,
            birth_year=person.birth_year,
            priority=person.priority,
        )
        for place, person in enumerate(asked.people)
    )
    session.flush()
    if shift.numbered_at is not None or shift.opens_at <= now:  # the day's numbers are out: theirs at once
        _give(session, people_of(session, registration), shift, config, now)
    return registration


def people_of(session: Session, registration: tables.Registration) -> Sequence[tables.Applicant]:
    mine = select(tables.Applicant).filter_by(registration_id=registration.id)
    return session.scalars(mine.order_by(tables.Applicant.position)).all()


def shifts_of(session: Session, day: date, site: str | None = None) -> Sequence[tables.Shift]:
    wanted = select(tables.Shift).filter_by(day=day, state="open").order_by(tables.Shift.id)
    if site is not None:
        wanted = wanted.join(tables.Site, tables.Site.id == tables.Shift.site_id).where(
            tables.Site.code == site
        )
    return session.scalars(wanted).all()


def give_numbers(session: Session, shift_id: int, config: Settings, now: int) -> Given:
    """Give the numbers of a shift in slot order, families together, and plan one notice a person.

    Doing it again gives numbers only to those who have none yet.
    """
    shift = session.get_one(tables.Shift, shift_id)
    days.opened(session, shift.site_id, shift.day)
    session.refresh(shift)
    waiting = session.scalars(
        select(tables.Applicant)
        .filter_by(shift_id=shift.id, state="registered")
        .order_by(tables.Applicant.slot_at, tables.Applicant.registration_id, tables.Applicant.position)
    ).all()
    told = _give(session, waiting, shift, config, now)
    shift.numbered_at = shift.numbered_at or now
    return Given(1, len(waiting), told)


def _give(
    session: Session, people: Sequence[tables.Applicant], shift: tables.Shift, config: Settings, now: int
) -> int:
    site = session.get_one(tables.Site, shift.site_id)
    told = 0
    for person in people:
        ticket = queue.book(session, person, shift, now)
        told += plan_appointment(session, person, ticket, site, config, now) is not None
    return told


def plan_appointment(
    session: Session,
    person: tables.Applicant,
    ticket: tables.Ticket,
    site: tables.Site,
    config: Settings,
    now: int,
) -> str | None:
    """Tell a person their number, place and hour; it is of no use after the hour itself."""
    registration = session.get_one(tables.Registration, person.registration_id)
    deadline = max(person.slot_at - config.notices.deadlines.appointment, now + config.policy.grace)
    planned = notices.Planned(
        key=f"appointment:{ticket.id}",
        kind="appointment",
        phone=registration.phone,
        zalo_user_id=registration.zalo_user_id,
        language=registration.language,
        data=facts(ticket, site, config) | {"name": person.name},
        due=now,
        deadline=deadline,
        ticket_id=ticket.id,
    )
    return notices.plan(session, planned, notices.ladder(config), now, config.zalo.shared_phone)


def facts(ticket: tables.Ticket, site: tables.Site, config: Settings) -> dict[str, str]:
    """What any notice about a ticket may say."""
    told = {
        "number": ticket.number,
        "place": site.name,
        "address": site.address,
        "code": ticket.number,
        "url": f"{config.web.base_url}/p/{ticket.token}",
    }
    if ticket.slot_at is not None:
        told["time"] = hours.rfc3339(ticket.slot_at, config.station.zone)
    return told


def cancel(
    session: Session,
    registration: tables.Registration,
    applicant_ids: Sequence[int] | None,
    policy: notice_lifecycle.Policy,
    now: int,
    by: str,
) -> int:
    """Cancel some or all (None) people of a registration; how many were cancelled."""
    _lock_days(session, registration)
    people = [
        person
        for person in people_of(session, registration)
        if person.state != "cancelled" and (applicant_ids is None or person.id in applicant_ids)
    ]
    gone = [person for person in people if _give_up(session, person, policy, now, by)]
    if all(person.state == "cancelled" for person in people_of(session, registration)):
        registration.cancelled_at = registration.cancelled_at or now
    return len(gone)


def _lock_days(session: Session, registration: tables.Registration, *more: int) -> None:
    """Lock the days of a registration's people (and of `more` shifts), always in one order, and read them anew.

    Numbers may have been given while we waited: what was read before is no longer true.
    """
    session.flush()
    ids = [*more, *(person.shift_id for person in people_of(session, registration))]
    shifts = session.scalars(select(tables.Shift).where(tables.Shift.id.in_(ids))).all()
    for site_id, day in sorted({(shift.site_id, shift.day) for shift in shifts}):
        days.opened(session, site_id, day)
    session.expire_all()


def _give_up(
    session: Session, person: tables.Applicant, policy: notice_lifecycle.Policy, now: int, by: str
) -> bool:
    ticket = session.scalar(select(tables.Ticket).filter_by(applicant_id=person.id))
    if ticket is not None:
        if ticket.state not in GIVES_UP:  # at the counter only staff decide
            return False
        if queue.cancel(session, ticket.id, now, by) is None:
            return False
        notices.cancel_for_ticket(session, ticket.id, now, policy)
    person.state = "cancelled"
    session.flush()
    return True


def move(
    session: Session, registration: tables.Registration, shift_id: int, config: Settings, now: int
) -> Fault | tables.Shift:
    """Move the people who have no number yet to another shift; a number once given stays with its day."""
    _lock_contact(session, registration.phone)
    _lock_days(session, registration, shift_id)
    people = [one for one in people_of(session, registration) if one.state == "registered"]
    shift = session.get(tables.Shift, shift_id)
    if shift is None or shift.state != "open" or shift.closes_at <= now:
        return Fault("/shift", "Không còn buổi làm việc này.", "This shift is not open any more.")
    if not people:
        return Fault(
            "/shift",
            "Số đã được cấp nên không đổi ngày được. Hãy huỷ và đăng ký lại.",
            "Numbers are given already, so the day cannot be moved. Cancel and register again.",
        )
    if all(person.shift_id == shift.id for person in people):
        return shift  # asked twice: their hour stays
    names_ = [person.name for person in people]
    limits = _limits(session, registration.phone, names_, shift, config, registration.id)
    if limits:
        return Fault("/shift", limits[0].vi, limits[0].en)
    slot = slot_for(session, shift, len(people), config, now)
    if slot is None:
        return Fault("/shift", "Ngày này đã hết chỗ.", "This day has no places left.")
    for person in people:
        person.shift_id, person.slot_at = shift.id, slot
    registration.shift_id = shift.id
    session.flush()
    if shift.numbered_at is not None or shift.opens_at <= now:
        _give(session, people, shift, config, now)
    return shift


def clean_name(text: str, pointer: str) -> str | Fault:
    """`rules.names.name`, its fault placed in the request."""
    found = names.name(text)
    return found if isinstance(found, str) else Fault(pointer, found.vi, found.en)
