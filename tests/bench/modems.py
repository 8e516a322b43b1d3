"""A stand-in modem in a process of its own, and what it says afterwards: which parts reached which phones, when.

All who are measured get the same one: no radio delay, the report of a part as soon as the part is taken.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.rules.sms import segments
from tests.running import ROOT, until

ONE = (
    "CA TP: So {number} da duoc goi nhung vang mat. Moi bao lai tai quay 3 trong 30 phut. Tra loi HUY de huy."
)
THREE = (
    "Công an thành phố: số thứ tự {number} của ông bà đã được gọi nhưng vắng mặt. Kính mời ông bà báo lại tại "
    "quầy số ba trong vòng ba mươi phút, mang theo giấy tờ tuỳ thân. Trân trọng cảm ơn!"
)
PATTERNS: Mapping[int, str] = {1: ONE, 3: THREE}
"""How many parts a text of this pattern has, and the pattern: unaccented, and in Vietnamese letters."""


def text(parts: int, n: int) -> str:
    """The n-th text of so many parts."""
    made = PATTERNS[parts].format(number=f"{n:05d}")
    assert len(segments.split(made).parts) == parts
    return made


def phone(n: int) -> str:
    return f"+849051{n:05d}"


@dataclass(frozen=True)
class StandIn:
    """The port's link, the ledger of what went on the air, and the process, which is told of faults on its input."""

    link: Path
    ledger: Path
    process: subprocess.Popen

    def told(self, **what: Any) -> None:
        """As gateway.sandbox.modem describes it: `do="unplug", seconds=3`."""
        self.process.stdin.write(json.dumps(what).encode() + b"\n")
        self.process.stdin.flush()

    def taken(self) -> Sequence[Mapping[str, Any]]:
        """Every part that went on the air, in order."""
        return [row for row in self._rows() if row["event"] == "part"]

    def texts(self) -> Sequence[Mapping[str, Any]]:
        """Every whole text on a phone, in order."""
        return [row for row in self._rows() if row["event"] == "text"]

    def ended(self) -> Mapping[str, Any]:
        """Stop it; its last word: idle times (s), violations, doubled and orphaned parts."""
        self.process.communicate(b"stop\n", timeout=20)
        return next(row for row in self._rows() if row["event"] == "end")

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        if self.ledger.exists():
            for line in self.ledger.read_text(encoding="utf-8").splitlines():
                if line.endswith("}"):  # the last one may be half written
                    yield json.loads(line)


@contextmanager
def stand_in(folder: Path) -> Iterator[StandIn]:
    """A modem of one's own until the end of the block."""
    name = f"modem-{time.monotonic_ns()}"
    link, ledger = folder / name, folder / f"{name}.jsonl"
    words = [sys.executable, "-m", "gateway.sandbox.modem", link, "--delay", "0", "--ledger", ledger]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            list(map(str, words)), cwd=ROOT, stdin=subprocess.PIPE, stdout=log, stderr=log
        )
    try:
        until(lambda: os.path.exists(link) or process.poll() is not None, what="the modem's start")
        assert process.poll() is None, (folder / f"{name}.log").read_text()
        yield StandIn(link, ledger, process)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@contextmanager
def daemon(words: Sequence[object], log: Path) -> Iterator[subprocess.Popen]:
    """Another implementation's program until the end of the block, with whatever it started."""
    with log.open("wb") as said:
        pipes = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": said}
        process = subprocess.Popen(list(map(str, words)), start_new_session=True, **pipes)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def span(taken: Sequence[Mapping[str, Any]], parts: int) -> float:
    """Messages a second, from the first part on the air to the last: how long a program takes to start is left out."""
    seconds = taken[-1]["at"] - taken[0]["at"]
    return (len(taken) - 1) / max(seconds, 1e-6) / parts
