"""HTTP for kiosks: enrolment, what to show, and the journal's entries."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pydantic
from flask import Blueprint, Response, g, jsonify
from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway import access, database, kiosks, tables
from gateway.rules import hours
from gateway.web import api, callers
from gateway.web.app import limiter
from gateway.web.problems import Problem

blueprint = Blueprint("kiosks", __name__, url_prefix="/api/v1")
SEEN_SECONDS = 60  # how exactly it is known when a kiosk that sends nothing was there


class CodeAsked(api.Strict):
    code: str = Field(min_length=1, max_length=64)


class ClockTold(api.Strict):
    at: str = Field(max_length=40)
    boot: str = Field(max_length=64)
    monotonic: float = Field(ge=0, le=1e10)

    @field_validator("at")
    @classmethod
    def _a_time(cls, text: str) -> str:
        hours.seconds(text)
        return text


class _Known(BaseModel):
    """What makes an entry one: without these nothing can be said about it."""

    model_config = ConfigDict(extra="allow", frozen=True)
    seq: int = Field(ge=1, le=2**53)
    id: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_-]+$")
    type: str = Field(min_length=1, max_length=30, pattern=r"^[a-z.]+$")


class EntryTold(_Known):
    """Every entry has these too; what its type needs beside them is kept as it came."""

    at: str = Field(max_length=40)
    boot: str = Field(max_length=64)
    monotonic: float = Field(ge=0, le=1e10)

    _a_time = field_validator("at")(ClockTold._a_time.__func__)


class IssuedTold(EntryTold):
    """A ticket.issued entry: the number a person has in hand."""

    series: str = Field(min_length=1, max_length=4, pattern=r"^[A-Z]+$")
    n: int = Field(ge=1, le=99_999)
    number: str = Field(max_length=12)
    day: date
    service: str = Field(max_length=20)
    priority: bool = False
    token: str = Field(min_length=16, max_length=32, pattern=r"^[A-Za-z0-9_-]+$")
    phone: str | None = Field(None, pattern=r"^\+84\d{9,10}$")
    language: str = Field("vi", pattern=r"^(vi|en)$")


class PrintedTold(EntryTold):
    n: int = Field(ge=1, le=99_999)
    day: date


class EventsTold(api.Strict):
    clock: ClockTold
    events: list[dict[str, Any]] = Field(max_length=500)


@blueprint.post("/kiosks/enrol")
@callers.everybody
@limiter.limit("10/minute")
def enrol() -> Response:
    """Trade a one-time code for the kiosk's key: {"kiosk", "key", "series", "site"}."""
    asked, here = CodeAsked.model_validate(api.body()), api.gate()
    with database.writing(here.engine) as session:
        found = access.enrol(session, asked.code, here.now())
        if found is None:
            raise Problem(403, "Mã ghi danh sai, đã dùng hoặc hết hạn. / The code is wrong, used or too old.")
        kiosk, key = found
        site = session.get_one(tables.Site, kiosk.site_id)
        return jsonify({"kiosk": kiosk.name, "key": key, "series": kiosk.series, "site": site.code})


@blueprint.get("/kiosk/state")
@callers.kiosk
def state() -> Response:
    """What the kiosk shows."""
    here = api.gate()
    with database.reading(here.engine) as session:
        kiosk = session.get_one(tables.Kiosk, g.kiosk_id)
        answer, seen = kiosks.state(session, kiosk, here.config, here.now()), kiosk.seen_at
    if seen is None or here.now() - seen > SEEN_SECONDS:  # one that nobody presses is not away
        with database.writing(here.engine) as session:
            session.get_one(tables.Kiosk, g.kiosk_id).seen_at = here.now()
    return jsonify(answer)


@blueprint.post("/kiosk/events")
@callers.kiosk
def events() -> Response:
    """Admit journal entries, each once: {"acked", "refused"}."""
    asked, here = EventsTold.model_validate(api.body()), api.gate()
    sent = kiosks.Clock(hours.seconds(asked.clock.at), asked.clock.boot, asked.clock.monotonic)
    entries = [_entry(one) for one in asked.events]
    with database.writing(here.engine) as session:
        kiosk = session.get_one(tables.Kiosk, g.kiosk_id)
        acked, refused = kiosks.admit_entries(session, kiosk, sent, entries, here.config, here.now())
    return jsonify({"acked": acked, "refused": refused})


SHAPES = {
    "ticket.issued": IssuedTold,
    "ticket.printed": PrintedTold,
    "ticket.reprinted": PrintedTold,
    "ticket.held": PrintedTold,
}


def _storable(told: dict[str, Any]) -> bool:
    """Whether the database can keep it: no NUL, no half surrogate pair."""
    text = json.dumps(told, ensure_ascii=False)
    return "\\u0000" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _entry(told: dict[str, Any]) -> kiosks.Entry:
    """An entry as told; one that is misshapen is stored and refused alone, so that the others go on."""
    known = _Known.model_validate(told)
    if not _storable(told):
        return kiosks.Entry(known.seq, known.id, known.type, 0, "", 0.0, {}, "misshapen: characters")
    try:
        entry = SHAPES.get(known.type, EntryTold).model_validate(told)
    except pydantic.ValidationError as fault:
        wrong = ", ".join(".".join(map(str, one["loc"])) for one in fault.errors(include_url=False))
        return kiosks.Entry(known.seq, known.id, known.type, 0, "", 0.0, {}, f"misshapen: {wrong}"[:200])
    return kiosks.Entry(
        entry.seq,
        entry.id,
        entry.type,
        hours.seconds(entry.at),
        entry.boot,
        entry.monotonic,
        entry.model_dump(mode="json", exclude={"seq", "id", "type"}),
    )
