"""Zalo's yes and no: both in a 200, with `error` in the body. The two hosts have codes of their own."""

import json
from collections.abc import Mapping
from typing import Any

import flask

from gateway.sandbox import telling

_SAID = {
    -32: "Your application reached limit call api",
    -100: "Attachment is expired",
    -108: "Phone number invalid",
    -109: "Template ID invalid",
    -111: "Template data is empty",
    -112: "Template data invalid",
    -118: "Zalo account not existed or deactivated",
    -1121: "Params is over max length",
    -1122: "Missing params",
    -1124: "Param format invalid",
    -121: "Body is empty",
    -122: "Body is not a JSON object",
    -124: "Access token invalid",
    -1241: "Appsecret_proof provided in the API request is invalid",
    -131: "Template is not approved",
    -132: "Parameter invalid",
    -139: "User refused this type of message",
    -141: "User refused to receive messages from the Official Account",
    -144: "OA has reached the daily limit",
    -146: "Template is disabled due to low quality",
    -201: "Params is invalid",
    -210: "Parameter is over the limit",
    -211: "Out of quota",
    -213: "User has not followed OA",
    -216: "Access token is invalid",
    -217: "User has blocked invitations from OA",
    -230: "User has not interacted with the OA in the past 7 days",
    -233: "Message type is not supported",
    -242: "Appsecret_proof provided in the API request is invalid",
    -244: "User has restricted this type of message from your OA",
    -249: "This template can not be sent by user id",
}


class No(Exception):
    """Zalo refuses, with this code; `about` says what of the request it means."""

    def __init__(self, code: int, about: str = "") -> None:
        super().__init__(code)
        self.code, self.about = code, about


def on_no(no: No) -> dict[str, Any]:
    return refused(no.code, no.about)


def refused(code: int, about: str = "") -> dict[str, Any]:
    said = _SAID.get(code, "Error")
    return {"error": code, "message": f"{said}: {about}" if about else said}


def yes(data: Any = None, **more: Any) -> dict[str, Any]:
    return {"error": 0, "message": "Success", "data": data if data is not None else {}, **more}


def body() -> dict[str, Any]:
    """The object in a body for the host of templates by phone."""
    if not flask.request.get_data():
        raise No(-121)
    found = telling.asked()
    if found is None:
        raise No(-122)
    return found


def oa_body() -> dict[str, Any]:
    """The object in a body for the OA's host."""
    found = telling.asked()
    if found is None:
        raise No(-201, "body")
    return found


def data() -> Mapping[str, Any]:
    """The OA host's questions: one query parameter `data` with a JSON object."""
    try:
        found = json.loads(flask.request.args.get("data", ""))
    except ValueError:
        found = None
    if not isinstance(found, dict) or set(flask.request.args) != {"data"}:
        raise No(-201, "data")
    return found
