"""Secrets that a channel cannot do without."""

from __future__ import annotations

from gateway import config as configuration
from gateway.rules.settings import Settings


class Missing(Exception):
    """A secret that a channel needs is nowhere; the text says which."""


def needed(config: Settings, name: str) -> str:
    """The secret `section.key`; raises `Missing`."""
    found = configuration.secret(config, name)
    if not found:
        variable = "GATEWAY_" + name.replace(".", "__").upper()
        raise Missing(f"{name} is missing: put it into the file named by {name}_file, or into {variable}")
    return found
