"""SMPP PDUs: octets in, values out, and back (SMPP 3.4, issue 1.2, chapters 3 to 5)."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from gateway.rules.sms.fields import Malformed, Octets

HEADER = struct.Struct(">IIII")
RESPONSE = 0x8000_0000
LARGEST = 70_000
"""Octets. A message_payload has at most 65,535; a longer frame is no SMPP."""

LAST_SEQUENCE = 0x7FFF_FFFF
VERSION = 0x34


class Command(IntEnum):
    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    QUERY_SM = 0x03
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    GENERIC_NACK = 0x8000_0000
    BIND_TRANSCEIVER_RESP = RESPONSE | BIND_TRANSCEIVER
    SUBMIT_SM_RESP = RESPONSE | SUBMIT_SM
    DELIVER_SM_RESP = RESPONSE | DELIVER_SM
    UNBIND_RESP = RESPONSE | UNBIND
    ENQUIRE_LINK_RESP = RESPONSE | ENQUIRE_LINK


class Status(IntEnum):
    """Of the command_status values the ones this program says or acts upon; all have a row in channels.codes."""

    OK = 0x00
    BAD_LENGTH = 0x02
    BAD_COMMAND = 0x03
    WRONG_STATE = 0x04
    ALREADY_BOUND = 0x05
    SYSTEM_ERROR = 0x08
    BAD_SOURCE = 0x0A
    BAD_DESTINATION = 0x0B
    BIND_FAILED = 0x0D
    BAD_PASSWORD = 0x0E
    BAD_SYSTEM_ID = 0x0F
    QUEUE_FULL = 0x14
    SUBMIT_FAILED = 0x45
    THROTTLED = 0x58
    BAD_VALIDITY = 0x62
    LATER = 0x64
    NEVER = 0x65


class Tag(IntEnum):
    """Optional parameters (5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_REFERENCE = 0x020C
    SAR_TOTAL = 0x020E
    SAR_NUMBER = 0x020F
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class Coding(StrEnum):
    """What an SMSC takes for its "default alphabet" (data_coding 0)."""

    GSM = "gsm"  # GSM 03.38, one octet a septet
    GSM_PACKED = "gsm_packed"  # GSM 03.38, eight septets in seven octets
    LATIN1 = "latin1"
    ASCII = "ascii"


@dataclass(frozen=True)
class Pdu:
    """One PDU; `command` and `status` are plain numbers, as a peer may send any."""

    command: int
    sequence: int
    status: int = 0
    body: bytes = b""

    @property
    def octets(self) -> bytes:
        return HEADER.pack(16 + len(self.body), self.command, self.status, self.sequence) + self.body


class Frames:
    """PDUs out of a stream that comes in pieces of any size."""

    def __init__(self) -> None:
        self._octets = bytearray()

    def feed(self, octets: bytes) -> Iterator[Pdu]:
        """The PDUs that are whole now. Malformed where the stream cannot be SMPP: nothing after it can be read."""
        self._octets += octets
        while len(self._octets) >= 16:
            length, command, status, sequence = HEADER.unpack_from(self._octets)
            if not 16 <= length <= LARGEST:
                raise Malformed(f"a PDU of {length} octets")
            if len(self._octets) < length:
                return
            body = bytes(self._octets[16:length])
            del self._octets[:length]
            yield Pdu(command, sequence, status, body)


class Fields(Octets):
    """A body being read from its start, with SMPP's strings and optional parameters."""

    def string(self, most: int) -> str:
        """A C-octet string of at most `most` octets, its NUL among them."""
        end = self._octets.find(0, self._at, self._at + most)
        if end < 0:
            raise Malformed(f"no end of a string within {most} octets")
        return self.take(end - self._at + 1)[:-1].decode("latin-1")

    def parameters(self) -> dict[int, bytes]:
        """The optional parameters that fill the rest."""
        found: dict[int, bytes] = {}
        while self.left:
            tag, length = struct.unpack(">HH", self.take(4))
            found[tag] = self.take(length)
        return found


def string(text: str, most: int) -> bytes:
    """A C-octet string; ValueError where it does not fit into `most` octets, its NUL among them."""
    octets = text.encode("latin-1", "replace") + b"\0"
    if len(octets) > most or 0 in octets[:-1]:
        raise ValueError(f"a text of at most {most - 1} characters is needed")
    return octets


@dataclass(frozen=True)
class Address:
    """Type of number (1 international, 5 a name), numbering plan (1 telephone), and the digits or name."""

    ton: int
    npi: int
    number: str

    @property
    def octets(self) -> bytes:
        return bytes([self.ton, self.npi]) + string(self.number, 21)

    @classmethod
    def read(cls, fields: Fields) -> "Address":
        return cls(fields.octet(), fields.octet(), fields.string(21))


@dataclass(frozen=True)
class Bind:
    """The body of a bind; the password stays out of its repr."""

    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    version: int = VERSION

    @property
    def octets(self) -> bytes:
        # The standard has eight characters of a password; some aggregators give out more, and take them.
        named = string(self.system_id, 16) + string(self.password, 65) + string(self.system_type, 13)
        return named + bytes([self.version, 0, 0, 0])

    @classmethod
    def read(cls, body: bytes) -> "Bind":
        fields = Fields(body)
        made = cls(fields.string(16), fields.string(65), fields.string(13), fields.octet())
        fields.take(2)
        fields.string(41)
        if fields.left:
            raise Malformed("octets after the end of a bind")
        return made


@dataclass(frozen=True)
class ShortMessage:
    """The body of submit_sm and of deliver_sm (4.4.1, 4.6.1)."""

    source: Address
    to: Address
    octets_of_text: bytes = b""
    data_coding: int = 0
    esm_class: int = 0
    registered: int = 0
    validity: str = ""
    schedule: str = ""
    service_type: str = ""
    protocol_id: int = 0
    priority: int = 0
    replace: int = 0
    default_id: int = 0
    parameters: Mapping[int, bytes] = field(default_factory=dict)

    @property
    def octets(self) -> bytes:
        if len(self.octets_of_text) > 254:
            raise ValueError("a short message has at most 254 octets")
        head = string(self.service_type, 6) + self.source.octets + self.to.octets
        head += bytes([self.esm_class, self.protocol_id, self.priority])
        head += string(self.schedule, 17) + string(self.validity, 17)
        head += bytes([self.registered, self.replace, self.data_coding, self.default_id])
        text = bytes([len(self.octets_of_text)]) + self.octets_of_text
        return head + text + b"".join(_parameter(*one) for one in self.parameters.items())

    @classmethod
    def read(cls, body: bytes) -> "ShortMessage":
        fields = Fields(body)
        service, source, to = fields.string(6), Address.read(fields), Address.read(fields)
        esm_class, protocol_id, priority = fields.take(3)
        schedule, validity = fields.string(17), fields.string(17)
        registered, replace, data_coding, default_id, length = fields.take(5)
        text = fields.take(length)
        return cls(
            source, to, text, data_coding, esm_class, registered, validity, schedule, service, protocol_id,
            priority, replace, default_id, fields.parameters(),
        )  # fmt: skip

    @property
    def payload(self) -> bytes:
        """The text wherever it stands: message_payload is used when the short message is empty."""
        return self.octets_of_text or self.parameters.get(Tag.MESSAGE_PAYLOAD, b"")


def message_id(body: bytes) -> str | None:
    """The id in a submit_sm_resp's body; None where there is none, as some SMSCs leave it out."""
    try:
        return Fields(body).string(65) or None
    except Malformed:
        return None


def validity(seconds: int) -> str:
    """The relative validity period that ends after so many seconds, at most thirty days (7.1.1.1)."""
    seconds = min(max(seconds, 60), 30 * 86_400)
    days, rest = divmod(seconds, 86_400)
    return f"0000{days:02d}{rest // 3600:02d}{rest // 60 % 60:02d}{rest % 60:02d}000R"


def _parameter(tag: int, value: bytes) -> bytes:
    return struct.pack(">HH", tag, len(value)) + value
