"""One call to a program's address, and to nowhere else.

An address comes from whoever has a key, so it must not make this server knock at doors of its own network.
The name is looked up here once, every address of it must be public (or the host be named in `[hooks] allow`),
and the connection goes to one of the very addresses that were looked at: asking again would let a name server
give another answer the second time. For the same reason no proxy is used and no redirect followed, and nothing
of what came back is kept but its status.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from gateway.rules import hooks as rules
from gateway.rules.hooks import Address

LARGEST_ANSWER = 8_192
IDLE_SECONDS = 15
MOST_TARGETS = 3
GONE = 410
Target = tuple[int, int, int, str, tuple]
Resolve = Callable[..., list[Target]]


class Forbidden(Exception):
    """The address is none that we may call; its text says why, in both languages."""


@dataclass(frozen=True)
class Outcome:
    """How a call ended: the HTTP status, or None and a reason."""

    status: int | None
    reason: str = ""

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def checked(url: str, allow: Collection[str], resolve: Resolve = socket.getaddrinfo) -> Address:
    """The address, if it may be called now; raise `Forbidden`."""
    found = rules.address(url)
    if found is None:
        raise Forbidden("chỉ http hoặc https, không kèm mật khẩu / only http or https, without credentials")
    targets(found, allow, resolve)
    return found


def targets(where: Address, allow: Collection[str], resolve: Resolve = socket.getaddrinfo) -> list[Target]:
    """Where a host lives. One address of it that is not public condemns them all."""
    try:
        found = resolve(where.host, where.port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as fault:  # ValueError: a label that is empty or too long for a name
        raise Forbidden("không tìm thấy máy chủ này / there is no such host") from fault
    if not found or not (
        rules.is_allowed(where.host, allow) or all(rules.is_public(address[0]) for *_, address in found)
    ):
        raise Forbidden("không được gọi địa chỉ nội bộ / an address that is not public may not be called")
    return found[:MOST_TARGETS]


class _Connection(http.client.HTTPConnection):
    """To one of the targets that were checked; ends at `deadline` (monotonic), whatever the other side does."""

    auto_open = 0  # one that was lost is not opened anew: its addresses would be old ones

    def __init__(self, where: Address, found: list[Target], tls: ssl.SSLContext | None, deadline: float):
        super().__init__(where.host, where.port)
        self._targets, self._tls, self.deadline = found, tls, deadline
        self.cut_off = False

    def connect(self) -> None:
        plain = self._reached()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.settimeout(self.left())
        self.sock = plain
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def _reached(self) -> socket.socket:
        fault: OSError = ConnectionError("no address")
        for family, kind, protocol, _, address in self._targets:
            made = socket.socket(family, kind, protocol)
            made.settimeout(self.left())
            try:
                made.connect(address)
                return made
            except OSError as one:
                made.close()
                fault = one
        raise fault

    def left(self) -> float:
        return max(0.001, self.deadline - time.monotonic())

    def cut(self) -> None:
        """Wake the thread that reads: a byte every few seconds must not hold it for hours."""
        self.cut_off = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class Caller:
    """Posts to programs' addresses. For several threads; connections are kept for some seconds."""

    def __init__(
        self,
        allow: Collection[str],
        timeout: float,
        resolve: Resolve = socket.getaddrinfo,
        tls: ssl.SSLContext | None = None,
    ):
        """`timeout`: seconds for the whole call. `tls`: whom to trust, as the system does if not said."""
        self._allow, self._timeout, self._resolve = tuple(allow), timeout, resolve
        self._tls = tls or ssl.create_default_context()
        self._idle: dict[Address, list[tuple[float, _Connection]]] = {}
        self._lock = threading.Lock()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """One call; a kept connection that turns out to be dead is replaced, once."""
        where = rules.address(url)
        if where is None:
            return Outcome(None, "địa chỉ không dùng được / not an address")
        kept = self._kept(where)
        if kept is not None:
            with contextlib.suppress(ConnectionError):
                return self._asked(kept, where, body, headers)
        try:
            found = targets(where, self._allow, self._resolve)
        except Forbidden as fault:
            return Outcome(None, str(fault))
        tls = self._tls if where.secure else None
        made = _Connection(where, found, tls, time.monotonic() + self._timeout)
        try:
            return self._asked(made, where, body, headers)
        except ConnectionError:
            return Outcome(None, "không kết nối được / no connection")

    def _asked(
        self, connection: _Connection, where: Address, body: bytes, headers: Mapping[str, str]
    ) -> Outcome:
        """Raises ConnectionError only, when the other side was not there or hung up before it answered."""
        alarm = threading.Timer(connection.left(), connection.cut)
        alarm.daemon = True
        alarm.start()
        whole = False
        try:
            if connection.sock is None:
                connection.connect()
            connection.request("POST", where.path, body, dict(headers))
            answer = connection.getresponse()
            whole = _read(answer)
            return _outcome(answer.status)
        except (OSError, http.client.HTTPException, ValueError) as fault:
            if isinstance(fault, ConnectionError) and not connection.cut_off:
                raise
            return Outcome(None, _said(fault, connection.cut_off))
        finally:
            alarm.cancel()
            self._put_back(where, connection, whole and not connection.cut_off)

    def _kept(self, where: Address) -> _Connection | None:
        with self._lock:
            kept = self._idle.get(where, [])
            while kept:
                since, connection = kept.pop()
                if time.monotonic() - since < IDLE_SECONDS:
                    connection.deadline = time.monotonic() + self._timeout
                    connection.sock.settimeout(self._timeout)
                    return connection
                connection.close()
        return None

    def _put_back(self, where: Address, connection: _Connection, usable: bool) -> None:
        if not usable or connection.sock is None:
            connection.close()
            return
        with self._lock:
            self._idle.setdefault(where, []).append((time.monotonic(), connection))

    def close(self) -> None:
        with self._lock:
            for kept in self._idle.values():
                for _, connection in kept:
                    connection.close()
            self._idle.clear()


def _read(answer: http.client.HTTPResponse) -> bool:
    """Whether a short answer was read to its end, and another may follow on this connection."""
    try:
        answer.read(LARGEST_ANSWER)
    except (OSError, http.client.HTTPException, ValueError):  # its status has been said already
        return False
    return answer.isclosed() and not answer.will_close


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status)
    if 300 <= status < 400:
        return Outcome(status, "chuyển hướng, không đi theo / a redirect, which is not followed")
    return Outcome(status, f"trả lời {status} / answered {status}")


def _said(fault: Exception, cut_off: bool) -> str:
    if cut_off or isinstance(fault, TimeoutError):
        return "không trả lời kịp / no answer in time"
    if isinstance(fault, ssl.SSLError):
        return "kết nối bảo mật thất bại / the secure connection failed"
    if isinstance(fault, OSError):
        return "không kết nối được / no connection"
    return "trả lời không phải HTTP / the answer is not HTTP"
