"""An SMPP lane and the stand-in SMSC behind it, for tests."""

import itertools
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from gateway import channels
from gateway.channels import smpp
from gateway.sandbox import network, postman, smsc

AN, BINH = "+84905123456", "+84912345678"
NOON = 1_795_429_800
SOON = 20
"""Seconds a test waits for something that takes milliseconds."""

MESSAGE = channels.Message(AN, "appointment", "Ma A042, 14:30 24/11", None, {}, "ntc_1", valid_seconds=86_400)
LONG = replace(MESSAGE, text="Số thứ tự 042. " * 12, joint=4_711)
QUICK = smpp.Patience(bind=2, reopen=0.02, reopen_most=0.1, slower=0.05, unbind=1, rest_of_text=600)


class Stage:
    """`reports` and `texts`: what the lane told. `close` ends everything that was made here."""

    def __init__(self, folder) -> None:
        self.reports: queue.Queue[channels.PartReport] = queue.Queue()
        self.texts: queue.Queue[channels.Incoming] = queue.Queue()
        self.phones, self.post = network.Network(folder), postman.Postman(threads=16)
        self.centre = self._centre()
        self._lanes: list[smpp.Smpp] = []

    def _centre(self, **words) -> smsc.Smsc:
        centre = smsc.Smsc(self.phones, self.post, receipt_delay=0.0, **words)
        centre.start()
        return centre

    def again(self, **words) -> smsc.Smsc:
        """Another SMSC in place of the first, at the same port unless another is named."""
        port = self.centre.port
        self.centre.stop()
        self.centre = self._centre(**{"port": port, **words})
        return self.centre

    def lane(self, url: str | None = None, **words: Any) -> smpp.Smpp:
        told = {"on_part": self.reports.put, "on_incoming": self.texts.put}
        made = made_lane(url or self.centre.url, **{**told, **words})
        self._lanes.append(made)
        return made

    def received(self, phone: str = AN, count: int = 1) -> list[str]:
        """The texts on a phone, once there are `count`."""
        self.phones.wait(lambda phones: len(phones.messages(phone)) >= count, SOON)
        return [one.text for one in self.phones.messages(phone)]

    def report(self) -> channels.PartReport:
        return self.reports.get(timeout=SOON)

    def close(self) -> None:
        for lane in self._lanes:
            lane.close()
        self.centre.stop()
        self.post.stop()
        self.phones.close()


def made_lane(url: str, **words: Any) -> smpp.Smpp:
    """A lane that is let in by the stand-in and is soon back."""
    words = {
        "source": "CAPHUONG", "unicode": True, "timeout": 5.0, "on_part": print, "on_incoming": print,
        "clock": lambda: NOON, "patience": QUICK, **words,
    }  # fmt: skip
    login = (words.pop("system_id", "sandbox"), words.pop("password", "smppsand"))
    return smpp.Smpp("smpp", url, *login, **words)


def fault_of(lane, message=MESSAGE):
    """What a send ended with, when not with Accepted."""
    ended = outcome(lane, message)
    assert isinstance(ended, channels.Refused | channels.Unreachable)
    return ended


def outcome(lane, message) -> channels.Accepted | channels.Refused | channels.Unreachable:
    try:
        return lane.send(message)
    except (channels.Refused, channels.Unreachable) as fault:
        return fault


def until(lane, message, done: Callable[[Any], bool] = lambda one: isinstance(one, channels.Accepted)) -> Any:
    """Sends again while the lane has no line, as the engine would, and says how it ended."""
    for _ in range(100_000):
        ended = outcome(lane, message)
        if done(ended):
            return ended
    raise AssertionError(f"it never ended well: {ended!r}")


def many(lane, messages, threads: int = 10) -> list:
    """How each ended, in order."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda one: outcome(lane, one), messages))


def crowd(count: int, **changes: Any) -> list[channels.Message]:
    """So many messages to so many people."""
    numbers = itertools.islice(itertools.count(), count)
    return [
        replace(MESSAGE, to=f"+8490512{n:04d}", reference=f"ntc_{n}", joint=n, **changes) for n in numbers
    ]
