"""HTTP for other programs and for everybody's live pages: /api/v1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import database, notices, presses, queue, registrations, tables
from gateway.rules import hours, phone, wording
from gateway.web import callers, language, problems
from gateway.web.problems import Problem

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
NEXT_SHOWN = 6


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Contact(Strict):
    name: str = Field(max_length=200)
    phone: str = Field(max_length=40)
    zalo_user_id: str | None = Field(None, max_length=40, pattern=r"^[0-9A-Za-z_-]+$")


class ApplicantAsked(Strict):
    name: str = Field(max_length=200)
    service: str = Field(max_length=20)
    relation: str = Field("", max_length=30, pattern=r"^[\w .,-]*$")
    birth_year: int | None = Field(None, ge=1900, le=2100)
    priority: bool = False


class RegistrationAsked(Strict):
    """The body of POST /api/v1/registrations."""

    contact: Contact
    applicants: list[ApplicantAsked] = Field(min_length=1, max_length=20)
    site: str | None = Field(None, max_length=20)
    date: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    shift: int | None = Field(None, ge=1, le=2**53)
    consent: bool
    language: str = Field("vi", pattern=r"^(vi|en)$")


CONSENT = wording.N_(
    "Tôi đồng ý để đơn vị dùng họ tên và số điện thoại này chỉ để cấp số, báo lịch và gọi số; "
    "tôi được những người thân có tên ở trên đồng ý."
)


def body() -> Any:
    """The JSON of this request, or a problem."""
    try:
        found = request.get_json(silent=True)
    except RecursionError:  # brackets nested without end
        found = None
    if found is None:
        raise Problem(400, "Nội dung không phải JSON hợp lệ. / The body is not valid JSON.")
    return found


def idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 1 <= len(key) <= presses.KEY_LENGTH:
        raise Problem(400, "Idempotency-Key dài 1–64 ký tự. / Idempotency-Key has 1–64 characters.")
    return key


def answered(answer: presses.Answer) -> Response:
    if answer == presses.CONFLICT:
        raise Problem(
            409,
            "Khoá này đã dùng cho một yêu cầu khác. / This Idempotency-Key was used for another request.",
        )
    if answer.status >= 400 and answer.body:
        return problems.document(answer.status, answer.body["detail"], answer.body.get("errors", ()))
    if answer.body is None:
        return Response(status=answer.status)
    shown = jsonify(answer.body)
    shown.status_code = answer.status
    return shown


def whole(text: str) -> int | None:
    """The number that a text of plain digits says, or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else None


def gate():
    return current_app.extensions["gateway"]


@blueprint.post("/registrations")
@callers.program("staff")
def register() -> Response:
    """Register people: 201 {"id", "manage_url", "applicants": [{"id", "state"}]}."""
    asked = RegistrationAsked.model_validate(body())
    wanted = _request(asked)
    here = gate()
    now = here.now()

    def act() -> presses.Answer:
        made = registrations.register(session, wanted, here.config, now)
        if isinstance(made, tuple):
            raise problems.from_faults(made)
        return presses.Answer(201, _registration(session, made))

    with database.writing(here.engine) as session:
        answer = presses.once(session, g.caller, idempotency_key(), asked.model_dump(), now, act)
    return answered(answer)


def _request(asked: RegistrationAsked) -> registrations.Request:
    faults: list[registrations.Fault] = []
    contact = registrations.clean_name(asked.contact.name, "/contact/name")
    people = [
        registrations.clean_name(one.name, f"/applicants/{place}/name")
        for place, one in enumerate(asked.applicants)
    ]
    number = phone.parse(asked.contact.phone)
    faults += [one for one in (contact, *people) if isinstance(one, registrations.Fault)]
    if isinstance(number, phone.PhoneFault):
        faults.append(registrations.Fault("/contact/phone", number.vietnamese, number.english))
    day = _day(asked.date, faults)
    if asked.shift is None and (asked.site is None or asked.date is None):
        faults.append(
            registrations.Fault("/shift", "Hãy chọn điểm và ngày.", "Give either shift, or site and date.")
        )
    if not asked.consent:
        faults.append(
            registrations.Fault("/consent", "Cần có sự đồng ý của người đăng ký.", "Consent is needed.")
        )
    if faults:
        raise problems.from_faults(faults)
    return registrations.Request(
        contact_name=contact,
        phone=number.e164,
        people=tuple(
            registrations.Person(name, one.service, one.relation, one.birth_year, one.priority)
            for name, one in zip(people, asked.applicants, strict=True)
        ),
        consent_text=language.catalogue(asked.language).gettext(CONSENT),
        site=asked.site,
        day=day,
        shift_id=asked.shift,
        zalo_user_id=asked.contact.zalo_user_id,
        language=asked.language,
        source="api",
    )


def _day(text: str | None, faults: list[registrations.Fault]) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        faults.append(registrations.Fault("/date", "Ngày không hợp lệ.", "There is no such date."))
        return None


def _registration(session: Session, made: tables.Registration) -> dict[str, Any]:
    return {
        "id": made.token,
        "manage_url": f"{gate().config.web.base_url}/r/{made.token}",
        "applicants": [
            {"id": one.id, "state": one.state, **_ticket_of(session, one)}
            for one in registrations.people_of(session, made)
        ],
    }


def _ticket_of(session: Session, person: tables.Applicant) -> dict[str, Any]:
    ticket = session.scalar(select(tables.Ticket).filter_by(applicant_id=person.id))
    if ticket is None:
        return {}
    return {"number": ticket.number, "url": f"{gate().config.web.base_url}/p/{ticket.token}"}


def _found(session: Session, token: str) -> tables.Registration:
    found = session.scalar(select(tables.Registration).filter_by(token=token))
    if found is None:
        raise Problem(404, "Không có đăng ký này. / There is no such registration.")
    return found


@blueprint.get("/registrations/<token>")
@callers.program("staff")
def registration(token: str) -> Response:
    """A registration as it stands."""
    with database.reading(gate().engine) as session:
        return jsonify(_registration(session, _found(session, token)))


@blueprint.post("/registrations/<token>/cancel")
@callers.program("staff")
def cancel(token: str) -> Response:
    """Cancel a registration's people who are not served yet; again changes nothing."""
    here = gate()
    with database.writing(here.engine) as session:
        found = _found(session, token)
        registrations.cancel(session, found, None, notices.policy(here.config), here.now(), g.caller)
        return jsonify(_registration(session, found))


class MoveAsked(Strict):
    shift: int = Field(ge=1, le=2**53)


@blueprint.post("/registrations/<token>/move")
@callers.program("staff")
def move(token: str) -> Response:
    """Move the people without a number to another shift."""
    asked, here = MoveAsked.model_validate(body()), gate()
    with database.writing(here.engine) as session:
        found = _found(session, token)
        moved = registrations.move(session, found, asked.shift, here.config, here.now())
        if isinstance(moved, registrations.Fault):
            raise problems.from_faults([moved])
        return jsonify(_registration(session, found))


@blueprint.get("/sites")
@callers.program("staff")
def sites() -> Response:
    """The sites: [{"code", "name", "address"}]."""
    with database.reading(gate().engine) as session:
        found = session.scalars(select(tables.Site).filter_by(active=True).order_by(tables.Site.code))
        return jsonify({"sites": [{"code": s.code, "name": s.name, "address": s.address} for s in found]})


@blueprint.get("/shifts")
@callers.program("staff")
def shifts() -> Response:
    """The open shifts of a site between two days, with places left."""
    here = gate()
    wanted = select(tables.Shift, tables.Site.code).join(tables.Site, tables.Site.id == tables.Shift.site_id)
    wanted = wanted.where(tables.Shift.state == "open", tables.Shift.closes_at > here.now())
    if request.args.get("site"):
        wanted = wanted.where(tables.Site.code == request.args["site"])
    faults: list[registrations.Fault] = []
    first, last = (_day(request.args.get(name), faults) for name in ("from", "to"))
    if faults:
        raise problems.from_faults(faults)
    if first:
        wanted = wanted.where(tables.Shift.day >= first)
    if last:
        wanted = wanted.where(tables.Shift.day <= last)
    with database.reading(here.engine) as session:
        found = session.execute(wanted.order_by(tables.Shift.opens_at).limit(200)).all()
        return jsonify({"shifts": [_shift(session, shift, site) for shift, site in found]})


def _shift(session: Session, shift: tables.Shift, site: str) -> dict[str, Any]:
    here = gate()
    zone = here.config.station.zone
    return {
        "id": shift.id,
        "site": site,
        "date": shift.day.isoformat(),
        "opens_at": hours.rfc3339(shift.opens_at, zone),
        "closes_at": hours.rfc3339(shift.closes_at, zone),
        "places_left": sum(registrations.seats_left(session, shift, here.config, here.now()).values()),
        "numbered": shift.numbered_at is not None,
    }


def site_of(code: str) -> tables.Site:
    """The active site with this code, or a 404."""
    with database.reading(gate().engine) as session:
        found = session.scalar(select(tables.Site).filter_by(code=code, active=True))
    if found is None:
        raise Problem(404, "Không có điểm làm thủ tục này. / There is no such site.")
    return found


@blueprint.get("/sites/<code>/queue")
@callers.program("staff")
def line_up(code: str) -> Response:
    """The queue with the reason of every place; numbers only, no names."""
    seen = gate().hub.snapshot(site_of(code).id)
    return jsonify(
        {
            "version": seen.version,
            "waiting": [standing(one) for one in seen.waiting],
            "called": board_of(seen)["called"],
        }
    )


def standing(one: queue.Standing) -> dict[str, Any]:
    """A present person's place as JSON."""
    zone = gate().config.station.zone
    return {
        "number": one.number,
        "source": one.source,
        "priority": one.priority,
        "slot": hours.rfc3339(one.slot_at, zone) if one.slot_at else None,
        "ahead": one.ahead,
        "eta": [hours.rfc3339(at, zone) for at in one.eta] if one.eta else None,
        "why": {tongue: language.catalogue(tongue).gettext(wording.WHY[one.why]) for tongue in ("vi", "en")},
    }


def board_of(seen: queue.Snapshot) -> dict[str, Any]:
    """What the public display shows; the data of the stream's `queue` events."""
    zone = gate().config.station.zone
    return {
        "version": seen.version,
        "waiting": len(seen.waiting),
        "called": [
            {
                "number": one.number,
                "counter": one.counter,
                "at": hours.rfc3339(one.called_at, zone),
                "calls": one.calls,
                "state": one.state,
            }
            for one in seen.called
        ],
        "desks": [{"label": one.label, "number": one.number, "state": one.state} for one in seen.desks],
        "next": [one.number for one in seen.waiting[:NEXT_SHOWN]],
    }


@blueprint.get("/sites/<code>/stream")
@callers.everybody
def stream(code: str) -> Response:
    """Server-sent events: `queue` with the board's data at every change; resumes by Last-Event-ID."""
    here, site = gate(), site_of(code)
    last = whole(request.headers.get("Last-Event-ID", ""))
    pages = current_app.app_context()
    if not here.hub.admit():
        raise Problem(
            503, "Quá nhiều người đang xem. Trang tự thử lại. / Too many are watching. Try again soon."
        )

    def events() -> Iterator[str]:
        yield "retry: 1000\n\n"
        for version in here.hub.versions(site.id, -1 if last is None else last):
            if version is None:
                yield ": still here\n\n"
                continue
            with pages:
                data = json.dumps(board_of(here.hub.snapshot(site.id)), ensure_ascii=False)
            yield f"id: {version}\nevent: queue\ndata: {data}\n\n"

    answer = Response(events(), mimetype="text/event-stream")
    answer.call_on_close(here.hub.leave)
    answer.headers["Cache-Control"] = "no-cache"
    answer.headers["X-Accel-Buffering"] = "no"
    return answer
