"""A kiosk in a folder, and the gateway as a kiosk sees it: a real HTTP server that can lose its answers."""

import contextlib
import json
import os
import signal
import socket
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from gateway.sandbox import printer
from kiosk import clock, journal, paper, press, state
from tests import warm

ROOT = Path(__file__).parents[2]
HEADERS = {"X-Requested-With": "kiosk"}
NOON = datetime(2026, 11, 24, 5, 0, tzinfo=UTC).timestamp()  # 12:00 in Vietnam


def told(now: float, **changes) -> dict:
    """The gateway's answer about an open station, at `now` (epoch s)."""
    def hours(shift):
        return clock.rfc3339(now + timedelta(hours=shift).total_seconds())

    return {
        "kiosk": {"name": "K1", "series": "B"},
        "site": {"code": "TK1", "name": "Trụ sở 1", "address": "12 Lê Lợi", "place": "Tầng 1, 12 Lê Lợi"},
        "services": [
            {"code": "new", "name": {"vi": "Cấp căn cước lần đầu", "en": "First identity card"}},
            {"code": "renew", "name": {"vi": "Đổi thẻ căn cước", "en": "Renew identity card"}},
            {"code": "replace", "name": {"vi": "Cấp lại thẻ căn cước", "en": "Replace a lost card"}},
            {"code": "residence", "name": {"vi": "Đăng ký cư trú", "en": "Register residence"}},
        ],
        "shift": {"open": True, "opens_at": hours(-4), "closes_at": hours(4), "reason": None},
        "queue": {"version": 1, "waiting": 12, "ahead": {"new": 5, "renew": 0},
                  "eta": {"new": [hours(1), hours(1.1)]}},
        "base_url": "http://127.0.0.1:8080",
        "server_time": clock.rfc3339(now),
        **changes,
    }  # fmt: skip


class Machine:
    """A machine's clocks that a test moves."""

    def __init__(self, wall: float = NOON):
        self.reading = clock.Reading(wall, 1000.0, "boot-1", synced=True)

    def __call__(self) -> clock.Reading:
        return self.reading

    def pass_(self, seconds: float) -> None:
        now = self.reading
        self.reading = replace(now, wall=now.wall + seconds, monotonic=now.monotonic + seconds)

    def set(self, wall: float, **changes) -> None:
        self.reading = replace(self.reading, wall=wall, **changes)


class Recorder:
    """A spool that only remembers what it was given, each key once, as the real one does."""

    def __init__(self):
        self.tickets = {}
        self.submissions = 0

    def submit(self, key, ticket, copy=1, *, now):
        self.submissions += 1
        self.tickets.setdefault(key, ticket)


class Kiosk:
    """Journal, clock and desk in a folder, without page, printer and gateway."""

    def __init__(self, folder, machine, spool=None, document=None, **options):
        self.machine, self.spool = machine, spool or Recorder()
        self.clock = clock.Clock(source=machine)
        self.book = journal.Journal(folder, **options.pop("book", {}))
        self.trail = paper.Trail(self.book, self.clock)
        now = machine.reading
        self.known = state.Known(state.parse(document or told(now.wall)), now.monotonic)
        place = press.Place("Công an phường Bến Nghé", options.pop("series", "B"), lockout=2.0)
        self.desk = press.Desk(
            self.book, self.spool, self.clock, place,
            trail=self.trail, known=lambda: self.known, **options,
        )  # fmt: skip

    def press(self, service="new", **order):
        return self.desk.press(press.Order(service, **order))

    def events(self, kind=paper.ISSUED):
        return [record.event for record in self.book.records if record.event["type"] == kind]


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def kiosk_in():
    """kiosk_in(folder, machine, …): a kiosk; as many as wanted, all closed at the end."""
    made = []

    def make(folder, machine, **options):
        made.append(Kiosk(folder, machine, **options))
        return made[-1]

    yield make
    for kiosk in made:
        with contextlib.suppress(OSError):  # the test closed it itself
            kiosk.book.close()


class Gateway:
    """The gateway's three kiosk calls on a loopback port. What it stores is in `events`, by seq.

    Its clock stands at `at`; without one it is this machine's.
    """

    def __init__(self, port: int = 0, at: float | None = None):
        self.key, self.at = "key-of-k1", at
        self.state = told(self.now())
        self.events: dict[int, dict] = {}
        self.posts: list[dict] = []
        self.lose_answers = 0  # so many answers to events are cut off after everything was stored
        self.refuse: dict[int, str] = {}
        self.clocks: list[dict] = []
        self.changed = threading.Condition()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                gateway._get(self)

            def do_POST(self):
                gateway._post(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def _get(self, call):
        if call.headers.get("Authorization") != f"Bearer {self.key}":
            return self._answer(call, 401, {"title": "Unauthorized", "status": 401})
        return self._answer(call, 200, {**self.state, "server_time": clock.rfc3339(self.now())})

    def now(self) -> float:
        return datetime.now(UTC).timestamp() if self.at is None else self.at

    def _post(self, call):
        body = json.loads(call.rfile.read(int(call.headers["Content-Length"])))
        if call.path == "/api/v1/kiosks/enrol":
            if body == {"code": "right-code"}:
                given = {"kiosk": "K1", "key": self.key, "series": "B", "site": "TK1"}
                return self._answer(call, 200, given)
            return self._answer(call, 403, {"title": "Forbidden", "detail": "the code is used or wrong"})
        with self.changed:
            self.posts.append(body)
            self.clocks.append(body["clock"])
            for event in body["events"]:
                self.events.setdefault(event["seq"], event)
            self.changed.notify_all()
            lose, self.lose_answers = self.lose_answers > 0, max(0, self.lose_answers - 1)
        if lose:
            call.close_connection = True
            return call.connection.shutdown(socket.SHUT_RDWR)
        seqs = [event["seq"] for event in body["events"] if event["seq"] in self.refuse]
        refused = [{"seq": seq, "why": self.refuse[seq]} for seq in seqs]
        return self._answer(call, 200, {"acked": self.acked, "refused": refused})

    @property
    def acked(self):
        n = 0
        while n + 1 in self.events:
            n += 1
        return n

    def issued(self):
        return [event for _, event in sorted(self.events.items()) if event["type"] == paper.ISSUED]

    def wait(self, done, timeout=30):
        with self.changed:
            assert self.changed.wait_for(lambda: done(self), timeout)

    def _answer(self, call, status, document):
        raw = json.dumps(document).encode()
        call.send_response(status)
        call.send_header("Content-Type", "application/json")
        call.send_header("Content-Length", str(len(raw)))
        call.end_headers()
        call.wfile.write(raw)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def gateways():
    """gateways(port=0, at=None): starts a gateway stand-in; all are stopped at the end."""
    made = []

    def start(port=0, at=None):
        made.append(Gateway(port, at))
        return made[-1]

    yield start
    for gateway in made:
        gateway.stop()


@pytest.fixture
def free_port():
    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


class Station:
    """A folder with a config.toml, and the kiosk's commands run in it."""

    def __init__(self, folder, gateway, printer_url, port, **kiosk):
        self.folder, self.port, self.running = folder, port, None
        lines = {"gateway": gateway, "port": port, "folder": str(folder / "kiosk"), **kiosk}
        text = "[station]\nname = 'Công an phường Bến Nghé'\n[kiosk]\n"
        text += "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items())
        text += f"[printer]\nurl = {json.dumps(printer_url)}\nprofile = 'TM-T20II'\n"
        (folder / "config.toml").write_text(text, encoding="utf-8")

    @property
    def environ(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        return {**kept, "PYTHONPATH": str(ROOT)}

    def command(self, *words):
        """(exit code, standard output, standard error)"""
        done = warm.run("kiosk", words, self.environ, self.folder)
        return done.returncode, done.stdout, done.stderr

    def start(self):
        """Start `kiosk run`; returns when the page answers."""
        reads, writes = os.pipe()
        self.said = os.fdopen(reads)
        with (self.folder / "kiosk.log").open("ab") as log, open(os.devnull) as nothing:
            files = (nothing.fileno(), writes, log.fileno())
            self.running = warm.starter().start("kiosk", ("run",), self.environ, files, self.folder)
        os.close(writes)
        line = self.said.readline().strip()
        assert line == f"http://127.0.0.1:{self.port}/", (self.folder / "kiosk.log").read_text()

    def end(self, number=signal.SIGTERM):
        """The exit code after the signal."""
        self.running.send_signal(number)
        code = self.running.wait(30)
        self.said.close()
        self.running = None
        return code

    def press(self, press_id=None, **order):
        body = {"service": "new", "press_id": press_id, **order}
        return requests.post(f"http://127.0.0.1:{self.port}/press", json=body, headers=HEADERS, timeout=10)

    def status(self):
        return requests.get(f"http://127.0.0.1:{self.port}/status", timeout=10).json()

    def until(self, true, seconds=30):
        """Ask for the status until it is as wanted."""
        end = time.monotonic() + seconds
        while not true(found := self.status()):
            assert time.monotonic() < end, found
        return found

    def records(self):
        return journal.read(self.folder / "kiosk" / "journal" / "K1")[0]


@pytest.fixture
def paper_printer(tmp_path):
    made = printer.PrinterStandIn(tmp_path / "tickets", port=0)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def station_in():
    return Station


@pytest.fixture
def station(tmp_path, gateways, paper_printer, free_port):
    """A station whose kiosk is enrolled, with a real printer stand-in and a gateway."""
    gateway = gateways()
    made = Station(tmp_path, gateway.url, paper_printer.url, free_port())
    made.gateway, made.printer = gateway, paper_printer
    code, out, err = made.command("enrol", gateway.url, "right-code")
    assert code == 0, err
    yield made
    if made.running:
        made.end(signal.SIGKILL)
