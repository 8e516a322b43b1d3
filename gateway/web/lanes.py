"""The channels as the officer sees and steers them, what is not well, and a message to oneself as a test."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy import select

from gateway import access, alerts, database, delivery, lanes, notices, tables
from gateway.rules import channels, hours, phone
from gateway.web import api, callers, dates
from gateway.web.admin import kind_word
from gateway.web.app import limiter
from gateway.web.costs import channel_word

blueprint = Blueprint("lanes", __name__, url_prefix="/admin/delivery")
ALERTS_SHOWN = 100
TEST_SECONDS = 900


@blueprint.get("/channels")
@callers.staff("officer", program=False)
def overview() -> str:
    """Each lane, what holds it up, who sends; a test message; what was not well lately."""
    here = api.gate()
    with database.reading(here.engine) as session:
        lately = select(tables.Alert).order_by(tables.Alert.opened_at.desc(), tables.Alert.id.desc())
        return render_template(
            "delivery_channels.html",
            tab="channels",
            lanes=lanes.overview(session, here.config, here.now()),
            health={
                one.way.channel: one for one in delivery.channel_health(session, here.config, here.now())
            },
            workplaces=delivery.workplaces(session, here.now()),
            alive=delivery.ALIVE_SECONDS,
            history=session.scalars(lately.limit(ALERTS_SHOWN)).all(),
            now=here.now(),
            token=secrets.token_hex(8),
            most=(lanes.MOST_AT_ONCE, lanes.MOST_A_MINUTE),
            modems=channels.modems(here.config),
        )


@blueprint.post("/channels/<channel>/pause")
@callers.staff("officer", program=False)
def pause(channel: str) -> Response:
    """Stop or go on sending on a channel; what waits keeps waiting. `paused` says which: twice is once."""
    here, paused = api.gate(), request.form.get("paused") == "1"
    if channel in channels.used(here.config):
        with database.writing(here.engine) as session:
            lanes.change(session, channel, g.caller, here.now(), paused=paused)
        word = _("%(channel)s đã tạm dừng.") if paused else _("%(channel)s gửi tiếp.")
        flash(word % {"channel": channel_word(channel)}, "go")
    return redirect(url_for("lanes.overview"), 303)


@blueprint.post("/channels/<channel>")
@callers.staff("admin", program=False)
def change(channel: str) -> Response:
    """How many at once and a minute; a modem's are its own."""
    here = api.gate()
    at_once, a_minute = (request.form.get(name, type=int) for name in ("concurrency", "per_minute"))
    right = at_once is not None and 1 <= at_once <= lanes.MOST_AT_ONCE
    right = right and a_minute is not None and 0 <= a_minute <= lanes.MOST_A_MINUTE
    if not right or channel not in channels.used(here.config) or _is_modem(channel):
        flash(_("Số không hợp lệ; chưa có gì thay đổi."), "warn")
        return redirect(url_for("lanes.overview"), 303)
    with database.writing(here.engine) as session:
        lanes.change(session, channel, g.caller, here.now(), concurrency=at_once, per_minute=a_minute)
    flash(_("%(channel)s: đã đổi, có hiệu lực ngay.", channel=channel_word(channel)), "go")
    return redirect(url_for("lanes.overview"), 303)


def _is_modem(channel: str) -> bool:
    return channel in channels.modems(api.gate().config)


@blueprint.post("/alerts/<int:alert_id>/read")
@callers.staff("officer", program=False)
def read(alert_id: int) -> Response:
    """Somebody has seen it: it leaves the top of the pages."""
    here = api.gate()
    with database.writing(here.engine) as session:
        if alerts.read(session, alert_id, g.caller, here.now()):
            access.audit(session, here.now(), g.caller, "alert.read", str(alert_id))
    wish = request.form.get("back", "")
    inside = wish.isprintable() and "\\" not in wish and (wish + "/").startswith(("/admin/", "/admin?"))
    return redirect(wish if inside else url_for("lanes.overview"), 303)


@blueprint.post("/test")
@limiter.limit("10/minute")
@callers.staff("officer", program=False)
def test() -> Response:
    """Send oneself a message through the whole engine. The form's token makes a double press one message."""
    number = phone.parse(request.form.get("phone", ""))
    if isinstance(number, phone.PhoneFault):
        flash(number.english if dates.tongue() == "en" else number.vietnamese, "warn")
        return redirect(url_for("lanes.overview"), 303)
    if number.kind is not phone.Kind.MOBILE:
        flash(_("Số máy bàn không nhận được tin; hãy dùng số di động."), "warn")
        return redirect(url_for("lanes.overview"), 303)
    notice_id = _planned(number.e164, request.form.get("token", "")[:32])
    return redirect(url_for("admin.notice", notice_id=notice_id), 303)


def _planned(number: str, token: str) -> str:
    here = api.gate()
    key = f"test:{g.caller}:{token}"[:100]
    data = {
        "name": g.caller,
        "number": "000",
        "place": here.config.station.name,
        "time": hours.rfc3339(here.now(), here.config.station.zone),
        "url": here.config.web.base_url,
    }
    until = here.now() + TEST_SECONDS
    planned = notices.Planned(key, "reminder", number, data, here.now(), until, dates.tongue())
    with database.writing(here.engine) as session:
        fresh = notices.plan(session, planned, notices.ladder(here.config), here.now())
        if fresh is not None:
            access.audit(session, here.now(), g.caller, "notice.test", fresh)
            flash(_("Đã lập tin thử. Trang này cho biết tin đi đến đâu; tải lại để xem tiếp."), "go")
        return fresh or session.scalars(select(tables.Notice.id).filter_by(key=key)).one()


def alert_word(alert: tables.Alert) -> str:
    """What is not well, in one sentence."""
    channel, subject = str(alert.data.get("channel", "")), str(alert.data.get("subject", ""))
    if alert.kind in ("refused", "quota", "outage") and subject:
        return _(
            "%(channel)s không nhận loại tin “%(kind)s”; tin loại này đi đường khác.",
            channel=channel_word(channel),
            kind=kind_word(subject),
        )
    words = {
        "refused": _("%(channel)s từ chối mọi tin; tin đi đường khác."),
        "quota": _("%(channel)s đã hết hạn mức hoặc hết tiền; tin đi đường khác."),
        "outage": _("%(channel)s không trả lời."),
        "consent": _("Zalo cần được cấp quyền lại."),
        "hook": _("Một chương trình khác không nhận được kết quả gửi tin."),
        "stuck": _("Có tin đứng yên quá lâu."),
        "template": _("Mẫu Zalo cho loại tin “%(kind)s” cần xem lại."),
        "quota_soon": _("%(channel)s sắp hết hạn mức trong ngày."),
        "consent_soon": _("Quyền gửi qua Zalo sắp hết hạn; cần cấp lại."),
        "webhook": _("Nhiều lời báo gửi đến không đúng chữ ký của Zalo."),
        "sim": _("%(channel)s: SIM cần người xử lý."),
        "modem": _("%(channel)s không hoạt động đã lâu."),
        "balance": _("%(channel)s sắp hết tiền."),
    }
    if alert.kind not in words:
        return alert.kind
    return words[alert.kind] % {"channel": channel_word(channel), "kind": kind_word(subject)}


def _shown_alerts() -> dict[str, Any]:
    """For the head of the officer's pages: asked only by templates that show it."""

    def open_alerts() -> list[tables.Alert]:
        if not (current_user.is_authenticated and callers.RANK[current_user.role] >= callers.RANK["officer"]):
            return []
        with database.reading(api.gate().engine) as session:
            return [one for one in alerts.open_ones(session) if one.read_at is None]

    return {"open_alerts": open_alerts}


blueprint.add_app_template_filter(alert_word)
blueprint.app_context_processor(_shown_alerts)
