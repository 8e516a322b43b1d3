"""The pty and its link: what a serial port is to its two ends, also while it is not there."""

import logging
import os
import pty
import tty
from collections import deque
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)


STALL, STALLS = 0.002, 500
"""Seconds between tries to write into a full pty, and how many of them go without any room."""


class Port:
    """One end of a pty whose other end is found by `link`. Only the thread that owns the modem reads and says."""

    def __init__(self, link: Path, later: Callable[[float, Callable[[], None]], None]) -> None:
        """`later(seconds, call)` calls in the owner's thread."""
        self.link, self._later = link, later
        self._master: int | None = None
        self._slave: int | None = None
        self._out = bytearray()
        self._unsent, self._stalls = bytearray(), 0
        self._drops: deque[int] = deque()
        self.gap = self._pace = 0.0

    @property
    def master(self) -> int | None:
        return self._master

    def plug(self) -> None:
        """A new pty by the same link, under whatever name comes."""
        if self._master is not None:
            return
        self._master, self._slave = pty.openpty()
        # The slave stays open here, so that a client that leaves is no hang-up.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.link.with_name(f".{self.link.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self.link)

    def unplug(self) -> None:
        """Whoever has it open gets an error, and the link is gone."""
        self.link.unlink(missing_ok=True)
        if self._master is None:
            return
        self.hush()
        for descriptor in (self._master, self._slave):
            os.close(descriptor)
        self._master = self._slave = None

    def read(self) -> bytes:
        try:
            return os.read(self._master, 65_536)
        except BlockingIOError:
            return b""

    def say(self, octets: bytes) -> None:
        self._out += octets

    def hush(self) -> None:
        """What was said and did not go out yet never does."""
        self._out.clear()
        self._unsent.clear()
        self._drops.clear()
        self.gap = 0.0

    def flush(self) -> None:
        if not self._out:
            return
        octets, self._out = bytes(self._out), bytearray()
        if self.gap or self._drops:
            if not self._drops:
                self._pace = self.gap
                self._later(self._pace, self._drip)
            self._drops += octets
        else:
            self._write(octets)

    def _drip(self) -> None:
        if self._drops:
            self._write(bytes([self._drops.popleft()]))
        if self._drops:
            self._later(self._pace, self._drip)

    def _write(self, octets: bytes) -> None:
        waiting = bool(self._unsent)
        self._unsent += octets
        if not waiting:
            self._stalls = 0
            self._push()

    def _push(self) -> None:
        if self._master is None or not self._unsent:
            return
        try:
            del self._unsent[: os.write(self._master, self._unsent)]
            self._stalls = 0
        except BlockingIOError:
            self._stalls += 1
        if self._stalls > STALLS:
            # Nobody reads: what a modem says into a closed port is lost, as with the real one.
            log.info("sandbox: the modem was not heard")
            self._unsent.clear()
        elif self._unsent:
            self._later(STALL, self._push)
