"""The machine that brings jobs to paper: one printer, one owner, one step at a time."""
from __future__ import annotations

import dataclasses
import fcntl
import logging
import pathlib
import threading
import time
from collections.abc import Callable

from printers import device, escpos, ports, status
from printers import link as links
from printers import ticket as tickets
from printers.jobs import ledger
from printers.jobs.ledger import Job

MOST_COPIES = 3  # papers made by itself for one number; more only if staff ask
FIRST_RETRY, LAST_RETRY = 0.25, 5.0  # seconds between attempts to open the device
STALL_SECONDS = 30.0  # the printer takes nothing and names no cause
PATIENCE_SECONDS = 20.0  # for the promised "printed"; then, if all was well, its status counts
PRINT_SECONDS = 2.0  # what a ticket takes on paper, for printers that only tell their status
RESUME_SECONDS = 120.0  # after paper was loaded again in mid-ticket
HELD_POLL, IDLE_POLL = 1.0, 5.0  # seconds between questions
IDLE_WAIT = 0.25
# What stops a ticket half way.  "offline" is not among them: a busy printer may be slow to answer.
TROUBLE = ("cover", "paper", "cutter", "error")

log = logging.getLogger(__name__)


class UnknownJob(KeyError):
    """No job has this key."""


@dataclasses.dataclass
class Handover:
    """A ticket on its way into the device: which job, what is left of its bytes, and since when it waits."""
    job: int
    rest: memoryview
    since: float
    begun: bool = False


class Spool:
    """Jobs in a file and the printer behind a URL.

    Nothing is opened before the first `step` except the file.  `submit`, `reprint`, `cancel` and `jobs`
    may be called from any thread or process; `step` and `run` belong to one thread, and a lock beside the
    file keeps a second process away from the device.
    """

    def __init__(self, path: str | pathlib.Path, url: str, capabilities: device.Capabilities,
                 clock: Callable[[], float] = time.monotonic):
        self.url = url
        self.capabilities = capabilities
        self.printer = status.NO_DEVICE
        self._path = pathlib.Path(path)
        self._ledger = ledger.Ledger(path)
        self._clock = clock
        self._lock_file = None
        self._link: links.Link | None = None
        self._retry_at, self._retry = 0.0, FIRST_RETRY
        self._flush = False
        self._handover: Handover | None = None
        self._sent_at = 0.0
        self._trouble_at: float | None = None
        self._changes: list[Job] = []
        self._wake = threading.Event()

    # --- for everybody ---

    def submit(self, key: str, ticket: tickets.Ticket, copy: int = 1, *, now: int) -> Job:
        """Put a ticket in the spool; on disk when it returns; the same (key, copy) again changes nothing."""
        job = self._ledger.add(key, ticket, copy, now)
        self._wake.set()
        return job

    def reprint(self, key: str, now: int) -> Job:
        """A second paper for the same number, marked IN LẠI; raises UnknownJob.

        A job that has not gone to the printer yet is answered as it is: it will be printed anyway.
        """
        job = self._ledger.add_copy(key, now)
        if job is None:
            raise UnknownJob(key)
        self._wake.set()
        return job

    def cancel(self, key: str, now: int) -> list[Job]:
        """Take back what has not been sent; answers the cancelled jobs."""
        waiting = [job for job in self._ledger.all() if job.key == key and job.state in ledger.UNSENT]
        return [moved for job in waiting if (moved := self._ledger.move(job, ledger.CANCELLED, now))]

    def jobs(self, state: str | None = None) -> list[Job]:
        """The jobs, oldest first."""
        return self._ledger.all(state)

    def forget(self, before: int) -> int:
        """Delete finished jobs last changed before that moment (epoch seconds); answers how many."""
        return self._ledger.forget(before)

    # --- for the owner of the printer ---

    def run(self, stop: threading.Event, on_change: Callable[[Job], None],
            on_printer: Callable[[status.PrinterState], None]) -> None:
        """Print until `stop` is set; tells every move of a job and every change of the printer."""
        told = None
        # Draw every letter once now: the first citizen of the day should not wait for it.
        escpos.ticket(tickets.specimen(), self.capabilities)
        while not stop.is_set():
            self._wake.clear()
            try:
                changed = self.step(int(time.time()))
                if self.printer != told and not self._first_answers_awaited():
                    told = self.printer
                    on_printer(told)
                while self._changes:
                    on_change(self._changes.pop(0))
            except Exception:
                # A full disk, a broken row, a caller's fault: the kiosk must live to print the next one.
                log.exception("the print loop stumbled and goes on")
                changed = bool(stop.wait(1.0))
            if not changed:
                self._wake.wait(IDLE_WAIT)
        self._release()

    def step(self, now: int) -> bool:
        """Do what can be done now; True if a job or the printer's state changed."""
        before, count = self.printer, len(self._changes)
        if self._own(now):
            self._connect()
            self._hear(now)
            self._advance(now)
        return self.printer != before or len(self._changes) > count

    def close(self) -> None:
        """Let the device and the file go.  Jobs on their way are found again by the next owner."""
        self._release()
        self._ledger.close()

    def _release(self) -> None:
        self._disconnect(status.NO_DEVICE)
        self._handover, self._sent_at = None, 0.0
        if self._lock_file:
            self._lock_file.close()
            self._lock_file = None

    # --- owning and connecting ---

    def _own(self, now: int) -> bool:
        if self._lock_file:
            return True
        lock_file = open(self._path.with_name(self._path.name + ".lock"), "a")  # noqa: SIM115 (held for life)
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock_file.close()
            self.printer = status.PrinterState(error="busy")
            return False
        self._lock_file = lock_file
        self._recover(now)
        return True

    def _recover(self, now: int) -> None:
        """What was on its way when the last owner died may or may not be on paper: a marked copy follows."""
        while job := self._ledger.first(ledger.ON_ITS_WAY):
            self._flush = True
            self._give_up(job, "crash", now)

    def _connect(self) -> None:
        if self._link or self._clock() < self._retry_at:
            return
        try:
            self._link = links.Link(ports.open_port(self.url, self._wake.set), self.capabilities, self._clock)
            self._link.greet(self._flush)
        except ports.PortError as error:
            self._disconnect(status.PrinterState(error="busy" if error.code == "busy" else "no_device"))
            log.warning("printer: %s; next attempt in %.2f s", error, self._retry_at - self._clock())
            return
        self._flush, self._retry = False, FIRST_RETRY

    def _disconnect(self, state: status.PrinterState) -> None:
        if self._link:
            self._link.close()
        self._link, self.printer = None, state
        self._retry_at = self._clock() + self._retry
        self._retry = min(LAST_RETRY, self._retry * 2)

    def _lost(self, why: ports.PortError | str, now: int) -> None:
        """The device is gone: what may be on paper is uncertain, what is not waits."""
        log.warning("printer %s lost: %s", self.url, why)
        self._disconnect(status.NO_DEVICE)
        handover, self._handover, self._sent_at = self._handover, None, 0.0
        job = self._ledger.first(ledger.ON_ITS_WAY)
        if job and handover and handover.job == job.id and not handover.begun:
            self._move(job, ledger.HELD, now, reason="no_device")
        elif job:
            self._flush = True
            self._give_up(job, "no_device", now)

    # --- hearing ---

    def _first_answers_awaited(self) -> bool:
        # Just opened: in a moment it will say how it is, and "no device" would only flash on the screen.
        return self._link is not None and self._link.waiting and self.printer.error == "no_device"

    def _hear(self, now: int) -> None:
        if not self._link:
            return
        try:
            events = self._link.listen()
            self._poll()
        except ports.PortError as error:
            self._lost(error, now)
            return
        for event in events:
            self._believe(event, now)
        if not self._link.waiting:
            self.printer = self._link.state

    def _believe(self, event: status.Event, now: int) -> None:
        job = self._ledger.first((ledger.SENT,))
        if job is None:
            return
        if isinstance(event, status.Printed) and event.job == escpos.job_letters(job.id):
            self._move(job, ledger.CONFIRMED, now, confirmed_by="gsH")
        elif isinstance(event, status.Sensor) and self.capabilities.confirm == "gsr":
            self._move(job, ledger.CONFIRMED, now, confirmed_by="gsr")

    def _poll(self) -> None:
        if self._handover:
            return  # never a question inside a ticket's bytes
        self._link.nudge()
        busy = self.printer.hold or self._sent_at
        if self._link.age() >= (HELD_POLL if busy else IDLE_POLL):
            self._link.ask()

    # --- advancing the oldest open job ---

    def _advance(self, now: int) -> None:
        job = self._ledger.first()
        if job is None:
            return
        try:
            ACTIONS[job.state](self, job, now)
        except ports.PortError as error:
            self._lost(error, now)

    def _check(self, job: Job, now: int) -> None:
        """NEW or HELD: begin to look whether the printer is ready."""
        if not self._link:
            self._hold(job, self.printer.hold, now)
        elif self._link.waiting:
            return
        elif job.state == ledger.NEW or not self._link.state.hold:
            self._move(job, ledger.READY_CHECK, now)
        else:
            self._hold(job, self._link.state.hold, now)

    def _start(self, job: Job, now: int) -> None:
        """READY_CHECK: send, or hold with the reason."""
        if not self._link:
            self._hold(job, self.printer.hold, now)
        elif self._link.waiting:
            return
        elif self._link.state.hold:
            self._hold(job, self._link.state.hold, now)
        elif not self._link.known_since(self._clock() - HELD_POLL):
            self._link.ask()
        else:
            self._begin(job, now)

    def _begin(self, job: Job, now: int) -> None:
        try:
            payload = escpos.ticket(job.ticket, self.capabilities, escpos.job_letters(job.id))
        except escpos.EncodeError as error:
            log.error("print job %s cannot be encoded: %s", job.key, error)
            self._move(job, ledger.FAILED, now, reason="encode")
            return
        if moved := self._move(job, ledger.SENDING, now):
            self._handover = Handover(job.id, memoryview(payload), self._clock())
            self._trouble_at = None
            self._send(moved, now)

    def _send(self, job: Job, now: int) -> None:
        """SENDING: hand over what the printer takes, without waiting long."""
        handover = self._handover
        if not self._link or not handover or handover.job != job.id:
            self._give_up(job, "crash", now)  # the row says SENDING, but nothing is left to send
            return
        while handover.rest:
            taken = self._link.port.write_some(handover.rest, 0.05)
            if not taken:
                self._watch_stall(handover, now)
                return
            handover.rest, handover.begun, handover.since = handover.rest[taken:], True, self._clock()
        self._handover = None
        if moved := self._move(job, ledger.SENT, now):
            self._sent_at = self._clock()
            if not self._link.talks:
                self._move(moved, ledger.CONFIRMED, now, confirmed_by="sent")

    def _watch_stall(self, handover: Handover, now: int) -> None:
        if self._link.state.hold in TROUBLE:
            handover.since = self._clock()
        elif self._clock() - handover.since > STALL_SECONDS:
            self._lost("it takes no more data", now)

    def _await(self, job: Job, now: int) -> None:
        """SENT: wait for the proof; when none can come, judge by the printer's state."""
        if self._link is None:
            self._give_up(job, "no_device", now)
            return
        moment = self._clock()
        if self._link.state.hold in TROUBLE:
            self._trouble_at = moment
            return
        if self._trouble_at is not None:
            if moment - self._trouble_at > self._patience_after_trouble():
                self._flush_and_give_up(job, now)
            return
        patience = PRINT_SECONDS if self.capabilities.confirm == "status" else PATIENCE_SECONDS
        if self._link.known_since(self._sent_at + patience) and not self._link.state.hold:
            self._move(job, ledger.CONFIRMED, now, confirmed_by="status")

    def _patience_after_trouble(self) -> float:
        # A printer that only tells its status can never prove that it went on after the trouble.
        return PRINT_SECONDS if self.capabilities.confirm == "status" else RESUME_SECONDS

    def _flush_and_give_up(self, job: Job, now: int) -> None:
        self._link.port.write(escpos.FLUSH, links.MOST_WAIT)
        self._give_up(job, "unconfirmed", now)

    def _give_up(self, job: Job, reason: str, now: int) -> None:
        self._changes += self._ledger.give_up(job, reason, now, MOST_COPIES)
        self._sent_at = 0.0

    def _hold(self, job: Job, reason: str, now: int) -> None:
        if job.state != ledger.HELD or job.reason != reason:
            self._move(job, ledger.HELD, now, reason=reason)

    def _move(self, job: Job, state: str, now: int, reason: str = "", confirmed_by: str = "") -> Job | None:
        moved = self._ledger.move(job, state, now, reason, confirmed_by)
        if moved:
            self._changes.append(moved)
        if state in ledger.FINAL:
            self._sent_at = 0.0
        return moved


ACTIONS = {
    ledger.NEW: Spool._check, ledger.HELD: Spool._check, ledger.READY_CHECK: Spool._start,
    ledger.SENDING: Spool._send, ledger.SENT: Spool._await,
}
