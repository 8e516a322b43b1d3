"""Whether a message centre lets us in: a bind and an unbind, on a line of their own.

What it sends us in between is not answered, so it keeps that for the worker.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import closing
from urllib.parse import urlsplit

from gateway.channels.smpp.lane import PORTS
from gateway.channels.smpp.link import Dropped, connect
from gateway.rules.settings import Smpp
from gateway.rules.smpp.pdus import Bind, Command, Frames, Malformed, Pdu

PATIENCE = 5.0


def knock(own: Smpp, password: str) -> int:
    """The status with which the centre answers our bind, 0 for yes. Raises `Dropped` where none comes."""
    parts = urlsplit(own.url)
    secure = ssl.create_default_context() if parts.scheme == "smpps" else None
    request = Pdu(Command.BIND_TRANSCEIVER, 1, 0, Bind(own.system_id, password, own.system_type).octets)
    with closing(connect(str(parts.hostname), parts.port or PORTS[parts.scheme], secure, PATIENCE)) as line:
        line.settimeout(PATIENCE)
        try:
            line.sendall(request.octets)
            status = _answer(line)
            if status == 0:
                line.sendall(Pdu(Command.UNBIND, 2, 0, b"").octets)
        except (OSError, Malformed) as fault:
            raise Dropped(f"no answer: {type(fault).__name__}") from fault
        return status


def _answer(line: socket.socket) -> int:
    frames, end = Frames(), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        octets = line.recv(65_536)
        if not octets:
            break
        for one in frames.feed(octets):
            if one.command in (Command.BIND_TRANSCEIVER_RESP, Command.GENERIC_NACK):
                return one.status or int(one.command == Command.GENERIC_NACK)
    raise Dropped("no answer")
