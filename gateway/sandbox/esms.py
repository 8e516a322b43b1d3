"""The stand-in eSMS: the V4 JSON send with RequestId as an idempotency key, the status, and the callback."""

import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import flask

from gateway.rules import hashes, phone
from gateway.rules.sms import alphabet, segments
from gateway.sandbox import faults, ledger, network, options, postman, telling

SERVICE = "/MainService.svc/json"
LONGEST_TEXT = 459
FINISHED, AT_TELCO = 5, 7

_SAID = {
    "99": "Phone number is blocked",
    "101": "Authorize Failed",
    "104": "Brandname is not exist",
    "108": "Phone number is invalid",
    "110": "Data is incorrect",
    "118": "Message type is not supported",
    "124": "RequestId is duplicated",
}


@dataclass(frozen=True)
class Taken:
    """A message eSMS has taken. `reports` False: the telco will never say what became of it."""

    sms_id: str
    request_id: str
    phone: str
    parts: int
    failed: bool
    reports: bool
    due: float


class Account:
    """What eSMS knows; it outlives a crash."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self._lock = threading.Lock()
        self._ledger = ledger.Ledger(settings.folder / "esms-taken.jsonl", keep=100_000)
        self._by_request: dict[str, Taken] = {}
        self._by_id: dict[str, Taken] = {}
        for row in self._ledger.rows:
            self._keep(Taken(**row))

    def judge(self, body: Mapping[str, Any]) -> str:
        """The CodeResult for a message, "100" when it may be taken."""
        if not self.knows(body):
            return "101"
        if body.get("Brandname") != self._settings.brandname:
            return "104"
        if body.get("SmsType") != "2":
            return "118"
        number = phone.parse(str(body.get("Phone", "")))
        if not isinstance(number, phone.Phone) or number.kind is not phone.Kind.MOBILE:
            return "108"
        if self._phones.faults.on(faults.SMS_REFUSED, number.e164):
            return "99"
        return "100" if _sendable(body) else "110"

    def knows(self, keys: Mapping[str, Any]) -> bool:
        api, secret = str(keys.get("ApiKey", "")), str(keys.get("SecretKey", ""))
        good = hashes.same(api, self._settings.esms_api_key)
        return hashes.same(secret, self._settings.esms_secret_key) and good

    def take(self, body: Mapping[str, Any]) -> Taken | None:
        """Takes a judged message; None when its RequestId was taken before."""
        number, text = phone.parse(str(body["Phone"])), str(body["Content"])
        on, request_id = self._phones.faults.on, str(body.get("RequestId") or uuid.uuid4().hex)
        taken = Taken(
            sms_id=uuid.uuid4().hex,
            request_id=request_id,
            phone=number.e164,
            parts=len(segments.split(text).parts),
            failed=on(faults.SMS_FAILED, number.e164),
            reports=not on(faults.SMS_NO_RECEIPT, number.e164),
            due=time.time() + self._phones.faults.receipts(self._settings.receipt_delay, number.e164)[0],
        )
        with self._lock:
            if request_id in self._by_request:
                return None
            self._keep(taken)
            self._ledger.append(**asdict(taken))
        self._carry(taken, text, str(body.get("CallbackUrl") or ""))
        return taken

    def status(self, sms_id: str) -> dict[str, Any] | None:
        taken = self._by_id.get(sms_id)
        return _counts(taken, known=taken.reports and time.time() >= taken.due) if taken else None

    def close(self) -> None:
        self._ledger.close()

    def _carry(self, taken: Taken, text: str, callback_url: str) -> None:
        if not taken.failed:
            self._phones.deliver(
                taken.phone, via="sms", sender=self._settings.brandname, text=text, parts=taken.parts,
                ref=taken.request_id, id=taken.sms_id,
            )  # fmt: skip
        if not taken.reports or urlsplit(callback_url).scheme not in ("http", "https"):
            return
        query = {**_counts(taken, known=True), "RequestId": taken.request_id, "TypeId": 2, "telcoid": 1}
        query |= {"phonenumber": phone.parse(taken.phone).international, "switchsmsid": ""}
        for delay in self._phones.faults.receipts(self._settings.receipt_delay, taken.phone):
            self._post.until_taken(delay, lambda: self._post.ask("GET", callback_url, params=query))

    def _keep(self, taken: Taken) -> None:
        self._by_request[taken.request_id] = self._by_id[taken.sms_id] = taken


def blueprint(account: Account, phones: network.Network) -> flask.Blueprint:
    routes = flask.Blueprint("esms", __name__)

    @routes.post(f"{SERVICE}/SendMultipleMessage_V4_post_json/")
    def send():
        if phones.faults.on(faults.ESMS_DOWN):
            return flask.Response("<h1>Service Unavailable</h1>", status=503, content_type="text/html")
        body = flask.request.get_json(force=True, silent=True)
        code = account.judge(body) if isinstance(body, dict) else "110"
        if code != "100":
            return _no(code)
        taken = account.take(body)
        number = phone.parse(str(body["Phone"]))
        if phones.faults.on(faults.ESMS_TIMEOUT, number.e164) and taken:
            return telling.cut_off()
        if taken is None:
            return _no("124")
        return {"CodeResult": "100", "CountRegenerate": 0, "SMSID": taken.sms_id}

    @routes.get(f"{SERVICE}/GetSendStatus")
    def status():
        if not account.knows(flask.request.args):
            return {"CodeResponse": "101", "ErrorMessage": _SAID["101"]}
        counts = account.status(flask.request.args.get("RefId", ""))
        return {"CodeResponse": "100", **counts} if counts else {"CodeResponse": "105"}

    return routes


def _sendable(body: Mapping[str, Any]) -> bool:
    """Plain text without IsUnicode must be plain, or the telco shows question marks."""
    text = body.get("Content")
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
        return False
    request_id = body.get("RequestId", "")
    plain = body.get("IsUnicode") == "1" or alphabet.fits_gsm7(text)
    return plain and isinstance(request_id, str) and len(request_id) <= 50


def _counts(taken: Taken, known: bool) -> dict[str, Any]:
    parts = taken.parts if known else 0
    return {
        "SMSID": taken.sms_id,
        "SendFailed": parts if taken.failed else 0,
        "SendStatus": FINISHED if known else AT_TELCO,
        "SendSuccess": 0 if taken.failed else parts,
        "TotalPrice": 850.0 * taken.parts,
        "TotalReceiver": 1,
        "TotalSent": taken.parts,
    }


def _no(code: str) -> flask.Response:
    answer = {"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": _SAID[code]}
    return flask.Response(json.dumps(answer), content_type="application/json")
