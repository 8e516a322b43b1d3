"""What is fetched from and brought to the Official Account now and then, beside the messages.

The account itself, templates and what they want, the day's limits, the followers and who they are. One
process does it (of those that know Zalo), one thing at a time; everything may be done again, and what fails
is tried again later without holding up the rest.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine

from gateway import database, followers, quotas, tables, templates, tokens
from gateway.channels import Refused, Unreachable
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
HOUR = 3_600
AGAIN_SECONDS = 120  # after a failure
TAGS_SECONDS = 5
LIST_SECONDS = 60


class Errands:
    """`look(now)` runs what is due; cheap to call every second. For one thread.

    `account` is `channels.zalo.Official`; without one there is nothing to run.
    """

    def __init__(self, engine: Engine, config: Settings, account: Any):
        self._engine, self._config, self._account = engine, config, account
        self._due: dict[str, int] = {}

    def look(self, now: int) -> None:
        """Do what is due at `now`."""
        if self._account is None:
            return
        self._every(HOUR, "account", self._about, now)
        self._every(HOUR, "limits", self._limits, now)
        self._every(TAGS_SECONDS, "templates", self._templates, now)
        self._every(LIST_SECONDS, "followers", self._followers, now)
        self._every(TAGS_SECONDS, "newcomers", self._newcomers, now)
        self._every(TAGS_SECONDS, "tags", self._tags, now)

    def _every(self, seconds: int, name: str, run: Callable[[int], Any], now: int) -> None:
        if (
            0 < self._due.get(name, 0) - now <= max(seconds, AGAIN_SECONDS)
        ):  # a clock set back is no reason to wait
            return
        self._due[name] = now + seconds
        try:
            run(now)
        except (Refused, Unreachable, tokens.NoConsent) as fault:
            self._due[name] = now + AGAIN_SECONDS
            log.info("the Official Account's %s could not be looked at: %s", name, fault)
        except Exception:
            self._due[name] = now + AGAIN_SECONDS
            log.exception("the Official Account's %s could not be looked at", name)

    def _about(self, now: int) -> None:
        known = json.dumps(dict(self._account.about()), ensure_ascii=False).replace("\\u0000", "")
        with database.writing(self._engine) as session:
            session.merge(tables.Fact(name="oa", value=known[:20_000], at=now))

    def _limits(self, now: int) -> None:
        quotas.ask(self._engine, self._account, now)

    def _templates(self, now: int) -> None:
        with database.reading(self._engine) as session:
            due = templates.due(session, self._config, now)
        if due:
            templates.sync(self._engine, self._account, self._config, now)

    def _followers(self, now: int) -> None:
        with database.reading(self._engine) as session:
            due = followers.due(session, self._config, now)
        if due:
            followers.sync(self._engine, self._account, self._config, now, 0)

    def _newcomers(self, now: int) -> None:
        """Who has just written is to have a name when somebody answers."""
        followers.meet(self._engine, self._account, self._config, now)

    def _tags(self, now: int) -> None:
        followers.push_tags(self._engine, self._account, now)
