"""What the tables can tell Prometheus, counted when it is asked, so nothing can drift from them.

Each question goes to an index over the few rows that it is about: what is open, not what ever was. It costs
the same with a thousand rows as with a million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session

from gateway import balances, database, modems, storage, tables
from gateway.rules import channels, hours
from gateway.rules.settings import Settings

ALIVE_SECONDS = 60  # a workplace says every 10 s that it lives
_n = tables.Notice.__table__.c
# The states as the partial indexes name them, not as parameters: else SQLite would read the whole table
_CREATED = (
    select(_n.channel, _n.urgent, func.count(), func.min(_n.due))
    .where(text("state = 'created'"))
    .group_by(_n.channel, _n.urgent)
)
_UNDER_WAY = (
    select(_n.channel, _n.state, _n.urgent, func.count())
    .where(text("state IN ('sending', 'sent', 'unknown')"))
    .group_by(_n.channel, _n.state, _n.urgent)
)
_RECEIPTS = select(func.count()).select_from(tables.Receipt).where(tables.Receipt.done_at.is_(None))
_BREAKERS = (
    select(tables.Breaker.channel, func.count())
    .where(tables.Breaker.state != "closed")
    .group_by(tables.Breaker.channel)
)
_ALERTS = (
    select(tables.Alert.kind, func.count())
    .where(tables.Alert.closed_at.is_(None))
    .group_by(tables.Alert.kind)
)
_HOOKS = select(func.count()).select_from(tables.HookEvent).where(text("state = 'waiting'"))
_PAUSED = select(tables.Lane.channel).where(tables.Lane.paused)


class Counts(Collector):
    """A collector for one scrape, at the moment `now`. With the database away it says that and nothing more."""

    def __init__(self, engine: Engine, config: Settings, now: int):
        self._engine, self._config, self._now = engine, config, now

    def collect(self) -> Iterator[Metric]:
        try:
            with database.reading(self._engine) as session:
                found = [*self._lanes(session), *self._rest(session), self._tickets(session)]
                found += [*self._modems(session), self._balances(session)]
        except Exception as fault:
            if not storage.is_away(fault):
                raise
            found = []
        up = "whether the database answered this scrape"
        yield GaugeMetricFamily("gateway_database_up", up, 1 if found else 0)
        yield from found

    def _lanes(self, session: Session) -> Iterator[Metric]:
        """How deep each lane's queue is, and how old its oldest notice that is due."""
        names = channels.used(self._config)
        depth = GaugeMetricFamily(
            "gateway_notices", "notices that have not ended", labels=["channel", "state", "urgent"]
        )
        oldest = dict.fromkeys(names, 0)
        created = {(channel, urgent): 0 for channel in names for urgent in (False, True)}
        for channel, urgent, count, due in session.execute(_CREATED):
            created[channel, urgent] = count
            oldest[channel] = max(oldest.get(channel, 0), self._now - due)
        for (channel, urgent), count in created.items():
            depth.add_metric([channel, "created", _yes(urgent)], count)
        for channel, state, urgent, count in session.execute(_UNDER_WAY):
            depth.add_metric([channel, state, _yes(urgent)], count)
        yield depth
        yield _family("gateway_oldest_due_seconds", "age of the oldest due notice", "channel", oldest.items())
        paused = set(session.scalars(_PAUSED))
        stopped = [(channel, int(channel in paused)) for channel in names]
        yield _family("gateway_lane_paused", "lanes that somebody stopped", "channel", stopped)

    def _rest(self, session: Session) -> Iterator[Metric]:
        breakers, alerts = session.execute(_BREAKERS).all(), session.execute(_ALERTS).all()
        yield _family("gateway_breakers_open", "what a channel cannot do for now", "channel", breakers)
        yield _family("gateway_alerts_open", "alerts that last", "kind", alerts)
        alive = select(func.count()).select_from(tables.Workplace)
        alive = alive.where(tables.Workplace.seen_at >= self._now - ALIVE_SECONDS)
        spared = select(func.count()).select_from(tables.Suppression)
        spared = spared.where(tables.Suppression.until > self._now)
        for name, meaning, question in (
            ("gateway_receipts_waiting", "receipts not settled yet", _RECEIPTS),
            ("gateway_hook_events_waiting", "events that a hook was not told yet", _HOOKS),
            ("gateway_workplaces_alive", "processes that send", alive),
            ("gateway_suppressions", "phones that are spared on a channel", spared),
        ):
            yield GaugeMetricFamily(name, meaning, session.scalar(question))

    def _modems(self, session: Session) -> Iterator[Metric]:
        """Each modem of the configuration; what is not known now is left out."""
        found = modems.seen(session, self._config, self._now)
        state = GaugeMetricFamily(
            "gateway_modem_state", "1 for what a modem is now", labels=["channel", "state"]
        )
        for one in found:
            state.add_metric(
                [one.channel, one.said.state if one.said is not None and one.fresh else "unheard"], 1
            )
        yield state
        told = [one for one in found if one.said is not None and one.fresh]
        signals = [(one.channel, one.said.signal) for one in told if one.said.signal is not None]
        for name, meaning, values in (
            ("gateway_modem_ready", "modems that can send", [(one.channel, int(one.well)) for one in found]),
            ("gateway_modem_signal_dbm", "a modem's signal", signals),
            (
                "gateway_modem_parts_today",
                "parts of a SIM today",
                [(one.channel, one.counted.sent) for one in found],
            ),
            (
                "gateway_modem_parts_a_day",
                "parts that a SIM may send",
                [(one.channel, one.per_day) for one in found],
            ),
            (
                "gateway_modem_recoveries",
                "times it came back",
                [(one.channel, one.said.recoveries) for one in told],
            ),
        ):
            yield _family(name, meaning, "channel", values)

    def _balances(self, session: Session) -> Metric:
        known = [(one.channel, one.dong) for one in balances.all_known(session) if one.dong is not None]
        return _family("gateway_sms_balance_dong", "what a provider's account holds", "channel", known)

    def _tickets(self, session: Session) -> Metric:
        today = hours.day_of(self._now, self._config.station.zone)
        sites = session.scalars(select(tables.Site.id)).all()  # the index begins with the site
        counted = (
            select(tables.Ticket.state, func.count())
            .where(tables.Ticket.site_id.in_(sites), tables.Ticket.day == today)
            .group_by(tables.Ticket.state)
        )
        found = session.execute(counted).all()
        return _family("gateway_tickets", "today's tickets by state", "state", found)


def _family(name: str, meaning: str, label: str, values: Iterable[tuple[str, int]]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=[label])
    for value, count in values:
        family.add_metric([value], count)
    return family


def _yes(urgent: bool) -> str:
    return "yes" if urgent else "no"
