"""SMS through a provider that config.toml describes, whoever it is (`[sms.http.NAME]`, `settings.HttpSms`).

What is asked is filled into the description, and the answer is read as it says. A provider that knows a repeat
by our reference may be asked again after a time-out; of others nobody knows then, and nothing is asked again.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from gateway.channels import Accepted, Message, Report, Unreachable, codes, exchange, strangers, texting
from gateway.rules.settings import HttpSms as Described
from gateway.rules.sms import described, reports

_JSON = {"Content-Type": "application/json"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_STATUSES = {400: "message", 401: "config", 402: "quota", 403: "config", 404: "config", 405: "config"}
"""What a status of HTTP means where no code is in the answer."""


class HttpSms:
    """One described provider, as the lane `name`. `secret` is its key, or "user:password" where it wants Basic."""

    def __init__(self, name: str, own: Described, secret: str, callback_url: str, unicode: bool) -> None:
        """ValueError for a secret that no header may hold; it says nothing of the secret."""
        if not secret.isprintable() or not secret.isascii():
            raise ValueError(f"the secret of {name} has characters that HTTP does not take")
        self.name, self.concurrency = name, own.concurrency
        self._own, self._secret = own, secret
        self._unicode = unicode if own.unicode is None else own.unicode
        self._account = {
            "secret": secret,
            "basic": base64.b64encode(secret.encode()).decode(),
            "callback": callback_url,
        }
        self._exchange = exchange.Exchange(own.timeout)
        self._strangers = strangers.Strangers()

    def send(self, message: Message) -> Accepted:
        number = texting.mobile(message.to)
        cut = texting.cut(message.text, self._unicode)
        given = {
            **self._account,
            "to": getattr(number, self._own.phone),
            "text": "".join(cut.parts),
            "reference": message.reference,
        }
        reply = texting.twice(lambda: self._asked(given)) if self._own.repeats else self._asked(given)
        return self._judged(reply, message, len(cut.parts))

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """What the provider knows of a message, where its description says how to ask."""
        own = self._own
        if not own.status_url or ("{id}" in own.status_url and not provider_ref):
            return None
        document = self._question(own.status_url, {"id": provider_ref or "", "reference": reference})
        status = self._value(document, "status")
        if not status:
            return None
        delivered = reports.outcome(own, status)
        shown = f"status {status[:20]}"
        return Report(reference, provider_ref, None, delivered, shown, None, delivered is not None)

    def callback(self, document: Mapping[str, Any]) -> Report | None:
        """The report in what it sent us. Nothing signs it: "failed" is a hint, `pull` confirms it where it can."""
        if not self._own.report:
            return None
        told = reports.told(self._own, document)
        return Report(
            reference=told.reference or None,
            provider_ref=told.id or None,
            to=told.phone or None,
            delivered=told.delivered,
            code=f"status {told.status}",
            at=None,
            final=told.delivered is True,
        )

    def balance(self) -> int | None:
        """What is left on the account, đồng; None where nobody has said how to ask."""
        if not self._own.balance_url:
            return None
        return texting.dong(self._value(self._question(self._own.balance_url, {}), "balance"))

    def close(self) -> None:
        self._exchange.close()

    def _asked(self, given: Mapping[str, str]) -> exchange.Reply:
        own = self._own
        url, fields = described.filled(own.url, given, _quoted), described.filled_in(own.fields, given)
        headers, body, query = self._headers(given), None, None
        if own.body == "json":
            headers, body = {**_JSON, **headers}, json.dumps(fields, ensure_ascii=False).encode()
        elif own.body == "form":
            headers, body = {**_FORM, **headers}, urlencode(_texts(fields)).encode()
        else:
            query = _texts(fields)
        return self._exchange.call(own.method, url, headers, body, query)

    def _headers(self, given: Mapping[str, str]) -> Mapping[str, str]:
        return {name: described.filled(value, given) for name, value in self._own.headers.items()}

    def _question(self, url: str, given: Mapping[str, str]) -> Any:
        known = {**self._account, "reference": "", **given}
        reply = self._exchange.ask(described.filled(url, known, _quoted), self._headers(known))
        if reply.status == 404:
            return None
        if reply.status >= 400:
            raise codes.complaint("http", _STATUSES.get(reply.status, "later"), "", f"HTTP {reply.status}")
        return described.document_of(reply.text, self._own.answer_pattern)

    def _value(self, document: Any, name: str) -> str:
        path = self._own.answer.get(name, name if self._own.answer_pattern else "")
        return described.found(document, path) if path else ""

    def _judged(self, reply: exchange.Reply, message: Message, parts: int) -> Accepted:
        own = self._own
        document = described.document_of(reply.text, own.answer_pattern)
        code, shown = self._value(document, "code"), f"HTTP {reply.status}"
        said = texting.hidden(self._value(document, "message"), self._account.values())
        taken = Accepted(self._value(document, "id")[:80] or None, parts)
        if code:
            kind = "taken" if code in own.ok else own.codes.get(code, "")
            if kind == "taken":
                return taken
            if kind:
                raise codes.complaint("http", kind, said, code)
            raise self._strangers.complaint("http", f"code {code[:30]}", said, message)
        if reply.status >= 300:
            kind = own.codes.get(str(reply.status), "") or _STATUSES.get(reply.status, "")
            if kind == "taken":
                return taken
            raise codes.complaint("http", kind or "later", said, shown)
        if "code" in own.answer or own.answer_pattern:
            raise Unreachable("trả lời không đúng dạng / the answer is not as described", True, shown)
        return taken


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _texts(fields: Mapping[str, Any]) -> Mapping[str, str]:
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in fields.items()
    }
