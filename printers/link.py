"""A conversation with one open printer: questions out, answers in, and the state that follows."""
from __future__ import annotations

import logging
from collections.abc import Callable

from printers import device, escpos, ports, status

ANSWER_SECONDS = 1.5  # some USB printers answer late; a healthy one needs 5 to 50 ms
QUIET_SECONDS = 0.3  # after a silence: how long nothing more may come before asking afresh
MOST_WAIT = 15.0  # seconds for a flush of 8 KB even at 9600 baud

log = logging.getLogger(__name__)


class Link:
    """One port, its reader state, and what the printer last said.  Used by one thread.

    `clock` gives seconds that only grow (time.monotonic).
    """

    def __init__(self, port: ports.Port, capabilities: device.Capabilities, clock: Callable[[], float]):
        self.port = port
        self.capabilities = capabilities
        self.talks = port.answers and capabilities.confirm != "none"
        self.state = status.PrinterState(online=not self.talks)
        self._clock = clock
        self._stream = status.Stream()
        self._missing: set[int] = set()
        self._asked_at = clock()
        self._complete_at: float | None = None
        self._silent = False
        self._quiet_at = 0.0

    def greet(self, flush: bool) -> None:
        """First words after opening: end what an earlier connection left half said, ask for the state."""
        if flush:
            self.port.write(escpos.FLUSH, MOST_WAIT)
        if self.talks and self.capabilities.asb:
            self.port.write(escpos.ASB_ON, MOST_WAIT)
        self.ask()

    def ask(self) -> None:
        """Send DLE EOT 1 to 4, unless answers are still awaited or it is silent (then `nudge` asks).

        Never call it in the middle of a ticket.
        """
        if not self.talks or self._missing:
            return
        self.port.write(status.question(), ANSWER_SECONDS)
        self._stream = status.asked(self._stream, status.ALL_NUMBERS)
        self._missing = set(status.ALL_NUMBERS)
        self._asked_at = self._clock()

    @property
    def waiting(self) -> bool:
        """A question is out and its answers may still come."""
        return bool(self._missing) and not self._silent

    def known_since(self, moment: float) -> bool:
        """All four answers came to a question that was put after the moment."""
        if not self.talks:
            return True
        return self._complete_at is not None and self._asked_at >= moment and not self._missing

    def age(self) -> float:
        """Seconds since the last question."""
        return self._clock() - self._asked_at

    def listen(self, seconds: float = 0.0) -> list[status.Event]:
        """Take what has arrived, update the state, answer the events; PortError when the printer is gone."""
        data = self.port.read(seconds) if self.port.answers else b""
        events: list[status.Event] = []
        if data:
            self._stream, events = status.read(self._stream, data)
        before = self.state
        for event in events:
            self._take(event)
        self._watch_silence(bool(data))
        if self.state != before:
            log.info("printer %s says %s after %s", self.port.url, self.state, data.hex(" ") or "silence")
        return events

    def _take(self, event: status.Event) -> None:
        if isinstance(event, status.Rubbish):
            log.warning("printer %s sent a byte that is no answer: %02x", self.port.url, event.byte)
        if isinstance(event, status.RealTime):
            if self._silent or event.number == 0:
                return  # a late answer: to which question, nobody knows
            self._missing.discard(event.number)
            if not self._missing:
                self._complete_at = self._clock()
        self.state = status.after(self.state, event)

    def _watch_silence(self, heard: bool) -> None:
        now = self._clock()
        if self._silent and heard:
            self._quiet_at = now + QUIET_SECONDS
        elif self._silent and self._quiet_at and now >= self._quiet_at:
            # It speaks again and the late answers are through: now questions and answers match.
            self._silent, self._quiet_at = False, 0.0
            self._stream, self._missing = status.Stream(), set()
            self.ask()
        elif self._missing and not self._silent and now - self._asked_at > ANSWER_SECONDS:
            self._silent = True
            self.state = status.silent(self.state)

    def nudge(self) -> None:
        """While it is silent: one more question, so that there is something to answer."""
        if self._silent and not self._quiet_at and self.age() > ANSWER_SECONDS:
            self._asked_at = self._clock()
            self.port.write(status.question((1,)), ANSWER_SECONDS)

    def close(self) -> None:
        """Let the port go."""
        self.port.close()
