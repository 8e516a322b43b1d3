"""Small files that are whole or absent after a power cut."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write(path: Path, text: str, mode: int = 0o644, sync: Callable[[int], None] = os.fsync) -> None:
    """Replace `path` by `text` (UTF-8): the old or the new content survives, never a mixture.

    Raises OSError (no space, read-only) and leaves the old file as it was.
    """
    fresh = path.with_name(f".{path.name}.new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(handle, mode)
        write_all(handle, text.encode())
        sync(handle)
    finally:
        os.close(handle)
    os.replace(fresh, path)
    sync_folder(path.parent, sync)


def sync_folder(folder: Path, sync: Callable[[int], None] = os.fsync) -> None:
    """Make names just created, renamed or removed in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, document: Mapping[str, Any], mode: int = 0o644) -> None:
    write(path, json.dumps(document, ensure_ascii=False, indent=1) + "\n", mode)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None when there is none or it cannot be read as one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
