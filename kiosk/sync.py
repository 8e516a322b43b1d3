"""The journal and the gateway: events go up until they are acknowledged, the station's state comes down."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk import clock, durable, journal, link, state

log = logging.getLogger(__name__)

BATCH = 500
# Seconds between two looks at the station's state while all is well.
STATE_EVERY = 5.0
LONGEST_PAUSE = 30.0
REFUSED_FILE = "refused.json"
# Refused events kept to be looked at; a gateway that refuses more than this has another problem.
REFUSED_KEPT = 500


@dataclass(frozen=True)
class Contact:
    """How the last talk with the gateway went. `at`: corrected epoch s of the last good one."""

    online: bool = False
    at: float | None = None
    fault: str = ""


def pause(failures: int, draw: float) -> float:
    """Seconds to wait after `failures` in a row (1 or more): 1, 2, 4 … 30, less up to half by `draw` in 0–1.

    The jitter keeps thirteen kiosks from coming back in the same second after a power cut.
    """
    return min(LONGEST_PAUSE, 2.0 ** min(failures - 1, 10)) * (1 - draw / 2)


class Sync:
    """The talk of one kiosk with its gateway; `round` is one exchange, `run` the thread.

    `heard` is called with each new state.
    """

    def __init__(
        self,
        gateway: link.Gateway,
        book: journal.Journal,
        time: clock.Clock,
        folder: Path,
        heard: Callable[[state.State], None] = lambda told: None,
        draw: Callable[[], float] = random.random,
    ):
        self._gateway, self._book, self._clock, self._folder = gateway, book, time, folder
        self._heard, self._draw = heard, draw
        self._wake = threading.Event()
        self._refused = load_refused(folder)
        self._kept: Mapping[str, Any] = {}
        self.known = state.Known(state.load(folder))
        self.contact = Contact()

    @property
    def refused(self) -> tuple[Mapping[str, Any], ...]:
        """Events the gateway will never take: {"seq", "why", "event"}, oldest first."""
        return tuple(self._refused)

    def wake(self) -> None:
        """Something is there to be sent: do not wait."""
        self._wake.set()

    def run(self, stop: threading.Event) -> None:
        """Talk until `stop` is set (call `wake` to have that noticed at once)."""
        failures = 0
        while not stop.is_set():
            self._wake.clear()
            failures = 0 if self.attempt() else failures + 1
            self._wake.wait(pause(failures, self._draw()) if failures else STATE_EVERY)

    def attempt(self) -> bool:
        """One round; whatever goes wrong is kept in `contact` and told by False."""
        try:
            self.round()
        except (link.Unreachable, ValueError, OSError) as fault:
            if self.contact.online or not self.contact.fault:
                log.warning("gateway: %s", fault)
            self.contact = Contact(False, self.contact.at, str(fault))
            return False
        if not self.contact.online:
            log.info("gateway: in contact")
        self.contact = Contact(True, self._clock.now().at)
        return True

    def round(self) -> None:
        """Send what is unsent, then hear the state.

        Raises `link.Unreachable`, ValueError for an answer that is not as agreed, OSError for our own disk.
        """
        if self.known.heard is None:
            # The first state sets the clock, which the events are told by.
            self._listen()
        sent = False
        while self._book.unsent:
            self._send()
            sent = True
        if sent or not self._just_heard():
            self._listen()

    def _just_heard(self) -> bool:
        heard = self.known.heard
        return heard is not None and self._clock.reading().monotonic - heard < STATE_EVERY / 2

    def _listen(self) -> None:
        before = self._clock.reading()
        document = self._gateway.state()
        after = self._clock.reading()
        told = state.parse(document)
        self._clock.hear(clock.measure(told.server_time, before, after))
        if told.acked is not None:
            self._book.skip(told.acked)
        self.known = state.Known(told, after.monotonic)
        self._heard(told)
        self._keep(document)

    def _keep(self, document: Mapping[str, Any]) -> None:
        """Store the state for the next start, unless only its clock and its queue moved: a disk wears."""
        lasting = {name: value for name, value in document.items() if name not in ("queue", "server_time")}
        today = clock.day(self.known.state.server_time, self._clock.now().zone)
        if self._kept == (lasting, today):
            return
        state.keep(self._folder, document)
        self._kept = (lasting, today)

    def _send(self) -> None:
        first = self._book.acked + 1
        records = self._book.since(self._book.acked, BATCH)
        now = self._clock.now()
        stamp = {"at": clock.rfc3339(now.at, now.zone), "boot": now.boot, "monotonic": round(now.monotonic, 3)}
        answer = self._gateway.send({"clock": stamp, "events": [record.event for record in records]})
        acked, refused = _answer(answer)
        self._keep_refused(refused, records)
        self._take(acked, first, records[-1].seq)

    def _take(self, acked: int, first: int, last: int) -> None:
        """Move the mark to what the gateway has without a gap.

        Less than before: it lost some (restored from an older copy), so they go again, as far as the
        journal still has them. More than the journal ever had: this disk is newer than the gateway's memory.
        """
        if acked > last:
            self._book.skip(acked)
        if acked >= first:
            self._book.ack(acked)
        elif acked < self._book.oldest - 1:
            gone = self._book.oldest - 1
            log.error("the gateway lacks events %d to %d, which are gone here", acked + 1, gone)
            self._book.ack(last)
        elif acked == first - 1:
            raise link.Unreachable("the gateway stored none of the events")
        else:
            log.warning("the gateway has events up to %d of %d; sending again", acked, first - 1)
            self._book.ack(acked)

    def _keep_refused(self, refused: Sequence[Mapping[str, Any]], records: Sequence[journal.Record]) -> None:
        known = {entry["seq"] for entry in self._refused}
        events = {record.seq: record.event for record in records}
        fresh = [
            {"seq": entry["seq"], "why": str(entry.get("why", ""))[:300], "event": events[entry["seq"]]}
            for entry in refused
            if entry["seq"] in events and entry["seq"] not in known
        ]
        if not fresh:
            return
        for entry in fresh:
            log.error("event %d refused by the gateway: %s", entry["seq"], entry["why"])
        self._refused = [*self._refused, *fresh][-REFUSED_KEPT:]
        durable.write_json(self._folder / REFUSED_FILE, {"events": self._refused})


def _answer(document: Mapping[str, Any]) -> tuple[int, list[Mapping[str, Any]]]:
    acked, refused = document.get("acked"), document.get("refused", [])
    whole = isinstance(acked, int) and isinstance(refused, list)
    if not whole or any(not isinstance(entry, dict) or "seq" not in entry for entry in refused):
        raise ValueError("the answer to events is not as agreed")
    return acked, refused


def load_refused(folder: Path) -> list[Mapping[str, Any]]:
    document = durable.read_json(folder / REFUSED_FILE) or {}
    return list(document.get("events", []))
