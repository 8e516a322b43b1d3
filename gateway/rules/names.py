"""What people type: cleaned, bounded, and refused when it could do harm. Pure."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

NAME_LENGTH = 80


@dataclass(frozen=True)
class Fault:
    """What is wrong with an input, in both languages."""

    vi: str
    en: str


EMPTY = Fault("Vui lòng nhập họ và tên.", "Please enter the full name.")
TOO_LONG = Fault(
    f"Họ và tên dài quá {NAME_LENGTH} ký tự.", f"The name is longer than {NAME_LENGTH} characters."
)
CONTROL = Fault(
    "Họ và tên có ký tự điều khiển không hợp lệ. Vui lòng gõ lại.",
    "The name contains control characters. Please type it again.",
)
NO_LETTER = Fault("Họ và tên phải có chữ cái.", "The name must contain letters.")


def name(text: str) -> str | Fault:
    """A person's name: NFC, single spaces, at most 80 characters, letters in it, no control characters.

    Control characters are refused, not dropped: they would reach a printer or a spreadsheet as commands.
    """
    if any(unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn") for char in text):
        return CONTROL
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    if not clean:
        return EMPTY
    if len(clean) > NAME_LENGTH:
        return TOO_LONG
    if not any(char.isalpha() for char in clean):
        return NO_LETTER
    return clean


def plain(text: str, most: int) -> str:
    """What others wrote (a profile's name, a tag) on one line: NFC, single blanks, nothing invisible, bounded."""
    seen = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text[: 4 * most])
    return " ".join(unicodedata.normalize("NFC", seen).split())[:most].strip()


def shown(full: str) -> str:
    """A name as others may see it: "Nguyễn Thị Hương" → "N. T. HƯƠNG"."""
    *family, given = full.split() or [""]
    return " ".join([*(f"{part[0].upper()}." for part in family), given.upper()])
