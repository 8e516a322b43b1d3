"""Which Zalo user a phone number belongs to, and who has spoken to the page lately."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.rules import channels, windows

if TYPE_CHECKING:
    from gateway.notices.planning import Planned

_u = tables.ZaloUser.__table__.c
# One parameter instead of thousands: a batch of 10,000 takes two thirds of the time
_BY_PHONE = "SELECT phone, id, seen_at FROM zalo_users WHERE phone IN (SELECT {})"
_BY_PHONE_SQLITE = text(_BY_PHONE.format("value FROM json_each(:phones)"))
_BY_PHONE_JSON = text(_BY_PHONE.format("jsonb_array_elements_text(CAST(:phones AS jsonb))"))
_SEEN = select(_u.id, _u.seen_at).where(_u.id.in_(bindparam("ids", expanding=True)))
CLAIMED = "claimed"
"""The mark in a notice's data that its Zalo user is only who shared the phone: a number that somebody typed proves
nothing, so they are told by Zalo user, and get no link by which something could be changed."""
_fitting = lru_cache(maxsize=256)(channels.fitting)  # a batch has a handful of sorts
MOST = 5_000  # in one question: databases bound the parameters of a statement


def addressed(
    session: Session, planned: Sequence[Planned], rungs: Sequence[str], now: int, by_shared_phone: bool = True
) -> list[tuple[Planned, tuple[str, ...]]]:
    """Each with its Zalo user, where their phone's owner has shared it, and the rungs that can reach them."""
    if not channels.TO_A_USER.intersection(rungs):
        return [(one, _routed(one, tuple(rungs), rungs)) for one in planned]
    strangers = {one.phone for one in planned if one.phone and not one.zalo_user_id}
    owners, seen = _owners(session, strangers) if by_shared_phone and strangers else ({}, {})
    found = [_owned(one, owners.get(one.phone)) if not one.zalo_user_id else one for one in planned]
    seen |= _seen(session, {one.zalo_user_id for one in planned if one.zalo_user_id})
    return [(one, _reaching(one, rungs, seen.get(one.zalo_user_id, 0), now)) for one in found]


def _owned(one: Planned, owner: str | None) -> Planned:
    return replace(one, zalo_user_id=owner, data={**one.data, CLAIMED: True}) if owner else one


def _reaching(one: Planned, rungs: Sequence[str], seen_at: int, now: int) -> tuple[str, ...]:
    """A free text may still be possible in the window; to the second that is looked at again when it is sent."""
    state = windows.window(seen_at, now).state if seen_at > 0 else "shut"
    chatting = state == "free" or (state == "paid" and not one.at_once)
    who = "phone" if one.phone else "", "user" if one.zalo_user_id else None
    return _routed(one, _fitting(tuple(rungs), one.kind, *who, chatting, one.at_once), rungs)


def _routed(one: Planned, fit: tuple[str, ...], rungs: Sequence[str]) -> tuple[str, ...]:
    return (
        channels.routed(fit, one.phone, rungs.sms)
        if isinstance(rungs, channels.Ladder) and one.phone
        else fit
    )


def _owners(session: Session, phones: Collection[str]) -> tuple[dict[str, str], dict[str | None, int]]:
    """Phone → the Zalo user who shared it, and when those users spoke last.

    A phone that two of them claim goes by phone: one of them typed somebody else's number.
    """
    asked = _BY_PHONE_JSON if database.on_postgresql(session) else _BY_PHONE_SQLITE
    rows = session.connection().execute(asked, {"phones": json.dumps(sorted(phones))}).all()
    claims = Counter(row.phone for row in rows)
    owners = {row.phone: row.id for row in rows if claims[row.phone] == 1}
    return owners, {row.id: row.seen_at for row in rows}


def _seen(session: Session, ids: Collection[str]) -> dict[str | None, int]:
    found: dict[str | None, int] = {}
    for some in _portions(ids):
        found |= {row.id: row.seen_at for row in session.connection().execute(_SEEN, {"ids": some})}
    return found


def _portions(names: Collection[str]) -> list[list[str]]:
    ordered = sorted(names)
    return [ordered[at : at + MOST] for at in range(0, len(ordered), MOST)]


def disown(row: tables.Notice) -> None:
    """The Zalo user who had shared its phone is gone: whatever is still to be tried is tried by phone."""
    rungs = row.ladder.split(",")
    tried = row.rung if row.state == "created" else row.rung + 1
    left = [name for name in rungs[tried:] if name not in channels.TO_A_USER]
    row.zalo_user_id = None
    if row.state == "created" and left and left[0] != row.channel:
        row.channel, row.tries = left[0], 0
    if left or row.state != "created":
        row.ladder = ",".join([*rungs[:tried], *left])


def silent(session: Session, ids: Collection[str], since: int) -> set[str]:
    """Of these Zalo users those who have said nothing since a moment."""
    seen = _seen(session, ids)
    return {one for one in ids if seen.get(one, 0) <= since}
