"""The Official Account's tokens: kept in a row, renewed by one caller at a time.

A Zalo refresh token works once and is replaced by each refresh, so two refreshes at once would lose the
consent. Whoever renews takes a short lease on the row, calls Zalo outside any transaction, and commits the
new pair before anybody uses it; the others wait for that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from gateway import access, database, tables

log = logging.getLogger(__name__)
LEASE_SECONDS = 30
EARLY_SECONDS = 5 * 3_600  # a token lives 25 hours; it is renewed at about 20
LOOK_AGAIN_SECONDS = 0.2
KNOWN_SECONDS = 5


class NoConsent(Exception):
    """Nobody has connected the Official Account yet."""


def store(
    session: Session, oa_id: str, access_token: str, refresh_token: str, life: int, now: int, by: str
) -> None:
    """Keep a pair of tokens, e.g. a fresh consent; `life` in seconds."""
    row = session.get(tables.ZaloToken, oa_id, with_for_update=True)
    if row is None:
        row = tables.ZaloToken(oa_id=oa_id, generation=0, previous_refresh_token="", refreshing_until=0)
        session.add(row)
    row.previous_refresh_token = row.refresh_token or ""
    row.access_token, row.refresh_token = access_token, refresh_token
    row.access_until, row.refreshed_at = now + life, now
    row.generation, row.refreshing_until, row.lost_reason = row.generation + 1, 0, ""
    access.audit(session, now, by, "zalo.token", oa_id)


class Tokens:
    """What a Zalo channel asks for its access token. `refresh(refresh_token)` gives (access, refresh, life)."""

    def __init__(
        self,
        engine: Engine,
        oa_id: str,
        refresh: Callable[[str], tuple[str, str, int]],
        now: Callable[[], int],
        pause: Callable[[float], Any] = time.sleep,
    ):
        self._engine, self._oa_id, self._refresh = engine, oa_id, refresh
        self._now, self._pause = now, pause
        self._known: tuple[int, tables.ZaloToken] | None = None
        self._unstored: tuple[int, tuple[str, str, int]] | None = None
        self._turn = threading.Lock()

    def current(self) -> str:
        """The access token, renewed in time; raises NoConsent where there is none.

        Read anew after seconds only: a token that was replaced meanwhile is refused once, and then renewed.
        """
        known = self._known
        if known is not None and 0 <= self._now() - known[0] < KNOWN_SECONDS:
            return known[1].access_token
        row = self._row()
        if row.access_until - self._now() < EARLY_SECONDS and row.refreshing_until <= self._now():
            try:
                return self.renew(row.access_token)
            except Exception:
                if row.access_until <= self._now():
                    raise
                log.warning("the Zalo token could not be renewed early; the one in use still lives")
        elif row.access_until > self._now() + KNOWN_SECONDS:
            self._known = (self._now(), row)
        return row.access_token

    def renew(self, used: str) -> str:
        """A newer access token than `used`; whoever comes second waits for the first one's."""
        self._known = None
        with self._turn:
            self._keep()
        row = self._leased(used)
        while row is None:
            self._pause(LOOK_AGAIN_SECONDS)
            row = self._leased(used)
        if row.access_token != used:
            return row.access_token
        try:
            pair = self._refresh(row.refresh_token)
        except Exception:
            self._unlease()
            raise
        # The old refresh token is used up now: until this pair is in the database it is all we have
        self._unstored = (row.generation, pair)
        self._keep()
        return pair[0]

    def _keep(self) -> None:
        """Store a pair that Zalo gave and the database has not taken yet; in vain, it is tried at the next call."""
        if self._unstored is None:
            return
        generation, (fresh, refresh, life) = self._unstored
        with database.writing(self._engine) as session:
            row = session.get(tables.ZaloToken, self._oa_id, with_for_update=True)
            if row is not None and row.generation == generation:  # else somebody consented anew meanwhile
                store(session, self._oa_id, fresh, refresh, life, self._now(), "gateway")
        self._unstored = None

    def _row(self) -> tables.ZaloToken:
        with database.reading(self._engine) as session:
            row = session.scalar(select(tables.ZaloToken).filter_by(oa_id=self._oa_id))
        if row is None:
            raise NoConsent("the Official Account is not connected")
        return row

    def _leased(self, used: str) -> tables.ZaloToken | None:
        """The row, leased to us or renewed already; None while somebody else renews it."""
        now = self._now()
        with database.writing(self._engine) as session:
            row = session.scalar(select(tables.ZaloToken).filter_by(oa_id=self._oa_id).with_for_update())
            if row is None:
                raise NoConsent("the Official Account is not connected")
            if row.access_token == used:
                if row.refreshing_until > now:
                    return None
                row.refreshing_until = now + LEASE_SECONDS
            return row

    def _unlease(self) -> None:
        with database.writing(self._engine) as session:
            row = session.get(tables.ZaloToken, self._oa_id, with_for_update=True)
            if row is not None:
                row.refreshing_until = 0
