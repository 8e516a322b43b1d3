"""A station in one process: real web server, real worker, real stand-ins, all on free ports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine, select

from gateway import config as configuration
from gateway import connections, consent, database, example, registrations, tables
from gateway.rules import hours
from gateway.rules.lifecycle.notice import FINAL
from gateway.rules.settings import Settings
from gateway.sandbox import arrangement, server
from gateway.web import app as web_app
from gateway.web import language, serving
from gateway.worker import Worker
from tests import running
from tests.conftest import free_port

SAMPLE = Path(__file__).parents[2] / "config.toml"


def words(tongue: str, text: str) -> str:
    return language.catalogue(tongue).gettext(text)


def until(true: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for something to become true; its value."""
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return value


@pytest.fixture(name="until")
def _until() -> Callable[..., Any]:
    return until


@dataclass
class Town:
    """The example station, running in this process."""

    config: Settings
    engine: Engine
    sandbox: server.Sandbox
    now: Callable[[], int] = web_app.seconds_now
    _running: ExitStack = field(default_factory=ExitStack)

    def serve(self) -> None:
        self.web = serving.Server(web_app.create_app(self.config, self.engine), self.config)
        self.web.start()
        self._running.callback(self.web.stop)

    def work(self) -> Worker:
        channels = connections.channels(self.config, self.engine, self.now)
        worker = Worker(self.engine, self.config, channels, words, self.now)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()

        def end() -> None:
            worker.stop()
            thread.join(timeout=20)
            for channel in channels.values():
                channel.close()

        self._running.callback(end)
        return worker

    def register(self, *people: tuple[str, str], days: int = 1, site: str = "TK1") -> list[str]:
        """Register (name, phone) each alone for a day from today; their registrations' tokens."""
        day = hours.day_of(self.now(), self.config.station.zone) + timedelta(days=days)
        made = []
        with database.writing(self.engine) as session:
            for name, number in people:
                asked = registrations.Request(
                    name, number, (registrations.Person(name, "new"),), "đồng ý", site=site, day=day
                )
                outcome = registrations.register(session, asked, self.config, self.now())
                assert isinstance(outcome, tables.Registration), outcome
                made.append(outcome.token)
        return made

    def number(self, days: int = 1) -> int:
        """Give that day's numbers; how many notices were planned."""
        day = hours.day_of(self.now(), self.config.station.zone) + timedelta(days=days)
        told = 0
        with database.writing(self.engine) as session:
            for shift in registrations.shifts_of(session, day):
                told += registrations.give_numbers(session, shift.id, self.config, self.now()).notices
        return told

    def fault(self, name: str, phone: str | None = None, on: bool = True) -> None:
        asked = {"phone": phone, "fault": name, "on": on}
        requests.post(f"{self.sandbox.url}/faults", json=asked, timeout=5).raise_for_status()

    def messages(self, phone: str) -> list[dict[str, Any]]:
        phones = requests.get(f"{self.sandbox.url}/phones", timeout=5).json()["phones"]
        return next((one["messages"] for one in phones if one["phone"] == phone), [])

    def notices(self) -> dict[str, tuple[str, str]]:
        """Phone → (state, reason)."""
        with database.reading(self.engine) as session:
            return {row.phone: (row.state, row.reason) for row in session.scalars(select(tables.Notice))}

    def attempts(self, phone: str) -> list[tuple[str, str]]:
        """(channel, state) of a phone's attempts in order."""
        wanted = select(tables.Attempt).join(tables.Notice, tables.Notice.id == tables.Attempt.notice_id)
        wanted = wanted.where(tables.Notice.phone == phone).order_by(tables.Attempt.at, tables.Attempt.rung)
        with database.reading(self.engine) as session:
            return [(one.channel, one.state) for one in session.scalars(wanted)]

    def settled(self) -> bool:
        """Whether every notice has ended."""
        found = self.notices()
        return bool(found) and all(state in FINAL for state, _ in found.values())

    def close(self) -> None:
        self._running.close()


@pytest.fixture
def make_town(tmp_path: Path) -> Iterator[Callable[..., Town]]:
    """`make_town(url=…, GATEWAY_…=…)`: a station with its stand-ins; call `serve` and `work` on it."""
    made: list[Town] = []

    def make(url: str | None = None, **overrides: str) -> Town:
        port = free_port()
        environ = {
            "GATEWAY_WEB__PORT": str(port),
            "GATEWAY_WEB__BASE_URL": f"http://127.0.0.1:{port}",
            "GATEWAY_WEB__SECRET_KEY_FILE": str(tmp_path / "web_secret_key"),
            "GATEWAY_DATABASE__URL": url or f"sqlite:///{tmp_path / 'gateway.db'}",
            "GATEWAY_STATION__TIMEZONE": running.morning_zone(),  # or the timetable gives the numbers itself
            "GATEWAY_TIMETABLE__QUIET_FROM": "00:00",
            "GATEWAY_TIMETABLE__QUIET_UNTIL": "00:00",
            "GATEWAY_SANDBOX__FOLDER": str(tmp_path / "sandbox"),
            "GATEWAY_SANDBOX__RECEIPT_DELAY": "0.05",
            "GATEWAY_SMS__MODEM__URL": f"serial://{tmp_path / 'sandbox' / 'modem'}?baud=115200",
            "GATEWAY_SMS__MODEM__PER_MINUTE": "100000",
            "GATEWAY_ZALO__TOKEN_KEY_FILE": str(tmp_path / "zalo_token_key"),
            "GATEWAY_ZALO__PKCE_VERIFIER_FILE": str(tmp_path / "zalo_pkce_verifier"),
            **{f"GATEWAY_{name.upper()}": "secret-" + name for name in SECRETS},
            **overrides,
        }
        made.append(_opened(environ))
        return made[-1]

    yield make
    for town in reversed(made):
        town.close()


SECRETS = (
    "zalo__app_secret",
    "zalo__webhook_secret",
    "sms__esms__api_key",
    "sms__esms__secret_key",
    "sms__esms__callback_secret",
)


def _opened(environ: dict[str, str]) -> Town:
    running = ExitStack()
    config = configuration.load(SAMPLE, environ)
    options = arrangement.options(config, lambda name: configuration.secret(config, name) or "")
    options = replace(options, port=0, printer_port=None)
    sandbox = server.Sandbox(options)
    sandbox.start()
    running.callback(sandbox.stop)
    for key in ("ZALO__OAUTH_BASE", "ZALO__OA_BASE", "ZALO__BUSINESS_BASE", "SMS__ESMS__BASE"):
        environ[f"GATEWAY_{key}"] = sandbox.url
    config = configuration.load(SAMPLE, environ)
    engine = database.connect(config.database.url)
    running.callback(engine.dispose)
    database.migrate(engine)
    now = web_app.seconds_now()
    with database.writing(engine) as session:
        example.load(session, config, now)
        pair = requests.get(f"{sandbox.url}/tools/token", timeout=5).json()
        grant = (pair["access_token"], pair["refresh_token"], 90_000)
        consent.finish(session, config, grant, "test", now)
    return Town(config, engine, sandbox, _running=running)
