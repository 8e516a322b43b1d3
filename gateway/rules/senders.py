"""Who sent a text message: a mobile number that can be answered, or a name or short code that cannot. Pure."""

from __future__ import annotations

import unicodedata

from gateway.rules import phone

LENGTH = 20


def kept(sender: str) -> str:
    """A sender as it is kept: E.164 where it is a number of this country, else as the network gave it, bounded."""
    number = phone.parse(sender)
    if isinstance(number, phone.PhoneFault) and number.code == "zero":
        number = phone.parse(number.suggestion or "")  # on the air a national number has no 0
    if isinstance(number, phone.Phone):
        return number.e164
    seen = "".join(
        char for char in sender[: 2 * LENGTH] if unicodedata.category(char)[0] not in "CZ" or char == " "
    )
    return " ".join(unicodedata.normalize("NFC", seen).split())[:LENGTH].strip() or "?"


def answerable(sender: str) -> bool:
    """Whether a text can go back: only a mobile number of this country gets one from us."""
    number = phone.parse(sender)
    return isinstance(number, phone.Phone) and number.kind is phone.Kind.MOBILE


def shown(sender: str) -> str:
    """A sender as lists show it: a number masked, a name as it is."""
    return phone.masked(sender) if sender.startswith("+") else sender
