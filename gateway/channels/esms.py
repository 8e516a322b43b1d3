"""SMS under a brandname through eSMS.vn (https://developers.esms.vn).

RequestId is a real idempotency key there: asked again, eSMS says 124 and sends nothing twice. So this channel
may repeat after a time-out, with the same RequestId.
"""

from collections.abc import Mapping
from typing import Any

from gateway.channels import Accepted, Message, Report, Unreachable, codes, exchange, strangers, texting
from gateway.rules import phone

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
        self._strangers = strangers.Strangers()

    def send(self, message: Message) -> Accepted:
        number = texting.mobile(message.to)
        cut = texting.cut(message.text, self._unicode)
        body = self._body(number.national, "".join(cut.parts), message.reference)
        return self._accepted(self._taken(body), message, parts=len(cut.parts))

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """What eSMS knows of a message of the last 7 days, by its own id."""
        if not provider_ref:
            return None
        document = self._asked("GetSendStatus", provider_ref)
        if document is None:
            return None
        delivered, status = _outcome(document), str(document.get("SendStatus"))
        if delivered is None and status == _FINISHED:  # its counts say nothing: ask what became of the number
            delivered = self._by_receiver(provider_ref)
        shown = f"SendStatus {status[:20]}"
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

    def balance(self) -> int | None:
        """What is left on the account, đồng. The keys go in the body, so that no URL holds them."""
        document = texting.asked(
            lambda: self._exchange.post_json(f"{self._base}/GetBalance_json", self._keys, {})
        )
        self._check(document)
        return texting.dong(document.get("Balance"))

    def close(self) -> None:
        self._exchange.close()

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
        return texting.twice(lambda: self._exchange.post_json(url, body, {}).document)

    def _accepted(self, document: Mapping[str, Any], message: Message, parts: int) -> Accepted:
        code = str(document.get("CodeResult", ""))
        if code in codes.ESMS_TAKEN:
            return Accepted(provider_ref=str(document.get("SMSID") or "") or None, parts=parts)
        if not code:
            raise Unreachable("câu trả lời không phải của eSMS / the answer is not eSMS's", sent=True)
        raise self._strangers.complaint("esms", code, self._said(document), message)

    def _asked(self, question: str, provider_ref: str) -> Mapping[str, Any] | None:
        """None when eSMS does not know this id."""
        query = {"RefId": provider_ref, **self._keys}
        document = self._exchange.get(f"{self._base}/{question}", query, {}).document
        return document if self._check(document) else None

    def _by_receiver(self, provider_ref: str) -> bool | None:
        """What became of the one number of a message; a telco that has not reported yet has sent nothing."""
        document = self._asked("GetSmsReceiverStatus_get", provider_ref) or {}
        listed = document.get("ReceiverList")
        known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        if not known or any(one.get("IsSent") is not True for one in known):
            return None
        return all(one.get("SentResult") is True for one in known)

    def _check(self, document: Mapping[str, Any]) -> bool:
        """Whether the question was answered; False for an id that is unknown."""
        code = str(document.get("CodeResponse") or document.get("CodeResult") or "")
        if not code:
            raise Unreachable("câu trả lời không phải của eSMS / the answer is not eSMS's", sent=False)
        if code not in ("100", "105"):
            raise codes.complaint("esms", code, self._said(document))
        return code == "100"

    def _said(self, document: Mapping[str, Any]) -> str:
        return texting.hidden(str(document.get("ErrorMessage") or ""), self._keys.values())


def _outcome(report: Mapping[str, Any]) -> bool | None:
    """Delivered, failed, or None while under way. One lost part makes the whole text unreadable: failed."""
    status = str(report.get("SendStatus"))
    if status == _REJECTED or (status == _FINISHED and _count(report, "SendFailed")):
        return False
    return True if status == _FINISHED and _count(report, "SendSuccess") else None


def _count(report: Mapping[str, Any], name: str) -> int:
    text = str(report.get(name))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
