"""A text and the short messages that carry it.

The parts are our own (`rules.sms.segments`): no escape and no surrogate pair is torn. They are joined on the
phone by a header in front of the text (UDH), by three parameters from which the SMSC makes that header (SAR),
or they go whole and the SMSC cuts them (payload).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.rules.smpp.pdus import Coding, ShortMessage, Tag
from gateway.rules.sms import alphabet, pdu, segments
from gateway.rules.sms import fields as octets

Concat = Literal["udh", "sar", "payload"]
HAS_HEADER = 0x40
DEFAULT, ASCII, LATIN1, UCS2 = 0x00, 0x01, 0x03, 0x08


@dataclass(frozen=True)
class Piece:
    """One submit_sm: which part of how many it is, and what of its body depends on the text."""

    number: int
    total: int
    text: bytes
    data_coding: int
    esm_class: int = 0
    parameters: Mapping[int, bytes] = field(default_factory=dict)


def pieces(
    text: str, *, joint: int, reference_bits: int = 8, coding: str = Coding.GSM, concat: Concat = "udh"
) -> tuple[Piece, ...]:
    """The submits of a text; `joint` joins its parts. ValueError where it needs more than 255 parts."""
    cut = _cut(text, coding, reference_bits)
    total = len(cut.parts)
    if concat == "payload" and total > 1:
        body, data_coding = encoded("".join(cut.parts), cut.alphabet, coding)
        return (Piece(1, 1, b"", data_coding, parameters={Tag.MESSAGE_PAYLOAD: body}),)
    joint &= (1 << reference_bits) - 1
    return tuple(
        _piece(part, cut.alphabet, coding, concat, pdu.Join(joint, total, number), reference_bits)
        for number, part in enumerate(cut.parts, start=1)
    )


def count(text: str, coding: str = Coding.GSM, reference_bits: int = 8) -> int:
    """The parts of a text on the phone, also where it goes in one piece."""
    return len(pieces(text, joint=0, coding=coding, reference_bits=reference_bits))


def encoded(part: str, letters: alphabet.Alphabet, coding: str, after: int = 0) -> tuple[bytes, int]:
    """Octets and data_coding of a part. `after`: octets of a header before it, for which packed septets leave bits."""
    if letters is alphabet.Alphabet.UCS2:
        return part.encode("utf-16-be", "surrogatepass"), UCS2
    if coding == Coding.GSM:
        return alphabet.septets(part), DEFAULT
    if coding == Coding.GSM_PACKED:
        return octets.pack(_ended(alphabet.septets(part), _fill(after)), _fill(after)), DEFAULT
    return part.encode(coding), DEFAULT


def read(message: ShortMessage, coding: str = Coding.GSM) -> tuple[str, pdu.Join | None]:
    """The text of a deliver_sm or submit_sm, and which part of which it is. What cannot be read becomes U+FFFD."""
    body, header = message.payload, b""
    if message.esm_class & HAS_HEADER and body:
        header, body = body[: body[0] + 1], body[body[0] + 1 :]
    join = _join_of(header[1:]) or _sar(message.parameters)
    return _decoded(body, message.data_coding, coding, len(header)), join


def _decoded(body: bytes, data_coding: int, coding: str, after: int) -> str:
    letters = _alphabet(data_coding)
    if letters is alphabet.Alphabet.UCS2:
        return body[: len(body) // 2 * 2].decode("utf-16-be", "surrogatepass")
    if data_coding == LATIN1 or letters is None:
        return body.decode("latin-1")
    if data_coding == ASCII or coding == Coding.ASCII:
        return body.decode("ascii", "replace")
    if coding == Coding.GSM_PACKED:
        return _unpacked(body, _fill(after))
    if coding == Coding.LATIN1 or any(
        octet > 0x7F for octet in body
    ):  # then it is no GSM 03.38, whatever is said
        return body.decode("latin-1")
    return alphabet.from_septets(body)


def _alphabet(data_coding: int) -> alphabet.Alphabet | None:
    """SMPP's own list below 0x10, the network's groups above (5.2.19)."""
    if data_coding < 0x10:
        known = {DEFAULT: alphabet.Alphabet.GSM7, ASCII: alphabet.Alphabet.GSM7, UCS2: alphabet.Alphabet.UCS2}
        return known.get(data_coding)
    return pdu.alphabet_of(data_coding)


def _piece(part: str, letters, coding: str, concat: Concat, join: pdu.Join, bits: int) -> Piece:
    if join.total == 1 or concat == "sar":
        body, data_coding = encoded(part, letters, coding)
        sar = {} if join.total == 1 else {
            Tag.SAR_REFERENCE: join.reference.to_bytes(2), Tag.SAR_TOTAL: bytes([join.total]),
            Tag.SAR_NUMBER: bytes([join.number]),
        }  # fmt: skip
        return Piece(join.number, join.total, body, data_coding, 0, sar)
    header = pdu.header(join, bits)
    body, data_coding = encoded(part, letters, coding, len(header))
    return Piece(join.number, join.total, header + body, data_coding, HAS_HEADER)


def _cut(text: str, coding: str, bits: int) -> segments.Segments:
    """The parts, in UCS-2 also where GSM 03.38 has every letter but this SMSC's default alphabet has not."""
    cut = segments.split(text, bits)
    whole = "".join(cut.parts)
    if coding in (Coding.GSM, Coding.GSM_PACKED) or cut.alphabet is alphabet.Alphabet.UCS2:
        return cut
    try:
        whole.encode(coding)
        return cut
    except UnicodeEncodeError:  # its letters are all of one unit
        single, room = (
            segments.SINGLE[alphabet.Alphabet.UCS2],
            segments.capacity(alphabet.Alphabet.UCS2, bits),
        )
        room = len(whole) if len(whole) <= single else room
        parts = tuple(whole[start : start + room] for start in range(0, len(whole), room))
        if len(parts) > segments.MOST_PARTS:
            raise ValueError(f"the text needs {len(parts)} parts, an SMS has at most 255") from None
        return segments.Segments(alphabet.Alphabet.UCS2, parts)


def _fill(after: int) -> int:
    return -8 * after % 7


def _ended(septets: bytes, fill: int) -> bytes:
    """Where seven bits are left over they would read as "@": a CR fills them (23.038, 6.1.2.3.1)."""
    return septets + b"\r" if (fill + 7 * len(septets)) % 8 == 1 else septets


def _unpacked(body: bytes, fill: int) -> str:
    septets = octets.unpack(body, (8 * len(body) - fill) // 7, fill)
    if (fill + 7 * len(septets)) % 8 == 0 and septets.endswith(b"\r"):
        septets = septets[:-1]
    return alphabet.from_septets(septets)


def _join_of(elements: bytes) -> pdu.Join | None:
    found = octets.Octets(elements)
    while found.left >= 2:
        kind, length = found.octet(), found.octet()
        if length > found.left:
            return None
        value = found.take(length)
        if kind == 0 and length == 3:
            return _possible(value[0], value[1], value[2])
        if kind == 8 and length == 4:
            return _possible(int.from_bytes(value[:2]), value[2], value[3])
    return None


def _sar(parameters: Mapping[int, bytes]) -> pdu.Join | None:
    values = [parameters.get(tag, b"") for tag in (Tag.SAR_REFERENCE, Tag.SAR_TOTAL, Tag.SAR_NUMBER)]
    return _possible(*map(int.from_bytes, values)) if all(values) else None


def _possible(reference: int, total: int, number: int) -> pdu.Join | None:
    """A part 0, or the fourth of three, is shown alone; so is the only one."""
    return pdu.Join(reference, total, number) if 1 <= number <= total > 1 else None
