"""A link to the form that knows to which Zalo user it was given.

It holds a signed random word and nothing else; the row that it names says whose it is and until when. It may
be opened often, and one registration uses it up.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import itsdangerous
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from gateway import config as configuration
from gateway import tables
from gateway.rules.settings import Settings

LASTING = 24 * 3_600
FRESH = 12 * 3_600  # one with so much time left is given again: a person who asks ten times has one link
LONGEST = 200
SALT = "zalo-link"


@dataclass(frozen=True)
class Opened:
    """A link as it stands: "good", "used", "old" or "unknown"; of a good one the name and phone to begin with."""

    state: str
    name: str = ""
    phone: str = ""


def link(session: Session, config: Settings, user_id: str, language: str, now: int) -> str:
    """The address of the form for this person."""
    mine = select(tables.ZaloLink).filter_by(user_id=user_id, language=language, used_at=None)
    row = session.scalar(mine.where(tables.ZaloLink.until > now + FRESH).limit(1))
    if row is None:
        row = tables.ZaloLink(
            id=secrets.token_urlsafe(24),
            user_id=user_id,
            language=language,
            made_at=now,
            until=now + LASTING,
        )
        session.add(row)
        session.flush()
    address = f"{config.web.base_url}/dang-ky?t={_signer(config).dumps(row.id)}"
    return f"{address}&lang=en" if language == "en" else address


def _signer(config: Settings) -> itsdangerous.URLSafeSerializer:
    # Its time stands in the row, where a test's clock and a withdrawal reach it; the signature spares the look-up
    return itsdangerous.URLSafeSerializer(configuration.own_secret(config, "web.secret_key"), salt=SALT)


def opened(session: Session, config: Settings, token: str, now: int) -> Opened:
    """What a link is good for; opening it changes nothing."""
    row = _row(session, config, token)
    if row is None:
        return Opened("unknown")
    if row.used_at is not None:
        return Opened("used")
    user = session.get(tables.ZaloUser, row.user_id)
    if user is None or now >= row.until:
        return Opened("old")
    return Opened("good", user.name, user.phone or "")


def _row(session: Session, config: Settings, token: str, locked: bool = False) -> tables.ZaloLink | None:
    if len(token) > LONGEST:
        return None
    try:
        nonce = _signer(config).loads(token)
    except itsdangerous.BadData:
        return None
    if not isinstance(nonce, str):
        return None
    return session.get(tables.ZaloLink, nonce, with_for_update=locked, populate_existing=True)


def held(session: Session, config: Settings, token: str, now: int) -> tables.ZaloLink | str:
    """The link of a good token with its person locked, before anything else is; or why it is not good.

    Whoever comes with the same link at the same moment waits here, and then finds it used.
    """
    row = _row(session, config, token)
    if row is None:
        return "unknown"
    user = session.get(tables.ZaloUser, row.user_id, with_for_update={"key_share": True})
    row = _row(session, config, token, locked=True)
    if row is not None and row.used_at is not None:
        return "used"
    return row if row is not None and user is not None and now < row.until else "old"


def spend(session: Session, row: tables.ZaloLink, registration: tables.Registration, now: int) -> bool:
    """Use a link up for a registration; False if another one was first."""
    once = update(tables.ZaloLink).where(tables.ZaloLink.id == row.id, tables.ZaloLink.used_at.is_(None))
    changed = once.values(used_at=now, registration_id=registration.id).returning(tables.ZaloLink.id)
    return session.execute(changed.execution_options(synchronize_session=False)).first() is not None


def made_with(session: Session, config: Settings, token: str) -> tables.Registration | None:
    """The registration that a link was used for."""
    row = _row(session, config, token)
    if row is None or row.registration_id is None:
        return None
    return session.get(tables.Registration, row.registration_id)
