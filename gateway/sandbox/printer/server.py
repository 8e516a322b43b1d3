"""The stand-in as a server: connections, faults, answers, and one PNG and JSON a ticket."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.sandbox.printer.decoder import Decoder, Slip

FAULTS = ("paper_out", "cover_open", "offline", "near_end", "cutter_error")
MEMORY = 65536  # bytes the printer takes while it cannot print; then it stops reading
CHUNK = 4096
RESTORED = b"\x10\x05\x02"  # DLE ENQ 2: forget the buffer
REAL_TIME = re.compile(rb"\x10\x04[\x01-\x04]|\x10\x05\x02")


@dataclass(eq=False)
class Caller:
    """One connection: what it sent and is not carried out yet, and whether it wants reports (GS a)."""

    link: socket.socket
    pending: bytearray = field(default_factory=bytearray)
    tail: bytes = b""
    reports: bool = False
    gone: bool = False


class PrinterStandIn:
    """A printer on TCP.  Several programs may connect; one ticket at a time is printed.

    `width` and `dpi` are the paper's; `on_ticket` is called with the number of each ticket that is cut.
    """

    def __init__(
        self,
        folder: str | pathlib.Path,
        host: str = "127.0.0.1",
        port: int = 9100,
        width: int = 576,
        dpi: int = 203,
        on_ticket: Callable[[int], None] | None = None,
        clock: Callable[[], float] = time.time,
    ):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._address = (host, port)
        self._clock, self._on_ticket = clock, on_ticket or (lambda _: None)
        self._changed = threading.Condition()
        self._faults = dict.fromkeys(FAULTS, False)
        self._buffer = bytearray()
        self._callers: list[Caller] = []
        self._holder: Caller | None = None
        self._decoder = Decoder(width, dpi, self._answer, self._set_reports)
        self._cuts = max([int(path.stem) for path in self.folder.glob("[0-9]*.json")], default=0)
        self._thread: threading.Thread | None = None

    # --- for people ---

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"tcp://{self._address[0]}:{self._address[1]}"

    @property
    def faults(self) -> dict[str, bool]:
        """Each fault, on or off."""
        with self._changed:
            return dict(self._faults)

    @property
    def cuts(self) -> int:
        """The number of the last ticket in the folder."""
        with self._changed:
            return self._cuts

    @property
    def unknown(self) -> int:
        """How many commands and bytes a printer would not have understood, since it was made."""
        return self._decoder.unknown

    def fault(self, name: str, on: bool) -> None:
        """Switch a fault on or off; KeyError for a fault that does not exist."""
        with self._changed:
            if name not in self._faults:
                raise KeyError(name)
            self._faults[name] = on
        self._poke()

    def wait_for(self, cuts: int, seconds: float) -> bool:
        """Wait until the ticket with that number is cut."""
        with self._changed:
            return self._changed.wait_for(lambda: self._cuts >= cuts, seconds)

    def start(self) -> None:
        """Listen (a port of 0 takes a free one, kept afterwards); returns when connections are welcome."""
        self._listener = socket.create_server(self._address)
        self._address = self._listener.getsockname()[:2]
        self._listener.setblocking(False)
        self._stopping = False
        self._poked, self._poker = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="printer-stand-in", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Switch it off: connections break, what was not printed is forgotten."""
        if self._thread is None:
            return
        self._stopping = True
        self._poke()
        self._thread.join(10)
        self._thread = None
        os.close(self._poked)
        os.close(self._poker)

    # --- the one thread ---

    def _poke(self) -> None:
        if self._thread is not None:
            os.write(self._poker, b"!")

    def _serve(self) -> None:
        before = self._report()
        while not self._stopping:
            for source in self._ready():
                self._attend(source)
            before = self._tell_changes(before)
            self._print()
        for caller in self._callers:
            self._hang_up(caller)
        self._callers, self._holder = [], None
        self._listener.close()
        self._buffer.clear()

    def _ready(self) -> list[object]:
        with selectors.DefaultSelector() as selector:
            selector.register(self._poked, selectors.EVENT_READ, self._poked)
            selector.register(self._listener, selectors.EVENT_READ, self._listener)
            for caller in self._callers:
                if not caller.gone and not self._faults["offline"] and len(caller.pending) < MEMORY:
                    selector.register(caller.link, selectors.EVENT_READ, caller)
            return [key.data for key, _ in selector.select()]

    def _attend(self, source: object) -> None:
        if source == self._poked:
            os.read(self._poked, 64)
        elif source is self._listener:
            link, _ = self._listener.accept()
            link.setblocking(False)
            self._callers.append(Caller(link))
        else:
            self._read(source)

    def _read(self, caller: Caller) -> None:
        try:
            data = caller.link.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up(caller)
            return
        self._answer_real_time(caller, data)
        caller.pending += data

    def _hang_up(self, caller: Caller) -> None:
        # What it sent stays in the printer, as in a real one: also half a picture.
        caller.gone = True
        caller.link.close()

    def _answer_real_time(self, caller: Caller, data: bytes) -> None:
        # Real-time commands work at once and anywhere, in the middle of a picture too.
        stream = caller.tail + data
        for match in REAL_TIME.finditer(stream):
            if match[0] == RESTORED:
                self._buffer.clear()
                for each in self._callers:
                    each.pending.clear()
            else:
                self._send(caller, bytes((self._status(match[0][2]),)))
        # Two bytes may be the beginning of the next command, unless they were the end of one.
        caller.tail = b"" if REAL_TIME.search(stream[-3:]) else stream[-2:]

    # --- printing ---

    def _print(self) -> None:
        while self._may_print():
            self._forget_gone()
            self._choose_holder()
            if self._holder is not None:
                self._buffer += self._holder.pending
                self._holder.pending.clear()
            if not self._buffer or self._cut_is_stuck():
                return
            done, slip = self._decoder.take(self._buffer)
            if slip is not None:
                self._keep(slip)
            if not done:
                return

    def _may_print(self) -> bool:
        self._decoder.near_end = self._faults["near_end"]
        return not (self._faults["paper_out"] or self._faults["cover_open"] or self._stopping)

    def _cut_is_stuck(self) -> bool:
        return self._faults["cutter_error"] and self._buffer.startswith(b"\x1dV")

    def _choose_holder(self) -> None:
        """Whose ticket is printed: the same caller until its paper is cut, then the next who has sent."""
        if self._holder is not None and (self._buffer or self._holder.pending or not self._decoder.at_rest):
            return
        self._holder = next((caller for caller in self._callers if caller.pending), self._holder)

    def _forget_gone(self) -> None:
        holder = self._holder
        if holder is not None and holder.gone and not holder.pending:
            self._holder = None
        self._callers = [caller for caller in self._callers if not caller.gone or caller.pending]

    def _keep(self, slip: Slip) -> None:
        number = self._cuts + 1
        name = f"{number:06d}"
        at = datetime.datetime.fromtimestamp(self._clock(), datetime.UTC).isoformat(timespec="seconds")
        facts = {
            "at": at,
            "bytes": slip.bytes,
            "texts": list(slip.texts),
            "cut": number,
            "unknown": list(slip.unknown),
        }
        picture = self.folder / f".{name}.png.part"
        slip.picture.save(picture, "PNG")
        picture.rename(self.folder / f"{name}.png")
        words = self.folder / f".{name}.json.part"
        words.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
        words.rename(self.folder / f"{name}.json")
        with self._changed:
            self._cuts = number
            self._changed.notify_all()
        self._on_ticket(number)

    # --- answers ---

    def _answer(self, data: bytes) -> None:
        if self._holder is not None:
            self._send(self._holder, data)

    def _set_reports(self, mask: int) -> None:
        if self._holder is not None:
            self._holder.reports = mask != 0
            if mask:
                self._send(self._holder, self._report())

    def _tell_changes(self, before: bytes) -> bytes:
        report = self._report()
        if self._faults["offline"]:
            return before  # told once it is back
        for caller in self._callers:
            if caller.reports and report != before:
                self._send(caller, report)
        return report

    def _send(self, caller: Caller, data: bytes) -> None:
        try:
            caller.link.send(data)
        except OSError:
            return  # gone, or not reading: its end of the line is found by the next read

    def _status(self, number: int) -> int:
        faults = self._faults
        cause = 0x04 * faults["cover_open"] | 0x20 * faults["paper_out"] | 0x40 * faults["cutter_error"]
        paper = 0x0C * (faults["near_end"] or faults["paper_out"]) | 0x60 * faults["paper_out"]
        return 0x12 | {1: 0x08 * self._stopped, 2: cause, 3: 0x08 * faults["cutter_error"], 4: paper}[number]

    def _report(self) -> bytes:
        faults = self._faults
        paper = 0x03 * (faults["near_end"] or faults["paper_out"]) | 0x0C * faults["paper_out"]
        first = 0x10 | 0x08 * self._stopped | 0x20 * faults["cover_open"]
        return bytes((first, 0x08 * faults["cutter_error"], paper, 0))

    @property
    def _stopped(self) -> bool:
        return self._faults["cover_open"] or self._faults["paper_out"] or self._faults["cutter_error"]
