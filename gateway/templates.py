"""mẫu tin Zalo: what Zalo says of the templates that config names, kept and compared with how config fills them.

Read at start-up, hourly, and at once when Zalo tells of a change: a template that changed is an alert before it
is an evening's refused messages. A reading that fails changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from gateway import alerts, database, tables
from gateway.notices.words import storable
from gateway.queue.day import insert_new
from gateway.rules import channels, numbers, templates, wording
from gateway.rules.settings import Settings
from gateway.rules.templates import Problem

log = logging.getLogger(__name__)
STALE, TRIED = "templates.stale", "templates.tried"
READ_SECONDS, AGAIN_SECONDS, CHANGED_SECONDS = 3_600, 300, 60
MOST, MOST_PARAMS = 40, 60
ENABLED, ABSENT = "ENABLE", "ABSENT"
UNKNOWN_TO_ZALO = "-109"
_STATUSES = {"1": ENABLED, "2": "PENDING_REVIEW", "3": "REJECT", "4": "DISABLE", "ENABLED": ENABLED}
_facts = tables.Fact.__table__.c


class Client(Protocol):
    """Who asks Zalo. `template(id)`: its data as Zalo gives them, or an exception that may have a `code`."""

    def template(self, template_id: str) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Synced:
    """A round of reading: how many templates were read and failed, and the kinds that are not well."""

    read: int
    failed: int
    faulty: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What a sender knows of the templates, in memory: kind → what Zalo said last."""

    rows: Mapping[str, tables.ZaloTemplate]

    def faults(self, kind: str, data: Mapping[str, str]) -> list[Problem]:
        """What Zalo would refuse; nothing where it never said what it wants: Zalo judges."""
        row = self.rows.get(kind)
        return templates.faults(row.params, data) if row is not None and row.params else []

    def usable(self, kind: str) -> bool:
        """False where Zalo has said that the template may not be sent."""
        row = self.rows.get(kind)
        return row is None or row.status in ("", ENABLED)

    def price(self, kind: str, channel: str) -> int | None:
        """đồng a message as Zalo says; None where it has not said, and config's price holds."""
        row = self.rows.get(kind)
        if row is None:
            return None
        return {channels.BY_PHONE: row.price_phone, channels.BY_USER_ID: row.price_uid}.get(channel)


def known(session: Session, config: Settings) -> Known:
    """What was read of the templates that config names."""
    named = config.zalo.templates
    ids = {one.id for one in named.values()}
    rows = {
        row.id: row
        for row in session.scalars(select(tables.ZaloTemplate).where(tables.ZaloTemplate.id.in_(ids)))
    }
    return Known({kind: rows[one.id] for kind, one in named.items() if one.id in rows})


def due(session: Session, config: Settings, now: int) -> bool:
    """Whether it is time to read them: the hour is over, the last try failed, Zalo or config has changed."""
    if not config.zalo.templates:
        return False
    facts = {row.name: row for row in session.scalars(_kept())}
    tried, stale = facts.get(TRIED), facts.get(STALE)
    if tried is None or tried.at > now:  # a clock that was set back is no reason to wait
        return True
    named, _, failed = tried.value.partition(" ")
    patience = AGAIN_SECONDS if failed else CHANGED_SECONDS if stale is not None else READ_SECONDS
    return named != _named(config) or now - tried.at >= patience


def stale(session: Session, now: int) -> None:
    """Zalo has told of a change: they are read anew at the next look."""
    _remember(session, STALE, "", now)


def sync(engine: Engine, client: Client, config: Settings, now: int) -> Synced:
    """Read every template that config names and say what does not fit; no transaction is open meanwhile."""
    named = {one.id for one in config.zalo.templates.values()}
    with database.reading(engine) as session:
        told = session.get(tables.Fact, STALE)
    answers, failed = _asked(client, sorted(named)[:MOST])
    with database.writing(engine) as session:
        for template_id, answer in answers.items():
            _store(session, template_id, answer, now)
        faulty = _judge(session, config, answers, now)
        _remember(session, TRIED, f"{_named(config)}{' failed' if failed else ''}", now)
        if told is not None and not failed:
            # One that came in this very second may have come after the reading: it is read once more
            session.execute(
                delete(tables.Fact).where(_facts.name == STALE, _facts.at == told.at, _facts.at < now)
            )
    return Synced(len(answers), failed, faulty)


def _asked(client: Client, ids: Sequence[str]) -> tuple[dict[str, Mapping[str, Any]], int]:
    """Id → what is to be stored of it, and how many could not be read."""
    answers: dict[str, Mapping[str, Any]] = {}
    failed = 0
    for place, template_id in enumerate(ids):
        try:
            answers[template_id] = _values(client.template(template_id))
        except Exception as fault:
            if str(getattr(fault, "code", "")) == UNKNOWN_TO_ZALO:
                answers[template_id] = {"status": ABSENT, "reason": _text(getattr(fault, "reason", ""), 200)}
                continue
            log.warning("template %s cannot be read: %s: %s", template_id, type(fault).__name__, fault)
            alone = isinstance(fault, ValueError) or getattr(fault, "scope", "") in ("message", "template")
            if not alone:
                return answers, failed + len(ids) - place  # the others would wait in vain as well
            failed += 1
    return answers, failed


def _values(raw: Any) -> Mapping[str, Any]:
    """The columns of a row, from `template/info/v2`'s data; ValueError if it is no such answer."""
    if not isinstance(raw, Mapping) or not ({"status", "listParams"} & raw.keys()):
        raise ValueError("the answer describes no template")
    status = _text(raw.get("status"), 20).upper()
    timeout, params = _whole(raw.get("timeout")), _params(raw.get("listParams"))
    values = {
        "name": _text(raw.get("templateName"), 120),
        "status": _STATUSES.get(status, status),
        "tag": _text(raw.get("templateTag"), 30),
        "quality": _text(raw.get("templateQuality"), 12),
        "timeout": None if timeout is None else timeout // 1_000,
        "price_phone": _whole(raw.get("price_sdt", raw.get("price"))),
        "price_uid": _whole(raw.get("price_uid")),
        "daily_quota": _whole(raw.get("templateDailyQuota")),
        "remaining": _whole(raw.get("templateRemainingQuota")),
        "reason": _text(raw.get("reason"), 200),
    }
    return values | ({"params": params} if params else {})


def _params(listed: Any) -> list[dict[str, Any]]:
    """Every template has parameters, so an answer without any does not say what they are."""
    found = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    named = [(_text(one.get("name"), 60).strip("<> "), one) for one in found[:MOST_PARAMS]]
    return [
        {
            "name": name,
            # What may be null may be left empty, whatever `require` says
            "require": bool(one.get("require")) and not one.get("acceptNull"),
            "type": _text(one.get("type"), 30),
            "max": _whole(one.get("maxLength")),
            "min": _whole(one.get("minLength")),
        }
        for name, one in named
        if name
    ]


def _store(session: Session, template_id: str, values: Mapping[str, Any], now: int) -> None:
    """What an answer does not say stays as it was; so does the reason of a status that stays."""
    fresh = {"name": "", "status": "", "params": [], "tag": "", "quality": "", "reason": "", "read_at": now}
    insert_new(session, tables.ZaloTemplate, id=template_id, **fresh)
    row = session.get_one(tables.ZaloTemplate, template_id, with_for_update=True)
    reason = values["reason"] or (row.reason if row.status == values["status"] else "")
    for column, value in values.items():
        setattr(row, column, value)
    row.reason, row.read_at = reason, now
    session.flush()


def _judge(session: Session, config: Settings, read: Iterable[str], now: int) -> tuple[str, ...]:
    """Raise or end the alert of each kind whose template was read; the kinds that are not well."""
    greatest, cached, read = _greatest(session, config), known(session, config), set(read)
    faulty = []
    for kind, own in config.zalo.templates.items():
        row = cached.rows.get(kind)
        if row is None or own.id not in read:
            continue
        wanted = row.params if row.status != ABSENT else []
        problems = templates.mismatch(wanted, own.params, greatest) if wanted else []
        if cached.usable(kind) and not problems:
            alerts.over(session, _key(kind), now)
            continue
        faulty.append(kind)
        alerts.lasting(session, _key(kind), "template", _told(kind, row, problems), now)
    _forget(session, config, now)
    return tuple(faulty)


def _told(kind: str, row: tables.ZaloTemplate, problems: Sequence[Problem]) -> dict[str, Any]:
    """An alert's data; `reason` is "tiếng Việt / English" as everywhere."""
    said = row.reason.replace(" / ", "/")
    said = f": {said}" if said else ""
    pairs = [(one.vi, one.en) for one in problems]
    if row.status == ABSENT:
        pairs.insert(0, (f"Zalo không có mẫu {row.id}{said}", f"Zalo has no template {row.id}{said}"))
    elif row.status not in ("", ENABLED):
        state = f"{row.id}: {row.status}{said}"
        pairs.insert(0, (f"trạng thái của mẫu {state}", f"status of template {state}"))
    else:
        pairs.insert(0, (f"mẫu {row.id}", f"template {row.id}"))
    return {
        "channel": channels.BY_PHONE,
        "subject": kind,
        "id": row.id,
        "status": row.status,
        "problems": [{"name": one.name, "code": one.code} for one in problems],
        "reason": " / ".join(_sentence(pair[tongue] for pair in pairs) for tongue in (0, 1)),
    }


def _sentence(parts: Iterable[str]) -> str:
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."


def _forget(session: Session, config: Settings, now: int) -> None:
    """A kind that config names no more has no template that could be wrong."""
    kept = [_key(kind) for kind in config.zalo.templates]
    gone = update(tables.Alert).where(
        tables.Alert.kind == "template", tables.Alert.closed_at.is_(None), tables.Alert.key.not_in(kept)
    )
    session.execute(gone.values(closed_at=now).execution_options(synchronize_session=False))


def _greatest(session: Session, config: Settings) -> dict[str, str]:
    """Field → the longest text that this station itself puts there; people's names are not known before."""
    sites = session.execute(
        select(tables.Site.name, tables.Site.address).where(tables.Site.active.is_(True))
    ).all()
    labels = session.scalars(select(tables.Counter.label).distinct()).all()
    number = numbers.label(numbers.DESK_SERIES, 999)
    return {
        "place": _longest(site.name for site in sites),
        "address": _longest(site.address for site in sites),
        "counter": _longest(wording.counter_name(label, "vi") for label in labels),
        "number": number,
        "code": number,
        "time": "08:00",
        "date": "24/11/2026",
        "url": f"{config.web.base_url}/p/{'x' * 22}",
        "station": config.station.short_name,
    }


def _longest(texts: Iterable[str]) -> str:
    return max((unicodedata.normalize("NFC", text) for text in texts), key=len, default="")


def _key(kind: str) -> str:
    return f"template:{kind}"


def _named(config: Settings) -> str:
    """What config asks of Zalo, in short: when it changes, they are read at once."""
    asked = {kind: [one.id, dict(one.params)] for kind, one in config.zalo.templates.items()}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _kept() -> Any:
    return select(tables.Fact).where(_facts.name.in_((STALE, TRIED)))


def _remember(session: Session, name: str, value: str, now: int) -> None:
    if not insert_new(session, tables.Fact, name=name, value=value, at=now):
        changed = update(tables.Fact).where(_facts.name == name).values(value=value, at=now)
        session.execute(changed.execution_options(synchronize_session=False))


def _text(value: Any, most: int) -> str:
    said = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return storable(unicodedata.normalize("NFC", said), most)


def _whole(value: Any) -> int | None:
    """Zalo writes numbers as numbers or as texts; what is none, or too long for a column, is not given."""
    text = str(value).strip().removesuffix(".0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
