"""The running kiosk: printer, talk with the gateway and page, each in its thread, until told to stop."""

from __future__ import annotations

import logging
import os
import re
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.rules import settings
from kiosk import clock, enrolment, journal, link, panel, paper, press, state, sync, web, wording
from printers import device, jobs, ticket

log = logging.getLogger(__name__)

# Seconds between two looks for numbers that did not reach the printer's spool (a full disk, a locked file).
LOOK_EVERY = 5.0
# Seconds: a finished paper carries a person's address and is kept only while somebody may ask for it again.
PAPERS_KEPT, FORGET_EVERY = 3 * 86_400, 3_600
# Seconds a thread that fell over is left alone, first and at most.
FIRST_REST, LONGEST_REST = 1.0, 30.0


class Fault(Exception):
    """The kiosk cannot start. `text` in both languages."""

    def __init__(self, text: wording.Both):
        super().__init__(f"{text['vi']} / {text['en']}")
        self.text = text


@dataclass(frozen=True)
class Parts:
    """One kiosk, put together and not yet running."""

    settings: settings.Settings
    enrolment: enrolment.Enrolment
    book: journal.Journal
    clock: clock.Clock
    spool: jobs.Spool
    trail: paper.Trail
    sync: sync.Sync
    desk: press.Desk


def enrolled(config: settings.Settings) -> enrolment.Enrolment:
    """The enrolment on disk; `Fault` says how to get one."""
    try:
        found = enrolment.load(Path(config.kiosk.folder))
    except (enrolment.Failed, OSError) as fault:
        raise Fault(wording.both("Không đọc được tệp ghi danh: {fault}", fault=fault)) from fault
    if found is None:
        raise Fault(wording.both("Máy chưa được ghi danh. Chạy: python -m kiosk enrol URL MÃ"))
    return found


def journal_folder(config: settings.Settings, who: enrolment.Enrolment) -> Path:
    """A journal belongs to one kiosk at the gateway: under another name it begins again at 1."""
    return Path(config.kiosk.folder) / "journal" / re.sub(r"[^A-Za-z0-9_-]", "_", who.kiosk)


@contextmanager
def parts(config: settings.Settings) -> Iterator[Parts]:
    """The parts of the kiosk of `config`, opened and, at the end, closed. Raises `Fault`."""
    who = enrolled(config)
    folder = Path(config.kiosk.folder)
    try:
        book = journal.Journal(journal_folder(config, who))
    except journal.Busy as fault:
        raise Fault(wording.both("Máy lấy số này đang chạy ở một tiến trình khác.")) from fault
    except OSError as fault:
        raise Fault(wording.both("Không mở được nhật ký: {fault}", fault=fault)) from fault
    gateway = link.Gateway(config.kiosk.gateway, who.key)
    try:
        yield _joined(config, who, book, gateway, folder)
    finally:
        gateway.close()
        book.close()


def _joined(
    config: settings.Settings,
    who: enrolment.Enrolment,
    book: journal.Journal,
    gateway: link.Gateway,
    folder: Path,
) -> Parts:
    time = clock.Clock(folder / "clock.json", zone=config.station.zone)
    spool = _spool(config, folder)
    trail = paper.Trail(book, time)
    talk = sync.Sync(gateway, book, time, folder, heard=lambda told: _meet(desk, told))
    blind = config.kiosk.panel == "buttons"
    desk = press.Desk(
        book,
        spool,
        time,
        press.Place(config.station.name, who.series, config.kiosk.lockout_seconds),
        trail=trail,
        known=lambda: talk.known,
        # Without a screen the paper is all a person gets, so no number is given that cannot be printed.
        unready=lambda: panel.reason(spool.printer) if blind else None,
        issued=talk.wake,
    )
    return Parts(config, who, book, time, spool, trail, talk, desk)


def _spool(config: settings.Settings, folder: Path) -> jobs.Spool:
    try:
        able = device.capabilities(config.printer.profile, config.printer.width_dots)
        return jobs.Spool(folder / "printer.db", config.printer.url, able)
    except (ValueError, OSError) as fault:
        raise Fault(wording.both("Máy in không dùng được: {fault}", fault=fault)) from fault


def _meet(desk: press.Desk, told: state.State) -> None:
    if told.issued is not None:
        desk.meet(*told.issued)


def status(kiosk: Parts) -> dict[str, Any]:
    """What GET /status answers."""
    moment = kiosk.clock.now()
    told = kiosk.sync.known.state
    services = told.services if told else ()
    return panel.document(
        panel.View(
            kiosk=kiosk.enrolment.kiosk,
            series=kiosk.enrolment.series,
            known=kiosk.sync.known,
            moment=moment,
            contact=kiosk.sync.contact,
            outlooks={service.code: kiosk.desk.outlook(service.code, moment) for service in services},
            printer=kiosk.spool.printer,
            unsent=kiosk.book.unsent,
            refused=kiosk.sync.refused,
            last=kiosk.desk.last,
        )
    )


def test_print(kiosk: Parts) -> str:
    """Put a paper that is nobody's number into the spool; its key."""
    name = f"test/{uuid.uuid4().hex[:8]}"
    told = kiosk.sync.known.state
    paper_of_test = ticket.Ticket.from_document(
        {
            "station": kiosk.settings.station.name,
            "service": " / ".join(wording.both("In thử, không phải số thứ tự").values()),
            "number": "TEST",
            "place": told.place if told else kiosk.enrolment.site,
            "url": told.base_url if told else kiosk.enrolment.gateway,
        }
    )
    kiosk.spool.submit(name, paper_of_test, now=int(kiosk.clock.now().at))
    return name


def page(kiosk: Parts) -> web.Page:
    station = kiosk.settings.station
    return web.Page(
        station={"vi": station.name, "en": station.name_en},
        languages=station.languages,
        zone=station.timezone,
        press=kiosk.desk.press,
        ticket=lambda issued, qr: panel.ticket(issued, kiosk.spool.printer, qr),
        status=lambda: status(kiosk),
        test=lambda: test_print(kiosk),
    )


def run(config: settings.Settings, stop: threading.Event, ready: Callable[[str], None] = print) -> None:
    """Serve until `stop`; `ready` gets the page's address once it answers. Raises `Fault`."""
    host, port = config.kiosk.host, config.kiosk.port
    with parts(config) as kiosk:
        kiosk.trail.catch_up(kiosk.spool.jobs())
        kiosk.desk.hand_over()
        try:
            server = web.serve(web.create_app(page(kiosk), host), host, port)
        except OSError as fault:
            raise Fault(wording.both("Không mở được cổng {port}: {fault}", port=port, fault=fault)) from fault
        threads = _start(kiosk, server, stop)
        ready(f"http://{host}:{port}/")
        _tend(kiosk, stop)
        kiosk.sync.wake()
        server.stop()
        for thread in threads:
            thread.join()


def _tend(kiosk: Parts, stop: threading.Event) -> None:
    """Until `stop`: hand over what is left, and forget papers whose days are over."""
    forgotten: float | None = None
    while not stop.is_set():
        kiosk.desk.hand_over()
        moment = kiosk.clock.now()
        if moment.trusted and (forgotten is None or moment.monotonic - forgotten > FORGET_EVERY):
            kiosk.spool.forget(int(moment.at - PAPERS_KEPT))
            forgotten = moment.monotonic
        stop.wait(LOOK_EVERY)


def _start(kiosk: Parts, server: Any, stop: threading.Event) -> list[threading.Thread]:
    works: dict[str, Callable[[], None]] = {
        "printer": lambda: kiosk.spool.run(stop, *_told(kiosk)),
        "sync": lambda: kiosk.sync.run(stop),
    }
    threads = [
        threading.Thread(target=_tended, args=(name, work, stop), name=name) for name, work in works.items()
    ]
    threads.append(threading.Thread(target=server.serve, name="page"))
    for thread in threads:
        thread.start()
    return threads


def _told(kiosk: Parts) -> tuple[Callable[[jobs.Job], None], Callable[[jobs.PrinterState], None]]:
    """What the spool calls with each change: the journal hears it, and the gateway at once."""

    def job(changed: jobs.Job) -> None:
        kiosk.trail.job(changed)
        kiosk.sync.wake()

    def printer(found: jobs.PrinterState) -> None:
        kiosk.trail.printer(found)
        kiosk.sync.wake()

    return job, printer


def _tended(name: str, work: Callable[[], None], stop: threading.Event) -> None:
    """Run `work`; when it falls over, say so and run it again: the other parts go on meanwhile."""
    rest = FIRST_REST
    while not stop.is_set():
        try:
            work()
        except Exception:
            log.exception("%s fell over; again in %.0f s", name, rest)
            stop.wait(rest)
            rest = min(rest * 2, LONGEST_REST)


def stop_on_signals(stop: threading.Event) -> None:
    """SIGTERM and SIGINT set `stop`; the second one ends the process at once (everything is on disk)."""

    def told(number: int, frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    signal.signal(signal.SIGTERM, told)
    signal.signal(signal.SIGINT, told)
