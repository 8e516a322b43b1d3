"""/healthz (alive), /readyz (able to work), /metrics (Prometheus)."""

from __future__ import annotations

import prometheus_client
from flask import Blueprint, Response, current_app
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select, text

from gateway import database, tables
from gateway.web import callers

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@callers.everybody
def alive() -> Response:
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
@callers.everybody
def ready() -> Response:
    """200 when the database answers and its schema is there; 503 otherwise."""
    try:
        with database.reading(current_app.extensions["gateway"].engine) as session:
            session.execute(text("SELECT 1 FROM sites LIMIT 1"))
    except Exception:
        return Response("the database does not answer\n", status=503, mimetype="text/plain")
    return Response("ready\n", mimetype="text/plain")


@blueprint.get("/metrics")
@callers.everybody
def metrics() -> Response:
    """Counts only: no number, name or phone is in them."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(_Counts(current_app.extensions["gateway"].engine))
    return Response(prometheus_client.generate_latest(registry), mimetype="text/plain; version=0.0.4")


class _Counts:
    """Reads the counts when it is asked, so nothing can drift from the tables."""

    def __init__(self, engine):
        self._engine = engine

    def collect(self):
        with database.reading(self._engine) as session:
            for name, table in (("notices", tables.Notice), ("tickets", tables.Ticket)):
                family = GaugeMetricFamily(f"gateway_{name}", f"{name} by state", labels=["state"])
                counted = select(table.state, func.count()).group_by(table.state)
                for state, count in session.execute(counted):
                    family.add_metric([state], count)
                yield family
            waiting = session.scalar(
                select(func.count()).select_from(tables.Receipt).where(tables.Receipt.done_at.is_(None))
            )
            yield GaugeMetricFamily("gateway_receipts_waiting", "receipts not settled yet", waiting)
