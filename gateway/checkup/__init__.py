"""`python -m gateway check`: what is well and what is not, a line a part."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import requests
from sqlalchemy import Engine, select

from gateway import alerts, connections, consent, database, kiosks, notices, tables
from gateway import config as configuration
from gateway.checkup import texts
from gateway.checkup.finding import Finding, tried
from gateway.rules import channels, hours
from gateway.rules.settings import Settings

__all__ = ["Finding", "findings"]
PATIENCE = 5
KIOSK_SILENT_SECONDS = 300
CLOCK_SECONDS = 60
WORKPLACE_SECONDS = 60
NEEDED = {
    "is_verified": "chưa xác thực / not verified",
    "linked_ZCA": "chưa liên kết ZCA / no ZCA is linked",
}


def findings(config: Settings, engine: Engine, now: int) -> list[Finding]:
    """Look at everything that the configuration asks for."""
    found = [Finding("config", True, "đọc được / valid")]
    looked = _database(engine)
    found.append(looked)
    ladder = notices.ladder(config)
    if any(one.startswith("zalo") for one in ladder):
        found += _zalo(config, engine if looked.well else None, now)
    found += texts.findings(config, engine if looked.well else None, now)
    found.append(_clock(config))
    if looked.well:
        found += _senders(config, engine, now)
        found += _alerts(engine)
        found += _kiosks(engine, now)
    return found


def _senders(config: Settings, engine: Engine, now: int) -> Iterator[Finding]:
    """Each lane needs a process that sends on it, where any process sends at all."""
    with database.reading(engine) as session:
        alive = session.scalars(
            select(tables.Workplace).where(tables.Workplace.seen_at > now - WORKPLACE_SECONDS)
        ).all()
    if not alive:
        yield Finding("senders", True, "chưa chạy / none runs now")
        return
    for channel in channels.used(config):
        names = ", ".join(one.name for one in alive if channel in one.lanes)
        yield Finding(
            f"lane {channel}", bool(names), names or "không tiến trình nào gửi / no process sends on it"
        )


def _alerts(engine: Engine) -> Iterator[Finding]:
    with database.reading(engine) as session:
        for one in alerts.open_ones(session):
            about = " ".join(str(one.data.get(key, "")) for key in ("channel", "code", "reason"))
            yield Finding(f"alert {one.kind}", False, about.strip()[:160])


def _database(engine: Engine) -> Finding:
    def look() -> Finding:
        if not database.is_current(engine):
            return Finding("database", False, "chưa cập nhật lược đồ / run `python -m gateway migrate`")
        return Finding("database", True, engine.dialect.name)

    return tried("database", look)


def _zalo(config: Settings, engine: Engine | None, now: int) -> Iterator[Finding]:
    missing = [
        name for name in ("zalo.app_secret", "zalo.webhook_secret") if not configuration.secret(config, name)
    ]
    yield Finding(
        "zalo secrets", not missing, ", ".join(missing) + " missing" if missing else "có đủ / present"
    )
    untold = [kind for kind in ("appointment", "called") if kind not in config.zalo.templates]
    yield Finding(
        "zalo templates", not untold, f"thiếu / missing: {', '.join(untold)}" if untold else "có đủ / present"
    )
    if engine is not None:
        token = _token(config, engine, now)
        yield token
        if token.well:
            yield _account(config, engine, now)


def _token(config: Settings, engine: Engine, now: int) -> Finding:
    with database.reading(engine) as session:
        found = consent.standing(session, config, now)
    if found.state is consent.State.NEVER:
        return Finding(
            "zalo token", False, "chưa kết nối OA / not connected: `python -m gateway zalo consent`"
        )
    if found.reason:
        return Finding("zalo token", False, found.reason)
    days = (now - found.refreshed_at) // 86_400
    until = hours.day_of(found.renew_by, config.station.zone).isoformat()
    text = f"làm mới {days} ngày trước, hạn {until} / renewed {days} days ago, ends on {until}"
    return Finding("zalo token", found.well, text)


def _account(config: Settings, engine: Engine, now: int) -> Finding:
    """Ask Zalo whose page this is: it costs nothing, and shows that the token works."""

    def look() -> Finding:
        about = connections.official(config, engine, lambda: now).about()
        lacks = [word for name, word in NEEDED.items() if name in about and _no(about[name])]
        owner = str(about.get("oa_id") or about.get("oaid") or config.zalo.oa_id)
        if owner != config.zalo.oa_id:
            lacks.append(f"là OA khác, {owner} / is another account, {owner}")
        name = str(about.get("name", ""))[:80] or "trả lời / answers"
        return Finding("zalo account", not lacks, "; ".join([name, *lacks]))

    return tried("zalo account", look)


def _no(value: object) -> bool:
    return str(value).lower() in ("", "0", "false", "none")


def _clock(config: Settings) -> Finding:
    """Compare with whoever of the providers tells the time; a wrong clock gives wrong places in the queue."""

    def look() -> Finding:
        answer = requests.head(config.zalo.oauth_base, timeout=PATIENCE)
        off = abs(time.time() - parsedate_to_datetime(answer.headers["Date"]).timestamp())
        return Finding("clock", off < CLOCK_SECONDS, f"lệch {off:.0f} s / off by {off:.0f} s")

    return tried("clock", look)


def _kiosks(engine: Engine, now: int) -> Iterator[Finding]:
    with database.reading(engine) as session:
        if not session.scalar(select(tables.Kiosk.id).limit(1)):
            yield Finding("kiosks", True, "chưa có máy nào / none yet")
        for kiosk in kiosks.overview(session):
            seen = kiosk["seen_at"]
            well = seen is not None and now - seen < KIOSK_SILENT_SECONDS
            text = hours.utc(seen).isoformat() if seen else "chưa bao giờ / never"
            yield Finding(f"kiosk {kiosk['name']}", well, f"thấy lần cuối / last seen {text}")
