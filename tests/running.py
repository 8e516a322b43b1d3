"""The program's own processes on free ports and a folder of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import sqlalchemy

from gateway import access, consent, database, example
from gateway import config as configuration
from gateway.rules.settings import Settings
from tests import warm
from tests.conftest import free_port

ROOT = Path(__file__).parents[1]
SECRETS = {
    "GATEWAY_ZALO__APP_SECRET": "test-app-secret",
    "GATEWAY_ZALO__WEBHOOK_SECRET": "test-webhook-secret",
    "GATEWAY_SMS__ESMS__API_KEY": "test-api-key",
    "GATEWAY_SMS__ESMS__SECRET_KEY": "test-secret-key",
    "GATEWAY_SMS__ESMS__CALLBACK_SECRET": "test-callback-secret",
}


def until(true: Callable[[], Any], seconds: float = 30.0, what: str = "it") -> Any:
    """Wait for something to become true; its value."""
    end, pause = time.monotonic() + seconds, 0.01
    while not (value := true()):
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(pause)
        pause = min(0.1, pause * 1.2)
    return value


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).status_code < 400
    except requests.RequestException:
        return False


@dataclass
class Running:
    """A station's environment and the processes that run in it."""

    folder: Path
    environ: dict[str, str]
    processes: dict[str, Any] = field(default_factory=dict)
    forked: bool = False
    """Whether processes come from `tests.warm`, in a hundredth of the time, and not as an operator starts them."""

    @property
    def config(self) -> Settings:
        return configuration.load(ROOT / "config.toml", self.environ)

    def command(
        self, *words: str, program: str = "gateway", check: bool = True
    ) -> subprocess.CompletedProcess:
        """Run `python -m gateway …` to its end; what it printed."""
        done = (warm.run if self.forked else self._run)(program, words, self.environ)
        assert not check or done.returncode == 0, done.stderr[-2_000:]
        return done

    @staticmethod
    def _run(program: str, words: tuple[str, ...], environ: Mapping[str, str]) -> subprocess.CompletedProcess:
        call = [sys.executable, "-m", program, *words]
        return subprocess.run(call, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)

    def start(self, name: str, *words: str, program: str = "gateway", alive: str, **environ: str) -> Any:
        """Start a process in a session of its own and wait until `alive` answers."""
        process = self.spawn(name, *words, program=program, **environ)
        until(lambda: process.poll() is not None or answers(alive), 90, what=f"the start of {name}")
        assert process.poll() is None, (self.folder / f"{name}.log").read_text()[-2_000:]
        return process

    def spawn(self, name: str, *words: str, program: str = "gateway", **environ: str) -> Any:
        """Start a process in a session of its own."""
        with (self.folder / f"{name}.log").open("ab") as log, open(os.devnull) as nothing:
            files, whole = (nothing.fileno(), log.fileno(), log.fileno()), {**self.environ, **environ}
            if self.forked:
                process = warm.starter().start(program, words, whole, files)
            else:
                process = self._popen([sys.executable, "-m", program, *words], whole, files)
        self.processes[name] = process
        return process

    @staticmethod
    def _popen(words: list[str], environ: Mapping[str, str], files: tuple[int, int, int]) -> subprocess.Popen:
        stdin, stdout, stderr = files
        return subprocess.Popen(
            words, cwd=ROOT, env=environ, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True
        )

    def sandbox(self) -> None:
        self.start("sandbox", "sandbox", alive=f"{self.sandbox_url}/phones")

    def serve(self) -> None:
        self.start("serve", "serve", alive=f"{self.url}/readyz")

    def kiosk(self) -> None:
        status = f"{self.kiosk_url}/status"
        self.start("kiosk", "run", program="kiosk", alive=status)
        until(
            lambda: requests.get(status, timeout=5).json()["services"],
            what="the kiosk's first word of the gateway",
        )

    def kill(self, name: str) -> None:
        """kill -9, of the whole session."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> int:
        """SIGTERM; the exit code."""
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(timeout=20)

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    @property
    def url(self) -> str:
        return self.environ["GATEWAY_WEB__BASE_URL"]

    @property
    def sandbox_url(self) -> str:
        return f"http://127.0.0.1:{self.environ['GATEWAY_SANDBOX__PORT']}"

    @property
    def kiosk_url(self) -> str:
        return f"http://127.0.0.1:{self.environ['GATEWAY_KIOSK__PORT']}"

    def settle(self) -> None:
        """The schema and the example station."""
        with self._opened() as engine:
            database.migrate(engine)
            with database.writing(engine) as session:
                assert example.load(session, self.config, int(time.time()))

    @contextmanager
    def _opened(self) -> Iterator[sqlalchemy.Engine]:
        engine = database.connect(self.config.database.url)
        try:
            yield engine
        finally:
            engine.dispose()

    def connect_zalo(self) -> None:
        """With the pair from Zalo's tool page."""
        _, access_token, _, refresh_token = self.tokens()
        with self._opened() as engine, database.writing(engine) as session:
            grant = (access_token, refresh_token, 3_600)
            consent.finish(session, self.config, grant, "operator", int(time.time()))

    def tokens(self) -> tuple[str, str, str, str]:
        """The pair from Zalo's tool page, as words of a command."""
        pair = requests.get(f"{self.sandbox_url}/tools/token", timeout=5).json()
        return "--access", pair["access_token"], "--refresh", pair["refresh_token"]

    def phones(self) -> Mapping[str, list[dict[str, Any]]]:
        """Every phone's messages in the sandbox."""
        found = requests.get(f"{self.sandbox_url}/phones", timeout=5).json()["phones"]
        return {one["phone"]: one["messages"] for one in found}

    def key(self, name: str = "test", scope: str = "staff") -> requests.Session:
        """A session that carries a program's key."""
        found = requests.Session()
        with self._opened() as engine, database.writing(engine) as session:
            key = access.add_api_key(session, name, scope, int(time.time()))
        found.headers["Authorization"] = f"Bearer {key}"
        return found


def environment(folder: Path, database: str | None = None, forked: bool = False, **overrides: str) -> Running:
    """Everything under `folder`, every port free, a clock on the wall that shows working hours."""
    web, kiosk, sandbox, printer = (str(free_port()) for _ in range(4))
    base = f"http://127.0.0.1:{sandbox}"
    environ = {
        **os.environ,
        **SECRETS,
        "GATEWAY_CONFIG": str(ROOT / "config.toml"),
        "GATEWAY_STATION__TIMEZONE": morning_zone(),
        "GATEWAY_TIMETABLE__QUIET_FROM": "00:00",
        "GATEWAY_TIMETABLE__QUIET_UNTIL": "00:00",
        "GATEWAY_DATABASE__URL": database or f"sqlite:///{folder / 'gateway.db'}",
        "GATEWAY_WEB__PORT": web,
        "GATEWAY_WEB__BASE_URL": f"http://127.0.0.1:{web}",
        "GATEWAY_WEB__SECRET_KEY_FILE": str(folder / "web_secret_key"),
        "GATEWAY_ZALO__TOKEN_KEY_FILE": str(folder / "zalo_token_key"),
        "GATEWAY_ZALO__PKCE_VERIFIER_FILE": str(folder / "zalo_pkce_verifier"),
        "GATEWAY_ZALO__OAUTH_BASE": base,
        "GATEWAY_ZALO__OA_BASE": base,
        "GATEWAY_ZALO__BUSINESS_BASE": base,
        "GATEWAY_SMS__ESMS__BASE": base,
        "GATEWAY_SMS__MODEM__URL": f"serial://{folder / 'sandbox' / 'modem'}?baud=115200",
        "GATEWAY_SANDBOX__PORT": sandbox,
        "GATEWAY_SANDBOX__PRINTER_PORT": printer,
        "GATEWAY_SANDBOX__FOLDER": str(folder / "sandbox"),
        "GATEWAY_SANDBOX__RECEIPT_DELAY": "0.1",
        "GATEWAY_KIOSK__GATEWAY": f"http://127.0.0.1:{web}",
        "GATEWAY_KIOSK__PORT": kiosk,
        "GATEWAY_KIOSK__FOLDER": str(folder / "kiosk"),
        "GATEWAY_PRINTER__URL": f"tcp://127.0.0.1:{printer}",
        **overrides,
    }
    return Running(folder, environ, forked=forked)


def morning_zone() -> str:
    """A time zone in which it is between eight and nine now, so that no test depends on the hour it runs at."""
    ahead = (8 - time.gmtime().tm_hour) % 24
    east = ahead if ahead <= 14 else ahead - 24
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"
