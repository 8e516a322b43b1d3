"""What became of each paper, written into the journal for the gateway, each fact once."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from kiosk import clock, journal
from printers import jobs

log = logging.getLogger(__name__)

ISSUED, PRINTED, REPRINTED, HELD = "ticket.issued", "ticket.printed", "ticket.reprinted", "ticket.held"
PRINTER = "printer.state"
_KEY = re.compile(r"(\d{4}-\d\d-\d\d)/([A-Z])(\d{3,})/[0-9a-f]{8}")


def key(event: Mapping[str, Any]) -> str:
    """The spool's key of a ticket: the day, the number, and the event it came from."""
    return f"{event['day']}/{event['number']}/{event['id'][:8]}"


def stamp(kind: str, moment: clock.Moment) -> dict[str, Any]:
    """The part that all events have in common."""
    return {
        "id": uuid.uuid4().hex,
        "type": kind,
        "at": clock.rfc3339(moment.at, moment.zone),
        "boot": moment.boot,
        "monotonic": round(moment.monotonic, 3),
    }


class Trail:
    """Turns changes of the spool and the printer into events. Safe to use from several threads."""

    def __init__(self, book: journal.Journal, time: clock.Clock):
        self._book = book
        self._clock = time
        self._guard = threading.Lock()
        self._said: dict[tuple[str, int], tuple[str, str]] = {}
        self._issued: set[str] = set()
        self._printer: dict[str, Any] | None = None
        for record in book.records:
            if record.event["type"] == ISSUED:
                self._issued.add(key(record.event))
            if record.event["type"] in (PRINTED, REPRINTED, HELD) and "key" in record.local:
                self._said[record.local["key"], record.event["copy"]] = _gist(record.event)

    def printed(self, name: str) -> bool:
        """Whether a paper of the ticket with this key is known to have come out."""
        with self._guard:
            return any(said[0] in (PRINTED, REPRINTED) for (of, _), said in self._said.items() if of == name)

    def job(self, job: jobs.Job) -> None:
        """A job changed: say what its paper is to the citizen now, unless that was said already."""
        fact = _fact(job)
        found = _KEY.fullmatch(job.key)
        if fact is None or found is None:
            return
        day, series, n = found.groups()
        subject = {"number": series + n, "day": day, "series": series, "n": int(n), "copy": job.copy}
        with self._guard:
            if self._said.get((job.key, job.copy)) == _gist(fact):
                return
            event = {**stamp(fact.pop("type"), self._clock.now()), **subject, **fact}
            if self._append(event, {"key": job.key}):
                self._said[job.key, job.copy] = _gist(event)

    def catch_up(self, known: Iterable[jobs.Job]) -> None:
        """Say what a crash kept from being said; once, before the spool runs.

        Only of tickets that the journal still has: what it said of older ones is not known any more.
        """
        for job in known:
            if job.key in self._issued:
                self.job(job)

    def printer(self, state: jobs.PrinterState) -> None:
        fact = {
            "online": state.online,
            "paper": state.paper,
            "cover_open": state.cover_open,
            "error": state.error,
        }
        with self._guard:
            if fact != self._printer and self._append({**stamp(PRINTER, self._clock.now()), **fact}, {}):
                self._printer = fact

    def _append(self, event: Mapping[str, Any], local: Mapping[str, Any]) -> bool:
        try:
            self._book.append(event, local)
        except journal.Unwritable as fault:
            log.error("%s not journalled: %s", event["type"], fault)
            return False
        return True


def _gist(event: Mapping[str, Any]) -> tuple[str, str]:
    return event["type"], event.get("reason") or ""


def _fact(job: jobs.Job) -> dict[str, Any] | None:
    if job.state == jobs.CONFIRMED:
        return {"type": PRINTED if job.copy == 1 else REPRINTED, "confirmed_by": job.confirmed_by}
    if job.state in (jobs.HELD, jobs.FAILED, jobs.CANCELLED):
        return {"type": HELD, "reason": job.reason}
    return None
