"""Every field of a submit_sm, judged: the status it gets, and in words what is wrong."""

import re

from gateway.rules import phone
from gateway.rules.smpp import texts
from gateway.rules.smpp.pdus import Coding, ShortMessage, Status, Tag

_NAME = re.compile(r"[A-Za-z0-9 ._-]{1,11}")
_DESTINATION = re.compile(r"84[0-9]{9}")
_VALIDITY = re.compile(
    r"(0000[0-3][0-9][01][0-9][0-5][0-9][0-5][0-9]|00000[0-9]2[0-3][0-5][0-9][0-5][0-9])000R"
)
_RANGES = {Tag.SAR_REFERENCE: 2, Tag.SAR_TOTAL: 1, Tag.SAR_NUMBER: 1}

Verdict = tuple[int, str] | None
BAD_TON, BAD_NPI, BAD_SOURCE_TON, BAD_CLASS = 0x50, 0x51, 0x48, 0x43
BAD_REGISTERED, BAD_PRIORITY, BAD_SCHEDULE, BAD_REPLACE, BAD_SERVICE = 0x07, 0x06, 0x61, 0x54, 0x15
BAD_TEXT_LENGTH, BAD_PARAMETER, UNWANTED_PARAMETER = 0x01, 0xC4, 0xC1


def judge(message: ShortMessage, source: str, coding: str) -> Verdict:
    """None for a good submit_sm; `source` is the sender's name on the papers."""
    return _addresses(message, source) or _flags(message) or _text(message, coding)


def _addresses(message: ShortMessage, source: str) -> Verdict:
    sender, to = message.source, message.to
    if (sender.ton, sender.npi) not in ((5, 0), (1, 1), (0, 1), (0, 0)):
        return BAD_SOURCE_TON, f"a source of ton {sender.ton}, npi {sender.npi}"
    if sender.number != source or (sender.ton == 5 and not _NAME.fullmatch(sender.number)):
        return Status.BAD_SOURCE, f"a source {sender.number!r}"
    if to.ton != 1 or to.npi != 1:
        return (BAD_TON if to.ton != 1 else BAD_NPI), f"a destination of ton {to.ton}, npi {to.npi}"
    number = phone.parse(to.number)
    if not _DESTINATION.fullmatch(to.number) or getattr(number, "kind", None) is not phone.Kind.MOBILE:
        return Status.BAD_DESTINATION, f"a destination {to.number!r}"
    return None


def _flags(message: ShortMessage) -> Verdict:
    if message.service_type:
        return BAD_SERVICE, f"a service type {message.service_type!r}"
    if message.esm_class not in (0, texts.HAS_HEADER):
        return BAD_CLASS, f"an esm_class {message.esm_class:02X}"
    if message.registered != 1:
        return BAD_REGISTERED, f"registered_delivery {message.registered}"
    if message.priority or message.protocol_id:
        return BAD_PRIORITY, f"priority {message.priority}, protocol {message.protocol_id}"
    if message.schedule:
        return BAD_SCHEDULE, f"a schedule {message.schedule!r}"
    if message.replace or message.default_id:
        return BAD_REPLACE, f"replace {message.replace}, sm_default_msg_id {message.default_id}"
    if message.validity and not _VALIDITY.fullmatch(message.validity):
        return Status.BAD_VALIDITY, f"a validity {message.validity!r}"
    return None


def _text(message: ShortMessage, coding: str) -> Verdict:
    if message.data_coding not in (texts.DEFAULT, texts.UCS2):
        return Status.SYSTEM_ERROR, f"data_coding {message.data_coding}"
    for tag, value in message.parameters.items():
        if tag not in (*_RANGES, Tag.MESSAGE_PAYLOAD):
            return UNWANTED_PARAMETER, f"a parameter {tag:04X}"
        if tag in _RANGES and len(value) != _RANGES[tag]:
            return BAD_PARAMETER, f"a parameter {tag:04X} of {len(value)} octets"
    if Tag.MESSAGE_PAYLOAD in message.parameters:
        return _payload(message)
    return _short(message, coding)


def _payload(message: ShortMessage) -> Verdict:
    if message.octets_of_text or message.esm_class or len(message.parameters) > 1:
        return BAD_PARAMETER, "a payload beside a short message, a header or SAR"
    return None if message.payload else (BAD_TEXT_LENGTH, "an empty payload")


def _short(message: ShortMessage, coding: str) -> Verdict:
    text, header = message.octets_of_text, bool(message.esm_class & texts.HAS_HEADER)
    wide = message.data_coding == texts.UCS2 or coding == Coding.GSM_PACKED
    sar = [tag in message.parameters for tag in _RANGES]
    if any(sar) != all(sar) or (any(sar) and header):
        return BAD_PARAMETER, "some of SAR, or SAR and a header"
    if header and (len(text) < 7 or text[:3] not in (b"\x05\x00\x03", b"\x06\x08\x04")):
        return BAD_TEXT_LENGTH, f"a header {text[:7].hex()}"
    most = 140 if wide else 160 - ((8 * (text[0] + 1) + 6) // 7 - text[0] - 1 if header else 0)
    if not 1 <= len(text) <= most:
        return BAD_TEXT_LENGTH, f"{len(text)} octets of text, {most} at the most"
    if message.data_coding == texts.UCS2 and (len(text) - (text[0] + 1 if header else 0)) % 2:
        return BAD_TEXT_LENGTH, "half a character of UCS-2"
    if (header or any(sar)) and texts.read(message, coding)[1] is None:
        return BAD_PARAMETER, "a part that is none"
    return None
