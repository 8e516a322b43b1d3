"""The two alphabets of an SMS, and Vietnamese without its accents (3GPP TS 23.038)."""

import unicodedata
from enum import Enum

ESCAPE = 0x1B


class Alphabet(Enum):
    GSM7 = 0x00  # 7 bits a character; the value is the data coding scheme
    UCS2 = 0x08  # 16 bits a unit; needed for nearly every accented Vietnamese letter


_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {
    0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\",
    0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€",
}  # fmt: skip

_SEPTETS = {letter: bytes([code]) for code, letter in enumerate(_BASIC) if code != ESCAPE}
_SEPTETS |= {letter: bytes([ESCAPE, code]) for code, letter in _EXTENSION.items()}

# What NFD leaves alone and what would cost a whole message its 160 characters.
_PLAIN = str.maketrans({
    "đ": "d", "Đ": "D", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'",
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "…": "...", "₫": "d", "•": "-", "·": "-", "×": "x",
    "\u00a0": " ", "\u2009": " ", "\u202f": " ", "\u200b": None, "\u200c": None, "\u200d": None,
    "\u2060": None, "\ufeff": None,
})  # fmt: skip


def fits_gsm7(text: str) -> bool:
    """Whether every character of `text` is in the 7-bit alphabet or its extension."""
    return all(letter in _SEPTETS for letter in text)


def septets(text: str) -> bytes:
    """`text` in the 7-bit alphabet, one octet a septet, not packed. KeyError for a foreign character."""
    return b"".join(_SEPTETS[letter] for letter in text)


def from_septets(values: bytes) -> str:
    """The text of unpacked septets. An escape before an unknown code shows the basic character (23.038)."""
    letters, escaped = [], False
    for value in values:
        if escaped:
            letters.append(_EXTENSION.get(value, _BASIC[value]))
            escaped = False
        elif value == ESCAPE:
            escaped = True
        else:
            letters.append(_BASIC[value])
    return "".join(letters)


def units(text: str) -> int:
    """How many UCS-2 units `text` takes: 2 for a character outside the first plane."""
    return len(text.encode("utf-16-be", "surrogatepass")) // 2


def unaccent(text: str) -> str:
    """Vietnamese in plain letters, one SMS part instead of three: "Số 5 – Đợt 2" → "So 5 - Dot 2"."""
    decomposed = unicodedata.normalize("NFD", text.translate(_PLAIN))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
