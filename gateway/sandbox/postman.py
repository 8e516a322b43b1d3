"""What the stand-ins do later: webhooks, callbacks and status reports, again when nobody took them."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

log = logging.getLogger(__name__)

LADDER = (0.5, 2.0, 5.0, 15.0, 30.0)
"""Seconds before each repeat; Zalo's own ladder is thirty seconds to an hour."""

SLOWEST = 2.0
"""Seconds a receiver may take, as with Zalo."""


class Postman:
    """One thread that knows when, a few that deliver."""

    def __init__(self, threads: int = 8) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="postman")
        self._thread = threading.Thread(target=self._run, name="postman", daemon=True)
        self._thread.start()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), call))
            self._changed.notify()

    def until_taken(
        self, seconds: float, attempt: Callable[[], bool], ladder: tuple[float, ...] = LADDER
    ) -> None:
        """Calls `attempt` later, and again by the ladder as long as it answers False."""

        def once() -> None:
            if not attempt() and ladder:
                self.until_taken(ladder[0], attempt, ladder[1:])

        self.later(seconds, once)

    def ask(self, method: str, url: str, **words) -> bool:
        """One HTTP request to the gateway; True when it answers 200 in time."""
        try:
            session = self._session()
            with session.request(method, url, timeout=SLOWEST, allow_redirects=False, **words) as response:
                return response.status_code == 200
        except requests.RequestException as fault:
            log.info("sandbox: %s not taken: %s", method, type(fault).__name__)
            return False

    def stop(self) -> None:
        """What is not due yet is forgotten."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            # Straight to the loopback, whatever proxy the machine is told to use.
            self._local.session.trust_env = False
        return self._local.session

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._stopped:
                    return
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._changed.wait(self._due[0][0] - now if self._due else None)
                    continue
                call = heapq.heappop(self._due)[2]
            self._pool.submit(_guarded, call)


def _guarded(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception:
        log.exception("sandbox: a delivery failed")
