"""/sandbox: the whole station on one page, for somebody who has never seen it.

The page asks the stand-ins (over their own HTTP) what reached the phones and the printer, so it shows what
they got and not what the product thinks it sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import flask
import requests
from flask_babel import gettext as _

from gateway.rules import phone
from gateway.rules.settings import Settings

TIMEOUT = 2.0  # seconds; the page asks again every two
LONGEST_FAULT = 40
LONGEST_BODY = 20_000  # octets of what a person types
ACTS = ("follow", "unfollow", "block", "text", "tap", "picture", "share", "seen", "open")
_MEDIA = re.compile(r"[0-9a-z]{1,40}\.(png|jpg|pdf|doc|docx)")
Login = tuple[str, str, str]


def blueprint_for(config: Settings, logins: Callable[[], list[Login]]) -> flask.Blueprint:
    """The sandbox's pages. `logins` gives (role, name, password) of the example station's staff."""
    pages = flask.Blueprint("sandbox", __name__)
    base = f"http://{config.sandbox.host}:{config.sandbox.port}"
    _add_page(pages, config, logins)
    _add_state(pages, base)
    _add_people(pages, base)
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
        return _passed_on(f"{base}/tickets/{ticket}.png")

    @pages.get("/sandbox/media/<name>")
    @_everybody
    def media(name: str) -> flask.Response:
        """A picture or a file in a chat, which lies with the stand-in Zalo."""
        if not _MEDIA.fullmatch(name):
            flask.abort(404)
        return _passed_on(f"{base}/media/{name}")


def _add_people(pages: flask.Blueprint, base: str) -> None:
    @pages.post("/sandbox/users")
    @_everybody
    def add() -> tuple[dict[str, Any], int] | flask.Response:
        """A new phone in the town: {"phone"}."""
        return _asked_of(f"{base}/users", _("Hãy nhập một số di động Việt Nam, ví dụ 0901 234 567."))

    @pages.post("/sandbox/users/<number>/<act>")
    @_everybody
    def do(number: str, act: str) -> tuple[dict[str, Any], int] | flask.Response:
        """What a person does on their phone: follow, text, tap, picture, share, …"""
        parsed = phone.parse(number)
        if isinstance(parsed, phone.PhoneFault) or act not in ACTS:
            flask.abort(404)
        return _asked_of(
            f"{base}/users/{parsed.e164}/{act}", _("Việc này bây giờ không làm được trên điện thoại.")
        )


def _add_faults(pages: flask.Blueprint, base: str) -> None:
    @pages.post("/sandbox/faults")
    @_everybody
    def switch() -> tuple[dict[str, Any], int] | flask.Response:
        """Switch a fault of a stand-in: {"phone" | "user" | "template", "fault", "on"}."""
        body = flask.request.get_json(silent=True)
        if not isinstance(body, dict) or not isinstance(body.get("on"), bool):
            return {"detail": _("Yêu cầu không hợp lệ.")}, 400
        name = str(body.get("fault"))[:LONGEST_FAULT]
        whose = {one: body[one] for one in ("phone", "user", "template") if body.get(one) is not None}
        asked = {**whose, "fault": name, "on": body["on"]}
        try:
            answer = requests.post(f"{base}/faults", json=asked, timeout=TIMEOUT)
        except requests.RequestException:
            return {"detail": _("Các máy giả lập chưa trả lời.")}, 503
        if answer.status_code != 200:
            return {"detail": _("Số điện thoại hoặc lỗi này không hợp lệ.")}, 400
        return _fresh(flask.jsonify(answer.json()))


def _asked_of(url: str, wrong: str) -> tuple[dict[str, Any], int] | flask.Response:
    """Passes a person's act on to the stand-ins; `wrong` is said where they do not take it."""
    body = flask.request.get_json(silent=True)
    if not isinstance(body, dict) or (flask.request.content_length or 0) > LONGEST_BODY:
        return {"detail": _("Yêu cầu không hợp lệ.")}, 400
    try:
        answer = requests.post(url, json=body, timeout=TIMEOUT)
        told = answer.json()
    except (requests.RequestException, ValueError):
        return {"detail": _("Các máy giả lập chưa trả lời.")}, 503
    if answer.status_code >= 400:
        return {"detail": wrong}, 400
    return _fresh(flask.jsonify(told))


def _passed_on(url: str) -> flask.Response:
    try:
        answer = requests.get(url, timeout=TIMEOUT)
    except requests.RequestException:
        flask.abort(503)
    if answer.status_code != 200:
        flask.abort(404)
    shown = flask.Response(answer.content, mimetype=answer.headers.get("Content-Type", "image/png"))
    shown.headers["Cache-Control"] = "private, max-age=3600"
    return shown


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
        "zalo_not_following": _("Người này không quan tâm trang Zalo"),
        "zalo_blocked": _("Người này đã chặn trang Zalo"),
        "zalo_restricted": _("Người này không nhận loại tin này"),
        "zalo_window_shut": _("Người này quá 7 ngày chưa nhắn trang Zalo"),
        "zalo_not_by_id": _("Mẫu tin chỉ gửi được theo số điện thoại"),
        "sms_refused": _("Nhà mạng không nhận số này"),
        "sms_failed": _("SMS báo không đến"),
        "sms_no_receipt": _("SMS đến nhưng không có báo nhận"),
        "esms_down": _("Dịch vụ SMS ngừng hoạt động"),
        "esms_timeout": _("Dịch vụ SMS mất kết nối giữa chừng"),
        "sms_part_failed": _("Phần thứ hai của tin dài báo không đến"),
        "sms_report_early": _("Báo nhận đến trước khi modem trả lời OK"),
        "modem_silent": _("Modem GSM im lặng"),
        "modem_error": _("Modem gửi tin rồi nhưng báo lỗi"),
        "modem_no_prompt": _("Modem không mời nhập tin"),
        "modem_slow": _("Modem trả lời rất chậm"),
        "modem_deaf": _("Modem treo, không nghe và không trả lời"),
        "modem_unplugged": _("Modem bị rút ra"),
        "modem_reboot": _("Modem khởi động lại"),
        "modem_no_network": _("SIM mất sóng"),
        "modem_denied": _("Nhà mạng từ chối SIM"),
        "modem_no_sim": _("Không có SIM trong modem"),
        "modem_puk": _("SIM bị khoá PUK"),
        "modem_full": _("Bộ nhớ tin của modem đầy"),
        "smpp_silent": _("SMSC nhận tin nhưng không trả lời"),
        "receipt_twice": _("Mỗi báo nhận đến hai lần"),
        "receipt_late": _("Báo nhận đến rất muộn"),
        "webhook_twice": _("Mỗi sự kiện Zalo đến hai lần"),
        "webhook_late": _("Sự kiện Zalo đến muộn nửa phút"),
        "webhook_swapped": _("Sự kiện Zalo đến lộn thứ tự"),
        "webhook_forged": _("Có kẻ giả mạo sự kiện Zalo"),
        "webhook_lost": _("Sự kiện Zalo không đến"),
        "printer_paper_out": _("Máy in hết giấy"),
        "printer_cover_open": _("Nắp máy in mở"),
        "printer_offline": _("Máy in không trả lời"),
        "printer_near_end": _("Giấy in sắp hết"),
        "printer_cutter_error": _("Dao cắt giấy kẹt"),
    }


def _words() -> dict[str, str]:
    """What the page's script says by itself."""
    return {
        "no_phones": _("Chưa có điện thoại nào. Thêm một số ở trên, hoặc làm bước 2 và 3."),
        "no_tickets": _("Chưa in phiếu nào. Làm bước 4, phiếu sẽ hiện ở đây."),
        "away": _("Các máy giả lập chưa trả lời. Trang này tự thử lại."),
        "parts": _("{n} phần"),
        "ticket": _("Phiếu in {n}"),
        "everybody": _("mọi số"),
        "off": _("Tắt"),
        "wrote": _("Đã gửi"),
        "tell": _("Chia sẻ số điện thoại"),
        "file": _("Tệp: {name}"),
        "silent": _("Chưa có tin nào."),
        "user": _("người dùng Zalo {n}"),
        "template": _("mẫu tin {n}"),
    }
