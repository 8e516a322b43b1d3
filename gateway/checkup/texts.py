"""The lanes of text messages: modems, providers over HTTP and by SMPP, each asked something that costs nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests
from sqlalchemy import Engine, select

from gateway import config as configuration
from gateway import connections, database, modems, tables
from gateway.channels import codes
from gateway.checkup import bind, port
from gateway.checkup.finding import Finding, tried
from gateway.rules import channels
from gateway.rules.settings import Settings
from gateway.rules.smpp.pdus import Status

PATIENCE = 5
WORKPLACE_SECONDS = 60
SIM_WORDS = {
    "ready": "SIM sẵn sàng / SIM ready",
    "pin": "SIM cần mã PIN / the SIM wants its PIN",
    "puk": "SIM bị khoá PUK / the SIM wants its PUK",
    "absent": "không thấy SIM / no SIM",
    "failure": "SIM lỗi / the SIM fails",
}
NETWORK_WORDS = {
    "home": "mạng nhà / home network",
    "roaming": "chuyển vùng / roaming",
    "searching": "đang tìm sóng / searching",
    "denied": "bị nhà mạng từ chối / denied",
    "off": "chưa vào mạng / not registered",
}


def findings(config: Settings, engine: Engine | None, now: int) -> Iterator[Finding]:
    """Every lane of text messages that the configuration uses. `engine` None: the database cannot be read."""
    lanes = [name for name in channels.used(config) if channels.is_text(name)]
    mine = channels.here(config)
    for name in lanes:
        if config.sms.sim(name) is not None:
            yield _modem(name, config, engine, now, name in mine)
        elif name == "smpp" and name in mine:
            yield _centre(name, config, engine, now)
        elif name in mine:
            yield _provider(name, config, engine)
        else:
            yield Finding(name, True, "máy khác gửi / another host sends on it")
    if lanes:
        yield _prices(config, lanes)


def _prices(config: Settings, lanes: list[str]) -> Finding:
    """A lane without a price counts as free: the month's sum is wrong, and the cheapest order too."""
    own = {name: config.sms.lane(name) for name in lanes}
    free = [name for name, lane in own.items() if not lane.price and not any(lane.prices.values())]
    if not free:
        return Finding("sms prices", True, "có đủ / present")
    text = f"chưa có giá, tính là 0 đồng / no price, counted as 0: {', '.join(free)}"
    return Finding("sms prices", config.sms.order != "cheapest", text)


# Modems


def _modem(name: str, config: Settings, engine: Engine | None, now: int, mine: bool) -> Finding:
    """By the row of whoever has the port; only where nobody has it is the port opened."""
    row = _row(engine, name, now)
    if row is not None:
        host, seconds = row.host.partition(":")[0], now - row.seen_at
        ago = f"{host} báo {seconds} s trước / told {seconds} s ago"
        return _judged(name, config, row, ago)
    if not mine:
        return Finding(name, False, "máy khác cắm modem, và không báo gì / its host says nothing")
    return tried(name, lambda: _at_its_port(name, config))


def _row(engine: Engine | None, name: str, now: int) -> tables.ModemState | None:
    """What the modem's process said lately, while a process that sends there is alive."""
    if engine is None or not _alive(engine, name, now):
        return None
    with database.reading(engine) as session:
        row = session.get(tables.ModemState, name)
    return row if row is not None and now - row.seen_at < modems.SAID_SECONDS else None


def _at_its_port(name: str, config: Settings) -> Finding:
    try:
        answers = port.ask(config.sms.sim(name).url)
    except port.NoPort as fault:
        return Finding(name, False, str(fault)[:300])
    except port.Silent:
        return Finding(name, False, "modem im lặng / the modem is silent")
    state = "ready" if answers.sim == "ready" and answers.network in ("home", "roaming") else "refused"
    row = tables.ModemState(channel=name, state=state, stored=0, memory=0, reason="", **vars(answers))
    return _judged(name, config, row, "hỏi trực tiếp / asked now")


def _judged(name: str, config: Settings, row: tables.ModemState, source: str) -> Finding:
    signal = f"{row.signal} dBm" if row.signal is not None else "không rõ sóng / signal unknown"
    seen = [row.model, SIM_WORDS.get(row.sim, ""), NETWORK_WORDS.get(row.network, ""), row.operator, signal]
    if row.state != "ready":
        seen.insert(0, row.state)
    advice = modems.advice(row)
    if row.sim == "pin" and source.startswith("hỏi"):
        advice = "hệ thống sẽ tự nhập PIN khi chạy, nếu có tệp pin_file / the worker gives it where pin_file is there"
    text = "; ".join(one for one in (*seen, advice, source) if one)
    return Finding(name, row.state == "ready", text)


# Providers


def _provider(name: str, config: Settings, engine: Engine | None) -> Finding:
    """Its balance proves the keys; where a provider has none, that it answers at all."""

    def look() -> Finding:
        channel = _made(name, config, engine)
        try:
            return _asked(name, config, channel)
        finally:
            channel.close()

    return tried(name, look)


def _made(name: str, config: Settings, engine: Engine | None) -> Any:
    """The channel alone, as the worker would have it."""
    only = config.notices.model_copy(update={"lanes": (name,)})
    made = connections.channels(config.model_copy(update={"notices": only}), engine, _clock)
    return made[name]


def _clock() -> int:
    return int(time.time())


def _asked(name: str, config: Settings, channel: Any) -> Finding:
    dong = channel.balance() if hasattr(channel, "balance") else None
    if dong is not None:
        low = bool(config.sms.balance_low) and dong < config.sms.balance_low
        amount = f"{dong:,}".replace(",", ".")
        advice = "; hãy nạp thêm / top it up" if low else ""
        return Finding(name, not low, f"còn {amount} đồng / {dong:,} đồng left{advice}")
    return _reachable(name, config)


def _reachable(name: str, config: Settings) -> Finding:
    """Only the root of its address is asked: the address itself may be one that sends."""
    own = config.sms.lane(name)
    parts = urlsplit(getattr(own, "base", "") or own.url)
    answer = requests.get(
        f"{parts.scheme}://{parts.netloc}/", timeout=PATIENCE, allow_redirects=False, stream=True
    )
    answer.close()
    text = f"trả lời, không hỏi được số dư / answers ({answer.status_code}), its balance cannot be asked"
    return Finding(name, answer.status_code < 500, text)


def _centre(name: str, config: Settings, engine: Engine | None, now: int) -> Finding:
    """Whether the message centre lets us in. One that lets each name in only once has the worker's line already."""
    password = configuration.secret(config, "sms.smpp.password")
    if not password:
        return Finding(name, False, "thiếu mật khẩu / sms.smpp.password is missing")

    def look() -> Finding:
        status = bind.knock(config.sms.smpp, password)
        if status == 0:
            return Finding(name, True, "đăng nhập được / lets us in")
        if status == Status.ALREADY_BOUND and _alive(engine, name, now):
            return Finding(
                name, True, "tiến trình gửi tin đã đăng nhập / the worker is bound, and one line is all"
            )
        complaint = codes.complaint("smpp", f"0x{status:02X}")
        return Finding(name, False, f"{complaint.reason} (0x{status:02X})"[:200])

    return tried(name, look)


def _alive(engine: Engine | None, name: str, now: int) -> bool:
    """Whether a process sends on this lane now."""
    if engine is None:
        return False
    with database.reading(engine) as session:
        fresh = select(tables.Workplace).where(tables.Workplace.seen_at > now - WORKPLACE_SECONDS)
        return any(name in one.lanes for one in session.scalars(fresh))
