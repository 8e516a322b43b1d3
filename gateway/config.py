"""config.toml and its secret files → frozen values, read once at the edge."""

from __future__ import annotations

import os
import secrets as randomness
import tomllib
from collections.abc import Mapping
from pathlib import Path

from gateway.rules import settings
from gateway.rules.settings import Mistakes, Settings

__all__ = ["Mistakes", "Settings", "load", "path_of", "secret", "own_secret"]


def path_of(given: str | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The configuration file meant by `--config`, else `$GATEWAY_CONFIG`, else `config.toml`."""
    return Path(given or environ.get("GATEWAY_CONFIG") or "config.toml")


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read `path`; raise `Mistakes` with every mistake, also when the file is missing or no TOML."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as fault:
        raise Mistakes((f"{path}: cannot be read ({fault.strerror})",)) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Mistakes((f"{path}: not valid TOML ({fault})",)) from fault
    return settings.read(document, environ)


def secret(config: Settings, name: str) -> str | None:
    """The secret `section.key` (e.g. "zalo.app_secret") from the environment or its file; None if neither."""
    given = config.secrets.get(name)
    if given is not None:
        return given.get_secret_value()
    try:
        return _file_of(config, name).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def own_secret(config: Settings, name: str) -> str:
    """Like `secret`, for one that is ours alone: made and kept (mode 0600) the first time it is asked for."""
    found = secret(config, name)
    if found:
        return found
    path = _file_of(config, name)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = randomness.token_urlsafe(32)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(fresh)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:  # another process of ours was first
        return secret(config, name) or fresh
    return fresh


def _file_of(config: Settings, name: str) -> Path:
    """Where a secret is kept. Further modems and providers share no file unless they are told to."""
    *sections, key = name.split(".")
    table, named = config, False
    for section in sections:
        named = isinstance(table, Mapping)
        table = table[section] if named else getattr(table, section)
    path = Path(getattr(table, f"{key}_file"))
    own = not named or f"{key}_file" in table.model_fields_set
    return path if own else path.with_name(f"{sections[-1]}_{key}")
