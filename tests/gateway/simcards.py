"""A modem's words and a SIM's parts, for the tests of what people see of them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway import database, modems, tables
from gateway.rules import settings


@dataclass(frozen=True)
class State:
    state: str = "ready"
    reason: str = ""
    sim: str = "ready"
    network: str = "home"
    operator: str = "Viettel"
    signal: int | None = -77
    model: str = "E173"
    device: str = "/dev/serial/by-id/usb-E173"
    stored: int = 2
    memory: int = 25
    recoveries: int = 1
    since: int = 0


def configured(config, **sms):
    """The configuration with these text lanes: two modems, and a provider of our own, unless said otherwise."""
    own = {
        "providers": ["esms", "vina", "modem", "sim2"],
        "http": {
            "vina": {
                "url": "https://sms.example.vn/send",
                "price": 420,
                "fields": {"to": "{to}", "text": "{text}"},
            }
        },
        "modems": {
            "sim2": {"url": "serial:///dev/ttyUSB9", "network": "viettel", "price": 250, "per_day": 40}
        },
        "esms": {"price": 500, "prices": {"viettel": 450}},
        "modem": {"price": 300},
    }
    return config.model_copy(update={"sms": settings.Sms.model_validate({**own, **sms})})


def told(engine, state, now, channel="modem", host="pi"):
    with database.writing(engine) as session:
        return modems.told(session, channel, host, state, now)


def seen(engine, config, now, channel="modem"):
    with database.reading(engine) as session:
        return next(one for one in modems.seen(session, config, now) if one.channel == channel)


def parts(engine, states, now, channel="modem", phone="+84905123456"):
    """One notice of one part for each state, handed over at `now`."""
    with database.writing(engine) as session:
        for at, state in enumerate(states):
            notice_id = f"n{channel}{now}{at}"
            session.add(
                tables.Notice(
                    id=notice_id, key=notice_id, kind="called", phone=phone, data={}, ladder=channel,
                    channel=channel, state="sent", due=now, deadline=now + 60, created_at=now, changed_at=now,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                tables.Attempt(
                    id=notice_id, notice_id=notice_id, channel=channel, state="accepted", parts=1, at=now
                )
            )
            session.add(
                tables.SmsPart(
                    notice_id=notice_id, channel=channel, part=1, total=1, joint=0, phone=phone,
                    ref=None if state == "claimed" else str(at), attempt_id=notice_id, state=state, at=now,
                )
            )  # fmt: skip


def alive(engine, now, *lanes):
    """A process that sends on these lanes."""
    with database.writing(engine) as session:
        session.merge(
            tables.Workplace(name="pi:1", started_at=now, seen_at=now, lanes=list(lanes), leads=True)
        )
