"""How the stand-ins answer, whatever they stand in for: an answer that breaks off, and what was asked."""

import errno
from collections.abc import Iterator
from typing import Any

import flask


def cut_off() -> flask.Response:
    """An answer that breaks off, as when the link drops: the client learns nothing of what was done."""
    return flask.Response(_breaking(), content_type="application/json", headers={"Content-Length": "1000"})


def asked() -> dict[str, Any] | None:
    """The JSON object in the request's body; None when it is none."""
    body = flask.request.get_json(force=True, silent=True)
    return body if isinstance(body, dict) else None


def _breaking() -> Iterator[bytes]:
    yield b"{"
    # The server takes this for a client that hung up: it closes the connection and logs nothing.
    raise ConnectionResetError(errno.ECONNRESET, "the link drops")
