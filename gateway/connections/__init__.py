"""The channels that the configuration asks for, connected to their providers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Engine

from gateway.connections import official as page
from gateway.connections import texts
from gateway.connections.official import authority, keeper, official, redeemer, uploader
from gateway.connections.secrets import Missing
from gateway.rules import channels as names
from gateway.rules.settings import Settings

__all__ = ["Missing", "authority", "channels", "keeper", "official", "redeemer", "uploader"]


def channels(config: Settings, engine: Engine, now: Callable[[], int]) -> dict[str, Any]:
    """The channels that this host sends on, by name; Zalo's share one keeper of tokens. Raises `Missing`."""
    kept = functools.cache(lambda: keeper(config, engine, now))
    makers: Mapping[str, Callable[[], Any]] = {
        names.BY_CHAT: lambda: page.by_chat(config, kept()),
        names.BY_USER_ID: lambda: page.by_user_id(config, kept()),
        names.BY_PHONE: lambda: page.by_phone(config, kept()),
    }
    told = texts.Teller(engine, now)
    return {
        name: makers[name]() if name in makers else texts.lane(name, config, told)
        for name in names.here(config)
    }
