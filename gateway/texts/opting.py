"""Who wants no text messages any more, and who wants them again. What they ask themselves is still answered."""

from __future__ import annotations

from sqlalchemy.orm import Session

from gateway import access, notices, tables
from gateway.rules import channels, phone

CODE = "stopped"
BY = "sms"
LASTING = 10 * 366 * 86_400
REASON = "Người nhận đã nhắn STOP. / The owner of the number texted STOP."


def stopped(session: Session, e164: str, now: int) -> bool:
    """Whether the owner of a phone has asked for no text messages."""
    row = session.get(tables.Suppression, (channels.TEXTS, e164), populate_existing=True)
    return row is not None and row.until > now


def stop(session: Session, e164: str, now: int) -> bool:
    """Send no more notices to this phone by text message; False if that was so already."""
    if stopped(session, e164, now):
        return False
    notices.suppress(session, channels.TEXTS, e164, now + LASTING, CODE, REASON, BY, now)
    access.audit(session, now, BY, "sms.stop", phone.masked(e164))
    return True


def start(session: Session, e164: str, now: int) -> bool:
    """Send them again; False if nothing stood in the way."""
    return notices.lift(session, channels.TEXTS, e164, BY, now)
