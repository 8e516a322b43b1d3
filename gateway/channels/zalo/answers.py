"""Reading what Zalo says. Numbers come as numbers or as texts; ids and times are too long for a float."""

from collections.abc import Mapping
from typing import Any

LONGEST = 200


def data(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `data` of an answer; it may be missing, null or something else."""
    found = document.get("data")
    return found if isinstance(found, Mapping) else {}


def part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object within an object, or an empty one."""
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def rows(document: Mapping[str, Any], name: str) -> list[Any]:
    """A list within an object, or an empty one."""
    found = document.get(name)
    return found if isinstance(found, list) else []


def text(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    return str(value)[:LONGEST]


def whole(value: Any) -> int | None:
    shown = str(value)
    return int(shown) if shown.removeprefix("-").isdecimal() and shown.isascii() and len(shown) < 20 else None


def seconds(milliseconds: Any) -> int | None:
    value = whole(milliseconds)
    return value // 1000 if value is not None else None
