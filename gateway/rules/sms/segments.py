"""How a text is cut into the parts of one SMS (3GPP TS 23.040, 9.2.3.24.1)."""

import unicodedata
from dataclasses import dataclass

from gateway.rules.sms import alphabet

SINGLE = {alphabet.Alphabet.GSM7: 160, alphabet.Alphabet.UCS2: 70}
"""What one message holds: septets, or 16-bit units."""

JOINED = {alphabet.Alphabet.GSM7: 153, alphabet.Alphabet.UCS2: 67}
"""What a part holds when the six octets that join the parts are in it."""

MOST_PARTS = 255


@dataclass(frozen=True)
class Segments:
    """One text, its alphabet, and its parts in order; joined again they are the text in NFC."""

    alphabet: alphabet.Alphabet
    parts: tuple[str, ...]


def split(text: str) -> Segments:
    """The parts of `text`. No escape pair and no surrogate pair is ever torn. ValueError beyond 255 parts."""
    text = unicodedata.normalize("NFC", text)
    letters = alphabet.Alphabet.GSM7 if alphabet.fits_gsm7(text) else alphabet.Alphabet.UCS2
    if weight(text, letters) <= SINGLE[letters]:
        return Segments(letters, (text,))
    parts = tuple(_filled(text, letters))
    if len(parts) > MOST_PARTS:
        raise ValueError(f"the text needs {len(parts)} parts, an SMS has at most {MOST_PARTS}")
    return Segments(letters, parts)


def weight(text: str, letters: alphabet.Alphabet) -> int:
    """What `text` takes in this alphabet: septets, or 16-bit units."""
    if letters is alphabet.Alphabet.GSM7:
        return len(alphabet.septets(text))
    return alphabet.units(text)


def _filled(text: str, letters: alphabet.Alphabet):
    start, room = 0, JOINED[letters]
    for position, letter in enumerate(text):
        cost = weight(letter, letters)
        if cost > room:
            yield text[start:position]
            start, room = position, JOINED[letters]
        room -= cost
    yield text[start:]
