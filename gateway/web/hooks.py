"""HTTP for programs that want to be told: /api/v1/hooks. A program sees its own hooks only."""

from __future__ import annotations

import re
from typing import Any, Literal

from flask import Blueprint, Response, g, jsonify, request
from pydantic import Field
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway import config as configuration
from gateway.hooks import calling, register
from gateway.rules import hooks as rules
from gateway.rules import hours
from gateway.web import api, callers
from gateway.web.problems import Problem

blueprint = Blueprint("hooks", __name__, url_prefix="/api/v1/hooks")
EVENTS_SHOWN = 200
ID = re.compile(r"[eh]_[0-9a-f]{32}")


class HookAsked(api.Strict):
    """The body of POST /api/v1/hooks; without `events` a program is told how its notices end."""

    url: str = Field(min_length=8, max_length=500, pattern=r"^https?://[\x21-\x7e]+$")
    events: list[Literal[rules.EVENTS]] = Field(list(rules.FINAL), min_length=1, max_length=len(rules.EVENTS))


class ReplayAsked(api.Strict):
    """The body of POST /api/v1/hooks/{id}/replay: everything that happened since this time."""

    since: str = Field(max_length=40, json_schema_extra={"format": "date-time"})


@blueprint.post("")
@callers.program("notices")
def add() -> Response:
    """Ask to be told: 201 with the secret that signs what is sent; it is shown now and after a rotation only."""
    asked, here = HookAsked.model_validate(api.body()), api.gate()
    try:
        calling.checked(asked.url, here.config.hooks.allow)
    except calling.Forbidden as fault:
        raise Problem(
            422,
            "Không gọi được địa chỉ này; chưa có gì được lưu. / This address cannot be called; nothing was stored.",
            [{"pointer": "/url", "detail": str(fault)}],
        ) from fault
    wanted = [one for one in rules.EVENTS if one in asked.events]
    with database.writing(here.engine) as session:
        made = register.add(session, g.api_key_id, asked.url, wanted, here.now())
        if made is None:
            most = register.MOST_A_KEY
            raise Problem(409, f"Mỗi khoá tối đa {most} địa chỉ. / At most {most} hooks a key.")
        _audit(session, "hook.add", made)
        answer = jsonify(_shown(made) | {"secret": _secret(made)})
    answer.status_code = 201
    return answer


def _audit(session: Session, action: str, hook: tables.Hook) -> None:
    access.audit(session, api.gate().now(), g.caller, action, hook.id)


def _secret(hook: tables.Hook) -> str:
    own = configuration.own_secret(api.gate().config, "web.secret_key")
    return rules.secret_of(own, hook.id, hook.generation)


def _shown(hook: tables.Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "url": hook.url,
        "events": hook.events,
        "state": "ended" if hook.ended_at is not None else "paused" if hook.paused_at is not None else "live",
        "created_at": _at(hook.created_at),
        "failing_since": _at(hook.failing_since),
        "paused_at": _at(hook.paused_at),
        "ended_at": _at(hook.ended_at),
    }


def _at(moment: int | None) -> str | None:
    return None if moment is None else hours.rfc3339(moment, api.gate().config.station.zone)


def _mine(session: Session, hook_id: str, *, lock: bool = False) -> tables.Hook:
    known = ID.fullmatch(hook_id)
    found = register.found(session, hook_id, g.api_key_id, lock=lock) if known else None
    if found is None:
        raise Problem(404, "Không có địa chỉ báo này. / There is no such hook.")
    return found


def _living(session: Session, hook_id: str, *, paused: bool = False) -> tables.Hook:
    """To be changed: not ended, and unless `paused` says otherwise not paused."""
    found = _mine(session, hook_id, lock=True)
    if found.ended_at is not None:
        raise Problem(409, "Địa chỉ báo này đã kết thúc. / This hook has ended.")
    if found.paused_at is not None and not paused:
        raise Problem(409, "Địa chỉ báo này đang tạm dừng. / This hook is paused; resume it first.")
    return found


@blueprint.get("")
@callers.program("notices")
def index() -> Response:
    """This program's hooks that have not ended."""
    with database.reading(api.gate().engine) as session:
        return jsonify({"hooks": [_shown(one) for one in register.of_key(session, g.api_key_id)]})


@blueprint.get("/<hook_id>")
@callers.program("notices")
def get(hook_id: str) -> Response:
    """One hook: live, paused or ended, and since when nothing arrives there."""
    with database.reading(api.gate().engine) as session:
        return jsonify(_shown(_mine(session, hook_id)))


@blueprint.delete("/<hook_id>")
@callers.program("notices")
def end(hook_id: str) -> Response:
    """Be told no more; what was still waiting is dropped. Ending it again is harmless."""
    here = api.gate()
    with database.writing(here.engine) as session:
        found = _mine(session, hook_id, lock=True)
        if found.ended_at is None:
            register.end(session, found, here.now())
            _audit(session, "hook.end", found)
    return Response(status=204)


@blueprint.post("/<hook_id>/rotate")
@callers.program("notices")
def rotate(hook_id: str) -> Response:
    """A new secret; for a day what is sent carries a signature with the old one too."""
    here = api.gate()
    with database.writing(here.engine) as session:
        found = _living(session, hook_id, paused=True)
        register.rotate(found, here.now())
        _audit(session, "hook.rotate", found)
        return jsonify(_shown(found) | {"secret": _secret(found)})


@blueprint.post("/<hook_id>/resume")
@callers.program("notices")
def resume(hook_id: str) -> Response:
    """Be told again after a pause, beginning with what was kept meanwhile; a hook that is live stays so."""
    here = api.gate()
    with database.writing(here.engine) as session:
        found = _living(session, hook_id, paused=True)
        if found.paused_at is not None:
            register.resume(session, found, here.now())
            _audit(session, "hook.resume", found)
        return jsonify(_shown(found))


@blueprint.post("/<hook_id>/test")
@callers.program("notices")
def ping(hook_id: str) -> Response:
    """Send a `ping` that says nothing, to see that it arrives: 202 with the event's id."""
    here = api.gate()
    with database.writing(here.engine) as session:
        answer = jsonify({"event": register.ping(session, _living(session, hook_id), here.now())})
    answer.status_code = 202
    return answer


@blueprint.get("/<hook_id>/events")
@callers.program("notices")
def events(hook_id: str) -> Response:
    """What this hook was and is to be told, oldest first; `next` is the cursor of the page that follows."""
    state, after = request.args.get("state"), request.args.get("cursor", "")
    faults = []
    if state is not None and state not in register.STATES:
        faults.append(("/state", f"một trong / one of: {', '.join(register.STATES)}"))
    if after and not ID.fullmatch(after):
        faults.append(("/cursor", "không phải con trỏ của trang trước / not a page's cursor"))
    if faults:
        told = [{"pointer": pointer, "detail": detail} for pointer, detail in faults]
        raise Problem(422, "Câu hỏi chưa đúng. / The question is not right.", told)
    with database.reading(api.gate().engine) as session:
        rows = register.events(session, _mine(session, hook_id).id, state, after, EVENTS_SHOWN)
        more = len(rows) == EVENTS_SHOWN
        return jsonify({"events": [_event(one) for one in rows], "next": rows[-1].id if more else None})


def _event(one: tables.HookEvent) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "notice": one.notice_id,
        "state": one.state,
        "tries": one.tries,
        "status": one.status,
        "reason": one.reason,
        "due": _at(one.due) if one.state == "waiting" else None,
        "created_at": _at(one.created_at),
        "done_at": _at(one.done_at),
    }


@blueprint.post("/<hook_id>/events/<event_id>/replay")
@callers.program("notices")
def replay_one(hook_id: str, event_id: str) -> Response:
    """Tell one event again, under the same `webhook-id`: {"replayed": 1}, or 0 while it waits anyway."""
    here = api.gate()
    with database.writing(here.engine) as session:
        found = _living(session, hook_id)
        if not ID.fullmatch(event_id) or not register.has(session, found, event_id):
            raise Problem(404, "Không có sự kiện này. / There is no such event.")
        return jsonify({"replayed": register.replay(session, found, here.now(), event_id=event_id)})


@blueprint.post("/<hook_id>/replay")
@callers.program("notices")
def replay(hook_id: str) -> Response:
    """Tell everything since a time again, in order and under the same ids: {"replayed"}, how many."""
    asked, here = ReplayAsked.model_validate(api.body()), api.gate()
    try:
        since = hours.seconds(asked.since)
    except (ValueError, OverflowError) as fault:
        raise Problem(
            422,
            "Dữ liệu chưa đúng; chưa có gì thay đổi. / The data is not right; nothing was changed.",
            [{"pointer": "/since", "detail": "cần giờ kèm múi giờ / a time with its offset is needed"}],
        ) from fault
    with database.writing(here.engine) as session:
        found = _living(session, hook_id)
        return jsonify({"replayed": register.replay(session, found, here.now(), since=since)})
