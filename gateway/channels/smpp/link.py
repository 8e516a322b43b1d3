"""A connected socket that speaks SMPP: PDUs in and out without ever waiting for the peer.

What is put stays here until the socket takes it, and every PDU knows at which octet of the stream it ends: so
when the line drops, it is certain of the PDUs that had not wholly left that the peer cannot have them.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress

from gateway.rules.smpp.pdus import LAST_SEQUENCE, RESPONSE, Command, Frames, Malformed, Pdu, Status

_BLOCKED = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Dropped(Exception):
    """The line is gone, or what comes over it is no SMPP."""


class Bell:
    """What wakes a thread that waits for sockets: another thread rings, and there is something to read."""

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()
        for end in (self._heard, self._rung):
            end.setblocking(False)

    def fileno(self) -> int:
        return self._heard.fileno()

    def ring(self) -> None:
        # Where it is full it rings already; where it is closed, nobody waits any more.
        with suppress(OSError):
            self._rung.send(b"\0")

    def quiet(self) -> None:
        with suppress(OSError):
            self._heard.recv(4_096)

    def close(self) -> None:
        self._heard.close()
        self._rung.close()


class Link:
    """`heard`: when the last PDU came, by the monotonic clock."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket, self._frames, self._out = connected, Frames(), bytearray()
        self._sequence = self._put = self._written = 0
        self._broke: OSError | None = None
        self.heard = time.monotonic()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def waits(self) -> bool:
        """Whether something is put that has not left."""
        return bool(self._out) and self._broke is None

    def left(self, end: int) -> bool:
        """Whether the PDU that ends at this octet of the stream has wholly left."""
        return end <= self._written

    def ask(self, command: int, body: bytes = b"") -> tuple[int, int]:
        """Puts a request; its sequence number, and the octet of the stream at which it ends."""
        self._sequence = self._sequence % LAST_SEQUENCE + 1
        return self._sequence, self._add(Pdu(command, self._sequence, 0, body))

    def answer(self, request: Pdu, status: int = 0) -> None:
        # deliver_sm_resp has a message_id, which is unused and must be empty (4.6.2).
        body = b"\0" if request.command == Command.DELIVER_SM else b""
        self._add(Pdu(request.command | RESPONSE, request.sequence, status, body))

    def nack(self, sequence: int, status: int) -> None:
        self._add(Pdu(Command.GENERIC_NACK, sequence, status))

    def flush(self) -> None:
        """Writes what the socket takes now. That it broke is said by `read`, after what had come before."""
        try:
            while self._out and self._broke is None:
                count = self._socket.send(self._out)
                del self._out[:count]
                self._written += count
        except _BLOCKED:
            return
        except OSError as fault:
            self._broke = fault

    def read(self) -> Iterator[Pdu]:
        """The PDUs that have come."""
        while True:
            try:
                octets = self._socket.recv(65_536)
            except _BLOCKED:
                if self._broke is None:
                    return
                raise Dropped(f"the line broke: {self._broke}") from self._broke
            except OSError as fault:
                raise Dropped(f"the line broke: {fault}") from fault
            if not octets:
                raise Dropped("the SMSC closed the line")
            yield from self._whole(octets)

    def close(self) -> None:
        self._socket.close()

    def _whole(self, octets: bytes) -> Iterator[Pdu]:
        try:
            for one in self._frames.feed(octets):
                self.heard = time.monotonic()
                yield one
        except Malformed as fault:
            self.nack(0, Status.BAD_LENGTH)
            self.flush()
            raise Dropped(f"no SMPP: {fault}") from fault

    def _add(self, one: Pdu) -> int:
        octets = one.octets
        self._out += octets
        self._put += len(octets)
        return self._put


def connect(host: str, port: int, tls: ssl.SSLContext | None, seconds: float) -> socket.socket:
    """A connected socket; Dropped when there is none in time."""
    try:
        made = socket.create_connection((host, port), seconds)
    except OSError as fault:
        raise Dropped(f"no SMSC at {host}:{port}: {fault}") from fault
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        return tls.wrap_socket(made, server_hostname=host) if tls else made
    except (OSError, ValueError) as fault:
        made.close()
        raise Dropped(f"no TLS with {host}:{port}: {fault}") from fault
