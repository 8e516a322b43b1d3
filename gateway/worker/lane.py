"""luồng gửi: the threads that hand over a channel's tasks, urgent ones first."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from gateway.notices import Task

log = logging.getLogger(__name__)
Entry = tuple[int, int, Task | None]


class Lane:
    """Up to `concurrency` threads that call `hand_over(task)`; tasks that wait go by urgency, then in order.

    One thread owns the lane (`put`, `resize`, `drained`, `end`); `held` may be read by any.
    """

    def __init__(self, name: str, concurrency: int, hand_over: Callable[[Task], Any]):
        self._name, self._hand_over = name, hand_over
        self._waiting: queue.PriorityQueue[Entry] = queue.PriorityQueue()
        self._order = itertools.count()
        self._threads: list[threading.Thread] = []
        self._wanted = 0
        self.resize(concurrency)

    @property
    def concurrency(self) -> int:
        return self._wanted

    @property
    def waiting(self) -> int:
        """How many tasks no thread has taken yet."""
        return self._waiting.qsize()

    def put(self, task: Task) -> None:
        self._waiting.put((0 if task.urgent else 1, next(self._order), task))

    def resize(self, concurrency: int) -> None:
        """Use so many threads from now on; those beyond it end when they have handed over what they hold."""
        while self._wanted < concurrency:
            name = f"lane-{self._name}-{self._wanted}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._wanted += 1
            self._threads.append(thread)
            thread.start()
        for _ in range(self._wanted - concurrency):
            self._waiting.put((-1, next(self._order), None))  # before everything else: one thread goes home
        self._wanted = concurrency
        self._threads = [one for one in self._threads if one.is_alive()]

    def drained(self) -> list[Task]:
        """Take back what no thread has begun."""
        taken = []
        while True:
            try:
                _, _, task = self._waiting.get_nowait()
            except queue.Empty:
                return taken
            if task is not None:
                taken.append(task)

    def end(self) -> None:
        """Wait until every thread has handed over what it holds."""
        living = [one for one in self._threads if one.is_alive()]
        for _ in living:  # also for those whose own mark was drained with the tasks
            self._waiting.put((-1, next(self._order), None))
        self._wanted = 0
        for thread in living:
            thread.join()

    def _run(self) -> None:
        while True:
            _, _, task = self._waiting.get()
            if task is None:
                return
            try:
                self._hand_over(task)
            except Exception:  # the lane must live: a thread that is gone is missed by nobody
                log.exception("a task of lane %s broke its thread's turn", self._name)
