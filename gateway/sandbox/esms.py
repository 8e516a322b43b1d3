"""The stand-in eSMS: the V4 JSON send with RequestId as an idempotency key, the status, and the callback.

A strict judge: a field of a wrong type, one it does not know, an accent in a plain text get the code that eSMS has
for them, so that what passes here is what its documents ask for.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import flask

from gateway.rules import hashes, phone
from gateway.rules.sms import alphabet
from gateway.sandbox import book, faults, network, options, postman, telling

SERVICE = "/MainService.svc/json"
LONGEST_TEXT = 459
FINISHED, AT_TELCO = 5, 7
MONEY, PRICE = 1_000_000, 850

_SAID = {
    "99": "Phone number is blocked",
    "101": "Authorize Failed",
    "103": "Balance is not enough",
    "104": "Brandname is not exist",
    "105": "Message is not exist",
    "108": "Phone number is invalid",
    "110": "Data is incorrect",
    "118": "Message type is not supported",
    "124": "RequestId is duplicated",
    "146": "Template is incorrect",
    "177": "Network is not registered",
}
_NEEDED = ("ApiKey", "SecretKey", "Phone", "Content", "Brandname", "SmsType")
_OPTIONAL = ("IsUnicode", "Sandbox", "RequestId", "campaignid", "CallbackUrl", "SendDate")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
_TELCOS = {
    network: number
    for number, network in enumerate(
        ("viettel", "mobifone", "vinaphone", "vietnamobile", "gmobile", "itel", "reddi"), start=1
    )
}


class Account:
    """What eSMS knows of us."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self._book = book.Book("esms", phones, settings, post)

    def judge(self, body: Mapping[str, Any]) -> str:
        """The CodeResult for a message, "100" when it may be taken."""
        if any(not isinstance(value, str) for value in body.values()) or set(body) - {*_NEEDED, *_OPTIONAL}:
            return "110"
        if not self.knows(body):
            return "101"
        if body.get("Brandname") != self._settings.brandname:
            return "104"
        if body.get("SmsType") != "2":
            return "118"
        number = phone.parse(body.get("Phone", ""))
        if not isinstance(number, phone.Phone) or number.kind is not phone.Kind.MOBILE:
            return "108"
        if self._phones.faults.on(faults.SMS_REFUSED, number.e164):
            return "99"
        if not _sendable(body):
            return "110"
        return self._phones.faults.code("esms", number.e164) or "100"

    def knows(self, keys: Mapping[str, Any]) -> bool:
        api, secret = str(keys.get("ApiKey", "")), str(keys.get("SecretKey", ""))
        good = hashes.same(api, self._settings.esms_api_key)
        return hashes.same(secret, self._settings.esms_secret_key) and good

    def take(self, body: Mapping[str, str]) -> tuple[book.Taken, bool]:
        """Takes a judged message; False when its RequestId was taken before."""
        number, text = phone.parse(body["Phone"]).e164, body["Content"]
        taken, fresh = self._book.take(number, text, body.get("RequestId"))
        if fresh and body.get("Sandbox") != "1":
            url = body.get("CallbackUrl", "")
            told = (lambda failed: self._call_back(url, taken, failed)) if url else None
            self._book.carry(taken, text, self._settings.brandname, told)
        return taken, fresh

    def status(self, sms_id: str) -> dict[str, Any] | None:
        taken = self._book.find(sms_id)
        return _counts(taken, self._book.known(taken), taken.failed) if taken else None

    def receivers(self, sms_id: str) -> list[dict[str, Any]] | None:
        taken = self._book.find(sms_id)
        if taken is None:
            return None
        known = self._book.known(taken)
        number = phone.parse(taken.phone).national
        return [
            {
                "IsSent": known, "NetworkName": "Viettel", "Phone": number, "Retry": 0,
                "SentResult": known and not taken.failed,
            }
        ]  # fmt: skip

    def left(self) -> int:
        return MONEY - self._book.spent(PRICE)

    def close(self) -> None:
        self._book.close()

    def _call_back(self, url: str, taken: book.Taken, failed: bool) -> bool:
        network = phone.network(taken.phone)
        query = {**_counts(taken, True, failed), "RequestId": taken.request_id, "TypeId": 2}
        query |= {"telcoid": _TELCOS.get(str(network), 1), "switchsmsid": ""}
        query |= {"phonenumber": phone.parse(taken.phone).international}
        return self._post.ask("GET", url, params=query)


def blueprint(account: Account, phones: network.Network) -> flask.Blueprint:
    routes = flask.Blueprint("esms", __name__)

    @routes.post(f"{SERVICE}/SendMultipleMessage_V4_post_json/")
    def send():
        if phones.faults.on(faults.ESMS_DOWN):
            return telling.page(503)
        body = flask.request.get_json(force=True, silent=True)
        if not isinstance(body, dict):
            return _no("110")
        return _sent(account, body, phones.faults)

    @routes.get(f"{SERVICE}/GetSendStatus")
    def status():
        if not account.knows(flask.request.args):
            return {"CodeResponse": "101", "ErrorMessage": _SAID["101"]}
        counts = account.status(flask.request.args.get("RefId", ""))
        return {"CodeResponse": "100", **counts} if counts else {"CodeResponse": "105"}

    @routes.get(f"{SERVICE}/GetSmsReceiverStatus_get")
    def receivers():
        if not account.knows(flask.request.args):
            return _no("101")
        listed = account.receivers(flask.request.args.get("RefId", ""))
        return {"CodeResult": "100", "ReceiverList": listed} if listed else _no("105")

    @routes.post(f"{SERVICE}/GetBalance_json")
    def balance():
        keys = telling.asked() or {}
        if not account.knows(keys):
            return {"Balance": 0, "CodeResponse": "101", "ErrorMessage": _SAID["101"]}
        return {"Balance": account.left(), "CodeResponse": "100", "UserID": 9999}

    return routes


def _sent(account: Account, body: dict[str, Any], switches: faults.Faults) -> flask.Response:
    number = phone.parse(str(body.get("Phone", "")))
    target = number.e164 if isinstance(number, phone.Phone) else None
    code = account.judge(body)
    spoilt = telling.spoilt(switches, target)
    if spoilt is not None:
        return spoilt
    if code != "100":
        return _no(code)
    taken, fresh = account.take(body)
    if fresh and switches.on(faults.ESMS_TIMEOUT, target):
        return telling.cut_off()
    answer = _yes(taken) if fresh else _no("124")
    return telling.weathered(switches, target, answer)


def _sendable(body: Mapping[str, str]) -> bool:
    """Plain text without IsUnicode must be plain, or the telco shows question marks."""
    text = body.get("Content", "")
    if not 0 < len(text) <= LONGEST_TEXT:
        return False
    flags = body.get("IsUnicode", "0"), body.get("Sandbox", "0")
    plain = flags[0] == "1" or alphabet.fits_gsm7(text)
    url = urlsplit(body.get("CallbackUrl", ""))
    reachable = not url.geturl() or (url.scheme in ("http", "https") and bool(url.netloc))
    known = set(flags) <= {"0", "1"} and len(body.get("RequestId", "")) <= 50
    return plain and reachable and known and _is_date(body.get("SendDate", ""))


def _is_date(text: str) -> bool:
    if not text:
        return True
    try:
        return bool(_DATE.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def _counts(taken: book.Taken, known: bool, failed: bool) -> dict[str, Any]:
    parts = taken.parts if known else 0
    return {
        "SMSID": taken.sms_id,
        "SendFailed": parts if failed else 0,
        "SendStatus": FINISHED if known else AT_TELCO,
        "SendSuccess": 0 if failed else parts,
        "TotalPrice": float(PRICE * taken.parts),
        "TotalReceiver": 1,
        "TotalSent": taken.parts,
    }


def _yes(taken: book.Taken) -> flask.Response:
    return _json({"CodeResult": "100", "CountRegenerate": 0, "SMSID": taken.sms_id})


def _no(code: str) -> flask.Response:
    said = _SAID.get(code, "Unknown error")
    return _json({"CodeResult": code, "CountRegenerate": 0, "ErrorMessage": said})


def _json(document: Mapping[str, Any]) -> flask.Response:
    return flask.Response(json.dumps(document), content_type="application/json")
