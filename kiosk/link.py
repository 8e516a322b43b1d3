"""HTTP to the gateway, with every way it can fail told as one error in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

# Seconds to connect, and to wait for the next byte of an answer.
TIMEOUT = (3.05, 10.0)
# Bytes; the state of a station is some 2 KB.
LONGEST_ANSWER = 1_000_000


class Unreachable(Exception):
    """Not now: the gateway is away, broken or does not know us. `code`: the HTTP status, if any."""

    def __init__(self, reason: str, code: int | None = None):
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Gateway:
    """One gateway as one kiosk sees it. For one thread."""

    def __init__(self, url: str, key: str, timeout: tuple[float, float] = TIMEOUT):
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        # A proxy from the environment must not come between a kiosk and a gateway in the same house.
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {key}"

    def state(self) -> dict[str, Any]:
        """What the gateway says of site, services, shift, queue and time (INTERFACES.md)."""
        return self._call("GET", "/api/v1/kiosk/state", None)

    def send(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Hand over events; the answer is {"acked": n, "refused": [{"seq", "why"}]}."""
        return self._call("POST", "/api/v1/kiosk/events", document)

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method, self.url + path, json=body, timeout=self._timeout, allow_redirects=False
            )
        except requests.RequestException as fault:
            raise Unreachable(cause(fault)) from fault
        if len(answer.content) > LONGEST_ANSWER:
            raise Unreachable("the answer is too long", answer.status_code)
        return _document(answer)


def _document(answer: requests.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError as fault:
        raise Unreachable(f"{answer.status_code}, not JSON", answer.status_code) from fault
    if answer.status_code != 200 or not isinstance(document, dict):
        raise Unreachable(f"{answer.status_code} {detail(document)}".rstrip(), answer.status_code)
    return document


def cause(fault: BaseException) -> str:
    """The reason of a failed request in a few words, without the library's nesting."""
    if isinstance(fault, requests.Timeout):
        return "no answer in time"
    if isinstance(fault, requests.ConnectionError):
        return "connection refused" if "refused" in str(fault).lower() else "no connection"
    return type(fault).__name__


def detail(document: Any) -> str:
    """The sentence of a problem document, bounded."""
    if not isinstance(document, dict):
        return ""
    return str(document.get("detail") or document.get("title") or "")[:200]
