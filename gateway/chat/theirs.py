"""Whose numbers a person may see in the chat, and whose they may change.

Registered from this very chat: see, cancel, move, check in. With the phone number that they shared: see only,
since a number that somebody typed proves nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select

from gateway import queue, registrations, tables
from gateway.chat.talk import Talk
from gateway.rules import names, numbers, wording
from gateway.rules.lifecycle.ticket import State
from gateway.rules.wording import N_

LIVE = (State.BOOKED, State.WAITING, State.CALLED, State.SERVING, State.NO_SHOW)
SHOWN = 12
ALL = "tatca"
SEALED = "="


@dataclass(frozen=True)
class Turn:
    """One person's booked or waiting turn. `own`: it was registered from this chat."""

    site: tables.Site
    slot_at: int | None
    own: bool
    applicant: tables.Applicant | None = None
    registration: tables.Registration | None = None
    ticket: tables.Ticket | None = None

    @property
    def may_cancel(self) -> bool:
        if not self.own or self.applicant is None:
            return False
        return self.applicant.state == "registered" or (
            self.ticket is not None and self.ticket.state in registrations.GIVES_UP
        )

    @property
    def name(self) -> str:
        return names.shown(self.applicant.name) if self.applicant and self.applicant.name else ""

    @property
    def title(self) -> str:
        return " · ".join(filter(None, (self.ticket.number if self.ticket else "", self.name)))


def turns(talk: Talk) -> list[Turn]:
    """Their turns of today and later, in the order of the hours."""
    found = [*_registered(talk), *_walked_in(talk)]
    return sorted(found, key=lambda one: one.slot_at or 0)


def _registered(talk: Talk) -> list[Turn]:
    who = [tables.Registration.zalo_user_id == talk.user.id]
    if talk.config.zalo.shared_phone and talk.user.phone:
        who.append(tables.Registration.phone == talk.user.phone)
    wanted = (
        select(tables.Applicant, tables.Registration, tables.Site, tables.Ticket)
        .join(tables.Registration, tables.Registration.id == tables.Applicant.registration_id)
        .join(tables.Shift, tables.Shift.id == tables.Applicant.shift_id)
        .join(tables.Site, tables.Site.id == tables.Shift.site_id)
        .outerjoin(tables.Ticket, tables.Ticket.applicant_id == tables.Applicant.id)
        .where(
            or_(*who),
            tables.Shift.day >= talk.today,
            tables.Applicant.state != "cancelled",
            or_(tables.Ticket.id.is_(None), tables.Ticket.state.in_(LIVE)),
        )
        .order_by(tables.Applicant.slot_at, tables.Applicant.registration_id, tables.Applicant.position)
    )
    return [
        Turn(site, person.slot_at, made.zalo_user_id == talk.user.id, person, made, ticket)
        for person, made, site, ticket in talk.session.execute(wanted.limit(SHOWN * 2))
    ]


def _walked_in(talk: Talk) -> list[Turn]:
    """Numbers taken at the place with the phone that they shared."""
    if not (talk.config.zalo.shared_phone and talk.user.phone):
        return []
    wanted = (
        select(tables.Ticket, tables.Site)
        .join(tables.Site, tables.Site.id == tables.Ticket.site_id)
        .where(
            tables.Ticket.phone == talk.user.phone,
            tables.Ticket.applicant_id.is_(None),
            tables.Ticket.day >= talk.today,
            tables.Ticket.state.in_(LIVE),
        )
    )
    rows = talk.session.execute(wanted.limit(SHOWN))
    return [Turn(site, ticket.created_at, False, ticket=ticket) for ticket, site in rows]


def named(given: Sequence[Turn], argument: str) -> list[Turn]:
    """Those that a command's argument names: a number as it is printed or typed, or "~7" from our own button."""
    wanted = re.sub(r"[\s-]", "", argument.partition(SEALED)[0]).upper()
    if wanted == ALL.upper():
        return list(given)
    if re.fullmatch(r"~\d{1,15}", wanted):
        return [one for one in given if one.applicant and one.applicant.id == int(wanted[1:])]
    spelled = numbers.spelled(wanted)
    return [one for one in given if one.ticket and one.ticket.number == spelled]


def reference(turn: Turn, among: Sequence[Turn]) -> str:
    """How a button names a turn: by its number, where that says enough."""
    if turn.ticket is not None:
        alike = [one for one in among if one.ticket and one.ticket.number == turn.ticket.number]
        if len(alike) == 1:
            return turn.ticket.number
    return f"~{turn.applicant.id}" if turn.applicant else ""


def seal(chosen: Sequence[Turn]) -> str:
    """Stands for exactly these turns at their hours, so that a button of last week means nothing else today."""
    given = sorted((one.applicant.id, one.slot_at or 0) for one in chosen if one.applicant)
    return f"{SEALED}{hashlib.sha256(repr(given).encode()).hexdigest()[:12]}"


def described(talk: Talk, turn: Turn) -> str:
    """A turn in a few lines: number and masked name, place, hour, and where it stands."""
    lines = [turn.title, f"{talk.named(turn.site)}{', ' + turn.site.address if turn.site.address else ''}"]
    if turn.ticket is None:
        lines.append(talk.word(N_("Hẹn %(hour)s"), hour=talk.hour(turn.slot_at or 0)))
        lines.append(_number_comes(talk, turn))
        return "\n".join(filter(None, lines))
    if turn.slot_at and turn.applicant:
        lines.append(talk.word(N_("Hẹn %(hour)s"), hour=talk.hour(turn.slot_at)))
    lines.append(_standing(talk, turn.ticket))
    return "\n".join(filter(None, lines))


def _number_comes(talk: Talk, turn: Turn) -> str:
    at = talk.config.timetable.number_at.strftime("%H:%M")
    return talk.word(N_("Số thứ tự được báo lúc %(time)s chiều hôm trước."), time=at)


def _standing(talk: Talk, ticket: tables.Ticket) -> str:
    state = State(ticket.state)
    if state is State.BOOKED:
        return talk.word(N_("Mời đến sớm 5 phút và báo có mặt."))
    if state is State.WAITING:
        return _waiting(talk, ticket)
    if state is State.NO_SHOW:
        return talk.word(N_("Đã gọi nhưng vắng mặt. Mời báo lại tại quầy."))
    counter = talk.session.get(tables.Counter, ticket.counter_id) if ticket.counter_id else None
    desk = wording.counter_name(counter.label, talk.language) if counter else ""
    if state is State.SERVING:
        return talk.word(N_("Đang làm thủ tục. %(desk)s"), desk=desk).strip()
    return talk.word(N_("Đang gọi: mời đến %(desk)s."), desk=desk)


def _waiting(talk: Talk, ticket: tables.Ticket) -> str:
    seen = queue.snapshot(talk.session, ticket.site_id, ticket.day, talk.now).standing(ticket.id)
    if seen is None:
        return talk.word(N_("Đang chờ đến lượt."))
    ahead = (
        talk.word(N_("Đang chờ: còn %(n)d người phía trước."), n=seen.ahead)
        if seen.ahead
        else talk.word(N_("Đang chờ: không còn ai phía trước."))
    )
    if seen.eta is None:
        return ahead
    times = "–".join(dict.fromkeys(talk.clock(at) for at in seen.eta))
    return f"{ahead} {talk.word(N_('Dự kiến đến lượt: %(times)s.'), times=times)}"
