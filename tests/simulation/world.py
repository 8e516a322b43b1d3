"""A world for the notice engine: a virtual clock, scripted providers with faults, workers that die at any step.

The day's faults are drawn from one seed; the notices' ids are chance, so the steps differ from run to run. The
engine's own parts do the work: `Desk` takes the turns on a real database, `Sender` hands tasks over; here are
only the providers, the clock and the axe. Nothing is patched.
"""

from __future__ import annotations

import heapq
import json
import random
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event, func, select

from gateway import channels as rooms
from gateway import database, notices, tables, tokens
from gateway.channels import codes
from gateway.notices import Answer, Room, Task
from gateway.rules import channels as names
from gateway.rules import hours
from gateway.rules.lifecycle.notice import FINAL
from gateway.rules.settings import Settings
from gateway.worker.desk import Brought, Desk, Turn
from gateway.worker.sender import Sender
from gateway.worker.timetable import Timetable

ROOM = Room(12, 6)
SLACK = 60  # seconds that a deadline's end may be noticed late: the workers may all be dead at that moment


NO = {
    "zalo_cs": ("oa", "-230"),
    "zalo_uid": ("oa", "-213"),
    "zalo": ("zalo", "-118"),
    "esms": ("esms", "101"),
    "modem": ("cms", "1"),
}
"""A refusal of each channel; that of eSMS is of everybody."""


class Crash(BaseException):
    """The process is gone: nothing after it runs, not even what cleans up after errors."""


@dataclass(frozen=True)
class Day:
    """What goes wrong on a day, each a share of the messages or a span of hours; drawn from the seed."""

    refused: float
    unreached: float
    unsure: float
    lost_receipts: float
    doubled_receipts: float
    late_receipts: float
    undelivered: float
    crash: float
    quota: int | None
    away: tuple[int, int] | None
    no_token: tuple[int, int] | None
    night_code: bool
    cancelled: float
    deaf: float


def drawn(rng: random.Random, start: int) -> Day:
    def span(share: float) -> tuple[int, int] | None:
        begins = start + rng.randrange(0, 6 * 3_600)
        return (begins, begins + rng.randrange(60, 4 * 3_600)) if rng.random() < share else None

    return Day(
        refused=rng.choice([0, 0.1, 0.4]),
        unreached=rng.choice([0, 0.02, 0.2]),
        unsure=rng.choice([0, 0.02, 0.1]),
        lost_receipts=rng.choice([0, 0.05, 0.5]),
        doubled_receipts=rng.choice([0, 0.2]),
        late_receipts=rng.choice([0, 0.1]),
        undelivered=rng.choice([0, 0.05]),
        crash=rng.choice([0, 0.001, 0.01]),
        quota=rng.choice([None, None, rng.randrange(20, 600)]),
        away=span(0.3),
        no_token=span(0.2),
        night_code=rng.random() < 0.3,
        cancelled=rng.choice([0, 0.05]),
        deaf=rng.choice([0.1, 0.5]),
    )


@dataclass
class Provider:
    """A channel as its provider behaves today."""

    name: str
    world: World
    concurrency: int = 8
    taken: int = 0

    def send(self, message: rooms.Message) -> rooms.Accepted:
        world, rng, day = self.world, self.world.rng, self.world.day
        world.handed_over(self.name, message)
        if names.provider(self.name) == "zalo":
            self._whole_account(message)
        if rng.random() < day.unreached:
            raise rooms.Unreachable("no connection", sent=False)
        if rng.random() < day.refused * (1 if names.provider(self.name) == "zalo" else 0.1):
            raise codes.complaint(*NO[self.name])
        if rng.random() < day.unsure:
            self._takes(message, rng.random() < 0.5)
            raise rooms.Unreachable("no answer in time", sent=True)
        self._takes(message, True)
        self.taken += 1
        return rooms.Accepted(f"{self.name}-{message.reference}")

    def _whole_account(self, message: rooms.Message) -> None:
        world, day = self.world, self.world.day
        if world.within(day.away):
            raise rooms.Unreachable("no connection", sent=False)
        if world.within(day.no_token):
            raise tokens.NoConsent("the Official Account is not connected")
        table, full, night = ("zalo", "-144", "-133") if self.name == "zalo" else ("oa", "-211", "-234")
        if day.quota is not None and self.taken >= day.quota:
            raise codes.complaint(table, full)
        if day.night_code and world.is_night():
            raise codes.complaint(table, night)

    def _takes(self, message: rooms.Message, arrives: bool) -> None:
        """The provider has it: perhaps it arrives, perhaps a receipt says so, sooner or later."""
        world, rng, day = self.world, self.world.rng, self.world.day
        arrives = arrives and rng.random() >= day.undelivered
        world.takes(self.name, message, arrives)
        if rng.random() < day.lost_receipts:
            return
        delay = rng.randrange(3_600, 40_000) if rng.random() < day.late_receipts else rng.randrange(0, 40)
        for _ in range(2 if rng.random() < day.doubled_receipts else 1):
            world.mail(world.now + delay, self.name, message.reference, arrives)
            delay += rng.randrange(0, 900)

    def pull(self, provider_ref: str | None, reference: str) -> rooms.Report | None:
        if self.world.rng.random() < self.world.day.deaf:
            raise rooms.Unreachable("no answer in time", sent=False)
        arrived = self.world.arrived.get(reference)
        if not arrived:
            return None
        return rooms.Report(reference, provider_ref, None, True, "status 1", None, True)

    def callback(self, _body: Any) -> None:
        return None

    def close(self) -> None:
        return None


@dataclass
class Sim(Provider):
    """A modem: it hands over part by part, under numbers that come round, and reports come by part."""

    by_part: bool = True
    number: int = 0

    @staticmethod
    def submits(text: str) -> int:
        """One to three, as texts go."""
        return 1 + zlib.crc32(text.encode()) % 3

    def send(self, message: rooms.Message) -> rooms.Accepted:
        world, rng, day = self.world, self.world.rng, self.world.day
        world.handed_over(self.name, message)
        begun, taken = {part.number for part in message.begun}, []
        for number in range(1, self.submits(message.text) + 1):
            if number in begun:
                continue
            if rng.random() < day.unreached:
                raise self._with(rooms.Unreachable("busy", sent=False), taken)
            if rng.random() < day.refused * 0.1:
                raise self._with(codes.complaint(*NO[self.name]), taken)
            unsure = rng.random() < day.unsure
            ref = self._takes_part(message, number, not unsure or rng.random() < 0.5)
            taken.append(self._part(message, number, None if unsure else ref))
            if unsure:
                raise self._with(rooms.Unreachable("silent", sent=True), taken)
        world.sends[world.notice(message), self.name][-1] = "taken"
        return rooms.Accepted(taken[-1].ref if taken else None, parts=len(taken), handed=tuple(taken))

    def _part(self, message: rooms.Message, number: int, ref: str | None) -> rooms.Part:
        return rooms.Part(number, self.submits(message.text), message.joint, ref)

    @staticmethod
    def _with(fault: Any, taken: list[rooms.Part]) -> Any:
        fault.handed = tuple(taken)
        return fault

    def _takes_part(self, message: rooms.Message, number: int, arrives: bool) -> str:
        """The network has a part, under the modem's next number, and says what became of it, or not."""
        world, rng, day = self.world, self.world.rng, self.world.day
        self.number = (self.number + 1) % 256
        arrives = arrives and rng.random() >= day.undelivered
        world.takes_part(message, self.name, number, self.submits(message.text), arrives)
        if rng.random() >= day.lost_receipts:
            if not arrives:  # the network has said so: it may be given again
                world.given[world.notice(message), self.name, number] -= 1
            delay = rng.randrange(0, 40)
            for _ in range(2 if rng.random() < day.doubled_receipts else 1):
                world.mail(world.now + delay, self.name, f"{self.number}/{message.to}", arrives)
                delay += rng.randrange(0, 200)
        return str(self.number)


@dataclass
class Hand:
    """A worker: a desk, a sender, and what it has in memory, which dies with it."""

    desk: Desk
    sender: Sender
    turn: Turn = field(default_factory=Turn)
    tasks: list[Task] = field(default_factory=list)
    questions: list[Any] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)

    def holds(self) -> bool:
        return bool(self.tasks or self.questions or self.results or self.answers)


class World:
    """One seeded day over an empty, migrated database."""

    def __init__(self, engine: Engine, config: Settings, seed: int, start: int, workers: int = 2):
        self.engine, self.config, self.rng = engine, config, random.Random(seed)
        self.now = start
        self.day = drawn(self.rng, start)
        self.providers = {
            name: Sim(name, self) if name == "modem" else Provider(name, self)
            for name in notices.ladder(config)
        }
        self.timetable = Timetable(engine, config)
        self.post: list[tuple[int, int, str, str, bool]] = []
        self.arrived: dict[str, bool] = {}
        self.sends: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.reached: Counter[str] = Counter()
        self.faults: list[str] = []
        self.crashes = 0
        self.given: Counter[tuple[str, str, int]] = Counter()
        self.there: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._about: dict[str, Task] = {}
        self._commits_left: int | None = None
        event.listen(engine, "commit", self._on_commit)
        self.hands = [self._hired(n) for n in range(workers)]

    def close(self) -> None:
        event.remove(self.engine, "commit", self._on_commit)

    def _hired(self, n: int) -> Hand:
        name = f"w{n}:{self.crashes}"
        desk = Desk(self.engine, self.config, tuple(self.providers), name)
        sender = Sender(self.config, self.providers, lambda _t, text: text, lambda: self.now)
        desk.cut = sender.cut
        return Hand(desk, sender)

    def _on_commit(self, _connection: Any) -> None:
        """The axe may fall on the very commit: then nothing of it is in the database."""
        if self._commits_left is not None:
            self._commits_left -= 1
            if self._commits_left < 0:
                self._commits_left = None
                raise Crash

    # What the providers tell the world

    def within(self, span: tuple[int, int] | None) -> bool:
        return span is not None and span[0] <= self.now < span[1]

    def is_night(self) -> bool:
        table = self.config.timetable
        zone = self.config.station.zone
        return hours.quiet_until(self.now, table.quiet_from, table.quiet_until, zone) is not None

    def handed_over(self, channel: str, message: rooms.Message) -> None:
        task = self._about[message.reference]
        self.sends[task.notice_id, channel].append("reached")
        if self.now >= task.deadline:
            self.faults.append(f"{task.notice_id} was sent after its deadline")
        table, zone = self.config.timetable, self.config.station.zone
        morning = hours.quiet_until(self.now, table.quiet_from, table.quiet_until, zone)
        if morning is not None and not task.urgent and morning < task.deadline:
            self.faults.append(f"{task.notice_id} disturbed somebody at night")

    def takes(self, channel: str, message: rooms.Message, arrives: bool) -> None:
        task = self._about[message.reference]
        self.sends[task.notice_id, channel][-1] = "taken"
        self.arrived[message.reference] = arrives
        self.reached[task.notice_id] += arrives

    def notice(self, message: rooms.Message) -> str:
        return self._about[message.reference].notice_id

    def takes_part(
        self, message: rooms.Message, channel: str, number: int, total: int, arrives: bool
    ) -> None:
        """A person has a message when they have all of its parts, from whichever try."""
        key = self.notice(message), channel
        self.given[(*key, number)] += 1
        if arrives and number not in self.there[key]:
            self.there[key].add(number)
            self.reached[key[0]] += len(self.there[key]) == total

    def mail(self, at: int, channel: str, reference: str, arrived: bool) -> None:
        heapq.heappush(self.post, (at, self.rng.randrange(1_000_000), channel, reference, arrived))

    # A day

    def run(self) -> None:
        """Until every notice has ended and every receipt has come."""
        idle = 0
        while True:
            idle = 0 if self._something() else idle + 1
            if idle > len(self.hands) and not any(hand.holds() for hand in self.hands):
                if not self.post and not self._open():
                    return
                self._later()
                idle = 0

    def _something(self) -> bool:
        """One step of somebody, chosen by chance; False if there was nothing to do."""
        hand = self.rng.choice(self.hands)
        if self._mail_is_due() and self.rng.random() < 0.1:
            self._bring_mail()
            return True
        if hand.tasks and self.rng.random() < 0.97:
            self._with_the_axe(hand, self._hand_over)
            return True
        if hand.questions and self.rng.random() < 0.9:
            self._with_the_axe(hand, self._ask)
            return True
        return bool(self._with_the_axe(hand, self._turn))

    def _with_the_axe(self, hand: Hand, step: Any) -> Any:
        """A step, and perhaps the end of its worker: before it, in its commits, or after it."""
        falls = self.rng.random() < self.day.crash
        where = self.rng.choice(["before", "within", "after"]) if falls else ""
        self._commits_left = self.rng.randrange(0, 2) if where == "within" else None
        try:
            moved = True if where == "before" else step(hand)
        except Crash:
            moved = True
        self._commits_left = None
        if falls:
            self.crashes += 1
            place = self.hands.index(hand)
            self.hands[place] = self._hired(place)
        return moved

    def _turn(self, hand: Hand) -> bool:
        brought = Brought(hand.results[:40], hand.answers[:40])
        busy = len(hand.tasks) + len(hand.results)
        room = Room(max(0, ROOM.any - busy), ROOM.urgent)
        turn = hand.desk.turn(brought, dict.fromkeys(self.providers, room), self.now)
        hand.results = [*turn.left.results, *hand.results[40:]]
        hand.answers = [*turn.left.answers, *hand.answers[40:]]
        hand.sender.walls = turn.walls or {}
        hand.tasks += turn.tasks
        hand.questions += turn.questions
        self._about.update((task.attempt_id, task) for task in turn.tasks)
        return bool(turn.moved)

    def _hand_over(self, hand: Hand) -> None:
        task = hand.tasks.pop(self.rng.randrange(len(hand.tasks)))
        hand.results.append(hand.sender.send(task))

    def _ask(self, hand: Hand) -> None:
        question = hand.questions.pop()
        try:
            report = self.providers[question.channel].pull(question.provider_ref, question.attempt_id)
        except rooms.Unreachable:
            report = None
        hand.answers.append(Answer(question, report.delivered if report else None, ""))

    def _mail_is_due(self) -> bool:
        return bool(self.post) and self.post[0][0] <= self.now

    def _bring_mail(self) -> None:
        """A handful of what has come, in any order, as the web processes store it."""
        due = []
        while self._mail_is_due() and len(due) < 20:
            due.append(heapq.heappop(self.post))
        self.rng.shuffle(due)
        with database.writing(self.engine) as session:
            for _, chance, channel, reference, arrived in due:
                if channel == "modem":
                    self._report(session, reference, arrived, chance)
                    continue
                receipt = {
                    "channel": channel,
                    "key": f"{channel}:{reference}:{chance}",
                    "event": "receipt",
                    "reference": None if channel in names.TO_A_USER else reference,
                    "provider_ref": f"{channel}-{reference}" if channel in names.TO_A_USER else None,
                    "delivered": arrived,
                    "body": "",
                    "done_at": None,
                }
                notices.store_receipt(session, receipt, self.now)

    def _report(self, session: Any, reference: str, arrived: bool, chance: int) -> None:
        number, _, phone = reference.partition("/")
        receipt = {
            "channel": "modem",
            "key": f"modem:{reference}:{chance}",
            "event": notices.PART,
            "provider_ref": number,
            "delivered": arrived,
            "body": json.dumps({"to": phone, "refs": [number]}),
        }
        notices.store_receipt(session, receipt, self.now)

    def _later(self) -> None:
        """To the next moment at which something is to be done."""
        with database.reading(self.engine) as session:
            moments = [
                session.scalar(select(func.min(tables.Notice.due)).where(tables.Notice.final_at.is_(None))),
                session.scalar(select(func.min(tables.Receipt.due)).where(tables.Receipt.done_at.is_(None))),
                self.post[0][0] if self.post else None,
            ]
        ahead = [one for one in moments if one is not None and one > self.now]
        self.now = min([*ahead, self.now + 3_600]) if ahead else self.now + 60
        self.now += self.rng.randrange(0, 8)
        self.timetable.look(self.now)

    def _open(self) -> int:
        with database.reading(self.engine) as session:
            unsettled = (
                select(func.count()).select_from(tables.Receipt).where(tables.Receipt.done_at.is_(None))
            )
            open_ones = (
                select(func.count()).select_from(tables.Notice).where(tables.Notice.final_at.is_(None))
            )
            return session.scalar(open_ones) + session.scalar(unsettled)

    # What became of it

    def judged(self) -> Iterator[str]:
        """Everything that broke a promise."""
        yield from self.faults
        for (notice_id, channel), ends in self.sends.items():
            if ends.count("taken") > 1:
                yield f"{notice_id} was given to {channel} {ends.count('taken')} times"
            if "taken" in ends[:-1]:
                yield f"{notice_id} went to {channel} again after it was taken"
        for (notice_id, channel, number), times in self.given.items():
            if times > 1:
                yield f"part {number} of {notice_id} was given to {channel} {times} times"
        with database.reading(self.engine) as session:
            for row in session.scalars(select(tables.Notice)):
                yield from self._judged(row)
            left = session.scalars(select(tables.Attempt.id).filter_by(state="handing_over")).all()
            yield from (f"attempt {one} is still being handed over" for one in left)

    def _judged(self, row: tables.Notice) -> Iterator[str]:
        if row.state not in FINAL:
            yield f"{row.id} never ended"
        elif row.final_at > row.deadline + SLACK + self.config.notices.lease:
            yield f"{row.id} ended {row.final_at - row.deadline} s after its deadline"
        if row.state in ("failed", "expired") and not row.reason:
            yield f"{row.id} {row.state} without a reason"
        if row.state == "delivered" and not self.reached[row.id]:
            yield f"{row.id} is said to have arrived and did not"
        if row.reached_twice and self.reached[row.id] < 2:
            yield f"{row.id} is said to have arrived twice and did not"

    def counted(self) -> Counter[str]:
        """How the day's notices ended, and how many people heard it twice."""
        with database.reading(self.engine) as session:
            found = Counter(session.scalars(select(tables.Notice.state)))
            found["alerts"] = session.scalar(select(func.count()).select_from(tables.Alert))
        found["reached twice"] = sum(count > 1 for count in self.reached.values())
        found["crashes"] = self.crashes
        return found
