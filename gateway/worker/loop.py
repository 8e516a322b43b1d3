"""The loop itself: turns at the desk, lanes that send, questions and receipts that are read beside it.

One thread owns the rows: each turn writes down what the lanes brought back and claims what is due. The lanes'
threads send, outside any transaction. Dying at any instant loses nothing: a claimed row's lease runs out and
its attempt is *unknown*.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy import Engine

from gateway import balances, chat, database, gauges, lanes, notices, storage, templates, texts, wordings
from gateway import channels as rooms
from gateway.notices import Answer, Question, Result, Room, Task
from gateway.pulse import Pulse
from gateway.rules import channels as names
from gateway.rules.lifecycle.notice import Happening
from gateway.rules.settings import Settings
from gateway.worker.desk import Brought, Desk, Turn
from gateway.worker.errands import Errands
from gateway.worker.lane import Lane
from gateway.worker.leading import Leadership
from gateway.worker.sender import Sender
from gateway.worker.sim import SimsDay
from gateway.worker.timetable import Timetable

log = logging.getLogger(__name__)
IDLE_SECONDS = 0.5
LINGER_SECONDS = (
    0.05  # while lanes are busy, results gather so long: a turn costs as much for one as for fifty
)
AHEAD = 2  # tasks held per thread of a lane: enough to keep it busy, few enough to lose to a crash
AHEAD_SECONDS = 0.4  # a modem that sends faster may hold what it sends in so long …
MOST_AHEAD = 200  # … and no more than this
LOOK_AT_LANES_SECONDS = 1
ASKERS = 8
QUESTIONS = 4 * ASKERS  # no more than can be put and answered in the time that an answer is waited for
CLOSE_SECONDS = 20
KNOWN_SECONDS = 10  # how old what is known of the templates may be
EVENTS_AT_ONCE = 20  # SQLite has one writer: nobody waits longer than a third of a second for the chat
LATE_SECONDS = 30  # what has waited so long for a modem has none


class Worker:
    """Sends what is due through `channels` (name → channel) until `stop` is set."""

    def __init__(
        self,
        engine: Engine,
        config: Settings,
        channels: Mapping[str, rooms.Channel],
        words: Callable[[str, str], str],
        now: Callable[[], int],
        account: Any = None,
    ):
        """`words(language, text)` translates; `now()` gives whole seconds. `account` is asked what Zalo knows
        of followers and templates (`channels.zalo.Official`); without it nobody asks."""
        self._engine, self._config, self._now, self._words = engine, config, now, words
        own = [name for name in names.here(config) if name in channels]
        self._channels = {name: self._guarded(channels[name]) for name in own}
        self._name = f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(3)}"
        self._desk = Desk(engine, config, own, self._name)
        self._sender = Sender(config, self._channels, words, now)
        self._desk.cut = self._sender.cut
        self._results: deque[Result] = deque()
        self._answers: deque[Answer] = deque()
        self._flying: Counter[str] = Counter()
        self._asking = 0
        self._wake, self._hurry, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._spoken = threading.Event()
        self._lanes = {name: Lane(name, self._channels[name].concurrency, self._hand_over) for name in own}
        self._reading = ThreadPoolExecutor(2, thread_name_prefix="receipts")
        self._askers = ThreadPoolExecutor(ASKERS, thread_name_prefix="questions")
        self._being_read: set[int] = set()
        self._timetable = Timetable(engine, config)
        self._errands = Errands(engine, config, account)
        self._timekeeper = Leadership(engine, "timetable")
        self._modems = {
            name: Leadership(engine, f"modem:{name}")
            for name in names.modems(config)
            if name in self._channels
        }
        self._errander = Leadership(engine, "errands") if account is not None else None
        has_money = any(hasattr(channel, "balance") for channel in self._channels.values())
        self._treasurer = Leadership(engine, "balances") if has_money else None
        self._lanes_at, self._known_at = 0, 0
        self._held: dict[str, bool] = {}
        self._was_ready: dict[str, bool] = {}
        self._speeds = {name: _Speed() for name in own}
        self.turned_at = now()

    def _guarded(self, channel: rooms.Channel) -> rooms.Channel:
        is_modem = channel.name in names.modems(self._config)
        return SimsDay(channel, self._engine, self._config, self._now) if is_modem else channel

    def run(self) -> None:
        """Work until `stop`; a turn that fails is logged and tried again."""
        beside = [
            threading.Thread(target=one, name=name, daemon=True)
            for name, one in (
                ("worker-pulse", self._watch),
                ("worker-timetable", self._keep_time),
                ("worker-chat", self._converse),
                ("worker-errands", self._run_errands),
            )
        ]
        for thread in beside:
            thread.start()
        while not self._stop.is_set():
            self._wake.clear()
            self._hurry.clear()
            try:
                busy = self.round()
            except Exception:
                log.exception("a round of the worker failed; it is tried again")
                busy = False
            self._pause(busy)
        self._close()
        for thread in beside:
            thread.join(timeout=5)
        for leadership in (self._timekeeper, *self._modems.values()):
            leadership.release()

    def stop(self) -> None:
        self._stop.set()
        self._sender.stopping.set()
        for one in (self._wake, self._hurry, self._spoken):
            one.set()

    @property
    def under_way(self) -> int:
        """How many tasks and questions are out, or back and not written down."""
        return self._flying.total() + self._asking

    def alive(self) -> bool:
        """Whether turns are taken: for the readiness of this process."""
        return self._now() - self.turned_at < 60

    def _pause(self, busy: bool) -> None:
        """Let results gather while the lanes have enough to do; at once where somebody is called."""
        if not self._flying.total():
            if not busy:
                self._wake.wait(IDLE_SECONDS)
            return
        began = time.monotonic()
        while self._flying.total() > len(self._results) and not self._hungry():
            patience = LINGER_SECONDS if self._results else IDLE_SECONDS
            if self._hurry.wait(0.005) or time.monotonic() - began >= patience:
                return

    def _hungry(self) -> bool:
        """Whether a lane that was full will soon have nothing to do."""
        return any(
            self._flying[name] > lane.concurrency
            and lane.waiting
            < max(1, lane.concurrency // 2, self._ahead(name) // 2 if name in self._modems else 0)
            for name, lane in self._lanes.items()
        )

    def _watch(self) -> None:
        pulse, looked_at = Pulse(self._engine), 0.0
        while not self._stop.is_set():
            if pulse.wait(IDLE_SECONDS * 4, self._stop):
                # While lanes are busy nearly every commit is our own; who waits for one that is not waits no longer
                if time.monotonic() - looked_at >= LINGER_SECONDS:
                    looked_at = time.monotonic()
                    if self._somebody_is_called():
                        self._hurry.set()
                self._wake.set()
                self._spoken.set()
        pulse.close()

    def _somebody_is_called(self) -> bool:
        try:
            with database.reading(self._engine) as session:
                return notices.urgent_is_due(session, tuple(self._channels), self._now())
        except Exception as fault:
            log.warning("it is not known whether somebody is called: %s", type(fault).__name__)
            return False

    def _keep_time(self) -> None:
        while not self._stop.is_set():
            try:
                self._desk.leads = self._timekeeper.held()
                if self._desk.leads:
                    self._timetable.look(self._now())
            except Exception:
                log.exception("the timetable failed; it is tried again")
            self._stop.wait(1.0)

    def _converse(self) -> None:
        """What people said to the page, or wrote by text message, is worked off beside the sending, so that
        neither waits for the other."""
        while not self._stop.is_set():
            self._spoken.clear()
            took = sum(self._taken_in(room) for room in (chat, texts))
            if not took:
                self._spoken.wait(1.0)

    def _taken_in(self, room: Any) -> int:
        try:
            # The one writer is for who has something to write
            with database.reading(self._engine) as session:
                if not notices.something_waits(session, room.CHANNEL, self._now()):
                    return 0
            with database.writing(self._engine) as session:
                took = room.take_in(session, self._config, self._words, self._now(), EVENTS_AT_ONCE)
                if took:
                    database.ring(session)  # whoever looks at the inbox
        except Exception as fault:
            log.error("what people said could not be worked off now: %s", storage.in_short(fault))
            self._stop.wait(1.0)
            return 0
        return took

    def _run_errands(self) -> None:
        """By a process that knows Zalo, or a provider: whoever keeps the time may be a host that has only a modem."""
        while not self._stop.wait(1.0):
            if self._errander is not None and self._errander.held():
                self._errands.look(self._now())
            if self._treasurer is not None and self._treasurer.held():
                self._look_at_balances()
        for leadership in (self._errander, self._treasurer):
            if leadership is not None:
                leadership.release()

    def _look_at_balances(self) -> None:
        try:
            balances.look(self._engine, self._channels, self._config, self._now())
        except Exception as fault:
            log.error("the providers' balances could not be looked at: %s", storage.in_short(fault))

    def _close(self) -> None:
        """Let what is being handed over end, and write that and what was not handed over down."""
        for lane in self._lanes.values():
            self._results.extend(self._sender.stopped(task) for task in lane.drained())
        for lane in self._lanes.values():
            lane.end()
        for pool in (self._reading, self._askers):
            pool.shutdown(wait=True, cancel_futures=True)
        end = time.monotonic() + CLOSE_SECONDS
        left = Brought([*self._results], [*self._answers])
        while (left.results or left.answers) and time.monotonic() < end:
            left = self._desk.record(left, self._now())
            if left.results or left.answers:
                time.sleep(0.5)  # the database is away: a little patience, or all of this becomes *unknown*

    def round(self) -> bool:
        """One turn at the desk, and its tasks to the lanes; True if something moved."""
        now, began = self._now(), time.monotonic()
        self._look_at_lanes(now)
        brought = self._brought()
        back = Counter(result.task.channel for result in brought.results)
        self._flying.subtract(back)  # what is being written down has left its place
        turn = self._desk.turn(brought, self._rooms(), now, max(0, QUESTIONS - self._asking))
        self._asking -= len(brought.answers)
        left = turn.left
        self._flying.update(Counter(result.task.channel for result in left.results))
        self._asking += len(left.answers)
        self._results.extendleft(reversed(left.results))
        self._answers.extendleft(reversed(left.answers))
        if turn.walls is not None:
            self._sender.walls = turn.walls
        self._give_out(turn)
        self._look_who_is_back(now)  # once written down, what failed on a lane may go again when it is back
        self.turned_at = now
        if turn.moved:
            gauges.round_took(time.monotonic() - began)
        return bool(turn.moved)

    def _brought(self) -> Brought:
        most = self._config.notices.batch
        results = [self._results.popleft() for _ in range(min(most, len(self._results)))]
        answers = [self._answers.popleft() for _ in range(min(most, len(self._answers)))]
        return Brought(results, answers)

    def _give_out(self, turn: Turn) -> None:
        for task in turn.tasks:
            self._flying[task.channel] += 1
            self._lanes[task.channel].put(task)
        self._asking += len(turn.questions)
        for question in turn.questions:
            self._askers.submit(self._ask, question)
        for receipt_id, channel, body in turn.unread:
            if receipt_id not in self._being_read and channel in self._channels:
                self._being_read.add(receipt_id)
                self._reading.submit(self._read, receipt_id, channel, body)

    def _rooms(self) -> dict[str, Room]:
        """What each lane takes now. A modem's is the process's that has its port; where none has, one process
        takes what is late, so that it goes on to the next channel and somebody is told."""
        rooms_left = {}
        for name, lane in self._lanes.items():
            free = self._ahead(name) - self._flying[name]
            near = name not in self._modems or self._channels[name].ready()
            if near or self._held.get(name):
                urgent = max(0, min(lane.concurrency, free + lane.concurrency))
                rooms_left[name] = Room(max(0, free), urgent, 0 if near else LATE_SECONDS)
        return rooms_left

    def _ahead(self, name: str) -> int:
        """How many tasks a lane may hold. A modem on the air holds no more than it sends and the next; a fast one
        must not wait for a turn."""
        at_once, seconds = self._lanes[name].concurrency, self._speeds[name].seconds
        able = int(AHEAD_SECONDS * at_once / seconds) if seconds and name in self._modems else 0
        return max(AHEAD * at_once, min(able, MOST_AHEAD))

    def _look_at_lanes(self, now: int) -> None:
        """What somebody changed since: more or fewer threads, from now on; and whose the modem is."""
        if 0 <= self._lanes_at - now <= LOOK_AT_LANES_SECONDS and self._lanes_at > now:
            return
        self._lanes_at = now + LOOK_AT_LANES_SECONDS
        with database.reading(self._engine) as session:
            changed = lanes.changed(session)
            if not 0 <= now - self._known_at < KNOWN_SECONDS:
                self._known_at = now
                self._desk.known = self._sender.known = templates.known(session, self._config)
                self._sender.wordings = wordings.known(session)
        for name, lane in self._lanes.items():
            own = self._channels[name].concurrency
            wanted = own if name in self._modems else changed.get(name, own)
            if wanted != lane.concurrency:
                lane.resize(wanted)
        self._held = {name: leadership.held() for name, leadership in self._modems.items()}

    def _look_who_is_back(self, now: int) -> None:
        """A modem that was plugged in again is tried at once, and not when an outage's next look is due."""
        ready = {name: one.ready() for name, one in self._channels.items() if hasattr(one, "ready")}
        for name in ready:
            if ready[name] and not self._was_ready.get(name, False):
                self._desk.look_again(name, now)
        self._was_ready = ready

    def _hand_over(self, task: Task) -> None:
        began = time.monotonic()
        gauges.waited(task.urgent, max(0, self._now() - task.due))
        try:
            result = self._sender.send(task)
        except Exception as fault:  # before anything was handed over: see `Sender.send`
            log.exception("notice %s could not be handed over", task.notice_id)
            result = self._sender.broken(task, fault)
        self._results.append(result)
        took = time.monotonic() - began
        if result.event.happening is Happening.ACCEPTED:
            self._speeds[task.channel].took(took)
        gauges.handed_over(task.channel, result.event.happening, str(result.code), took)

    def _ask(self, question: Question) -> None:
        """What the provider knows of a message for which no receipt came."""
        try:
            report = self._channels[question.channel].pull(question.provider_ref, question.attempt_id)
            delivered, code = (report.delivered, report.code) if report else (None, "")
        except Exception as fault:
            log.info("%s could not be asked about a message: %s", question.channel, type(fault).__name__)
            delivered, code = None, ""
        self._answers.append(Answer(question, delivered, code))
        self._wake.set()

    def _read(self, receipt_id: int, channel: str, body: str) -> None:
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


class _Speed:
    """How long a hand-over takes on a lane, seconds: what it can do, and not what it was given to do."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def took(self, seconds: float) -> None:
        """One that was accepted took so long; the last few count."""
        self.seconds += (seconds - self.seconds) / (8 if self.seconds else 1)
