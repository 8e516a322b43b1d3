"""The Official Account's connection as the officer sees it, and where Zalo sends an administrator back to."""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import consent, database, notices, safe, tables
from gateway.rules import hours
from gateway.rules.settings import Settings
from gateway.web import api, callers
from gateway.web.admin import reason_word
from gateway.web.app import limiter

log = logging.getLogger(__name__)
blueprint = Blueprint("connection", __name__)
SILENT_SECONDS = 7 * 86_400  # a page whose people write now and then is heard of within a week
LONGEST = 2_000
STATE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@blueprint.get("/admin/zalo")
@callers.staff("officer", program=False)
def overview() -> str:
    """Connected or not, in plain words; whose page it is; templates, quota, and when Zalo was last heard."""
    here = api.gate()
    with database.reading(here.engine) as session:
        heard = session.get(tables.Fact, "zalo.heard")
        return render_template(
            "connection.html",
            standing=consent.standing(session, here.config, here.now()),
            about=_about(session),
            templates=_templates(session, here.config),
            quotas=_quotas(session, here.config, here.now()),
            heard=heard.at if heard else None,
            silent=heard is None or here.now() - heard.at > SILENT_SECONDS,
            variant=_fact(session, "zalo.variant"),
            console=_console(here.config),
            address=f"{here.config.web.base_url}/webhooks/zalo",
        )


def _fact(session: Session, name: str) -> str:
    found = session.get(tables.Fact, name)
    return found.value if found else ""


def _about(session: Session) -> dict[str, Any]:
    """What Zalo said of the account when it was last asked; {} if never."""
    try:
        found = json.loads(_fact(session, "oa"))
    except ValueError:
        return {}
    if not isinstance(found, dict) or not found:
        return {}
    plain = {name: str(found.get(name) or "")[:120] for name in ("name", "package_name", "num_follower")}
    until = str(found.get("package_valid_through_date") or "")[:20]
    known = {name: _yes(found[name]) for name in ("is_verified", "linked_ZCA") if name in found}
    return plain | {"until": until} | known


def _yes(value: Any) -> bool:
    return str(value).lower() not in ("", "0", "false", "none")


def _templates(session: Session, config: Settings) -> list[tuple[str, str, tables.ZaloTemplate | None]]:
    """(kind of notice, id, what Zalo said of it) for each template that the configuration names."""
    rows = {row.id: row for row in session.scalars(select(tables.ZaloTemplate))}
    return [(kind, one.id, rows.get(one.id)) for kind, one in config.zalo.templates.items()]


def _quotas(session: Session, config: Settings, now: int) -> list[tables.ZaloQuota]:
    """Today's; what was said yesterday is over."""
    today = hours.day_of(now, config.station.zone)
    rows = session.scalars(select(tables.ZaloQuota).order_by(tables.ZaloQuota.channel)).all()
    known = set(notices.ladder(config))
    return [
        row for row in rows if row.channel in known and hours.day_of(row.at, config.station.zone) == today
    ]


def _console(config: Settings) -> dict[str, str] | None:
    """What must stand in Zalo's console where that makes the link itself."""
    if config.zalo.pkce_mode != "console":
        return None
    return {
        "challenge": consent.fixed_challenge(config),
        "callback": consent.callback_url(config),
        "link": config.zalo.consent_link,
    }


@blueprint.post("/admin/zalo/consent")
@callers.staff("admin", program=False)
def begin() -> Response:
    """Begin a consent and lead on to Zalo.

    The page leads on by itself with a Refresh header: a redirect would be one of the form's, and browsers
    let the content security policy forbid those.
    """
    here = api.gate()
    try:
        with database.writing(here.engine) as session:
            link = consent.begin(session, here.config, g.caller, here.now())
    except consent.Unset:
        flash(_("Chưa có đường dẫn cấp quyền trong cấu hình (consent_link); chưa có gì thay đổi."), "warn")
        return redirect(url_for("connection.overview"), 303)
    answer = Response(render_template("connection_go.html", link=link, host=urlsplit(link).netloc))
    answer.headers["Refresh"] = f"0; url={link}"
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/zalo/callback")
@limiter.limit("30/minute")
@callers.everybody
def callback() -> Response:
    """Zalo sends the administrator back here. What was begun with this `state` is finished once, or not at all."""
    here, given = api.gate(), request.args
    code = given.get("code", "")[:LONGEST]
    if not code or given.get("error"):
        log.warning("a consent came back without a code (error %r)", given.get("error", "")[:40])
        return _said(400, _("Zalo không cấp quyền."), _("Người quản trị OA đã từ chối, hoặc Zalo báo lỗi."))
    if given.get("oa_id") and given["oa_id"] != here.config.zalo.oa_id:
        return _said(409, _("Nhầm Official Account."), _wrong(given["oa_id"]))
    begun = _begun(given.get("state", ""))
    if begun is None:
        return _said(
            409,
            _("Lần cấp quyền này không còn dùng được."),
            _("Đường dẫn đã được dùng, đã quá 10 phút, hoặc không do trang này tạo ra. Hãy bấm kết nối lại."),
        )
    return _finish(begun, code)


def _begun(state: str) -> tables.ZaloConsent | None:
    """The consent that this callback belongs to, used up by it.

    Without a state it may only be the console's, brought back by somebody who is signed in here.
    """
    here = api.gate()
    if not state and (here.config.zalo.pkce_mode != "console" or not _officer()):
        return None
    with database.writing(here.engine) as session:
        if state:
            return consent.take(session, state, here.now()) if STATE.fullmatch(state) else None
        return consent.take_latest(session, here.now())


def _officer() -> bool:
    return current_user.is_authenticated and callers.RANK[current_user.role] >= callers.RANK["officer"]


def _finish(begun: tables.ZaloConsent, code: str) -> Response:
    """Turn the code into tokens, outside any transaction, and keep them."""
    here = api.gate()
    try:
        if here.redeem is None:
            raise consent.Away("no way to Zalo from here")
        pair = here.redeem(code, begun.verifier)
    except consent.Away as fault:
        log.warning("Zalo could not be asked for the tokens of a consent (%s)", fault)
        with database.writing(here.engine) as session:
            consent.put_back(session, begun.state)
        return _said(
            503, _("Zalo không trả lời."), _("Hãy tải lại trang này sau một phút, hoặc bấm kết nối lại.")
        )
    except consent.Refused as fault:
        log.warning("Zalo gave no tokens for a consent (%s)", fault.code)
        return _said(
            409, _("Zalo không chấp nhận mã cấp quyền."), f"{reason_word(fault.reason)} ({fault.code})"
        )
    except consent.WrongAccount as fault:
        return _said(409, _("Nhầm Official Account."), _wrong(str(fault)))
    try:
        with database.writing(here.engine) as session:
            consent.finish(session, here.config, pair, begun.made_by, here.now())
    except safe.WrongKey as fault:
        return _said(500, _("Không cất được mã truy cập."), reason_word(str(fault)))
    return _said(200, _("Đã kết nối Official Account."), _("Tin báo Zalo được gửi từ bây giờ."))


def _wrong(oa_id: str) -> str:
    return _(
        "Quyền được cấp cho OA %(given)s, còn hệ thống này dùng OA %(ours)s.",
        given=oa_id[:40],
        ours=api.gate().config.zalo.oa_id,
    )


def _said(status: int, head: str, text: str) -> Response:
    """How it ended. Whatever is no 200 has changed nothing."""
    page = render_template("connection_back.html", well=status == 200, head=head, text=text)
    return Response(
        page, status=status, headers={"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    )
