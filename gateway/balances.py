"""số dư: how much money each provider of text messages still holds for us, asked once an hour.

An empty account is found out before the evening's messages, not by them. What was answered last is a fact
"balance:<lane>", for the pages and for Prometheus.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from gateway import alerts, database, tables
from gateway.rules import channels
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
HOUR = 3_600
AGAIN_SECONDS = 600  # after a failure
LARGEST = 10**12
PREFIX = "balance:"


@dataclass(frozen=True)
class Balance:
    """`dong` as the provider said at `at`; `fault` ("vi / en") is why it did not answer when it was asked last."""

    channel: str
    dong: int | None
    at: int
    fault: str = ""
    asked_at: int = 0


def look(engine: Engine, lanes: Mapping[str, Any], config: Settings, now: int) -> int:
    """Ask those of `lanes` (channels by name) whose hour has come; how many were asked. Cheap when none is due.

    Asked outside any transaction, and what fails is asked again in ten minutes.
    """
    asking = {name: one for name, one in lanes.items() if channels.is_text(name) and hasattr(one, "balance")}
    if not asking:
        return 0
    with database.reading(engine) as session:
        known = {one.channel: one for one in all_known(session)}
    due = [name for name in asking if _is_due(known.get(name), now)]
    for name in due:
        dong, fault = _asked(name, asking[name])
        if dong is not None or fault:
            with database.writing(engine) as session:
                noted(session, config, name, dong, fault, now)
        else:  # a provider that does not say: it is not asked again before the hour is over
            with database.writing(engine) as session:
                session.merge(tables.Fact(name=PREFIX + name, value="{}", at=now))
    return len(due)


def _is_due(known: Balance | None, now: int) -> bool:
    if known is None:
        return True
    pause = AGAIN_SECONDS if known.fault else HOUR
    return not 0 <= now - known.asked_at < pause  # a clock set back is no reason to wait


def _asked(name: str, channel: Any) -> tuple[int | None, str]:
    try:
        dong = channel.balance()
    except Exception as fault:  # a provider's fault is no reason to stop the others
        log.warning("the balance of %s cannot be asked: %s", name, type(fault).__name__)
        return None, str(getattr(fault, "reason", "") or type(fault).__name__)
    return (dong if isinstance(dong, int) and abs(dong) < LARGEST else None), ""


def noted(session: Session, config: Settings, channel: str, dong: int | None, fault: str, now: int) -> None:
    """Keep what was answered, and raise or end the alert; a failure keeps the last amount."""
    before = session.get(tables.Fact, PREFIX + channel)
    old = _read(channel, before) if before is not None else Balance(channel, None, 0)
    kept = {"dong": dong, "at": now} if dong is not None else {"dong": old.dong, "at": old.at}
    value = json.dumps({**kept, "fault": fault.replace("\0", "")[:200]}, ensure_ascii=False)
    session.merge(tables.Fact(name=PREFIX + channel, value=value, at=now))
    if dong is None:
        return
    least, key = config.sms.balance_low, f"balance:{channel}"
    if dong < least:
        reason = f"Còn {_grouped(dong)} đồng: hãy nạp thêm. / {dong:,} đồng left: top it up."
        alerts.lasting(session, key, "balance", {"channel": channel, "dong": dong, "reason": reason}, now)
    else:
        alerts.over(session, key, now)


def _grouped(dong: int) -> str:
    return f"{dong:,}".replace(",", ".")


def all_known(session: Session) -> list[Balance]:
    """What each provider said last."""
    rows = session.scalars(select(tables.Fact).where(tables.Fact.name.like(f"{PREFIX}%")))
    return [_read(row.name.removeprefix(PREFIX), row) for row in rows]


def _read(channel: str, row: tables.Fact) -> Balance:
    try:
        kept = json.loads(row.value)
        dong = kept.get("dong")
        return Balance(channel, dong, int(kept.get("at") or 0), str(kept.get("fault") or ""), row.at)
    except (ValueError, AttributeError, TypeError):
        return Balance(channel, None, 0, "", row.at)


def low(balance: Balance | None, config: Settings) -> bool:
    """Whether an account holds less than `[sms] balance_low`."""
    return balance is not None and balance.dong is not None and balance.dong < config.sms.balance_low
