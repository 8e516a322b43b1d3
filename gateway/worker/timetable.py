"""What the hour asks for: tomorrow's numbers, erasing what is over, telling the officer's phones.

Every step may be done again by anybody at any time; that one process leads only saves the others the work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Engine, or_, select

from gateway import (
    alerts,
    consent,
    database,
    inbox,
    lanes,
    modems,
    notices,
    quotas,
    registrations,
    retention,
    tables,
)
from gateway.notices import suppressing
from gateway.rules import channels, hours
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
LOOK_SECONDS = 20
ADOPT_SECONDS = 600
STUCK_SECONDS = 600
TOLD_WITHIN = 3_600  # an older alert is on the page, and no news any more
GONE_SECONDS = 86_400  # a workplace that was not seen for so long is forgotten


class Timetable:
    """`look(now)` does what is due; cheap to call often."""

    def __init__(self, engine: Engine, config: Settings):
        self._engine, self._config = engine, config
        self._at = self._adopt_at = 0
        self._purged: date | None = None

    def look(self, now: int) -> None:
        if 0 < self._at - now <= LOOK_SECONDS:  # a clock that was set back is no reason to wait
            return
        self._at = now + LOOK_SECONDS
        self._tried("purge", self._purge, now)
        self._tried("channels that are gone", self._adopt, now)
        self._tried("notices that stand still", self._pass_by, now)
        self._tried("lanes that stand still", self._look_at_lanes, now)
        self._tried("the day's limits", self._look_at_limits, now)
        self._tried("the consent", self._look_at_consent, now)
        self._tried("answers that did not arrive", self._look_at_answers, now)
        self._tried("the modems", self._look_at_modems, now)
        self._tried("alerts by phone", self._tell_alerts, now)
        for shift_id in self._shifts_to_number(now):
            self._tried(f"numbers of shift {shift_id}", self._number, shift_id, now)

    def _tried(self, what: str, step: Callable[..., None], *about: Any) -> None:
        """One step that fails must not keep the others from being done."""
        try:
            step(*about)
        except Exception:
            log.exception("the timetable's %s failed; it is tried again", what)

    def _number(self, shift_id: int, now: int) -> None:
        with database.writing(self._engine) as session:
            given = registrations.give_numbers(session, shift_id, self._config, now)
        log.info("shift %s: %s numbers given, %s notices planned", shift_id, given.numbers, given.notices)

    def _purge(self, now: int) -> None:
        """Once a day, and at every start: personal data has its time and is then gone."""
        today = hours.day_of(now, self._config.station.zone)
        if today != self._purged:
            with database.writing(self._engine) as session:
                erased = retention.purge(session, self._config, now)
                suppressing.expire(session, now)
                alerts.expire(session, now)
                _forget_workplaces(session, now)
                modems.forget_gone(session, self._config, now)
            self._purged = today
            log.info("personal data erased: %s", erased)

    def _adopt(self, now: int) -> None:
        """A changed configuration may leave notices on a channel that nobody sends on any more."""
        if now < self._adopt_at:
            return
        ladder, policy = notices.ladder(self._config), notices.policy(self._config)
        moved = self._config.notices.batch
        while moved == self._config.notices.batch:
            with database.writing(self._engine) as session:
                batch, used = self._config.notices.batch, channels.used(self._config)
                moved = notices.adopt(session, ladder, batch, now, policy, used)
        self._adopt_at = now + ADOPT_SECONDS

    def _pass_by(self, now: int) -> None:
        """What nobody takes on its channel goes on to the next in time."""
        with database.writing(self._engine) as session:
            policy, ladder = notices.policy(self._config), notices.ladder(self._config)
            moved = notices.pass_by(session, ladder, self._config.notices.batch, now, policy)
        if moved:
            log.warning("%s notices found nobody who sends on their channel and went on to the next", moved)

    def _look_at_lanes(self, now: int) -> None:
        """A lane in which something has been due for minutes has nobody who sends, or not enough of them."""
        with database.reading(self._engine) as session:
            seen = lanes.overview(session, self._config, now)
        for one in seen:
            key = f"stuck:{one.way.channel}"
            late = one.oldest_due is not None and now - one.oldest_due > STUCK_SECONDS
            with database.writing(self._engine) as session:
                if late:
                    data = {"channel": one.way.channel, "waiting": one.waiting, "since": one.oldest_due}
                    alerts.raised(session, key, "stuck", data, now)
                else:
                    alerts.over(session, key, now)

    def _look_at_limits(self, now: int) -> None:
        """Whether this evening's notices fit into what Zalo lets us send today."""
        with database.writing(self._engine) as session:
            quotas.look(session, self._config, now)

    def _look_at_consent(self, now: int) -> None:
        """Whether the Official Account must be connected anew before long."""
        with database.writing(self._engine) as session:
            consent.look(session, self._config, now)

    def _look_at_answers(self, now: int) -> None:
        """A citizen whom staff answered and Zalo did not reach waits again: no list of notices shows that."""
        with database.writing(self._engine) as session:
            inbox.look(session, now)

    def _look_at_modems(self, now: int) -> None:
        """A modem that has been away for minutes, also where the process that had it is gone."""
        with database.writing(self._engine) as session:
            modems.look(session, self._config, now)

    def _tell_alerts(self, now: int) -> None:
        """Each open alert once to each phone that `[alerts]` names."""
        phones = self._config.alerts.phones
        if not phones:
            return
        lasting = self._config.notices.deadlines.other
        with database.writing(self._engine) as session:
            fresh = [one for one in alerts.open_ones(session) if one.opened_at > now - TOLD_WITHIN]
            planned = [
                notices.Planned(
                    key=f"alert:{one.id}:{place}",
                    kind="alert",
                    phone=phone,
                    data={"what": one.kind, "channel": one.data.get("channel", "")},
                    due=now,
                    deadline=now + lasting,
                )
                for one in fresh
                for place, phone in enumerate(phones)
            ]
            if planned:
                notices.plan_all(session, planned, notices.ladder(self._config), now)

    def _shifts_to_number(self, now: int) -> list[int]:
        """Tomorrow's shifts from the afternoon's hour on, today's that a stop of ours left without, and any
        in which somebody still waits for a number."""
        zone = self._config.station.zone
        today = hours.day_of(now, zone)
        late = now >= hours.at(today, self._config.timetable.number_at, zone)
        last = today + timedelta(days=1) if late else today
        without = select(tables.Applicant.id).where(
            tables.Applicant.shift_id == tables.Shift.id, tables.Applicant.state == "registered"
        )
        wanted = select(tables.Shift.id).where(
            or_(tables.Shift.numbered_at.is_(None), without.exists()),
            tables.Shift.state == "open",
            tables.Shift.day >= today,
            tables.Shift.day <= last,
            tables.Shift.closes_at > now,
        )
        with database.reading(self._engine) as session:
            return list(session.scalars(wanted))


def _forget_workplaces(session: Any, now: int) -> None:
    for row in session.scalars(select(tables.Workplace).where(tables.Workplace.seen_at < now - GONE_SECONDS)):
        session.delete(row)
