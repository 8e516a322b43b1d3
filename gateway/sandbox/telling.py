"""How the stand-ins answer, whatever they stand in for: an answer that breaks off, and what was asked."""

import errno
import threading
from collections.abc import Iterator
from typing import Any

import flask

from gateway.sandbox import faults

DRIP_SECONDS = 0.05
LONGEST_DRIP = 2_000  # characters, i.e. longer than anybody should wait
PAGE = "<html><body><h1>Service Unavailable</h1></body></html>"


def cut_off() -> flask.Response:
    """An answer that breaks off, as when the link drops: the client learns nothing of what was done."""
    return flask.Response(_breaking(), content_type="application/json", headers={"Content-Length": "1000"})


def page(status: int) -> flask.Response:
    """A page of HTML where an answer was wanted, as something before the provider gives it."""
    return flask.Response(PAGE, status=status, content_type="text/html")


def spoilt(switches: faults.Faults, target: str | None) -> flask.Response | None:
    """How the answer to a message is spoilt before anything is taken; None when it is not."""
    if switches.on(faults.SMS_500, target):
        return page(500)
    return cut_off() if switches.on(faults.SMS_CUT_EARLY, target) else None


def weathered(switches: faults.Faults, target: str | None, answer: flask.Response) -> flask.Response:
    """The answer about a message that was taken, as the line lets it through."""
    if switches.on(faults.SMS_CUT_LATE, target):
        return cut_off()
    if switches.on(faults.SMS_DRIP, target):
        return flask.Response(
            _dripping(answer.get_data()), content_type=answer.content_type,
            headers={"Content-Length": str(LONGEST_DRIP)},
        )  # fmt: skip
    return answer


def asked() -> dict[str, Any] | None:
    """The JSON object in the request's body; None when it is none."""
    body = flask.request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else None


def _breaking() -> Iterator[bytes]:
    yield b"{"
    # The server takes this for a client that hung up: it closes the connection and logs nothing.
    raise ConnectionResetError(errno.ECONNRESET, "the link drops")


def _dripping(octets: bytes) -> Iterator[bytes]:
    """Blanks, which JSON allows, and at last the answer."""
    pause = threading.Event()
    for octet in b" " * (LONGEST_DRIP - len(octets)) + octets:
        pause.wait(DRIP_SECONDS)
        yield bytes([octet])
