"""Who may call a route. Every route says it, and a test holds every route to that.

`@everybody`, `@staff(...)`, `@program(...)`, `@kiosk`, `@provider` go directly above the view; they check,
and leave their word on the function as `callers`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import current_app, g, redirect, request, url_for
from flask_login import current_user

from gateway import access, database
from gateway.web.problems import Problem, wants_json

RANK = {"staff": 0, "officer": 1, "admin": 2}
SCOPES = {"notices": {"notices", "admin"}, "staff": {"staff", "admin"}, "admin": {"admin"}}
View = Callable[..., Any]


def everybody(view: View) -> View:
    """No sign-in: the route shows nothing that is not public or named by an unguessable token."""
    view.callers = "everybody"
    return view


def provider(view: View) -> View:
    """A provider's server: the route itself checks its signature or secret path."""
    view.callers = "provider"
    return view


def bearer() -> str | None:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" and key else None


def staff(role: str = "staff", program: bool = True) -> Callable[[View], View]:
    """Somebody signed in with at least `role`, or (unless `program` is False) a program with a staff key."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            key = bearer()
            if key is not None and program:
                g.caller = f"key:{_api_key(key, 'staff').name}"
            elif current_user.is_authenticated:
                if RANK[current_user.role] < RANK[role]:
                    raise Problem(403, "Tài khoản này không có quyền. / This account is not allowed to.")
                g.caller, g.account = current_user.name, current_user
            else:
                return _sign_in()
            return view(*args, **kwargs)

        guarded.callers = f"staff:{role}"
        return guarded

    return wrap


def _sign_in() -> Any:
    if wants_json() or request.method != "GET":
        raise Problem(401, "Hãy đăng nhập. / Please sign in.")
    return redirect(url_for("staff.login", next=request.full_path.rstrip("?")))


def program(scope: str) -> Callable[[View], View]:
    """A program with a key of this scope (an admin key opens everything)."""

    def wrap(view: View) -> View:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            key = _api_key(bearer(), scope)
            g.caller, g.api_key_id, g.api_scope = f"key:{key.name}", key.id, key.scope
            return view(*args, **kwargs)

        guarded.callers = f"program:{scope}"
        return guarded

    return wrap


def _api_key(key: str | None, scope: str):
    if not key:
        raise Problem(401, "Thiếu khoá API. / An API key is missing.")
    with database.reading(current_app.extensions["gateway"].engine) as session:
        found = access.api_key(session, key)
    if found is None:
        raise Problem(401, "Khoá API không đúng. / The API key is not valid.")
    if found.scope not in SCOPES[scope]:
        raise Problem(403, "Khoá API không có quyền này. / This API key may not do that.")
    return found


def kiosk(view: View) -> View:
    """A kiosk with its own key."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        key = bearer()
        with database.reading(current_app.extensions["gateway"].engine) as session:
            found = access.kiosk_by_key(session, key) if key else None
        if found is None:
            raise Problem(401, "Khoá máy lấy số không đúng. / The kiosk's key is not valid.")
        g.caller, g.kiosk_id = found.name, found.id
        return view(*args, **kwargs)

    guarded.callers = "kiosk"
    return guarded
