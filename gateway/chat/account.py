"""What Zalo tells about the account itself: templates and limits. Events may come in any order."""

from __future__ import annotations

from sqlalchemy.orm import Session

from gateway import alerts, quotas, tables, templates
from gateway.chat import events
from gateway.chat.events import Heard
from gateway.rules import channels
from gateway.rules.settings import Settings


def changed(session: Session, config: Settings, heard: Heard, now: int) -> str:
    """Keep a template's or the account's change; the outcome, "done" or "old" where a newer one is known."""
    if heard.name == "change_oa_daily_quota":
        return _quota(session, heard, now)
    template_id = events.said(heard.raw.get("template_id"), 40)
    what = heard.name.removeprefix("change_template_")
    if not template_id:
        return "kept"
    if not _newest(session, f"template:{template_id}:{what}", heard.order, now):
        return "old"
    row = _template(session, template_id)
    value = events.changed(heard.raw, what)
    if what == "status" and value:
        row.status, row.reason = value[:20], events.said(heard.raw.get("reason"), 200)
        _judge(session, config, row, now)
    elif what == "quality" and value:
        row.quality = value[:12]
    elif what == "quota" and _is_whole(value):
        row.daily_quota = int(value)
    session.flush()
    templates.stale(session, now)
    return "done"


def _template(session: Session, template_id: str) -> tables.ZaloTemplate:
    row = session.get(tables.ZaloTemplate, template_id, with_for_update=True)
    if row is None:  # its details are read when the templates are next fetched
        row = tables.ZaloTemplate(id=template_id, params=[], read_at=0)
        session.add(row)
    return row


def _judge(session: Session, config: Settings, row: tables.ZaloTemplate, now: int) -> None:
    """A template that the configuration counts on and that may not be used is for the officer to know."""
    said = row.reason.replace(" / ", "/")
    state = f"{row.id}: {row.status}{': ' if said else ''}{said}"
    data = {
        "channel": channels.BY_PHONE,
        "id": row.id,
        "status": row.status,
        "problems": [],
        "reason": f"Trạng thái của mẫu {state}. / Status of template {state}.",
    }
    for kind in (kind for kind, template in config.zalo.templates.items() if template.id == row.id):
        key = f"template:{kind}"  # as the reading of templates names it: one thing to know, and one to end
        if row.status == templates.ENABLED:
            alerts.over(session, key, now)
        else:
            alerts.lasting(session, key, "template", {**data, "subject": kind}, now)


def _quota(session: Session, heard: Heard, now: int) -> str:
    value = events.changed(heard.raw, "quota")
    if not _is_whole(value):
        return "kept"
    if not _newest(session, "quota:zalo", heard.order, now):
        return "old"
    quotas.moved(session, channels.BY_PHONE, int(value), now)
    return "done"


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 9


def _newest(session: Session, name: str, order: int, now: int) -> bool:
    """Whether an event is not older than the last one about the same thing; then it is the last one."""
    row = session.get(tables.Fact, f"event:{name}"[:120], with_for_update=True)
    if row is None:
        session.add(tables.Fact(name=f"event:{name}"[:120], value=str(order), at=now))
        return True
    if order < int(row.value or 0):
        return False
    row.value, row.at = str(order), now
    return True
