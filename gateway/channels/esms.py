"""SMS under a brandname through eSMS.vn (https://developers.esms.vn).

RequestId is a real idempotency key there: asked again, eSMS says 124 and sends nothing twice. So this is the
one channel that may repeat after a time-out, with the same RequestId.
"""

from collections.abc import Mapping
from typing import Any

from gateway.channels import Accepted, Fault, Message, Refused, Report, Unreachable, codes, exchange
from gateway.rules import phone
from gateway.rules.sms import alphabet, segments

_SERVICE = "/MainService.svc/json"
_CUSTOMER_CARE = "2"
_REJECTED, _FINISHED = "4", "5"


class Esms:
    """One account and brandname at eSMS."""

    name = "esms"

    def __init__(
        self,
        base: str,
        api_key: str,
        secret_key: str,
        brandname: str,
        callback_url: str | None,
        unicode: bool = False,
        timeout: float = 10.0,
        concurrency: int = 8,
    ) -> None:
        """`unicode` False sends plain letters only: one part instead of three, and what telcos register."""
        self.concurrency = concurrency
        self._base, self._unicode = base.rstrip("/") + _SERVICE, unicode
        self._keys = {"ApiKey": api_key, "SecretKey": secret_key}
        self._brandname, self._callback_url = brandname, callback_url
        self._exchange = exchange.Exchange(timeout)

    def send(self, message: Message) -> Accepted:
        number = phone.parse(message.to)
        if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
            raise Refused("phone", "not a Vietnamese mobile number", "phone", Fault.PERSON)
        cut = self._cut(message.text)
        body = self._body(number.national, "".join(cut.parts), message.reference)
        return _accepted(self._taken(body), parts=len(cut.parts))

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """What eSMS knows of a message of the last 7 days, by its own id."""
        if not provider_ref:
            return None
        query = {"RefId": provider_ref, **self._keys}
        document = self._exchange.get(f"{self._base}/GetSendStatus", query, {}).document
        code = str(document.get("CodeResponse") or document.get("CodeResult") or "")
        if code == "105":
            return None
        if code != "100":
            raise codes.complaint("esms", code, str(document.get("ErrorMessage") or ""))
        delivered = _outcome(document)
        shown = f"SendStatus {document.get('SendStatus')}"
        return Report(reference, provider_ref, None, delivered, shown, None, delivered is not None)

    @staticmethod
    def callback(query: Mapping[str, str]) -> Report:
        """The report in a callback's query. It is not signed: "failed" is a hint, `pull` confirms it."""
        delivered = _outcome(query)
        number = phone.parse(str(query.get("phonenumber") or ""))
        return Report(
            reference=query.get("RequestId") or None,
            provider_ref=query.get("SMSID") or None,
            to=number.e164 if isinstance(number, phone.Phone) else None,
            delivered=delivered,
            code=f"SendStatus {str(query.get('SendStatus'))[:20]}",
            at=None,
            final=delivered is True,
        )

    def close(self) -> None:
        self._exchange.close()

    def _cut(self, text: str) -> segments.Segments:
        try:
            return segments.split(text if self._unicode else alphabet.unaccent(text))
        except ValueError as fault:
            raise Refused("length", str(fault), "message", Fault.BUG) from fault

    def _body(self, national: str, text: str, reference: str) -> Mapping[str, str]:
        body = {
            **self._keys,
            "Phone": national,
            "Content": text,
            "Brandname": self._brandname,
            "SmsType": _CUSTOMER_CARE,
            "IsUnicode": "1" if self._unicode else "0",
            "Sandbox": "0",
            "RequestId": reference,
        }
        return body | ({"CallbackUrl": self._callback_url} if self._callback_url else {})

    def _taken(self, body: Mapping[str, str]) -> Mapping[str, Any]:
        url = f"{self._base}/SendMultipleMessage_V4_post_json/"
        try:
            return self._exchange.post_json(url, body, {}).document
        except Unreachable as first:
            if not first.sent:
                raise
        try:
            return self._exchange.post_json(url, body, {}).document
        except Unreachable as second:
            # Even when the second try never left, the first one may have arrived.
            raise Unreachable(second.reason, True, second.code, second.retry_after) from None


def _accepted(document: Mapping[str, Any], parts: int) -> Accepted:
    code = str(document.get("CodeResult", ""))
    if code in codes.ESMS_TAKEN:
        return Accepted(provider_ref=str(document.get("SMSID") or "") or None, parts=parts)
    if not code:
        raise Unreachable("the answer is not eSMS's", sent=True)
    raise codes.complaint("esms", code, str(document.get("ErrorMessage") or ""))


def _outcome(report: Mapping[str, Any]) -> bool | None:
    """Delivered, failed, or None while under way. One lost part makes the whole text unreadable: failed."""
    status = str(report.get("SendStatus"))
    if status == _REJECTED or (status == _FINISHED and _count(report, "SendFailed")):
        return False
    return True if status == _FINISHED and _count(report, "SendSuccess") else None


def _count(report: Mapping[str, Any], name: str) -> int:
    text = str(report.get(name))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
