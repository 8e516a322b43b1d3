"""What reached the phones through the modem, and every breach of the protocol on the way (3GPP TS 23.040)."""

import re
from collections import Counter
from dataclasses import dataclass, replace

from gateway.rules import phone
from gateway.rules.sms import alphabet, fields, pdu

MOST_KEPT = 100_000

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_HEADER, _VALIDITY, _REPLY_PATH = 0x40, 0x18, 0x80
_ENHANCED_VALIDITY = 0x08
_JOINS = (0x00, 0x08)
_HIGH_SURROGATES, _LOW_SURROGATES = range(0xD800, 0xDC00), range(0xDC00, 0xE000)

Key = tuple[str, int | None, int, int, str]


@dataclass(frozen=True)
class Taken:
    """A PDU that went on the air. `phone` is E.164, `to` as the PDU has it, `number` the modem's own (TP-MR).

    `joint` is None for a text of one part; `at` is monotonic seconds.
    """

    phone: str
    to: str
    joint: int | None
    total: int
    part: int
    text: str
    asks_report: bool
    valid_seconds: int | None
    number: int
    at: float
    arrives: bool = True

    @property
    def key(self) -> Key:
        return self.phone, self.joint, self.total, self.part, self.text


class Judge:
    """Reads every PDU as a network and a phone would, and keeps what it saw."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.taken: list[Taken] = []
        self._open: dict[tuple[str, int, int], dict[int, Taken]] = {}

    def object(self, sentence: str) -> None:
        if len(self.violations) < MOST_KEPT:
            self.violations.append(sentence)

    def read(self, raw: bytes, length: int) -> pdu.Submitted | None:
        """The SUBMIT that was given for AT+CMGS=`length`; None, and a violation, when it is none."""
        text = raw.decode("ascii", "replace")
        try:
            if not _HEX.fullmatch(text):
                raise fields.Malformed("not hexadecimal")
            octets = bytes.fromhex(text)
            submitted = pdu.read_submit(text)
            if (size := len(octets) - 1 - octets[0]) != length:
                raise fields.Malformed(f"AT+CMGS={length} and a PDU of {size}")
        except (fields.Malformed, IndexError, UnicodeError) as fault:
            self.object(f"a PDU that cannot be: {fault}: {text[:400]}")
            return None
        for sentence in _oddities(octets[1 + octets[0] :], submitted):
            self.object(f"{sentence}: {text[:400]}")
        return submitted

    def keep(self, one: Taken) -> list[Taken] | None:
        """A PDU is on the air; the parts in their order when they make a whole text on the phone now."""
        if len(self.taken) < MOST_KEPT:
            self.taken.append(one)
        if not one.arrives:
            return None
        if one.joint is None:
            return [one]
        key = (one.phone, one.joint, one.total)
        parts = self._open.setdefault(key, {})
        parts[one.part] = one
        if len(parts) < one.total:
            return None
        del self._open[key]
        return [parts[at] for at in sorted(parts)]

    def counts(self) -> Counter[Key]:
        """How often each part, (phone, joint, total, part, text), went on the air."""
        return Counter(one.key for one in self.taken)

    def doubled(self) -> dict[Key, int]:
        """The parts that a phone got more than once, and how often."""
        got = Counter(one.key for one in self.taken if one.arrives)
        return {key: count for key, count in got.items() if count > 1}

    def orphans(self) -> list[Taken]:
        """Parts on a phone that never became a whole text."""
        return [one for parts in self._open.values() for one in parts.values()]


def failing(one: Taken) -> Taken:
    """The same, but the phone never gets it."""
    return replace(one, arrives=False)


def joined(parts: list[Taken]) -> str:
    return pdu.joined(one.text for one in parts)


def e164(to: str) -> str | None:
    """The number that a network routes by; None for what is no phone."""
    number = phone.parse(to)
    return number.e164 if isinstance(number, phone.Phone) else None


def _oddities(octets: bytes, submitted: pdu.Submitted):
    """What a network may swallow and a phone may show wrongly."""
    first = octets[0]
    if first & _VALIDITY == _ENHANCED_VALIDITY:
        yield "an enhanced validity period"
    if first & _REPLY_PATH:
        yield "a reply path"
    digits = octets[2]
    if digits % 2 and octets[4 + digits // 2] >> 4 != 0xF:
        yield "an odd number of digits without a filler"
    coding = octets[4 + (digits + 1) // 2 + 1]
    if submitted.alphabet is None:
        yield "a text of octets that no phone shows"
    elif coding not in (0x00, 0x08, 0x10, 0x11, 0x18, 0x19, 0xF0, 0xF1):
        yield f"data coding {coding:02X}"
    data = _user_data(octets, first, digits)
    yield from _header_oddities(data, first, submitted)
    yield from _torn(data, submitted)


def _user_data(octets: bytes, first: int, digits: int) -> bytes:
    validity = {0x00: 0, 0x10: 1}.get(first & _VALIDITY, 7)
    return octets[4 + (digits + 1) // 2 + 2 + validity :]


def _header_oddities(data: bytes, first: int, submitted: pdu.Submitted):
    length, body = data[0], data[1:]
    if submitted.alphabet is alphabet.Alphabet.UCS2 and length % 2 and not first & _HEADER:
        yield "half a unit of UCS-2"
    if not first & _HEADER:
        return
    header, joins = body[1 : 1 + body[0]], 0
    while header:
        size = header[1] if len(header) > 1 else 255
        if 2 + size > len(header):
            yield "a header whose elements do not fill it"
            return
        joins += header[0] in _JOINS
        if header[0] in _JOINS and submitted.join is None:
            yield "a part that cannot be"
        header = header[2 + size :]
    if joins > 1:
        yield "two elements that join the parts"
    if submitted.alphabet is alphabet.Alphabet.UCS2 and (length - body[0] - 1) % 2:
        yield "half a unit of UCS-2"


def _torn(data: bytes, submitted: pdu.Submitted):
    text = submitted.text
    if submitted.alphabet is alphabet.Alphabet.UCS2:
        if text and (ord(text[-1]) in _HIGH_SURROGATES or ord(text[0]) in _LOW_SURROGATES):
            yield "a pair of surrogates torn apart"
    elif submitted.alphabet is alphabet.Alphabet.GSM7 and data[0]:
        bit = 7 * (data[0] - 1)  # where the last septet begins, header and all
        if int.from_bytes(data[1 + bit // 8 : 3 + bit // 8], "little") >> bit % 8 & 0x7F == alphabet.ESCAPE:
            yield "an escape torn from its letter"
