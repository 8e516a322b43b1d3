"""What providers tell us. It is stored as it comes, answered at once, and worked on later by the worker.

Zalo wants an answer within 2 s and disables a webhook that fails; eSMS repeats a callback five times. What
the storage does not take in time is answered with 503, and comes again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request

from gateway import config as configuration
from gateway import gauges
from gateway.notices.words import storable
from gateway.rules import hashes
from gateway.rules.sms import reports
from gateway.web import api, callers, zalo_events
from gateway.web.hearing import MOST_FORGED, Hearing

log = logging.getLogger(__name__)
blueprint = Blueprint("receipts", __name__, url_prefix="/webhooks")
LARGEST = 256 * 1024
MANY = 1_000  # forgeries in a row; from here on a line in the log for each thousand


@blueprint.get("/zalo")
@callers.provider
def zalo_probe() -> Response:
    """The console looks whether somebody is there."""
    return Response(status=200)


@blueprint.post("/zalo")
@callers.provider
def zalo() -> Response:
    """A signed event. A bad signature stores nothing; an unsigned `{}` is the console that saves the address."""
    if (request.content_length or 0) > LARGEST:
        return _refused("too_large", 413)
    raw = request.get_data(cache=True)
    if len(raw) > LARGEST:
        return _refused("too_large", 413)
    try:
        told = zalo_events.read(raw)
    except zalo_events.Unreadable:
        return _refused("malformed", 400)
    if told is None:
        return Response(status=200)
    variant = _variant(raw, told)
    if variant is None:
        return _forged()
    gauges.webhook("genuine")
    _hearing().genuine(variant, told.name)
    api.gate().intake.keep_all(zalo_events.rows(told, raw))
    return Response(status=200)


def _variant(raw: bytes, told: zalo_events.Told) -> str | None:
    """How this event is signed; None if it is not Zalo's, or meant for another app."""
    config = api.gate().config
    signature = request.headers.get("X-ZEvent-Signature", "")
    if not signature or not config.zalo.app_id or not hashes.same(told.app_id, config.zalo.app_id):
        return None
    return hashes.zalo_variants(
        signature,
        raw,
        ids={"app_id": told.app_id, "oa_id": config.zalo.oa_id},
        timestamps={"body": told.timestamp, "header": request.headers.get("X-ZEvent-Timestamp", "")},
        secrets={
            "webhook_secret": configuration.secret(config, "zalo.webhook_secret") or "",
            "app_secret": configuration.secret(config, "zalo.app_secret") or "",
        },
        pinned=_hearing().pinned,
        strict=config.zalo.strict_variant,
    )


def _hearing() -> Hearing:
    known = current_app.extensions
    if "hearing" not in known:
        here = api.gate()
        known.setdefault("hearing", Hearing(here.engine, here.now))
    return known["hearing"]


def _forged() -> Response:
    """Not Zalo's: 200 if so configured, as Zalo disables a webhook that keeps failing."""
    gauges.webhook("bad_signature")
    count = _hearing().forged()
    if count <= MOST_FORGED + 1 or count % MANY == 0:  # a flood of them must not fill the disk
        log.warning("an event with a bad signature came to Zalo's webhook, %d in a row", count)
    return Response(status=200 if api.gate().config.zalo.reply_200_on_bad_signature else 401)


def _refused(outcome: str, status: int) -> Response:
    gauges.webhook(outcome)
    log.info("a call of Zalo's webhook was refused: %s", outcome)
    return Response(status=status)


@blueprint.get("/esms/<secret>")
@callers.provider
def esms(secret: str) -> Response:
    """eSMS's callback. It is not signed: its address is secret, and the worker asks again before it believes."""
    if not _is_secret(secret, "sms.esms.callback_secret"):
        return Response(status=404)
    query = {key[:40]: value[:200] for key, value in list(request.args.items())[:40]}
    return _kept("esms", [(query.get("RequestId", ""), query.get("SMSID", ""), query)])


@blueprint.route("/speedsms/<secret>", methods=["GET", "POST"])
@callers.provider
def speedsms(secret: str) -> Response:
    """SpeedSMS's report, in whichever shape it comes; the same holds for it. Others of its posts are none of ours."""
    if not _is_secret(secret, "sms.speedsms.callback_secret"):
        return Response(status=404)
    document = _posted()
    if not isinstance(document, dict):
        return Response(status=400)
    told = reports.speedsms(document)
    if told is None:
        return Response(status=200)
    body = {"type": "report", "tranId": told.id, "phone": told.phone, "status": told.status}
    return _kept("speedsms", [("", told.id, body)])


@blueprint.route("/sms/<lane>/<secret>", methods=["GET", "POST"])
@callers.provider
def described(lane: str, secret: str) -> Response:
    """Reports of a provider that config.toml describes, one or a list of them."""
    own = api.gate().config.sms.http.get(lane)
    if own is None or not own.report or not _is_secret(secret, f"sms.http.{lane}.callback_secret"):
        return Response(status=404)
    listed = [(reports.told(own, one), one) for one in reports.several(own, _posted())]
    return _kept(lane, [(told.reference, told.id, one) for told, one in listed])


def _is_secret(given: str, name: str) -> bool:
    expected = configuration.secret(api.gate().config, name)
    return bool(expected) and hashes.same(given, expected)


def _posted() -> Any:
    """The document of a call: its query, its form or its JSON; None for what is none."""
    if request.method != "POST":
        return request.args.to_dict()
    if (request.content_length or 0) > LARGEST or len(raw := request.get_data(cache=True)) > LARGEST:
        return None
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return request.form.to_dict()
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def _kept(channel: str, told: list[tuple[str, str, Mapping[str, str]]]) -> Response:
    """Keep reports for the worker: (our reference, the provider's id, what it said). Who only looks changes nothing."""
    named = [
        (storable(ours, 48), storable(theirs, 80), said) for ours, theirs, said in told if ours or theirs
    ]
    if request.method == "HEAD" or not named:
        return Response(status=400)
    api.gate().intake.keep_all([_row(channel, *one) for one in named])
    return Response(status=200)


def _row(channel: str, reference: str, provider_ref: str, said: Mapping[str, str]) -> dict[str, Any]:
    body = json.dumps(said, sort_keys=True)
    return {
        "channel": channel,
        "key": f"{channel}:{hashlib.sha256(body.encode()).hexdigest()}",
        "event": "callback",
        "reference": reference or None,
        "provider_ref": provider_ref or None,
        "delivered": None,
        "body": body,
        "done_at": None,
    }
