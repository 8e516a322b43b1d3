"""What one measured process says: it is ready, waits for the word, works, and prints what it took.

Starting Python and importing the product is not what is measured, so all of it comes before "ready".
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def told(work: Callable[[], None]) -> None:
    """Do it at the word; {"seconds", "cpu" in seconds of this process, "rss" in MB at its highest}."""
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, began = time.process_time(), time.perf_counter()
    work()
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": spent, "rss": _highest()}), flush=True)


def _highest() -> float:
    """getrusage's figure would begin with the parent's: a fork has its pages (proc(5), VmHWM has not)."""
    rows = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(row.split()[1]) / 1_024 for row in rows if row.startswith("VmHWM:"))
