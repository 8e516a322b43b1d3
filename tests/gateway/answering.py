"""A provider that answers what it is told to, in turn, and remembers what it was asked; and a store of tokens."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest


class Host:
    """`answers` are documents, or (status, document); the last is given again and again. `asked` are (path,
    headers, octets)."""

    def __init__(self) -> None:
        self.answers, self.asked, host = [], [], self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                host.asked.append((self.path, dict(self.headers), self.rfile.read(length)))
                answer = host.answers.pop(0) if len(host.answers) > 1 else host.answers[0]
                status, document = answer if isinstance(answer, tuple) else (200, answer)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def bodies(self):
        return [json.loads(body) for _, _, body in self.asked]

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Tokens:
    """Gives its tokens one after the other; `renewed` says which were found dead."""

    def __init__(self, *tokens: str) -> None:
        self.tokens, self.renewed = list(tokens), []

    def current(self) -> str:
        return self.tokens[0]

    def renew(self, used: str) -> str:
        self.renewed.append(used)
        del self.tokens[0]
        return self.tokens[0]


@pytest.fixture
def host():
    host = Host()
    yield host
    host.stop()
