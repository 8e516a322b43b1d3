"""A person's ticket as their own page shows it: where they stand, in words of the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import registrations, tables
from gateway.rules import hours, names, wording
from gateway.rules.lifecycle.ticket import State
from gateway.web import api, dates


@dataclass(frozen=True)
class Place:
    """What the page and its JSON say; texts are ready to be shown, an empty one is left out."""

    number: str
    state: str
    headline: str
    detail: str
    ahead: int | None
    people: str
    eta: str
    why: str
    may_cancel: bool


@dataclass(frozen=True)
class Fixed:
    """What does not change while the page is open."""

    name: str
    service: str
    site: str
    site_code: str
    address: str
    map_url: str
    day: str
    hour: str
    booked: bool


def fixed(session: Session, ticket: tables.Ticket) -> Fixed:
    """Place, day and hour; the name as others may see it, since a phone is looked at over shoulders."""
    site = session.get_one(tables.Site, ticket.site_id)
    person = session.get(tables.Applicant, ticket.applicant_id) if ticket.applicant_id else None
    return Fixed(
        name=names.shown(person.name) if person else "",
        service=dates.named(session.get_one(tables.Service, ticket.service_id)),
        site=dates.named(site),
        site_code=site.code,
        address=site.address,
        map_url=site.map_url if site.map_url.startswith("https://") else "",
        day=dates.day(ticket.day),
        hour=dates.clock(ticket.slot_at or ticket.created_at),
        booked=ticket.slot_at is not None,
    )


def read(session: Session, ticket: tables.Ticket) -> Place:
    """Where a ticket stands now."""
    standing = None
    if ticket.state == State.WAITING:
        standing = api.gate().hub.snapshot(ticket.site_id, ticket.day).standing(ticket.id)
    headline, detail = _SAYS[State(ticket.state)](session, ticket)
    return Place(
        number=ticket.number,
        state=ticket.state,
        headline=headline,
        detail=detail,
        ahead=standing.ahead if standing else None,
        people=_people(standing.ahead) if standing else "",
        eta="–".join(dates.clock(at) for at in standing.eta) if standing and standing.eta else "",
        why=_(wording.WHY[standing.why]) if standing else "",
        may_cancel=ticket.state in registrations.GIVES_UP,
    )


def _people(ahead: int) -> str:
    if ahead == 0:
        return _("Không còn ai phía trước")
    return ngettext("%(num)d người phía trước", "%(num)d người phía trước", ahead)


def _booked(_session: Session, ticket: tables.Ticket) -> tuple[str, str]:
    policy = api.gate().config.policy
    opens = (ticket.slot_at or ticket.created_at) - policy.check_in_opens
    today = ticket.day == api.gate().hub.today()
    told = _(
        "Mời đến sớm 5 phút và đưa mã này cho nhân viên để báo có mặt (từ %(time)s).", time=dates.clock(opens)
    )
    return _("Chưa báo có mặt") if today else _("Đã có số, chưa đến ngày hẹn"), told


def _waiting(_session: Session, _ticket: tables.Ticket) -> tuple[str, str]:
    return _("Đang chờ đến lượt"), _("Trang này tự cập nhật. Có thể chờ ở nơi khác, miễn là kịp quay lại.")


def _called(session: Session, ticket: tables.Ticket) -> tuple[str, str]:
    return _("Mời đến %(desk)s", desk=_desk(session, ticket)), _("Đã gọi %(count)d lần.", count=ticket.calls)


def _serving(session: Session, ticket: tables.Ticket) -> tuple[str, str]:
    return _("Đang làm thủ tục"), _desk(session, ticket)


def _done(_session: Session, _ticket: tables.Ticket) -> tuple[str, str]:
    return _("Đã xong"), _("Cảm ơn ông/bà đã đến làm thủ tục.")


def _no_show(_session: Session, ticket: tables.Ticket) -> tuple[str, str]:
    last = (ticket.missed_at or ticket.created_at) + api.gate().config.policy.missed_within
    if ticket.returned or api.gate().now() > last:
        return _("Đã gọi nhưng vắng mặt"), _("Số này không còn dùng được. Mời lấy số mới.")
    told = _("Mời báo lại với nhân viên trước %(time)s để được gọi lại.", time=dates.clock(last))
    return _("Đã gọi nhưng vắng mặt"), told


def _cancelled(_session: Session, _ticket: tables.Ticket) -> tuple[str, str]:
    return _("Đã huỷ"), _("Số này không còn dùng được.")


_SAYS = {
    State.BOOKED: _booked,
    State.WAITING: _waiting,
    State.CALLED: _called,
    State.SERVING: _serving,
    State.DONE: _done,
    State.NO_SHOW: _no_show,
    State.CANCELLED: _cancelled,
}


def _desk(session: Session, ticket: tables.Ticket) -> str:
    counter = session.get(tables.Counter, ticket.counter_id) if ticket.counter_id else None
    return dates.desk(counter.label) if counter else ""


def found(session: Session, token: str) -> tables.Ticket | None:
    """The ticket whose page this is; a token is all that is needed to see it."""
    return session.scalar(select(tables.Ticket).filter_by(token=token)) if len(token) <= 32 else None


def hour_of(at: int) -> str:
    """ "07:30 Thứ Ba, 24/11/2026": a slot as a person is told it."""
    zone = api.gate().config.station.zone
    return f"{hours.clock(at, zone)} {dates.day(hours.day_of(at, zone))}"
