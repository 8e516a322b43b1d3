"""What one measured process says: it is ready, waits for the word, works, and prints what it took.

Starting Python and importing the product is not what is measured, so all of it comes before "ready".
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable


def told(work: Callable[[], None]) -> None:
    """Do it at the word; {"seconds", "cpu" in seconds of this process, "rss" in MB at its highest}."""
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, began = time.process_time(), time.perf_counter()
    work()
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024
    print(json.dumps({"seconds": seconds, "cpu": spent, "rss": rss}), flush=True)
