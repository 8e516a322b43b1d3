"""The loop: what is due, what fell silent, what the timetable says.

One thread owns the rows: each round is one transaction that writes down what the lanes brought back, settles
receipts, moves on what waited in vain and claims what is due. The lanes' threads send, outside any
transaction. Dying at any instant loses nothing: a claimed row's lease runs out and its attempt is *unknown*.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, time, timedelta
from typing import Any

from sqlalchemy import Engine, or_, select

from gateway import channels as rooms
from gateway import database, notices, registrations, retention, tables, tokens
from gateway.pulse import Pulse
from gateway.rules import hours, phone, wording
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
TIMETABLE_SECONDS = 20
AHEAD = 2  # tasks held per thread of a lane: enough to keep it busy, few enough to lose to a crash


class Worker:
    """Sends what is due through `channels` (name → channel) until `stop` is set."""

    def __init__(
        self,
        engine: Engine,
        config: Settings,
        channels: Mapping[str, rooms.Channel],
        words: Callable[[str, str], str],
        now: Callable[[], int],
    ):
        """`words(language, text)` translates; `now()` gives whole seconds."""
        self._engine, self._config, self._channels = engine, config, channels
        self._words, self._now = words, now
        self._ladder, self._policy = notices.ladder(config), notices.policy(config)
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._results: deque[notices.Result] = deque()
        self._flying: Counter[int] = Counter()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._lanes = {
            rung: ThreadPoolExecutor(channels[name].concurrency, thread_name_prefix=f"lane-{name}")
            for rung, name in enumerate(self._ladder)
            if name in channels
        }
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="receipts")
        self._being_read: set[int] = set()
        self._timetable_at = 0
        self._purged: date | None = None

    def run(self) -> None:
        """Work until `stop`; a round that fails is logged and tried again."""
        watching = threading.Thread(target=self._watch, name="worker-pulse", daemon=True)
        watching.start()
        while not self._stop.is_set():
            self._wake.clear()
            try:
                busy = self.round()
            except Exception:
                log.exception("a round of the worker failed; it is tried again")
                busy = False
            if not busy:
                self._wake.wait(IDLE_SECONDS)
        self._close()
        watching.join(timeout=2)

    def stop(self) -> None:
        self._stop.set()
        self._wake.set()

    def _watch(self) -> None:
        pulse = Pulse(self._engine)
        while not self._stop.is_set():
            if pulse.wait(IDLE_SECONDS * 4, self._stop):
                self._wake.set()
        pulse.close()

    def _close(self) -> None:
        """Let what is being handed over end, and write that and what was not handed over down."""
        for lane in self._lanes.values():
            lane.shutdown(wait=True, cancel_futures=True)
        self._reading.shutdown(wait=True, cancel_futures=True)
        while results := self._drained():
            with database.writing(self._engine) as session:
                notices.record(session, results, self._now(), self._policy)

    def round(self) -> bool:
        """One transaction's worth of work; True if something moved."""
        now = self._now()
        results = self._drained()
        most = self._config.notices.batch
        try:
            with database.writing(self._engine) as session:
                if results:
                    notices.record(session, results, now, self._policy)
        except Exception:
            self._results.extendleft(reversed(results))  # not written: they are brought again
            raise
        self._flying.subtract(result.task.rung for result in results)
        with database.writing(self._engine) as session:
            settled = notices.settle_receipts(session, most, now, self._policy)
        with database.writing(self._engine) as session:
            silent = notices.fall_silent(session, most, now, self._policy)
            tasks = notices.claim_due(
                session, self._ladder, self._room(), self._name, now, self._policy, self._quiet(now)
            )
            unread = notices.unread_receipts(session, tuple(self._channels), most, now)
        for task in tasks:
            self._flying[task.rung] += 1
            future = self._lanes[task.rung].submit(self._hand_over, task)
            future.add_done_callback(functools.partial(self._put_back, task))
        self._read(unread)
        self._look_at_timetable(now)
        return bool(results or settled or silent or tasks)

    def _drained(self) -> list[notices.Result]:
        results = []
        while self._results and len(results) < self._config.notices.batch:
            results.append(self._results.popleft())
        return results

    def _room(self) -> dict[int, int]:
        rooms_left = {
            rung: AHEAD * self._channels[self._ladder[rung]].concurrency - self._flying[rung]
            for rung in self._lanes
        }
        return {rung: room for rung, room in rooms_left.items() if room > 0}

    def _quiet(self, now: int) -> int | None:
        table = self._config.timetable
        return hours.quiet_until(now, table.quiet_from, table.quiet_until, self._config.station.zone)

    def _hand_over(self, task: notices.Task) -> None:
        try:
            result = self._sent(task)
        except Exception as fault:  # before anything was handed over: see `_sent`
            log.exception("notice %s could not be handed over", task.notice_id)
            result = notices.Result(task, Event(Happening.UNREACHED, type(fault).__name__), "broken")
        self._results.append(result)
        self._wake.set()

    def _put_back(self, task: notices.Task, future: Future) -> None:
        """A task that a stop found waiting in its lane was certainly not handed over."""
        if future.cancelled():
            self._results.append(notices.Result(task, Event(Happening.POSTPONED, "stopped", self._now())))

    def _sent(self, task: notices.Task) -> notices.Result:
        """Send one task and say how it ended; what it raises came before the channel had it."""
        # Whoever lost the lease may not send any more: another channel may have taken over
        if self._now() >= min(task.deadline, task.lease_until):
            return notices.Result(task, Event(Happening.UNREACHED, "too_late"))
        if task.channel == "modem" and self._sim_is_spent():
            return notices.Result(task, Event(Happening.REFUSED, "the SIM's day is used up"), "per_day")
        if self._stop.is_set():
            return notices.Result(task, Event(Happening.POSTPONED, "stopped", self._now()))
        message = self.message(task)
        try:
            taken = self._channels[task.channel].send(message)
        except rooms.Refused as fault:
            return notices.Result(task, self._refused(fault), fault.code)
        except rooms.Unreachable as fault:
            return notices.Result(task, self._unreachable(fault), fault.code or "")
        except tokens.NoConsent as fault:
            return notices.Result(task, Event(Happening.REFUSED, str(fault)), "no_consent")
        except Exception as fault:
            log.exception("notice %s: the channel %s broke", task.notice_id, task.channel)
            return notices.Result(task, Event(Happening.UNSURE, type(fault).__name__), "broken")
        log.info("notice %s taken by %s for %s", task.notice_id, task.channel, phone.masked(task.phone))
        return notices.Result(task, Event(Happening.ACCEPTED), "", taken.provider_ref, taken.parts)

    def _unreachable(self, fault: rooms.Unreachable) -> Event:
        """A provider that names its time (a rate, 429) is asked again then; that is no failed try."""
        if not fault.sent and fault.retry_after:
            return Event(Happening.POSTPONED, fault.reason, self._now() + fault.retry_after)
        return Event(Happening.UNSURE if fault.sent else Happening.UNREACHED, fault.reason)

    def _sim_is_spent(self) -> bool:
        """Operators bar a SIM that sends too much a day; parts are what they count."""
        midnight = hours.at(
            hours.day_of(self._now(), self._config.station.zone), time(), self._config.station.zone
        )
        with database.reading(self._engine) as session:
            return notices.parts_since(session, "modem", midnight) >= self._config.sms.modem.per_day

    def _refused(self, fault: rooms.Refused) -> Event:
        until = self._quiet(self._now())
        if fault.fault is rooms.Fault.NIGHT and until is not None:
            return Event(Happening.POSTPONED, fault.reason, until)
        return Event(Happening.REFUSED, fault.reason)

    def message(self, task: notices.Task) -> rooms.Message:
        """A task put into words for its channel."""
        config = self._config
        given = wording.fields(task.data, config.station.zone) | {"station": config.station.short_name}
        template = config.zalo.templates.get(task.kind)
        pattern = config.sms.texts.get(task.kind) or self._words(task.language, wording.TEXT[task.kind])
        text = wording.filled(pattern, given)
        return rooms.Message(
            to=task.phone,
            kind=task.kind,
            text=alphabet.unaccent(text) if config.sms.unaccented else text,
            template_id=template.id if template else None,
            template_data={
                name: wording.filled(value, given)
                for name, value in (template.params if template else {}).items()
            },
            reference=task.attempt_id,
            zalo_user_id=task.zalo_user_id,
            valid_seconds=max(60, task.deadline - self._now()),
        )

    def _read(self, unread: list[tuple[int, str, str]]) -> None:
        for receipt_id, channel, body in unread:
            if receipt_id not in self._being_read and channel in self._channels:
                self._being_read.add(receipt_id)
                self._reading.submit(self._read_one, receipt_id, channel, body)

    def _read_one(self, receipt_id: int, channel: str, body: str) -> None:
        """What a callback says; a failure is asked after first, as callbacks may be forged."""
        try:
            report = self._channels[channel].callback(json.loads(body))
            if report is not None and report.delivered is False:
                report = self._channels[channel].pull(report.provider_ref, report.reference or "") or report
            delivered, code = (report.delivered, report.code) if report else (None, "")
            with database.writing(self._engine) as session:
                notices.read_receipt(session, receipt_id, delivered, code, self._now())
            self._wake.set()
        except Exception as fault:
            log.warning("receipt %s cannot be read or confirmed now: %s", receipt_id, type(fault).__name__)
            with database.writing(self._engine) as session:
                notices.put_off_receipt(session, receipt_id, self._now())
        finally:
            self._being_read.discard(receipt_id)

    def _look_at_timetable(self, now: int) -> None:
        if now < self._timetable_at:
            return
        self._timetable_at = now + TIMETABLE_SECONDS
        self._tried("purge", self._purge, now)
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
            self._purged = today
            log.info("personal data erased: %s", erased)

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
