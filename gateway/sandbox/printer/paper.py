"""The paper: ink placed from top to bottom, and the picture of it once it is cut off."""

from __future__ import annotations

from PIL import Image

MARGIN = 32  # dots of paper beside and above the print, as on an 80 mm roll with 72 mm of print
PAPER, INK = 0xF7, 0x1C  # greys of thermal paper


class Paper:
    """A strip of paper `width` dots wide that grows as it is fed."""

    def __init__(self, width: int):
        self.width = width
        self._y = 0
        self._placed: list[tuple[Image.Image, int, int]] = []

    @property
    def blank(self) -> bool:
        """Nothing is printed since the last cut."""
        return not self._placed

    def ink(self, image: Image.Image, align: int) -> None:
        """Print a '1' image (1 = ink) and move below it; align 0 left, 1 centre, 2 right."""
        free = self.width - image.width
        self._placed.append((image, (0, free // 2, free)[align], self._y))
        self._y += image.height

    def feed(self, dots: int) -> None:
        """White paper."""
        self._y += dots

    def cut(self) -> Image.Image:
        """The strip as a greyscale picture; new paper begins."""
        page = Image.new("L", (self.width + 2 * MARGIN, self._y + 2 * MARGIN), PAPER)
        for image, x, y in self._placed:
            page.paste(INK, (MARGIN + x, MARGIN + y), image)
        self._placed, self._y = [], 0
        return page
