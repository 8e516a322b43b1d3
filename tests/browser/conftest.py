"""One browser for all the tests of a process: its windows are lent to one test after another, each empty again."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask
from playwright import sync_api
from sqlalchemy import Engine, event

from gateway import database
from gateway.rules import settings
from gateway.web import serving
from tests.conftest import EIGHT
from tests.gateway import browsing


@pytest.fixture(scope="session")
def port() -> int:
    """The port of every station here, so that a window can stay at its address; the system gives out none so low."""
    while True:
        port = random.randrange(20_000, 30_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Windows:
    """Opening a window costs more than what most tests do in it. One that is handed back has nothing left in it."""

    def __init__(self, chromium: sync_api.Browser, base: str):
        self._chromium, self._base = chromium, base
        self._free: dict[bool, list[sync_api.Page]] = {True: [], False: []}
        self._lent: list[tuple[bool, sync_api.Page]] = []
        self._faults: list[str] = []

    def lend(self, width: int, script: bool) -> sync_api.Page:
        page = self._free[script].pop() if self._free[script] else self._made(script)
        self._lent.append((script, page))
        page.set_viewport_size({"width": width, "height": 900})
        return page

    def _made(self, script: bool) -> sync_api.Page:
        page = self._chromium.new_context(base_url=self._base, java_script_enabled=script).new_page()
        page.on("pageerror", lambda fault: self._faults.append(str(fault)))
        return page

    def back(self) -> list[str]:
        """Take everything back; what the pages' scripts complained about meanwhile."""
        while self._lent:
            script, page = self._lent.pop()
            for other in page.context.pages:
                if other is not page:
                    other.close()
            page.unroute_all()
            page.goto("about:blank")
            page.context.clear_cookies()
            self._free[script].append(page)
        faults, self._faults[:] = list(self._faults), []
        return faults


@pytest.fixture(scope="session")
def windows(chromium: sync_api.Browser, port: int) -> Windows:
    return Windows(chromium, f"http://127.0.0.1:{port}")


@pytest.fixture
def window(windows: Windows) -> Iterator[Callable[..., sync_api.Page]]:
    """window(width, script): an empty window at the station's address; the test fails when a page's script does."""
    yield lambda width=1280, script=True: windows.lend(width, script)
    assert windows.back() == []


@pytest.fixture
def enter() -> Callable[..., None]:
    """enter(page, name, path): somebody of the station's staff signs in and comes to the path."""

    def sign_in(page: sync_api.Page, name: str, path: str) -> None:
        page.goto(f"/staff/login?next={path}")
        page.fill("#name", name)
        page.fill("#password", browsing.PASSWORD)
        page.click("form.card button")

    return sign_in


@pytest.fixture(scope="session")
def file_with(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """file_with(file, fill): an SQLite file after `fill(engine, config)`, to be copied by every test that needs it."""

    def filled(file: bytes, fill: Callable[[Engine, settings.Settings], Any]) -> bytes:
        path = tmp_path_factory.mktemp("filled") / "gateway.db"
        path.write_bytes(file)
        engine = database.connect(f"sqlite:///{path}")
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        fill(engine, settings.read({}, {}))
        engine.dispose()
        return path.read_bytes()

    return filled


@pytest.fixture(scope="session")
def migrated_file(migrated_file: bytes, file_with: Callable[..., bytes]) -> bytes:
    """Every database here has the example station and its staff at eight in it (`sqlite` copies this file)."""
    return file_with(migrated_file, lambda engine, config: browsing.settled(engine, config, EIGHT))


@pytest.fixture
def here(config: settings.Settings, port: int) -> settings.Settings:
    """The configuration of a station at that port."""
    web = config.web.model_copy(update={"port": port, "base_url": f"http://127.0.0.1:{port}"})
    return config.model_copy(update={"web": web})


@pytest.fixture
def serve(here: settings.Settings) -> Iterator[Callable[..., serving.Server]]:
    """serve(app): the application, really served until the end of the test."""
    running = []

    def start(app: Flask) -> serving.Server:
        server = serving.Server(app, here)
        server.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.stop()


@pytest.fixture
def wider() -> Callable[..., dict[str, int]]:
    """wider(page, paths): which pages at which widths reach beyond the screen, and how far. {} is good."""

    def measured(page: sync_api.Page, paths: list[str]) -> dict[str, int]:
        found = {}
        for path in paths:
            page.goto(path)
            for width in (390, 1280, 1920):
                page.set_viewport_size({"width": width, "height": 900})
                over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                found |= {f"{path} at {width}": over} if over > 0 else {}
        return found

    return measured
