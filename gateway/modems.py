"""modem: what each one last said of itself, what its SIM has sent today, and what a person must do about it.

The process that has the port tells (`told`); everybody else reads the row. What lasts becomes an alert: a SIM
that needs hands at once, a modem that says nothing after ten minutes, as it is plugged in again now and then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import time
from typing import Any, Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from gateway import alerts, notices, tables
from gateway.rules import channels, hours
from gateway.rules.settings import Settings

SILENT_SECONDS = 600
"""A modem that is not ready for so long needs somebody."""

SAID_SECONDS = 180
"""What was said longer ago is old: whoever has the port says it again at least every minute."""

UNSURE_SECONDS = 180
"""A part that was given to the modem and has no number after so long may have been taken, or not."""

GONE_SECONDS = 86_400
WEAK_DBM = -103
BARS = (-109, -97, -85, -73)
"""From how many dBm on a handset draws one, two, three and four bars."""

LOCKED = ("pin", "puk", "absent", "failure")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_s, _p = tables.ModemState, tables.SmsPart
_ROOM = {
    "device": 200, "model": 80, "state": 10, "reason": 200, "sim": 10, "network": 10, "operator": 40,
}  # fmt: skip
_WHOLE = ("stored", "memory", "recoveries")


class State(Protocol):
    """What a modem says of itself, in the words of `tables.ModemState`."""

    state: str
    reason: str
    sim: str
    network: str
    operator: str
    signal: int | None
    model: str
    device: str
    stored: int
    memory: int
    recoveries: int
    since: int


@dataclass(frozen=True)
class Counted:
    """The parts of a SIM since midnight: `sent` of them `delivered` or `failed`; nobody knows of `unknown`."""

    sent: int = 0
    last_hour: int = 0
    delivered: int = 0
    failed: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class Seen:
    """A modem as the officer sees it. `said` is None where none has ever said anything.

    `fresh`: it was said by a process that has the port now. `bars` of 4; None where no signal is known.
    """

    channel: str
    url: str
    said: tables.ModemState | None
    fresh: bool
    counted: Counted
    per_minute: int
    per_day: int
    bars: int | None
    advice: str

    @property
    def well(self) -> bool:
        return self.fresh and self.said is not None and self.said.state == "ready" and not trouble(self.said)

    @property
    def full(self) -> bool:
        """The day's parts are used up."""
        return self.counted.sent >= self.per_day


def names(config: Settings) -> list[str]:
    """The modems that something may go by."""
    used = channels.used(config)
    return [name for name in channels.modems(config) if name in used]


def told(session: Session, channel: str, host: str, state: State, now: int) -> bool:
    """A modem says what it is like now; False where another process has it, and this one has merely looked for it.

    `host` names the process: "pi:4711".
    """
    row = session.get(_s, channel)
    if row is not None and _another_has_it(row, host, state, now):
        return False
    since = state.since or (row.since if row is not None and row.state == state.state else now)
    given: dict[str, Any] = {name: _clean(getattr(state, name), most) for name, most in _ROOM.items()}
    given |= {name: max(0, int(getattr(state, name) or 0)) for name in _WHOLE}
    row = session.merge(
        _s(channel=channel, host=_clean(host, 60), signal=state.signal, since=since, seen_at=now, **given)
    )
    session.flush()
    _judge(session, row, now)
    return True


def _another_has_it(row: tables.ModemState, host: str, state: State, now: int) -> bool:
    lives = row.state == "ready" and 0 <= now - row.seen_at < SAID_SECONDS
    return lives and row.host != _clean(host, 60) and state.state != "ready"


def _clean(text: Any, most: int) -> str:
    """A modem's word as a column takes it: bytes on a line may be anything."""
    return _CONTROL.sub(" ", str(text or "")).strip()[:most]


def _judge(session: Session, row: tables.ModemState, now: int) -> None:
    """Raise what needs hands, and end what is well again."""
    about = {"channel": row.channel, "reason": advice(row), "code": row.sim if row.sim in LOCKED else ""}
    if trouble(row):
        alerts.lasting(session, f"sim:{row.channel}", "sim", about, now)
    elif row.state == "ready":
        alerts.over(session, f"sim:{row.channel}", now)
    if row.state == "ready":
        alerts.over(session, f"modem:{row.channel}", now)


def trouble(row: tables.ModemState) -> bool:
    """Whether the SIM or its network refuses: nothing mends that but a person."""
    return row.sim in LOCKED or row.network == "denied"


def look(session: Session, config: Settings, now: int) -> None:
    """Raise the alert of each modem that is not ready for long, also where its process has gone with it."""
    rows = {row.channel: row for row in session.scalars(select(_s))}
    for channel in names(config):
        row = rows.get(channel)
        if row is None:
            continue
        stopped = now - row.seen_at >= SILENT_SECONDS
        if stopped or (row.state != "ready" and now - row.since >= SILENT_SECONDS):
            about = {"channel": channel, "reason": UNHEARD if stopped else advice(row), "code": row.state}
            alerts.lasting(session, f"modem:{channel}", "modem", about, now)
        if trouble(row) and not stopped:
            _judge(session, row, now)


def forget_gone(session: Session, config: Settings, now: int) -> int:
    """Forget the modems that nobody uses any more: out of the configuration, and unheard for a day."""
    old = _s.seen_at < now - GONE_SECONDS
    gone = session.scalars(select(_s.channel).where(_s.channel.not_in(names(config)), old)).all()
    for channel in gone:
        alerts.over(session, f"sim:{channel}", now)
        alerts.over(session, f"modem:{channel}", now)
    session.execute(delete(_s).where(_s.channel.in_(gone)))
    return len(gone)


def seen(session: Session, config: Settings, now: int) -> list[Seen]:
    """Each modem of the configuration, in its order."""
    mine = names(config)
    rows = {row.channel: row for row in session.scalars(select(_s).where(_s.channel.in_(mine)))}
    sums = counted(session, config, now) if mine else {}
    midnight = _midnight(config, now)
    found = []
    for name in mine:
        # What the SIM's day is measured by counts also what was handed over and then failed
        sent = notices.parts_since(session, name, midnight)
        found.append(_seen(name, rows.get(name), config, replace(sums.get(name, Counted()), sent=sent), now))
    return found


def _midnight(config: Settings, now: int) -> int:
    return hours.at(hours.day_of(now, config.station.zone), time(), config.station.zone)


def _seen(name: str, row: tables.ModemState | None, config: Settings, sums: Counted, now: int) -> Seen:
    sim = config.sms.sim(name)
    fresh = row is not None and now - row.seen_at < SAID_SECONDS
    words = advice(row) if row is not None and fresh else UNHEARD if row is not None else UNKNOWN
    level = bars(row.signal) if row is not None and fresh else None
    return Seen(name, sim.url, row, fresh, sums, sim.per_minute, sim.per_day, level, words)


def wants(session: Session, config: Settings, now: int) -> Mapping[str, str]:
    """What the modems that cannot send now want of a person; one that has never said anything is not judged."""
    rows = session.scalars(select(_s).where(_s.channel.in_(names(config))))
    words = {row.channel: _wanted(row, now) for row in rows}
    return {channel: word for channel, word in words.items() if word}


def _wanted(row: tables.ModemState, now: int) -> str:
    if now - row.seen_at >= SAID_SECONDS:
        return UNHEARD
    return "" if row.state == "ready" and not trouble(row) else advice(row)


def counted(session: Session, config: Settings, now: int) -> Mapping[str, Counted]:
    """By lane that reports by part (modems, SMPP): today's parts, the day being the station's."""
    midnight = _midnight(config, now)
    today, lately = _p.at >= midnight, _p.at > now - 3_600
    nameless = _p.state == "claimed"
    given_up = nameless & (_p.at < now - UNSURE_SECONDS)
    sums = (
        select(
            _p.channel,
            func.count().filter(today).label("sent"),
            func.count().filter(lately).label("last_hour"),
            func.count().filter(today, _p.state == "delivered").label("delivered"),
            func.count().filter(today, _p.state == "failed").label("failed"),
            func.count().filter(today, nameless).label("unknown"),
        )
        # shortly after midnight the last hour began yesterday
        .where(_p.at >= min(midnight, now - 3_600), ~nameless | given_up)
        .group_by(_p.channel)
    )
    return {row.channel: Counted(*row[1:]) for row in session.execute(sums)}


def bars(dbm: int | None) -> int | None:
    """How many bars of four a handset would draw."""
    return None if dbm is None else sum(dbm >= least for least in BARS)


UNKNOWN = (
    "Chưa có tiến trình nào mở modem này: hãy chạy `python -m gateway work` (hoặc serve) trên máy cắm modem / "
    "no process has opened this modem yet: run `python -m gateway work` (or serve) on the host that has it"
)
UNHEARD = (
    "Máy cắm modem không còn báo gì: hãy xem máy và dịch vụ gateway có đang chạy không / "
    "the host of the modem says nothing any more: see whether it and its gateway run"
)
_SIM = {
    "pin": "SIM chưa mở khoá: ghi mã PIN đúng vào tệp pin_file của modem trong config.toml, rồi khởi động lại / "
    "the SIM is locked: put its right PIN into the modem's pin_file (config.toml) and start again",
    "puk": "SIM bị khoá PUK vì sai PIN nhiều lần: lắp SIM vào điện thoại, mở bằng mã PUK của nhà mạng / "
    "the SIM wants its PUK after wrong PINs: unlock it in a phone with the operator's PUK",
    "absent": "Không thấy SIM: rút nguồn modem, lắp lại SIM cho chắc / "
    "no SIM is seen: unplug the modem and seat the SIM again",
    "failure": "SIM lỗi: lắp lại; nếu vẫn lỗi thì thay SIM khác / the SIM fails: seat it again, else use another",
}
_NETWORK = {
    "denied": "Nhà mạng từ chối SIM này (hết hạn, bị khoá, hết tiền?): gọi tổng đài của nhà mạng / "
    "the network refuses this SIM (expired, barred, no money?): call the operator",
    "searching": "Đang tìm sóng: xem ăng-ten và chỗ đặt modem / "
    "looking for a network: see the antenna and where the modem stands",
    "off": "Modem không tìm sóng: tắt rồi bật lại modem / the modem does not look for a network: switch it off and on",
}
_STATE = {
    "opening": "Đang mở modem, đợi một lát / the modem is being opened, wait a moment",
    "silent": "Modem không trả lời; hệ thống tự thử lại. Quá 10 phút thì rút nguồn modem rồi cắm lại / "
    "the modem does not answer and is tried again; after 10 minutes unplug it and plug it in again",
    "gone": "Không thấy cổng của modem: xem cáp USB và nguồn. Cắm lại là hệ thống tự dùng tiếp / "
    "the modem's port is gone: see its cable and power; it is used again by itself once it is back",
    "refused": "Modem từ chối lệnh: xem SIM, số dư và gói cước / the modem refuses: see the SIM, its money and plan",
}
_WEAK = "Sóng yếu: đưa modem hoặc ăng-ten lại gần cửa sổ / the signal is weak: move the modem or antenna to a window"
_FULL = "Bộ nhớ tin của SIM gần đầy: tin mới có thể không vào / the SIM's memory is nearly full: texts may not come in"


def advice(row: tables.ModemState) -> str:
    """What a person should do, "vi / en"; empty where all is well. What the modem itself said comes first."""
    if row.state == "gone":
        return _STATE["gone"]
    word = _SIM.get(row.sim) or (_NETWORK.get(row.network) if row.state != "silent" else None)
    if word is None and row.state != "ready":
        word = row.reason or _STATE.get(row.state, "")
    if word is None and row.signal is not None and row.signal <= WEAK_DBM:
        word = _WEAK
    if word is None and row.memory and row.stored * 10 >= row.memory * 9:
        word = _FULL
    return word or ""
