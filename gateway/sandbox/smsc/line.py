"""One connection to the stand-in SMSC."""

import contextlib
import itertools
import queue
import socket
import threading
import time
from typing import Any

from gateway.rules.smpp.pdus import RESPONSE, Bind, Command, Frames, Malformed, Pdu, ShortMessage, Status

DRIP = 0.0005
"""Seconds between two octets, or two halves."""

BINDS = {Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER}


class Waiting:
    """For the answer to a deliver_sm."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._status: int | None = None

    def answered(self, status: int) -> None:
        self._status = status
        self.over.set()

    def status(self, seconds: float) -> int | None:
        """None when no answer comes in time."""
        self.over.wait(seconds)
        return self._status


class Line:
    """`service` is the account behind it (see `service.Smsc`), which this asks what to do.

    `hears`: somebody is bound. `left`: they said goodbye. `over` is set when the line is gone. `submits`: how many
    came. `heard`: the answers to what we asked by `ask`, and what answers nothing.
    """

    def __init__(self, connected: socket.socket, service: Any) -> None:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket, self._service = connected, service
        self._writing, self._closed = threading.Lock(), threading.Event()
        self._sequences = itertools.count(1)
        self._delivers: dict[int, Waiting] = {}
        self._last = self.submits = 0
        self.hears = self.left = False
        self.over, self.heard = threading.Event(), queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="smsc-line", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """As when somebody pulls the cable out: what was not said will not be."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def say(self, octets: bytes) -> None:
        """As they are, in the manner of the line."""
        manner = self._service.manner
        if manner.deaf or self._closed.is_set():
            return
        size = 1 if manner.drip else max(1, len(octets) // 2) if manner.halves else len(octets)
        with self._writing, contextlib.suppress(OSError):
            for start in range(0, len(octets), size):
                self._socket.sendall(octets[start : start + size])
                if size < len(octets):
                    time.sleep(DRIP)

    def put(self, body: bytes) -> "Waiting":
        """Says a deliver_sm, and does not wait for its answer."""
        waiting = Waiting()
        sequence = next(self._sequences)
        self._delivers[sequence] = waiting
        if self._closed.is_set():
            waiting.over.set()
        self.say(Pdu(Command.DELIVER_SM, sequence, 0, body).octets)
        return waiting

    def ask(self, command: Command) -> None:
        """An enquire_link, an unbind, an outbind."""
        body = b"smsc\0secret\0" if command == Command.OUTBIND else b""
        self.say(Pdu(command, next(self._sequences), 0, body).octets)

    def _run(self) -> None:
        frames = Frames()
        with self._socket, contextlib.suppress(OSError, Malformed):
            while octets := self._socket.recv(65_536):
                for one in frames.feed(octets):
                    self._take(one)
                    if self._closed.is_set():
                        break
        self.hears = False
        self._closed.set()
        for waiting in list(self._delivers.values()):
            waiting.over.set()
        self._service.gone(self)
        self.over.set()

    def _take(self, one: Pdu) -> None:
        if one.command & RESPONSE:
            self._take_answer(one)
            return
        if one.status or not self._last < one.sequence:
            self._service.complain(f"status {one.status}, sequence {one.sequence} after {self._last}")
        self._last = one.sequence
        if one.command in BINDS:
            self._bind(one)
        elif one.command == Command.ENQUIRE_LINK:
            if self._service.manner.enquire:
                self._answer(one)
        elif one.command == Command.UNBIND:
            self.hears, self.left = False, True
            self._answer(one)
        elif one.command == Command.SUBMIT_SM:
            self._submit(one)
        else:
            self._service.complain(f"a command {one.command:08X}")
            self.say(Pdu(Command.GENERIC_NACK, one.sequence, Status.BAD_COMMAND).octets)

    def _take_answer(self, one: Pdu) -> None:
        if one.command != Command.DELIVER_SM_RESP:
            self.heard.put(one)
            return
        if one.body != b"\0" or one.sequence not in self._delivers:
            self._service.complain(f"a deliver_sm_resp {one.sequence} {one.body!r}")
            return
        self._delivers.pop(one.sequence).answered(one.status)

    def _bind(self, one: Pdu) -> None:
        manner = self._service.manner
        if manner.early:
            self.ask(Command.OUTBIND)
        if manner.bind is None:
            return
        status = manner.bind or self._known(one)
        self._answer(one, status, b"" if status else b"sandbox\0")
        if not status:
            self.hears = True
            self._service.came(self)

    def _known(self, one: Pdu) -> int:
        try:
            asked = Bind.read(one.body)
        except Malformed as fault:
            self._service.complain(f"a bind: {fault}")
            return Status.BIND_FAILED
        if self.hears:
            return Status.ALREADY_BOUND
        return self._service.lets_in(asked)

    def _submit(self, one: Pdu) -> None:
        self.submits += 1
        if not self.hears:
            self._service.complain("a submit_sm without a bind")
            self._answer(one, Status.WRONG_STATE)
            return
        try:
            message = ShortMessage.read(one.body)
        except Malformed as fault:
            self._service.complain(f"a submit_sm: {fault}")
            self._answer(one, Status.BAD_LENGTH)
            return
        answer, then = self._service.take(message, self)
        if answer.garbage:
            self.say(answer.garbage)
        if answer.nack:
            self.say(Pdu(Command.GENERIC_NACK, one.sequence, answer.status or Status.BAD_COMMAND).octets)
        elif answer.answers:
            id = "" if self._service.manner.ids == "none" else then.id
            self._answer(one, answer.status, b"" if answer.status else f"{id}\0".encode())
        if answer.drops:
            self.cut()
        then.go()

    def _answer(self, one: Pdu, status: int = 0, body: bytes = b"") -> None:
        self.say(Pdu(one.command | RESPONSE, one.sequence, status, body).octets)
