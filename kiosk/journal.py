"""The kiosk's journal: what happened, on disk before anything else happens.

A folder of segments, one record a line:

    <crc32 of the rest, 8 hex digits> {"seq": 17, "event": {…}, "local": {…}}

`event` is what the gateway is sent, `local` what only this kiosk needs (the press, the paper).
A record is written and fsynced before `append` returns. At opening, a tail that is not a whole
valid record is cut off: it is the rest of a write that never returned to its caller.
Sequence numbers have no gap. How far the gateway has everything, and what the records of removed
segments said that is still needed (`carry`), is in `mark`, replaced atomically.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
import uuid
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kiosk import durable

log = logging.getLogger(__name__)

SEGMENT_BYTES = 256 * 1024
# The addresses of people's own pages, and sometimes their phones, are in here.
PRIVATE = 0o600
MARK, LOCK, SUFFIX = "mark", "lock", ".log"
# A record that the disk lost in the middle of a segment; the gateway is told, so that nothing waits for it.
DAMAGED = "journal.damaged"
TIMELESS = {"at": "1970-01-01T00:00:00Z", "boot": "", "monotonic": 0.0}


class Busy(Exception):
    """Another process writes this journal."""


class Unwritable(Exception):
    """The disk took nothing; the record does not exist. A later append may work."""


@dataclass(frozen=True)
class Record:
    seq: int
    event: Mapping[str, Any]
    local: Mapping[str, Any]


@dataclass(frozen=True)
class Mark:
    """`acked`: the gateway has every record up to here. `carry`: see `Journal.rotate`."""

    acked: int
    carry: Mapping[str, Any]


_START = re.compile(rb'[0-9a-f]{8} \{"seq": ')


def line(record: Record) -> bytes:
    body = json.dumps(
        {"seq": record.seq, "event": record.event, "local": record.local}, ensure_ascii=False
    ).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def parse(raw: bytes) -> Record | None:
    """The record of one line with its newline, or None when it is not whole."""
    if len(raw) < 11 or not raw.endswith(b"\n") or raw[8:9] != b" ":
        return None
    body = raw[9:-1]
    if raw[:8] != b"%08x" % zlib.crc32(body):
        return None
    try:
        document = json.loads(body)
        return Record(document["seq"], document["event"], document["local"])
    except (ValueError, KeyError, TypeError):
        return None


def scan(data: bytes) -> tuple[list[Record], int]:
    """The valid records of a segment and the length up to the end of the last one."""
    records: list[Record] = []
    end = at = 0
    for raw in data.splitlines(keepends=True):
        at += len(raw)
        record = parse(raw) or _behind_damage(raw)
        if record is not None and (not records or record.seq > records[-1].seq):
            records.append(record)
            end = at
    return records, end


def _behind_damage(raw: bytes) -> Record | None:
    """The whole record at the end of a line whose beginning is damaged: of a newline a disk may make anything."""
    starts = (found.start() for found in _START.finditer(raw) if found.start())
    return next((record for start in starts if (record := parse(raw[start:])) is not None), None)


def read(folder: Path) -> tuple[tuple[Record, ...], Mark]:
    """What the journal says, changing nothing and taking no lock; for looking from outside."""
    found = [record for path in _segments(folder) for record in scan(path.read_bytes())[0]]
    mark = _read_mark(folder)
    end = found[-1].seq + 1 if found else 0
    return tuple(_whole(found, _first(folder, mark), end)), mark


class Journal:
    """The one writer of a journal folder. Safe to use from several threads.

    `sync` is os.fsync; a test passes its own to see the order of things.
    Raises `Busy` when another process has it open, OSError when the folder cannot be used.
    """

    def __init__(self, folder: Path, sync: Callable[[int], None] = os.fsync):
        self.folder = folder
        self._sync = sync
        self._guard = threading.RLock()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _take_lock(folder)
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> None:
        self._mark = _read_mark(self.folder)
        segments = _segments(self.folder)
        found: list[Record] = []
        for path in segments:
            found += _repaired(path, self._sync)
        first = _first(self.folder, self._mark)
        self._next = max(first, self._mark.acked + 1, found[-1].seq + 1 if found else 1)
        self._records = _whole(found, first, self._next)
        path = segments[-1] if segments else self._create(self._next)
        self._use(path)

    def _use(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._size = os.fstat(self._handle).st_size
        self._torn = False

    def _create(self, first: int) -> Path:
        path = self.folder / f"{first:012d}{SUFFIX}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, PRIVATE))
        durable.sync_folder(self.folder, self._sync)
        return path

    @property
    def records(self) -> tuple[Record, ...]:
        """Every record of the segments still here, oldest first."""
        with self._guard:
            return tuple(self._records)

    @property
    def carry(self) -> Mapping[str, Any]:
        return self._mark.carry

    @property
    def acked(self) -> int:
        return self._mark.acked

    @property
    def unsent(self) -> int:
        """How many records the gateway is not known to have."""
        with self._guard:
            return self._next - 1 - self._mark.acked

    def append(self, event: Mapping[str, Any], local: Mapping[str, Any] | None = None) -> Record:
        """Give `event` the next sequence number and make it durable. Raises `Unwritable`."""
        with self._guard:
            record = Record(self._next, {"seq": self._next, **event}, dict(local or {}))
            self._put(line(record))
            self._records.append(record)
            self._next += 1
            return record

    def _put(self, data: bytes) -> None:
        try:
            if self._torn:
                self._cut()
            durable.write_all(self._handle, data)
            self._sync(self._handle)
        except OSError as fault:
            self._torn = True
            self._try_cut()
            raise Unwritable(str(fault)) from fault
        self._size += len(data)

    def _try_cut(self) -> None:
        # After a failed fsync the kernel may call the lost pages clean: the bytes must go, and until
        # they are gone nothing may follow them.
        try:
            self._cut()
        except OSError as fault:
            log.error("the journal's tail cannot be cut now: %s", fault)

    def _cut(self) -> None:
        os.ftruncate(self._handle, self._size)
        self._sync(self._handle)
        self._torn = False

    def since(self, seq: int, limit: int) -> tuple[Record, ...]:
        """Up to `limit` records after `seq` that are still here."""
        with self._guard:
            first = self._records[0].seq if self._records else self._next
            start = max(0, seq + 1 - first)
            return tuple(self._records[start : start + limit])

    @property
    def oldest(self) -> int:
        """The sequence number of the oldest record still here (the next one, when there is none)."""
        with self._guard:
            return self._records[0].seq if self._records else self._next

    def ack(self, seq: int) -> None:
        """Remember that the gateway has everything up to `seq`; less than before when it lost some."""
        with self._guard:
            seq = max(self.oldest - 1, min(seq, self._next - 1))
            if seq != self._mark.acked:
                self._set_mark(Mark(seq, self._mark.carry))

    def _set_mark(self, mark: Mark) -> None:
        body = json.dumps({"acked": mark.acked, "carry": mark.carry}, ensure_ascii=False)
        durable.write(self.folder / MARK, f"{zlib.crc32(body.encode()):08x} {body}\n", PRIVATE, self._sync)
        self._mark = mark

    def skip(self, seq: int) -> None:
        """Go on after `seq`: the gateway has that many records of an earlier disk of this kiosk."""
        with self._guard:
            if seq < self._next:
                return
            if self._records:
                # What is here carries numbers the gateway took for older records; it can only be told.
                log.error("the gateway has records up to %d, the journal ends at %d", seq, self._next - 1)
            self._next = seq + 1
            self._set_mark(Mark(seq, self._mark.carry))
            os.close(self._handle)
            self._use(self._create(self._next))
            self._records = []

    @property
    def spent(self) -> bool:
        """The segment is large and the gateway has all of it."""
        with self._guard:
            return self._size >= SEGMENT_BYTES and self.unsent == 0

    def rotate(self, carry: Mapping[str, Any]) -> None:
        """Begin a new segment and remove the acknowledged ones.

        `carry` is what a later reader needs of the records that go: it is durable before they go.
        """
        with self._guard:
            if self.unsent:
                raise ValueError("the gateway does not have every record yet")
            old = _segments(self.folder)
            self._set_mark(Mark(self._mark.acked, dict(carry)))
            path = self._create(self._next)
            os.close(self._handle)
            self._use(path)
            self._records = []
            for spent in old:
                if spent != path:
                    spent.unlink()
            durable.sync_folder(self.folder, self._sync)

    def close(self) -> None:
        with self._guard:
            os.close(self._handle)
            os.close(self._lock)


def _take_lock(folder: Path) -> int:
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        os.close(handle)
        raise Busy(f"{folder}: another process writes this journal") from fault
    return handle


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def _first(folder: Path, mark: Mark) -> int:
    """The first sequence number that the segments hold, whatever a disk has done to their content."""
    segments = _segments(folder)
    return int(segments[0].stem) if segments else mark.acked + 1


def _repaired(path: Path, sync: Callable[[int], None]) -> list[Record]:
    data = path.read_bytes()
    records, end = scan(data)
    if end < len(data):
        log.warning("%s: %d bytes of an unfinished record cut off", path.name, len(data) - end)
        handle = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(handle, end)
            sync(handle)
        finally:
            os.close(handle)
    return records


def _whole(found: list[Record], first: int, end: int) -> list[Record]:
    """Records `first` to `end` (excluded), with a stand-in for each that a bad block took."""
    whole: list[Record] = []
    for record in found:
        whole += [_lost(seq, record.event) for seq in range(first + len(whole), record.seq)]
        whole.append(record)
    return whole + [_lost(seq, {}) for seq in range(first + len(whole), end)]


def _lost(seq: int, following: Mapping[str, Any]) -> Record:
    log.error("journal record %d is damaged", seq)
    # Its own time is lost with it; the next record's is near, and the gateway takes no entry without one.
    clock = {key: following.get(key, unknown) for key, unknown in TIMELESS.items()}
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{following.get('id')}/{seq}").hex
    return Record(seq, {"seq": seq, "id": name, "type": DAMAGED, **clock}, {})


def _read_mark(folder: Path) -> Mark:
    try:
        crc, body = (folder / MARK).read_text(encoding="utf-8").rstrip("\n").split(" ", 1)
        if int(crc, 16) != zlib.crc32(body.encode()):
            raise ValueError("checksum")
        document = json.loads(body)
        return Mark(int(document["acked"]), document["carry"])
    except FileNotFoundError:
        return Mark(0, {})
    except (ValueError, KeyError, TypeError) as fault:
        log.error("%s: the mark cannot be read (%s); sending starts from the oldest record", folder, fault)
        return Mark(0, {})
