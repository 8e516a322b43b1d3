"""Giving one task to its channel, and putting what happened into the engine's words.

Nothing here touches a row. `send` may be called from many threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from gateway import channels as rooms
from gateway import lanes, templates, tokens, wordings
from gateway.notices import Handed, Result, Task, barriers
from gateway.notices.barriers import ALL, HELD, Barrier, News
from gateway.notices.people import CLAIMED
from gateway.notices.sending import SPARED
from gateway.rules import channels, hours, phone, wording
from gateway.rules import templates as fitness
from gateway.rules.lifecycle import breaker as breakers
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet, segments

log = logging.getLogger(__name__)
ALERTS = {rooms.Fault.QUOTA: "quota", rooms.Fault.TOKEN: "consent"}
DAY = 86_400
WIDE = ("template", "account", "channel")


class Sender:
    """Sends through `channels` (name → channel). `words(language, text)` translates; `now()` is whole seconds.

    `walls` are the breakers that stand, as the engine read them last; a refusal that holds for everybody is
    put there at once, so that what already waits in the lane is not thrown against it. `known` and `wordings`:
    what the database says of templates and of the texts of SMS, read now and then by whoever owns this.
    """

    def __init__(
        self,
        config: Settings,
        channels: Mapping[str, rooms.Channel],
        words: Callable[[str, str], str],
        now: Callable[[], int],
    ):
        self._config, self._channels, self._now = config, channels, now
        self._words = lru_cache(maxsize=256)(words)
        self.walls: dict[tuple[str, str], Barrier] = {}
        self.known = templates.Known({})
        self.wordings: Mapping[tuple[str, str], str] = {}
        self._worded: dict[str, str] = {}
        self.stopping = threading.Event()

    def send(self, task: Task) -> Result:
        """Send one task and say how it ended; what it raises came before the channel had it."""
        not_now = self._not_now(task)
        if not_now is not None:
            self._worded.pop(task.attempt_id, None)
            return not_now
        message = self.message(task)
        unfit = self._unfit(task, message)
        if unfit is not None:
            return unfit
        try:
            taken = self._channels[task.channel].send(message)
        except rooms.Refused as fault:
            return replace(self._refused(task, fault), **self._begun(task, fault))
        except rooms.Unreachable as fault:
            return replace(self._unreachable(task, fault), **self._begun(task, fault))
        except tokens.NoConsent as fault:
            return self._shut(task, ALL, "no_consent", str(fault), "consent")
        except Exception as fault:
            log.exception("notice %s: the channel %s broke", task.notice_id, task.channel)
            return Result(task, Event(Happening.UNSURE, type(fault).__name__), "broken")
        if log.isEnabledFor(logging.DEBUG):
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
            handed=_handed(taken.handed),
        )

    def _begun(self, task: Task, fault: rooms.Refused | rooms.Unreachable) -> dict[str, Any]:
        """Parts that were handed over before it failed: they are known by name, and they cost."""
        parts = len(fault.handed)
        return {"handed": _handed(fault.handed), "parts": parts, "cost": parts * self._price(task)}

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
        self._worded.pop(task.attempt_id, None)
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
        news = (*self._worked(task, judged=True), *self._unregistered(task, fault))
        return Result(task, event, fault.code, news=news, rest_days=rest)

    def _unregistered(self, task: Task, fault: rooms.Refused) -> tuple[News, ...]:
        """That our papers do not hold for the network of this number: the others of it are tried all the same, as
        a prefix is only a hint, and one alert lasts until one of them is taken."""
        network = phone.network(task.phone) if fault.scope == "phone" else None
        if fault.fault is not rooms.Fault.CONFIG or network is None:
            return ()
        refused = breakers.Event(breakers.Happening.REFUSED)
        return (News(task.channel, str(network), refused, fault.code, fault.reason),)

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
        network = str(phone.network(task.phone) or "")
        if not judged and network and (task.channel, network) in self.walls:
            return (News(task.channel, network, breakers.Event(breakers.Happening.PROBE_WORKED)),)
        if (task.channel, ALL) in self.walls:
            return (News(task.channel, ALL, breakers.Event(breakers.Happening.WORKED)),)
        return ()

    def _quiet_until(self) -> int | None:
        table = self._config.timetable
        return hours.quiet_until(self._now(), table.quiet_from, table.quiet_until, self._config.station.zone)

    def _price(self, task: Task) -> int:
        """By Zalo's own word where there is one, else as configured."""
        known = self.known.price(task.kind, task.channel)
        return lanes.price(task.channel, self._config, task.phone) if known is None else known

    def message(self, task: Task) -> rooms.Message:
        """A task put into words for its channel."""
        config = self._config
        if task.channel in channels.TO_A_USER and task.data.get(CLAIMED):
            task = replace(task, data={key: value for key, value in task.data.items() if key != "url"})
        by_template = task.channel in (channels.BY_USER_ID, channels.BY_PHONE)
        template = config.zalo.templates.get(task.kind) if by_template else None
        text = "" if by_template else self._worded.pop(task.attempt_id, None) or self._text(task)
        given = self._given(task) if template else {}
        return rooms.Message(
            to=task.phone,
            kind=task.kind,
            text=text,
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
            joint=segments.joint(task.notice_id, text) if task.total else 0,
            begun=tuple(rooms.Part(one.number, one.total, one.joint, one.ref) for one in task.begun),
        )

    def _given(self, task: Task) -> dict[str, str]:
        """What its words are filled with."""
        given = wording.fields(task.data, self._config.station.zone) | {"station": self._station(task)}
        given.setdefault(
            "url", self._config.web.base_url
        )  # a template with a link needs one; this one leads on
        return given

    def cut(self, task: Task) -> tuple[int, int] | None:
        """(Into how many parts its text is cut, what joins them), where its lane reports by part."""
        channel = self._channels.get(task.channel)
        if channel is None or not getattr(channel, "by_part", False):
            return None
        text = self._text(task)
        try:
            cut = channel.submits(text), segments.joint(task.notice_id, text)
        except ValueError:  # longer than any message may be: the channel says so
            return None
        self._worded[task.attempt_id] = text  # the very words that were cut are sent
        return cut

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

    def _text(self, task: Task) -> str:
        if task.kind == channels.CHAT:
            text = str(task.data.get("text", ""))
            plain = (
                channels.is_text(task.channel)
                and self._config.sms.unaccented
                and not task.data.get("accented")
            )
            return alphabet.unaccent(text) if plain else text
        if task.channel == channels.BY_CHAT:  # the link is on the button
            text = self._words(task.language, wording.TEXT[task.kind])
            return wording.filled(text, {**self._given(task), "url": ""})
        pattern = wordings.pattern(self.wordings, self._config, self._words, task.kind, task.language)
        return wording.text_message(pattern, self._given(task), self._config.sms.unaccented)


def _handed(parts: tuple[rooms.Part, ...]) -> tuple[Handed, ...]:
    return tuple(Handed(one.number, one.total, one.joint, one.ref) for one in parts)
