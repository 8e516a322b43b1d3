"""What this process counts and times for Prometheus, on a registry of its own.

What the tables know is counted from the tables when it is asked (web.health). Here is what no row keeps: how
long things took, and how hand-overs ended since this process began. Labels take few values only, and nothing
of a person: an unknown code is *other*.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
MOST_VALUES = 80  # of codes and of outcomes: a provider that invents codes must not fill the memory
OTHER = "other"
# -124, 104, HTTP 503, CMS 38, silent; not a phone, and not a sentence
_CODE = re.compile(r"-?\d{1,6}|[A-Za-z][A-Za-z_-]{0,23}( \d{1,4})?")
_LANE = re.compile(r"[a-z][a-z0-9_]{0,11}")  # as config.toml may name one

_MILLISECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_CALLS = (0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0)
_WAITS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0)

_handed_over = Counter(
    "gateway_handed_over", "messages given to a channel", ["channel", "outcome", "code"], registry=REGISTRY
)
_provider = Histogram(
    "gateway_provider_seconds", "a provider's answer", ["channel"], buckets=_CALLS, registry=REGISTRY
)
_waited = Histogram(
    "gateway_wait_seconds", "from due to handed over", ["urgent"], buckets=_WAITS, registry=REGISTRY
)
_round = Histogram("gateway_round_seconds", "a worker's turn", buckets=_MILLISECONDS, registry=REGISTRY)
_claimed = Counter("gateway_claimed", "notices claimed", registry=REGISTRY)
_claim = Histogram("gateway_claim_seconds", "one claim", buckets=_MILLISECONDS, registry=REGISTRY)
_kept = Counter("gateway_receipts_kept", "what providers posted and is stored", registry=REGISTRY)
_commit = Histogram(
    "gateway_receipts_commit_seconds", "one commit of receipts", buckets=_MILLISECONDS, registry=REGISTRY
)
_webhook = Counter(
    "gateway_zalo_webhook",
    "what was posted to Zalo's webhook, by what became of it",
    ["outcome"],
    registry=REGISTRY,
)


class _Values:
    """The values that a label has taken; past `MOST_VALUES` of them, new ones are *other*."""

    def __init__(self, shape: re.Pattern[str] = _CODE) -> None:
        self._shape = shape
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def bounded(self, text: str) -> str:
        if text in self._known:
            return text
        if text and not self._shape.fullmatch(text):
            return OTHER
        with self._lock:
            if len(self._known) >= MOST_VALUES:
                return OTHER
            self._known.add(text)
        return text


_codes, _outcomes, _channels = _Values(), _Values(), _Values(_LANE)


def handed_over(channel: str, outcome: str, code: str, seconds: float) -> None:
    """One hand-over: how it ended, the provider's code, and how long its answer took."""
    channel = _channels.bounded(channel)
    _handed_over.labels(channel, _outcomes.bounded(str(outcome)), _codes.bounded(code)).inc()
    _provider.labels(channel).observe(seconds)


def waited(urgent: bool, seconds: float) -> None:
    """How long a notice that was due waited until it was handed over first."""
    _waited.labels("yes" if urgent else "no").observe(max(0.0, seconds))


def round_took(seconds: float) -> None:
    _round.observe(seconds)


def claimed(count: int, seconds: float) -> None:
    """One claim: how many notices, and how long it took."""
    _claimed.inc(count)
    _claim.observe(seconds)


def kept(count: int, seconds: float) -> None:
    """One commit of what providers posted, `count` rows."""
    _kept.inc(count)
    _commit.observe(seconds)


def webhook(outcome: str) -> None:
    """One call of Zalo's webhook: genuine, bad_signature, malformed or too_large."""
    _webhook.labels(outcome).inc()


def shown() -> bytes:
    """Everything this process counts, in Prometheus' text."""
    return prometheus_client.generate_latest(REGISTRY)


CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Served:
    """The little server of a process that has no pages: /metrics and /healthz. `stop` ends it."""

    def __init__(self, host: str, port: int, alive: Callable[[], bool | None]):
        self._alive = alive
        self._http = WSGIServer((host, port), _Quiet)
        self._http.set_app(self._answer)
        self.port = self._http.server_port
        self._thread = threading.Thread(target=self._http.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)

    def _answer(self, environ: dict, start: Callable) -> Iterable[bytes]:
        status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", b"not found\n"
        if environ["PATH_INFO"] == "/metrics":
            status, kind, body = HTTPStatus.OK, CONTENT_TYPE, shown()
        elif environ["PATH_INFO"] == "/healthz":
            well = self._alive() is not False
            status = HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE
            body = b"ok\n" if well else b"the worker takes no turns\n"
        start(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]


class _Quiet(WSGIRequestHandler):
    timeout = 5  # one visitor who says nothing must not keep the others out for long

    def log_message(self, format: str, *args: object) -> None:
        """Whoever scrapes every few seconds is not news."""


def serve(port: int, alive: Callable[[], bool | None], host: str = "127.0.0.1") -> Served:
    """Serve this process's /metrics, and /healthz by `alive()`; OSError where the port is taken."""
    return Served(host, port, alive)
