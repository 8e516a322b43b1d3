"""What citizens see: the start page, the registration form, their registration, their own number."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import segno
from flask import (
    Blueprint,
    Response,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import chat, database, notices, queue, registrations, tables
from gateway.web import api, callers, dates, forms, language, place
from gateway.web.app import limiter

blueprint = Blueprint("citizen", __name__)
dates.teach(blueprint)
DAYS_SHOWN = 60  # shifts on the form; more would be a page to scroll through, not to choose from


@dataclass(frozen=True)
class Today:
    """A site's day for the start page. `hours`: today's shifts; `later`: the next open one after them."""

    site: tables.Site
    open: bool
    hours: tuple[tuple[int, int], ...]
    waiting: int
    later: tables.Shift | None


@dataclass(frozen=True)
class Choice:
    """A day to book at a site: its opening hours and the places left."""

    value: str
    day: date
    opens_at: int
    closes_at: int
    left: int


@dataclass(frozen=True)
class Member:
    """One person of a registration; `number` and `token` once the numbers are given."""

    id: int
    name: str
    service: str
    slot: str
    number: str | None
    token: str | None
    state: str
    may_cancel: bool


@blueprint.app_context_processor
def _surroundings() -> dict[str, object]:
    config = api.gate().config
    english = dates.tongue() == "en"
    return {
        "lang": dates.tongue(),
        "languages": config.station.languages,
        "station": config.station.name_en if english else config.station.name,
        "switched": _switched,
        "sandbox_on": config.sandbox.on,
    }


def _switched(language: str) -> str:
    """This page in another language; a page that answers a form goes back to the empty one."""
    return f"{request.path}?{'&'.join([*_kept(), f'lang={language}'])}"


def _kept() -> list[str]:
    site, token = request.args.get("site", ""), _link_token()
    kept = [f"site={site}"] if site.isalnum() else []
    return [*kept, f"t={token}"] if token else kept


def _link_token() -> str:
    """The signed link that this form was opened with; empty for none, or for what cannot be one."""
    token = request.values.get("t", "")
    return token if re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", token) else ""


@blueprint.get("/")
@callers.everybody
def start() -> str:
    """What this is, the sites, today's state."""
    with database.reading(api.gate().engine) as session:
        sites = session.scalars(select(tables.Site).filter_by(active=True).order_by(tables.Site.code)).all()
        return render_template("start.html", sites=[_today(session, site) for site in sites])


def _today(session: Session, site: tables.Site) -> Today:
    here = api.gate()
    now, day = here.now(), here.hub.today()
    shifts = session.scalars(
        select(tables.Shift)
        .filter_by(site_id=site.id, state="open")
        .where(tables.Shift.day >= day, tables.Shift.closes_at > now)
        .order_by(tables.Shift.opens_at)
        .limit(20)
    ).all()
    return Today(
        site,
        any(shift.opens_at <= now for shift in shifts),
        tuple((shift.opens_at, shift.closes_at) for shift in shifts if shift.day == day),
        len(here.hub.snapshot(site.id).waiting),
        next((shift for shift in shifts if shift.day > day), None),
    )


@blueprint.route("/dang-ky", methods=["GET", "POST"])
@limiter.limit("20/minute", methods=["POST"])
@callers.everybody
def register() -> Response | tuple[str, int]:
    """The form; what was typed stays when something is wrong, and nothing is stored then."""
    form = forms.RegistrationForm()
    with database.reading(api.gate().engine) as session:
        services = [(row.code, dates.named(row)) for row in _services(session)]
        choices = _choices(session)
        link = _opened_link(session)
    forms.offer(form, services)
    mistakes: forms.Mistakes = {}
    if request.method == "POST":
        filled = forms.read(form, services)
        made = _register(filled) if isinstance(filled, forms.Filled) else filled
        if isinstance(made, tables.Registration):
            flash(_("Đã đăng ký xong."), "go")
            return redirect(url_for("citizen.manage", token=made.token), 303)
        mistakes = made
        link = chat.Opened("used") if forms.SPENT in mistakes else link
    elif link is not None:
        forms.begin(form, link)
    page = render_template(
        "register.html",
        form=form,
        choices=choices,
        mistakes=mistakes,
        consent=_(api.CONSENT),
        wish=_wish(form),
        link=link,
        token=_link_token() if link is not None and link.state == "good" else "",
    )
    answer = make_response(page, 422 if mistakes else 200)
    if link is not None:  # a name and a phone stand in it
        answer.headers["Cache-Control"] = "no-store"
    return answer


def _opened_link(session: Session) -> chat.Opened | None:
    """The link from Zalo that brought the person here, as it stands; None where they came by themselves."""
    if not request.values.get("t"):
        return None
    here = api.gate()
    return chat.opened_link(session, here.config, _link_token(), here.now())


def _wish(form: forms.RegistrationForm) -> str:
    """The site whose days are laid open: the one chosen, or the one whose link was followed."""
    return (form.when.data or "").partition(" ")[0] or request.args.get("site", "")


def _services(session: Session) -> Sequence[tables.Service]:
    return session.scalars(
        select(tables.Service).filter_by(active=True).order_by(tables.Service.position)
    ).all()


def _choices(session: Session) -> list[tuple[tables.Site, list[Choice]]]:
    """Each site with the days that are open there; a day that is full says so."""
    here = api.gate()
    rows = session.execute(
        select(tables.Site, tables.Shift)
        .join(tables.Shift, tables.Shift.site_id == tables.Site.id)
        .where(tables.Site.active, tables.Shift.state == "open", tables.Shift.closes_at > here.now())
        .order_by(tables.Site.code, tables.Shift.opens_at)
        .limit(DAYS_SHOWN)
    )
    found: dict[str, tuple[tables.Site, dict[str, Choice]]] = {}
    for site, shift in rows.all():
        _, days = found.setdefault(site.code, (site, {}))
        left = sum(registrations.seats_left(session, shift, here.config, here.now()).values())
        value = f"{site.code} {shift.day.isoformat()}"
        earlier = days.get(value)
        days[value] = Choice(
            value,
            shift.day,
            earlier.opens_at if earlier else shift.opens_at,
            shift.closes_at,
            left + (earlier.left if earlier else 0),
        )
    return [(site, list(days.values())) for site, days in found.values()]


def _register(filled: forms.Filled) -> tables.Registration | forms.Mistakes:
    """Register; with a good link for the Zalo user whose it is, once."""
    here = api.gate()
    now, token = here.now(), _link_token()
    with database.writing(here.engine) as session:
        # The person is locked before any day is: the chat takes its locks in the same order
        link = chat.held(session, here.config, token, now) if token else None
        if link == "used":
            return _made_before(session, token, filled) or {forms.SPENT: _("Liên kết này đã được dùng.")}
        bound = link if isinstance(link, tables.ZaloLink) else None
        made = registrations.register(session, _asked(filled, bound), here.config, now)
        if not isinstance(made, tables.Registration):
            return forms.placed(made, filled)
        if bound is not None:
            chat.registered(session, here.config, _words, bound, made, now)
        return made


def _words(tongue: str, text: str) -> str:
    return language.catalogue(tongue).gettext(text)


def _asked(filled: forms.Filled, link: tables.ZaloLink | None) -> registrations.Request:
    return registrations.Request(
        contact_name=filled.contact_name,
        phone=filled.phone,
        people=filled.people,
        consent_text=_(api.CONSENT),
        site=filled.site,
        day=filled.day,
        language=dates.tongue(),
        zalo_user_id=link.user_id if link else None,
        source="zalo" if link else "web",
    )


def _made_before(session: Session, token: str, filled: forms.Filled) -> tables.Registration | None:
    """The registration that this link made, if the very same was sent twice."""
    made = chat.made_with(session, api.gate().config, token)
    if made is None or made.phone != filled.phone:
        return None
    names = [one.name for one in registrations.people_of(session, made)]
    return made if names == [one.name for one in filled.people] else None


@blueprint.get("/r/<token>")
@callers.everybody
def manage(token: str) -> str | tuple[str, int]:
    """A registration: its people, their hour or number, and giving it up."""
    with database.reading(api.gate().engine) as session:
        found = _registration(session, token)
        if found is None:
            return render_template("unknown.html"), 404
        shift = session.get_one(tables.Shift, found.shift_id)
        return render_template(
            "manage.html",
            registration=found,
            members=[_member(session, one) for one in registrations.people_of(session, found)],
            site=session.get_one(tables.Site, shift.site_id),
            shift=shift,
            number_at=api.gate().config.timetable.number_at.strftime("%H:%M"),
        )


def _registration(session: Session, token: str) -> tables.Registration | None:
    return session.scalar(select(tables.Registration).filter_by(token=token)) if len(token) <= 32 else None


def _member(session: Session, person: tables.Applicant) -> Member:
    ticket = session.scalar(select(tables.Ticket).filter_by(applicant_id=person.id))
    state = ticket.state if ticket else person.state
    return Member(
        person.id,
        person.name,
        dates.named(session.get_one(tables.Service, person.service_id)),
        place.hour_of(person.slot_at),
        ticket.number if ticket else None,
        ticket.token if ticket else None,
        state,
        state == "registered" or state in registrations.GIVES_UP,
    )


@blueprint.post("/r/<token>/cancel")
@limiter.limit("20/minute")
@callers.everybody
def give_up(token: str) -> Response | tuple[str, int]:
    """Cancel the named people of a registration, or with `all` everybody who is not served yet."""
    here = api.gate()
    named = [api.whole(text) for text in request.form.getlist("applicant")[: forms.ROWS]]
    ids = [one for one in named if one is not None]
    everybody = None if request.form.get("all") else ids
    with database.writing(here.engine) as session:
        found = _registration(session, token)
        if found is None:
            return render_template("unknown.html"), 404
        policy = notices.policy(here.config)
        gone = registrations.cancel(session, found, everybody, policy, here.now(), "citizen")
    flash(*_cancelled(gone))
    return redirect(url_for("citizen.manage", token=token), 303)


def _cancelled(gone: int) -> tuple[str, str]:
    if gone:
        return _("Đã huỷ. Chỗ này được nhường cho người khác."), "go"
    return _("Không huỷ được nữa: số đã được gọi hoặc đã xong."), "warn"


@blueprint.get("/p/<token>")
@callers.everybody
def person(token: str) -> str | tuple[str, int]:
    """A person's own page, live."""
    with database.reading(api.gate().engine) as session:
        ticket = place.found(session, token)
        if ticket is None:  # a kiosk without a link prints numbers that the gateway hears of later
            return render_template("unknown.html", ticket=True), 404
        shown, fixed = place.read(session, ticket), place.fixed(session, ticket)
        return render_template("person.html", token=token, place=shown, fixed=fixed)


@blueprint.get("/p/<token>.json")
@callers.everybody
def person_json(token: str) -> Response | tuple[Response, int]:
    """What changes on a person's page; 304 while nothing did."""
    with database.reading(api.gate().engine) as session:
        ticket = place.found(session, token)
        if ticket is None:
            return jsonify({"state": "unknown"}), 404
        answer = jsonify(dataclasses.asdict(place.read(session, ticket)))
    answer.add_etag()
    answer.headers["Cache-Control"] = "no-cache, private"
    answer.headers["Vary"] = "Cookie"
    return answer.make_conditional(request)


@blueprint.get("/p/<token>.svg")
@callers.everybody
def person_qr(token: str) -> Response:
    """The address of a person's page as a QR code, for the check-in desk's scanner."""
    picture = io.BytesIO()
    segno.make(f"{api.gate().config.web.base_url}/p/{token[:32]}", error="m", micro=False).save(
        picture, kind="svg", scale=8, border=2, dark="#16202e", light="#ffffff"
    )
    answer = Response(picture.getvalue(), mimetype="image/svg+xml")
    answer.headers["Cache-Control"] = "private, max-age=86400"
    return answer


@blueprint.post("/p/<token>/cancel")
@limiter.limit("20/minute")
@callers.everybody
def cancel_ticket(token: str) -> Response | tuple[str, int]:
    """A person gives their number up; again changes nothing."""
    with database.writing(api.gate().engine) as session:
        ticket = place.found(session, token)
        if ticket is None:
            return render_template("unknown.html", ticket=True), 404
        gone = _cancel(session, ticket) if ticket.state in registrations.GIVES_UP else 0
    flash(*_cancelled(gone))
    return redirect(url_for("citizen.person", token=token), 303)


def _cancel(session: Session, ticket: tables.Ticket) -> int:
    here = api.gate()
    policy, now = notices.policy(here.config), here.now()
    if ticket.applicant_id is not None:
        applicant = session.get_one(tables.Applicant, ticket.applicant_id)
        registration = session.get_one(tables.Registration, applicant.registration_id)
        return registrations.cancel(session, registration, [applicant.id], policy, now, "citizen")
    if queue.cancel(session, ticket.id, now, "citizen") is None:
        return 0
    notices.cancel_for_ticket(session, ticket.id, now, policy)
    return 1
