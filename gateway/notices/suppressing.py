"""Phones that are not worth a try on a channel until a day: not on Zalo, opted out, blocked."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import access, database, tables
from gateway.rules import channels

_c = tables.Suppression.__table__.c
_SUPPRESSED = select(_c.phone, _c.reason).where(
    _c.channel.in_(bindparam("channels", expanding=True)),
    _c.until > bindparam("now"),
    _c.phone.in_(bindparam("phones", expanding=True)),
)


def suppress(
    session: Session, channel: str, phone: str, until: int, code: str, reason: str, by: str, now: int
) -> None:
    """Spare a phone on a channel until a moment; a longer rest that is known already stays."""
    dialect = postgresql if database.on_postgresql(session) else sqlite
    given = {
        "channel": channel,
        "phone": phone,
        "until": until,
        "code": code,
        "reason": reason,
        "by": by,
        "at": now,
    }
    insert = dialect.insert(tables.Suppression.__table__).values(given)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["channel", "phone"],
            set_={name: insert.excluded[name] for name in ("until", "code", "reason", "by", "at")},
            where=_c.until < insert.excluded.until,
        )
    )


def lift(session: Session, channel: str, phone: str, by: str, now: int) -> bool:
    """Try a phone on a channel again from now on; False if it was not spared."""
    lifted = session.execute(delete(tables.Suppression).filter_by(channel=channel, phone=phone)).rowcount > 0
    if lifted:
        access.audit(session, now, by, "suppression.lift", channel)
    return lifted


def suppressed(session: Session, channel: str, phones: Collection[str], now: int) -> dict[str, str]:
    """Of these phones those that a channel spares, with the reason; who wants no text messages, any of their lanes."""
    if not phones:
        return {}
    here = [channel, channels.TEXTS] if channels.is_text(channel) else [channel]
    given = {"channels": here, "now": now, "phones": list(phones)}
    return dict(session.connection().execute(_SUPPRESSED, given).all())


def expire(session: Session, now: int) -> int:
    """Forget the phones whose time is over."""
    return session.execute(delete(tables.Suppression).where(_c.until <= now)).rowcount
