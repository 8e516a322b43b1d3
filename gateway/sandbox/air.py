"""The PDUs a network sends to a modem: texts from people, and status reports (3GPP TS 23.040, 9.2.2)."""

import functools
import re

from gateway.rules.sms import alphabet, fields, pdu, segments

_time = functools.lru_cache(8)(fields.time)  # a fast modem makes thousands of reports in one second
_SERVICE_CENTRE = bytes.fromhex("0791489400000032")


def delivers(sender: str, text: str, at: int, reference: int, bits: int = 8) -> list[tuple[str, int]]:
    """A text from a person as DELIVER PDUs: hexadecimal, and the length without the service centre.

    `sender` is a number, or a name such as "VIETTEL". `bits`: of the reference that joins the parts, 8 or 16.
    """
    cut = segments.split(text, bits)
    total = len(cut.parts)
    made = []
    for number, part in enumerate(cut.parts, start=1):
        join = pdu.Join(reference, total, number) if total > 1 else None
        body = bytes([0x44 if join else 0x04]) + _address(sender) + bytes([0, cut.alphabet.value])
        body += fields.time(at) + pdu.user_data(part, cut.alphabet, join, bits)
        made.append(((_SERVICE_CENTRE + body).hex().upper(), len(body)))
    return made


def report(reference: int, to: str, sent: int, done: int, status: int) -> tuple[str, int]:
    """A STATUS-REPORT: hexadecimal, and the length without the service centre (here none)."""
    body = bytes([0x06, reference]) + fields.address(to)
    body += _time(sent) + _time(done) + bytes([status])
    return "00" + body.hex().upper(), len(body)


def _address(sender: str) -> bytes:
    """A number, or a name of up to eleven characters in septets (23.040, 9.1.2.5)."""
    if re.fullmatch(r"\+?\d+", sender):
        return fields.address(sender)
    septets = alphabet.septets(sender)
    return bytes([(7 * len(septets) + 3) // 4, 0xD0]) + fields.pack(septets)
