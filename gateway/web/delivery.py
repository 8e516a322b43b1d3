"""The officer's delivery page: has everybody been reached, who has not and why, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta

from flask import Blueprint, Response, abort, flash, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import access, database, delivery, tables
from gateway.rules import hours
from gateway.web import api, callers, dates, problems

blueprint = Blueprint("delivery", __name__, url_prefix="/admin/delivery")
KINDS = (
    "appointment",
    "changed",
    "cancelled",
    "reminder",
    "near",
    "called",
    "missed",
    "ready",
    "round",
    "alert",
)
DAYS_BACK = (1, 3, 7, 30)
AT_ONCE = 50  # notices a transaction: the engine writes in between
MOST_CHOSEN = 1_000
ROWS_A_STATEMENT = 500
FIRST_YEAR, LAST_YEAR = 2000, 2100
BAR = 1_000  # the bar's width in its own units


@dataclass(frozen=True)
class Chosen:
    """What the page is about: a day, a kind ("" for all), a site."""

    day: date
    kind: str
    site: tables.Site | None

    @property
    def site_id(self) -> int | None:
        return self.site.id if self.site else None

    @property
    def args(self) -> dict[str, str]:
        return {
            "day": self.day.isoformat(),
            "kind": self.kind or "all",
            "site": self.site.code if self.site else "",
        }


@blueprint.get("")
@callers.staff("officer", program=False)
def overview() -> str:
    """A day's notices, who needs a person, how the channels are, what it cost."""
    here = api.gate()
    with database.reading(here.engine) as session:
        chosen = _chosen(session)
        return render_template(
            "delivery.html",
            tab="overview",
            chosen=chosen,
            sites=_sites(session),
            kinds=KINDS,
            live=_live(session, chosen),
            needing=delivery.needing(
                session, here.config, here.now(), chosen.site_id, request.args.get("after", "")
            ),
            held=delivery.held(session, here.config, here.now(), chosen.site_id),
            past=delivery.past(session, here.now(), chosen.site_id),
            health=delivery.channel_health(session, here.config, here.now()),
            costs=delivery.daily(session, chosen.day, here.config.station.zone),
            back=_own_path(),
        )


@blueprint.get("/progress")
@callers.staff("officer", program=False)
def progress() -> Response:
    """What the page's script draws every two seconds."""
    with database.reading(api.gate().engine) as session:
        return jsonify(_live(session, _chosen(session)))


def _chosen(session: Session) -> Chosen:
    """From the address; what is no day, kind or site there counts as not given."""
    day = dated(request.args.get("day", "")) or api.gate().hub.today()
    kind = request.args.get("kind", "appointment")
    kind = kind if kind in KINDS else "" if kind == "all" else "appointment"
    return Chosen(day, kind, _site(session))


def dated(text: str) -> date | None:
    """A day in an address; None if it is none, or one on which no notice can have been made."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


def _site(session: Session) -> tables.Site | None:
    return session.scalar(select(tables.Site).filter_by(code=request.values.get("site", "")[:20]))


def _sites(session: Session) -> Sequence[tables.Site]:
    return session.scalars(select(tables.Site).filter_by(active=True).order_by(tables.Site.code)).all()


def _live(session: Session, chosen: Chosen) -> dict[str, object]:
    here, zone = api.gate(), api.gate().config.station.zone
    since = hours.at(chosen.day, time(), zone)
    until = hours.at(chosen.day + timedelta(days=1), time(), zone)
    wanted = delivery.Wanted(since, until, chosen.kind, chosen.site_id)
    found = delivery.progress(session, wanted, here.config, here.now())
    needing = delivery.needing(session, here.config, here.now(), chosen.site_id, most=1).count
    return drawn(found, here.now()) | {"needing": needing}


def drawn(found: delivery.Progress, now: int) -> dict[str, object]:
    """A progress in the words and measures of the bar that shows it."""
    return {
        "parts": _parts(found),
        "total": found.total,
        "finished": found.finished,
        "headline": _headline(found),
        "expected": _expected(found, now),
        "aside": _aside(found),
        "needing": 0,
        "at": dates.clock(now),
    }


def _parts(found: delivery.Progress) -> list[dict[str, object]]:
    """The bar's parts, left to right, each with where it begins and how wide it is."""
    words = {
        "reached": _("Đã nhận"),
        "told": _("Cán bộ đã báo"),
        "under_way": _("Đang gửi, chờ báo nhận"),
        "waiting": _("Chờ gửi"),
        "lost": _("Chưa đến được"),
    }
    drawn, before = [], 0
    for name, word in words.items():
        count = getattr(found, name)
        start = BAR * before // max(1, found.total)
        before += count
        width = BAR * before // max(1, found.total) - start
        drawn.append({"name": name, "word": word, "count": count, "start": start, "width": width})
    return drawn


def _headline(found: delivery.Progress) -> str:
    if not found.total:
        return _("Chưa có tin nào.")
    if found.reached + found.told == found.total:
        return ngettext("Đã báo xong %(num)d người.", "Đã báo xong %(num)d người.", found.total)
    told = found.reached + found.told
    sentence = _("Đã báo được %(told)d trên %(total)d người.", told=told, total=found.total)
    return f"{sentence} {_('Chỉ đếm đến giới hạn này.')}" if found.more else sentence


def _expected(found: delivery.Progress, now: int) -> str:
    """When it will be over, as far as anybody can tell."""
    if found.finished:
        return _("Không còn tin nào đang gửi.") if found.total else ""
    if found.held and found.held == found.waiting:
        return _("Tin còn lại đang bị giữ vì kênh gửi từ chối; xem bên dưới.")
    if found.resumes_at is not None:
        return _("Gửi tiếp lúc %(time)s.", time=dates.moment(found.resumes_at))
    if found.sent_by is not None:
        return _("Gửi xong khoảng %(time)s.", time=dates.clock(found.sent_by))
    if found.waiting:
        return _("Chưa ước tính được giờ gửi xong.")
    latest = max(now, found.answered_by or now)
    return _("Đã gửi hết; chờ báo nhận chậm nhất đến %(time)s.", time=dates.clock(latest))


def _aside(found: delivery.Progress) -> str:
    said = []
    if found.set_aside:
        said.append(_("%(count)d tin đã rút lại hoặc bỏ qua, không tính ở trên.", count=found.set_aside))
    if found.twice:
        said.append(_("%(count)d người nhận được hai lần.", count=found.twice))
    return " ".join(said)


@blueprint.get("/lost")
@callers.staff("officer", program=False)
def lost() -> str:
    """Everything that failed or expired in the last days."""
    here = api.gate()
    days = request.args.get("days", 7, int)
    days = days if days in DAYS_BACK else 7
    kind = request.args.get("kind", "")
    kind, open_only = kind if kind in KINDS else "", request.args.get("open") == "1"
    with database.reading(here.engine) as session:
        site = _site(session)
        found = delivery.lost(
            session, here.config, here.now(), days, site.id if site else None, kind, open_only,
            request.args.get("after", ""),
        )  # fmt: skip
        return render_template(
            "delivery_lost.html",
            tab="lost",
            page=found,
            days=days,
            choices=DAYS_BACK,
            kind=kind,
            kinds=KINDS,
            site=site,
            sites=_sites(session),
            open_only=open_only,
            back=_own_path(),
        )


@blueprint.post("/confirm")
@callers.staff("officer", program=False)
def confirm() -> Response | str:
    """Say what is about to happen, before anything does."""
    here = api.gate()
    how, ids = _asked()
    with database.reading(here.engine) as session:
        if request.form.get("all"):
            days, site = request.form.get("days", 7, int), _site(session)
            kind = request.form.get("kind", "")
            ids = delivery.repeatable(
                session,
                here.config,
                here.now(),
                days if days in DAYS_BACK else 7,
                site.id if site else None,
                kind,
            )
        chosen = delivery.these(session, here.config, ids, here.now())
    if not chosen or how not in delivery.ACTS:
        flash(_("Chưa chọn ai; chưa có gì thay đổi."), "warn")
        return redirect(_back(), 303)
    able = [one for one in chosen if _may(how, one)]
    return render_template(
        "delivery_confirm.html", tab="", how=how, able=able, unable=len(chosen) - len(able), back=_back()
    )


def _asked() -> tuple[str, list[str]]:
    """(what to do, with which notices): a row's own button names both at once, "called:n_…"."""
    how, colon, notice_id = request.form.get("one", "").partition(":")
    if colon:
        return how, [notice_id[:36]]
    ids = [one[:36] for one in request.form.getlist("notice")[:MOST_CHOSEN]]
    return request.form.get("act", ""), list(dict.fromkeys(ids))


def _may(how: str, one: delivery.Entry) -> bool:
    """Whether an act would change this one."""
    if how == "repeated":
        return one.repeatable
    return one.held or (one.state in ("failed", "expired") and not one.handled)


@blueprint.post("/act")
@callers.staff("officer", program=False)
def act() -> Response:
    """Do what was confirmed. The second press finds nothing left to do."""
    here = api.gate()
    how, ids = _asked()
    if how not in delivery.ACTS:
        abort(400)
    done = 0
    for some in _portions(ids, AT_ONCE):
        with database.writing(here.engine) as session:
            done += delivery.act(session, how, some, g.caller, here.config, here.now())
    flash(*_result(how, done, len(ids) - done))
    return redirect(_back(), 303)


def _portions(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _result(how: str, done: int, left: int) -> tuple[str, str]:
    told: dict[str, Callable[[], str]] = {
        "repeated": lambda: ngettext("Đã gửi lại %(num)d tin.", "Đã gửi lại %(num)d tin.", done),
        "called": lambda: ngettext(
            "Đã ghi nhận báo qua điện thoại cho %(num)d người.",
            "Đã ghi nhận báo qua điện thoại cho %(num)d người.",
            done,
        ),
        "printed": lambda: ngettext(
            "Đã ghi nhận in danh sách cho %(num)d người.", "Đã ghi nhận in danh sách cho %(num)d người.", done
        ),
        "dropped": lambda: ngettext("Đã bỏ qua %(num)d tin.", "Đã bỏ qua %(num)d tin.", done),
    }
    said = [told[how]()] if done else []
    if left:
        said.append(
            ngettext(
                "%(num)d tin không còn gì để làm (đã xử lý trước đó hoặc đã quá giờ).",
                "%(num)d tin không còn gì để làm (đã xử lý trước đó hoặc đã quá giờ).",
                left,
            )
        )
    return " ".join(said) or _("Chưa chọn ai; chưa có gì thay đổi."), "go" if done else "warn"


@blueprint.post("/phone")
@callers.staff("officer", program=False)
def phone() -> Response | str:
    """The full phone of one person, to call them; who looked is written down."""
    here = api.gate()
    with database.writing(here.engine) as session:
        row = delivery.show_phone(session, request.form.get("who", "")[:36], g.caller, here.now())
        if row is None:
            abort(404)
        one, number = delivery.entry(row, here.config, here.now()), row.phone
    if problems.wants_json():
        return jsonify({"phone": number, "shown": national(number)})
    return render_template("delivery_phone.html", tab="", one=one, number=number, back=_back())


@blueprint.post("/print")
@callers.staff("officer", program=False)
def paper() -> Response | str:
    """A list on paper with names and phones, for whoever calls or knocks; who printed it is written down."""
    here = api.gate()
    _how, ids = _asked()
    with database.writing(here.engine) as session:
        rows = [
            row
            for row in _rows(session, ids)
            if _may("printed", delivery.entry(row, here.config, here.now()))
        ]
        access.audit(
            session, here.now(), g.caller, "notices.print", count=len(rows), ids=[row.id for row in rows]
        )
    if not rows:
        flash(_("Chưa chọn ai; chưa có gì thay đổi."), "warn")
        return redirect(_back(), 303)
    people = sorted(rows, key=lambda row: (delivery.appointed(row.data) or row.deadline, row.id))
    return render_template(
        "delivery_print.html",
        people=[(row, delivery.appointed(row.data)) for row in people],
        printed_at=here.now(),
        who=g.caller,
        back=_back(),
    )


def _rows(session: Session, ids: Sequence[str]) -> list[tables.Notice]:
    return [
        row
        for some in _portions(ids, ROWS_A_STATEMENT)
        for row in session.scalars(select(tables.Notice).where(tables.Notice.id.in_(some)))
    ]


def national(number: str) -> str:
    """A phone as people read it aloud: "0905 123 456"."""
    plain = "0" + number.removeprefix("+84") if number.startswith("+84") else number
    return f"{plain[:4]} {plain[4:7]} {plain[7:]}" if len(plain) == 10 else plain


def _own_path() -> str:
    return request.full_path.rstrip("?")


def _back() -> str:
    """Where to go afterwards: a page of the officer's, never another site's address."""
    wish = request.form.get("back", "")
    plain = wish.isprintable() and "\\" not in wish
    return wish if plain and (wish + "/").startswith(("/admin/", "/admin?")) else url_for("delivery.overview")


def handled_word(how: str) -> str:
    """What a person did about one that did not arrive."""
    words = {
        "repeated": _("đã gửi lại"),
        "called": _("đã báo qua điện thoại"),
        "printed": _("đã in danh sách"),
        "dropped": _("đã bỏ qua"),
    }
    return words.get(how, how)


for _shown in (handled_word, national):
    blueprint.add_app_template_filter(_shown)
