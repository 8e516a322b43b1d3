"""Zalo's channels, and what else is asked of Zalo with our account."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway import channels as rooms
from gateway import consent, inbox, safe, tokens
from gateway.channels import oauth, zalo
from gateway.connections.secrets import Missing, needed
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)


def authority(config: Settings) -> oauth.Oauth:
    """Zalo's token endpoint for our app."""
    secret = needed(config, "zalo.app_secret")
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


def by_phone(config: Settings, kept: tokens.Tokens) -> zalo.ZaloTemplate:
    return zalo.ZaloTemplate(
        config.zalo.business_base, kept, concurrency=config.zalo.concurrency, **_signing(config)
    )


def by_user_id(config: Settings, kept: tokens.Tokens) -> zalo.ZaloByUser:
    own = config.zalo
    return zalo.ZaloByUser(
        own.oa_base, kept, body=own.uid_body, concurrency=own.concurrency, **_signing(config)
    )


def by_chat(config: Settings, kept: tokens.Tokens) -> zalo.ZaloChat:
    return zalo.ZaloChat(config.zalo.oa_base, kept, concurrency=config.zalo.concurrency, **_signing(config))


def _signing(config: Settings) -> dict[str, Any]:
    own = config.zalo
    secret = needed(config, "zalo.app_secret")
    return {"app_secret": secret, "proof": own.appsecret_proof, "timeout": own.timeout}
