"""HTTP for programs that have something to tell people: /api/v1/notices."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import string
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, g, jsonify, request
from pydantic import AfterValidator, Field
from sqlalchemy.orm import Session

from gateway import database, notices, presses, tables
from gateway.notices import listing
from gateway.rules import hours, phone, wording
from gateway.rules.lifecycle.notice import State
from gateway.web import api, callers
from gateway.web.problems import Problem

blueprint = Blueprint("notices", __name__, url_prefix="/api/v1/notices")
MOST_IN_A_BATCH, MOST_ERRORS = 10_000, 1_000
MOST_ON_A_PAGE = 1_000
FURTHEST = 366 * 86_400
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
Kind = Literal[
    "appointment", "changed", "cancelled", "reminder", "near", "called", "missed", "ready", "round"
]


def _plain(text: str) -> str:
    """Composed, and without what steers a terminal, a printer or the direction of writing."""
    if text.isascii() and text.isprintable():
        return text
    if UNPRINTABLE.search(text):
        raise ValueError("có ký tự điều khiển / it has control characters")
    return unicodedata.normalize("NFC", text)


def _moment(text: str) -> str:
    try:
        hours.seconds(text)
    except (ValueError, OverflowError) as fault:
        raise ValueError(
            "cần giờ kèm múi giờ / a time with its offset is needed, e.g. 2026-11-24T14:30:00+07:00"
        ) from fault
    return text


Moment = Annotated[
    str,
    Field(max_length=40, json_schema_extra={"format": "date-time"}),
    AfterValidator(_moment),
]


def _text(most: int, pattern: str | None = None) -> Any:
    return Annotated[str, Field(min_length=1, max_length=most, pattern=pattern), AfterValidator(_plain)]


class To(api.Strict):
    """Whom to tell: a Vietnamese mobile number in any spelling."""

    phone: str = Field(min_length=1, max_length=40)
    zalo_user_id: str | None = Field(None, max_length=40, pattern=r"^[0-9A-Za-z_-]+$")


class Data(api.Strict):
    """What to tell; a kind's wording says which of these it needs."""

    name: _text(120) | None = None
    number: _text(20) | None = None
    place: _text(120) | None = None
    address: _text(200) | None = None
    time: Moment | None = None
    code: _text(40) | None = None
    url: _text(500, r"^https?://[^\s]+$") | None = None
    counter: _text(60) | None = None
    minutes: str | None = Field(None, pattern=r"^[0-9]{1,4}$")


class NoticeAsked(api.Strict):
    """The body of POST /api/v1/notices."""

    to: To
    kind: Kind
    data: Data = Data()
    send_at: Moment | None = None
    deadline: Moment | None = None
    urgent: bool | None = None
    language: Literal["vi", "en"] = "vi"


class KeyedNotice(NoticeAsked):
    """One of a batch; `key` makes sending it again harmless."""

    key: str = Field(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")


class BatchAsked(api.Strict):
    """The body of POST /api/v1/notices/batch: all or nothing."""

    notices: list[KeyedNotice] = Field(min_length=1, max_length=MOST_IN_A_BATCH)


def _needed(kind: str) -> tuple[str, ...]:
    """The data without which a kind's sentence would have holes."""
    fields = {name for _, name, _, _ in string.Formatter().parse(wording.TEXT[kind]) if name}
    asked = {"time" if name == "date" else name for name in fields}
    return tuple(sorted(asked - {"station", "url", "minutes", "counter"}))


NEEDED = {kind: _needed(kind) for kind in wording.TEXT}


@dataclass(frozen=True)
class Accepted:
    """A notice that is durable now; `fresh` False: it was accepted before under the same key."""

    id: str
    state: str
    fresh: bool


@blueprint.post("")
@callers.program("notices")
def post() -> Response:
    """Tell one person something: 202 {"id", "state"}; the same key and body again: 200 and the same id."""
    asked = NoticeAsked.model_validate(api.body())
    key = api.idempotency_key()
    (accepted,) = _accepted([asked], [key or f"anonymous:{secrets.token_hex(12)}"], [""])
    answer = jsonify({"id": accepted.id, "state": accepted.state})
    answer.status_code = 202 if accepted.fresh else 200
    return answer


@blueprint.post("/batch")
@callers.program("notices")
def batch() -> Response:
    """Tell up to 10,000 people, all or nothing, in one transaction: 202 {"accepted", "ids"}."""
    asked = BatchAsked.model_validate(api.body()).notices
    keys = [one.key for one in asked]
    _no_key_twice(keys)
    accepted = _accepted(asked, keys, [f"/notices/{place}" for place in range(len(asked))])
    answer = jsonify({"accepted": len(accepted), "ids": [one.id for one in accepted]})
    answer.status_code = 202
    return answer


def _no_key_twice(keys: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    faults = []
    for place, key in enumerate(keys):
        first = seen.setdefault(key, place)
        if first != place:
            faults.append(
                _fault(f"/notices/{place}/key", f"trùng với tin {first}", f"the same as in {first}")
            )
    if faults:
        raise _refusal(faults)


def _fault(pointer: str, vietnamese: str, english: str) -> dict[str, str]:
    return {"pointer": pointer, "detail": f"{vietnamese} / {english}"}


def _refusal(faults: list[dict[str, str]], status: int = 422) -> Problem:
    told = "Dữ liệu chưa đúng; chưa có gì được lưu. / The data is not right; nothing was stored."
    if len(faults) > MOST_ERRORS:
        more = len(faults) - MOST_ERRORS
        told += f" Còn {more} lỗi nữa. / {more} more faults are not listed."
    return Problem(status, told, faults[:MOST_ERRORS])


def _accepted(asked: Sequence[NoticeAsked], keys: Sequence[str], places: Sequence[str]) -> list[Accepted]:
    """Accept all of them in one durable transaction, or none."""
    here, owner = api.gate(), g.api_key_id
    now = here.now()
    drafts = [
        _draft(one, f"api:{owner}:{_digest(key)}", place, now)
        for one, key, place in zip(asked, keys, places, strict=True)
    ]
    if any(one.planned is None for one in drafts):
        raise _refusal([fault for one in drafts for fault in (*one.faults, *one.late)])
    with database.writing(here.engine) as session:
        return _written(session, drafts, asked, places, now)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:48]


def _content(asked: NoticeAsked) -> str:
    """What must be the same when a key comes again."""
    return hashlib.sha256(asked.model_dump_json(exclude={"key"}).encode()).hexdigest()


def _written(
    session: Session,
    drafts: Sequence[Draft],
    asked: Sequence[NoticeAsked],
    places: Sequence[str],
    now: int,
) -> list[Accepted]:
    """Write down what is new, and find what was accepted before under its key, however long ago."""
    owner, planned = f"notices:{g.api_key_id}", [one.planned for one in drafts if one.planned]
    entries = [(one.key, _content(wanted)) for one, wanted in zip(planned, asked, strict=True)]
    known = presses.remembered(session, owner, entries, now)
    config = api.gate().config
    ids = notices.plan_all(session, planned, notices.ladder(config), now, config.zalo.shared_phone)
    old = listing.by_keys(session, [one.key for one, made in zip(planned, ids, strict=True) if made is None])
    too_late = [
        fault for one, made in zip(drafts, ids, strict=True) if made is not None for fault in one.late
    ]
    if too_late:  # it raises, so nothing of this is written
        raise _refusal(too_late)
    faults = [
        _fault(
            f"{place}/key" if place else "",
            "khoá (Idempotency-Key) này đã dùng cho tin khác",
            "this key (Idempotency-Key) was used for another notice",
        )
        for one, (_, content), made, place in zip(planned, entries, ids, places, strict=True)
        if made is None and not _same(old.get(one.key), one, known.get(one.key), content)
    ]
    if faults:
        raise _refusal(faults, 409)
    return [
        Accepted(made, State.CREATED.value, True)
        if made is not None
        else Accepted(old[one.key].id, old[one.key].state, False)
        for one, made in zip(planned, ids, strict=True)
    ]


def _same(old: tables.Notice | None, one: notices.Planned, remembered: str | None, content: str) -> bool:
    """Whether a key came again with what it came with first; after years only the outline is known."""
    if old is None:
        return False
    if remembered is not None:
        return remembered == content
    return old.kind == one.kind and old.phone in ("", one.phone)


@dataclass(frozen=True)
class Draft:
    """What is asked as a plan, or None with its faults. `late`: what is wrong with its times if it is new; what
    was accepted in time may be asked for again at any time."""

    planned: notices.Planned | None
    faults: Sequence[dict[str, str]]
    late: Sequence[dict[str, str]]


def _draft(asked: NoticeAsked, key: str, place: str, now: int) -> Draft:
    faults = list(_missing(asked, place))
    number = phone.parse(asked.to.phone)
    if isinstance(number, phone.PhoneFault):
        faults.append(_fault(f"{place}/to/phone", number.vietnamese, number.english))
    elif number.kind is not phone.Kind.MOBILE:
        faults.append(
            _fault(
                f"{place}/to/phone",
                "Số máy bàn không nhận được tin; cần số di động.",
                "A landline gets no messages; a mobile number is needed.",
            )
        )
    due = max(now, hours.seconds(asked.send_at)) if asked.send_at else now
    deadline = _deadline(asked, due)
    late = list(_bad_times(asked, place, now, due, deadline))
    if faults:
        return Draft(None, faults, late)
    planned = notices.Planned(
        key=key,
        kind=asked.kind,
        phone=number.e164,
        data=_facts(asked),
        due=due,
        deadline=deadline,
        language=asked.language,
        zalo_user_id=asked.to.zalo_user_id,
        api_key_id=g.api_key_id,
        urgent=asked.urgent,
    )
    return Draft(planned, (), late)


def _missing(asked: NoticeAsked, place: str) -> Iterator[dict[str, str]]:
    for name in NEEDED[asked.kind]:
        if getattr(asked.data, name) is None:
            yield _fault(
                f"{place}/data/{name}", f"tin {asked.kind} cần có {name}", f"{asked.kind} needs {name}"
            )


def _facts(asked: NoticeAsked) -> dict[str, Any]:
    """The data, and what a sentence needs that a program need not know."""
    given = asked.data.model_dump(exclude_none=True)
    if asked.kind == "called":
        given.setdefault("counter", {"vi": "quầy", "en": "the counter"}[asked.language])
    if asked.kind == "missed":
        given.setdefault("minutes", str(api.gate().config.policy.missed_within // 60))
    return given


def _deadline(asked: NoticeAsked, due: int) -> int:
    """As asked, else what the kind is worth: an appointment until its hour, a call two minutes."""
    own = api.gate().config.notices.deadlines
    if asked.deadline:
        return hours.seconds(asked.deadline)
    if asked.kind in ("appointment", "reminder") and asked.data.time:
        return hours.seconds(asked.data.time) - own.appointment
    return due + {"called": own.called, "near": own.near}.get(asked.kind, own.other)


def _bad_times(asked: NoticeAsked, place: str, now: int, due: int, deadline: int) -> Iterator[dict[str, str]]:
    if due > now + FURTHEST:
        yield _fault(f"{place}/send_at", "không quá 366 ngày nữa", "at most 366 days ahead")
    if deadline > max(due, now) + FURTHEST:
        pointer = "deadline" if asked.deadline else "data/time"
        yield _fault(f"{place}/{pointer}", "không quá 366 ngày nữa", "at most 366 days ahead")
    if deadline <= due:
        pointer = "deadline" if asked.deadline else "data/time"
        yield _fault(
            f"{place}/{pointer}",
            "đã quá giờ: gửi lúc đó không còn ích gì",
            "too late to be of any use by then",
        )


def _mine() -> int | None:
    """A program sees its own notices; an admin's key sees all."""
    return None if g.api_scope == "admin" else g.api_key_id


def _found(session: Session, notice_id: str) -> tables.Notice:
    row = listing.one(session, notice_id, _mine()) if len(notice_id) <= 36 else None
    if row is None:
        raise Problem(404, "Không có tin báo này. / There is no such notice.")
    return row


@blueprint.get("/<notice_id>")
@callers.program("notices")
def get(notice_id: str) -> Response:
    """One notice with everything that was tried."""
    with database.reading(api.gate().engine) as session:
        row = _found(session, notice_id)
        tried = [_attempt(one) for one in listing.attempts(session, row.id)]
        return jsonify({**_shown(row), "attempts": tried})


def _shown(row: tables.Notice) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "channel": row.channel,
        "to": {"phone": row.phone, "zalo_user_id": row.zalo_user_id},
        "urgent": row.urgent,
        "deadline": _at(row.deadline),
        "due": _at(row.due) if row.final_at is None else None,
        "reason": row.reason,
        "reached_twice": row.reached_twice,
        "created_at": _at(row.created_at),
        "changed_at": _at(row.changed_at),
        "final_at": _at(row.final_at),
    }


def _at(moment: int | None) -> str | None:
    return None if moment is None else hours.rfc3339(moment, api.gate().config.station.zone)


def _attempt(one: tables.Attempt) -> dict[str, Any]:
    return {
        "channel": one.channel,
        "state": one.state,
        "code": one.code,
        "reason": one.reason,
        "provider_ref": one.provider_ref,
        "parts": one.parts,
        "cost": one.cost,
        "at": _at(one.at),
        "answered_at": _at(one.answered_at),
        "receipt_at": _at(one.receipt_at),
    }


@blueprint.get("")
@callers.program("notices")
def index() -> Response:
    """Pages of notices, oldest first: {"notices", "next"}; `next` is the cursor of the page that follows."""
    wanted = _wanted()
    with database.reading(api.gate().engine) as session:
        rows = listing.page(session, wanted)
        more = len(rows) == wanted.most
        return jsonify(
            {"notices": [_shown(row) for row in rows], "next": _cursor(rows[-1].id) if more else None}
        )


def _wanted() -> listing.Wanted:
    faults = []
    state, kind = request.args.get("state"), request.args.get("kind")
    if state is not None and state not in set(State):
        faults.append(_fault("/state", "không có trạng thái này", "there is no such state"))
    if kind is not None and kind not in wording.TEXT:
        faults.append(_fault("/kind", "không có loại tin này", "there is no such kind"))
    since = after = None
    try:
        since = hours.seconds(request.args["since"]) if "since" in request.args else None
        if since is not None and not 0 <= since < 2**40:
            raise ValueError(since)
    except (ValueError, OverflowError):
        faults.append(_fault("/since", "cần giờ kèm múi giờ", "a time with its offset is needed"))
    try:
        after = _uncursor(request.args["cursor"]) if "cursor" in request.args else None
    except ValueError:
        faults.append(_fault("/cursor", "không phải con trỏ của trang trước", "not a page's cursor"))
    most = api.whole(request.args.get("limit", "100"))
    if most is None or not 1 <= most <= MOST_ON_A_PAGE:
        faults.append(_fault("/limit", f"từ 1 đến {MOST_ON_A_PAGE}", f"from 1 to {MOST_ON_A_PAGE}"))
    if faults:
        raise _refusal(faults)
    return listing.Wanted(_mine(), state, kind, since, after, most or 1)


def _cursor(notice_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([1, notice_id]).encode()).decode().rstrip("=")


def _uncursor(text: str) -> str:
    """The id in a cursor; ValueError for anything that is none."""
    if len(text) > 100 or not text.isascii():
        raise ValueError(text)
    found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    if not (isinstance(found, list) and len(found) == 2 and found[0] == 1 and isinstance(found[1], str)):
        raise ValueError(text)
    if not re.fullmatch(r"n_[0-9a-f]{32}", found[1]):
        raise ValueError(text)
    return found[1]


@blueprint.post("/<notice_id>/cancel")
@callers.program("notices")
def cancel(notice_id: str) -> Response:
    """Withdraw a notice; what was handed over already may still arrive. Says the state it has now."""
    here = api.gate()
    with database.writing(here.engine) as session:
        row = _found(session, notice_id)
        row = notices.cancel(session, row.id, here.now(), notices.policy(here.config)) or row
        return jsonify({"id": row.id, "state": row.state, "reason": row.reason})
