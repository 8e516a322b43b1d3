"""Telling somebody what must not be lost, in threads of its own.

Theory: who listens keeps it in a database, and a commit takes its time, sometimes a lot of it. The thread that owns
the port must not wait for that. What comes at the same time is told in one go where the listener can take many, so
that it is one commit. What the listener does not keep is told again, in halves, until it is: one thing that
can never be kept holds up nothing else for long.
"""

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any

log = logging.getLogger(__name__)

MOST = 10_000
"""What waits at most for a listener that keeps nothing; the oldest is given up then, and said so."""

_Batch = list[tuple[Any, Any]]


class Teller:
    """`tell` may be called by any thread; `threads` of them call the listener, one alone in order."""

    def __init__(
        self,
        name: str,
        listener: Callable[[Sequence[Any]], None],
        kept: Callable[[Any], None],
        *,
        threads: int = 1,
        at_once: int = 1,
        gather: float = 0.0,
        again: float = 5.0,
    ) -> None:
        """The listener gets `at_once` things at most. `kept` is called with what belongs to each, once it is kept.

        `gather`: seconds to wait for more after the first. `again`: seconds to the next try.
        """
        self._listener, self._kept, self._again = listener, kept, again
        self._at_once, self._gather = at_once, gather
        self._change = threading.Condition()
        self._waiting: deque[tuple[Any, Any]] = deque()
        self._later: list[tuple[float, int, _Batch]] = []
        self._count, self._closing = itertools.count(), False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-tells", daemon=True) for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How much nobody has been told yet."""
        return len(self._waiting)

    def tell(self, thing: Any, belonging: Hashable = None) -> None:
        with self._change:
            self._waiting.append((thing, belonging))
            if len(self._waiting) > MOST:
                self._waiting.popleft()
                log.error("nobody keeps what the modem says: the oldest of %s is lost", MOST)
            if len(self._waiting) == 1 or self._at_once == 1:
                self._change.notify()

    def close(self) -> None:
        """Ends when everything has been told once more."""
        with self._change:
            self._closing = True
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while batch := self._next():
            if self._told([thing for thing, _ in batch]):
                for _, belonging in batch:
                    self._kept(belonging)
            else:
                self._put_off(batch)

    def _next(self) -> _Batch:
        """What is to be told now; nothing at the end."""
        with self._change:
            while True:
                if self._later and (self._closing or self._later[0][0] <= time.monotonic()):
                    return heapq.heappop(self._later)[2]
                if self._waiting:
                    if self._gather:
                        self._change.wait_for(lambda: self._closing, self._gather)
                    count = min(self._at_once, len(self._waiting))
                    return [self._waiting.popleft() for _ in range(count)]
                if self._closing:
                    return []
                wait = self._later[0][0] - time.monotonic() if self._later else None
                self._change.wait(None if wait is None else max(0.0, wait))

    def _put_off(self, batch: _Batch) -> None:
        middle = (len(batch) + 1) // 2
        with self._change:
            if self._closing:  # a listener that fails now would only hold up the end
                self._waiting.clear()
                self._later.clear()
                return
            due = time.monotonic() + self._again
            for half in filter(None, (batch[:middle], batch[middle:])):
                heapq.heappush(self._later, (due, next(self._count), half))

    def _told(self, things: list[Any]) -> bool:
        """Somebody else's code: its faults are logged, and are not ours."""
        try:
            self._listener(things)
        except Exception as fault:
            # Its words may hold what the person wrote, or who they are.
            log.warning("modem: not kept, told again in %s s: %s", self._again, type(fault).__name__)
            return False
        return True
