"""The channels that the configuration asks for, connected to their providers."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from gateway import channels as rooms
from gateway import config as configuration
from gateway import intake, notices, tokens
from gateway.channels import esms, modem, oauth, zalo
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)


class Missing(Exception):
    """A secret that a channel needs is nowhere; the text says which."""


def _needed(config: Settings, name: str) -> str:
    found = configuration.secret(config, name)
    if not found:
        variable = "GATEWAY_" + name.replace(".", "__").upper()
        raise Missing(f"{name} is missing: put it into the file named by {name}_file, or into {variable}")
    return found


def channels(config: Settings, engine: Engine, now: Callable[[], int]) -> dict[str, Any]:
    """The channels on the ladder that this host sends on, by name; raises `Missing`."""
    makers = {"zalo": _zalo, "esms": _esms, "modem": _modem}
    here = config.notices.lanes or notices.ladder(config)
    return {name: makers[name](config, engine, now) for name in notices.ladder(config) if name in here}


def authority(config: Settings) -> oauth.Oauth:
    """Zalo's token endpoint for our app."""
    secret = _needed(config, "zalo.app_secret")
    return oauth.Oauth(config.zalo.oauth_base, config.zalo.app_id, secret, timeout=config.zalo.timeout)


def _zalo(config: Settings, engine: Engine, now: Callable[[], int]) -> zalo.ZaloTemplate:
    grantor = authority(config)

    def refresh(refresh_token: str) -> tuple[str, str, int]:
        grant = grantor.refresh(refresh_token)
        return grant.access, grant.refresh, grant.expires_in

    own = config.zalo
    return zalo.ZaloTemplate(
        own.business_base,
        tokens.Tokens(engine, own.oa_id, refresh, now),
        app_secret=_needed(config, "zalo.app_secret"),
        proof=own.appsecret_proof,
        timeout=own.timeout,
        concurrency=own.concurrency,
    )


def _esms(config: Settings, _engine: Engine, _now: Callable[[], int]) -> esms.Esms:
    own = config.sms.esms
    callback = _needed(config, "sms.esms.callback_secret")
    return esms.Esms(
        own.base,
        _needed(config, "sms.esms.api_key"),
        _needed(config, "sms.esms.secret_key"),
        own.brandname,
        f"{config.web.base_url}/webhooks/esms/{callback}",
        unicode=not config.sms.unaccented,
        timeout=own.timeout,
        concurrency=own.concurrency,
    )


def _modem(config: Settings, engine: Engine, now: Callable[[], int]) -> modem.Modem:
    taken_in = intake.Intake(engine, now)

    def on_report(report: rooms.Report) -> None:
        if not report.final or report.delivered is None:
            return
        identity = report.reference or _digest(f"{report.to}:{report.at or now()}")
        _keep(
            taken_in,
            key=f"modem:{identity}:{report.code}"[:160],
            event="report",
            reference=report.reference,
            provider_ref=report.provider_ref,
            delivered=report.delivered,
            code=report.code[:40],
            done_at=None,
        )

    def on_incoming(text: modem.Incoming) -> None:
        _keep(
            taken_in,
            key=f"modem:in:{_digest(f'{text.sender}:{text.at}:{text.text}')}",
            event="incoming",
            delivered=None,
            body=json.dumps({"sender": text.sender, "text": text.text, "at": text.at}),
            done_at=now(),
        )

    own = config.sms.modem
    return modem.Modem(
        own.url, per_minute=own.per_minute, on_report=on_report, on_incoming=on_incoming, clock=now
    )


def _digest(text: str) -> str:
    """A key that outlives the personal data in it."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _keep(taken_in: intake.Intake, **receipt: Any) -> None:
    """Raises when it is not kept; the modem tells it again then."""
    taken_in.keep({"channel": "modem", **receipt})
