"""Claiming, handing over, dying, reporting and sweeping in any order, beside a model of modem, network and phones.

Of whatever happens: none is called delivered unless all its parts really arrived; a part that is known to have
been taken goes once; what was written down and reported is known; and in the end every notice has ended.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from gateway import database, notices, tables
from gateway.notices import Handed, Planned, Result, Room, Task, barriers
from gateway.rules import settings as configured
from gateway.rules.lifecycle.notice import FINAL, Event, Happening

EXAMPLES, STEPS = int(os.environ.get("PARTS_EXAMPLES", "25")), 40
CONFIG = configured.read({"sms": {"providers": ["modem", "esms"]}}, {})
POLICY = notices.policy(CONFIG)
LASTING = 7_200
ENDS = {
    "accepted": Happening.ACCEPTED,
    "unreached": Happening.UNREACHED,
    "refused": Happening.REFUSED,
    "barred": Happening.BARRED,
    "postponed": Happening.POSTPONED,
    "unsure, taken": Happening.UNSURE,
    "unsure, not taken": Happening.UNSURE,
}
_days = itertools.count(1)
outcome = st.tuples(
    st.sampled_from(sorted(ENDS)), st.integers(0, 2), st.sampled_from([set(), set(), set(), {1}, {2}])
)
"""How a try ends, at which of its missing parts, and which of its parts the phone never gets."""


@dataclass
class Sent:
    """A notice as the world sees it. `air`: how often each part went on the air; `told`: its fate as reported."""

    phone: str
    parts: int
    air: Counter = field(default_factory=Counter)
    arrived: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    named: set[int] = field(default_factory=set)
    told: set[int] = field(default_factory=set)
    unsure: bool = False


@dataclass(frozen=True)
class OnTheWay:
    notice: str
    part: int
    ref: int
    delivered: bool


class Parts(RuleBasedStateMachine):
    engine = None

    def __init__(self):
        super().__init__()
        self.day = next(_days)
        self.now = 1_800_000_000 + self.day * 200_000
        self.sent: dict[str, Sent] = {}
        self.hands: list[Task] = []
        self.brought: list[Result] = []
        self.way: list[OnTheWay] = []
        self.number = 0
        self.keys = itertools.count()

    def written(self, act):
        with database.writing(self.engine) as session:
            return act(session)

    def terms(self):
        cut = lambda task: (self.sent[task.notice_id].parts, 7) if task.channel == "modem" else None  # noqa: E731
        return notices.Terms(POLICY, barriers.policy(CONFIG), 50, cut=cut)

    @rule(person=st.integers(0, 1), parts=st.integers(1, 3), alone=st.booleans())
    def plan(self, person, parts, alone):
        phone = f"+8490{self.day % 100_000:05d}{person:02d}"
        one = Planned(f"{self.day}-{next(self.keys)}", "missed", phone, {}, self.now, self.now + LASTING)
        ladder = ("modem",) if alone else ("modem", "esms")
        self.sent[self.written(lambda session: notices.plan(session, one, ladder, self.now))] = Sent(
            phone, parts
        )

    @rule()
    def claim(self):
        rooms, terms = {"modem": Room(2, 0)}, self.terms()
        found = self.written(lambda session: notices.claim_due(session, rooms, terms, "w", self.now)[0])
        self.hands += found

    @rule(
        outcomes=st.lists(outcome, min_size=1, max_size=3),
        known=st.booleans(),
        later=st.sampled_from([0, 1, 40]),
    )
    def turn(self, outcomes, known, later):
        """As the worker does it, with what it brought before."""
        self.now += later
        self.claim()
        for one, _ in zip(outcomes, list(self.hands), strict=False):
            self.hand_over(one)
        if known and self.brought:
            self.write_down()

    @precondition(lambda self: self.hands)
    @rule(how=outcome)
    def hand_over_one(self, how):
        self.hand_over(how)

    def hand_over(self, how):
        """All parts that are missing, or as many as go before it fails."""
        end, at, failing = how
        task = self.hands.pop(0)
        sent, begun = self.sent[task.notice_id], {part.number for part in task.begun}
        assert begun <= sent.named
        missing = [part for part in range(1, sent.parts + 1) if part not in begun]
        handed = []
        for place, part in enumerate(missing):
            broke = end != "accepted" and place == min(at, len(missing) - 1)
            if not broke or end == "unsure, taken":
                ref = self._taken(task, part, part not in failing)
                handed.append(Handed(part, task.total, 7, None if broke else str(ref)))
            elif end == "unsure, not taken":
                handed.append(Handed(part, task.total, 7, None))
            if broke:
                break
        sent.unsure |= end.startswith("unsure")
        event = Event(ENDS[end], end, self.now + 30)
        self.brought.append(Result(task, event, parts=len(handed), handed=tuple(handed)))

    def _taken(self, task, part, arrives):
        sent = self.sent[task.notice_id]
        assert part not in sent.air or part in sent.failed, "a part that was taken went again"
        sent.air[part] += 1
        mine = {one.ref for one in self.way if self.sent[one.notice].phone == sent.phone}
        while self.number in mine:  # what is under way to a phone under one number cannot be told apart
            self.number = (self.number + 1) % 256
        ref, self.number = self.number, (self.number + 1) % 256
        (sent.arrived if arrives else sent.failed).add(part)
        self.way.append(OnTheWay(task.notice_id, part, ref, arrives))
        return ref

    @precondition(lambda self: self.brought)
    @rule()
    def write_down(self):
        brought, self.brought = self.brought, []
        self.written(lambda session: notices.record(session, brought, self.now, self.terms()))
        for one in brought:
            self.sent[one.task.notice_id].named |= {
                part.number for part in one.handed if part.ref is not None
            }

    @rule(anew=st.booleans())
    def die(self, anew):
        """The worker, and perhaps the modem too: it counts from 0 again."""
        for one in (*self.hands, *(result.task for result in self.brought)):
            self.sent[one.notice_id].unsure = True
        self.hands, self.brought, self.number = [], [], 0 if anew else self.number

    @precondition(lambda self: self.way)
    @rule(place=st.integers(0, 20), times=st.integers(0, 2))
    def report(self, place, times):
        """Once, twice, or it is lost."""
        one = self.way.pop(place % len(self.way))
        for time in range(times):
            row = {
                "channel": "modem",
                "key": f"{self.day}:{one.notice}:{one.part}:{one.ref}:{time}:{next(self.keys)}",
                "event": notices.PART,
                "provider_ref": str(one.ref),
                "delivered": one.delivered,
                "code": "ST",
                "body": json.dumps({"to": self.sent[one.notice].phone, "refs": [str(one.ref)]}),
            }
            self.written(lambda session, row=row: notices.store_receipt(session, row, self.now))
            self.sent[one.notice].told.add(one.part)

    @rule()
    def settle(self):
        self.written(lambda session: notices.settle_parts(session, 50, self.now, POLICY))

    @rule(seconds=st.sampled_from([1, 2, 10, 61, 200]))
    def go_on(self, seconds):
        self.now += seconds
        self.written(lambda session: notices.sweep(session, 50, 0, (), self.now, POLICY))

    @precondition(lambda self: self.sent)
    @rule(place=st.integers(0, 20))
    def cancel(self, place):
        notice = sorted(self.sent)[place % len(self.sent)]
        self.written(lambda session: notices.cancel(session, notice, self.now, POLICY))

    @invariant()
    def none_is_called_delivered_that_did_not_arrive(self):
        with database.reading(self.engine) as session:
            wanted = select(tables.Attempt.notice_id).where(tables.Attempt.state == "delivered")
            called = set(session.scalars(wanted.where(tables.Attempt.notice_id.in_(self.sent))))
        for phone in {self.sent[one].phone for one in called}:
            mine = [one for one in self.sent.values() if one.phone == phone]
            if sum(one.unsure for one in mine) < 2:  # two of which nobody knows cannot be told apart
                wrong = [one for one in called if self.sent[one].phone == phone and not self._whole(one)]
                assert wrong == []

    def _whole(self, notice):
        return len(self.sent[notice].arrived) == self.sent[notice].parts

    def teardown(self):
        self.die(False)
        for seconds in (1, 2, 4, 70, 200, 300, 400, LASTING):
            self.now += seconds
            self.settle()
            self.go_on(0)
        self.go_on(200)
        with database.reading(self.engine) as session:
            ends = {one: session.get_one(tables.Notice, one) for one in self.sent}
            wanted = select(tables.Attempt).where(tables.Attempt.notice_id.in_(self.sent))
            known = {row.notice_id for row in session.scalars(wanted) if row.state == "delivered"}
        assert {row.state for row in ends.values()} <= {state.value for state in FINAL}
        for notice, sent in self.sent.items():
            every = set(range(1, sent.parts + 1))
            if sent.arrived == sent.named == sent.told == every and not sent.failed and not sent.unsure:
                assert notice in known, "it arrived, all was written down and reported, and nobody knows it"


@pytest.mark.timeout(300)
def test_parts_and_their_reports_in_any_order(engine):
    machine = type("OnThisDatabase", (Parts,), {"engine": engine})
    bounds = settings(
        max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck), database=None,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=bounds)
