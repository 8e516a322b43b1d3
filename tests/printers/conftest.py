"""A printer that stands in for a real one, a spool on top of it, and people with tickets."""
from __future__ import annotations

import dataclasses
import threading

import pytest
from PIL import Image, ImageChops

from gateway.sandbox import printer as stand_ins
from gateway.sandbox.printer import paper
from printers import device, jobs, layout, raster
from printers.ticket import Ticket

LONG = 20.0  # seconds until a wait is given up; nothing healthy takes a tenth of it


@pytest.fixture
def ticket() -> Ticket:
    return Ticket(
        station="Công an phường Bến Nghé", service="Cấp mới căn cước công dân", number="B017",
        place="Số 12 Lê Lợi, tầng 1 — quầy 1 đến 3", ahead=7, eta="09:40–09:45",
        url="https://xepso.example.vn/p/7Kq2mW9xT4bR8sLz", footer="Mời bạn ngồi chờ đến khi được gọi.",
        issued_at="2026-11-24T07:58:00+07:00")


@pytest.fixture
def capabilities() -> device.Capabilities:
    return device.capabilities("TM-T20II")


@pytest.fixture
def printer(tmp_path):
    stand_in = stand_ins.PrinterStandIn(tmp_path / "paper", port=0)
    stand_in.start()
    yield stand_in
    stand_in.stop()


class Owner:
    """A spool running in its thread, everything it told kept in order."""

    def __init__(self, spool: jobs.Spool):
        self.spool = spool
        self.told: list[tuple[str, int, str]] = []
        self.states: list[jobs.PrinterState] = []
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=spool.run, args=(self._stop, self._job, self._printer))
        self._thread.start()

    def _job(self, job: jobs.Job) -> None:
        with self._news:
            self.told.append((job.key, job.copy, job.state))
            self._news.notify_all()

    def _printer(self, state: jobs.PrinterState) -> None:
        with self._news:
            self.states.append(state)
            self._news.notify_all()

    def wait_for(self, key: str, copy: int, state: str) -> None:
        with self._news:
            assert self._news.wait_for(lambda: (key, copy, state) in self.told, LONG), self.told

    def wait_for_printer(self, condition) -> None:
        with self._news:
            told = self._news.wait_for(lambda: self.states and condition(self.states[-1]), LONG)
            assert told, self.states

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(LONG)


@pytest.fixture
def owners():
    """Start a spool's thread; all are stopped at the end."""
    running: list[Owner] = []

    def start(spool: jobs.Spool) -> Owner:
        running.append(Owner(spool))
        return running[-1]

    yield start
    for owner in running:
        owner.stop()


@pytest.fixture
def same_picture():
    """Whether the stand-in's paper shows exactly this ticket, dot for dot."""

    def compare(stand_in: stand_ins.PrinterStandIn, cut: int, ticket: Ticket, width: int = 576) -> bool:
        wanted = raster.picture(layout.arrange(ticket, width), width)
        page = Image.open(stand_in.folder / f"{cut:06d}.png")
        corner = (paper.MARGIN, paper.MARGIN)
        printed = page.crop((*corner, corner[0] + width, corner[1] + wanted.height))
        printed = printed.point(lambda grey: 255 if grey < 128 else 0).convert("1")
        return ImageChops.logical_xor(printed, wanted).getbbox() is None

    return compare


@pytest.fixture
def marked(ticket) -> Ticket:
    return dataclasses.replace(ticket, reprint=True)
