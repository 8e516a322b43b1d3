"""A modem at its port, asked a few questions that change nothing: is there a SIM, a network, a signal.

The PIN is not given here, whatever the SIM says: three wrong ones would block it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import serial

ANSWER_SECONDS = 3.0
LONGEST = 4_096
BY_ID = Path("/dev/serial/by-id")
_NETWORKS = {"0": "off", "1": "home", "2": "searching", "3": "denied", "5": "roaming"}
_SIMS = {"READY": "ready", "SIM PIN": "pin", "SIM PUK": "puk", "SIM PIN2": "ready", "SIM PUK2": "ready"}
_NO_SIM = {"10": "absent", "11": "pin", "12": "puk", "13": "failure", "14": "opening", "15": "failure"}


class NoPort(Exception):
    """The port cannot be opened; the text says why, "vi / en"."""


class Silent(Exception):
    """The port is there, and nobody answers on it."""


@dataclass(frozen=True)
class Answers:
    """`sim`, `network`: in the words of `tables.ModemState`; `signal` in dBm; `model` as it calls itself."""

    sim: str
    network: str
    operator: str
    signal: int | None
    model: str


def ask(url: str) -> Answers:
    """Open a modem's port, ask, and close it. Raises `NoPort` or `Silent`."""
    with _opened(url) as port:
        _command(port, "ATE0", tries=3)
        sim = _sim(_command(port, "AT+CPIN?"))
        registered = re.search(r"\+CREG: *\d, *(\d)", _command(port, "AT+CREG?"))
        operator = re.search(r'\+COPS: *\d+, *\d+, *"([^"]*)"', _command(port, "AT+COPS?"))
        strength = re.search(r"\+CSQ: *(\d+)", _command(port, "AT+CSQ"))
        return Answers(
            sim,
            _NETWORKS.get(registered[1], "") if registered else "",
            operator[1][:40] if operator else "",
            _dbm(int(strength[1])) if strength else None,
            _model(_command(port, "AT+CGMM")),
        )


def _opened(url: str) -> serial.SerialBase:
    parts = urlsplit(url)
    if parts.scheme == "socket":
        device, options = f"socket://{parts.netloc}", {}
    else:
        device, options = parts.netloc + parts.path, {"exclusive": True}
        if not Path(device).exists():
            raise NoPort(f"không có cổng / no port {device}{_others()}")
    baud = int(parse_qs(parts.query).get("baud", ["115200"])[0])
    try:
        return serial.serial_for_url(device, baud, timeout=0.2, write_timeout=ANSWER_SECONDS, **options)
    except (serial.SerialException, OSError) as fault:
        raise NoPort(_why(fault, device)) from fault


def _others() -> str:
    """The names by which serial devices of this host are known: one of them is likely the right one."""
    names = sorted(path.name for path in BY_ID.iterdir()) if BY_ID.is_dir() else []
    return f"; có / there are: {', '.join(f'{BY_ID}/{name}' for name in names[:4])}" if names else ""


def _why(fault: Exception, device: str) -> str:
    text = str(fault)
    if "exclusively lock" in text or "Resource temporarily unavailable" in text:
        return f"cổng {device} đang do tiến trình khác giữ / the port is held by another process"
    if "Permission" in text:
        return f"không có quyền mở {device}: thêm người chạy vào nhóm dialout / no permission: join group dialout"
    return f"không mở được cổng {device} / the port cannot be opened ({type(fault).__name__})"


def _command(port: serial.SerialBase, text: str, tries: int = 1) -> str:
    """Everything a command answers. Raises `Silent`."""
    for _ in range(tries):
        port.write(text.encode("ascii") + b"\r")
        said, end = b"", time.monotonic() + ANSWER_SECONDS / tries
        while time.monotonic() < end and len(said) < LONGEST:
            said += port.read(max(1, port.in_waiting))
            if re.search(rb"(?:^|[\r\n])(OK|ERROR|\+CM[ES] ERROR:[^\r\n]*)\r?\n", said):
                return said.decode("ascii", "replace")
    raise Silent


def _sim(said: str) -> str:
    if match := re.search(r"\+CPIN: *([A-Z0-9 -]+)", said):
        return _SIMS.get(match[1].strip(), "failure")
    if match := re.search(r"\+CME ERROR: *(\d+)", said):
        return _NO_SIM.get(match[1], "failure")
    return "absent" if "ERROR" in said else ""


def _dbm(strength: int) -> int | None:
    """3GPP TS 27.007, 8.5: 0 is -113 dBm, each step 2 more; 99 is not known."""
    return -113 + 2 * strength if 0 <= strength <= 31 else None


def _model(said: str) -> str:
    lines = [line.strip() for line in said.splitlines()]
    lines = [
        line for line in lines if line and line not in ("OK", "ERROR") and not line.startswith(("AT", "+"))
    ]
    return lines[0][:80] if lines else ""
