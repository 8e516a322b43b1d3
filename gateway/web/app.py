"""The Flask application: `create_app(config, engine)`; every part is given, nothing is read from outside."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

import psycopg
import pydantic
import sqlalchemy.exc
from flask import Blueprint, Flask, Response, current_app, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError
from sqlalchemy import Engine
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from gateway import config as configuration
from gateway import database, storage, tables
from gateway.intake import Intake
from gateway.rules.settings import Settings
from gateway.web import problems
from gateway.web.callers import bearer
from gateway.web.hub import Hub
from gateway.web.inbox_hub import InboxHub

log = logging.getLogger(__name__)
LARGEST_BODY = 8 * 1024 * 1024  # a batch of 10,000 notices
csrf = CSRFProtect()
limiter = Limiter(get_remote_address, storage_uri="memory://", headers_enabled=True)
logins = LoginManager()


Upload = Callable[[str, bytes], Mapping[str, Any]]


@dataclass(frozen=True)
class Gateway:
    """What the views work with; `now` gives whole seconds.

    `alive` says whether the worker of this process takes its turns; None where there is none in it.
    `redeem(code, verifier)` gives the tokens for the code of a consent; None where Zalo cannot be asked.
    `upload(name, octets)` gives Zalo a picture or pdf and returns the attachment of a chat message; it raises
    `inbox.NotTaken`, and is None where Zalo cannot be asked.
    """

    config: Settings
    engine: Engine
    hub: Hub
    now: Callable[[], int]
    intake: Intake
    alive: Callable[[], bool | None] = lambda: None
    redeem: Callable[[str, str | None], tuple[str, str, int]] | None = None
    inbox: InboxHub | None = None
    upload: Upload | None = None


class Id(IntegerConverter):
    """A row's number in an address: one that no database can hold is no such thing, and not an error of ours."""

    def __init__(self, map: Map):
        super().__init__(map, max=2**53)


def seconds_now() -> int:
    return int(time.time())


def create_app(
    config: Settings,
    engine: Engine,
    extra: tuple[Blueprint, ...] = (),
    now: Callable[[], int] = seconds_now,
    alive: Callable[[], bool | None] = lambda: None,
    redeem: Callable[[str, str | None], tuple[str, str, int]] | None = None,
    upload: Upload | None = None,
) -> Flask:
    """The whole web side; `extra` blueprints (the sandbox's pages) are mounted beside it.

    `alive`, `redeem`, `upload`: see `Gateway`.
    """
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=configuration.own_secret(config, "web.secret_key"),
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=200_000,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=config.web.base_url.startswith("https://"),
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=12 * 3_600,
        BABEL_DEFAULT_LOCALE=config.station.languages[0],
        RATELIMIT_ENABLED=True,
    )
    app.url_map.converters["int"] = Id
    app.json.ensure_ascii = False
    app.json.sort_keys = False
    app.extensions["gateway"] = Gateway(
        config,
        engine,
        Hub(engine, config, now),
        now,
        Intake(engine, now),
        alive,
        redeem,
        InboxHub(engine, now),
        upload,
    )
    if config.web.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=config.web.proxies, x_proto=config.web.proxies)
    _extensions(app)
    _errors(app)
    _blueprints(app, extra)
    app.before_request(_guard_forms)
    app.after_request(_harden)
    return app


def _extensions(app: Flask) -> None:
    from gateway.web import language

    language.Catalogued(app, locale_selector=language.chosen)
    csrf.init_app(app)
    limiter.init_app(app)
    # Without its context processor: the page that says the database is away must not ask it who reads
    logins.init_app(app, add_context_processor=False)
    logins.user_loader(lambda key: _signed_in(app, key))
    language.init_app(app)


def _signed_in(app: Flask, key: str):
    from gateway.web.staff import Account

    with database.reading(app.extensions["gateway"].engine) as session:
        row = session.get(tables.Staff, int(key)) if key.isdigit() else None
        return Account(row.id, row.name, row.role) if row and row.active else None


PARTS = (
    "admin", "api", "board", "broadcasts", "canned", "citizen", "connection", "costs", "counters",
    "delivery", "followers", "health", "hooks", "inbox", "kiosks", "lanes", "notices", "openapi",
    "receipts", "search", "sms", "staff", "wordings",
)  # fmt: skip
"""The modules of this room that have a blueprint; they are imported late, as they import this one."""


def _blueprints(app: Flask, extra: tuple[Blueprint, ...]) -> None:
    parts = (import_module(f"gateway.web.{name}").blueprint for name in PARTS)
    for blueprint in (*parts, *extra):
        app.register_blueprint(blueprint)


def _guard_forms() -> None:
    """Forms and cookie-carried calls need the token; programs with a key and providers carry their own proof."""
    if (
        request.routing_exception is not None
    ):  # no such address or method: say that, not that a token is missing
        return
    if request.method in ("GET", "HEAD", "OPTIONS") or request.path.startswith("/webhooks/") or bearer():
        return
    if request.endpoint == "kiosks.enrol":  # a one-time code in the body, no cookie
        return
    if _only_by_key():
        return
    csrf.protect()


def _only_by_key() -> bool:
    """Whether no cookie can open this: then the route itself says which key is missing."""
    view = current_app.view_functions.get(request.endpoint or "")
    if getattr(view, "callers", "").startswith(("program", "kiosk")):
        return True
    cookie = current_app.config["SESSION_COOKIE_NAME"]
    return request.path.startswith("/api/") and cookie not in request.cookies


def _harden(answer: Response) -> Response:
    answer.headers.setdefault("X-Content-Type-Options", "nosniff")
    answer.headers.setdefault("Referrer-Policy", "same-origin")
    answer.headers.setdefault("X-Frame-Options", "SAMEORIGIN")
    answer.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; img-src 'self' data:; frame-src 'self' http://127.0.0.1:* http://localhost:*; "
        "object-src 'none'; base-uri 'self'; form-action 'self'",
    )
    return answer


def _errors(app: Flask) -> None:
    app.register_error_handler(problems.Problem, problems.on_problem)
    app.register_error_handler(
        pydantic.ValidationError, lambda fault: problems.on_problem(problems.from_validation(fault))
    )
    app.register_error_handler(CSRFError, _on_csrf)
    app.register_error_handler(HTTPException, problems.on_http)
    app.register_error_handler(sqlalchemy.exc.DataError, _on_data)
    for kind in (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, psycopg.Error, storage.Away):
        app.register_error_handler(kind, _on_database)
    app.register_error_handler(Exception, _on_crash)


def _on_csrf(_fault: CSRFError) -> Response:
    return problems.response(
        400,
        "Trang đã mở quá lâu. Hãy tải lại trang rồi làm lại; chưa có gì được lưu. / "
        "The page was open for too long. Reload it and try again; nothing was stored.",
    )


def _on_data(_fault: Exception) -> Response:
    return problems.response(
        422,
        "Dữ liệu có ký tự hoặc số không lưu được; chưa có gì được lưu. / "
        "The data has characters or numbers that cannot be stored; nothing was stored.",
    )


def _on_database(fault: Exception) -> Response:
    """503 where the same may work later; a statement that can never work is a fault of ours."""
    if not storage.is_away(fault):
        return _on_crash(fault)
    log.error(
        "the storage does not take it: %s %s: %s", request.method, request.endpoint, storage.in_short(fault)
    )
    answer = problems.response(
        503,
        "Cơ sở dữ liệu tạm thời không trả lời; chưa có gì được lưu. / The database is away; nothing was stored.",
    )
    answer.headers["Retry-After"] = str(storage.RETRY_SECONDS)
    return answer


def _on_crash(fault: Exception) -> Response:
    log.exception("a request failed", exc_info=fault)
    return problems.response(500, "Có lỗi; chưa có gì được lưu. / Something went wrong; nothing was stored.")
