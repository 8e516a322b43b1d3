"""The touch page and its three calls, for the screen of this one machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flask
import segno
from cheroot import wsgi

from kiosk import panel, press, wording

# Bytes; a press is some 100.
LONGEST_BODY = 2_000
HEADER = "X-Requested-With"
_FIELDS = {"service", "priority", "phone", "press_id", "language"}
_CODE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PRESS_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PHONE = re.compile(r"\+84\d{9,10}")
_STATUS = {"unknown_service": 404, "closed": 409, "too_soon": 429, "printer": 503, "journal": 503}
_POLICY = (
    "default-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
)


@dataclass(frozen=True)
class Page:
    """What the page needs of the kiosk: how to press, what to show, how to try the printer."""

    station: Mapping[str, str]
    languages: tuple[str, ...]
    zone: str
    press: Callable[[press.Order], press.Issued | press.Declined]
    ticket: Callable[[press.Issued, str], dict[str, Any]]
    status: Callable[[], dict[str, Any]]
    test: Callable[[], str]


def create_app(page: Page, host: str) -> flask.Flask:
    """The page served on `host`; on a loopback host only requests that name a loopback host are answered."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    app.json.ensure_ascii = app.json.sort_keys = False
    app.before_request(_only_this_machine if _loopback(host) else _nothing)
    app.after_request(_headers)
    app.add_url_rule("/", view_func=lambda: _front(page), endpoint="front")
    app.add_url_rule("/status", view_func=page.status, endpoint="status")
    app.add_url_rule("/press", view_func=lambda: _press(page), endpoint="press", methods=["POST"])
    app.add_url_rule("/test-print", view_func=lambda: _test(page), endpoint="test", methods=["POST"])
    return app


def serve(app: flask.Flask, host: str, port: int) -> wsgi.Server:
    """A bound server, listening; `.serve()` works until `.stop()`. Raises OSError when the port is taken."""
    server = wsgi.Server((host, port), app, numthreads=4, server_name="kiosk")
    server.prepare()
    return server


def _front(page: Page) -> str:
    return flask.render_template(
        "kiosk.html",
        station=page.station,
        languages=page.languages,
        zone=page.zone,
        words=panel.words(),
    )


def _press(page: Page) -> tuple[dict[str, Any], int]:
    _own_page_only()
    order = _order(flask.request.get_json(silent=True))
    if order is None:
        return _problem("bad_request", wording.both("Yêu cầu không hợp lệ.")), 400
    answer = page.press(order)
    if isinstance(answer, press.Declined):
        return _problem(answer.code, answer.text), _STATUS[answer.code]
    return page.ticket(answer, _qr(answer.document["url"])), 200


def _test(page: Page) -> dict[str, str]:
    _own_page_only()
    return {"key": page.test()}


def _order(body: Any) -> press.Order | None:
    """The order in a request's JSON; None when any part is not what it should be."""
    if not isinstance(body, dict) or not set(body) <= _FIELDS:
        return None
    service, priority = body.get("service"), body.get("priority", False)
    language, phone, press_id = body.get("language", "vi"), body.get("phone"), body.get("press_id")
    right = (
        _matches(_CODE, service)
        and isinstance(priority, bool)
        and language in ("vi", "en")
        and (phone is None or _matches(_PHONE, phone))
        and (press_id is None or _matches(_PRESS_ID, press_id))
    )
    return press.Order(service, priority, phone, language, press_id) if right else None


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _problem(code: str, text: wording.Both) -> dict[str, Any]:
    return {"code": code, "text": text}


def _qr(url: str) -> str:
    code = segno.make(url, error="m", micro=False)
    return code.svg_data_uri(scale=8, border=2, dark="#16202e", light="#ffffff")


def _own_page_only() -> None:
    # A page from elsewhere cannot send this header without asking first, and it is never allowed to.
    if flask.request.headers.get(HEADER) != "kiosk":
        flask.abort(403)


def _only_this_machine() -> None:
    # A name that was made to point at 127.0.0.1 must not turn a foreign page into our own.
    if not _loopback(flask.request.host.rsplit(":", 1)[0]):
        flask.abort(403)


def _nothing() -> None:
    return None


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _headers(response: flask.Response) -> flask.Response:
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
