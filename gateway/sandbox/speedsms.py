"""The stand-in SpeedSMS: sending, the status and the account, with its rate of sixty calls a minute.

It has no idempotency key, so what is sent twice arrives twice. Its reports go to the one address that is set on its
website (https://speedsms.vn/sms-api).
"""

import base64
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

import flask

from gateway.rules import hashes, phone
from gateway.rules.sms import alphabet
from gateway.sandbox import book, faults, network, options, postman, telling

ROOT = "/index.php"
MINUTE = 60.0
LONGEST_TEXT = 459
MONEY, PRICE = 500_000, 500
DELIVERED, GAVE_UP, UNDER_WAY = 0, 66, 1

_SAID = {
    "007": "IP locked",
    "008": "Account blocked",
    "009": "Account not allow to call the API",
    "101": "Invalid or missing parameters",
    "105": "Phone number invalid",
    "110": "Not support sms content encoding",
    "113": "Sms content too long",
    "300": "Your account balance not enough to send sms",
    "500": "Internal error, please try again",
}


class Account:
    """What SpeedSMS knows of us."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self._book = book.Book("speedsms", phones, settings, post)
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()

    def knows(self, header: str) -> bool:
        """Whether the Authorization header names our token, with any password."""
        try:
            user = base64.b64decode(header.removeprefix("Basic "), validate=True).decode().partition(":")[0]
        except ValueError:
            return False
        return header.startswith("Basic ") and hashes.same(user, self._settings.speedsms_token)

    def wait(self) -> int | None:
        """Counts a call; how many seconds it is too early, None when it may go on."""
        now = time.monotonic()
        with self._lock:
            while self._calls and now - self._calls[0] >= MINUTE:
                self._calls.popleft()
            if len(self._calls) >= self._settings.speedsms_per_minute:
                return max(1, math.ceil(MINUTE - (now - self._calls[0])))
            self._calls.append(now)
        return None

    def judge(self, body: Mapping[str, Any]) -> str:
        """The code for an order, "00" when it may be taken."""
        if set(body) != {"to", "content", "sms_type", "sender"}:
            return "101"
        to, text, kind, sender = body["to"], body["content"], body["sms_type"], body["sender"]
        if not isinstance(to, list) or not 0 < len(to) <= 100 or not isinstance(text, str) or not text:
            return "101"
        if type(kind) is not int or kind not in (2, 3, 4, 5) or not isinstance(sender, str):
            return "101"
        if kind == 3 and sender != self._settings.speedsms_sender:
            return "101"
        if len(text) > LONGEST_TEXT:
            return "113"
        if kind == 3 and not alphabet.fits_gsm7(text) and len(text) > LONGEST_TEXT // 2:
            return "110"
        return "00"

    def numbers(self, body: Mapping[str, Any]) -> tuple[list[str], list[Any]]:
        """(those it sends to as E.164, those it takes for no number): 84… and nothing else."""
        good, bad = [], []
        for one in body["to"]:
            parsed = phone.parse(one) if isinstance(one, str) else None
            mobile = isinstance(parsed, phone.Phone) and parsed.kind is phone.Kind.MOBILE
            fits = mobile and one == parsed.international
            refused = fits and self._phones.faults.on(faults.SMS_REFUSED, parsed.e164)
            good.append(parsed.e164) if fits and not refused else bad.append(one)
        return good, bad

    def take(self, number: str, text: str) -> book.Taken:
        taken, _fresh = self._book.take(number, text, None, lambda: str(10**8 + secrets.randbelow(9 * 10**8)))
        url = self._settings.speedsms_webhook
        told = (lambda failed: self._report(url, taken, failed)) if url else None
        self._book.carry(taken, text, self._settings.speedsms_sender, told)
        return taken

    def status(self, tran_id: str) -> list[dict[str, Any]] | None:
        taken = self._book.find(tran_id)
        if taken is None:
            return None
        known = self._book.known(taken)
        state = (GAVE_UP if taken.failed else DELIVERED) if known else UNDER_WAY
        return [{"phone": phone.parse(taken.phone).international, "status": state}]

    def left(self) -> int:
        return MONEY - self._book.spent(PRICE)

    def close(self) -> None:
        self._book.close()

    def _report(self, url: str, taken: book.Taken, failed: bool) -> bool:
        said = {
            "type": "report",
            "tranId": int(taken.sms_id),
            "phone": phone.parse(taken.phone).international,
            "status": GAVE_UP if failed else DELIVERED,
        }
        return self._post.ask("POST", url, json=said)


def blueprint(account: Account, phones: network.Network) -> flask.Blueprint:
    routes = flask.Blueprint("speedsms", __name__, url_prefix=ROOT)

    @routes.before_request
    def guard():
        seconds = account.wait()
        if seconds is not None:
            said = {"name": "Too Many Requests", "message": "Rate limit exceeded.", "code": 0, "status": 429}
            return said, 429, {"X-Rate-Limit-Reset": str(seconds)}
        if not account.knows(flask.request.headers.get("Authorization", "")):
            return _no("009")
        return None

    @routes.post("/sms/send")
    def send():
        body = telling.asked()
        code = account.judge(body) if body is not None else "101"
        return _no(code) if code != "00" else _sent(account, body, phones.faults)

    @routes.get("/sms/status/<tran_id>")
    def status(tran_id: str):
        listed = account.status(tran_id)
        return {"status": "success", "code": "00", "data": listed} if listed else _no("101")

    @routes.get("/user/info")
    def info():
        money = {"email": "an@example.vn", "balance": account.left(), "currency": "VND"}
        return {"status": "success", "code": "00", "data": money}

    return routes


def _sent(account: Account, body: Mapping[str, Any], switches: faults.Faults) -> Any:
    good, bad = account.numbers(body)
    target = good[0] if good else None
    spoilt = telling.spoilt(switches, target)
    if spoilt is not None:
        return spoilt
    code = switches.code("speedsms", target)
    if code is not None:
        return _no(code)
    if not good and not bad:
        return _no("105")
    taken = [account.take(number, body["content"]) for number in good]
    parts = sum(one.parts for one in taken)
    data = {
        "tranId": int(taken[0].sms_id) if taken else 0,
        "totalSMS": parts,
        "totalPrice": parts * PRICE,
        "invalidPhone": bad,
    }
    answer = flask.jsonify({"status": "success", "code": "00", "data": data})
    return telling.weathered(switches, target, answer)


def _no(code: str) -> dict[str, str]:
    return {"status": "error", "code": code, "message": _SAID.get(code, "Unknown error")}
