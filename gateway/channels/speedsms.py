"""SMS through SpeedSMS.vn (https://speedsms.vn/sms-api).

It has no idempotency key and no look-up by a reference of ours: after a time-out nobody knows, and nothing is
asked again. Its reports come to an address that is set on its website, unsigned.
"""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gateway.channels import Accepted, Message, Report, Unreachable, codes, exchange, strangers, texting
from gateway.rules.sms import reports

_ROOT = "/index.php"
_MINUTE = 60


class SpeedSms:
    """One account at SpeedSMS. `sms_type`: 2 any number, 3 our brandname, 4 its own brandname, 5 a phone of ours."""

    name = "speedsms"

    def __init__(
        self,
        base: str,
        token: str,
        sender: str,
        sms_type: int,
        unicode: bool = False,
        timeout: float = 10.0,
        concurrency: int = 8,
    ) -> None:
        self.concurrency = concurrency
        self._base, self._token, self._unicode = base.rstrip("/") + _ROOT, token, unicode
        self._headers = {"Authorization": "Basic " + base64.b64encode(f"{token}:x".encode()).decode()}
        self._sender, self._type = sender, sms_type
        self._exchange = exchange.Exchange(timeout)
        self._strangers = strangers.Strangers()

    def send(self, message: Message) -> Accepted:
        number = texting.mobile(message.to)
        cut = texting.cut(message.text, self._unicode)
        body = {
            "to": [number.international],
            "content": "".join(cut.parts),
            "sms_type": self._type,
            "sender": self._sender,
        }
        document = self._sent(body)
        code = str(document.get("code", ""))
        if document.get("status") != "success":
            if not code or code == "00":
                raise _strange(sent=True)
            raise self._strangers.complaint("speedsms", code, self._said(document), message)
        data = document.get("data")
        data = data if isinstance(data, dict) else {}
        if data.get("invalidPhone"):  # of one number, so it is this one
            raise codes.complaint("speedsms", "invalidPhone")
        return Accepted(provider_ref=_id(data.get("tranId")), parts=len(cut.parts))

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """What SpeedSMS knows of a message, by its own id."""
        if not provider_ref:
            return None
        document = self._asked(f"/sms/status/{quote(provider_ref, safe='')}")
        if document.get("status") != "success":
            return None
        listed = document.get("data")
        rows = listed if isinstance(listed, list) else [listed]
        said = [str(one.get("status", "")) for one in rows if isinstance(one, dict)]
        if not said:
            return None
        outcomes = {reports.speedsms_outcome(one) for one in said}
        delivered = False if False in outcomes else True if outcomes == {True} else None
        shown = f"status {','.join(said)[:20]}"
        return Report(reference, provider_ref, None, delivered, shown, None, delivered is not None)

    @staticmethod
    def callback(document: Mapping[str, Any]) -> Report | None:
        """The report in what it posts. It is not signed: "failed" is a hint, `pull` confirms it."""
        told = reports.speedsms(document)
        if told is None:
            return None
        shown = f"status {told.status}"
        return Report(None, told.id, told.phone or None, told.delivered, shown, None, told.delivered is True)

    def balance(self) -> int | None:
        """What is left on the account, đồng."""
        document = self._asked("/user/info")
        if document.get("status") != "success":
            code = str(document.get("code", ""))
            raise codes.complaint("speedsms", code, self._said(document)) if code else _strange(sent=False)
        data = document.get("data")
        return texting.dong(data.get("balance")) if isinstance(data, dict) else None

    def close(self) -> None:
        self._exchange.close()

    def _sent(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._exchange.post_json(f"{self._base}/sms/send", body, self._headers).document
        except Unreachable as fault:
            raise _in_a_minute(fault) from None

    def _asked(self, path: str) -> Mapping[str, Any]:
        try:
            return self._exchange.get(f"{self._base}{path}", {}, self._headers).document
        except Unreachable as fault:
            raise _in_a_minute(fault) from None

    def _said(self, document: Mapping[str, Any]) -> str:
        hidden = (self._token, self._headers["Authorization"].removeprefix("Basic "))
        return texting.hidden(str(document.get("message") or ""), hidden)


def _in_a_minute(fault: Unreachable) -> Unreachable:
    """Sixty calls in sixty seconds are its limit: where it does not say when to come back, then after them."""
    if fault.code == "HTTP 429" and fault.retry_after is None:
        return Unreachable(fault.reason, False, fault.code, _MINUTE)
    return fault


def _strange(sent: bool) -> Unreachable:
    return Unreachable("câu trả lời không phải của SpeedSMS / the answer is not SpeedSMS's", sent)


def _id(value: Any) -> str | None:
    return str(value)[:80] if isinstance(value, int | str) and str(value) else None
