"""Letters as black dots: the two vendored fonts, and every glyph drawn only once.

Sizes are pixels (dots) per em.  Below 24 px Vietnamese marks start to look alike, so accented text on a
ticket uses 26 px or more (measured: the smallest difference of two letters; NotoSans-Bold 24 is bad already).
"""
from __future__ import annotations

import functools
import pathlib
import threading
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

FOLDER = pathlib.Path(__file__).parent / "fonts"
FILES = {False: FOLDER / "NotoSans-Regular.ttf", True: FOLDER / "NotoSans-Bold.ttf"}
# Of the em, from Noto Sans' own tables: room for Ẫ above and for ợ below, and the height of a digit.
ASCENT, DESCENT, DIGIT = 1.069, 0.293, 0.714
THRESHOLD = 128
# FreeType faces are not safe to use from two threads at once, and the kiosk renders beside its web page.
_drawing = threading.Lock()


@dataclass(frozen=True)
class Glyph:
    """One letter: its ink (mode '1', 1 = ink; None for a space), where it goes, how far the pen moves."""
    ink: Image.Image | None
    left: int
    top: int
    advance: int


@functools.lru_cache(maxsize=32)
def font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    """The loaded font.  BASIC layout, because text is NFC and drawn letter by letter."""
    return ImageFont.truetype(str(FILES[bold]), size, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=4096)
def glyph(char: str, size: int, bold: bool, stretch: float = 1.0) -> Glyph:
    """One letter as dots; `stretch` < 1 makes it narrower.  `top` counts from the baseline, up negative."""
    with _drawing:
        face = font(size, bold)
        mode = "1" if stretch == 1.0 else "L"
        left, top, right, bottom = map(round, face.getbbox(char, mode=mode, anchor="ls"))
        advance = max(1, round(face.getlength(char, mode=mode) * stretch))
        if right <= left or bottom <= top:
            return Glyph(None, 0, 0, advance)
        ink = _drawn(face, char, (left, top, right, bottom), stretch)
    return Glyph(ink, round(left * stretch), top, advance)


def _drawn(face: ImageFont.FreeTypeFont, char: str, box: tuple[int, ...], stretch: float) -> Image.Image:
    left, top, right, bottom = box
    plain = stretch == 1.0
    image = Image.new("1" if plain else "L", (right - left, bottom - top))
    draw = ImageDraw.Draw(image)
    # Pure black and white: a thermal head has no grey, and dithering would leave noise around the marks.
    draw.fontmode = "1" if plain else "L"
    draw.text((-left, -top), char, font=face, fill=1 if plain else 255, anchor="ls")
    if plain:
        return image
    narrow = image.resize((max(1, round(image.width * stretch)), image.height), Image.Resampling.BOX)
    return narrow.point(lambda level: 255 if level >= THRESHOLD else 0).convert("1", dither=Image.Dither.NONE)


def width(text: str, size: int, bold: bool, stretch: float = 1.0) -> int:
    """How many dots wide the text is."""
    return sum(glyph(char, size, bold, stretch).advance for char in text)


def drawn(image: Image.Image, text: str, pen: tuple[int, int], size: int, bold: bool,
          stretch: float = 1.0, ink: int = 1) -> int:
    """Put the text on a '1' image with the pen at (x, baseline); answers the x after it."""
    x, baseline = pen
    for char in text:
        letter = glyph(char, size, bold, stretch)
        if letter.ink is not None:
            image.paste(ink, (x + letter.left, baseline + letter.top), letter.ink)
        x += letter.advance
    return x
