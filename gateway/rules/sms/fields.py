"""The fields PDUs are made of: packed septets, addresses, times, validity (3GPP TS 23.040, 9.1 and 9.2.3)."""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from gateway.rules.sms import alphabet

_ALPHANUMERIC = 0x50
_SEMI_OCTETS = "0123456789*#abc"
_FILLER = "F"
_PAIRS = [
    (_SEMI_OCTETS + _FILLER)[octet & 0xF] + (_SEMI_OCTETS + _FILLER)[octet >> 4] for octet in range(256)
]
_BITS = [f"{septet:07b}" for septet in range(128)]
"""Tables, as a modem's thread reads and writes hundreds of these a second."""

_MINUTE, _HOUR, _DAY, _WEEK = 60, 3600, 86400, 604800


class Malformed(ValueError):
    """Octets that are no PDU."""


class Octets:
    """A PDU being read from its start; asking beyond its end is Malformed."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    @classmethod
    def of_hex(cls, text: str) -> "Octets":
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise Malformed("not hexadecimal") from None

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Malformed(f"{count} octets wanted, {self.left} left")
        self._at += count
        return self._octets[self._at - count : self._at]

    def octet(self) -> int:
        return self.take(1)[0]


def pack(septets: bytes, fill: int = 0) -> bytes:
    """Septets as octets, after `fill` bits of zero (so that they start on a septet after a header)."""
    bits = int("".join(map(_BITS.__getitem__, reversed(septets))) or "0", 2) << fill
    return bits.to_bytes((fill + 7 * len(septets) + 7) // 8, "little")


def unpack(octets: bytes, count: int, fill: int = 0) -> bytes:
    """`count` septets out of octets, after `fill` bits."""
    if fill + 7 * count > 8 * len(octets):
        raise Malformed(f"{count} septets wanted in {len(octets)} octets")
    bits = int.from_bytes(octets, "little") >> fill
    return bytes(bits >> 7 * position & 0x7F for position in range(count))


def semi_octets(digits: str) -> bytes:
    """Digits two an octet, nibbles swapped, F to fill."""
    values = [_SEMI_OCTETS.index(digit) for digit in digits] + [0xF] * (len(digits) % 2)
    return bytes(low | high << 4 for low, high in zip(values[::2], values[1::2], strict=True))


def address(number: str) -> bytes:
    """An address field: count of digits, type (91 when it begins with +, else 81), digits."""
    digits = number.removeprefix("+")
    return bytes([len(digits), 0x91 if number.startswith("+") else 0x81]) + semi_octets(digits)


def take_address(octets: Octets) -> str:
    """The address next in the PDU: "+84905123456", "191", or a name such as "VIETTEL"."""
    length, kind = octets.octet(), octets.octet()
    field = octets.take((length + 1) // 2)
    if kind & 0x70 == _ALPHANUMERIC:
        septets = unpack(field, length * 4 // 7)
        # Some networks count whole octets: after seven letters the spare bits would be an eighth, an @
        spare = len(septets) % 8 == 0 and septets.endswith(b"\0")
        return alphabet.from_septets(septets[:-1] if spare else septets)
    digits = "".join([_PAIRS[octet] for octet in field])[:length]
    if _FILLER in digits:
        raise Malformed("a filler inside an address")
    return f"+{digits}" if kind & 0x70 == 0x10 else digits


def time(at: int, quarters: int = 28) -> bytes:
    """Seven octets of service-centre time for an epoch second, in a zone given in quarters of an hour."""
    local = datetime.fromtimestamp(at, timezone(timedelta(minutes=15 * quarters)))
    zone = semi_octets(f"{abs(quarters):02d}")[0] | (0x08 if quarters < 0 else 0)
    return semi_octets(local.strftime("%y%m%d%H%M%S")) + bytes([zone])


def take_time(octets: Octets) -> int | None:
    """The epoch second next in the PDU; None where a network sends no possible time."""
    return _moment(octets.take(7))


@lru_cache(maxsize=128)  # reports come many in a second
def _moment(field: bytes) -> int | None:
    year, month, day, hour, minute, second = (10 * (octet & 0xF) + (octet >> 4) for octet in field[:6])
    quarters = 10 * (field[6] & 0x7) + (field[6] >> 4)
    try:
        local = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(local.timestamp()) - (-1 if field[6] & 0x8 else 1) * quarters * 900


def validity(seconds: int) -> int:
    """The relative validity period that ends not after `seconds`; the shortest there is are five minutes."""
    if seconds <= 12 * _HOUR:
        return max(0, seconds // (5 * _MINUTE) - 1)
    if seconds <= 24 * _HOUR:
        return 143 + (seconds - 12 * _HOUR) // (30 * _MINUTE)
    if seconds < 5 * _WEEK:
        return min(196, 166 + max(1, seconds // _DAY)) if seconds >= 2 * _DAY else 167
    return min(255, 192 + seconds // _WEEK)


def validity_seconds(value: int) -> int:
    """The seconds a relative validity period stands for."""
    if value <= 143:
        return (value + 1) * 5 * _MINUTE
    if value <= 167:
        return 12 * _HOUR + (value - 143) * 30 * _MINUTE
    if value <= 196:
        return (value - 166) * _DAY
    return (value - 192) * _WEEK
