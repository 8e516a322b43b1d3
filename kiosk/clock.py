"""What time it is on a machine whose clock may be wrong.

A Pi without a battery starts in the past, and its wall clock may leap at any moment.
So the last answer of the gateway is an anchor: the gateway's time at one point of this boot's
monotonic clock. From there on time is counted monotonically and the wall clock is not asked.
Before the first answer of a boot the wall clock is believed, but never earlier than the
newest time the gateway ever told us.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

from kiosk import durable

log = logging.getLogger(__name__)

# The zone where none is named: Vietnam keeps UTC+7 all year.
ZONE: tzinfo = timezone(timedelta(hours=7))
# systemd-timesyncd makes this file once the clock has been set in this boot.
SYNCED = Path("/run/systemd/timesync/synchronized")
# Seconds: a slower answer says too little about the time at its middle.
SLOWEST_ROUND_TRIP = 5.0
# Seconds between two stored anchors: each store is an fsync on an SD card.
STORE_EVERY = 600.0


@dataclass(frozen=True)
class Reading:
    """The machine's clocks at one instant: wall (epoch s), monotonic (s), which boot it is, set by NTP."""

    wall: float
    monotonic: float
    boot: str
    synced: bool = False


@dataclass(frozen=True)
class Anchor:
    """The gateway's time (epoch s) at `monotonic` of boot `boot`; `round_trip` in seconds."""

    server: float
    monotonic: float
    boot: str
    round_trip: float


@dataclass(frozen=True)
class Moment:
    """A corrected time: `at` epoch s; `trusted` when the gateway or NTP has told it in this boot."""

    at: float
    monotonic: float
    boot: str
    trusted: bool
    offset: float
    zone: tzinfo = ZONE


def machine() -> Reading:
    return Reading(time.time(), time.monotonic(), _boot_id(), SYNCED.exists())


def measure(server: float, before: Reading, after: Reading) -> Anchor:
    """The anchor of one request: the server's time belongs to the middle of the round trip."""
    round_trip = after.monotonic - before.monotonic
    return Anchor(server, before.monotonic + round_trip / 2, before.boot, round_trip)


def correct(reading: Reading, anchor: Anchor | None, zone: tzinfo = ZONE) -> Moment:
    anchored = anchor is not None and anchor.boot == reading.boot
    if anchored:
        at = anchor.server + reading.monotonic - anchor.monotonic
    else:
        at = max(reading.wall, anchor.server if anchor else 0.0)
    return Moment(at, reading.monotonic, reading.boot, anchored or reading.synced, at - reading.wall, zone)


class Clock:
    """The machine's clock, corrected, in the station's zone; remembers its anchor in `path` (None: in memory)."""

    def __init__(
        self, path: Path | None = None, source: Callable[[], Reading] = machine, zone: tzinfo = ZONE
    ):
        self._path = path
        self._zone = zone
        self._source = source
        self._lock = threading.Lock()
        self._anchor = _load(path)
        self._stored = self._anchor

    def reading(self) -> Reading:
        return self._source()

    def now(self) -> Moment:
        return correct(self._source(), self._anchor, self._zone)

    def hear(self, anchor: Anchor) -> None:
        """Take the gateway's word for the time; a slow answer counts only when there is no better."""
        with self._lock:
            held = self._anchor
            known = held is not None and held.boot == anchor.boot
            if known and anchor.round_trip > SLOWEST_ROUND_TRIP:
                return
            self._anchor = anchor
            if self._worth_storing(anchor):
                self._store(anchor)

    def _worth_storing(self, anchor: Anchor) -> bool:
        stored = self._stored
        if stored is None or stored.boot != anchor.boot:
            return True
        drift = (anchor.server - stored.server) - (anchor.monotonic - stored.monotonic)
        return abs(drift) > 1.0 or anchor.monotonic - stored.monotonic > STORE_EVERY

    def _store(self, anchor: Anchor) -> None:
        if self._path is not None:
            try:
                durable.write_json(self._path, asdict(anchor))
            except OSError as fault:
                log.warning("clock anchor not stored: %s", fault)
                return
        self._stored = anchor


def rfc3339(at: float, zone: tzinfo = ZONE) -> str:
    """Epoch seconds as 2026-11-24T08:15:02.250+07:00."""
    return datetime.fromtimestamp(at, zone).isoformat(timespec="milliseconds")


def parse(text: str) -> float:
    """RFC 3339 with an offset to epoch seconds; ValueError when it is not that."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return moment.timestamp()


def day(at: float, zone: tzinfo = ZONE) -> str:
    """The date at the station, 2026-11-24."""
    return datetime.fromtimestamp(at, zone).date().isoformat()


def hour(at: float, zone: tzinfo = ZONE) -> str:
    """The time of day at the station, 08:15."""
    return datetime.fromtimestamp(at, zone).strftime("%H:%M")


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _load(path: Path | None) -> Anchor | None:
    document: dict[str, Any] | None = durable.read_json(path) if path else None
    if document is None:
        return None
    try:
        return Anchor(
            float(document["server"]),
            float(document["monotonic"]),
            str(document["boot"]),
            float(document["round_trip"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
