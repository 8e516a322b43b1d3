"""What providers tell us. It is stored as it comes, answered at once, and worked on later by the worker.

Zalo wants an answer within 2 s and disables a webhook that fails; eSMS repeats a callback five times. What
the storage does not take in time is answered with 503, and comes again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import pydantic
from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field

from gateway import config as configuration
from gateway.rules import hashes
from gateway.web import api, callers

log = logging.getLogger(__name__)
blueprint = Blueprint("receipts", __name__, url_prefix="/webhooks")
LARGEST = 256 * 1024


class Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


PLAIN = r"^[\x20-\x7e]*$"


class MessageTold(Told):
    msg_id: str = Field("", max_length=80, pattern=PLAIN)
    tracking_id: str = Field("", max_length=48, pattern=PLAIN)


class EventTold(Told):
    """The parts of a Zalo event that are looked at; the whole is kept."""

    app_id: str = Field("", max_length=40)
    event_name: str = Field("", max_length=60, pattern=PLAIN)
    timestamp: str = Field("", max_length=20, pattern=PLAIN)
    message: MessageTold = MessageTold()


@blueprint.get("/zalo")
@callers.provider
def zalo_probe() -> Response:
    """The console looks whether somebody is there."""
    return Response(status=200)


@blueprint.post("/zalo")
@callers.provider
def zalo() -> Response:
    """A signed event. A bad signature stores nothing."""
    raw = request.get_data(cache=True)
    if raw.strip() in (b"", b"{}"):  # the console's probe when the address is saved
        return Response(status=200)
    if len(raw) > LARGEST:
        return _refused("too large", 413)
    try:
        event = EventTold.model_validate(json.loads(raw))
    except (ValueError, RecursionError, pydantic.ValidationError):
        return _refused("not understood", 400)
    if not _genuine(raw, event):
        return _refused("bad signature", 401)
    here = api.gate()
    here.intake.keep(_zalo_receipt(raw, event, here.now()))
    return Response(status=200)


def _genuine(raw: bytes, event: EventTold) -> bool:
    config = api.gate().config
    signature = request.headers.get("X-ZEvent-Signature", "")
    if not signature or event.app_id != config.zalo.app_id:
        return False
    found = hashes.zalo_variants(
        signature,
        raw,
        ids={"app_id": event.app_id, "oa_id": config.zalo.oa_id},
        timestamps={"body": event.timestamp, "header": request.headers.get("X-ZEvent-Timestamp", "")},
        secrets={
            "webhook_secret": configuration.secret(config, "zalo.webhook_secret") or "",
            "app_secret": configuration.secret(config, "zalo.app_secret") or "",
        },
    )
    return found is not None


def _zalo_receipt(raw: bytes, event: EventTold, now: int) -> dict[str, Any]:
    """A delivery is a receipt that the worker settles; any other event is kept, with nothing to settle yet."""
    receipt = event.event_name == "user_received_message"
    identity = event.message.msg_id or hashlib.sha256(raw).hexdigest()
    return {
        "channel": "zalo",
        "key": f"zalo:{event.event_name}:{identity}",
        "event": event.event_name,
        "reference": event.message.tracking_id or None,
        "provider_ref": event.message.msg_id or None,
        "delivered": True if receipt else None,
        "body": _storable(raw),
        "done_at": None if receipt else now,
    }


def _storable(raw: bytes) -> str:
    """The body as text; PostgreSQL keeps no NUL."""
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def _refused(why: str, status: int) -> Response:
    """Refuse an event, with 200 if so configured: Zalo disables a webhook that keeps failing."""
    log.warning("a Zalo event was refused: %s", why)
    gentle = status == 401 and api.gate().config.zalo.reply_200_on_bad_signature
    return Response(status=200 if gentle else status)


@blueprint.get("/esms/<secret>")
@callers.provider
def esms(secret: str) -> Response:
    """eSMS's callback. It is not signed: its address is secret, and the worker asks again before it believes."""
    here = api.gate()
    expected = configuration.secret(here.config, "sms.esms.callback_secret")
    if not expected or not hashes.same(secret, expected):
        return Response(status=404)
    query = {key[:40]: value[:200] for key, value in list(request.args.items())[:40]}
    reference, provider_ref = query.get("RequestId", "")[:48], query.get("SMSID", "")[:80]
    if request.method == "HEAD" or not (reference or provider_ref):
        return Response(status=400)
    raw = json.dumps(query, sort_keys=True).encode()
    receipt = {
        "channel": "esms",
        "key": f"esms:{hashlib.sha256(raw).hexdigest()}",
        "event": "callback",
        "reference": reference or None,
        "provider_ref": provider_ref or None,
        "delivered": None,
        "body": raw.decode(),
        "done_at": None,
    }
    here.intake.keep(receipt)
    return Response(status=200)
