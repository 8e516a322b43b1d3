"""HTTP for staff: what counters do. Session cookie with the page's token, or bearer with a staff key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, Response, current_app, g, jsonify
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import calls, database, presses, queue, registrations, tables
from gateway.rules import hours, phone
from gateway.web import api, callers
from gateway.web.problems import Problem, from_faults

blueprint = Blueprint("counters", __name__, url_prefix="/api/v1")
QUEUE_SHOWN = 12
Act = Callable[[Session, int, date, int, str], Any]


@blueprint.get("/sites/<code>/counters")
@callers.staff()
def counters(code: str) -> Response:
    """The counters of a site and who is at them."""
    seen = api.gate().hub.snapshot(api.site_of(code).id)
    return jsonify(
        {
            "counters": [
                {"id": one.id, "label": one.label, "state": one.state, "number": one.number}
                for one in seen.desks
            ]
        }
    )


@blueprint.get("/counters/<int:counter_id>")
@callers.staff()
def counter(counter_id: int) -> Response:
    """A counter, who is at it and who is next."""
    here = api.gate()
    with database.reading(here.engine) as session:
        found = _counter(session, counter_id)
        seen = here.hub.snapshot(found.site_id)
        serves = set(
            session.scalars(select(tables.CounterService.service_id).filter_by(counter_id=counter_id))
        )
        mine = [
            one
            for one in seen.waiting
            if one.service_id in serves and one.only_counter_id in (None, counter_id)
        ]
        return jsonify(
            {
                "version": seen.version,
                "counter": _about(session, found),
                "current": _current(session, counter_id),
                "waiting": len(mine),
                "queue": [_row(session, one) for one in mine[:QUEUE_SHOWN]],
            }
        )


def _counter(session: Session, counter_id: int) -> tables.Counter:
    found = session.get(tables.Counter, counter_id)
    if found is None:
        raise Problem(404, "Không có quầy này. / There is no such counter.")
    return found


def _about(session: Session, counter: tables.Counter) -> dict[str, Any]:
    site = session.get_one(tables.Site, counter.site_id)
    return {"id": counter.id, "label": counter.label, "state": counter.state, "site": site.code}


def _row(session: Session, one: queue.Standing) -> dict[str, Any]:
    return {**api.standing(one), "service": _service(session, one.service_id)}


def _service(session: Session, service_id: int) -> dict[str, str]:
    service = session.get_one(tables.Service, service_id)
    return {"code": service.code, "vi": service.name, "en": service.name_en}


def _current(session: Session, counter_id: int) -> dict[str, Any] | None:
    here = select(tables.Ticket).filter_by(counter_id=counter_id, day=api.gate().hub.today())
    ticket = session.scalar(here.where(tables.Ticket.state.in_(("called", "serving"))))
    return shown(session, ticket) if ticket else None


def shown(session: Session, ticket: tables.Ticket) -> dict[str, Any]:
    """A ticket as staff see it."""
    zone = api.gate().config.station.zone
    person = session.get(tables.Applicant, ticket.applicant_id) if ticket.applicant_id else None
    return {
        "id": ticket.id,
        "number": ticket.number,
        "service": _service(session, ticket.service_id),
        "name": person.name if person else None,
        "state": ticket.state,
        "source": ticket.source,
        "priority": ticket.priority,
        "slot": hours.rfc3339(ticket.slot_at, zone) if ticket.slot_at else None,
        "calls": ticket.calls,
        "called_at": hours.rfc3339(ticket.called_at, zone) if ticket.called_at else None,
    }


def _pressed(counter_id: int, verb: str, act: Act, asked: Any = None) -> Response:
    """Do a counter's verb once for this Idempotency-Key."""
    here = api.gate()
    now, day = here.now(), here.hub.today()

    def done() -> presses.Answer:
        _counter(session, counter_id)
        outcome = act(session, counter_id, day, now, g.caller)
        if isinstance(outcome, queue.Refusal):
            return presses.Answer(409, {"detail": f"{outcome.vi} / {outcome.en}"})
        if outcome is None:
            return presses.Answer(204, None)
        if isinstance(outcome, tables.Counter):
            return presses.Answer(200, _about(session, outcome))
        return presses.Answer(200, shown(session, outcome))

    with database.writing(here.engine) as session:
        press = [verb, counter_id, asked]
        answer = presses.once(session, g.caller, api.idempotency_key(), press, now, done)
    return api.answered(answer)


@blueprint.post("/counters/<int:counter_id>/next")
@callers.staff()
def next_(counter_id: int) -> Response:
    """Finish who is here and call the next: 200 the ticket, 204 if nobody waits."""
    return _pressed(counter_id, "next", calls.call_next(api.gate().config))


@blueprint.post("/counters/<int:counter_id>/recall")
@callers.staff()
def recall(counter_id: int) -> Response:
    """Call the person once more."""
    return _pressed(counter_id, "recall", calls.recall(api.gate().config))


@blueprint.post("/counters/<int:counter_id>/start")
@callers.staff()
def start(counter_id: int) -> Response:
    """The person is here and is being served."""
    return _pressed(counter_id, "start", queue.start)


@blueprint.post("/counters/<int:counter_id>/finish")
@callers.staff()
def finish(counter_id: int) -> Response:
    """The person is done."""
    return _pressed(counter_id, "finish", queue.finish)


@blueprint.post("/counters/<int:counter_id>/no-show")
@callers.staff()
def no_show(counter_id: int) -> Response:
    """The person did not come."""
    return _pressed(counter_id, "no-show", calls.no_show(api.gate().config))


@blueprint.post("/counters/<int:counter_id>/pause")
@callers.staff()
def pause(counter_id: int) -> Response:
    """Call nobody until resumed."""
    return _pressed(counter_id, "pause", queue.pause)


@blueprint.post("/counters/<int:counter_id>/resume")
@callers.staff()
def resume(counter_id: int) -> Response:
    """Call people again."""
    return _pressed(counter_id, "resume", queue.resume)


class TransferAsked(api.Strict):
    service: str | None = Field(None, max_length=20)
    counter: int | None = Field(None, ge=1, le=2**53)


@blueprint.post("/counters/<int:counter_id>/transfer")
@callers.staff()
def transfer(counter_id: int) -> Response:
    """Send the person on: to whoever serves another service, or to one counter."""
    asked = TransferAsked.model_validate(api.body())

    def act(session: Session, here: int, day: date, now: int, by: str) -> Any:
        service = session.scalar(select(tables.Service).filter_by(code=asked.service, active=True))
        return queue.transfer(session, here, day, service.id if service else None, asked.counter, now, by)

    return _pressed(counter_id, "transfer", act, asked.model_dump())


class DeskAsked(api.Strict):
    service: str = Field(max_length=20)
    priority: bool = False
    phone: str | None = Field(None, max_length=40)


@blueprint.post("/sites/<code>/tickets")
@callers.staff()
def desk_ticket(code: str) -> Response:
    """A walk-in taken at the desk: 201 {"id", "number", "url", "ahead", "eta"}."""
    asked, site, here = DeskAsked.model_validate(api.body()), api.site_of(code), api.gate()
    number = phone.parse(asked.phone) if asked.phone else None
    if isinstance(number, phone.PhoneFault):
        raise from_faults([registrations.Fault("/phone", number.vietnamese, number.english)])
    now, day = here.now(), here.hub.today()

    def act() -> presses.Answer:
        service = session.scalar(select(tables.Service).filter_by(code=asked.service, active=True))
        if service is None:
            raise from_faults(
                [registrations.Fault("/service", "Không có thủ tục này.", "There is no such service.")]
            )
        person = queue.WalkIn(site.id, day, service.id, now, asked.priority, number.e164 if number else None)
        ticket = queue.admit(session, person, here.config.policy, now, g.caller)
        seen = queue.snapshot(session, site.id, day, now).standing(ticket.id)
        place = api.standing(seen)
        return presses.Answer(
            201,
            {
                "id": ticket.id,
                "number": ticket.number,
                "url": f"{here.config.web.base_url}/p/{ticket.token}",
                "ahead": place["ahead"],
                "eta": place["eta"],
            },
        )

    with database.writing(here.engine) as session:
        press = ["desk", code, asked.model_dump()]
        answer = presses.once(session, g.caller, api.idempotency_key(), press, now, act)
    return api.answered(answer)


class CheckInAsked(api.Strict):
    code: str = Field(min_length=1, max_length=200)
    site: str | None = Field(None, max_length=20)


@blueprint.post("/check-in")
@callers.staff()
def check_in() -> Response:
    """A booked (or missed) person has arrived; `code` is the number, or what the QR code says."""
    asked, here = CheckInAsked.model_validate(api.body()), api.gate()
    if any(not char.isprintable() for char in asked.code):
        raise Problem(422, "Mã không hợp lệ. / The code is not valid.")
    site_ids = _sites(asked.site)
    with database.writing(here.engine) as session:
        outcome = calls.arrive(
            session, site_ids, here.hub.today(), asked.code, here.config, here.now(), g.caller
        )
        if isinstance(outcome, queue.Refusal):
            raise Problem(409, f"{outcome.vi} / {outcome.en}")
        return jsonify(shown(session, outcome))


def _sites(code: str | None) -> list[int]:
    if code is not None:
        return [api.site_of(code).id]
    with database.reading(current_app.extensions["gateway"].engine) as session:
        return list(session.scalars(select(tables.Site.id).filter_by(active=True)))
