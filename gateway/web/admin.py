"""What the officer in charge sees: giving the numbers, who was not reached and why, the machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from gateway import access, database, kiosks, registrations, tables
from gateway.notices.barriers import HELD
from gateway.rules import channels, phone
from gateway.rules.lifecycle.notice import FINAL, State
from gateway.web import api, callers, dates

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
NOTICES_SHOWN = 200
LOOK_BACK = 36 * 3_600  # seconds: this evening's notices and what is left of yesterday's
AWAY = 180  # seconds without a word after which a kiosk is thought to be away
NEEDS_A_PERSON = (State.FAILED, State.EXPIRED)


@dataclass(frozen=True)
class Told:
    """A notice as the officer sees it; the phone is masked."""

    id: str
    kind: str
    number: str
    phone: str
    state: str
    reason: str
    at: int
    deadline: int
    needs_a_person: bool


@blueprint.get("")
@callers.staff("officer", program=False)
def overview() -> str:
    """Days and their numbers, notices, kiosks."""
    here = api.gate()
    with database.reading(here.engine) as session:
        since = here.now() - LOOK_BACK
        return render_template(
            "admin.html",
            days=_days(session, here.hub.today()),
            tomorrow=here.hub.today() + timedelta(days=1),
            sites=session.scalars(
                select(tables.Site).filter_by(active=True).order_by(tables.Site.code)
            ).all(),
            counts=_counts(session, since),
            notices=_notices(session, since, request.args.get("state", "")),
            kiosks=kiosks.overview(session),
            now=here.now(),
            away=AWAY,
        )


def _days(session: Session, today: date) -> Sequence:
    """The next shifts with how many people have registered and how many of them have a number."""
    people = (
        select(
            tables.Applicant.shift_id.label("shift_id"),
            func.count().label("registered"),
            func.sum(case((tables.Applicant.state == "numbered", 1), else_=0)).label("numbered"),
        )
        .where(tables.Applicant.state != "cancelled")
        .group_by(tables.Applicant.shift_id)
        .subquery()
    )
    rows = session.execute(
        select(
            tables.Shift,
            tables.Site,
            func.coalesce(people.c.registered, 0).label("registered"),
            func.coalesce(people.c.numbered, 0).label("numbered"),
        )
        .join(tables.Site, tables.Site.id == tables.Shift.site_id)
        .outerjoin(people, people.c.shift_id == tables.Shift.id)
        .where(tables.Shift.day >= today)
        .order_by(tables.Shift.opens_at, tables.Site.code)
        .limit(30)
    )
    return rows.all()


def _counts(session: Session, since: int) -> dict[str, int]:
    counted = select(tables.Notice.state, func.count()).where(
        tables.Notice.created_at >= since, tables.Notice.kind != channels.CHAT
    )
    return dict(session.execute(counted.group_by(tables.Notice.state)).all())


def _notices(session: Session, since: int, state: str) -> list[Told]:
    """Those that need a person first, then the newest."""
    urgency = case((tables.Notice.state.in_(NEEDS_A_PERSON), 0), else_=1)
    wanted = select(tables.Notice).where(
        tables.Notice.created_at >= since, tables.Notice.kind != channels.CHAT
    )
    if state in set(State):
        wanted = wanted.where(tables.Notice.state == state)
    rows = session.scalars(
        wanted.order_by(urgency, tables.Notice.created_at.desc(), tables.Notice.id.desc()).limit(
            NOTICES_SHOWN
        )
    )
    return [_told(row) for row in rows]


def _told(row: tables.Notice) -> Told:
    return Told(
        row.id,
        row.kind,
        str(row.data.get("number", "")),
        phone.masked(row.phone),
        row.state,
        reason_word(row.reason),
        row.changed_at,
        row.deadline,
        row.state in NEEDS_A_PERSON,
    )


@blueprint.post("/numbers")
@callers.staff("officer", program=False)
def give_numbers() -> Response:
    """Give the numbers of a date now; one shift after the other, each whole or not at all."""
    try:
        day = date.fromisoformat(request.form.get("day", ""))
    except ValueError:
        flash(_("Ngày không hợp lệ; chưa có gì thay đổi."), "warn")
        return redirect(url_for("admin.overview"), 303)
    here, site = api.gate(), request.form.get("site") or None
    if day < here.hub.today():
        flash(_("Ngày này đã qua; chưa có gì thay đổi."), "warn")
        return redirect(url_for("admin.overview"), 303)
    with database.reading(here.engine) as session:
        shifts = [shift.id for shift in registrations.shifts_of(session, day, site)]
    given = [_give(shift_id) for shift_id in shifts]
    flash(*_result(day, given))
    return redirect(url_for("admin.overview"), 303)


def _give(shift_id: int) -> registrations.Given:
    here = api.gate()
    with database.writing(here.engine) as session:
        given = registrations.give_numbers(session, shift_id, here.config, here.now())
        access.audit(
            session, here.now(), g.caller, "numbers.give", f"shift:{shift_id}", numbers=given.numbers
        )
    return given


def _result(day: date, given: list[registrations.Given]) -> tuple[str, str]:
    if not given:
        return _("Ngày %(day)s không có buổi làm việc nào.", day=dates.day(day)), "warn"
    told = _(
        "%(day)s: %(shifts)d buổi, đã cấp %(numbers)d số và lập %(notices)d tin báo.",
        day=dates.day(day),
        shifts=len(given),
        numbers=sum(one.numbers for one in given),
        notices=sum(one.notices for one in given),
    )
    return told, "go"


@blueprint.get("/notices/<notice_id>")
@callers.staff("officer", program=False)
def notice(notice_id: str) -> str:
    """One notice with everything that was tried, and why it ended as it did."""
    with database.reading(api.gate().engine) as session:
        row = session.get(tables.Notice, notice_id[:36])
        if row is None:
            abort(404)
        attempts = session.scalars(
            select(tables.Attempt).filter_by(notice_id=row.id).order_by(tables.Attempt.at, tables.Attempt.id)
        ).all()
        ticket = session.get(tables.Ticket, row.ticket_id) if row.ticket_id else None
        return render_template(
            "notice.html",
            row=row,
            told=_told(row),
            attempts=attempts,
            ticket=ticket,
            final=row.state in FINAL,
        )


def kind_word(kind: str) -> str:
    """What a notice is about."""
    words = {
        "appointment": _("Hẹn giờ và số"),
        "changed": _("Đổi lịch"),
        "cancelled": _("Huỷ lịch"),
        "reminder": _("Nhắc hẹn"),
        "near": _("Sắp đến lượt"),
        "called": _("Mời đến quầy"),
        "missed": _("Vắng mặt"),
        "ready": _("Giấy tờ đã có"),
        "round": _("Đội lưu động"),
        "alert": _("Báo cho cán bộ"),
    }
    return words.get(kind, kind)


def notice_word(state: str) -> str:
    """Where a notice stands."""
    words = {
        "created": _("chờ gửi"),
        "sending": _("đang gửi"),
        "sent": _("đã gửi, chờ báo nhận"),
        "unknown": _("chưa rõ kết quả"),
        "delivered": _("đã nhận"),
        "failed": _("không gửi được"),
        "cancelled": _("đã huỷ"),
        "expired": _("quá hạn"),
    }
    return words.get(state, state)


def attempt_word(state: str) -> str:
    """How a try ended."""
    words = {
        "handing_over": _("đang chuyển"),
        "accepted": _("đã nhận gửi, chờ báo nhận"),
        "refused": _("bị từ chối"),
        "unreached": _("không kết nối được"),
        "unknown": _("chưa rõ kết quả"),
        "postponed": _("hoãn đến giờ cho phép"),
        "skipped": _("bỏ qua kênh này"),
        "delivered": _("đã đến máy"),
        "undelivered": _("không đến máy"),
    }
    return words.get(state, state)


def reason_word(reason: str) -> str:
    """A reason code as a sentence; of a channel's own words ("vi / en") the reader's half."""
    words = {
        "deadline": _("Quá hạn trước khi gửi được."),
        "no_receipt": _("Không có báo nhận."),
        "worker_lost": _("Máy dừng giữa lúc gửi; không rõ đã đến chưa."),
        "withdrawn": _("Đã rút lại."),
        "ticket_cancelled": _("Người này đã huỷ số."),
        "arrived_late": _("Đến muộn, sau khi đã kết thúc."),
        "quiet_hours": _("Đang là giờ nghỉ đêm."),
        "no_template": _("Kênh này chưa có mẫu cho loại tin này."),
        "lane_stuck": _("Không có ai gửi qua kênh này kịp lúc."),
        "suppressed": _("Số này đang tạm không gửi qua kênh này."),
        "no_channel": _("Không còn kênh nào để gửi."),
        "told_in_person": _("Cán bộ đã báo trực tiếp."),
    }
    reason = reason.removeprefix(HELD)
    if reason in words:
        return words[reason]
    vietnamese, slash, english = reason.partition(" / ")
    return english if slash and dates.tongue() == "en" else vietnamese


for _shown in (kind_word, notice_word, attempt_word, reason_word):
    blueprint.add_app_template_filter(_shown)
