"""SMS PDUs in hexadecimal: SUBMIT to the network, DELIVER and STATUS-REPORT from it (3GPP TS 23.040, 9.2.2).

A modem speaks these after AT+CMGF=0. Every PDU begins with the service-centre field ("00": the SIM's own).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from gateway.rules.sms import alphabet, fields, segments

_SUBMIT, _RELATIVE_VALIDITY, _ASK_REPORT, _HEADER = 0x01, 0x10, 0x20, 0x40
_JOIN_8BIT, _JOIN_16BIT = 0x00, 0x08


@dataclass(frozen=True)
class Join:
    """Which part of which text this is: `reference` is one for all `total` parts, `number` counts from 1."""

    reference: int
    total: int
    number: int


@dataclass(frozen=True)
class Pdu:
    """A PDU for a modem: its hexadecimal text, and the length AT+CMGS wants (without the SMSC field)."""

    hex: str
    length: int


@dataclass(frozen=True)
class Submitted:
    """A SUBMIT read back. `valid_seconds` is None when no validity is given."""

    to: str
    text: str
    alphabet: alphabet.Alphabet
    join: Join | None
    valid_seconds: int | None
    asks_report: bool


@dataclass(frozen=True)
class Delivered:
    """A text that came in; `at` is the network's time, epoch seconds."""

    sender: str
    text: str
    at: int | None
    join: Join | None


class Fate(Enum):
    DELIVERED = "delivered"  # the network says the phone has it
    PENDING = "pending"  # the network is still trying
    FAILED = "failed"  # the network gave up


@dataclass(frozen=True)
class StatusReport:
    """What became of the SUBMIT the modem numbered `reference` (0-255, it wraps)."""

    reference: int
    to: str
    at: int | None
    status: int

    @property
    def fate(self) -> Fate:
        if self.status <= 0x02:
            return Fate.DELIVERED
        if 0x20 <= self.status <= 0x2F:
            return Fate.PENDING
        return Fate.FAILED


def submits(
    to: str,
    text: str,
    *,
    reference: int,
    valid_seconds: int | None = None,
    report: bool = True,
    reference_bits: int = 8,
) -> tuple[Pdu, ...]:
    """The SUBMIT PDUs of a text, one a part. `reference` joins the parts on the phone; only its low bits are used.

    With `reference_bits` 16 two texts to one phone are told apart more surely, and a part holds a letter less.
    """
    cut = segments.split(text, reference_bits)
    total = len(cut.parts)
    joins = [Join(reference, total, number) if total > 1 else None for number in range(1, total + 1)]
    return tuple(
        _submit(
            to, user_data(part, cut.alphabet, join, reference_bits), cut.alphabet, join, valid_seconds, report
        )
        for part, join in zip(cut.parts, joins, strict=True)
    )


def read_submit(text: str) -> Submitted:
    """A SUBMIT out of hexadecimal. fields.Malformed when it is none, or when octets are left over."""
    octets = fields.Octets.of_hex(text)
    octets.take(octets.octet())
    first = octets.octet()
    if first & 0x03 != _SUBMIT:
        raise fields.Malformed("not a SUBMIT")
    octets.octet()  # the message reference: the modem fills in its own
    to = fields.take_address(octets)
    coding = octets.take(2)[1]
    valid = _take_validity(octets, first)
    body, join = _take_user_data(octets, coding, bool(first & _HEADER))
    if octets.left:
        raise fields.Malformed(f"{octets.left} octets after the end")
    return Submitted(to, body, alphabet_of(coding), join, valid, bool(first & _ASK_REPORT))


def read_deliver(text: str) -> Delivered:
    """A DELIVER out of hexadecimal. fields.Malformed when it is none."""
    octets = fields.Octets.of_hex(text)
    octets.take(octets.octet())
    first = octets.octet()
    if first & 0x03 != 0x00:
        raise fields.Malformed("not a DELIVER")
    sender = fields.take_address(octets)
    coding = octets.take(2)[1]
    at = fields.take_time(octets)
    body, join = _take_user_data(octets, coding, bool(first & _HEADER))
    return Delivered(sender, body, at, join)


def read_report(text: str) -> StatusReport:
    """A STATUS-REPORT out of hexadecimal. fields.Malformed when it is none."""
    octets = fields.Octets.of_hex(text)
    octets.take(octets.octet())
    if octets.octet() & 0x03 != 0x02:
        raise fields.Malformed("not a STATUS-REPORT")
    reference, to = octets.octet(), fields.take_address(octets)
    octets.take(7)  # when the service centre got it; `at` below is when its fate was known
    return StatusReport(reference, to, fields.take_time(octets), octets.octet())


def joined(parts: Iterable[str]) -> str:
    """Parts put together. Surrogate pairs that a sender tore meet again; a lone half becomes U+FFFD."""
    return "".join(parts).encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")


def alphabet_of(coding: int) -> alphabet.Alphabet | None:
    """The alphabet a data coding scheme names; None for 8-bit data (3GPP TS 23.038, section 4)."""
    if coding & 0xC0 == 0x00 or coding & 0xF0 == 0xF0:
        bits = coding >> 2 & (0x3 if coding & 0xC0 == 0x00 else 0x1)
        return (alphabet.Alphabet.GSM7, None, alphabet.Alphabet.UCS2, alphabet.Alphabet.GSM7)[bits]
    return alphabet.Alphabet.UCS2 if coding & 0xF0 == 0xE0 else alphabet.Alphabet.GSM7


def header(join: Join | None, reference_bits: int = 8) -> bytes:
    """The user data header that joins a part to the others; nothing where there is one part only."""
    if join is None:
        return b""
    if reference_bits == 16:
        reference = join.reference & 0xFFFF
        return bytes([6, _JOIN_16BIT, 4, reference >> 8, reference & 0xFF, join.total, join.number])
    return bytes([5, _JOIN_8BIT, 3, join.reference & 0xFF, join.total, join.number])


def user_data(part: str, letters: alphabet.Alphabet, join: Join | None, reference_bits: int = 8) -> bytes:
    """UDL and UD of one part: the length counts septets, header included, for GSM 7 bit, octets for UCS-2."""
    head = header(join, reference_bits)
    if letters is alphabet.Alphabet.UCS2:
        body = head + part.encode("utf-16-be", "surrogatepass")
        return bytes([len(body)]) + body
    septets, (skipped, fill) = alphabet.septets(part), _header_room(len(head))
    return bytes([skipped + len(septets)]) + head + fields.pack(septets, fill)


def _submit(to, data, letters, join, valid_seconds, report) -> Pdu:
    first = _SUBMIT | (_ASK_REPORT if report else 0) | (_HEADER if join else 0)
    valid = b""
    if valid_seconds is not None:
        first, valid = first | _RELATIVE_VALIDITY, bytes([fields.validity(valid_seconds)])
    # Most modems put in a reference of their own; the few that do not want the parts told apart.
    body = bytes([first, join.number - 1 if join else 0]) + fields.address(to)
    body += bytes([0, letters.value]) + valid + data
    return Pdu(hex="00" + body.hex().upper(), length=len(body))


def _take_validity(octets: fields.Octets, first: int) -> int | None:
    kind = first & 0x18
    if kind == _RELATIVE_VALIDITY:
        return fields.validity_seconds(octets.octet())
    if kind:
        octets.take(7)
    return None


def _take_user_data(octets: fields.Octets, coding: int, has_header: bool) -> tuple[str, Join | None]:
    length, letters = octets.octet(), alphabet_of(coding)
    size = (length * 7 + 7) // 8 if letters is alphabet.Alphabet.GSM7 else length
    if size > 140:
        raise fields.Malformed("more than 140 octets of text")
    data = octets.take(size)
    head = data[: data[0] + 1] if has_header and data else b""
    if len(head) > len(data) or (has_header and len(head) != data[0] + 1):
        raise fields.Malformed("a header longer than its message")
    return _body(data[len(head) :], length, letters, len(head)), _join_in(head[1:])


def _body(data: bytes, length: int, letters: alphabet.Alphabet | None, header: int) -> str:
    if letters is alphabet.Alphabet.GSM7:
        skipped, fill = _header_room(header)
        return alphabet.from_septets(fields.unpack(data, max(0, length - skipped), fill))
    if letters is alphabet.Alphabet.UCS2:
        return data[: len(data) // 2 * 2].decode("utf-16-be", "surrogatepass")
    return data.decode("latin-1")


def _header_room(octets: int) -> tuple[int, int]:
    """Septets a header of so many octets takes, and the bits that fill up its last one."""
    skipped = (8 * octets + 6) // 7
    return skipped, 7 * skipped - 8 * octets


def _join_in(elements: bytes) -> Join | None:
    octets = fields.Octets(elements)
    while octets.left >= 2:
        kind, value = octets.octet(), octets.take(octets.octet())
        if kind == _JOIN_8BIT and len(value) == 3:
            return _possible(Join(value[0], value[1], value[2]))
        if kind == _JOIN_16BIT and len(value) == 4:
            return _possible(Join(value[0] << 8 | value[1], value[2], value[3]))
    return None


def _possible(join: Join) -> Join | None:
    """A part 0, or the fourth of three, is to be shown alone (23.040, 9.2.3.24.1)."""
    return join if 1 <= join.number <= join.total else None
