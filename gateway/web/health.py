"""/healthz (alive), /readyz (able to work), /metrics (Prometheus)."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass

import prometheus_client
from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import Engine, delete, text

from gateway import database, gauges, storage, tables
from gateway.queue.day import insert_new
from gateway.web import callers, counts

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)
PATIENCE_SECONDS = 2.0
BALLAST = 32_768  # bytes that must find room
GOOD_FOR_SECONDS = 1.0  # who asks more often gets the last good answer: each look costs an fsync


@blueprint.get("/healthz")
@callers.everybody
def alive() -> Response:
    return Response("ok\n", mimetype="text/plain")


@dataclass(frozen=True)
class Check:
    """`detail` is "tiếng Việt / English"."""

    ok: bool
    detail: str


@blueprint.get("/readyz")
@callers.everybody
def ready() -> tuple[Response, int]:
    """200 when a row can be stored now, the schema is the newest and this process's worker takes its turns.

    {"ready": bool, "checks": {name: {"ok": bool, "detail": "vi / en"}}}; 503 otherwise.
    """
    here = current_app.extensions["gateway"]
    probe = current_app.extensions.setdefault("readiness", Probe(here.engine))
    checks = {**probe.look(), "worker": _worker(here.alive())}
    well = all(check.ok for check in checks.values())
    body = {"ready": well, "checks": {name: asdict(check) for name, check in checks.items()}}
    return jsonify(body), 200 if well else 503


def _worker(turns: bool | None) -> Check:
    if turns is None:
        return Check(True, "không chạy trong tiến trình này / not in this process")
    if turns:
        return Check(True, "đang làm việc / at work")
    return Check(False, "luồng gửi tin đã ngừng / the worker takes no turns")


class Probe:
    """Tries the storage in a thread of its own: a try that never ends must not hold whoever asks.

    Those who ask at the same time share one try.
    """

    def __init__(self, engine: Engine, patience: float = PATIENCE_SECONDS):
        self._engine, self._patience = engine, patience
        self._name = f"ready:{secrets.token_hex(6)}"
        self._turn = threading.Lock()
        self._last: Future[Mapping[str, Check]] | None = None
        self._good_until = 0.0

    def look(self) -> Mapping[str, Check]:
        """What was found; within `patience` seconds in any case."""
        with self._turn:
            if self._last is None or self._stale(self._last):
                self._last = Future()
                threading.Thread(target=self._try, args=(self._last,), name="ready", daemon=True).start()
            looking = self._last
        try:
            return looking.result(self._patience)
        except TimeoutError:
            seconds = f"{self._patience:g}"
            return {"database": Check(False, f"chưa trả lời sau {seconds} giây / no answer in {seconds} s")}

    def _stale(self, last: Future[Mapping[str, Check]]) -> bool:
        return last.done() and time.monotonic() >= self._good_until

    def _try(self, answer: Future[Mapping[str, Check]]) -> None:
        found: dict[str, Check] = {}
        for name, well, attempt in (
            ("database", "trả lời / answers", self._read),
            ("schema", "mới nhất / the newest", self._compare),
            ("storage", "ghi được / can be written", self._write),
        ):
            found[name] = _tried(name, attempt, well)
            if not found[name].ok:
                break  # what cannot be read cannot be written either, and each try may take its time
        if all(check.ok for check in found.values()):
            self._good_until = time.monotonic() + GOOD_FOR_SECONDS
        answer.set_result(found)

    def _read(self) -> bool:
        with database.reading(self._engine) as session:
            session.execute(text("SELECT 1"))
        return True

    def _compare(self) -> bool:
        return database.is_current(self._engine)

    def _write(self) -> bool:
        """Store a row of some size and take it away again, for good: only a commit meets a full disk.

        Small ones still fit into pages that are there already; and it must not be one that compresses well.
        """
        ballast = [secrets.token_hex(BALLAST // 2)]
        row = {"started_at": 0, "seen_at": 0, "lanes": ballast, "leads": False}
        with database.writing(self._engine) as session:
            insert_new(session, tables.Workplace, name=self._name, **row)
            session.execute(delete(tables.Workplace).filter_by(name=self._name))
        return True


def _tried(name: str, attempt: Callable[[], bool], well: str) -> Check:
    try:
        if attempt():
            return Check(True, well)
    except Exception as fault:
        log.warning("not ready: %s: %s", name, storage.in_short(fault))
        return Check(False, _FAULTS[name])
    return Check(False, _FAULTS[name])


_FAULTS = {
    "database": "cơ sở dữ liệu không trả lời / the database does not answer",
    "schema": "cấu trúc dữ liệu chưa mới nhất, hãy chạy migrate / the schema is not the newest: run migrate",
    "storage": "không ghi được: đầy, bị khoá hoặc chỉ đọc / cannot be written: full, locked or read-only",
}


@blueprint.get("/metrics")
@callers.everybody
def metrics() -> Response:
    """Counts only: no number, name or phone is in them. The tables' counts, then this process's own."""
    here = current_app.extensions["gateway"]
    registry = prometheus_client.CollectorRegistry(auto_describe=False)
    registry.register(counts.Counts(here.engine, here.config, here.now()))
    body = prometheus_client.generate_latest(registry) + gauges.shown()
    return Response(body, content_type=gauges.CONTENT_TYPE)
