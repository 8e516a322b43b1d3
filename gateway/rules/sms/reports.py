"""What a provider of text messages says became of one: read the same way by who keeps it and by who believes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.rules import phone
from gateway.rules.sms import described

MOST = 100
"""Reports in one call of theirs."""

_DELIVERED, _GAVE_UP = 0, 64
_NAMES = {"tranid": "tranId", "transactionid": "tranId", "phone": "phone", "status": "status", "type": "type"}


@dataclass(frozen=True)
class Told:
    """What a report says, "" for what it does not. `delivered` None: under way, or a word nobody explained."""

    reference: str
    id: str
    status: str
    phone: str
    delivered: bool | None


def several(own: Any, document: Any) -> list[Mapping[str, str]]:
    """The reports in what a described provider posted (`own`: `settings.HttpSms`), one or a list of them.

    Of each only what the description names is left, under its path, so that `told` reads it as it read the whole.
    """
    here = described.at(document, own.report["each"]) if "each" in own.report else document
    listed = here if isinstance(here, list) else [here]
    paths = [path for name, path in own.report.items() if name != "each"]
    return [
        {path: described.found(one, path)[:200] for path in paths}
        for one in listed[:MOST]
        if isinstance(one, dict)
    ]


def told(own: Any, document: Mapping[str, Any]) -> Told:
    """One report, read as the description says."""
    said = {name: described.found(document, path) for name, path in own.report.items() if name != "each"}
    return Told(
        reference=said.get("reference", "")[:48],
        id=said.get("id", "")[:80],
        status=said.get("status", "")[:20],
        phone=_e164(said.get("phone", "")),
        delivered=outcome(own, said.get("status", "")),
    )


def outcome(own: Any, status: str) -> bool | None:
    """What a status means by the description; case does not count."""
    said = status.casefold()
    if said in (one.casefold() for one in own.delivered):
        return True
    return False if said in (one.casefold() for one in own.failed) else None


def speedsms(document: Mapping[str, Any]) -> Told | None:
    """A report of SpeedSMS; None for what is none, such as a text that came in.

    Its documents show {"type": "report", "tranId", "phone", "status"}; nobody has shown us a real one, so names
    in other cases and without the type are taken too, and a failure is asked after before it is believed.
    """
    said = {}
    for name, value in list(document.items())[:40]:
        known = _NAMES.get(str(name).casefold().replace("_", ""))
        if known:
            said[known] = described.found({"": value}, "")
    if said.get("type", "report") != "report" or not said.get("tranId") or "status" not in said:
        return None
    status = said["status"][:20]
    return Told("", said["tranId"][:80], status, _e164(said.get("phone", "")), speedsms_outcome(status))


def speedsms_outcome(status: str) -> bool | None:
    """0 is delivered, up to 63 the network still tries, from 64 on it has given up."""
    if not (status.isascii() and status.isdigit() and len(status) < 10):
        return None
    if int(status) == _DELIVERED:
        return True
    return False if int(status) >= _GAVE_UP else None


def _e164(text: str) -> str:
    number = phone.parse(text)
    return number.e164 if isinstance(number, phone.Phone) else ""
