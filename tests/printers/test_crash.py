"""kill -9 of the process that prints: one marked paper, and nothing lost."""
import json
import os
import pty
import selectors
import signal
import socket
import subprocess
import sys
import threading
import tty
import urllib.parse

import pytest

from printers import device, jobs

pytestmark = pytest.mark.processes

# Prints one ticket and stops for ever the moment a job reaches the state it was told.
CHILD = """
import json, sys, threading
from printers import device, jobs
from printers.ticket import Ticket
path, url, profile, state, document = sys.argv[1:]
spool = jobs.Spool(path, url, device.capabilities(profile))
spool.submit("an", Ticket.from_document(json.loads(document)), now=1)
def told(job):
    if job.state == state:
        print(state, flush=True)
        threading.Event().wait()
threading.Thread(target=spool.run, args=(threading.Event(), told, lambda printer: None), daemon=True).start()
threading.Event().wait()
"""


def killed_at(state, path, url, profile, ticket):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), url, profile,
         state, json.dumps(ticket.to_document())], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline().strip() == state
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait(20)
        child.stdout.close()


def rows(spool):
    return [(job.copy, job.state, job.reason, job.ticket.reprint) for job in spool.jobs()]


def test_killed_after_sending_the_number_comes_once_more_and_marked(printer, owners, tmp_path, ticket):
    killed_at("SENT", tmp_path / "print.db", printer.url, "TM-T20II", ticket)
    assert printer.wait_for(1, 20)
    spool = jobs.Spool(tmp_path / "print.db", printer.url, device.capabilities("TM-T20II"))
    owners(spool).wait_for("an", 2, jobs.CONFIRMED)
    assert rows(spool) == [(1, "UNCERTAIN", "crash", False), (2, "CONFIRMED", "", True)]
    assert (printer.cuts, printer.unknown) == (2, 0)


def test_killed_before_sending_the_ticket_comes_once_and_unmarked(printer, owners, tmp_path, ticket):
    killed_at("READY_CHECK", tmp_path / "print.db", printer.url, "TM-T20II", ticket)
    spool = jobs.Spool(tmp_path / "print.db", printer.url, device.capabilities("TM-T20II"))
    owners(spool).wait_for("an", 1, jobs.CONFIRMED)
    assert rows(spool) == [(1, "CONFIRMED", "", False)]
    assert printer.cuts == 1


class SerialCable:
    """A serial line whose far end goes to the stand-in: what the line holds is passed on when plugged in."""

    def __init__(self):
        self._far, self._near = pty.openpty()
        tty.setraw(self._near)
        self.url = f"serial://{os.ttyname(self._near)}?baud=115200"
        self._end, self._wake = os.pipe()
        self._thread = None

    def plug_in(self, stand_in):
        parts = urllib.parse.urlsplit(stand_in.url)
        self._link = socket.create_connection((parts.hostname, parts.port))
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self):
        with selectors.DefaultSelector() as selector:
            for source in (self._far, self._link.fileno(), self._end):
                selector.register(source, selectors.EVENT_READ, source)
            while True:
                for key, _ in selector.select():
                    if key.data == self._end:
                        return
                    data = os.read(key.data, 4096)
                    os.write(self._link.fileno() if key.data == self._far else self._far, data)

    def unplug(self):
        os.write(self._wake, b"!")
        self._thread.join(20)
        self._link.close()
        for descriptor in (self._far, self._near, self._end, self._wake):
            os.close(descriptor)


def test_killed_in_the_middle_of_a_picture_the_next_ticket_is_whole(printer, owners, tmp_path, ticket, marked,
                                                                    same_picture):
    cable = SerialCable()
    # Nobody reads the far end: the line fills up and the child is stuck inside the ticket's pictures.
    killed_at("SENDING", tmp_path / "print.db", cable.url, "write-only", ticket)
    cable.plug_in(printer)
    spool = jobs.Spool(tmp_path / "print.db", cable.url, device.capabilities("write-only"))
    owners(spool).wait_for("an", 2, jobs.CONFIRMED)
    assert printer.wait_for(1, 20)
    assert rows(spool) == [(1, "UNCERTAIN", "crash", False), (2, "CONFIRMED", "", True)]
    assert (printer.cuts, printer.unknown) == (1, 0)
    cable.unplug()
