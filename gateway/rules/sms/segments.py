"""How a text is cut into the parts of one SMS (3GPP TS 23.040, 9.2.3.24.1), and what that comes to."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from gateway.rules.sms import alphabet
from gateway.rules.sms.alphabet import Alphabet

OCTETS = 140
SINGLE = {Alphabet.GSM7: 160, Alphabet.UCS2: 70}
"""What one message holds: septets, or 16-bit units."""

JOINED = {Alphabet.GSM7: 153, Alphabet.UCS2: 67}
"""What a part holds when the six octets that join the parts are in it."""

JOINED_16BIT = {Alphabet.GSM7: 152, Alphabet.UCS2: 66}
"""The same with a reference of 16 bits, whose header takes seven octets."""

MOST_PARTS = 255
_JOINERS = ("Mn", "Me", "Mc")
_EVEN = re.compile("[\u0000-\u02ff\u1e00-\u1eff\u2010-\u2027\u20a0-\u20bf]*")
"""Latin letters and what stands between them: each is one unit and may be torn from the next."""


@dataclass(frozen=True)
class Segments:
    """One text, its alphabet, and its parts in order; joined again they are the text in NFC."""

    alphabet: Alphabet
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Count:
    """What a text comes to: its parts, what they weigh, and what the last one still holds.

    `used` and `left` are septets, or 16-bit units: what a counter on a page shows as characters. `foreign`: the
    characters that cost the 7-bit alphabet, each once.
    """

    alphabet: Alphabet
    parts: int
    used: int
    left: int
    foreign: tuple[str, ...]


def split(text: str, reference_bits: int = 8) -> Segments:
    """The parts of `text`. No escape pair and no surrogate pair is ever torn. ValueError beyond 255 parts."""
    cut = _cut(text, reference_bits)
    if len(cut.parts) > MOST_PARTS:
        raise ValueError(f"the text needs {len(cut.parts)} parts, an SMS has at most {MOST_PARTS}")
    return cut


def parts(text: str, reference_bits: int = 8) -> int:
    """How many parts `text` comes to as it stands."""
    return len(_cut(text, reference_bits).parts)


def count(text: str, unaccented: bool = False, reference_bits: int = 8) -> Count:
    """What `text` comes to when it is sent, without its accents if `unaccented`."""
    text = alphabet.unaccent(text) if unaccented else unicodedata.normalize("NFC", text)
    cut = _cut(text, reference_bits)
    weights = [weight(part, cut.alphabet) for part in cut.parts]
    room = capacity(cut.alphabet, reference_bits) if len(weights) > 1 else SINGLE[cut.alphabet]
    return Count(cut.alphabet, len(weights), sum(weights), room - weights[-1], alphabet.foreign(text))


def joint(notice_id: str, text: str) -> int:
    """What joins the parts of this text on the phone, 0-65535.

    The same for every try, so that parts sent again complete what arrived, and another for other words: a phone
    would put parts of two texts together.
    """
    return int.from_bytes(
        hashlib.sha256(f"{notice_id}\n{text}".encode("utf-8", "surrogatepass")).digest()[:2]
    )


def capacity(letters: Alphabet, reference_bits: int = 8) -> int:
    """What a part of several holds, septets or 16-bit units."""
    return (JOINED_16BIT if reference_bits == 16 else JOINED)[letters]


def weight(text: str, letters: Alphabet) -> int:
    """What `text` takes in this alphabet: septets, or 16-bit units."""
    if letters is Alphabet.GSM7:
        return len(alphabet.septets(text))
    return alphabet.units(text)


@lru_cache(maxsize=512)  # counted when it is worded, and cut when it is handed over
def _cut(text: str, reference_bits: int) -> Segments:
    text = unicodedata.normalize("NFC", text)
    letters = Alphabet.GSM7 if alphabet.fits_gsm7(text) else Alphabet.UCS2
    if weight(text, letters) <= SINGLE[letters]:
        return Segments(letters, (text,))
    return Segments(letters, tuple(_filled(text, letters, capacity(letters, reference_bits))))


def _filled(text: str, letters: Alphabet, most: int) -> Iterator[str]:
    even = len(alphabet.septets(text)) == len(text) if letters is Alphabet.GSM7 else _EVEN.fullmatch(text)
    if even:
        return (text[at : at + most] for at in range(0, len(text), most))
    return _fitted(text, letters, most)


def _fitted(text: str, letters: Alphabet, most: int) -> Iterator[str]:
    start, position, room = 0, 0, most
    for piece in _pieces(text, letters, most):
        cost = weight(piece, letters)
        if cost > room:
            yield text[start:position]
            start, room = position, most
        position, room = position + len(piece), room - cost
    yield text[start:]


def _pieces(text: str, letters: Alphabet, most: int) -> Iterator[str]:
    """What is better not torn: a letter with the marks on it, unless somebody piled up more than a part holds."""
    if letters is Alphabet.GSM7:
        yield from text
        return
    start = 0
    for position in range(1, len(text) + 1):
        ends = position == len(text) or unicodedata.category(text[position]) not in _JOINERS
        if ends or alphabet.units(text[start : position + 1]) > most:
            yield text[start:position]
            start = position
