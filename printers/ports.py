"""Ports: a printer behind a URL, as a stream of bytes both ways.

serial:///dev/ttyUSB0?baud=115200&rtscts=1   tcp://192.168.1.50:9100   socket://127.0.0.1:7000
usb:///dev/usb/lp0 (the kernel's usblp)      file:///tmp/ticket.bin (written only, never answers)

Every port is one non-blocking file descriptor, written in chunks by its owner and read by one thread.
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import socket
import stat
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass

import serial

CHUNK = 4096  # cheap printers lose data when given more at once
CONNECT_SECONDS = 3.0
LONGEST_BACKLOG = 65536  # bytes kept unread; a device that never stops talking is not listened to for ever
BAUDS = frozenset((1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600))


class PortError(Exception):
    """The device cannot be used: `code` is no_device, busy, timeout or words (the URL itself is wrong).

    `sent` says how many bytes of the failed call the system had taken: 0 means the printer got nothing.
    """

    def __init__(self, code: str, vi: str, en: str, sent: int = 0):
        super().__init__(f"{vi} / {en}")
        self.code, self.vi, self.en, self.sent = code, vi, en, sent


@dataclass(frozen=True)
class Handle:
    """An open device: its descriptor, whether it can answer, and how to close it."""
    descriptor: int
    answers: bool
    close: Callable[[], None]
    empty_read_is_end: bool = True


def open_port(url: str, on_data: Callable[[], None] | None = None) -> Port:
    """Open the device behind the URL; raises PortError.  `on_data` is called when bytes or the end came."""
    parts = urllib.parse.urlsplit(url)
    opener = OPENERS.get(parts.scheme)
    if opener is None:
        raise PortError("words", f"Địa chỉ máy in “{url}” không dùng được (cần {', '.join(OPENERS)}://…)",
                        f"The printer URL “{url}” is unknown (one of {', '.join(OPENERS)}://…)")
    try:
        return Port(url, opener(parts), on_data or (lambda: None))
    except (OSError, serial.SerialException) as error:
        raise _cannot_open(url, error) from error


class Port:
    """One open device.  One thread writes; the port's own thread reads.  Close it when done."""

    def __init__(self, url: str, handle: Handle, on_data: Callable[[], None]):
        self.url = url
        self.answers = handle.answers
        self._handle = handle
        self._on_data = on_data
        self._arrived = threading.Condition()
        self._received = bytearray()
        self._lost = ""
        self._closing, self._wake = os.pipe()
        self._reader = threading.Thread(target=self._read_on, name="printer-reader", daemon=True)
        if handle.answers:
            self._reader.start()

    def write_some(self, data: bytes | memoryview, seconds: float) -> int:
        """Write what the device takes, at most CHUNK bytes; 0 if it takes nothing for so many seconds."""
        self._check()
        try:
            writable = select.select([], [self._handle.descriptor], [], seconds)[1]
            return os.write(self._handle.descriptor, data[:CHUNK]) if writable else 0
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return 0
            raise self._gone(error) from error

    def write(self, data: bytes, seconds: float) -> None:
        """Write everything before the deadline; PortError("timeout") with `sent` otherwise."""
        deadline, sent, view = time.monotonic() + seconds, 0, memoryview(data)
        while sent < len(data):
            left = deadline - time.monotonic()
            try:
                taken = self.write_some(view[sent:], max(0.0, min(left, 0.5)))
            except PortError as error:
                error.sent += sent
                raise
            if not taken and left <= 0:
                raise PortError("timeout", "Máy in không nhận dữ liệu", "The printer takes no data", sent)
            sent += taken

    def read(self, seconds: float = 0.0) -> bytes:
        """What has arrived, waiting at most so long for the first byte; PortError when the device is gone."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._received or self._lost, seconds)
            data = bytes(self._received)
            self._received.clear()
            if not data:
                self._check()
        return data

    def close(self) -> None:
        """Stop the reader and let the device go; harmless twice."""
        if self._wake < 0:
            return
        os.close(self._wake)
        self._wake = -1
        if self._reader.is_alive() and self._reader is not threading.current_thread():
            self._reader.join(5)
        os.close(self._closing)
        with contextlib.suppress(OSError):
            self._handle.close()

    def _check(self) -> None:
        if self._lost:
            raise self._gone_error()

    def _gone(self, error: OSError) -> PortError:
        self._lose(os.strerror(error.errno or errno.EIO))
        return self._gone_error()

    def _gone_error(self) -> PortError:
        return PortError("no_device", f"Mất kết nối máy in ({self._lost})",
                         f"The printer is gone ({self._lost})")

    def _lose(self, why: str) -> None:
        with self._arrived:
            self._lost = self._lost or why
            self._arrived.notify_all()

    def _read_on(self) -> None:
        descriptor, more = self._handle.descriptor, True
        while more:
            readable = select.select([descriptor, self._closing], [], [])[0]
            if self._closing in readable:
                return
            more = self._read_once(descriptor)
            self._on_data()

    def _read_once(self, descriptor: int) -> bool:
        """Take what is there; False when the device is gone."""
        try:
            data = os.read(descriptor, CHUNK)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return True
            self._lose(os.strerror(error.errno or errno.EIO))
            return False
        if not data and self._handle.empty_read_is_end:
            self._lose("EOF")
            return False
        if not data:  # usblp answers an empty read when it has nothing: not the end, but do not spin
            return not select.select([self._closing], [], [], 0.05)[0]
        with self._arrived:
            self._received += data
            del self._received[:-LONGEST_BACKLOG]
            self._arrived.notify_all()
        return True


def _open_tcp(parts: urllib.parse.SplitResult) -> Handle:
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise PortError("words", "Địa chỉ máy in thiếu máy hoặc cổng", "The printer URL needs host and port")
    link = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
    link.setblocking(False)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A printer whose cable is pulled says nothing: without these the connection would look alive for hours.
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    return Handle(link.fileno(), True, link.close)


def _open_serial(parts: urllib.parse.SplitResult) -> Handle:
    options = dict(urllib.parse.parse_qsl(parts.query))
    baud = options.get("baud", "9600")
    if not baud.isdigit() or int(baud) not in BAUDS:
        raise PortError("words", f"Tốc độ baud {baud} không dùng được", f"Baud rate {baud} is not usable")
    # exclusive: two writers on one line would mix two tickets on one paper.
    device = serial.Serial(parts.path, int(baud), timeout=0, write_timeout=0, exclusive=True,
                           rtscts=options.get("rtscts", "0") in ("1", "true"))
    os.set_blocking(device.fileno(), False)
    return Handle(device.fileno(), True, device.close)


def _open_usb(parts: urllib.parse.SplitResult) -> Handle:
    descriptor = os.open(parts.path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        if not stat.S_ISCHR(os.fstat(descriptor).st_mode):
            raise PortError("words", f"{parts.path} không phải là thiết bị", f"{parts.path} is no device")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return Handle(descriptor, True, lambda: os.close(descriptor), empty_read_is_end=False)


def _open_file(parts: urllib.parse.SplitResult) -> Handle:
    descriptor = os.open(parts.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o640)
    return Handle(descriptor, False, lambda: os.close(descriptor))


OPENERS = {"serial": _open_serial, "tcp": _open_tcp, "socket": _open_tcp, "usb": _open_usb,
           "file": _open_file}


def _cannot_open(url: str, error: Exception) -> PortError:
    code = getattr(error, "errno", None)
    if code in (errno.EBUSY, errno.EWOULDBLOCK) or "exclusively lock" in str(error):
        return PortError("busy", f"Máy in {url} đang do chương trình khác sử dụng",
                         f"{url} is in use elsewhere")
    if code in (errno.EACCES, errno.EPERM):
        return PortError("no_device", f"Không có quyền dùng máy in {url}", f"No permission for {url}")
    why = os.strerror(code) if isinstance(code, int) else type(error).__name__
    return PortError("no_device", f"Không kết nối được máy in {url} ({why})",
                     f"{url} cannot be reached ({why})")
