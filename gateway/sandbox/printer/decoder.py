"""ESC/POS read strictly: every command is known and exact, or it is written down as unknown.

Written from the printer's side, on its own: it shares no table with the encoder it is used to judge.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

import segno
from PIL import Image

from gateway.sandbox.printer import lettering
from gateway.sandbox.printer.paper import Paper

ESC, FS, GS, DLE, LF = 0x1B, 0x1C, 0x1D, 0x10, 0x0A
PLAIN_LINE = 30  # dots between lines, ESC 2
# Commands and how many parameter bytes follow; those of changing length are in VARIABLE below.
FIXED = {
    b"\x1b@": 0,
    b"\x1b2": 0,
    b"\x1c.": 0,
    b"\x1ba": 1,
    b"\x1bE": 1,
    b"\x1b!": 1,
    b"\x1bM": 1,
    b"\x1bt": 1,
    b"\x1bd": 1,
    b"\x1bJ": 1,
    b"\x1b3": 1,
    b"\x1d!": 1,
    b"\x1dB": 1,
    b"\x1db": 1,
    b"\x1dr": 1,
    b"\x1da": 1,
    b"\x1dI": 1,
    b"\x1dP": 2,
}
ERROR_LEVELS = {48: "l", 49: "m", 50: "q", 51: "h"}
RASTER_MODES = (0, 1, 2, 3, 48, 49, 50, 51)
REAL_TIME = (b"\x10\x04", b"\x10\x05", b"\x10\x14")
LONGEST_DC4 = 10


@dataclass(frozen=True)
class Slip:
    """A piece of paper that was cut off, and what was read while it was printed."""

    picture: Image.Image
    bytes: int
    texts: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass
class Settings:
    """What ESC @ resets."""

    style: lettering.Style = lettering.Style()
    align: int = 0
    page: int = 0
    line: int = PLAIN_LINE
    unit: int = 0  # dots per inch that ESC J counts in; 0: this printer's own dots
    qr_module: int = 3
    qr_level: str = "l"
    qr_data: bytes = b""
    cells: list[Image.Image] = field(default_factory=list)
    text: str = ""


class Decoder:
    """Takes commands one by one from the front of a buffer and draws them on paper.

    `answer` is called with the bytes the printer sends back, `report` with the mask of GS a.
    """

    def __init__(self, width: int, dpi: int, answer: Callable[[bytes], None], report: Callable[[int], None]):
        self.dpi = dpi
        self.paper = Paper(width)
        self.near_end = False
        self.unknown = 0
        self._answer, self._report = answer, report
        self._settings = Settings()
        self._texts: list[str] = []
        self._unknown: list[str] = []
        self._bytes = 0

    def take(self, buffer: bytearray) -> tuple[bool, Slip | None]:
        """Carry out the first command; (False, None) when its end has not come yet; a slip after a cut."""
        length = self._length(buffer)
        if length == 0 or length > len(buffer):
            return False, None
        command = bytes(buffer[:length])
        del buffer[:length]
        if command[0] not in (DLE, 0):
            self._bytes += length  # questions and filling are no part of the ticket
        return True, self._carry_out(command)

    def flag(self, data: bytes, why: str = "") -> None:
        """Write down what a printer would not have understood."""
        self._unknown.append(f"{data[:16].hex()} {why}".strip())
        self.unknown += 1

    @property
    def at_rest(self) -> bool:
        """Nothing is printed since the last cut and no line is begun."""
        return self.paper.blank and not self._settings.cells

    def _length(self, buffer: bytearray) -> int:
        head = buffer[0]
        if head not in (ESC, FS, GS, DLE):
            return 1
        if len(buffer) < 2:
            return 0
        name = bytes(buffer[:2])
        if name in VARIABLE:
            return VARIABLE[name](buffer)
        return 2 + FIXED.get(name, 0)

    def _carry_out(self, command: bytes) -> Slip | None:
        if command[0] not in (ESC, FS, GS, DLE):
            self._byte(command[0])
            return None
        action = ACTIONS.get(command[:2])
        if action is None:
            self.flag(command, "unknown command")
            return None
        if command[0] != DLE and any(run in command for run in REAL_TIME):
            self.flag(command, "real-time command inside data")
        return action(self, command[2:])

    # --- text ---

    def _byte(self, byte: int) -> None:
        if byte == LF:
            self._print_line()
        elif byte == 0x00 or byte == 0x0D:
            return  # NUL and CR do nothing
        elif (char := lettering.letter(byte, self._settings.page)) is not None:
            self._settings.text += char
            self._settings.cells.append(lettering.cell(char, self._settings.style))
        else:
            self.flag(bytes((byte,)), f"no letter in page {self._settings.page}")

    def _print_line(self, feed: int | None = None) -> None:
        settings = self._settings
        feed = settings.line if feed is None else feed
        if settings.cells:
            image = _beside(settings.cells)
            if image.width > self.paper.width:
                self.flag(settings.text.encode(), "line wider than the paper")
                image = image.crop((0, 0, self.paper.width, image.height))
            self.paper.ink(image, settings.align)
            self._texts.append(settings.text)
            feed = max(0, feed - image.height)
            settings.cells, settings.text = [], ""
        self.paper.feed(feed)

    def _reset(self, _: bytes) -> None:
        self._settings = Settings()

    def _set_align(self, data: bytes) -> None:
        value = data[0] - 48 if data[0] >= 48 else data[0]
        if value > 2:
            return self.flag(b"\x1ba" + data, "no such alignment")
        self._settings.align = value
        return None

    def _style(self, **changes: object) -> None:
        self._settings.style = dataclasses.replace(self._settings.style, **changes)

    def _mode(self, data: bytes) -> None:
        bits = data[0]
        self._style(font=bits & 1, bold=bool(bits & 8), high=1 + (bits >> 4 & 1), wide=1 + (bits >> 5 & 1))

    def _set_font(self, data: bytes) -> None:
        self._style(font=data[0] & 1)

    def _size(self, data: bytes) -> None:
        if data[0] & 0x88:
            return self.flag(b"\x1d!" + data, "size over 8")
        return self._style(wide=(data[0] >> 4) + 1, high=(data[0] & 7) + 1)

    def _set_page(self, data: bytes) -> None:
        if data[0] not in (0, *lettering.PAGES):
            self.flag(b"\x1bt" + data, "no such code page")
        self._settings.page = data[0]

    def _set_line(self, data: bytes) -> None:
        self._settings.line = self._dots(data[0])

    def _set_units(self, data: bytes) -> None:
        self._settings.unit = data[1]

    def _dots(self, units: int) -> int:
        return units if not self._settings.unit else round(units * self.dpi / self._settings.unit)

    # --- pictures ---

    def _raster(self, command: bytes) -> None:
        mode, columns, rows, data = _raster_parts(command)
        if mode not in RASTER_MODES or not columns or not rows or command[0] != 0x30:
            return self.flag(b"\x1dv" + command[:6], "bad raster header")
        image = Image.frombytes("1", (columns * 8, rows), data)
        wide, high = 1 + (mode & 1), 1 + (mode >> 1 & 1)
        image = image.resize((image.width * wide, image.height * high), Image.Resampling.NEAREST)
        if image.width > self.paper.width:
            self.flag(b"\x1dv" + command[:6], "picture wider than the paper")
            image = image.crop((0, 0, self.paper.width, image.height))
        if self._settings.cells:
            self._print_line()
        return self.paper.ink(image, self._settings.align)

    def _symbol(self, command: bytes) -> None:
        kind, data = command[0], command[3:]
        settings = self._settings
        match kind, data[:2], list(data[2:]):
            case 0x6B, b"1A", [49 | 50, 0]:
                pass  # models 1 and 2 look the same for a short text
            case 0x6B, b"1C", [module] if 1 <= module <= 16:
                settings.qr_module = module
            case 0x6B, b"1E", [level] if level in ERROR_LEVELS:
                settings.qr_level = ERROR_LEVELS[level]
            case 0x6B, b"1P", [48, *text] if text:
                settings.qr_data = bytes(text)
            case 0x6B, b"1Q", [48] if settings.qr_data:
                self._print_qr()
            case 0x48, b"00", [_, _, _, _] as letters:
                self._answer(b"\x37\x22" + bytes(letters) + b"\x00")
            case _:
                self.flag(b"\x1d(" + command, "unknown function")
        return

    def _print_qr(self) -> None:
        settings = self._settings
        code = segno.make_qr(settings.qr_data, error=settings.qr_level, boost_error=False)
        rows = [bytes(255 * bool(bit) for bit in row) for row in code.matrix]
        image = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows))
        side = len(rows) * settings.qr_module
        self.paper.ink(image.resize((side, side), Image.Resampling.NEAREST).convert("1"), settings.align)

    # --- paper ---

    def _feed(self, data: bytes) -> None:
        self._print_line(self._dots(data[0]))

    def _feed_lines(self, data: bytes) -> None:
        self._print_line(self._settings.line * data[0])

    def _cut(self, data: bytes) -> Slip | None:
        if data[0] not in (0, 1, 48, 49, 65, 66):
            self.flag(b"\x1dV" + data, "no such cut")
            return None
        if len(data) == 2:
            self.paper.feed(self._dots(data[1]))
        blank = self.paper.blank
        slip = Slip(self.paper.cut(), self._bytes, tuple(self._texts), tuple(self._unknown))
        if blank:
            return None  # a cut through white paper makes no ticket
        self._texts, self._unknown, self._bytes = [], [], 0
        return slip

    def _sensor(self, data: bytes) -> None:
        if data[0] not in (1, 49):
            return self.flag(b"\x1dr" + data, "no such sensor")
        return self._answer(b"\x03" if self.near_end else b"\x00")

    def _identify(self, data: bytes) -> None:
        names = {65: b"1.0", 66: b"SANDBOX", 67: b"STAND-IN 80"}
        if data[0] in (1, 49):
            self._answer(b"\x20")
        elif data[0] in names:
            self._answer(b"\x5f" + names[data[0]] + b"\x00")
        else:
            self.flag(b"\x1dI" + data, "no such fact")

    def _nothing(self, _: bytes) -> None:
        """A command that changes nothing on this paper; real-time ones were answered on arrival."""

    def _reported(self, data: bytes) -> None:
        self._report(data[0])


def _beside(cells: list[Image.Image]) -> Image.Image:
    image = Image.new("1", (sum(cell.width for cell in cells), max(cell.height for cell in cells)))
    x = 0
    for cell in cells:
        image.paste(cell, (x, image.height - cell.height))
        x += cell.width
    return image


def _raster_parts(command: bytes) -> tuple[int, int, int, bytes]:
    return command[1], command[2] | command[3] << 8, command[4] | command[5] << 8, command[6:]


def _raster_length(buffer: bytearray) -> int:
    if len(buffer) < 8:
        return 0
    _, columns, rows, _ = _raster_parts(bytes(buffer[2:8]))
    return 8 + columns * rows


def _block_length(buffer: bytearray) -> int:
    return 5 + (buffer[3] | buffer[4] << 8) if len(buffer) >= 5 else 0


def _cut_length(buffer: bytearray) -> int:
    if len(buffer) < 3:
        return 0
    return 4 if buffer[2] in (65, 66) else 3


def _dc4_length(buffer: bytearray) -> int:
    if len(buffer) < 3:
        return 0
    return LONGEST_DC4 if buffer[2] == 8 else 5


VARIABLE = {
    b"\x1dv": _raster_length,
    b"\x1d(": _block_length,
    b"\x1dV": _cut_length,
    b"\x10\x04": lambda _: 3,
    b"\x10\x05": lambda _: 3,
    b"\x10\x14": _dc4_length,
}
ACTIONS = {
    b"\x1b@": Decoder._reset,
    b"\x1b2": lambda decoder, _: setattr(decoder._settings, "line", PLAIN_LINE),
    b"\x1c.": Decoder._nothing,
    b"\x1ba": Decoder._set_align,
    b"\x1bE": lambda decoder, data: decoder._style(bold=bool(data[0] & 1)),
    b"\x1b!": Decoder._mode,
    b"\x1bM": Decoder._set_font,
    b"\x1bt": Decoder._set_page,
    b"\x1bd": Decoder._feed_lines,
    b"\x1bJ": Decoder._feed,
    b"\x1b3": Decoder._set_line,
    b"\x1d!": Decoder._size,
    b"\x1dB": lambda decoder, data: decoder._style(inverted=bool(data[0] & 1)),
    b"\x1db": lambda decoder, data: decoder._style(smooth=bool(data[0] & 1)),
    b"\x1dr": Decoder._sensor,
    b"\x1da": Decoder._reported,
    b"\x1dI": Decoder._identify,
    b"\x1dP": Decoder._set_units,
    b"\x1dv": Decoder._raster,
    b"\x1d(": Decoder._symbol,
    b"\x1dV": Decoder._cut,
    b"\x10\x04": Decoder._nothing,
    b"\x10\x05": Decoder._nothing,
    b"\x10\x14": Decoder._nothing,
}
