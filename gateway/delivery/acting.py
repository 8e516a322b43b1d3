"""What a person decided about a notice that did not reach somebody, carried out and written down."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from gateway import access, notices, tables
from gateway.notices.barriers import HELD
from gateway.rules.lifecycle.notice import State
from gateway.rules.settings import Settings

ACTS = ("repeated", "called", "printed", "dropped")


def act(session: Session, how: str, ids: Sequence[str], by: str, config: Settings, now: int) -> int:
    """Do one of ACTS with these notices; how many it changed. Doing it again changes nothing.

    One that is held back is withdrawn first: a person who was called gets no message afterwards.
    """
    done = 0
    for notice_id in sorted(set(ids)):  # in one order, so that two officers do not wait for each other
        if _acted(session, how, notice_id, by, config, now):
            access.audit(session, now, by, f"notice.{how}", notice_id)
            done += 1
    return done


def _acted(session: Session, how: str, notice_id: str, by: str, config: Settings, now: int) -> bool:
    if how == "repeated":
        return notices.repeat(session, notice_id, by, config, now) is not None
    return notices.handle(session, notice_id, how, by, now) or _withdrawn(
        session, how, notice_id, by, config, now
    )


def _withdrawn(session: Session, how: str, notice_id: str, by: str, config: Settings, now: int) -> bool:
    row = session.get(tables.Notice, notice_id, with_for_update=True)
    if row is None or how not in notices.HANDLED:
        return False
    if row.state != State.CREATED or not row.reason.startswith(HELD):
        return False
    reason = "withdrawn" if how == "dropped" else "told_in_person"
    ended = notices.cancel(session, notice_id, now, notices.policy(config), reason)
    if ended is None or ended.state != State.CANCELLED:
        return False
    ended.handled, ended.handled_by = how, by[:80]
    return True


def show_phone(session: Session, notice_id: str, by: str, now: int) -> tables.Notice | None:
    """A notice whose phone somebody wants to see; that they did is written down."""
    row = session.get(tables.Notice, notice_id)
    if row is not None:
        access.audit(session, now, by, "phone.show", row.id)
    return row
