"""Finding one person's notices by phone, number or notice. A phone never stands in an address."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from gateway import access, database, delivery, notices, tables
from gateway.rules import phone
from gateway.web import api, callers, dates

blueprint = Blueprint("search", __name__, url_prefix="/admin/delivery")
LONGEST = 60


@blueprint.route("/search", methods=["GET", "POST"])
@callers.staff("officer", program=False)
def find() -> Response | str:
    """A phone in any spelling, a number, or the id of a notice."""
    asked = request.form.get("q", "").strip()[:LONGEST]
    if request.method == "GET" or not asked:
        return _page()
    if asked.startswith("n_"):
        return _by_notice(asked)
    number = phone.parse(asked)
    if isinstance(number, phone.Phone):
        return _by_phone(number)
    here = api.gate()
    with database.reading(here.engine) as session:
        found = delivery.find_by_number(session, asked, here.hub.today())
    if found:
        return _page(asked=asked, found=found)
    if len([char for char in asked if char.isdigit()]) > 5:
        return _page(asked=asked, mistake=number.english if dates.tongue() == "en" else number.vietnamese)
    return _page(asked=asked, mistake=_("Không tìm thấy số này trong 14 ngày qua và 31 ngày tới."))


def _by_notice(notice_id: str) -> Response | str:
    with database.reading(api.gate().engine) as session:
        known = session.get(tables.Notice, notice_id[:36]) is not None
    if not known:
        return _page(asked=notice_id, mistake=_("Không có tin báo này."))
    return redirect(url_for("search.person", notice_id=notice_id[:36]), 303)


def _by_phone(number: phone.Phone) -> Response | str:
    here = api.gate()
    with database.writing(here.engine) as session:
        access.audit(session, here.now(), g.caller, "phone.search")
        newest = delivery.newest_of(session, number.e164)
        spared = delivery.spared(session, number.e164, here.config, here.now())
    if newest is not None:
        return redirect(url_for("search.person", notice_id=newest), 303)
    mistake = _("Chưa có tin báo nào cho số điện thoại này.")
    return _page(asked=number.national, mistake=mistake, spared=spared, lifting=number.e164)


@blueprint.get("/person/<notice_id>")
@callers.staff("officer", program=False)
def person(notice_id: str) -> str:
    """Everything that the phone of this notice was told, and the channels on which it is spared."""
    here = api.gate()
    with database.reading(here.engine) as session:
        row = session.get(tables.Notice, notice_id[:36])
        if row is None:
            abort(404)
        if row.phone:
            entries = delivery.find_by_phone(session, row.phone, here.config, here.now())
            spared = delivery.spared(session, row.phone, here.config, here.now())
        else:  # erased: only this one is known to be this person's
            entries, spared = [delivery.entry(row, here.config, here.now())], []
        return _page(
            entries=entries,
            attempts=delivery.history(session, [one.id for one in entries]),
            spared=spared,
            one=delivery.entry(row, here.config, here.now()),
            back=url_for("search.person", notice_id=row.id),
        )


def _page(**given: Any) -> str:
    shown = {"asked": "", "mistake": "", "found": [], "entries": [], "spared": [], "one": None, "lifting": ""}
    return render_template("delivery_search.html", tab="search", **{**shown, **given})


@blueprint.post("/lift")
@callers.staff("officer", program=False)
def lift() -> Response:
    """Try a phone on a channel again from now on."""
    here, channel = api.gate(), request.form.get("channel", "")[:12]
    notice_id = request.form.get("notice", "")[:36]
    with database.writing(here.engine) as session:
        row = session.get(tables.Notice, notice_id)
        number = row.phone if row is not None else request.form.get("phone", "")[:16]
        lifted = notices.lift(session, channel, number, g.caller, here.now())
    if lifted:
        flash(_("Đã bỏ chặn: lần sau hệ thống lại thử kênh này cho số đó."), "go")
    else:
        flash(_("Số này không bị chặn; chưa có gì thay đổi."), "warn")
    if row is not None:
        return redirect(url_for("search.person", notice_id=row.id), 303)
    return redirect(url_for("search.find"), 303)
