"""A stand-in provider of text messages such as config.toml may describe any: JSON with a bearer key, or plain text.

    POST /http-sms/v1/messages   {"to", "text", "ref", "callback"} → {"code": 0, "message", "data": {"id"}}
    GET  /http-sms/v1/messages/<id>                                → {"code": 0, "data": {"state": "DELIVERED"}}
    GET  /http-sms/v1/account                                      → {"code": 0, "data": {"balance": 100000}}
    GET  /http-sms/plain?key=&to=&text=&ref=                       → "OK 0 <id>" or "ERR 13 no such phone"

The same ref again is taken once and answered with code 9. Reports are posted as a list.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import flask

from gateway.rules import hashes, phone
from gateway.sandbox import book, faults, network, options, postman, telling

ROOT = "/http-sms"
SENDER = "CAPHUONG"
MONEY, PRICE = 200_000, 400
OK, TWICE, WRONG_KEY, NO_PHONE, NO_TEXT = "0", "9", "11", "13", "14"

_SAID = {
    OK: "taken", TWICE: "taken before", WRONG_KEY: "wrong key", "12": "no money", NO_PHONE: "no such phone",
    NO_TEXT: "no such text", "15": "busy",
}  # fmt: skip


class Account:
    """What the provider knows of us."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self._book = book.Book("http", phones, settings, post)

    def knows(self, key: str) -> bool:
        return hashes.same(key, self._settings.http_token)

    def judge(self, asked: Mapping[str, Any]) -> str:
        number, text = _mobile(asked.get("to")), asked.get("text")
        if set(asked) - {"to", "text", "ref", "callback"} or not isinstance(asked.get("ref", ""), str):
            return NO_TEXT
        if number is None or self._phones.faults.on(faults.SMS_REFUSED, number):
            return NO_PHONE
        if not isinstance(text, str) or not 0 < len(text) <= 1_000:
            return NO_TEXT
        return self._phones.faults.code("http", number) or OK

    def take(self, asked: Mapping[str, str]) -> tuple[book.Taken, bool]:
        taken, fresh = self._book.take(_mobile(asked["to"]), asked["text"], asked.get("ref"))
        if fresh:
            url = str(asked.get("callback") or "")
            good = urlsplit(url).scheme in ("http", "https")
            told = (lambda failed: self._report(url, taken, failed)) if good else None
            self._book.carry(taken, asked["text"], SENDER, told)
        return taken, fresh

    def state(self, sms_id: str) -> str | None:
        taken = self._book.find(sms_id)
        if taken is None:
            return None
        return _state(taken.failed) if self._book.known(taken) else "SENDING"

    def left(self) -> int:
        return MONEY - self._book.spent(PRICE)

    def close(self) -> None:
        self._book.close()

    def _report(self, url: str, taken: book.Taken, failed: bool) -> bool:
        said = {"ref": taken.request_id, "id": taken.sms_id, "state": _state(failed), "to": taken.phone}
        return self._post.ask("POST", url, json=[said])


def blueprint(account: Account, phones: network.Network) -> flask.Blueprint:
    routes = flask.Blueprint("provider", __name__, url_prefix=ROOT)
    _add_json(routes, account, phones.faults)
    _add_plain(routes, account, phones.faults)
    return routes


def _add_json(routes: flask.Blueprint, account: Account, switches: faults.Faults) -> None:
    def known() -> bool:
        return account.knows(flask.request.headers.get("Authorization", "").removeprefix("Bearer "))

    @routes.post("/v1/messages")
    def send():
        asked = telling.asked()
        if not known():
            return _said(WRONG_KEY), 401
        if asked is None:
            return _said(NO_TEXT), 400
        target = _mobile(asked.get("to"))
        return telling.spoilt(switches, target) or telling.weathered(switches, target, _sent(account, asked))

    @routes.get("/v1/messages/<sms_id>")
    def status(sms_id: str):
        if not known():
            return _said(WRONG_KEY), 401
        state = account.state(sms_id)
        return (_said(OK) | {"data": {"state": state}}) if state else (_said(NO_TEXT), 404)

    @routes.get("/v1/account")
    def money():
        return (_said(OK) | {"data": {"balance": account.left()}}) if known() else (_said(WRONG_KEY), 401)


def _sent(account: Account, asked: Mapping[str, Any]) -> flask.Response:
    code = account.judge(asked)
    if code != OK:
        return flask.jsonify(_said(code))
    taken, fresh = account.take(asked)
    return flask.jsonify(_said(OK if fresh else TWICE) | {"data": {"id": taken.sms_id}})


def _add_plain(routes: flask.Blueprint, account: Account, switches: faults.Faults) -> None:
    @routes.get("/plain")
    def plain():
        asked = flask.request.args.to_dict()
        target = _mobile(asked.get("to"))
        if not account.knows(asked.pop("key", "")):
            return _plain(f"ERR {WRONG_KEY} {_SAID[WRONG_KEY]}")
        spoilt = telling.spoilt(switches, target)
        if spoilt is not None:
            return spoilt
        code = account.judge(asked)
        if code != OK:
            return _plain(f"ERR {code} {_SAID.get(code, 'unknown')}")
        taken, fresh = account.take(asked)
        answer = _plain(f"OK {OK if fresh else TWICE} {taken.sms_id}")
        return telling.weathered(switches, target, answer)


def _mobile(value: Any) -> str | None:
    number = phone.parse(value) if isinstance(value, str) else None
    mobile = isinstance(number, phone.Phone) and number.kind is phone.Kind.MOBILE
    return number.e164 if mobile else None


def _state(failed: bool) -> str:
    return "UNDELIVERED" if failed else "DELIVERED"


def _said(code: str) -> dict[str, Any]:
    return {"code": int(code), "message": _SAID.get(code, "unknown")}


def _plain(text: str) -> flask.Response:
    return flask.Response(text, content_type="text/plain")
