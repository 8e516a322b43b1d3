"""The answers that staff give often: officers write them, everybody uses them."""

from __future__ import annotations

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from gateway import database, inbox
from gateway.web import api, callers, inbox_words
from gateway.web.problems import Problem

blueprint = Blueprint("canned", __name__, url_prefix="/admin/inbox/canned")


@blueprint.get("")
@callers.staff("officer", program=False)
def overview() -> str:
    """All of them, each to be changed."""
    with database.reading(api.gate().engine) as session:
        return render_template(
            "inbox_canned.html", rows=inbox.canned(session), topics=("", *inbox.TOPICS), longest=inbox.LONGEST
        )


@blueprint.post("")
@callers.staff("officer", program=False)
def add() -> Response:
    """A new one."""
    return _change(None)


@blueprint.post("/<int:canned_id>")
@callers.staff("officer", program=False)
def change(canned_id: int) -> Response:
    """Other words, another title or topic."""
    return _change(canned_id)


def _change(canned_id: int | None) -> Response:
    here = api.gate()
    topic, title, text = (request.form.get(name, "") for name in ("topic", "title", "text"))
    with database.writing(here.engine) as session:
        made = inbox.change_canned(session, canned_id, topic[:12], title, text, g.caller, here.now())
        if isinstance(made, inbox.Refusal):
            raise Problem(*inbox_words.REFUSED[made])
    flash(_("Đã lưu câu trả lời mẫu."), "go")
    return redirect(url_for("canned.overview"), 303)


@blueprint.post("/<int:canned_id>/remove")
@callers.staff("officer", program=False)
def remove(canned_id: int) -> Response:
    """Not any more."""
    here = api.gate()
    with database.writing(here.engine) as session:
        inbox.remove_canned(session, canned_id, g.caller, here.now())
    flash(_("Đã xoá câu trả lời mẫu."), "go")
    return redirect(url_for("canned.overview"), 303)
