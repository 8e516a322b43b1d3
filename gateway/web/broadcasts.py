"""Telling everybody of a round: written, looked at, confirmed with the number of people, followed, withdrawn."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Blueprint, Response, abort, flash, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import broadcasts, database, followers, tables
from gateway.broadcasts import Outcome, State
from gateway.rules import hours
from gateway.web import api, callers, language, rounds
from gateway.web.delivery import drawn

blueprint = Blueprint("broadcasts", __name__, url_prefix="/admin/broadcasts")


def words(tongue: str, text: str) -> str:
    return language.catalogue(tongue).gettext(text)


@blueprint.get("")
@callers.staff("officer", program=False)
def overview() -> str:
    """What was told to many, newest first."""
    with database.reading(api.gate().engine) as session:
        return render_template("broadcasts.html", rows=broadcasts.newest(session))


@blueprint.get("/new")
@callers.staff("officer", program=False)
def blank() -> str:
    """An empty form."""
    return _form(rounds.blank(), {}, None)


@blueprint.post("/new")
@callers.staff("officer", program=False)
def create() -> Response | tuple[str, int]:
    """Keep a draft and show what it would be; with mistakes nothing is kept."""
    return _kept(None)


@blueprint.get("/<int:broadcast_id>/edit")
@callers.staff("officer", program=False)
def edit(broadcast_id: int) -> str:
    """The form as it was filled in."""
    with database.reading(api.gate().engine) as session:
        row = _found(session, broadcast_id)
    if row.state != State.DRAFT:
        abort(404)
    return _form(rounds.filled(row, api.gate().config.station.zone), {}, row)


@blueprint.post("/<int:broadcast_id>/edit")
@callers.staff("officer", program=False)
def change(broadcast_id: int) -> Response | tuple[str, int]:
    """Keep a draft's new words."""
    with database.reading(api.gate().engine) as session:
        _found(session, broadcast_id)
    return _kept(broadcast_id)


def _kept(broadcast_id: int | None) -> Response | tuple[str, int]:
    here, typed = api.gate(), rounds.typed(request.form)
    with database.writing(here.engine) as session:
        known = rounds.Known([one.code for one in _sites(session)], [tag for tag, _n in _tags(session)])
        draft = rounds.read(typed, known, here.config, here.now())
        row = None
        if isinstance(draft, broadcasts.Draft):
            row = broadcasts.write(session, draft, g.caller, here.now(), broadcast_id)
    if not isinstance(draft, broadcasts.Draft):
        return _form(typed, draft, _row(broadcast_id)), 422
    if row is None:
        flash(_("Đợt báo này không còn là bản nháp; chưa có gì thay đổi."), "warn")
    return redirect(url_for("broadcasts.show", broadcast_id=row.id if row else broadcast_id), 303)


def _row(broadcast_id: int | None) -> tables.Broadcast | None:
    if broadcast_id is None:
        return None
    with database.reading(api.gate().engine) as session:
        return session.get(tables.Broadcast, broadcast_id)


def _form(typed: rounds.Typed, mistakes: rounds.Mistakes, row: tables.Broadcast | None) -> str:
    with database.reading(api.gate().engine) as session:
        return render_template(
            "broadcasts_form.html",
            typed=typed,
            mistakes=mistakes,
            row=row,
            sites=_sites(session),
            tags=_tags(session),
            states=broadcasts.STATES,
            today=api.gate().hub.today(),
        )


def _sites(session: Session) -> Sequence[tables.Site]:
    return session.scalars(select(tables.Site).order_by(tables.Site.code)).all()


def _tags(session: Session) -> Sequence[tuple[str, int]]:
    return [(tag, count) for tag, count in followers.tag_counts(session) if tag != followers.NO_NEWS]


def _found(session: Session, broadcast_id: int) -> tables.Broadcast:
    row = session.get(tables.Broadcast, broadcast_id)
    if row is None:
        abort(404)
    return row


@blueprint.get("/<int:broadcast_id>")
@callers.staff("officer", program=False)
def show(broadcast_id: int) -> str:
    """A draft: what it would be. A sent one: how far it is."""
    here = api.gate()
    with database.reading(here.engine) as session:
        row = _found(session, broadcast_id)
        if row.sent_at is not None:
            day = hours.day_of(row.sent_at, here.config.station.zone)
            return render_template("broadcasts_sent.html", row=row, day=day, live=_live(session, row))
        found = broadcasts.preview(session, row, here.config, words, here.now())
        return _preview(session, row, found)


def _preview(session: Session, row: tables.Broadcast, found: broadcasts.Preview, mistake: str = "") -> str:
    return render_template(
        "broadcasts_preview.html",
        row=row,
        found=found,
        audience=broadcasts.kept(row.audience),
        sites={one.code: one for one in _sites(session)},
        mistake=mistake,
        most=broadcasts.MOST_PEOPLE,
    )


def _live(session: Session, row: tables.Broadcast) -> dict[str, object]:
    here = api.gate()
    return drawn(broadcasts.progress(session, row, here.config, here.now()), here.now())


@blueprint.get("/<int:broadcast_id>/progress")
@callers.staff("officer", program=False)
def progress(broadcast_id: int) -> Response:
    """What the page's script draws every two seconds."""
    with database.reading(api.gate().engine) as session:
        row = _found(session, broadcast_id)
        if row.sent_at is None:
            abort(404)
        return jsonify(_live(session, row))


@blueprint.post("/<int:broadcast_id>/send")
@callers.staff("officer", program=False)
def send(broadcast_id: int) -> Response | tuple[str, int]:
    """Tell everybody who was looked at. Whoever presses must have typed how many they are."""
    here, mark = api.gate(), request.form.get("mark", "")[:64]
    with database.writing(here.engine) as session:
        row = _found(session, broadcast_id)
        outcome, found = broadcasts.send(
            session, broadcast_id, mark, _typed_people(), here.config, words, g.caller, here.now()
        )
        if found is not None and outcome is not Outcome.SENT:
            status = 422 if outcome is Outcome.MISCOUNTED else 409
            return _preview(session, row, found, _why_not(outcome)), status
    if outcome is Outcome.SENT and found is not None:
        told = ngettext("Đã lập tin cho %(num)d người.", "Đã lập tin cho %(num)d người.", found.people)
        flash(told, "go")
    else:
        flash(_why_not(outcome), "warn")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id), 303)


def _typed_people() -> int | None:
    """The number of people as it was typed, "1.250" and "1,250" too."""
    return api.whole(re.sub(r"[\s.,]", "", request.form.get("people", "")[:20]))


def _why_not(outcome: Outcome) -> str:
    return {
        Outcome.ALREADY: _("Đợt báo này đã được gửi trước đó; không gửi lần thứ hai."),
        Outcome.CHANGED: _(
            "Danh sách hoặc nội dung vừa thay đổi; chưa gửi cho ai. Hãy xem lại rồi xác nhận."
        ),
        Outcome.LATE: _("Không còn kịp báo trước ngày này; chưa gửi cho ai."),
        Outcome.EMPTY: _("Không có ai để báo; chưa gửi cho ai."),
        Outcome.NO_DRAFT: _("Đợt báo này không còn là bản nháp; chưa gửi cho ai."),
        Outcome.MISCOUNTED: _(
            "Số người đã gõ không đúng; chưa gửi cho ai. Hãy gõ đúng số người sẽ nhận tin."
        ),
        Outcome.SENT: "",
    }[outcome]


@blueprint.post("/<int:broadcast_id>/cancel")
@callers.staff("officer", program=False)
def cancel(broadcast_id: int) -> Response:
    """Throw a draft away, or withdraw what a sent one has not told yet; the engine writes in between."""
    here = api.gate()
    with database.writing(here.engine) as session:
        _found(session, broadcast_id)
        gone = broadcasts.discard(session, broadcast_id, g.caller, here.now())
    if gone:
        flash(_("Đã bỏ bản nháp; chưa gửi cho ai."), "go")
        return redirect(url_for("broadcasts.overview"), 303)
    done = _withdraw(broadcast_id)
    told = ngettext(
        "Đã rút lại %(num)d tin; tin đã chuyển đi vẫn có thể đến.",
        "Đã rút lại %(num)d tin; tin đã chuyển đi vẫn có thể đến.",
        done,
    )
    flash(told if done else _("Không còn tin nào để rút lại."), "go" if done else "warn")
    return redirect(url_for("broadcasts.show", broadcast_id=broadcast_id), 303)


def _withdraw(broadcast_id: int) -> int:
    here, done = api.gate(), 0
    for _turn in range(2 * broadcasts.MOST_PEOPLE // broadcasts.AT_ONCE):
        with database.writing(here.engine) as session:
            some = broadcasts.withdraw(session, broadcast_id, here.config, g.caller, here.now())
        done += some
        if not some:
            break
    return done


def round_state(state: str) -> str:
    """Where a round stands."""
    return {"draft": _("bản nháp"), "sent": _("đã gửi"), "cancelled": _("đã huỷ")}.get(state, state)


def person_state(state: str) -> str:
    """Whom a round is told, by where their matter stands."""
    return {
        "registered": _("đã đăng ký, chưa có số"),
        "numbered": _("đã có số"),
        "served": _("đã làm xong"),
        "no_show": _("vắng mặt"),
    }.get(state, state)


for _shown in (round_state, person_state):
    blueprint.add_app_template_filter(_shown)
