"""Giving one task to its channel, and putting what happened into the engine's words.

Nothing here touches a row but the count of a SIM's day. `send` may be called from many threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import time
from functools import lru_cache
from typing import Any

from sqlalchemy import Engine

from gateway import channels as rooms
from gateway import database, lanes, notices, templates, tokens
from gateway.notices import Result, Task, barriers
from gateway.notices.barriers import ALL, HELD, Barrier, News
from gateway.notices.people import CLAIMED
from gateway.notices.sending import SPARED
from gateway.rules import channels, hours, phone, wording
from gateway.rules import templates as fitness
from gateway.rules.lifecycle import breaker as breakers
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet

log = logging.getLogger(__name__)
ALERTS = {rooms.Fault.QUOTA: "quota", rooms.Fault.TOKEN: "consent"}
DAY = 86_400
WIDE = ("template", "account", "channel")


class Sender:
    """Sends through `channels` (name → channel). `words(language, text)` translates; `now()` is whole seconds.

    `walls` are the breakers that stand, as the engine read them last; a refusal that holds for everybody is
    put there at once, so that what already waits in the lane is not thrown against it.
    """

    def __init__(
        self,
        engine: Engine,
        config: Settings,
        channels: Mapping[str, rooms.Channel],
        words: Callable[[str, str], str],
        now: Callable[[], int],
    ):
        self._engine, self._config, self._channels, self._now = engine, config, channels, now
        self._words = lru_cache(maxsize=256)(words)
        self.walls: dict[tuple[str, str], Barrier] = {}
        self.known = templates.Known({})
        self.stopping = threading.Event()

    def send(self, task: Task) -> Result:
        """Send one task and say how it ended; what it raises came before the channel had it."""
        not_now = self._not_now(task)
        if not_now is not None:
            return not_now
        message = self.message(task)
        unfit = self._unfit(task, message)
        if unfit is not None:
            return unfit
        try:
            taken = self._channels[task.channel].send(message)
        except rooms.Refused as fault:
            return self._refused(task, fault)
        except rooms.Unreachable as fault:
            return self._unreachable(task, fault)
        except tokens.NoConsent as fault:
            return self._shut(task, ALL, "no_consent", str(fault), "consent")
        except Exception as fault:
            log.exception("notice %s: the channel %s broke", task.notice_id, task.channel)
            return Result(task, Event(Happening.UNSURE, type(fault).__name__), "broken")
        log.debug("notice %s taken by %s for %s", task.notice_id, task.channel, phone.masked(task.phone))
        return Result(
            task,
            Event(Happening.ACCEPTED),
            "",
            taken.provider_ref,
            taken.parts,
            taken.parts * self._price(task),
            self._worked(task, judged=False),
            left=taken.remaining,
            total=taken.total,
        )

    def _unfit(self, task: Task, message: rooms.Message) -> Result | None:
        """How it ends where the template, as Zalo described it, does not take these parameters: nobody is asked."""
        if message.template_id is None:
            return None
        faults = self.known.faults(task.kind, message.template_data)
        if not faults:
            return None
        return Result(task, Event(Happening.REFUSED, fitness.sentence(faults)), faults[0].code)

    def stopped(self, task: Task) -> Result:
        """A task that a stop found waiting in its lane was certainly not handed over."""
        return Result(task, Event(Happening.POSTPONED, "stopped", self._now()))

    def broken(self, task: Task, fault: Exception) -> Result:
        """A task that failed before the channel had it."""
        return Result(task, Event(Happening.UNREACHED, type(fault).__name__), "broken")

    def _not_now(self, task: Task) -> Result | None:
        """How it ends if it must not be handed over any more."""
        now = self._now()
        # Whoever lost the lease may not send any more: another channel may have taken over
        if now >= min(task.deadline, task.lease_until):
            return Result(task, Event(Happening.UNREACHED, "too_late"))
        if self.stopping.is_set():
            return self.stopped(task)
        wall = barriers.in_the_way(self.walls, task.channel, task.kind) if task.probes is None else None
        if wall is None:
            return None
        if wall.breaker.fault is breakers.Fault.OUTAGE:
            return Result(task, Event(Happening.UNREACHED, wall.reason), SPARED)
        return Result(task, self._barred(task, wall.reason, wall.breaker.probe_at), SPARED)

    @staticmethod
    def _barred(task: Task, reason: str, until: int) -> Event:
        return Event(Happening.BARRED, (HELD if task.last else "") + reason, until)

    def _unreachable(self, task: Task, fault: rooms.Unreachable) -> Result:
        """A provider that names its time (a rate, 429) is asked again then; that is no failed try."""
        if not fault.sent and fault.retry_after:
            return Result(
                task,
                Event(Happening.POSTPONED, fault.reason, self._now() + fault.retry_after),
                fault.code or "",
            )
        happening = Happening.UNSURE if fault.sent else Happening.UNREACHED
        news = News(
            task.channel,
            task.probes or ALL,
            breakers.Event(breakers.Happening.UNREACHED),
            fault.code or "",
            fault.reason,
        )
        return Result(task, Event(happening, fault.reason), fault.code or "", news=(news,))

    def _refused(self, task: Task, fault: rooms.Refused) -> Result:
        night = self._quiet_until()
        if fault.fault is rooms.Fault.NIGHT and night is not None:
            return Result(task, Event(Happening.POSTPONED, fault.reason, night), fault.code)
        if fault.scope in WIDE and fault.fault is not rooms.Fault.NIGHT:
            subject = task.kind if fault.scope == "template" else ALL
            alert = ALERTS.get(fault.fault, "refused")
            return self._shut(task, subject, fault.code, fault.reason, alert, fault.rest_days)
        rest = fault.rest_days if fault.scope == "phone" else None
        event = Event(Happening.REFUSED, fault.reason)
        return Result(task, event, fault.code, news=self._worked(task, judged=True), rest_days=rest)

    def _shut(
        self, task: Task, subject: str, code: str, reason: str, alert: str, days: int | None = None
    ) -> Result:
        """It is refused to everybody: the others in the lane need not try, and one alert says so.

        `days`: how long it is not worth another try, where that is known.
        """
        now = self._now()
        until = now + (days * DAY if days else self._config.notices.refusal_probe)
        shut = breakers.Breaker(breakers.State.OPEN, 0, breakers.Fault.REFUSAL, now, until)
        self.walls.setdefault((task.channel, subject), Barrier(task.channel, subject, shut, code, reason))
        refused = breakers.Event(breakers.Happening.REFUSED, until if days else 0)
        news = News(task.channel, subject, refused, code, reason, alert)
        return Result(task, self._barred(task, reason, until), code, news=(news,))

    def _worked(self, task: Task, judged: bool) -> tuple[News, ...]:
        """That a channel works is news only where somebody had doubts."""
        if task.probes is not None:
            what = breakers.Happening.JUDGED if judged else breakers.Happening.PROBE_WORKED
            return (News(task.channel, task.probes, breakers.Event(what)),)
        if (task.channel, ALL) in self.walls:
            return (News(task.channel, ALL, breakers.Event(breakers.Happening.WORKED)),)
        return ()

    def _quiet_until(self) -> int | None:
        table = self._config.timetable
        return hours.quiet_until(self._now(), table.quiet_from, table.quiet_until, self._config.station.zone)

    def _price(self, task: Task) -> int:
        """By Zalo's own word where there is one, else as configured."""
        known = self.known.price(task.kind, task.channel)
        return lanes.price(task.channel, self._config) if known is None else known

    def message(self, task: Task) -> rooms.Message:
        """A task put into words for its channel."""
        config = self._config
        if task.channel in channels.TO_A_USER and task.data.get(CLAIMED):
            task = replace(task, data={key: value for key, value in task.data.items() if key != "url"})
        given = wording.fields(task.data, config.station.zone) | {"station": self._station(task)}
        given.setdefault("url", config.web.base_url)  # a template with a link needs one; this one leads on
        by_template = task.channel in (channels.BY_USER_ID, channels.BY_PHONE)
        template = config.zalo.templates.get(task.kind) if by_template else None
        return rooms.Message(
            to=task.phone,
            kind=task.kind,
            text="" if by_template else self._text(task, given),
            template_id=template.id if template else None,
            template_data={
                name: wording.filled(value, given)
                for name, value in (template.params if template else {}).items()
            },
            reference=task.attempt_id,
            zalo_user_id=task.zalo_user_id,
            valid_seconds=max(60, task.deadline - self._now()),
            buttons=self._buttons(task),
            attachment=task.data.get("attachment") if task.kind == channels.CHAT else None,
            quote=task.data.get("quote") if task.kind == channels.CHAT else None,
        )

    def _station(self, task: Task) -> str:
        """By its short name, as an SMS is short; in a chat there is room."""
        own = self._config.station
        if task.channel != channels.BY_CHAT:
            return own.short_name
        return own.name_en if task.language == "en" else own.name

    def _buttons(self, task: Task) -> tuple[Mapping[str, Any], ...]:
        """What can be tapped under a chat message: what was given with an answer, or a notice's own page."""
        if task.kind == channels.CHAT:
            return tuple(task.data.get("buttons") or ())
        if task.channel != channels.BY_CHAT or not task.data.get("url"):
            return ()
        title = self._words(task.language, wording.ON_THE_PAGE)
        return ({"title": title, "type": "oa.open.url", "payload": {"url": task.data["url"]}},)

    def _text(self, task: Task, given: Mapping[str, str]) -> str:
        if task.kind == channels.CHAT:
            return str(task.data.get("text", ""))
        if task.channel == channels.BY_CHAT:  # the link is on the button
            text = self._words(task.language, wording.TEXT[task.kind])
            return wording.filled(text, {**given, "url": ""})
        pattern = self._config.sms.texts.get(task.kind) or self._words(task.language, wording.TEXT[task.kind])
        text = wording.filled(pattern, given)
        return alphabet.unaccent(text) if self._config.sms.unaccented else text


class SimsDay:
    """A modem that stops when its SIM's day is used up: operators bar a SIM that sends too much a day.

    Parts are what they count. It stands in front of the modem and has its promise.
    """

    def __init__(self, modem: rooms.Channel, engine: Engine, config: Settings, now: Callable[[], int]):
        self._modem, self._engine, self._config, self._now = modem, engine, config, now
        self.name, self.concurrency = modem.name, modem.concurrency

    def send(self, message: rooms.Message) -> rooms.Accepted:
        if self._used_up():
            reason = "SIM đã hết hạn mức trong ngày / the SIM's day is used up"
            raise rooms.Refused("per_day", reason, "account", rooms.Fault.QUOTA)
        return self._modem.send(message)

    def ready(self) -> bool:
        """Whether the modem is at this process's port; what cannot say so is."""
        return getattr(self._modem, "ready", lambda: True)()

    def pull(self, provider_ref: str | None, reference: str) -> rooms.Report | None:
        return self._modem.pull(provider_ref, reference)

    def close(self) -> None:
        self._modem.close()

    def _used_up(self) -> bool:
        zone = self._config.station.zone
        midnight = hours.at(hours.day_of(self._now(), zone), time(), zone)
        with database.reading(self._engine) as session:
            return notices.parts_since(session, "modem", midnight) >= self._config.sms.modem.per_day
