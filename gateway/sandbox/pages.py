"""/sandbox: the whole station on one page, for somebody who has never seen it.

The page asks the stand-ins (over their own HTTP) what reached the phones and the printer, so it shows what
they got and not what the product thinks it sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
import requests
from flask_babel import gettext as _

from gateway.rules.settings import Settings

TIMEOUT = 2.0  # seconds; the page asks again every two
LONGEST_FAULT = 40
Login = tuple[str, str, str]


def blueprint_for(config: Settings, logins: Callable[[], list[Login]]) -> flask.Blueprint:
    """The sandbox's pages. `logins` gives (role, name, password) of the example station's staff."""
    pages = flask.Blueprint("sandbox", __name__)
    base = f"http://{config.sandbox.host}:{config.sandbox.port}"
    _add_page(pages, config, logins)
    _add_state(pages, base)
    _add_faults(pages, base)
    return pages


def _everybody(view):
    """Says who may call a route, as every route of the gateway does."""
    view.callers = "everybody"
    return view


def _add_page(pages: flask.Blueprint, config: Settings, logins: Callable[[], list[Login]]) -> None:
    @pages.get("/sandbox")
    @_everybody
    def sandbox() -> str:
        return flask.render_template(
            "sandbox.html",
            kiosk_url=f"http://{config.kiosk.host}:{config.kiosk.port}/",
            logins=[{"role": role, "name": name, "password": password} for role, name, password in logins()],
            faults=fault_words(),
            setting={"words": _words(), "faults": fault_words()},
        )


def _add_state(pages: flask.Blueprint, base: str) -> None:
    @pages.get("/sandbox/state.json")
    @_everybody
    def state() -> flask.Response:
        """Phones, tickets and faults; `alive` false when the stand-ins do not answer."""
        found: dict[str, Any] = {"alive": True}
        for part in ("phones", "tickets", "faults"):
            answer = _asked(f"{base}/{part}")
            found |= answer if answer is not None else {"alive": False}
        return _fresh(flask.jsonify(found))

    @pages.get("/sandbox/tickets/<ticket>.png")
    @_everybody
    def picture(ticket: str) -> flask.Response:
        if not (ticket.isascii() and ticket.isdigit()):
            flask.abort(404)
        try:
            answer = requests.get(f"{base}/tickets/{ticket}.png", timeout=TIMEOUT)
        except requests.RequestException:
            flask.abort(503)
        if answer.status_code != 200:
            flask.abort(404)
        shown = flask.Response(answer.content, mimetype="image/png")
        shown.headers["Cache-Control"] = "private, max-age=3600"
        return shown


def _add_faults(pages: flask.Blueprint, base: str) -> None:
    @pages.post("/sandbox/faults")
    @_everybody
    def switch() -> tuple[dict[str, Any], int] | flask.Response:
        """Switch a fault of a stand-in: {"phone": null | text, "fault", "on"}."""
        body = flask.request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("on"), bool):
            return {"detail": _("Yêu cầu không hợp lệ.")}, 400
        name = str(body.get("fault"))[:LONGEST_FAULT]
        asked = {"phone": body.get("phone"), "fault": name, "on": body["on"]}
        try:
            answer = requests.post(f"{base}/faults", json=asked, timeout=TIMEOUT)
        except requests.RequestException:
            return {"detail": _("Các máy giả lập chưa trả lời.")}, 503
        if answer.status_code != 200:
            return {"detail": _("Số điện thoại hoặc lỗi này không hợp lệ.")}, 400
        return _fresh(flask.jsonify(answer.json()))


def _asked(url: str) -> dict[str, Any] | None:
    try:
        answer = requests.get(url, timeout=TIMEOUT)
        found = answer.json() if answer.status_code == 200 else None
    except (requests.RequestException, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _fresh(answer: flask.Response) -> flask.Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


def fault_words() -> dict[str, str]:
    """What each fault of the stand-ins means to a person."""
    return {
        "zalo_refused": _("Số này không có Zalo"),
        "zalo_no_receipt": _("Zalo nhận gửi nhưng tin không đến"),
        "zalo_timeout": _("Zalo mất kết nối giữa chừng"),
        "zalo_quota": _("Zalo hết hạn mức trong ngày"),
        "sms_refused": _("Nhà mạng không nhận số này"),
        "sms_failed": _("SMS báo không đến"),
        "sms_no_receipt": _("SMS đến nhưng không có báo nhận"),
        "esms_down": _("Dịch vụ SMS ngừng hoạt động"),
        "esms_timeout": _("Dịch vụ SMS mất kết nối giữa chừng"),
        "modem_silent": _("Modem GSM im lặng"),
        "receipt_twice": _("Mỗi báo nhận đến hai lần"),
        "receipt_late": _("Báo nhận đến rất muộn"),
        "printer_paper_out": _("Máy in hết giấy"),
        "printer_cover_open": _("Nắp máy in mở"),
        "printer_offline": _("Máy in không trả lời"),
        "printer_near_end": _("Giấy in sắp hết"),
        "printer_cutter_error": _("Dao cắt giấy kẹt"),
    }


def _words() -> dict[str, str]:
    """What the page's script says by itself."""
    return {
        "no_phones": _("Chưa có tin nào. Làm bước 1 và 2, tin sẽ hiện ở đây sau vài giây."),
        "no_tickets": _("Chưa in phiếu nào. Làm bước 3, phiếu sẽ hiện ở đây."),
        "away": _("Các máy giả lập chưa trả lời. Trang này tự thử lại."),
        "parts": _("{n} phần"),
        "ticket": _("Phiếu in {n}"),
        "everybody": _("mọi số"),
        "off": _("Tắt"),
    }
