"""One HTTP exchange with a provider, and an honest word about it when it fails.

The word that matters is `sent`: could the provider have acted on what we asked? It is told by watching
whether the body was ever read into a live connection, not by guessing from the kind of exception.
"""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3

from gateway.channels import Unreachable

LARGEST_ANSWER = 65_536
MOST_CONNECTIONS = 256
EPOCH = 1_000_000_000  # a number of seconds beyond this is a moment
SLOWEST = 3  # times the silence that is borne: so long a whole answer may take, however it trickles

# urllib3 writes whole URLs at DEBUG, and eSMS has its keys in the query.
logging.getLogger("urllib3").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Answer:
    """What came back: the HTTP status and the JSON object in it."""

    status: int
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Reply:
    """What came back as it came: the HTTP status and the text."""

    status: int
    text: str


class Exchange:
    """Connections to one provider, kept open and shared by any number of threads.

    It uses requests' adapter and leaves its Session out: what a Session adds to each call (merging settings,
    cookies, redirects, reading the environment) is not wanted here and costs as much as the call itself.
    Proxies and certificates that the environment names are honoured; they are read once for each host.
    """

    def __init__(self, timeout: float, largest: int = LARGEST_ANSWER) -> None:
        """`timeout`: seconds to connect, and seconds of silence while reading. `largest`: octets of an answer."""
        self._timeout, self._largest = timeout, largest
        self._adapter = requests.adapters.HTTPAdapter(pool_maxsize=MOST_CONNECTIONS)
        self._proxies: dict[str, Mapping[str, str]] = {}
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self._headers = dict(requests.utils.default_headers())

    def post_json(self, url: str, document: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        body = json.dumps(document, ensure_ascii=False).encode()
        return self._ask("POST", url, headers={**headers, "Content-Type": "application/json"}, body=body)

    def post_form(self, url: str, form: str, headers: Mapping[str, str]) -> Answer:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", url, headers={**headers, **kind}, body=form.encode())

    def post_parts(
        self, url: str, parts: Mapping[str, tuple[str, bytes, str]], headers: Mapping[str, str]
    ) -> Answer:
        """A form with files: field → (file name, octets, media type)."""
        body, kind = urllib3.encode_multipart_formdata(parts)
        return self._ask("POST", url, headers={**headers, "Content-Type": kind}, body=body)

    def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Any call that may change something there, a GET too; whatever comes back is the reply."""
        status, raw = self._raw(method, url, headers=headers, body=body or b"", query=query)
        return Reply(status, raw.decode("utf-8", "replace"))

    def ask(self, url: str, headers: Mapping[str, str]) -> Reply:
        """A question that changes nothing, whatever its answer looks like."""
        try:
            status, raw = self._raw("GET", url, headers=headers)
        except Unreachable as fault:
            raise Unreachable(fault.reason, False, fault.code, fault.retry_after) from None
        return Reply(status, raw.decode("utf-8", "replace"))

    def get(self, url: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """A question that changes nothing: its failures are always `sent=False`."""
        try:
            return self._ask("GET", url, headers=headers, query=query)
        except Unreachable as fault:
            raise Unreachable(fault.reason, False, fault.code, fault.retry_after) from None

    def close(self) -> None:
        self._adapter.close()

    def _ask(self, method, url, *, headers, body: bytes | None = None, query=None) -> Answer:
        return _answer(*self._raw(method, url, headers=headers, body=body, query=query))

    def _raw(self, method, url, *, headers, body: bytes | None = None, query=None) -> tuple[int, bytes]:
        # A call without a body gets an empty one that is watched: it is read when the connection stands
        outgoing = _Outgoing(body) if body is not None else None
        try:
            with self._adapter.send(
                self._prepared(method, url, headers, outgoing, query),
                stream=True,
                timeout=self._timeout,
                verify=self._verify,
                proxies=self._proxies_for(url),
            ) as response:
                return _read(response, self._largest, time.monotonic() + SLOWEST * self._timeout)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as fault:
            # The cause is cut off on purpose: its text holds the URL, and the URL may hold keys.
            raise _failure(fault, sent=outgoing is not None and outgoing.leaving) from None

    def _prepared(self, method, url, headers, outgoing, query) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        if query:
            prepared.prepare_url(url, query)
        else:
            prepared.url = url
        prepared.method, prepared.body = method, outgoing
        length = {"Content-Length": str(len(outgoing))} if outgoing is not None else {}
        prepared.headers = requests.structures.CaseInsensitiveDict({**self._headers, **headers, **length})
        return prepared

    def _proxies_for(self, url: str) -> Mapping[str, str]:
        host = url.split("/", 3)[2]
        if host not in self._proxies:
            self._proxies[host] = requests.utils.get_environ_proxies(url)
        return self._proxies[host]


class _Outgoing:
    """A body that knows whether it has begun to leave: it is first read when the connection stands."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at, self.leaving = octets, 0, False

    def __len__(self) -> int:
        return len(self._octets)

    def __iter__(self):
        # requests streams only what can be iterated; what is sent goes through read().
        yield self.read()

    def read(self, size: int = -1) -> bytes:
        self.leaving = True
        end = len(self._octets) if size < 0 else self._at + size
        chunk = self._octets[self._at : end]
        self._at += len(chunk)
        return chunk


def _read(response: requests.Response, largest: int, until: float) -> tuple[int, bytes]:
    _check_status(response)
    raw, code = b"", f"HTTP {response.status_code}"
    for chunk in _trickling(response.raw):
        raw += chunk
        if len(raw) > largest:
            raise Unreachable("trả lời quá dài / the answer is too large", sent=True, code=code)
        if time.monotonic() > until:
            raise Unreachable("trả lời quá chậm / the answer is too slow", sent=True, code=code)
    return response.status_code, raw


def _trickling(raw: urllib3.HTTPResponse) -> Iterator[bytes]:
    """What has come so far, each time something comes: whoever waits for a block waits as long as it likes."""
    while chunk := raw.read1(8192, decode_content=True):
        yield chunk


def _answer(status: int, raw: bytes) -> Answer:
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    if isinstance(document, dict):
        return Answer(status, document)
    # A page in place of JSON with a "no" status comes from something before the provider, which took nothing.
    raise Unreachable(
        "trả lời không đúng dạng / the answer is not JSON", sent=status < 300, code=f"HTTP {status}"
    )


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status == 429:
        raise Unreachable("quá nhiều yêu cầu / too many requests", False, "HTTP 429", _retry_after(response))
    if status >= 500:
        raise Unreachable(
            "nhà cung cấp gặp lỗi / the provider has a fault", True, f"HTTP {status}", _retry_after(response)
        )


def _retry_after(response: requests.Response) -> int | None:
    """In seconds. Some count down in X-Rate-Limit-Reset, others name the second of the epoch there."""
    for name in ("Retry-After", "X-Rate-Limit-Reset", "X-RateLimit-Reset"):
        text = response.headers.get(name, "")
        if text.isascii() and text.isdigit() and len(text) < 12:
            seconds = int(text)
            seconds -= _their_time(response) if seconds > EPOCH else 0
            return min(max(seconds, 1), 86_400)
    return None


def _their_time(response: requests.Response) -> int:
    """By the provider's own clock, as its words are by it."""
    try:
        return int(parsedate_to_datetime(response.headers["Date"]).timestamp())
    except (KeyError, ValueError):
        return int(time.time())


def _failure(fault: Exception, sent: bool) -> Unreachable:
    if isinstance(fault, requests.ConnectTimeout):
        return Unreachable("không kết nối kịp / no connection in time", sent)
    if isinstance(fault, requests.Timeout):
        return Unreachable("không trả lời kịp / no answer in time", sent)
    if isinstance(fault, requests.exceptions.SSLError):
        return Unreachable("kết nối bảo mật thất bại / the secure connection failed", sent)
    return Unreachable(
        "đứt kết nối / the connection broke" if sent else "không kết nối được / no connection", sent
    )
