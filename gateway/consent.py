"""Letting our app speak for the Official Account: how it is begun, finished, and watched.

`per_request`: Zalo brings our unguessable `state` back, and the verifier of that one consent goes with its
code. `console`: Zalo's console holds one fixed challenge and makes the link itself; it may bring no `state`
back, so somebody signed in must have begun it a moment ago. A consent that was begun can be used once.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from gateway import access, alerts, safe, tables, tokens
from gateway import config as configuration
from gateway.rules import hashes, permission
from gateway.rules.settings import Settings

OPEN_SECONDS = 600  # as long as Zalo's code lives
KEPT_SECONDS = 86_400
SOON_SECONDS = 80 * 86_400
LIFE_SECONDS = 90 * 86_400  # of a refresh token: three months
REMIND_SECONDS = 6 * 3_600
CALLBACK = "/zalo/callback"
VERIFIER = "zalo.pkce_verifier"


class Unset(Exception):
    """The console's link is not in the configuration."""


class Refused(Exception):
    """Zalo gives no tokens for this code."""

    def __init__(self, code: str, reason: str):
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


class Away(Exception):
    """Zalo cannot be asked for tokens just now."""


class WrongAccount(Exception):
    """The consent was given for another Official Account, whose id is the text."""


class State(Enum):
    """How the connection stands."""

    NEVER = "never"  # nobody has connected it yet
    LOST = "lost"  # Zalo takes our tokens no more
    UNREADABLE = "unreadable"  # they were sealed with another key
    SOON = "soon"  # well, but nothing was renewed for so long that it ends soon
    EXPIRED = "expired"  # the access token is over; the next message renews it, or shows that it cannot
    CONNECTED = "connected"


@dataclass(frozen=True)
class Standing:
    """`renew_by`: when the refresh token dies unless it is used before."""

    state: State
    refreshed_at: int | None = None
    access_until: int | None = None
    renew_by: int | None = None
    reason: str = ""

    @property
    def well(self) -> bool:
        return self.state in (State.CONNECTED, State.EXPIRED)

    @property
    def needs_consent(self) -> bool:
        return not self.well


def begin(session: Session, config: Settings, by: str, now: int) -> str:
    """The link for an administrator of the Official Account; good for ten minutes. Raises `Unset`."""
    session.execute(delete(tables.ZaloConsent).where(tables.ZaloConsent.made_at < now - KEPT_SECONDS))
    state, console = secrets.token_urlsafe(32), config.zalo.pkce_mode == "console"
    if console and not config.zalo.consent_link:
        raise Unset("[zalo] consent_link")
    verifier = fixed_verifier(config) if console else hashes.pkce_verifier(os.urandom(32))
    session.add(tables.ZaloConsent(state=state, verifier=verifier, made_at=now, made_by=by[:80]))
    access.audit(session, now, by, "zalo.consent.begin", config.zalo.oa_id)
    if console:
        return config.zalo.consent_link
    own, challenge = config.zalo, hashes.pkce_challenge(verifier)
    return permission.link(own.oauth_base, own.app_id, callback_url(config), challenge, state)


def callback_url(config: Settings) -> str:
    """Where Zalo sends the administrator back to; the console must have the same."""
    return config.web.base_url + CALLBACK


def fixed_verifier(config: Settings) -> str:
    """Console mode's verifier: ours alone, made the first time."""
    return configuration.own_secret(config, VERIFIER)


def fixed_challenge(config: Settings) -> str:
    """What is pasted into "Code Challenge" in Zalo's console."""
    return hashes.pkce_challenge(fixed_verifier(config))


def take(session: Session, state: str, now: int) -> tables.ZaloConsent | None:
    """The begun consent with this state, used up by this; None when it is none, used or too old."""
    return _taken(session, tables.ZaloConsent.state == state, now)


def take_latest(session: Session, now: int) -> tables.ZaloConsent | None:
    """Where Zalo brings no state back: the consent that was begun last, used up by this."""
    latest = select(tables.ZaloConsent.state).where(*_open(now)).order_by(tables.ZaloConsent.made_at.desc())
    return _taken(session, tables.ZaloConsent.state == latest.limit(1).scalar_subquery(), now)


def _open(now: int) -> tuple:
    return (
        tables.ZaloConsent.used_at.is_(None),
        tables.ZaloConsent.made_at > now - OPEN_SECONDS,
        tables.ZaloConsent.made_at <= now,
    )


def _taken(session: Session, which: object, now: int) -> tables.ZaloConsent | None:
    """One UPDATE, so that of two callbacks with the same state one gets it."""
    used = update(tables.ZaloConsent).where(which, *_open(now)).values(used_at=now)
    return session.scalar(used.returning(tables.ZaloConsent).execution_options(synchronize_session=False))


def put_back(session: Session, state: str) -> None:
    """Zalo could not be asked: the same page loaded again may finish what was begun."""
    again = update(tables.ZaloConsent).where(tables.ZaloConsent.state == state).values(used_at=None)
    session.execute(again.execution_options(synchronize_session=False))


def finish(session: Session, config: Settings, pair: tuple[str, str, int], by: str, now: int) -> None:
    """Keep what Zalo gave: (access, refresh, life in seconds). Everything that was lost is found again."""
    fresh, refresh, life = pair
    tokens.store(session, config.zalo.oa_id, fresh, refresh, life, now, by, safe=safe.of(config))


def standing(session: Session, config: Settings, now: int) -> Standing:
    """How the connection stands now."""
    row = session.get(tables.ZaloToken, config.zalo.oa_id)
    if row is None:
        return Standing(State.NEVER)
    state, reason = _state(row, config, now)
    renew_by = row.refreshed_at + LIFE_SECONDS
    return Standing(state, row.refreshed_at, row.access_until, renew_by, reason)


def _state(row: tables.ZaloToken, config: Settings, now: int) -> tuple[State, str]:
    if row.lost_reason:
        return State.LOST, row.lost_reason
    try:
        box = safe.of(config)
        box.open(row.access_token), box.open(row.refresh_token)
    except safe.WrongKey as fault:
        return State.UNREADABLE, str(fault)
    if now - row.refreshed_at > SOON_SECONDS:
        return State.SOON, ""
    return (State.EXPIRED if row.access_until <= now else State.CONNECTED), ""


def look(session: Session, config: Settings, now: int) -> None:
    """Tell the officer in time that a person must consent anew; cheap to call often."""
    found = standing(session, config, now)
    if found.state is State.NEVER:
        return
    lost = found.state in (State.LOST, State.UNREADABLE)
    oa_id = config.zalo.oa_id
    about = {"channel": "zalo", "reason": found.reason, "until": found.renew_by}
    _told(session, alerts.CONSENT, "consent" if lost else None, about, now)
    soon = "consent_soon" if found.state is State.SOON else None
    _told(session, tokens.soon_key(oa_id), soon, about, now)


def _told(session: Session, key: str, kind: str | None, about: dict, now: int) -> None:
    """An alert of this kind, or none; its row is touched a few times a day only."""
    opened = session.scalar(select(tables.Alert).filter_by(key=key, closed_at=None))
    if kind is None:
        if opened is not None and "code" not in opened.data:  # what a refusal raised ends with the refusal
            alerts.over(session, key, now)
    elif opened is None or not 0 <= now - opened.seen_at < REMIND_SECONDS:
        alerts.raised(session, key, kind, about, now)
