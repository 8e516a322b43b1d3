"""A whole station on one machine, for looking around: gateway, kiosk and the sandbox's stand-ins.

Each is a process of its own, started in order and watched; Ctrl-C, or the end of this process for any
reason, ends them all.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests
from sqlalchemy import Engine, select

from gateway import access, consent, database, example, tables
from gateway import config as configuration
from gateway.rules.settings import Settings

SECRETS = (
    "zalo.app_secret",
    "zalo.webhook_secret",
    "sms.esms.api_key",
    "sms.esms.secret_key",
    "sms.esms.callback_secret",
    "sms.speedsms.token",
    "sms.speedsms.callback_secret",
)
ACCOUNTS = (("admin", "quantri"), ("officer", "chihuy"), ("staff", "canbo"))
START_SECONDS = 30
STOP_SECONDS = 10
# A newcomer tries things in the evening too; a real station keeps its quiet hours
BY_NIGHT_TOO = {"GATEWAY_TIMETABLE__QUIET_FROM": "00:00", "GATEWAY_TIMETABLE__QUIET_UNTIL": "00:00"}
PR_SET_PDEATHSIG = 1


class Trouble(Exception):
    """The station cannot start; the text says why and what to do."""


@dataclass(frozen=True)
class Part:
    """A process of the station: its name, its command and the address that answers when it is up."""

    name: str
    words: tuple[str, ...]
    alive: str


def logins_file(config: Settings) -> Path:
    return Path(config.sandbox.folder) / "logins.json"


def prepare(config: Settings, engine: Engine, now: int) -> None:
    """Secrets, schema, the example's rows and accounts: what is missing is made, what is there stays."""
    for name in SECRETS:
        configuration.own_secret(config, name)
    database.migrate(engine)
    with database.writing(engine) as session:
        example.load(session, config, now)
        known = set(session.scalars(select(tables.Staff.name)))
        fresh = [
            (role, name, access.add_staff(session, name, role, now))
            for role, name in ACCOUNTS
            if name not in known
        ]
    if fresh:
        path = logins_file(config)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(fresh), encoding="utf-8")
        path.chmod(0o600)


def logins(config: Settings) -> list[tuple[str, str, str]]:
    """(role, name, password) of the example's accounts, for the sandbox's page."""
    try:
        return [tuple(one) for one in json.loads(logins_file(config).read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return []


def run(
    config: Settings, config_path: Path, engine: Engine, now: Callable[[], int], say: Callable[[str], None]
) -> None:
    """Start everything, say where it is, and stay until SIGINT or SIGTERM. Raises `Trouble`."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    _need_free_ports(config)
    prepare(config, engine, now())
    environ = os.environ | BY_NIGHT_TOO | {"GATEWAY_CONFIG": str(config_path)}
    running: dict[Part, subprocess.Popen] = {}
    try:
        sandbox, serve, kiosk = _parts(config)
        _start(sandbox, running, environ, stop)
        _connect_zalo(config, engine, now())
        _start(serve, running, environ, stop)
        _enrol(config, engine, now(), environ)
        _start(kiosk, running, environ, stop)
        if not stop.is_set():
            _greet(config, say)
        _watch(running, environ, stop, say)
    finally:
        _end(running.values())
        say("Đã dừng. / Stopped.")


def _parts(config: Settings) -> tuple[Part, Part, Part]:
    me = sys.executable
    return (
        Part(
            "sandbox",
            (me, "-m", "gateway", "sandbox"),
            f"http://{config.sandbox.host}:{config.sandbox.port}/phones",
        ),
        Part("gateway", (me, "-m", "gateway", "serve"), f"http://127.0.0.1:{config.web.port}/readyz"),
        Part("kiosk", (me, "-m", "kiosk", "run"), f"http://127.0.0.1:{config.kiosk.port}/status"),
    )


def _need_free_ports(config: Settings) -> None:
    wanted = {
        "[web] port": (config.web.host, config.web.port),
        "[kiosk] port": (config.kiosk.host, config.kiosk.port),
        "[sandbox] port": (config.sandbox.host, config.sandbox.port),
        "[sandbox] printer_port": (config.sandbox.host, config.sandbox.printer_port),
    }
    for key, (host, port) in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as fault:
                raise Trouble(
                    f"Cổng {port} đang bận. / Port {port} is in use: choose another {key} in config.toml, "
                    "or stop what uses it."
                ) from fault


def _start(
    part: Part, running: dict[Part, subprocess.Popen], environ: Mapping[str, str], stop: threading.Event
) -> None:
    if stop.is_set():
        return
    running[part] = _launch(part, environ)
    until = time.monotonic() + START_SECONDS
    while not stop.is_set() and not _answers(part.alive):
        if running[part].poll() is not None or time.monotonic() > until:
            raise Trouble(
                f"{part.name} không khởi động được. / {part.name} did not start; its words are above."
            )
        stop.wait(0.1)


def _launch(part: Part, environ: Mapping[str, str]) -> subprocess.Popen:
    # A session of its own: Ctrl-C reaches this process only, which then ends the others in order
    return subprocess.Popen(
        part.words, env=dict(environ), start_new_session=True, preexec_fn=_die_with_parent
    )


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).status_code < 500
    except requests.RequestException:
        return False


def _connect_zalo(config: Settings, engine: Engine, now: int) -> None:
    """Take a pair of tokens from the stand-in's tool page, as an operator does from Zalo's API Explorer."""
    with database.reading(engine) as session:
        if session.get(tables.ZaloToken, config.zalo.oa_id):
            return
    pair = requests.get(f"{config.zalo.oauth_base}/tools/token", timeout=5).json()
    with database.writing(engine) as session:
        grant = (pair["access_token"], pair["refresh_token"], int(pair["expires_in"]))
        consent.finish(session, config, grant, "station", now)


def _enrol(config: Settings, engine: Engine, now: int, environ: Mapping[str, str]) -> None:
    if (Path(config.kiosk.folder) / "enrolment.json").exists():
        return
    with database.writing(engine) as session:
        code = access.add_kiosk(session, config.kiosk.name, example.SITES[0][0], now)
    if code is None:
        raise Trouble(
            f"Không có điểm {example.SITES[0][0]}. / There is no site {example.SITES[0][0]} for the kiosk."
        )
    words = (sys.executable, "-m", "kiosk", "enrol", config.web.base_url, code)
    if subprocess.run(words, env=dict(environ), stdout=subprocess.DEVNULL, check=False).returncode:
        raise Trouble(
            "Máy lấy số không ghi danh được. / The kiosk could not be enrolled; its words are above."
        )


def _greet(config: Settings, say: Callable[[str], None]) -> None:
    say("")
    say("  Điểm làm thủ tục mẫu đang chạy. / The example station is running.")
    say(f"  Bắt đầu tại đây / start here:    {config.web.base_url}/sandbox")
    say(f"  Trang chủ / home:                {config.web.base_url}/")
    say(f"  Máy lấy số / kiosk:              http://{config.kiosk.host}:{config.kiosk.port}/")
    say("  Ctrl-C để dừng / stops everything.")
    say("")


def _watch(
    running: dict[Part, subprocess.Popen],
    environ: Mapping[str, str],
    stop: threading.Event,
    say: Callable[[str], None],
) -> None:
    """Start again what ends by itself."""
    while not stop.wait(0.5):
        for part, process in list(running.items()):
            if process.poll() is not None:
                say(
                    f"{part.name} đã dừng ({process.returncode}), khởi động lại. / It ended and is started again."
                )
                running[part] = _launch(part, environ)
                stop.wait(1)


def _end(processes) -> None:
    processes = list(reversed(list(processes)))
    for process in processes:
        if process.poll() is None:
            process.terminate()
    until = time.monotonic() + STOP_SECONDS
    for process in processes:
        try:
            process.wait(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
