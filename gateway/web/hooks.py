"""HTTP for programs that want to be told: /api/v1/hooks."""

from __future__ import annotations

from typing import Any, Literal

from flask import Blueprint, Response, g, jsonify, request
from pydantic import Field
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway import config as configuration
from gateway.hooks import calling, outbox
from gateway.rules import hooks as rules
from gateway.rules import hours
from gateway.web import api, callers
from gateway.web.problems import Problem

blueprint = Blueprint("hooks", __name__, url_prefix="/api/v1/hooks")
EVENTS_SHOWN = 200


class HookAsked(api.Strict):
    """The body of POST /api/v1/hooks; without `events` a program is told how its notices end."""

    url: str = Field(min_length=8, max_length=500, pattern=r"^https?://[\x21-\x7e]+$")
    events: list[Literal[rules.EVENTS]] = Field(list(rules.FINAL), min_length=1, max_length=len(rules.EVENTS))


class ReplayAsked(api.Strict):
    """The body of POST /api/v1/hooks/{id}/replay: everything since this time."""

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
    with database.writing(here.engine) as session:
        made = outbox.add(session, g.api_key_id, asked.url, sorted(set(asked.events)), here.now())
        if made is None:
            raise Problem(
                409, f"Tối đa {outbox.MOST_A_KEY} địa chỉ. / At most {outbox.MOST_A_KEY} hooks a key."
            )
        access.audit(session, here.now(), g.caller, "hook.add", made.id)
        answer = jsonify(_shown(made) | {"secret": _secret(made)})
    answer.status_code = 201
    return answer


def _secret(hook: tables.Hook) -> str:
    own = configuration.own_secret(api.gate().config, "web.secret_key")
    return rules.secret_of(own, hook.id, hook.generation)


def _shown(hook: tables.Hook) -> dict[str, Any]:
    return {
        "id": hook.id,
        "url": hook.url,
        "events": hook.events,
        "created_at": _at(hook.created_at),
        "failing_since": _at(hook.failing_since),
    }


def _at(moment: int | None) -> str | None:
    return None if moment is None else hours.rfc3339(moment, api.gate().config.station.zone)


def _mine(session: Session, hook_id: str) -> tables.Hook:
    found = session.get(tables.Hook, hook_id) if len(hook_id) <= 36 else None
    if found is None or found.api_key_id != g.api_key_id or found.ended_at is not None:
        raise Problem(404, "Không có địa chỉ báo này. / There is no such hook.")
    return found


@blueprint.get("")
@callers.program("notices")
def index() -> Response:
    """This program's hooks."""
    with database.reading(api.gate().engine) as session:
        return jsonify({"hooks": [_shown(one) for one in outbox.of_key(session, g.api_key_id)]})


@blueprint.get("/<hook_id>")
@callers.program("notices")
def get(hook_id: str) -> Response:
    """One hook, and since when it fails."""
    with database.reading(api.gate().engine) as session:
        return jsonify(_shown(_mine(session, hook_id)))


@blueprint.delete("/<hook_id>")
@callers.program("notices")
def end(hook_id: str) -> Response:
    """Be told no more; what was still waiting is not sent."""
    here = api.gate()
    with database.writing(here.engine) as session:
        found = _mine(session, hook_id)
        found.ended_at = here.now()
        access.audit(session, here.now(), g.caller, "hook.end", found.id)
    return Response(status=204)


@blueprint.post("/<hook_id>/rotate")
@callers.program("notices")
def rotate(hook_id: str) -> Response:
    """A new secret from now on; the old one signs nothing any more."""
    here = api.gate()
    with database.writing(here.engine) as session:
        found = _mine(session, hook_id)
        found.generation += 1
        access.audit(session, here.now(), g.caller, "hook.rotate", found.id)
        return jsonify(_shown(found) | {"secret": _secret(found)})


@blueprint.post("/<hook_id>/ping")
@callers.program("notices")
def ping(hook_id: str) -> Response:
    """Send an event that says nothing, to see that it arrives: 202 with its id."""
    here = api.gate()
    with database.writing(here.engine) as session:
        answer = jsonify({"event": outbox.ping(session, _mine(session, hook_id), here.now())})
    answer.status_code = 202
    return answer


@blueprint.get("/<hook_id>/events")
@callers.program("notices")
def events(hook_id: str) -> Response:
    """What this hook was and is to be told, oldest first; `next` is the cursor of the page that follows."""
    state, after = request.args.get("state"), request.args.get("cursor", "")
    if (
        state not in (None, "waiting", "delivered", "failed")
        or len(after) > 36
        or not after.isascii()
        or "\0" in after
    ):
        raise Problem(
            422,
            "Câu hỏi chưa đúng. / The question is not right.",
            [{"pointer": "/state", "detail": "waiting, delivered, failed; cursor: `next`"}],
        )
    with database.reading(api.gate().engine) as session:
        rows = outbox.events(session, _mine(session, hook_id).id, state, after, EVENTS_SHOWN)
        shown = [_event(one) for one in rows]
        return jsonify({"events": shown, "next": rows[-1].id if len(rows) == EVENTS_SHOWN else None})


def _event(one: tables.HookEvent) -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "notice": one.notice_id,
        "state": one.state,
        "tries": one.tries,
        "status": one.status,
        "reason": one.reason,
        "created_at": _at(one.created_at),
        "done_at": _at(one.done_at),
    }


@blueprint.post("/<hook_id>/events/<event_id>/replay")
@callers.program("notices")
def replay_one(hook_id: str, event_id: str) -> Response:
    """Tell one event again, with the same `webhook-id`: {"replayed": 1}, or 0 while it waits anyway."""
    here = api.gate()
    with database.writing(here.engine) as session:
        count = outbox.replay(session, _mine(session, hook_id).id, here.now(), event_id=event_id[:36])
        return jsonify({"replayed": count})


@blueprint.post("/<hook_id>/replay")
@callers.program("notices")
def replay(hook_id: str) -> Response:
    """Tell everything since a time again, in order: {"replayed"}."""
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
        return jsonify(
            {"replayed": outbox.replay(session, _mine(session, hook_id).id, here.now(), since=since)}
        )
