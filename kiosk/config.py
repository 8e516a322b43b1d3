"""config.toml as the kiosk reads it. The shape and the mistakes are in `gateway.rules.settings`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from gateway.rules import settings


def read(path: Path, environ: Mapping[str, str]) -> settings.Settings:
    """The settings in `path`, overridden by `environ`; raises `settings.Mistakes` with every mistake."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise settings.Mistakes((f"{path}: {fault.strerror}",)) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise settings.Mistakes((f"{path}: {fault}",)) from fault
    return settings.read(document, environ)
