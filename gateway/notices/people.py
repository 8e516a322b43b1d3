"""Which Zalo user a phone number belongs to, and who has spoken to the page lately."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules import channels, windows

if TYPE_CHECKING:
    from gateway.notices.planning import Planned

_u = tables.ZaloUser.__table__.c
_BY_PHONE = (
    select(_u.phone, _u.id, _u.seen_at)
    .where(_u.phone.in_(bindparam("phones", expanding=True)))
    .order_by(_u.phone_at, _u.id)
)
_SEEN = select(_u.id, _u.seen_at).where(_u.id.in_(bindparam("ids", expanding=True)))
MOST = 5_000  # in one question: databases bound the parameters of a statement


def addressed(
    session: Session, planned: Sequence[Planned], rungs: Sequence[str], now: int
) -> list[tuple[Planned, tuple[str, ...]]]:
    """Each with its Zalo user, where their phone's owner has shared it, and the rungs that can reach them."""
    if not channels.TO_A_USER.intersection(rungs):
        return [(one, tuple(rungs)) for one in planned]
    owners = _owners(session, {one.phone for one in planned if one.phone and not one.zalo_user_id})
    found = [
        replace(one, zalo_user_id=owners.get(one.phone)) if not one.zalo_user_id else one for one in planned
    ]
    ids = {one.zalo_user_id for one in found if one.zalo_user_id}
    seen = _seen(session, ids)
    return [
        (one, channels.fitting(rungs, one.kind, one.zalo_user_id, _lately(seen.get(one.zalo_user_id, 0), now)))
        for one in found
    ]


def _lately(seen_at: int, now: int) -> bool:
    """Whether a free text may still be possible; to the second it is looked at again when it is sent."""
    return windows.window(seen_at, now).state != "shut"


def _owners(session: Session, phones: Collection[str]) -> dict[str, str]:
    """Phone → the Zalo user who shared it last."""
    found: dict[str, str] = {}
    for some in _portions(phones):
        found |= {row.phone: row.id for row in session.connection().execute(_BY_PHONE, {"phones": some})}
    return found


def _seen(session: Session, ids: Collection[str]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for some in _portions(ids):
        found |= {row.id: row.seen_at for row in session.connection().execute(_SEEN, {"ids": some})}
    return found


def _portions(names: Collection[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[at : at + MOST] for at in range(0, len(ordered), MOST)]


def silent(session: Session, ids: Collection[str], since: int) -> set[str]:
    """Of these Zalo users those who have said nothing since a moment."""
    seen = _seen(session, ids)
    return {one for one in ids if seen.get(one, 0) <= since}
