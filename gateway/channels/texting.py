"""What every provider of text messages over HTTP has in common: whom it sends to, what, and what is told of it."""

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from gateway.channels import Fault, Refused, Unreachable
from gateway.rules import phone
from gateway.rules.sms import alphabet, segments

Answer = TypeVar("Answer")


def mobile(to: str) -> phone.Phone:
    """The number in every spelling; `Refused` for what gets no SMS."""
    number = phone.parse(to)
    if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
        raise Refused(
            "phone", "không phải số di động Việt Nam / not a Vietnamese mobile number", "phone", Fault.PERSON
        )
    return number


def cut(text: str, unicode: bool) -> segments.Segments:
    """The text as it goes out and is paid for; without `unicode` in plain letters, and those only that every
    telco takes."""
    try:
        return segments.split(text if unicode else alphabet.safe(text))
    except ValueError as fault:
        raise Refused("length", f"tin quá dài / {fault}", "message", Fault.BUG) from fault


def twice(ask: Callable[[], Answer]) -> Answer:
    """Ask, and where nobody knows what became of it once more: for a provider that knows a repeat when it sees one."""
    try:
        return ask()
    except Unreachable as first:
        if not first.sent:
            raise
    try:
        return ask()
    except Unreachable as second:
        # Even when the second try never left, the first one may have arrived.
        raise Unreachable(second.reason, True, second.code, second.retry_after) from None


def asked(ask: Callable[[], Any]) -> Any:
    """The document that answers a question which changes nothing, though it is asked with a POST."""
    try:
        return ask().document
    except Unreachable as fault:
        raise Unreachable(fault.reason, False, fault.code, fault.retry_after) from None


def hidden(said: str, secrets: Iterable[str]) -> str:
    """What a provider said, without our keys: some say which key it is that they do not know."""
    for secret in secrets:
        if secret:
            said = said.replace(secret, "***")
    return said


def dong(value: Any) -> int | None:
    """An amount in whole đồng, down; None for what is no number."""
    try:
        amount = float(str(value).replace(",", ""))
    except ValueError:
        return None
    return math.floor(amount) if math.isfinite(amount) else None
