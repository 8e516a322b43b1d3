"""A modem that stops when its SIM's day is used up: operators bar a SIM that sends too much a day."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date, time

from sqlalchemy import Engine

from gateway import channels as rooms
from gateway import database, notices
from gateway.rules import hours
from gateway.rules.settings import Settings


class SimsDay:
    """Stands in front of a modem and has its promise. Parts are what operators count.

    What was sent today is read from the rows once a day and at every start, and counted here from then on: the
    process that has the port is the only one that sends.
    """

    def __init__(self, modem: rooms.Channel, engine: Engine, config: Settings, now: Callable[[], int]):
        self._modem, self._engine, self._config, self._now = modem, engine, config, now
        self.name, self.concurrency, self.by_part = (
            modem.name,
            modem.concurrency,
            getattr(modem, "by_part", False),
        )
        self._most = config.sms.sim(modem.name).per_day
        self._lock = threading.Lock()
        self._day: date | None = None
        self._sent = 0

    def send(self, message: rooms.Message) -> rooms.Accepted:
        if self._used_up():
            reason = "SIM đã hết hạn mức trong ngày / the SIM's day is used up"
            raise rooms.Refused("per_day", reason, "account", rooms.Fault.QUOTA)
        try:
            taken = self._modem.send(message)
        except (rooms.Refused, rooms.Unreachable) as fault:
            self._count(len(fault.handed))
            raise
        self._count(taken.parts)
        return taken

    def submits(self, text: str) -> int:
        """How many parts a text is handed over in."""
        return self._modem.submits(text)

    def ready(self) -> bool:
        """Whether the modem is at this process's port; what cannot say so is."""
        return getattr(self._modem, "ready", lambda: True)()

    def pull(self, provider_ref: str | None, reference: str) -> rooms.Report | None:
        return self._modem.pull(provider_ref, reference)

    def close(self) -> None:
        self._modem.close()

    def _count(self, parts: int) -> None:
        with self._lock:
            self._sent += parts

    def _used_up(self) -> bool:
        zone = self._config.station.zone
        today = hours.day_of(self._now(), zone)
        with self._lock:
            if today != self._day:
                with database.reading(self._engine) as session:
                    midnight = hours.at(today, time(), zone)
                    self._sent = notices.parts_since(session, self.name, midnight)
                self._day = today
            return self._sent >= self._most
