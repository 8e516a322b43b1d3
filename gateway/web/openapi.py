"""The OpenAPI 3.1 description of /api/v1: made from the models that the routes themselves read.

Every route under /api/v1 has a row in ROUTES; a test holds both to each other, and another drives the routes
with what the description allows and forbids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from gateway.hooks import register
from gateway.rules import wording
from gateway.rules.lifecycle.notice import State
from gateway.web import api, callers, counters, hooks, kiosks, notices

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")
VERSION = "1"
Schema = dict[str, Any]


def _object(required: Sequence[str] = (), **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required or properties)}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _maybe(kind: str) -> Schema:
    return {"type": [kind, "null"]}


TEXT, WHOLE, YES = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
MOMENT, MAYBE_MOMENT = {"type": "string", "format": "date-time"}, {"type": ["string", "null"]}
STATE = {"type": "string", "enum": [state.value for state in State]}
NOTICE = _object(
    id=TEXT,
    kind=TEXT,
    state=STATE,
    channel=TEXT,
    to=_object(phone=TEXT, zalo_user_id=_maybe("string")),
    urgent=YES,
    deadline=MOMENT,
    due=MAYBE_MOMENT,
    reason=TEXT,
    reached_twice=YES,
    created_at=MOMENT,
    changed_at=MOMENT,
    final_at=MAYBE_MOMENT,
)
ATTEMPT = _object(
    channel=TEXT,
    state=TEXT,
    code=TEXT,
    reason=TEXT,
    provider_ref=_maybe("string"),
    parts=WHOLE,
    cost=WHOLE,
    at=MOMENT,
    answered_at=MAYBE_MOMENT,
    receipt_at=MAYBE_MOMENT,
)
WITH_ATTEMPTS = {**NOTICE, "properties": {**NOTICE["properties"], "attempts": _list(ATTEMPT)}}
HOOK = _object(
    id=TEXT,
    url=TEXT,
    events=_list(TEXT),
    state={"type": "string", "enum": ["live", "paused", "ended"]},
    created_at=MOMENT,
    failing_since=MAYBE_MOMENT,
    paused_at=MAYBE_MOMENT,
    ended_at=MAYBE_MOMENT,
)
HOOK_EVENT = _object(
    id=TEXT,
    type=TEXT,
    notice=_maybe("string"),
    state=TEXT,
    tries=WHOLE,
    status=_maybe("integer"),
    reason=TEXT,
    due=MAYBE_MOMENT,
    created_at=MOMENT,
    done_at=MAYBE_MOMENT,
)
SECRET = {
    **HOOK,
    "properties": {**HOOK["properties"], "secret": TEXT},
    "required": [*HOOK["required"], "secret"],
}
REGISTRATION = _object(
    id=TEXT,
    manage_url=TEXT,
    applicants=_list(_object(("id", "state"), id=WHOLE, state=TEXT, number=TEXT, url=TEXT)),
)
BOTH = _object(vi=TEXT, en=TEXT)
TICKET = _object(
    ("id", "number", "state"),
    id=WHOLE,
    number=TEXT,
    state=TEXT,
    service=_object(code=TEXT, vi=TEXT, en=TEXT),
    name=_maybe("string"),
    source=TEXT,
    priority=YES,
    slot=MAYBE_MOMENT,
    calls=WHOLE,
    called_at=MAYBE_MOMENT,
)
STANDING = _object(
    number=TEXT,
    source=TEXT,
    priority=YES,
    slot=MAYBE_MOMENT,
    ahead=WHOLE,
    eta={"type": ["array", "null"], "items": MOMENT},
    why=BOTH,
)
CALLED = _object(number=TEXT, counter=_maybe("string"), at=MOMENT, calls=WHOLE, state=TEXT)
DESK = _object(id=WHOLE, label=TEXT, state=TEXT, number=_maybe("string"))


@dataclass(frozen=True)
class Described:
    """A route: what it does is its docstring. `body` is the model it reads, `answers` status → (words, schema).

    `queries` are (name, schema, words). `key`: it takes an Idempotency-Key.
    """

    tag: str
    answers: Mapping[int, tuple[str, Schema | None]]
    body: type[BaseModel] | None = None
    queries: Sequence[tuple[str, Schema, str]] = field(default=())
    key: bool = False
    media: str = "application/json"


def _query(name: str, words: str, **schema: Any) -> tuple[str, Schema, str]:
    return name, {"type": "string", **schema}, words


NOTICE_PAGES = (
    _query("state", "only those in this state", enum=[state.value for state in State]),
    _query("kind", "only those of this kind", enum=[kind for kind in wording.TEXT if kind != "alert"]),
    _query("since", "created at or after this time", format="date-time"),
    _query("cursor", "`next` of the page before", maxLength=100),
    (
        "limit",
        {"type": "integer", "minimum": 1, "maximum": notices.MOST_ON_A_PAGE},
        "how many; 100 if not said",
    ),
)
STATED = _object(("id", "state"), id=TEXT, state=STATE, reason=TEXT)
PRESSED = {200: ("the ticket", TICKET), 204: ("nobody waits", None)}
DONE = {200: ("the ticket", TICKET), 204: ("done", None)}
OPENED = {200: ("the counter", _object(id=WHOLE, label=TEXT, state=TEXT, site=TEXT))}

ROUTES: dict[str, Described] = {
    "openapi.description": Described("description", {200: ("this description", {"type": "object"})}),
    "notices.post": Described(
        "notices",
        {202: ("accepted, durably", STATED), 200: ("accepted before under this key", STATED)},
        notices.NoticeAsked,
        key=True,
    ),
    "notices.batch": Described(
        "notices",
        {202: ("all accepted, durably", _object(accepted=WHOLE, ids=_list(TEXT)))},
        notices.BatchAsked,
    ),
    "notices.index": Described(
        "notices",
        {200: ("a page", _object(notices=_list(NOTICE), next=_maybe("string")))},
        queries=NOTICE_PAGES,
    ),
    "notices.get": Described("notices", {200: ("the notice", WITH_ATTEMPTS)}),
    "notices.cancel": Described("notices", {200: ("the state it has now", STATED)}),
    "hooks.add": Described("hooks", {201: ("the hook and its secret", SECRET)}, hooks.HookAsked),
    "hooks.index": Described("hooks", {200: ("the hooks", _object(hooks=_list(HOOK)))}),
    "hooks.get": Described("hooks", {200: ("the hook", HOOK)}),
    "hooks.end": Described("hooks", {204: ("ended", None)}),
    "hooks.rotate": Described("hooks", {200: ("the hook and its new secret", SECRET)}),
    "hooks.resume": Described("hooks", {200: ("the hook as it stands", HOOK)}),
    "hooks.ping": Described("hooks", {202: ("on its way", _object(event=TEXT))}),
    "hooks.events": Described(
        "hooks",
        {200: ("a page", _object(events=_list(HOOK_EVENT), next=_maybe("string")))},
        queries=(
            _query("state", "only those in this state", enum=list(register.STATES)),
            _query("cursor", "`next` of the page before", maxLength=36),
        ),
    ),
    "hooks.replay_one": Described("hooks", {200: ("how many", _object(replayed=WHOLE))}),
    "hooks.replay": Described("hooks", {200: ("how many", _object(replayed=WHOLE))}, hooks.ReplayAsked),
    "api.register": Described(
        "registrations", {201: ("registered", REGISTRATION)}, api.RegistrationAsked, key=True
    ),
    "api.registration": Described("registrations", {200: ("as it stands", REGISTRATION)}),
    "api.cancel": Described("registrations", {200: ("as it stands", REGISTRATION)}),
    "api.move": Described("registrations", {200: ("as it stands", REGISTRATION)}, api.MoveAsked),
    "api.sites": Described(
        "sites", {200: ("the sites", _object(sites=_list(_object(code=TEXT, name=TEXT, address=TEXT))))}
    ),
    "api.shifts": Described(
        "sites",
        {200: ("the shifts", _object(shifts=_list({"type": "object"})))},
        queries=(
            _query("site", "a site's code", maxLength=20),
            _query("from", "first day", format="date"),
            _query("to", "last day", format="date"),
        ),
    ),
    "api.line_up": Described(
        "queue",
        {200: ("the queue", _object(version=WHOLE, waiting=_list(STANDING), called=_list(CALLED)))},
    ),
    "api.stream": Described("queue", {200: ("events", TEXT)}, media="text/event-stream"),
    "counters.counters": Described("counters", {200: ("the counters", _object(counters=_list(DESK)))}),
    "counters.counter": Described("counters", {200: ("the counter", {"type": "object"})}),
    "counters.next_": Described("counters", PRESSED, key=True),
    **{
        f"counters.{verb}": Described("counters", DONE, key=True)
        for verb in ("recall", "start", "finish", "no_show")
    },
    **{f"counters.{verb}": Described("counters", OPENED, key=True) for verb in ("pause", "resume")},
    "counters.transfer": Described("counters", DONE, counters.TransferAsked, key=True),
    "counters.desk_ticket": Described(
        "queue",
        {
            201: (
                "the ticket",
                _object(
                    ("id", "number", "url"),
                    id=WHOLE,
                    number=TEXT,
                    url=TEXT,
                    ahead=_maybe("integer"),
                    eta={"type": ["array", "null"], "items": MOMENT},
                ),
            )
        },
        counters.DeskAsked,
        key=True,
    ),
    "counters.check_in": Described("queue", {200: ("the ticket", {"type": "object"})}, counters.CheckInAsked),
    "kiosks.enrol": Described(
        "kiosks",
        {200: ("the kiosk's key", _object(kiosk=TEXT, key=TEXT, series=TEXT, site=TEXT))},
        kiosks.CodeAsked,
    ),
    "kiosks.state": Described("kiosks", {200: ("what to show", {"type": "object"})}),
    "kiosks.events": Described(
        "kiosks",
        {200: ("what is kept", _object(acked=WHOLE, refused=_list(_object(seq=WHOLE, why=TEXT))))},
        kiosks.EventsTold,
    ),
}

PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": WHOLE,
        "detail": TEXT,
        "errors": _list(_object(pointer=TEXT, detail=TEXT)),
    },
    "required": ["type", "title", "status", "detail"],
}
REFUSALS = {
    400: "not understood",
    401: "no valid key",
    403: "this key may not do that",
    404: "there is no such thing",
    409: "it does not fit what is there; nothing was changed",
    413: "too large",
    415: "not JSON",
    422: "the data is not right; nothing was stored",
    429: "too many requests",
    503: "not available just now; nothing was stored",
}


@blueprint.get("/openapi.json")
@callers.everybody
def description() -> Response:
    """This description, OpenAPI 3.1."""
    return jsonify(document(current_app))


def document(app: Flask) -> Schema:
    """The whole description of an application's routes under /api/v1."""
    models = sorted({one.body for one in ROUTES.values() if one.body}, key=lambda one: one.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Schema]] = {}
    for rule in described_rules(app):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        for method in sorted(rule.methods & {"GET", "POST", "DELETE", "PUT", "PATCH"}):
            paths.setdefault(path, {})[method.lower()] = _operation(app, rule)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Queue-number gateway",
            "version": VERSION,
            "description": "Notices, registrations and the queue of a public office. Times are RFC 3339 with "
            "an offset, phone numbers are taken in every Vietnamese spelling and answered as E.164.",
        },
        "servers": [{"url": app.extensions["gateway"].config.web.base_url}],
        "paths": paths,
        "components": {
            "schemas": {**schemas.get("$defs", {}), "Problem": PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "an API key, or a kiosk's key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
        },
    }


def described_rules(app: Flask) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]


def _operation(app: Flask, rule: Rule) -> Schema:
    view, told = app.view_functions[rule.endpoint], ROUTES[rule.endpoint]
    operation: Schema = {
        "operationId": rule.endpoint.replace(".", "_").rstrip("_"),
        "tags": [told.tag],
        "summary": (view.__doc__ or "").strip().split("\n")[0],
        "parameters": [*_in_path(rule), *_beside(told)],
        "responses": _answers(told),
        "security": _security(view.callers),
    }
    if told.body is not None:
        schema = {"$ref": f"#/components/schemas/{told.body.__name__}"}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _in_path(rule: Rule) -> list[Schema]:
    whole = {name for name, converter in rule._converters.items() if "Integer" in type(converter).__name__}
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0} if name in whole else TEXT,
        }
        for name in sorted(rule.arguments)
    ]


def _beside(told: Described) -> list[Schema]:
    found = [
        {"name": name, "in": "query", "description": words, "schema": schema}
        for name, schema, words in told.queries
    ]
    if told.key:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "the same key again gets the same answer, and nothing is done twice",
                "schema": {"type": "string", "minLength": 1, "maxLength": 64},
            }
        )
    return found


def _answers(told: Described) -> Schema:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answers: Schema = {
        str(status): {"description": words, "content": problem} for status, words in REFUSALS.items()
    }
    for status, (words, schema) in told.answers.items():
        answers[str(status)] = {"description": words}
        if schema is not None:
            answers[str(status)]["content"] = {told.media: {"schema": schema}}
    return answers


def _security(who: str) -> list[Schema]:
    if who == "everybody":
        return []
    return [{"key": []}, {"session": []}] if who.startswith("staff") else [{"key": []}]
