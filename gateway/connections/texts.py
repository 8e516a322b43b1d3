"""The lanes of text messages, and keeping what they tell: reports, texts that came in, a modem's state."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from gateway import channels as rooms
from gateway import config as configuration
from gateway import database, intake, modems, notices
from gateway.channels import esms, http, modem, smpp, speedsms
from gateway.connections.secrets import needed
from gateway.rules.settings import HttpSms, Settings


def lane(name: str, config: Settings, told: Teller) -> Any:
    """One lane of text messages; raises `Missing` where it lacks a secret."""
    makers: Mapping[str, Callable[[], Any]] = {
        "esms": lambda: _esms(config),
        "speedsms": lambda: _speedsms(config),
        "smpp": lambda: _smpp(config, told),
    }
    if name in makers:
        return makers[name]()
    return _http(name, config) if name in config.sms.http else _modem(name, config, told)


def _esms(config: Settings) -> esms.Esms:
    own = config.sms.esms
    callback = needed(config, "sms.esms.callback_secret")
    return esms.Esms(
        own.base,
        needed(config, "sms.esms.api_key"),
        needed(config, "sms.esms.secret_key"),
        own.brandname,
        f"{config.web.base_url}/webhooks/esms/{callback}",
        unicode=not config.sms.unaccented,
        timeout=own.timeout,
        concurrency=own.concurrency,
    )


def _speedsms(config: Settings) -> speedsms.SpeedSms:
    own = config.sms.speedsms
    return speedsms.SpeedSms(
        own.base,
        needed(config, "sms.speedsms.token"),
        own.sender,
        own.sms_type,
        unicode=not config.sms.unaccented,
        timeout=own.timeout,
        concurrency=own.concurrency,
    )


def _http(name: str, config: Settings) -> http.HttpSms:
    own = config.sms.http[name]
    return http.HttpSms(
        name,
        own,
        _of_http(config, name, own, "secret"),
        f"{config.web.base_url}/webhooks/sms/{name}/{_of_http(config, name, own, 'callback_secret')}",
        unicode=not config.sms.unaccented,
    )


def _of_http(config: Settings, name: str, own: HttpSms, secret: str) -> str:
    """A secret of a described provider; one that its description has no place for need not be there."""
    said = own.model_dump_json()
    wanted = "{secret}" in said if secret == "secret" else bool(own.report) or "{callback}" in said
    full = f"sms.http.{name}.{secret}"
    return needed(config, full) if wanted else configuration.secret(config, full) or ""


def _smpp(config: Settings, told: Teller) -> smpp.Smpp:
    own = config.sms.smpp
    return smpp.Smpp(
        "smpp",
        own.url,
        own.system_id,
        needed(config, "sms.smpp.password"),
        system_type=own.system_type,
        source=own.source,
        source_ton=own.source_ton,
        source_npi=own.source_npi,
        data_coding=own.data_coding,
        concat=own.concat,
        reference_bits=own.reference_bits,
        window=own.window,
        enquire_seconds=own.enquire_seconds,
        timeout=own.timeout,
        unicode=not config.sms.unaccented,
        concurrency=own.concurrency,
        on_part=lambda report: told.report("smpp", report),
        on_incoming=lambda text: told.incoming("smpp", text),
        clock=told.now,
    )


def _modem(name: str, config: Settings, told: Teller) -> modem.Modem:
    own = config.sms.lane(name)
    section = "sms.modem" if name == "modem" else f"sms.modems.{name}"
    return modem.Modem(
        name,
        own.url,
        pin=configuration.secret(config, f"{section}.pin"),
        reference_bits=own.reference_bits,
        per_minute=own.per_minute,
        incoming=own.incoming,
        on_parts=lambda reports: told.reports(name, reports),
        on_incoming=lambda text: told.incoming(name, text),
        on_state=lambda state: told.state(name, state),
        clock=told.now,
    )


class Teller:
    """Keeps what lanes tell. May be used from any thread.

    What it was told is durable when it returns, as a SIM or a message centre forgets it then; it raises where it is
    not, and is told again.
    """

    def __init__(self, engine: Engine, now: Callable[[], int]):
        self.now = now
        self._engine, self._intake = engine, intake.Intake(engine, now)
        self._here = f"{socket.gethostname()[:48]}:{os.getpid()}"

    def report(self, channel: str, report: rooms.PartReport) -> None:
        """What became of a part."""
        self.reports(channel, [report])

    def reports(self, channel: str, reports: Sequence[rooms.PartReport]) -> None:
        """What became of parts, in one commit; one that the network is still trying says nothing yet."""
        if rows := [self._row(channel, one) for one in reports if one.delivered is not None]:
            self._intake.keep_all(rows)

    def _row(self, channel: str, report: rooms.PartReport) -> dict[str, Any]:
        key = _digest(f"{report.to}:{report.refs}:{report.code}:{report.at or self.now()}")
        return {
            "channel": channel,
            "key": f"{channel}:part:{key}",
            "event": notices.PART,
            "provider_ref": report.refs[0][:80],
            "delivered": report.delivered,
            "code": report.code[:40],
            "body": json.dumps({"to": report.to, "refs": list(report.refs)}),
            "done_at": None,
        }

    def incoming(self, channel: str, text: rooms.Incoming) -> None:
        """A text that came in."""
        self._intake.keep(
            {
                "channel": "texts",
                "key": f"texts:{channel}:{_digest(f'{text.sender}:{text.at}:{text.text}')}",
                "event": channel,
                "delivered": None,
                "body": json.dumps({"sender": text.sender, "text": text.text, "at": text.at}),
                "done_at": None,
            }
        )

    def state(self, channel: str, state: modem.State) -> None:
        """How a modem is."""
        with database.writing(self._engine) as session:
            modems.told(session, channel, self._here, state, self.now())
            database.ring(session)


def _digest(text: str) -> str:
    """A key that outlives the personal data in it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
