"""màn hình gọi số: the public display. Numbers only; a name never comes here."""

from __future__ import annotations

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from sqlalchemy import select

from gateway import database, tables
from gateway.web import api, callers, dates

blueprint = Blueprint("board", __name__)


@blueprint.get("/board")
@callers.everybody
def first() -> Response:
    """The board of the first site: the only one at a station with one place."""
    with database.reading(api.gate().engine) as session:
        code = session.scalar(
            select(tables.Site.code).filter_by(active=True).order_by(tables.Site.code).limit(1)
        )
    if code is None:
        abort(404)
    return redirect(url_for("board.board", site=code))


@blueprint.get("/board/<site>")
@callers.everybody
def board(site: str) -> str:
    """The display of a site, drawn once here and then by its own script from the stream."""
    here = api.gate()
    with database.reading(here.engine) as session:
        found = session.scalar(select(tables.Site).filter_by(code=site, active=True))
    if found is None:
        abort(404)
    seen = api.board_of(here.hub.snapshot(found.id))
    zone = here.config.station.timezone
    return render_template("board.html", site=found, seen=seen, now=here.now(), zone=zone, desk=dates.desk)
