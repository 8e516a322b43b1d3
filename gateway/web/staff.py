"""What staff see: signing in, choosing a counter, the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_login import UserMixin, current_user, login_user, logout_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway.web import api, callers, dates, forms
from gateway.web.app import limiter

blueprint = Blueprint("staff", __name__)


@dataclass(frozen=True, eq=False)
class Account(UserMixin):
    """Who is signed in. `role`: staff, officer or admin."""

    id: int
    name: str
    role: str


@blueprint.route("/staff/login", methods=["GET", "POST"])
@limiter.limit("20/minute", methods=["POST"])
@callers.everybody
def login() -> Response | str | tuple[str, int]:
    """Sign in with name and password; one sentence for every mistake, so that names cannot be tried out."""
    form = forms.LoginForm()
    if request.method == "GET":
        form.name.data = request.args.get("name", "")[:60]
        return render_template("login.html", form=form, mistake="")
    account = _account(form.name.data or "", form.password.data or "")
    if account is None:
        mistake = _("Tên hoặc mật khẩu không đúng.")
        return render_template("login.html", form=form, mistake=mistake), 401
    session.clear()  # what was gathered before signing in is nobody's
    session.permanent = True
    login_user(account)
    return redirect(_inside(request.args.get("next", "")), 303)


def _account(name: str, password: str) -> Account | None:
    here = api.gate()
    with database.reading(here.engine) as look:  # hashing takes long: nobody must wait behind it to write
        found = access.staff_by_password(look, name[:60], password[:200])
    if found is None:
        return None
    with database.writing(here.engine) as work:
        access.audit(work, here.now(), found.name, "staff.login")
        return Account(found.id, found.name, found.role)


def _inside(target: str) -> str:
    """Where to go after signing in: a path of ours, never another site's address."""
    plain = target.isprintable() and "\\" not in target
    if plain and target.startswith("/") and not target.startswith("//"):
        return target
    return url_for("staff.desks")


@blueprint.post("/staff/logout")
@callers.everybody
def logout() -> Response:
    """Sign out; without anybody signed in it changes nothing."""
    logout_user()
    session.clear()
    return redirect(url_for("staff.login"), 303)


@blueprint.get("/staff")
@callers.staff(program=False)
def desks() -> str:
    """Choose a site and a counter."""
    here = api.gate()
    with database.reading(here.engine) as work:
        sites = work.scalars(select(tables.Site).filter_by(active=True).order_by(tables.Site.code)).all()
        shown = [(site, here.hub.snapshot(site.id)) for site in sites]
    return render_template("desks.html", sites=shown)


@blueprint.get("/staff/counter/<int:counter_id>")
@callers.staff(program=False)
def console(counter_id: int) -> str:
    """The console of one counter; its script fills it and keeps it fresh."""
    with database.reading(api.gate().engine) as work:
        counter = work.get(tables.Counter, counter_id)
        if counter is None:
            abort(404)
        site = work.get_one(tables.Site, counter.site_id)
        setting = {
            "counter": counter.id,
            "site": site.code,
            "language": dates.tongue(),
            "words": _words(),
        }
        return render_template(
            "console.html",
            counter=counter,
            site=site,
            setting=setting,
            services=_services(work, site.id),
            neighbours=_neighbours(work, counter),
            who=current_user.name if current_user.is_authenticated else g.caller,
        )


def _services(work: Session, site_id: int) -> list[tables.Service]:
    """The services that some counter of this site serves."""
    served = (
        select(tables.CounterService.service_id)
        .join(tables.Counter, tables.Counter.id == tables.CounterService.counter_id)
        .where(tables.Counter.site_id == site_id)
    )
    wanted = select(tables.Service).filter_by(active=True).where(tables.Service.id.in_(served))
    return list(work.scalars(wanted.order_by(tables.Service.position)))


def _neighbours(work: Session, counter: tables.Counter) -> list[tables.Counter]:
    wanted = select(tables.Counter).filter_by(site_id=counter.site_id).where(tables.Counter.id != counter.id)
    return list(work.scalars(wanted.order_by(tables.Counter.label)))


def _words() -> dict[str, Any]:
    """What the console's script says by itself."""
    return {
        "nobody": _("Chưa gọi ai"),
        "nobody_hint": _("Bấm “Gọi số tiếp” để mời người tiếp theo."),
        "paused_hint": _("Bấm “Mở lại quầy” để gọi tiếp."),
        "empty": _("Không còn ai đang chờ ở quầy này."),
        "called": _("Đang mời"),
        "serving": _("Đang làm thủ tục"),
        "paused": _("Quầy đang tạm nghỉ"),
        "calls": _("Đã gọi {n} lần"),
        "since": _("lúc {time}"),
        "priority": _("Ưu tiên"),
        "booked": _("Hẹn {time}"),
        "walk_in": _("Lấy số tại chỗ"),
        "retrying": _("Mất kết nối. Đang thử lại đúng lần bấm này, không gọi thêm ai…"),
        "unsure": _("Chưa nhận được trả lời. Bấm lại nút đó: người cũ được giữ nguyên, không gọi thêm ai."),
        "offline": _("Mất kết nối. Số liệu có thể đã cũ."),
        "signed_out": _("Phiên làm việc đã hết. Hãy tải lại trang và đăng nhập."),
        "arrived": _("Đã báo có mặt: {number}"),
        "given": _("Đã cấp số {number}. Phía trước: {ahead} người."),
        "pause": _("Tạm nghỉ"),
        "resume": _("Mở lại quầy"),
        "done": {
            "next": _("Đã gọi {number}"),
            "recall": _("Đã gọi lại {number}"),
            "start": _("{number} bắt đầu làm thủ tục"),
            "finish": _("{number} đã xong"),
            "no-show": _("{number} vắng mặt"),
            "transfer": _("Đã chuyển {number}"),
            "pause": _("Quầy tạm nghỉ"),
            "resume": _("Quầy mở lại"),
        },
    }


def state_word(state: str) -> str:
    """A counter's state for a person."""
    return {"open": _("đang mở"), "paused": _("tạm nghỉ"), "closed": _("đóng")}.get(state, state)


blueprint.add_app_template_filter(state_word)
