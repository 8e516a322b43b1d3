"""What this process hears from Zalo: which way of signing holds, whether forgeries come, when the last event was.

It is kept in memory and written down beside the answers, by a thread of its own: at most once a minute, or when
something changed. No answer waits for it, and no forgery makes it write more than one alert.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from gateway import alerts, database, storage, tables

log = logging.getLogger(__name__)
VARIANT, HEARD = "zalo.variant", "zalo.heard"
ALERT = "webhook:zalo"
MOST_FORGED = 3  # in a row; more may mean that a secret was changed, and Zalo gives a webhook up in the end
EVERY_SECONDS = 60
_c = tables.Fact.__table__.c


@dataclass(frozen=True)
class Heard:
    """`variant`: the way of signing that held last; `event` and `at`: the last genuine one; `forged`: in a row."""

    variant: str = ""
    event: str = ""
    at: int = 0
    forged: int = 0

    @property
    def wrong(self) -> bool:
        return self.forged > MOST_FORGED

    @property
    def empty(self) -> bool:
        return not self.variant and not self.wrong


class Hearing:
    """`genuine` and `forged` may be called from any thread; `now()` gives whole seconds."""

    def __init__(self, engine: Engine, now: Callable[[], int]):
        self._engine, self._now = engine, now
        self._turn = threading.Lock()
        self._heard = Heard()
        self._written = Heard()
        self._tried_at: int | None = None
        self._failed = False
        self._writing = False

    @property
    def pinned(self) -> str:
        """The way of signing that held last; empty before the first."""
        return self._heard.variant

    @property
    def writing(self) -> bool:
        """Whether something is being written down."""
        return self._writing

    def genuine(self, variant: str, event: str) -> None:
        """An event came that is Zalo's, signed in this way."""
        now = self._now()
        with self._turn:
            before, self._heard = self._heard, Heard(variant, event, max(now, self._heard.at))
        if variant != before.variant:
            log.warning("Zalo signs its events as %s (before: %s)", variant, before.variant or "not known")
        self._begin(now)

    def forged(self) -> int:
        """An event came that is not Zalo's; how many such in a row."""
        now = self._now()
        with self._turn:
            self._heard = replace(self._heard, forged=self._heard.forged + 1)
            count = self._heard.forged
        self._begin(now)
        return count

    def _begin(self, now: int) -> None:
        with self._turn:
            if self._writing or not self._is_due(now):
                return
            self._writing, self._tried_at = True, now
        try:
            threading.Thread(target=self._write, name="hearing", daemon=True).start()
        except RuntimeError:  # no thread to be had: the next event tries again
            self._writing = False

    def _is_due(self, now: int) -> bool:
        """At once where something changed, but a storage that fails is not asked again at once."""
        if self._heard.empty or self._heard == self._written:
            return False
        fresh = self._tried_at is not None and 0 <= now - self._tried_at < EVERY_SECONDS
        return not fresh or (self._changed() and not self._failed)

    def _changed(self) -> bool:
        return (self._heard.variant, self._heard.wrong) != (self._written.variant, self._written.wrong)

    def _write(self) -> None:
        """Write down what is known, and once more if it changed meanwhile."""
        while True:
            heard = self._heard
            failed = not self._written_down(heard)
            with self._turn:
                self._failed = failed
                if not failed:
                    self._written = heard
                if failed or not self._changed():
                    self._writing = False
                    return

    def _written_down(self, heard: Heard) -> bool:
        try:
            with database.writing(self._engine) as session:
                self._tell(session, heard)
        except Exception as fault:
            log.warning("what was heard from Zalo is not written down yet: %s", storage.in_short(fault))
            return False
        return True

    def _tell(self, session: Session, heard: Heard) -> None:
        if heard.variant:
            _remember(session, {VARIANT: heard.variant, HEARD: heard.event}, heard.at)
        if heard.wrong:
            alerts.raised(session, ALERT, "webhook", {"channel": "zalo", "forged": heard.forged}, self._now())
        else:
            alerts.over(session, ALERT, self._now())


def _remember(session: Session, facts: Mapping[str, str], at: int) -> None:
    dialect = postgresql if database.on_postgresql(session) else sqlite
    insert = dialect.insert(tables.Fact.__table__)
    upsert = insert.on_conflict_do_update(
        index_elements=["name"],
        set_={"value": insert.excluded.value, "at": insert.excluded.at},
        where=_c.at <= insert.excluded.at,
    )
    # One by one in one order: two processes never wait in a circle
    rows = [{"name": name, "value": facts[name], "at": at} for name in sorted(facts)]
    for row in rows:
        session.execute(upsert, row)
