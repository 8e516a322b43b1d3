"""Who follows the Official Account: found, tagged, and as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from gateway import access, database, delivery, followers
from gateway.followers import Wanted
from gateway.web import api, callers, dates

blueprint = Blueprint("followers", __name__, url_prefix="/admin/followers")
LATELY = 48 * 3_600
FOLLOWING = {"yes": True, "no": False}


@blueprint.get("")
@callers.staff("officer", program=False)
def overview() -> str:
    """The list, who spoke last first."""
    here, wanted = api.gate(), _wanted()
    with database.reading(here.engine) as session:
        return render_template(
            "followers.html",
            wanted=wanted,
            found=followers.search(session, wanted, request.args.get("after", "")[:60]),
            counts=followers.counts(session, here.now() - LATELY),
            tags=followers.tag_counts(session),
            listing=followers.synced(session),
            waiting=followers.waiting_tags(session),
            args=_args(wanted),
            back=request.full_path.rstrip("?"),
        )


def _wanted() -> Wanted:
    """From the address; what makes no sense there counts as not given."""
    given = request.args
    return Wanted(
        text=given.get("q", "").replace("\0", "")[:80],
        tag=given.get("tag", "").replace("\0", "")[:60],
        following=FOLLOWING.get(given.get("following", "")),
        shared=given.get("shared") == "1",
    )


def _args(wanted: Wanted) -> dict[str, str]:
    words = {value: name for name, value in FOLLOWING.items()}
    given = {
        "q": wanted.text,
        "tag": wanted.tag,
        "following": "" if wanted.following is None else words[wanted.following],
        "shared": "1" if wanted.shared else "",
    }
    return {name: value for name, value in given.items() if value}


@blueprint.post("/<user_id>/tags")
@callers.staff("officer", program=False)
def tag(user_id: str) -> Response:
    """Put a tag on a person, or take one; Zalo is told of it later."""
    here, word, taken = api.gate(), request.form.get("tag", ""), request.form.get("act") == "take"
    with database.writing(here.engine) as session:
        if followers.person(session, user_id[:40]) is None:
            abort(404)
        change = followers.take_tag if taken else followers.put_tag
        done = change(session, user_id[:40], word, g.caller, here.now())
    if done:
        flash(_("Đã bỏ nhãn.") if taken else _("Đã gắn nhãn."), "go")
    else:
        flash(_("Không có gì thay đổi: nhãn trống, đã có sẵn hoặc đã đủ số nhãn."), "warn")
    return redirect(_back(), 303)


def _back() -> str:
    """The list as it was, never another site's address."""
    wish = urlsplit(request.form.get("back", ""))
    home = url_for("followers.overview")
    plain = wish.query.isprintable() and "\\" not in wish.query
    return f"{home}?{wish.query}" if wish.path == home and plain and wish.query else home


@blueprint.get("/list.csv")
@callers.staff("officer", program=False)
def download() -> Response:
    """The same list as CSV, phones masked; the mark at its beginning lets spreadsheets read the Vietnamese."""
    here, page, many = api.gate(), io.StringIO(), 0
    rows = csv.writer(page)
    heads = (_("Mã Zalo"), _("Tên"), _("Theo dõi"), _("Nhắn gần nhất"), _("Điện thoại"), _("Nhãn"))
    rows.writerow([delivery.safe(head) for head in heads])
    with database.writing(here.engine) as session:
        for one in followers.everybody(session, _wanted()):
            rows.writerow([delivery.safe(cell) for cell in _cells(one)])
            many += 1
        access.audit(session, here.now(), g.caller, "followers.export", count=many)
    answer = Response("\ufeff" + page.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="nguoi-theo-doi-{here.hub.today()}.csv"'
    return answer


def _cells(one: followers.Entry) -> tuple[str, ...]:
    spoken = dates.moment(one.seen_at) if one.seen_at else ""
    following = _("có") if one.following else _("không")
    return one.id, one.name, following, spoken, one.phone, ", ".join(one.tags)
