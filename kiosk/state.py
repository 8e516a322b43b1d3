"""What the gateway last told of the station, checked and frozen; kept on disk for the days without it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk import clock, durable, wording

FILE = "state.json"
# A touch screen has room for six; more would need a page that scrolls, which a standing person does not.
MOST_SERVICES = 6
# Seconds without a word of the gateway after which its numbers of waiting people are no longer shown.
FRESH = 30.0


@dataclass(frozen=True)
class Service:
    code: str
    vi: str
    en: str


@dataclass(frozen=True)
class Shift:
    """Times are epoch s. `reason_vi`, `reason_en` say why it is not open, when the gateway knows."""

    open: bool
    opens_at: float
    closes_at: float
    reason_vi: str = ""
    reason_en: str = ""


@dataclass(frozen=True)
class State:
    """`ahead`: people before a newcomer, by service. `eta`: from and to (epoch s), by service.

    `server_time`: when the gateway said all this (epoch s). `shift` None: no shift today.
    `acked` and `issued` (day, n), when the gateway tells them: how far it has this kiosk's journal and
    numbers, so that a kiosk with a new disk goes on where the old one stopped.
    """

    site: str
    place: str
    services: tuple[Service, ...]
    shift: Shift | None
    waiting: int | None
    ahead: Mapping[str, int]
    eta: Mapping[str, tuple[float, float]]
    base_url: str
    server_time: float
    acked: int | None = None
    issued: tuple[str, int] | None = None

    def service(self, code: str) -> Service | None:
        return next((service for service in self.services if service.code == code), None)


@dataclass(frozen=True)
class Known:
    """The newest state, and when it came on the monotonic clock of this boot (None: kept from before)."""

    state: State | None = None
    heard: float | None = None

    def fresh(self, moment: clock.Moment) -> bool:
        return self.heard is not None and moment.monotonic - self.heard <= FRESH


def closed(known: Known, moment: clock.Moment) -> wording.Both | None:
    """Why no ticket is given now, in both languages; None when the station is open.

    The gateway's word counts while it is fresh. Without it, the hours it told for today count;
    on a day it told nothing about, the kiosk serves: people are standing in front of it.
    """
    state = known.state
    if state is None:
        return None
    told, today = (clock.day(at, moment.zone) for at in (state.server_time, moment.at))
    if not known.fresh(moment) and told != today:
        return None
    shift = state.shift
    if shift is None:
        return wording.both("Hôm nay không có buổi làm việc.")
    if known.fresh(moment):
        return None if shift.open else _reason(shift, moment)
    return None if shift.opens_at <= moment.at < shift.closes_at else _reason(shift, moment)


def _reason(shift: Shift, moment: clock.Moment) -> wording.Both:
    if shift.reason_vi:
        return {"vi": shift.reason_vi, "en": shift.reason_en or shift.reason_vi}
    if moment.at < shift.opens_at:
        return wording.both("Bắt đầu lấy số lúc {hour}.", hour=clock.hour(shift.opens_at, moment.zone))
    if moment.at >= shift.closes_at:
        return wording.both("Đã hết giờ lấy số hôm nay.")
    return wording.both("Hiện chưa nhận lấy số.")


def parse(document: Mapping[str, Any]) -> State:
    """The gateway's answer to `GET /api/v1/kiosk/state`; ValueError names the part that is wrong."""
    part = "document"
    try:
        part = "site"
        site = document["site"]
        name, place = _text(site["name"]), _text(site.get("place") or site.get("address") or site["name"])
        part = "services"
        services = tuple(_service(entry) for entry in document["services"])[:MOST_SERVICES]
        part = "shift"
        shift = _shift(document["shift"])
        part = "queue"
        queue = document.get("queue") or {}
        ahead, eta = _ahead(queue.get("ahead") or {}), _eta(queue.get("eta") or {})
        waiting = None if queue.get("waiting") is None else int(queue["waiting"])
        part = "base_url"
        base_url = _text(document["base_url"], 200).rstrip("/")
        part = "server_time"
        told_at = clock.parse(document["server_time"])
        part = "kiosk"
        acked, issued = _progress(document.get("kiosk") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise ValueError(f"the gateway's state: {part}: {fault}") from fault
    return State(name, place, services, shift, waiting, ahead, eta, base_url, told_at, acked, issued)


def load(folder: Path) -> State | None:
    """The state kept by `keep`; None when there is none that can be read."""
    document = durable.read_json(folder / FILE)
    try:
        return parse(document) if document else None
    except ValueError:
        return None


def keep(folder: Path, document: Mapping[str, Any]) -> None:
    durable.write_json(folder / FILE, document)


def _text(value: Any, limit: int = 80) -> str:
    """One line of composed characters without control bytes, never longer than a ticket can take."""
    composed = unicodedata.normalize("NFC", str(value))
    plain = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in composed)
    return " ".join(plain.split())[:limit]


def _progress(entry: Mapping[str, Any]) -> tuple[int | None, tuple[str, int] | None]:
    acked, issued = entry.get("acked"), entry.get("issued")
    return (
        None if acked is None else int(acked),
        (_text(issued["day"], 10), int(issued["n"])) if issued else None,
    )


def _service(entry: Mapping[str, Any]) -> Service:
    vi = _text(entry["name"]["vi"])
    return Service(_text(entry["code"], 40), vi, _text(entry["name"].get("en") or vi))


def _shift(entry: Mapping[str, Any] | None) -> Shift | None:
    if entry is None:
        return None
    reason = entry.get("reason") or {}
    return Shift(
        entry["open"] is True,
        clock.parse(entry["opens_at"]),
        clock.parse(entry["closes_at"]),
        _text(reason.get("vi") or "", 200),
        _text(reason.get("en") or "", 200),
    )


def _ahead(entries: Mapping[str, Any]) -> dict[str, int]:
    return {_text(code, 40): int(count) for code, count in entries.items() if count is not None}


def _eta(entries: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {
        _text(code, 40): (clock.parse(pair[0]), clock.parse(pair[1]))
        for code, pair in entries.items()
        if pair
    }
