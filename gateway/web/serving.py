"""The HTTP server: cheroot, one thread a request.

A live page holds its thread for as long as it is open, so the pool grows while few threads are idle; an idle
thread costs some tens of kilobytes.
"""

from __future__ import annotations

import threading

from cheroot import wsgi
from flask import Flask

from gateway.rules.settings import Settings

SPARE = 8
LOOK_SECONDS = 0.25
MOST_THREADS = 4_000


class Server:
    """Serves `app` until `stop`; `stop` ends open streams first, or they would hold the server."""

    def __init__(self, app: Flask, config: Settings):
        self._hub = app.extensions["gateway"].hub
        self._inbox = app.extensions["gateway"].inbox
        self._http = wsgi.Server(
            (config.web.host, config.web.port),
            app,
            numthreads=config.web.threads,
            max=MOST_THREADS,
            request_queue_size=256,
            timeout=20,
            shutdown_timeout=5,
            server_name="gateway",
        )
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Bind and serve in threads of its own; OSError where the port is taken."""
        self._http.prepare()
        self._hub.start()
        for name, target in (("http", self._http.serve), ("http-pool", self._keep_spare)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _keep_spare(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            idle = self._http.requests.idle
            if idle < SPARE:
                self._http.requests.grow(2 * SPARE)

    def stop(self) -> None:
        self._done.set()
        self._hub.stop()
        self._inbox.stop()
        self._http.stop()
        for thread in self._threads:
            thread.join(timeout=5)
