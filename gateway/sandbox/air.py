"""The PDUs a network sends to a modem: texts from people, and status reports (3GPP TS 23.040, 9.2.2)."""

from gateway.rules.sms import fields, pdu, segments

_SERVICE_CENTRE = bytes.fromhex("0791489400000032")


def delivers(sender: str, text: str, at: int, reference: int) -> list[tuple[str, int]]:
    """A text from a person as DELIVER PDUs: hexadecimal, and the length without the service centre."""
    cut = segments.split(text)
    total = len(cut.parts)
    made = []
    for number, part in enumerate(cut.parts, start=1):
        join = pdu.Join(reference, total, number) if total > 1 else None
        body = bytes([0x44 if join else 0x04]) + fields.address(sender) + bytes([0, cut.alphabet.value])
        body += fields.time(at) + pdu.user_data(part, cut.alphabet, join)
        made.append(((_SERVICE_CENTRE + body).hex().upper(), len(body)))
    return made


def report(reference: int, to: str, sent: int, done: int, status: int) -> tuple[str, int]:
    """A STATUS-REPORT: hexadecimal, and the length without the service centre (here none)."""
    body = bytes([0x06, reference]) + fields.address(to)
    body += fields.time(sent) + fields.time(done) + bytes([status])
    return "00" + body.hex().upper(), len(body)
