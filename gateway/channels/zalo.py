"""Zalo by phone number (ZBS template message, formerly ZNS).

One template to one phone; Zalo answers 200 with an `error` in the body, and later sends a signed receipt with
our tracking_id. Nothing says that Zalo drops a second message with the same tracking_id, so none is ever
sent when the first may have been taken.
"""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from gateway.channels import Accepted, Fault, Message, Refused, Report, Unreachable, codes, exchange
from gateway.rules import hashes, phone

ON_DEVICE, HANDED_OVER = 1, 0


class Tokens(Protocol):
    """Who keeps the access token. `renew(used)` gives a newer one; another thread may have renewed already.

    Both may raise Refused or Unreachable.
    """

    def current(self) -> str: ...

    def renew(self, used: str) -> str: ...


class ZaloTemplate:
    """The phone channel of one Official Account."""

    name = "zalo"

    def __init__(
        self,
        business_base: str,
        tokens: Tokens,
        *,
        app_secret: str | None = None,
        proof: bool = False,
        timeout: float = 10.0,
        concurrency: int = 16,
    ) -> None:
        """`proof`: put appsecret_proof on every call, for apps that have switched it on."""
        if proof and not app_secret:
            raise ValueError("appsecret_proof needs the app's secret")
        self.concurrency = concurrency
        self._base, self._tokens = business_base.rstrip("/"), tokens
        self._secret = app_secret if proof else None
        self._exchange = exchange.Exchange(timeout)

    def send(self, message: Message) -> Accepted:
        _check_filled(message)
        body = {
            "phone": _mobile(message.to),
            "template_id": _template(message),
            "template_data": {name: _nfc(value) for name, value in message.template_data.items()},
            "tracking_id": message.reference,
        }
        url = f"{self._base}/message/template"
        document = self._with_token(lambda headers: self._exchange.post_json(url, body, headers))
        return _accepted(document.get("data"))

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """Whether the message is on the device; Zalo knows it by its own id only."""
        if not provider_ref:
            return None
        url, query = f"{self._base}/message/status", {"message_id": provider_ref}
        document = self._with_token(lambda headers: self._exchange.get(url, query, headers))
        return _status(document.get("data"), provider_ref, reference)

    @staticmethod
    def callback(event: Mapping[str, Any]) -> Report | None:
        """The receipt in a webhook event whose signature was checked; None for every other event."""
        message = event.get("message")
        if event.get("event_name") != "user_received_message" or not isinstance(message, Mapping):
            return None
        recipient = event.get("recipient")
        return Report(
            reference=_text(message.get("tracking_id")),
            provider_ref=_text(message.get("msg_id")),
            to=_e164(recipient.get("id") if isinstance(recipient, Mapping) else None),
            delivered=True,
            code="received",
            at=_seconds(message.get("delivery_time")),
            final=True,
        )

    def close(self) -> None:
        self._exchange.close()

    def _with_token(self, call: Callable[[Mapping[str, str]], exchange.Answer]) -> Mapping[str, Any]:
        """One call, and one more with a new token when the token was what Zalo did not like."""
        used = self._tokens.current()
        answer = call(self._headers(used))
        if _token_is_dead(answer):
            answer = call(self._headers(self._tokens.renew(used)))
        return _checked(answer)

    def _headers(self, token: str) -> Mapping[str, str]:
        headers = {"access_token": token}
        if self._secret:
            headers["appsecret_proof"] = hashes.appsecret_proof(self._secret, token)
        return headers


def _token_is_dead(answer: exchange.Answer) -> bool:
    return answer.status in (401, 403) or codes.verdict("zalo", _error(answer)).fault is Fault.TOKEN


def _checked(answer: exchange.Answer) -> Mapping[str, Any]:
    code = _error(answer)
    if code == "0":
        return answer.document
    if code == "":
        # No `error` at all: this is not Zalo's way of saying yes or no.
        raise Unreachable("the answer is not Zalo's", sent=answer.status < 300, code=f"HTTP {answer.status}")
    raise codes.complaint("zalo", code, str(answer.document.get("message") or ""))


def _error(answer: exchange.Answer) -> str:
    value = answer.document.get("error")
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""


def _accepted(data: Any) -> Accepted:
    data = data if isinstance(data, Mapping) else {}
    quota = data.get("quota")
    remaining = quota.get("remainingQuota") if isinstance(quota, Mapping) else None
    return Accepted(provider_ref=_text(data.get("msg_id")), remaining=_whole(remaining))


def _status(data: Any, provider_ref: str, reference: str) -> Report | None:
    data = data if isinstance(data, Mapping) else {}
    status = _whole(data.get("status"))
    if status not in (ON_DEVICE, HANDED_OVER):
        return None
    arrived = status == ON_DEVICE
    at = _seconds(data.get("delivery_time")) if arrived else None
    return Report(reference, provider_ref, None, arrived or None, f"status {status}", at, arrived)


def _mobile(to: str) -> str:
    number = phone.parse(to)
    if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
        raise Refused("phone", "not a Vietnamese mobile number", "phone", Fault.PERSON)
    return number.international


def _template(message: Message) -> str:
    if not message.template_id:
        raise Refused("template", f"no Zalo template for {message.kind}", "template", Fault.CONFIG)
    return message.template_id


def _check_filled(message: Message) -> None:
    """Zalo says -1122 to an empty parameter, as it does to a template that has others than ours; but one message
    that lacks something must not be taken for a template at fault."""
    empty = [name for name, value in message.template_data.items() if not value.strip()]
    if empty:
        shown = ", ".join(empty)
        reason = f"Tin thiếu dữ liệu cho tham số {shown} / the message has nothing for parameter {shown}"
        raise Refused("empty", reason, "message", Fault.CONFIG)


def _nfc(value: str) -> str:
    # Zalo counts code points: a decomposed name is a quarter longer and may be refused.
    return unicodedata.normalize("NFC", value)


def _text(value: Any) -> str | None:
    return str(value)[:200] if isinstance(value, str | int) and value != "" else None


def _whole(value: Any) -> int | None:
    """Numbers come as numbers or as texts; ids and times are too long for a float."""
    text = str(value)
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 20 else None


def _seconds(milliseconds: Any) -> int | None:
    value = _whole(milliseconds)
    return value // 1000 if value is not None else None


def _e164(value: Any) -> str | None:
    """The recipient of a receipt is a phone, or a hash of one where the message was sent by hash."""
    number = phone.parse(str(value)) if value else None
    return number.e164 if isinstance(number, phone.Phone) else None
