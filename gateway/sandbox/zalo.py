"""The stand-in Zalo: consent and tokens, the phone template, its status, and signed receipts.

It refuses what the real one refuses, with the same codes in a 200, and answers with the same shapes.
"""

import errno
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask

from gateway.rules import hashes, phone
from gateway.sandbox import faults, keyring, ledger, network, options, postman, wording

DAILY_QUOTA = 5_000

_SAID = {
    "-108": "Phone number invalid",
    "-109": "Template ID invalid",
    "-111": "Template data is empty",
    "-112": "Template data invalid",
    "-118": "Zalo account not existed or deactivated",
    "-1121": "Params is over max length",
    "-1122": "Missing params",
    "-122": "Body is not a JSON object",
    "-121": "Body is empty",
    "-124": "Access token invalid",
    "-132": "Parameter invalid",
    "-144": "OA has reached the daily limit",
}
_TRACKING = re.compile(r"[A-Za-z0-9_-]{1,48}")


class OfficialAccount:
    """What Zalo knows: the tokens, the templates, the messages it has taken."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self.keys = keyring.Keyring(settings.folder)
        self.templates = {one.id: one for one in map(wording.template, settings.templates)}
        self._ledger = ledger.Ledger(settings.folder / "zalo-taken.jsonl", keep=100_000)
        self._taken = {row["msg_id"] for row in self._ledger.rows}
        self._lock = threading.Lock()
        self._left = DAILY_QUOTA

    def judge(self, body: Mapping[str, Any]) -> str | None:
        """Zalo's code for a message it does not take, or None."""
        number = phone.parse(str(body.get("phone", "")))
        if not isinstance(number, phone.Phone) or number.kind is not phone.Kind.MOBILE:
            return "-108"
        if not _TRACKING.fullmatch(str(body.get("tracking_id", ""))):
            return "-132"
        template = self.templates.get(str(body.get("template_id", "")))
        code = template.fault(body.get("template_data")) if template else "-109"
        if code:
            return code
        if self._phones.faults.on(faults.ZALO_REFUSED, number.e164):
            return "-118"
        return "-144" if self._left <= 0 or self._phones.faults.on(faults.ZALO_QUOTA, number.e164) else None

    def take(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Takes a judged message: on the phone at once, its receipt a little later."""
        number, msg_id = phone.parse(str(body["phone"])), uuid.uuid4().hex
        with self._lock:
            self._left -= 1
            self._taken.add(msg_id)
            self._ledger.append(msg_id=msg_id)
        if not self._phones.faults.on(faults.ZALO_NO_RECEIPT, number.e164):
            text = self.templates[str(body["template_id"])].read(body["template_data"])
            ref = str(body["tracking_id"])
            self._phones.deliver(number.e164, via="zalo", sender="Zalo OA", text=text, ref=ref, id=msg_id)
            self._send_receipts(number, msg_id, ref)
        quota = {"dailyQuota": str(DAILY_QUOTA), "remainingQuota": str(self._left)}
        return {"msg_id": msg_id, "sent_time": _milliseconds(), "sending_mode": "1", "quota": quota}

    def status(self, msg_id: str) -> dict[str, Any]:
        at = self._phones.arrived(msg_id)
        if at is not None:
            return {"delivery_time": str(int(at * 1000)), "message": "Message is delivered", "status": 1}
        known = msg_id in self._taken
        return {"delivery_time": "", "message": "", "status": 0 if known else -1}

    def close(self) -> None:
        self.keys.close()
        self._ledger.close()

    def _send_receipts(self, number: phone.Phone, msg_id: str, ref: str) -> None:
        if not self._settings.webhook_url:
            return
        body = self._event(number, msg_id, ref)
        for delay in self._phones.faults.receipts(number.e164, self._settings.receipt_delay):
            self._post.until_taken(delay, lambda: self._post_event(body))

    def _event(self, number: phone.Phone, msg_id: str, ref: str) -> bytes:
        now = _milliseconds()
        event = {
            "sender": {"id": self._settings.oa_id},
            "recipient": {"id": number.international},
            "event_name": "user_received_message",
            "message": {"delivery_time": now, "msg_id": msg_id, "tracking_id": ref},
            "app_id": self._settings.app_id,
            "timestamp": now,
        }
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

    def _post_event(self, body: bytes) -> bool:
        stamp = json.loads(body)["timestamp"]
        mac = hashes.zalo_mac(self._settings.app_id, body, stamp, self._settings.webhook_secret)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ZaloWebhook",
            "X-ZEvent-Server": "ZNS",
            "X-ZEvent-Signature": f"mac={mac}",
        }
        return self._post.ask("POST", self._settings.webhook_url, data=body, headers=headers)


def blueprint(
    account: OfficialAccount, phones: network.Network, settings: options.Options
) -> flask.Blueprint:
    """The four hosts of Zalo that we use, behind one."""
    routes = flask.Blueprint("zalo", __name__)
    _add_consent(routes, account.keys, settings)
    _add_messages(routes, account, phones)
    _add_templates(routes, account)
    return routes


def _add_consent(routes: flask.Blueprint, keys: keyring.Keyring, settings: options.Options) -> None:
    @routes.get("/v4/oa/permission")
    def permission():
        asked = flask.request.args
        if asked.get("app_id") != settings.app_id:
            return {"error": -14002, "error_name": "Invalid appId"}
        back = asked.get("redirect_uri", "")
        if urlsplit(back).scheme not in ("http", "https"):
            return {"error": -14003, "error_name": "Invalid redirect uri"}
        answer = {"code": keys.code(asked.get("code_challenge")), "oa_id": settings.oa_id}
        answer |= {"state": asked["state"]} if "state" in asked else {}
        return flask.redirect(back + ("&" if "?" in back else "?") + urlencode(answer))

    @routes.post("/v4/oa/access_token")
    def access_token():
        form = flask.request.form
        known = form.get("app_id") == settings.app_id
        if not known or not hashes.same(flask.request.headers.get("secret_key", ""), settings.app_secret):
            return {"error": -14002, "error_name": "Invalid appId"}
        if form.get("grant_type") == "refresh_token":
            return _shown(keys.renew(form.get("refresh_token", "")))
        return _shown(keys.redeem(form.get("code", ""), form.get("code_verifier")))

    @routes.get("/tools/token")
    def api_explorer():
        return _shown(keys.pair())


def _add_messages(routes: flask.Blueprint, account: OfficialAccount, phones: network.Network) -> None:
    @routes.post("/message/template")
    def send():
        body, code = _body()
        code = code or _token_fault(account) or account.judge(body)
        if code:
            return _no(code)
        data = account.take(body)
        number = phone.parse(str(body["phone"]))
        if phones.faults.on(faults.ZALO_TIMEOUT, number.e164):
            return cut_off()
        return {"error": 0, "message": "Success", "data": data}

    @routes.get("/message/status")
    def status():
        if code := _token_fault(account):
            return _no(code)
        msg_id = flask.request.args.get("message_id", "")
        return {"error": 0, "message": "Success", "data": account.status(msg_id)}


def _add_templates(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.get("/template/all")
    def listed():
        if code := _token_fault(account):
            return _no(code)
        data = [
            {"templateId": one.id, "templateName": one.title, "status": "ENABLE", "templateQuality": "HIGH"}
            for one in account.templates.values()
        ]
        return {"error": 0, "message": "Success", "data": data, "metadata": {"total": len(data)}}

    @routes.get("/template/info/v2")
    def info():
        if code := _token_fault(account):
            return _no(code)
        template = account.templates.get(flask.request.args.get("template_id", ""))
        if template is None:
            return _no("-109")
        return {"error": 0, "message": "Success", "data": _described(template)}


def cut_off() -> flask.Response:
    """An answer that breaks off, as when the link drops: the client learns nothing of what was done."""
    return flask.Response(_breaking(), content_type="application/json", headers={"Content-Length": "1000"})


def _breaking() -> Iterator[bytes]:
    yield b"{"
    # The server takes this for a client that hung up: it closes the connection and logs nothing.
    raise ConnectionResetError(errno.ECONNRESET, "the link drops")


def _body() -> tuple[dict[str, Any], str | None]:
    if not flask.request.get_data():
        return {}, "-121"
    body = flask.request.get_json(force=True, silent=True)
    return (body, None) if isinstance(body, dict) else ({}, "-122")


def _token_fault(account: OfficialAccount) -> str | None:
    return None if account.keys.valid(flask.request.headers.get("access_token", "")) else "-124"


def _no(code: str) -> dict[str, Any]:
    return {"error": int(code), "message": _SAID.get(code, "Error")}


def _shown(pair: keyring.Pair | None) -> dict[str, Any]:
    if pair is None:
        # Zalo publishes no code for a spent token; what matters is that there is no token in the answer.
        return {"error": -14000, "error_name": "Invalid grant", "error_reason": "used, expired or unknown"}
    life = str(keyring.ACCESS_LIFE)
    return {"access_token": pair.access, "refresh_token": pair.refresh, "expires_in": life}


def _described(template: wording.Template) -> dict[str, Any]:
    always = {"require": True, "type": "STRING", "minLength": 1, "acceptNull": False}
    return {
        "templateId": template.id,
        "templateName": template.title,
        "status": "ENABLE",
        "timeout": 7_200_000,
        "templateTag": "TRANSACTION",
        "listParams": [{"name": name, "maxLength": most, **always} for name, most in template.params.items()],
    }


def _milliseconds() -> str:
    return str(int(time.time() * 1000))
