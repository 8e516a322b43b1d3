"""Who may come in: staff passwords, programs' keys, kiosks' codes and keys.

Keys are 32 random bytes, so a plain SHA-256 of them is enough to keep; passwords are hashed with Argon2id.
"""

from __future__ import annotations

import functools
import hashlib
import secrets

import argon2
from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.rules import numbers

ROLES = ("staff", "officer", "admin")
SCOPES = ("notices", "staff", "admin")
CODE_SECONDS = 24 * 3_600
_hasher = argon2.PasswordHasher()


@functools.cache
def _nobody() -> str:
    """A hash to compare with where a name does not exist, so that the answer takes as long."""
    return _hasher.hash(secrets.token_hex())


class Taken(Exception):
    """The name exists already."""


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def add_staff(session: Session, name: str, role: str, now: int, password: str | None = None) -> str:
    """Add a person; the password to give them, shown once."""
    if session.scalar(select(tables.Staff).filter_by(name=name)):
        raise Taken(name)
    password = password or secrets.token_urlsafe(9)
    session.add(tables.Staff(name=name, role=role, password_hash=_hasher.hash(password), created_at=now))
    audit(session, now, "operator", "staff.add", name)
    return password


def staff_by_password(session: Session, name: str, password: str) -> tables.Staff | None:
    """The person with this name and password, in the same time whether or not the name exists."""
    found = session.scalar(select(tables.Staff).filter_by(name=name, active=True))
    try:
        _hasher.verify(found.password_hash if found else _nobody(), password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return None
    return found


def add_api_key(session: Session, name: str, scope: str, now: int) -> str:
    """Add a program; its key, shown once."""
    if session.scalar(select(tables.ApiKey).filter_by(name=name)):
        raise Taken(name)
    key = f"gk_{secrets.token_urlsafe(32)}"
    session.add(tables.ApiKey(name=name, scope=scope, key_hash=hashed(key), created_at=now))
    audit(session, now, "operator", "apikey.add", name)
    return key


def api_key(session: Session, key: str) -> tables.ApiKey | None:
    return session.scalar(select(tables.ApiKey).filter_by(key_hash=hashed(key), revoked_at=None))


def add_kiosk(session: Session, name: str, site_code: str, now: int) -> str | None:
    """Add a kiosk, or give a known one a new code; its one-time enrolment code. None: no such site or letter."""
    site = session.scalar(select(tables.Site).filter_by(code=site_code))
    if site is None:
        return None
    kiosk = session.scalar(select(tables.Kiosk).filter_by(name=name))
    if kiosk is None:
        used = set(session.scalars(select(tables.Kiosk.series).filter_by(site_id=site.id)))
        letter = next((letter for letter in numbers.KIOSK_SERIES if letter not in used), None)
        if letter is None:
            return None
        kiosk = tables.Kiosk(name=name, site_id=site.id, series=letter)
        session.add(kiosk)
    code = "-".join(f"{secrets.randbelow(10_000):04d}" for _ in range(3))
    kiosk.code_hash, kiosk.code_until = hashed(code), now + CODE_SECONDS
    audit(session, now, "operator", "kiosk.add", name)
    return code


def enrol(session: Session, code: str, now: int) -> tuple[tables.Kiosk, str] | None:
    """Trade a one-time code for a kiosk's key; None when the code is wrong, used or old."""
    kiosk = session.scalar(select(tables.Kiosk).filter_by(code_hash=hashed(code.strip())).with_for_update())
    if kiosk is None or kiosk.code_until is None or now > kiosk.code_until:
        return None
    key = f"kk_{secrets.token_urlsafe(32)}"
    kiosk.key_hash, kiosk.code_hash, kiosk.code_until = hashed(key), None, None
    audit(session, now, kiosk.name, "kiosk.enrol", kiosk.name)
    return kiosk, key


def kiosk_by_key(session: Session, key: str) -> tables.Kiosk | None:
    return session.scalar(select(tables.Kiosk).filter_by(key_hash=hashed(key)))


def audit(session: Session, now: int, actor: str, action: str, subject: str = "", **data: object) -> None:
    """Write down who did what; `subject` names a row, never a person's details."""
    session.add(tables.Audit(at=now, actor=actor, action=action, subject=subject[:80], data=data))
