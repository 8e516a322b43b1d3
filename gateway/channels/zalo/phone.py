"""Zalo by phone number (ZBS template message, formerly ZNS).

One template to one phone; Zalo answers 200 with an `error` in the body, and later sends a signed receipt with
our tracking_id. Nothing says that Zalo drops a second message with the same tracking_id, so none is ever
sent when the first may have been taken.
"""

from collections.abc import Mapping
from typing import Any

from gateway.channels import Accepted, Fault, Message, Refused, Report
from gateway.channels.zalo import account, answers, filled
from gateway.rules import phone

ON_DEVICE, HANDED_OVER = 1, 0


class ZaloTemplate:
    """The phone channel of one Official Account."""

    name = "zalo"

    def __init__(
        self, business_base: str, tokens: account.Tokens, *, concurrency: int = 16, **signing: Any
    ) -> None:
        """`signing`: app_secret, proof and timeout, as account.Account takes them."""
        self.concurrency = concurrency
        self._account = account.Account(business_base, "zalo", tokens, **signing)

    def send(self, message: Message) -> Accepted:
        body = {"phone": _mobile(message.to), **filled.template(message), "tracking_id": message.reference}
        data = answers.data(self._account.post("/message/template", body))
        quota = answers.part(data, "quota")
        return Accepted(
            provider_ref=answers.text(data.get("msg_id")),
            remaining=answers.whole(quota.get("remainingQuota")),
            total=answers.whole(quota.get("dailyQuota")),
        )

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """Whether the message is on the device; Zalo knows it by its own id only."""
        if not provider_ref:
            return None
        document = self._account.get("/message/status", {"message_id": provider_ref})
        return _status(answers.data(document), provider_ref, reference)

    @staticmethod
    def callback(event: Mapping[str, Any]) -> Report | None:
        """The receipt in a webhook event whose signature was checked; None for every other event."""
        message = event.get("message")
        if event.get("event_name") != "user_received_message" or not isinstance(message, Mapping):
            return None
        return Report(
            reference=answers.text(message.get("tracking_id")),
            provider_ref=answers.text(message.get("msg_id")),
            to=_e164(answers.part(event, "recipient").get("id")),
            delivered=True,
            code="received",
            at=answers.seconds(message.get("delivery_time")),
            final=True,
        )

    def close(self) -> None:
        self._account.close()


def _status(data: Mapping[str, Any], provider_ref: str, reference: str) -> Report | None:
    status = answers.whole(data.get("status"))
    if status not in (ON_DEVICE, HANDED_OVER):
        return None
    arrived = status == ON_DEVICE
    at = answers.seconds(data.get("delivery_time")) if arrived else None
    return Report(reference, provider_ref, None, arrived or None, f"status {status}", at, arrived)


def _mobile(to: str) -> str:
    number = phone.parse(to)
    if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
        reason = "không phải số di động Việt Nam / not a Vietnamese mobile number"
        raise Refused("phone", reason, "phone", Fault.PERSON)
    return number.international


def _e164(value: Any) -> str | None:
    """The recipient of a receipt is a phone, or a hash of one where the message was sent by hash."""
    number = phone.parse(str(value)) if value else None
    return number.e164 if isinstance(number, phone.Phone) else None
