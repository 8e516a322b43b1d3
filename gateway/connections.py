"""The channels that the configuration asks for, connected to their providers."""

from __future__ import annotations

import functools
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway import channels as rooms
from gateway import config as configuration
from gateway import consent, inbox, intake, safe, tokens
from gateway.channels import esms, modem, oauth, zalo
from gateway.rules import channels as names
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
    """The channels that this host sends on, by name; Zalo's share one keeper of tokens. Raises `Missing`."""
    kept = functools.cache(lambda: keeper(config, engine, now))
    makers: Mapping[str, Callable[[], Any]] = {
        names.BY_CHAT: lambda: _zalo_cs(config, kept()),
        names.BY_USER_ID: lambda: _zalo_uid(config, kept()),
        names.BY_PHONE: lambda: _zalo(config, kept()),
        "esms": lambda: _esms(config),
        "modem": lambda: _modem(config, engine, now),
    }
    return {name: makers[name]() for name in names.here(config)}


def authority(config: Settings) -> oauth.Oauth:
    """Zalo's token endpoint for our app."""
    secret = _needed(config, "zalo.app_secret")
    return oauth.Oauth(config.zalo.oauth_base, config.zalo.app_id, secret, timeout=config.zalo.timeout)


class _Keeper(tokens.Tokens):
    """The tokens in the channels' words: no message has left where no token could be had."""

    def current(self) -> str:
        return self._said(super().current)

    def renew(self, used: str) -> str:
        return self._said(super().renew, used)

    @staticmethod
    def _said(ask: Callable[..., str], *words: str) -> str:
        try:
            return ask(*words)
        except tokens.NotNow as fault:
            raise rooms.Unreachable(str(fault), sent=False) from fault
        except safe.WrongKey as fault:  # nothing was handed over, and nothing will be until somebody acts
            raise rooms.Refused("wrong_key", str(fault), "account", rooms.Fault.TOKEN) from fault
        except SQLAlchemyError as fault:
            # Its text holds what was asked of the database, so it is not told on.
            raise rooms.Unreachable("cơ sở dữ liệu tạm ngừng / the database is away", sent=False) from fault


def keeper(config: Settings, engine: Engine, now: Callable[[], int]) -> tokens.Tokens:
    """Who keeps the Official Account's tokens; raises `Missing`. One for a process is enough."""
    grantor = authority(config)

    def refresh(refresh_token: str) -> tuple[str, str, int]:
        try:
            grant = grantor.refresh(refresh_token)
        except rooms.Unreachable as fault:
            raise tokens.NotNow(fault.reason) from fault
        except rooms.Refused as fault:
            if fault.fault is not rooms.Fault.TOKEN:  # our papers are wrong; the token was not looked at
                raise
            raise tokens.Rejected(fault.code, fault.reason) from fault
        return grant.access, grant.refresh, grant.expires_in

    box = _safe(config)
    lease = max(tokens.LEASE_SECONDS, int(3 * config.zalo.timeout))
    spool = safe.spool_of(config, box)
    return _Keeper(engine, config.zalo.oa_id, refresh, now, safe=box, spool=spool, lease=lease)


def _safe(config: Settings) -> safe.Safe:
    try:
        return safe.of(config)
    except safe.WrongKey as fault:
        raise Missing(str(fault)) from fault


def official(config: Settings, engine: Engine, now: Callable[[], int]) -> zalo.Official:
    """The Official Account's own page: its people, templates and quota; raises `Missing`."""
    return _official(config, keeper(config, engine, now))


def _official(config: Settings, kept: Any) -> zalo.Official:
    own = config.zalo
    return zalo.Official(own.oa_base, own.business_base, kept, **_signing(config))


def uploader(
    config: Settings, engine: Engine, now: Callable[[], int]
) -> Callable[[str, bytes], Mapping[str, Any]]:
    """How the web side gives Zalo a picture or a pdf; the attachment of a chat message comes back."""
    asked = functools.cache(lambda: official(config, engine, now))

    def upload(name: str, octets: bytes) -> Mapping[str, Any]:
        try:
            if octets.startswith(b"%PDF-"):
                return {"kind": "file", "token": asked().upload_file(name, octets)}
            return {"kind": "image", "id": asked().upload_image(name, octets)}
        except (rooms.Refused, rooms.Unreachable) as fault:
            raise inbox.NotTaken(fault.reason) from fault
        except (Missing, tokens.NoConsent) as fault:
            raise inbox.NotTaken(str(fault)) from fault

    return upload


def redeemer(config: Settings) -> Callable[[str, str | None], tuple[str, str, int]]:
    """How the web side turns the code of a consent into (access, refresh, life) of our own Official Account."""

    def redeem(code: str, verifier: str | None) -> tuple[str, str, int]:
        try:
            grant = authority(config).exchange(code, verifier)
            _check_owner(config, grant.access)
        except Missing as fault:
            raise consent.Refused("secret", str(fault)) from fault
        except rooms.Refused as fault:
            raise consent.Refused(fault.code, fault.reason) from fault
        except rooms.Unreachable as fault:
            raise consent.Away(fault.reason) from fault
        return grant.access, grant.refresh, grant.expires_in

    return redeem


def _check_owner(config: Settings, access_token: str) -> None:
    """Whose tokens these are is asked of Zalo: the address that a browser brought back could name anybody."""
    try:
        about = _official(config, _Fresh(access_token)).about()
    except (rooms.Refused, rooms.Unreachable) as fault:
        log.warning("Zalo did not say whose the new tokens are (%s)", fault)
        return
    owner = str(about.get("oa_id") or about.get("oaid") or "")
    if owner and owner != config.zalo.oa_id:
        raise consent.WrongAccount(owner)


class _Fresh:
    """Tokens that are in no database yet."""

    def __init__(self, access_token: str):
        self._access = access_token

    def current(self) -> str:
        return self._access

    def renew(self, used: str) -> str:
        raise rooms.Refused("new", "Zalo did not take its own new token", "account", rooms.Fault.TOKEN)


def _zalo(config: Settings, kept: tokens.Tokens) -> zalo.ZaloTemplate:
    return zalo.ZaloTemplate(
        config.zalo.business_base, kept, concurrency=config.zalo.concurrency, **_signing(config)
    )


def _zalo_uid(config: Settings, kept: tokens.Tokens) -> zalo.ZaloByUser:
    own = config.zalo
    return zalo.ZaloByUser(
        own.oa_base, kept, body=own.uid_body, concurrency=own.concurrency, **_signing(config)
    )


def _zalo_cs(config: Settings, kept: tokens.Tokens) -> zalo.ZaloChat:
    return zalo.ZaloChat(config.zalo.oa_base, kept, concurrency=config.zalo.concurrency, **_signing(config))


def _signing(config: Settings) -> dict[str, Any]:
    own = config.zalo
    secret = _needed(config, "zalo.app_secret")
    return {"app_secret": secret, "proof": own.appsecret_proof, "timeout": own.timeout}


def _esms(config: Settings) -> esms.Esms:
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
