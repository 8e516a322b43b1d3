"""A provider that answers what a test gives it, one answer after the other, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Scripted:
    """`answers`: documents, texts, or (status, document or text[, headers]); the last one is given for ever."""

    def __init__(self, *answers):
        self._answers, self._lock = list(answers), threading.Condition()
        self.asked = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def heard(self, count):
        """What was asked, once there are `count` of them."""
        with self._lock:
            assert self._lock.wait_for(lambda: len(self.asked) >= count, 20)
            return list(self.asked)

    def _next(self, asked):
        with self._lock:
            self.asked.append(asked)
            self._lock.notify_all()
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, tuple) else (200, answer)

    def _handler(self):
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                status, said, *headers = scripted._next((self.command, self.path, dict(self.headers), body))
                octets = (said if isinstance(said, str) else json.dumps(said)).encode()
                self.send_response(status)
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(octets)))
                self.end_headers()
                self.wfile.write(octets)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def scripted():
    running = []

    def start(*answers):
        running.append(Scripted(*answers))
        return running[-1]

    yield start
    for one in running:
        one.stop()
