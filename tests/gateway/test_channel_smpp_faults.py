"""The fault matrix of the SMPP lane: each fault in the middle of many messages from many threads.

Held for each: every send ends once and honestly; what was said to be taken is on its phone once; nothing is there
twice but what was said to be unknown, and that at most once from that try; and the lane is well again by itself.
SMPP_MESSAGES: how many messages a fault meets.
"""

import os
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import channels
from gateway.sandbox.smsc import Answer, Manner
from tests.gateway.smscs import LONG, MESSAGE, SOON, Stage, crowd, many, outcome, until

ROOT = Path(__file__).parents[2]
COUNT = int(os.environ.get("SMPP_MESSAGES", "20"))


def every(number, answer):
    """That answer to every so-many-th submit."""
    return lambda n, message: answer if n % number == 0 else None


SCRIPTS = {
    "throttled": every(7, Answer(0x58)),
    "queue_full": every(7, Answer(0x14)),
    "system_error": every(7, Answer(0x08)),
    "refused": every(7, Answer(0x0B)),
    "nack": every(7, Answer(0x02, nack=True)),
    "receipt_before": lambda n, message: Answer(receipt="before"),
    "receipt_twice": lambda n, message: Answer(receipt="twice"),
    "receipt_lost": lambda n, message: Answer(receipt="lost"),
    "failed": every(7, Answer(state="UNDELIV")),
    "taken_and_dropped": every(7, Answer(answers=False, drops=True)),
    "not_taken_and_dropped": every(7, Answer(takes=False, answers=False, drops=True)),
    "answered_and_dropped": every(7, Answer(drops=True)),
    "silent": every(7, Answer(answers=False)),
    "garbage": every(7, Answer(garbage=b"\xff" * 40)),
    "text_for_a_header": every(7, Answer(garbage=b"HTTP/1.1 400 Bad Request\r\n\r\n")),
}
MANNERS = {
    "drip": Manner(drip=True),
    "halves": Manner(halves=True),
    "outbind": Manner(early=True),
    "decimal_ids": Manner(ids="decimal"),
}


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.close()
    assert stage.centre.complaints == []


@pytest.mark.parametrize("long", [False, True], ids=["one_part", "three_parts"])
@pytest.mark.parametrize("fault", [*SCRIPTS, *MANNERS])
def test_nothing_is_lost_and_nothing_comes_twice(stage, fault, long):
    stage.centre.manner = MANNERS.get(fault, Manner())
    stage.centre.behave(SCRIPTS.get(fault, every(7, None)))
    lane = stage.lane(timeout=0.3)
    messages = crowd(COUNT, **({"text": LONG.text} if long else {}))
    ended = many(lane, messages)
    assert len(ended) == COUNT
    for message, end in zip(messages, ended, strict=True):
        held_to_its_word(stage, message, end)
    well_again(stage, lane)


@pytest.mark.parametrize(
    "fault", ["system_error", "throttled", "taken_and_dropped", "answered_and_dropped", "silent"]
)
def test_what_is_sent_again_completes_what_arrived_and_no_part_comes_twice(stage, fault):
    """As the engine does it: after a failure that took nothing more, only the parts that are missing."""
    stage.centre.behave(SCRIPTS[fault])
    lane = stage.lane(timeout=0.3)
    for message in crowd(COUNT, text=LONG.text):
        begun: tuple[channels.Part, ...] = ()
        again = True
        while again:
            end = outcome(lane, replace(message, begun=begun))
            begun += end.handed
            again = isinstance(end, channels.Unreachable) and not end.sent
        numbers = Counter(taken.number for taken in stage.centre.taken if taken.to == message.to)
        assert set(numbers.values()) <= {1}
        unknown = any(part.ref is None for part in begun)
        assert unknown or set(numbers) == {1, 2, 3}


def test_an_smsc_that_is_throttled_says_when_to_come_again_also_to_those_who_waited_in_vain(stage):
    """A rate that was met is no outage: it costs nobody a try, and shuts no lane."""
    stage.centre.behave(lambda number, message: Answer(0x58, takes=False))
    lane = stage.lane(timeout=0.3, window=2)
    ended = many(lane, crowd(COUNT))
    faults = [one for one in ended if isinstance(one, channels.Unreachable)]
    assert {one.code for one in faults} >= {"SMPP 0x58"}
    assert {(one.sent, one.retry_after) for one in faults} == {(False, 1)}
    assert len(faults) == COUNT


def held_to_its_word(stage, message, end):
    """What the centre took for this phone against what the lane said."""
    taken = Counter(one.number for one in stage.centre.taken if one.to == message.to)
    refs = {one.id for one in stage.centre.taken if one.to == message.to}
    assert set(taken.values()) <= {1}
    known = {part.number for part in end.handed if part.ref}
    unknown = {part.number for part in end.handed if part.ref is None}
    assert {part.ref for part in end.handed if part.ref} <= refs
    assert known <= set(taken) <= known | unknown
    if isinstance(end, channels.Accepted):
        assert unknown == set() and set(taken) == set(range(1, end.parts + 1))
    elif isinstance(end, channels.Unreachable):
        assert end.sent is bool(unknown)
    else:
        assert unknown == set()


def well_again(stage, lane):
    stage.centre.manner = Manner()
    stage.centre.behave(lambda n, message: None)
    until(lane, MESSAGE)
    assert stage.received()[-1] == MESSAGE.text


def test_a_centre_that_says_nothing_at_all_is_left_and_found_again(stage):
    lane = stage.lane(timeout=0.3)
    until(lane, MESSAGE)
    stage.centre.manner = Manner(deaf=True)
    messages = crowd(COUNT)
    for message, end in zip(messages, many(lane, messages), strict=True):
        held_to_its_word(stage, message, end)
    assert stage.centre.visits[0].over.wait(SOON)
    well_again(stage, lane)


def test_a_centre_that_goes_away_and_comes_back_is_found_again(stage):
    lane = stage.lane()
    until(lane, MESSAGE)
    port = stage.centre.port
    before, stage.centre.taken = stage.centre, []
    stage.again(port=port)
    well_again(stage, lane)
    assert before.complaints == []


def test_a_cable_that_is_pulled_out_again_and_again(stage):
    """Whatever the moment, what was said holds."""
    lane, messages = stage.lane(timeout=0.3), crowd(COUNT * 3, text=LONG.text)
    stage.centre.behave(lambda n, message: Answer(answers=n % 5 < 4, drops=n % 11 == 0))
    for message, end in zip(messages, many(lane, messages), strict=True):
        held_to_its_word(stage, message, end)
    well_again(stage, lane)


CHILD = """
import sys
from tests.gateway.smscs import LONG, made_lane, crowd, many
def away(report):
    raise RuntimeError("no database")
many(made_lane(sys.argv[1], on_part=away), crowd(500, text=LONG.text))
"""


@pytest.mark.processes
def test_a_process_that_is_killed_mid_window_loses_no_receipt(stage):
    """What the centre had taken by then is told to the next process, part by part."""
    underway = threading.Event()
    stage.centre.behave(lambda n, message: underway.set() if n == 30 else None)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, stage.centre.url], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )
    try:
        assert underway.wait(SOON)
    finally:
        child.kill()
        child.wait()
    assert stage.centre.visits[0].over.wait(SOON)
    until(stage.lane(), MESSAGE)
    wanted = {(taken.to, taken.id) for taken in stage.centre.taken}
    while wanted:
        report = stage.report()
        wanted -= {(report.to, ref) for ref in report.refs}
