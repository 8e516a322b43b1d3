"""The two alphabets of an SMS (3GPP TS 23.038), and the words that fit the cheap one."""

import re
import unicodedata
from enum import Enum
from functools import lru_cache

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
_LETTERS = frozenset(_SEPTETS)

# What decomposing leaves alone or makes worse, and has a plain way to be written. Eth stands in many old
# Vietnamese texts where a đ is meant: the fonts of the nineties drew them alike.
_PLAIN = str.maketrans({
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "Ɖ": "D", "ı": "i", "ł": "l", "Ł": "L", "œ": "oe", "Œ": "OE",
    "“": '"', "”": '"', "„": '"', "‟": '"', "«": '"', "»": '"', "″": '"', "＂": '"',
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "‹": "'", "›": "'", "′": "'", "`": "'", "´": "'", "ʼ": "'",
    "–": "-", "—": "-", "―": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-", "…": "...", "₫": "d", "×": "x",
    "•": "-", "·": "-", "●": "-", "○": "-", "◦": "-", "▪": "-", "▫": "-", "■": "-", "□": "-", "►": "-",
    "▶": "-", "➢": "-", "❖": "-", "→": "->", "➔": "->", "➜": "->", "⇒": "=>", "←": "<-", "↔": "<->",
    "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "÷": "/", "⁄": "/", "∕": "/", "°": "o", "©": "(c)", "®": "(R)",
    "\t": " ", "\x0b": "\n", "\x85": "\n", "\u2028": "\n", "\u2029": "\n",
})  # fmt: skip

# What vendors of brandnames refuse, or what costs two characters; all of it outside links
_BRACKETS = str.maketrans("[{]}<", "(())(")
_HARMLESS = str.maketrans({
    "%": " phan tram", "#": "No.", "&": "+", "@": "(at)", "\\": "/", "|": "/", "~": "-", "^": "", "€": "EUR",
    "£": "GBP", "¥": "JPY", "ß": "ss", "Ø": "O", "ø": "o", "Æ": "AE", "æ": "ae", "¡": "!", "¿": "?",
    "§": "muc ", "¤": "", "\f": "\n", "\r": "",
    **dict.fromkeys("ΔΦΓΛΩΠΨΣΘΞ", "?"),
})  # fmt: skip
_QUOTED = re.compile(r"<([^<>\n]*)>")
_LINK = re.compile(r"(https?://[^\s<>]+)")


def fits_gsm7(text: str) -> bool:
    """Whether every character of `text` is in the 7-bit alphabet or its extension."""
    return _LETTERS.issuperset(text)


def foreign(text: str) -> tuple[str, ...]:
    """The characters that force UCS-2, each once, in the order in which they come."""
    return tuple(dict.fromkeys(letter for letter in text if letter not in _SEPTETS))


def septets(text: str) -> bytes:
    """`text` in the 7-bit alphabet, one octet a septet, not packed. KeyError for a foreign character."""
    return b"".join(map(_SEPTETS.__getitem__, text))


def from_septets(values: bytes) -> str:
    """The text of unpacked septets. An escape before an unknown code shows the basic character (23.038)."""
    letters, escaped = [], False
    for value in values:
        if escaped:
            # A second escape leads to a table that nobody has defined: 23.038 wants a blank for it
            letters.append(" " if value == ESCAPE else _EXTENSION.get(value, _BASIC[value]))
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
    """Vietnamese in plain letters, one SMS part instead of three: "Số 5 – Đợt 2" → "So 5 - Dot 2".

    The result always fits the 7-bit alphabet, whatever was pasted: a letter of another script becomes "?", as it
    must not triple the price unseen; emoji and what cannot be seen vanish.
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN)).translate(_PLAIN)
    return "".join(map(_plain, decomposed))


@lru_cache(maxsize=4_096)
def _plain(letter: str) -> str:
    if letter in _SEPTETS:
        return letter
    kind = unicodedata.category(letter)
    if kind == "Nd":
        return str(unicodedata.decimal(letter))
    if kind[0] == "L" or kind in ("Nl", "No", "Sc", "Sm", "Po"):
        return "?"
    # Marks, emoji, direction marks, joiners, lone surrogates and what no table knows yet have nothing to say
    return {"Zs": " ", "Pd": "-", "Pc": "_", "Pi": '"', "Pf": '"', "Ps": "(", "Pe": ")"}.get(kind, "")


def safe(text: str) -> str:
    """`unaccent` without what vendors of brandnames refuse (% # & [ ] { } \\ < @) and what costs two characters.

    Printable ASCII and line feeds are left. A link stays as it is: changed, it would lead nowhere.
    """
    pieces = _LINK.split(unaccent(text))
    return "".join(piece if place % 2 else _harmless(piece) for place, piece in enumerate(pieces))


def _harmless(text: str) -> str:
    return _QUOTED.sub(r"(\1)", text).translate(_BRACKETS).translate(_HARMLESS)
