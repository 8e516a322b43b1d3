"""A serial port or a socket with a modem behind it, opened by a URL and read in whole bites.

Theory: pyserial opens the port (speed, raw mode, a lock against a second owner), and from then on one `poll` and
one `read` do what its own two selects and a question for the count do: the time between the modem's OK and
our next command is ours alone. A bell, which any thread may ring, ends a wait for a modem that says nothing.
"""

import contextlib
import errno
import math
import os
import select
import termios
import time
from urllib.parse import parse_qs, urlsplit

import serial

BITE = 65_536
WRITE_SECONDS = 5.0


class Gone(Exception):
    """The port does not work, or no more. `taken`: a PDU was fully written to it before."""

    def __init__(self, reason: str, taken: bool = False) -> None:
        super().__init__(reason)
        self.taken = taken


class Held(Gone):
    """Another process has this port; what becomes of the modem is for that one to say."""


class Bell:
    """Wakes the thread that waits at a port. It outlives the ports."""

    def __init__(self) -> None:
        self._hears, self._rings = os.pipe()
        for end in (self._hears, self._rings):
            os.set_blocking(end, False)

    def fileno(self) -> int:
        return self._hears

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it rings already
            os.write(self._rings, b"x")

    def quiet(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._hears, BITE)

    def close(self) -> None:
        os.close(self._hears)
        os.close(self._rings)


class Port:
    """An open port. Only the thread that opened it uses it."""

    def __init__(self, url: str, bell: Bell) -> None:
        """Opens it. Raises Gone, or Held when another process has it."""
        place, baud = parted(url)
        try:
            self._serial = serial.serial_for_url(
                place, baud, timeout=0, write_timeout=WRITE_SECONDS, exclusive=True
            )
        except (serial.SerialException, OSError, termios.error) as fault:
            if getattr(fault, "errno", None) in (errno.EAGAIN, errno.EBUSY):
                raise Held("another process has the port") from fault
            raise Gone("no modem at its port") from fault
        self._bell, self._path, self._fd = bell, place, self._serial.fileno()
        self._alone, self._either, self._out = select.poll(), select.poll(), select.poll()
        self._alone.register(self._fd, select.POLLIN)
        self._either.register(self._fd, select.POLLIN)
        self._either.register(bell.fileno(), select.POLLIN)
        self._out.register(self._fd, select.POLLOUT)

    def read(self, wait: float, bell: bool = False) -> bytes:
        """What has come, at the latest after `wait` seconds; nothing then, or when the bell rang. Raises Gone."""
        try:
            events = (self._either if bell else self._alone).poll(max(0, math.ceil(1000 * wait)))
            if bell and any(ready == self._bell.fileno() for ready, _ in events):
                self._bell.quiet()
            if not any(ready == self._fd for ready, _ in events):
                return b""
            octets = os.read(self._fd, BITE)
        except BlockingIOError:
            return b""
        except OSError as fault:
            raise Gone(_name(fault)) from fault
        if not octets:  # what was pulled out is always ready to be read, and says nothing
            raise Gone("hung up")
        return octets

    def write(self, octets: bytes) -> None:
        """All of it. Raises Gone; then the last octet has not been written."""
        end = time.monotonic() + WRITE_SECONDS
        while octets:
            try:
                octets = octets[os.write(self._fd, octets) :]
            except BlockingIOError:
                if not self._out.poll(max(0, math.ceil(1000 * (end - time.monotonic())))):
                    raise Gone("the port takes nothing more") from None
            except OSError as fault:
                raise Gone(_name(fault)) from fault

    def moved(self) -> bool:
        """Whether the path has come to name another device, or none, while this one stays open."""
        if "://" in self._path:
            return False
        try:
            named, held = os.stat(self._path), os.fstat(self._fd)
        except OSError:
            return True
        return (named.st_rdev, named.st_ino) != (held.st_rdev, held.st_ino)

    def close(self) -> None:
        # What still waits to go out would hold up the closing of a dead USB port for half a minute.
        with contextlib.suppress(serial.SerialException, OSError, termios.error):
            self._serial.reset_output_buffer()
        with contextlib.suppress(serial.SerialException, OSError):
            self._serial.close()


def parted(url: str) -> tuple[str, int]:
    """What pyserial is given, and the speed. ValueError for a URL of neither kind."""
    parts = urlsplit(url)
    if parts.scheme == "socket" and parts.hostname and parts.port:
        return f"socket://{parts.netloc}", 115_200
    device = parts.netloc + parts.path  # serial://data/… is a path from where the program was started
    if parts.scheme != "serial" or not parts.path:
        raise ValueError(
            "a modem's url looks like serial:///dev/ttyUSB0?baud=115200 or socket://192.0.2.1:4001"
        )
    return device, int(parse_qs(parts.query).get("baud", ["115200"])[0])


def there(url: str) -> bool:
    """Whether there is anything to open, as far as can be told without opening it."""
    place, _ = parted(url)
    return "://" in place or os.path.exists(place)


def _name(fault: OSError) -> str:
    return errno.errorcode.get(fault.errno or 0, type(fault).__name__)
