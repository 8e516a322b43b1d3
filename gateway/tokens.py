"""The Official Account's tokens: sealed in a row, renewed by one caller at a time, lost by no crash but one.

A Zalo refresh token works once and is replaced by each refresh, so two refreshes at once, or one whose answer
is forgotten, would lose the consent. Whoever renews takes a short lease on the row and calls Zalo outside any
transaction; the others wait. The answer goes into a spool file first (fsync), then into the database, and
only then into use; whoever comes next takes it from the spool where the commit did not happen.

What remains: a process that dies between Zalo's sending of the answer and the end of that fsync. Zalo has
then spent the old token and nobody knows the new one, and a person must consent again. So it is with an
answer that never arrives. These cannot be told from an answer that was never made, so the old token is tried
again, and the grant counts as lost only when it was refused twice, `AGAIN_SECONDS` apart.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from gateway import access, alerts, database, tables
from gateway.safe import Safe, Spool, Spooled, WrongKey, is_sealed

log = logging.getLogger(__name__)
LEASE_SECONDS = 30
EARLY_SECONDS = 5 * 3_600  # a token lives 25 hours; it is renewed at about 20
LOOK_AGAIN_SECONDS = 0.2
KNOWN_SECONDS = 5
AGAIN_SECONDS = 60
REST_SECONDS = (5, 15, 60)  # between two refreshes that failed, so that nobody hammers at Zalo
COLUMNS = ("access_token", "refresh_token", "previous_refresh_token")
NO_CONSENT = "no_consent"  # how the breakers of channels that found none are marked
GRANT_CODES = (NO_CONSENT, "-124", "-216", "-220", "-222", "-223", "452")  # what a new consent may make well
RENEWED = "gateway"  # who stores a pair that was renewed and not consented


class NoConsent(Exception):
    """Nobody has connected the Official Account yet, or Zalo takes its tokens no more."""


class Rejected(Exception):
    """Raised by `refresh`: Zalo says no to this refresh token."""

    def __init__(self, code: str, reason: str):
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


class NotNow(Exception):
    """The access token cannot be renewed for the moment; also raised by `refresh`, where Zalo is away."""


@dataclass(frozen=True)
class Grant:
    """The row with its tokens opened."""

    access: str
    refresh: str
    access_until: int
    generation: int
    refreshing_until: int
    lost_reason: str


def soon_key(oa_id: str) -> str:
    """Under which the officer is told that the consent runs out soon."""
    return f"consent_soon:{oa_id}"


def store(
    session: Session,
    oa_id: str,
    access_token: str,
    refresh_token: str,
    life: int,
    now: int,
    by: str,
    *,
    safe: Safe,
) -> None:
    """Keep a pair of tokens, e.g. a fresh consent; `life` in seconds. What was lost before is found again."""
    row = session.get(tables.ZaloToken, oa_id, with_for_update=True)
    if row is None:
        row = tables.ZaloToken(oa_id=oa_id, generation=0, previous_refresh_token="", refreshing_until=0)
        session.add(row)
    before, consented = row.refresh_token or "", by != RENEWED
    healed = consented or bool(row.lost_reason)
    row.previous_refresh_token = before if not before or is_sealed(before) else safe.seal(before)
    row.access_token, row.refresh_token = safe.seal(access_token), safe.seal(refresh_token)
    row.access_until, row.refreshed_at = now + life, now
    row.generation, row.refreshing_until, row.refused_at, row.lost_reason = row.generation + 1, 0, 0, ""
    for key in (alerts.CONSENT, soon_key(oa_id)) if healed else (soon_key(oa_id),):
        alerts.over(session, key, now)
    _try_channels_again(session, GRANT_CODES if consented else (NO_CONSENT,), now)
    access.audit(session, now, by, "zalo.token", oa_id)


def _try_channels_again(session: Session, codes: Sequence[str], now: int) -> None:
    """What was shut for want of a consent is tried at once, and not in a quarter of an hour."""
    shut = update(tables.Breaker).where(
        tables.Breaker.code.in_(codes), tables.Breaker.state == "open", tables.Breaker.probe_at > now
    )
    session.execute(shut.values(probe_at=now).execution_options(synchronize_session=False))


class Tokens:
    """What a Zalo channel asks for its access token. `refresh(refresh_token)` gives (access, refresh, life).

    `refresh` raises Rejected or NotNow; anything else it raises comes out of here as it is. `lease`: seconds
    after which whoever renews is taken for dead; longer than `refresh` can take.
    """

    def __init__(
        self,
        engine: Engine,
        oa_id: str,
        refresh: Callable[[str], tuple[str, str, int]],
        now: Callable[[], int],
        pause: Callable[[float], Any] = time.sleep,
        *,
        safe: Safe,
        spool: Spool,
        lease: int = LEASE_SECONDS,
    ):
        self._engine, self._oa_id, self._refresh = engine, oa_id, refresh
        self._now, self._pause = now, pause
        self._safe, self._spool, self._lease = safe, spool, lease
        self._known: tuple[int, Grant] | None = None
        self._unstored: tuple[Grant, Spooled] | None = None
        self._failures, self._failed_at = 0, 0
        self._started = False
        self._turn = threading.Lock()

    def current(self) -> str:
        """The access token, renewed in time; raises NoConsent where there is none, NotNow where Zalo is away.

        Read anew after seconds only: a token that was replaced meanwhile is refused once, and then renewed.
        """
        now, known = self._now(), self._known
        if known is not None and 0 <= now - known[0] < KNOWN_SECONDS:
            return known[1].access
        grant = self._started_grant()
        lives = grant.access_until > now
        if grant.access_until - now >= EARLY_SECONDS or (lives and grant.lost_reason):
            return self._remembered(grant, now)
        if lives and (grant.refreshing_until > now or self._turn.locked()):
            return grant.access
        try:
            return self.renew(grant.access)
        except Exception as fault:
            if not lives:
                raise
            log.warning("the Zalo token could not be renewed early (%s); the one in use still lives", fault)
            return self._remembered(grant, now)

    def _remembered(self, grant: Grant, now: int) -> str:
        if grant.access_until > now + KNOWN_SECONDS:
            self._known = (now, grant)
        return grant.access

    def renew(self, used: str) -> str:
        """A newer access token than `used`; whoever comes second waits for the first one's."""
        self._known = None
        with self._turn:
            self._keep()
            grant = self._leased(used)
            while grant is None:
                self._pause(LOOK_AGAIN_SECONDS)
                grant = self._leased(used)
            return grant.access if grant.access != used else self._refreshed(grant)

    def _refreshed(self, grant: Grant) -> str:
        """Spend the refresh token that we hold the lease of."""
        try:
            pair = self._refresh(grant.refresh)
        except Rejected as fault:
            return self._rejected(grant, fault)
        except BaseException:
            self._failures, self._failed_at = self._failures + 1, self._now()
            self._unlease(grant)
            raise
        # The old refresh token is used up now: until this pair is in the database it is all we have
        self._failures = 0
        self._unstored = (grant, Spooled(*pair, at=self._now()))
        self._spool_it()
        return self._keep() or pair[0]

    def _spool_it(self) -> None:
        grant, pair = self._unstored
        try:
            self._spool.write(grant.generation, grant.refresh, pair)
        except OSError as fault:
            log.error("the new Zalo tokens could not be spooled (%s); they go to the database at once", fault)

    def _keep(self) -> str | None:
        """Store a pair that Zalo gave and the database has not taken yet; the access token in use then.

        In vain, it is tried at the next call.
        """
        if self._unstored is None:
            return None
        grant, pair = self._unstored
        with database.writing(self._engine) as session:
            row = session.get(tables.ZaloToken, self._oa_id, with_for_update=True)
            if row is not None and row.generation == grant.generation:  # else somebody consented anew
                self._store(session, pair)
            kept = self._opened(row).access if row is not None else None
        self._unstored = None
        self._spool.drop(grant.generation)
        return kept

    def _store(self, session: Session, pair: Spooled) -> None:
        store(session, self._oa_id, pair.access, pair.refresh, pair.life, pair.at, RENEWED, safe=self._safe)

    def _rejected(self, grant: Grant, fault: Rejected) -> str:
        """Refused once may be Zalo's mood; refused again a minute later, a person must consent again."""
        now = self._now()
        with database.writing(self._engine) as session:
            row = self._locked(session)
            if row.generation != grant.generation:
                return self._opened(row).access  # somebody consented, or found the spool
            row.refreshing_until = 0
            if not row.refused_at or now < row.refused_at:
                row.refused_at = now
            lost = now - row.refused_at >= AGAIN_SECONDS
            if lost:
                row.lost_reason = _lost(fault)
                data = {"channel": "zalo", "code": fault.code[:40], "reason": row.lost_reason}
                alerts.raised(session, alerts.CONSENT, "consent", data, now)
        if lost:
            log.error("Zalo refused the refresh token twice (%s): somebody must consent again", fault.code)
            raise NoConsent(_lost(fault)) from fault
        raise NotNow(_waiting(fault.code)) from fault

    def _started_grant(self) -> Grant:
        """The row as it is; the first time, and while the grant is lost, what a crash left over is taken in."""
        with database.reading(self._engine) as session:
            row = session.scalar(select(tables.ZaloToken).filter_by(oa_id=self._oa_id))
            grant = self._opened(row)
        left_over = grant.lost_reason and self._spool.read(grant.generation, grant.refresh)
        if self._started and not left_over:
            return self._unless_lost(grant)
        with database.writing(self._engine) as session:
            row, grant, found = self._recovered(session)
            _seal(row, self._safe)
        if found:
            self._spool.drop(grant.generation - 1)
        self._started = True
        return self._unless_lost(grant)

    def _unless_lost(self, grant: Grant) -> Grant:
        if grant.lost_reason and grant.access_until <= self._now():
            raise NoConsent(grant.lost_reason)
        return grant

    def _recovered(self, session: Session) -> tuple[tables.ZaloToken, Grant, bool]:
        """The locked row, and whether a spooled pair has gone into it; its file goes after the commit."""
        row = self._locked(session)
        grant = self._opened(row)
        pair = self._spool.read(grant.generation, grant.refresh)
        if pair is None:
            return row, grant, False
        log.warning("the Zalo tokens of a process that died were found in the spool")
        self._store(session, pair)
        return row, self._opened(row), True

    def _leased(self, used: str) -> Grant | None:
        """The grant, leased to us or renewed already; None while somebody else renews it."""
        now = self._now()
        with database.writing(self._engine) as session:
            row, grant, found = self._recovered(session)
            mine = grant.access == used
            # A lease of a clock that is ahead of ours counts; one of a clock that was set back since does not
            if mine and now < row.refreshing_until <= now + 2 * self._lease:
                return None
            if mine:
                self._may_try(row, now)
                row.refreshing_until = now + self._lease
        if found:
            self._spool.drop(grant.generation - 1)
        return grant

    def _may_try(self, row: tables.ZaloToken, now: int) -> None:
        """Raises while a refresh would be in vain, or would be hammering."""
        if row.lost_reason:
            raise NoConsent(row.lost_reason)
        if row.refused_at and 0 <= now - row.refused_at < AGAIN_SECONDS:
            raise NotNow(_waiting(""))
        if self._failures:
            rest = REST_SECONDS[min(self._failures, len(REST_SECONDS)) - 1]
            if 0 <= now - self._failed_at < rest:
                raise NotNow("Zalo chưa cấp được mã mới / Zalo has given no new token just now")

    def _locked(self, session: Session) -> tables.ZaloToken:
        row = session.get(tables.ZaloToken, self._oa_id, with_for_update=True)
        return row if row is not None else _nobody()

    def _opened(self, row: tables.ZaloToken | None) -> Grant:
        row = row if row is not None else _nobody()
        try:
            tokens = self._safe.open(row.access_token), self._safe.open(row.refresh_token)
        except WrongKey as fault:
            raise NoConsent(str(fault)) from fault
        return Grant(*tokens, row.access_until, row.generation, row.refreshing_until, row.lost_reason)

    def _unlease(self, grant: Grant) -> None:
        with database.writing(self._engine) as session:
            row = session.get(tables.ZaloToken, self._oa_id, with_for_update=True)
            if row is not None and row.generation == grant.generation:
                row.refreshing_until = 0


def _nobody() -> Any:
    raise NoConsent("OA chưa được kết nối / the Official Account is not connected")


def _seal(row: tables.ZaloToken, safe: Safe) -> None:
    """What an older version kept in clear is sealed as soon as it is read."""
    for name in COLUMNS:
        text = getattr(row, name)
        if text and not is_sealed(text):
            setattr(row, name, safe.seal(text))


def _lost(fault: Rejected) -> str:
    return (
        f"Zalo không nhận mã làm mới nữa ({fault.code[:40]}); cần cấp quyền lại / "
        f"Zalo takes the refresh token no more ({fault.code[:40]}); consent is needed again"
    )


def _waiting(code: str) -> str:
    shown = f" ({code[:40]})" if code else ""
    return f"Zalo từ chối mã làm mới{shown}, sẽ thử lại / Zalo refused the refresh token{shown}; it is tried again"
