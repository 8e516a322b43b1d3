"""What the printer says: its byte stream told apart, and the state that follows from it.  Pure.

Four kinds of answers share one stream without a frame (Epson, "identifying status"):
  DLE EOT n   one byte, b & 93h = 12h                       which n it answers is known only by order
  ASB         four bytes, the first b & 93h = 10h, then three with b & 90h = 0
  GS r        one byte, b & 90h = 0
  blocks      35h 37h 3Bh 3Dh 5Fh … 00h                     37 22 d1..d4 00 is "job d1..d4 is printed"
and 11h / 13h are XON / XOFF of a serial printer.
"""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass

BLOCK_HEADS = frozenset((0x35, 0x37, 0x3B, 0x3D, 0x5F))
LONGEST_BLOCK = 80
PRINTED = 0x22
FLOW = frozenset((0x11, 0x13))


@dataclass(frozen=True)
class RealTime:
    """Answer to DLE EOT `number` (1 printer, 2 offline cause, 3 error cause, 4 paper; 0: nobody asked)."""
    number: int
    byte: int


@dataclass(frozen=True)
class Asb:
    """The four bytes a printer sends by itself when something changes."""
    data: bytes


@dataclass(frozen=True)
class Sensor:
    """Answer to GS r 1: everything sent before it is printed."""
    byte: int


@dataclass(frozen=True)
class Printed:
    """Answer to GS ( H: the job with these letters is printed."""
    job: str


@dataclass(frozen=True)
class Block:
    """Another block, e.g. the maker's name (head 5Fh)."""
    head: int
    data: bytes


@dataclass(frozen=True)
class Rubbish:
    """A byte that is no answer."""
    byte: int


Event = RealTime | Asb | Sensor | Printed | Block | Rubbish


@dataclass(frozen=True)
class Stream:
    """Where the reading is: bytes not yet understood, and the DLE EOT numbers asked but not answered."""
    rest: bytes = b""
    asked: tuple[int, ...] = ()


def asked(stream: Stream, numbers: tuple[int, ...]) -> Stream:
    """The stream after DLE EOT with these numbers has been sent."""
    return dataclasses.replace(stream, asked=stream.asked + numbers)


def read(stream: Stream, data: bytes) -> tuple[Stream, list[Event]]:
    """What the new bytes say.  A split answer waits in the stream for its rest."""
    rest, waiting = stream.rest + data, list(stream.asked)
    events: list[Event] = []
    while rest:
        used = _length(rest)
        if used == 0:
            break
        if used > 0 and rest[0] not in FLOW:
            events.append(_event(rest[:used], waiting))
        elif used < 0:
            events.append(Rubbish(rest[0]))
        rest = rest[abs(used):]
    return Stream(rest, tuple(waiting)), events


def _length(data: bytes) -> int:
    """How many bytes the first answer has; 0 when its end has not come; -1 when it is rubbish."""
    head = data[0]
    if head in BLOCK_HEADS:
        end = data.find(0, 0, LONGEST_BLOCK)
        if end < 0:
            return 0 if len(data) < LONGEST_BLOCK else -1
        return end + 1
    if head & 0x93 == 0x10:
        tail = data[1:4]
        if any(byte & 0x90 for byte in tail):
            return -1
        return 4 if len(tail) == 3 else 0
    known = head in FLOW or head & 0x93 == 0x12 or head & 0x90 == 0
    return 1 if known else -1


def _event(data: bytes, waiting: list[int]) -> Event:
    head = data[0]
    if head == 0x37 and len(data) == 7 and data[1] == PRINTED:
        return Printed(data[2:6].decode("latin-1"))
    if head in BLOCK_HEADS:
        return Block(head, data[1:-1])
    if len(data) == 4:
        return Asb(data)
    if head & 0x93 == 0x12:
        return RealTime(waiting.pop(0) if waiting else 0, head)
    return Sensor(head)


@dataclass(frozen=True)
class PrinterState:
    """How the printer is.

    online  it answers and says it can print
    paper   "ok", "near_end", "out" or "unknown"
    error   "" or one of: no_device, busy, cutter, error (mechanical, head, power)
    """
    online: bool = False
    paper: str = "unknown"
    cover_open: bool = False
    error: str = ""

    @property
    def hold(self) -> str:
        """Why nothing may be sent now: no_device, busy, cover, paper, cutter, error, offline, or ""."""
        if self.error in ("no_device", "busy"):
            return self.error
        if self.cover_open:
            return "cover"
        if self.paper == "out":
            return "paper"
        return self.error or ("" if self.online else "offline")

    @property
    def reason_vi(self) -> str:
        """For a person, in Vietnamese."""
        return REASONS[self.hold or ("near_end" if self.paper == "near_end" else "")][0]

    @property
    def reason_en(self) -> str:
        """For a person, in English."""
        return REASONS[self.hold or ("near_end" if self.paper == "near_end" else "")][1]


REASONS = {
    "": ("", ""),
    "no_device": ("Không kết nối được máy in", "The printer cannot be reached"),
    "busy": ("Máy in đang do chương trình khác sử dụng", "Another program is using the printer"),
    "cover": ("Nắp máy in đang mở", "The printer's cover is open"),
    "paper": ("Máy in hết giấy", "The printer is out of paper"),
    "cutter": ("Dao cắt giấy bị kẹt", "The paper cutter is jammed"),
    "error": ("Máy in báo lỗi", "The printer reports an error"),
    "offline": ("Máy in không trả lời hoặc chưa sẵn sàng", "The printer does not answer or is not ready"),
    "near_end": ("Giấy in sắp hết", "The paper is running out"),
    "crash": ("Chương trình bị ngắt khi đang in", "The program was interrupted while printing"),
    "unconfirmed": ("Máy in không xác nhận đã in", "The printer did not confirm the print"),
    "encode": ("Không tạo được dữ liệu in", "The print data cannot be made"),
    "too_often": ("Đã in lại nhiều lần mà không được", "Reprinted several times without success"),
}
NO_DEVICE = PrinterState(error="no_device")
ALL_NUMBERS = (1, 2, 3, 4)


def question(numbers: tuple[int, ...] = ALL_NUMBERS) -> bytes:
    """DLE EOT for these numbers."""
    return b"".join(bytes((0x10, 0x04, number)) for number in numbers)


def after(state: PrinterState, event: Event) -> PrinterState:
    """The state once the event is known; events that say nothing about the state leave it."""
    match event:
        case Asb(data):
            return _after_asb(data)
        case RealTime(number, byte):
            return _after_real_time(state, number, byte)
        case Sensor(byte):
            return dataclasses.replace(state, paper=_paper(out=byte & 0x0C, near=byte & 0x03))
    return state


def _after_asb(data: bytes) -> PrinterState:
    cover = bool(data[0] & 0x20)
    broken = "cutter" if data[1] & 0x08 else "error" if data[1] & 0x64 else ""
    paper = _paper(out=data[2] & 0x0C, near=data[2] & 0x03)
    return PrinterState(not data[0] & 0x08, paper, cover, broken)


def _after_real_time(state: PrinterState, number: int, byte: int) -> PrinterState:
    match number:
        case 1:
            return dataclasses.replace(state, online=not byte & 0x08)
        case 2:
            out = "out" if byte & 0x20 else "ok" if state.paper == "out" else state.paper
            error = state.error if byte & 0x40 else ""
            return dataclasses.replace(state, cover_open=bool(byte & 0x04), paper=out, error=error)
        case 3:
            error = "cutter" if byte & 0x08 else "error" if byte & 0x64 else ""
            return dataclasses.replace(state, error=error)
        case 4:
            return dataclasses.replace(state, paper=_paper(out=byte & 0x60, near=byte & 0x0C))
    return state


def _paper(out: int, near: int) -> str:
    return "out" if out else "near_end" if near else "ok"


def silent(state: PrinterState) -> PrinterState:
    """The state of a printer that stopped answering: the last cause it named still stands."""
    return dataclasses.replace(state, online=False)
