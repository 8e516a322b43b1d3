"""Whether each channel can send now, and who does the sending."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import lanes, modems, tables
from gateway.lanes import Way
from gateway.notices import barriers
from gateway.notices.barriers import Barrier
from gateway.rules.lifecycle.breaker import State
from gateway.rules.settings import Settings

ALIVE_SECONDS = 60
FORGOTTEN_SECONDS = 86_400


@dataclass(frozen=True)
class Health:
    """A channel: `walls` are its breakers that are not closed; `workers` are alive and run its lane.

    `want` is what a person must do about its modem ("vi / en"); empty for what is no modem, or sends.
    """

    way: Way
    walls: tuple[Barrier, ...]
    workers: int
    want: str = ""

    @property
    def well(self) -> bool:
        return not self.walls and not self.way.paused and self.workers > 0 and not self.want


def channel_health(session: Session, config: Settings, now: int) -> list[Health]:
    """Every channel of the ladder, in its order."""
    walls = [one for one in barriers.standing(session).values() if one.breaker.state is not State.CLOSED]
    alive = [one for one in workplaces(session, now) if now - one.seen_at <= ALIVE_SECONDS]
    wants = modems.wants(session, config, now)
    return [
        Health(
            way,
            tuple(one for one in walls if one.channel == channel),
            sum(channel in one.lanes for one in alive),
            wants.get(channel, ""),
        )
        for channel, way in lanes.ways(session, config).items()
    ]


def workplaces(session: Session, now: int) -> Sequence[tables.Workplace]:
    """The processes that sent something within a day, those that were heard last first."""
    wanted = select(tables.Workplace).where(tables.Workplace.seen_at > now - FORGOTTEN_SECONDS)
    return session.scalars(wanted.order_by(tables.Workplace.seen_at.desc()).limit(50)).all()
