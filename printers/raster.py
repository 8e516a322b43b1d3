"""Operations as strips of black dots, ready for GS v 0, and the picture they make on paper.  Pure.

A strip is trimmed to its ink; the white around it costs no bytes but a feed.  Every strip is made once
and kept, so a second ticket of the day draws only its own number.
"""
from __future__ import annotations

import functools
from dataclasses import dataclass

import segno
from PIL import Image

from printers import glyphs, layout

# A data byte 0x10 followed by one of these is taken by the printer as a real-time command even inside
# picture data: status, restart or clear the buffer, drawer or power off (Epson's notes on DLE ENQ).
REAL_TIME = (0x04, 0x05, 0x14)


@dataclass(frozen=True)
class Strip:
    """Black dots: `columns` bytes a row, `rows` rows, bit 7 left, 1 = black; printed `scale` times as big."""
    columns: int
    rows: int
    data: bytes
    scale: int = 1

    @property
    def width(self) -> int:
        """Dots on paper."""
        return self.columns * 8 * self.scale

    @property
    def height(self) -> int:
        """Dots on paper."""
        return self.rows * self.scale


@dataclass(frozen=True)
class Piece:
    """One operation on paper, centred: white dots before, the strip (None: only white), white dots after."""
    before: int
    strip: Strip | None
    after: int = 0


@functools.lru_cache(maxsize=512)
def piece(operation: layout.Operation) -> Piece:
    """The operation as dots.  The cut makes no dots."""
    match operation:
        case layout.Line():
            return _line(operation)
        case layout.Bar():
            return _bar(operation)
        case layout.Number():
            return _number(operation)
        case layout.Qr():
            return _qr(operation)
        case layout.Rule(length, thickness):
            return Piece(0, strip(Image.new("1", (length, thickness), 1)))
        case layout.Gap(dots):
            return Piece(dots, None)
    return Piece(0, None)


def picture(operations: tuple[layout.Operation, ...], width: int) -> Image.Image:
    """What the whole ticket looks like: mode '1', 1 = ink, `width` dots wide."""
    pieces = [piece(operation) for operation in operations]
    height = sum(part.before + part.after + (part.strip.height if part.strip else 0) for part in pieces)
    image = Image.new("1", (width, max(1, height)))
    y = 0
    for part in pieces:
        y += part.before
        if part.strip:
            image.paste(inked(part.strip), ((width - part.strip.width) // 2, y))
            y += part.strip.height
        y += part.after
    return image


def inked(part: Strip) -> Image.Image:
    """The strip as a '1' image in its printed size."""
    image = Image.frombytes("1", (part.columns * 8, part.rows), part.data)
    return image if part.scale == 1 else image.resize((part.width, part.height), Image.Resampling.NEAREST)


def strip(image: Image.Image, scale: int = 1) -> Strip:
    """A '1' image (1 = ink) as a strip, centred in whole bytes."""
    columns = -(-image.width // 8)
    if image.width % 8:
        whole = Image.new("1", (columns * 8, image.height))
        whole.paste(image, ((columns * 8 - image.width) // 2, 0))
        image = whole
    return Strip(columns, image.height, without_real_time(image.tobytes()), scale)


def bands(image: Image.Image, rows: int) -> list[Strip]:
    """A whole picture as strips of at most `rows` rows, each the full width."""
    return [strip(image.crop((0, top, image.width, min(image.height, top + rows))))
            for top in range(0, image.height, rows)]


def without_real_time(data: bytes) -> bytes:
    """Picture data with every real-time run broken by one extra dot beside a black one.

    0x10 becomes 0x18, which starts no run and ends none, so a single pass is enough.
    """
    at = data.find(0x10)
    if at < 0:
        return data
    changed = bytearray(data)
    while 0 <= at < len(changed) - 1:
        if changed[at + 1] in REAL_TIME:
            changed[at] = 0x18
        at = changed.find(0x10, at + 1)
    return bytes(changed)


def _trimmed(image: Image.Image, scale: int = 1) -> Piece:
    box = image.getbbox()
    if box is None:
        return Piece(image.height * scale, None)
    left, top, right, bottom = box
    return Piece(top * scale, strip(image.crop((left, top, right, bottom)), scale),
                 (image.height - bottom) * scale)


def _line(line: layout.Line) -> Piece:
    size = max(span.size for span in line.spans)
    baseline = round(size * glyphs.ASCENT)
    width = sum(glyphs.width(span.text, span.size, span.bold) for span in line.spans)
    image = Image.new("1", (width + 2 * size, baseline + round(size * glyphs.DESCENT)))
    x = size
    for span in line.spans:
        x = glyphs.drawn(image, span.text, (x, baseline), span.size, span.bold)
    return _trimmed(image)


def _bar(bar: layout.Bar) -> Piece:
    span = bar.span
    width = glyphs.width(span.text, span.size, span.bold) + 2 * bar.padding
    # Whole bytes, so that the bar's ends stay straight.
    image = Image.new("1", (-(-width // 8) * 8, round(span.size * 1.5)), 1)
    pen = (bar.padding, round(span.size * 1.14))
    glyphs.drawn(image, span.text, pen, span.size, span.bold, ink=0)
    return Piece(0, strip(image))


def _number(number: layout.Number) -> Piece:
    size = layout.number_size(number.height)
    width = glyphs.width(number.text, size, True, number.stretch)
    image = Image.new("1", (width + 2 * size, 2 * size))
    glyphs.drawn(image, number.text, (size, round(size * 1.5)), size, True, number.stretch)
    drawn = _trimmed(image, scale=2)
    return Piece(0, drawn.strip)


def _qr(qr: layout.Qr) -> Piece:
    modules = qr_modules(qr.data)
    count = len(modules)
    image = Image.frombytes("L", (count, count), bytes(255 * bit for row in modules for bit in row))
    side = count * qr.module // 2
    return Piece(0, strip(image.resize((side, side), Image.Resampling.NEAREST).convert("1"), scale=2))


def qr_modules(data: str) -> tuple[tuple[int, ...], ...]:
    """The QR code as rows of 0 and 1, without the quiet zone (the paper around it is white)."""
    code = segno.make_qr(data, error="m", boost_error=False)
    return tuple(tuple(int(bool(bit)) for bit in row) for row in code.matrix)
