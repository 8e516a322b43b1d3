"""The stand-in's built-in letters: a cell of 12 × 24 dots (font A) or 9 × 17 (font B), bigger by GS !."""

from __future__ import annotations

import functools
import pathlib
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageDraw, ImageFont

CELLS = {0: (12, 24), 1: (9, 17)}
FOLDER = pathlib.Path(__file__).resolve().parents[3] / "printers" / "fonts"
ASCENT = 0.8  # of the cell's height, where the baseline is

# TCVN 5712 as Epson's pages 30 (small) and 31 (capital): the code of each letter, in order from B5.
_SMALL_1 = {0xA8: "ă", 0xA9: "â", 0xAA: "ê", 0xAB: "ô", 0xAC: "ơ", 0xAD: "ư", 0xAE: "đ"}
_CAPITAL_1 = {0xA1: "Ă", 0xA2: "Â", 0xA7: "Đ", 0xAA: "Ê", 0xAB: "Ô", 0xAC: "Ơ", 0xAD: "Ư"}
_RUNS = {
    0xB5: "àảãáạ",
    0xBB: "ằẳẵắ",
    0xC6: "ặầẩẫấậè",
    0xCE: "ẻẽéẹềểễếệìỉ",
    0xDC: "ĩíịò",
    0xE1: "ỏõóọồổỗốộờởỡớợù",
    0xF1: "ủũúụừửữứựỳỷỹýỵ",
}
_SMALL_2 = {start + step: letter for start, run in _RUNS.items() for step, letter in enumerate(run)}
PAGES = {
    30: _SMALL_1 | _SMALL_2,
    31: _CAPITAL_1 | {code: letter.upper() for code, letter in _SMALL_2.items()},
}


@dataclass(frozen=True)
class Style:
    """How the next letters look: font A or B, times wide and high, bold, white on black, smooth edges."""

    font: int = 0
    wide: int = 1
    high: int = 1
    bold: bool = False
    inverted: bool = False
    smooth: bool = False


def letter(byte: int, page: int) -> str | None:
    """The letter of a byte in a code page; None if this printer has none there."""
    if 0x20 <= byte < 0x7F:
        return chr(byte)
    return PAGES.get(page, {}).get(byte)


@functools.lru_cache(maxsize=1024)
def cell(char: str, style: Style) -> Image.Image:
    """One letter in its cell, as a '1' image (1 = ink)."""
    width, height = CELLS[style.font]
    big = (width * style.wide, height * style.high)
    image = _drawn(char, big, style.bold) if style.smooth else _drawn(char, (width, height), style.bold)
    image = image.resize(big, Image.Resampling.NEAREST)
    return ImageChops.invert(image) if style.inverted else image


def _drawn(char: str, size: tuple[int, int], bold: bool) -> Image.Image:
    width, height = size
    # Digits and plain letters fill 19 of the 24 rows; accents need the room above.
    size_of_em = round(height * (1.1 if char.isascii() else 0.85))
    face = ImageFont.truetype(str(FOLDER / f"NotoSans-{'Bold' if bold else 'Regular'}.ttf"), size_of_em)
    image = Image.new("L", (max(width, round(face.getlength(char))), height))
    baseline = (image.width / 2, round(height * ASCENT))
    ImageDraw.Draw(image).text(baseline, char, font=face, fill=255, anchor="ms")
    # The letters are wider than a printer's cell: squeezed into it, as its own font would be.
    return image.resize(size, Image.Resampling.BOX).point(lambda dot: 255 if dot > 110 else 0).convert("1")
