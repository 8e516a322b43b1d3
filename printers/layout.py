"""From a ticket to a list of operations, in dots, for a paper of a given width.  Pure.

Operations are printed from top to bottom: Line (text), Bar (white on black), Number (the big digits),
Qr, Rule (a thin line), Gap, Cut.  What bytes they become is the encoder's business (printers.escpos).
"""
from __future__ import annotations

import datetime
from dataclasses import dataclass

from printers import glyphs
from printers.ticket import Ticket

MARGIN = 8  # dots left free at each side
# 21 mm at 203 dpi (8 dots a millimetre), 23 mm at 180 dpi: read from two metres away.
NUMBER_HEIGHT = 168
QR_MODULE = 6  # dots; 0.75 mm at 203 dpi, cheap phones read 0.6 mm and up
LOWEST = 40  # dots; eight W on 58 mm paper still fit
NARROWEST = 0.62  # how far letters may be squeezed before they are made smaller instead


@dataclass(frozen=True)
class Span:
    """Text in one size (px per em) and weight."""
    text: str
    size: int
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """Spans on one baseline, centred."""
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Bar:
    """White letters on a black bar, centred: what must not be overlooked."""
    span: Span
    padding: int = 20


@dataclass(frozen=True)
class Number:
    """The queue number, `height` dots tall (even, because it is stored at half size and doubled)."""
    text: str
    height: int = NUMBER_HEIGHT
    stretch: float = 1.0


@dataclass(frozen=True)
class Qr:
    """A QR code, error correction M, `module` dots a square (even, for the same reason)."""
    data: str
    module: int = QR_MODULE


@dataclass(frozen=True)
class Rule:
    """A thin line across the paper."""
    length: int
    thickness: int = 2


@dataclass(frozen=True)
class Gap:
    """White paper, in dots."""
    dots: int


@dataclass(frozen=True)
class Cut:
    """Feed to the cutter and cut."""


Operation = Line | Bar | Number | Qr | Rule | Gap | Cut


@dataclass(frozen=True)
class Sizes:
    """Type sizes for one paper: station, service, body, number's caption, English."""
    station: int
    service: int
    body: int
    caption: int
    english: int


WIDE = Sizes(station=32, service=28, body=26, caption=30, english=22)
NARROW = Sizes(station=28, service=26, body=26, caption=28, english=20)  # 58 mm paper, 384 dots


def arrange(ticket: Ticket, width: int) -> tuple[Operation, ...]:
    """The operations of a whole ticket on paper `width` dots wide, the cut included."""
    sizes = WIDE if width >= 500 else NARROW
    room = width - 2 * MARGIN
    operations: list[Operation] = []
    operations += _heading(ticket, sizes, room)
    operations += _number(ticket, sizes, room)
    operations += _facts(ticket, sizes, room)
    operations += _code(ticket, sizes, room)
    operations += _ending(ticket, sizes, room)
    return (*operations, Cut())


def _heading(ticket: Ticket, sizes: Sizes, room: int) -> list[Operation]:
    operations: list[Operation] = []
    if ticket.reprint:
        operations += [Bar(Span("IN LẠI / REPRINT", sizes.service, True)), Gap(12)]
    operations += wrapped(ticket.station, sizes.station, True, room)
    operations += [Gap(6), *wrapped(ticket.service, sizes.service, False, room)]
    return [*operations, Gap(14), Rule(room, 2), Gap(14)]


def _number(ticket: Ticket, sizes: Sizes, room: int) -> list[Operation]:
    operations: list[Operation] = []
    if ticket.priority:
        operations += [Bar(Span("ƯU TIÊN / PRIORITY", sizes.service, True)), Gap(10)]
    caption = (Span("SỐ THỨ TỰ", sizes.caption, True), Span("  Your number", sizes.english))
    return [*operations, Line(caption), Gap(18), fitted_number(ticket.number, room),
            Gap(26), Rule(room, 2), Gap(12)]


def _facts(ticket: Ticket, sizes: Sizes, room: int) -> list[Operation]:
    operations: list[Operation] = []
    if ticket.ahead is not None:
        operations += _line("Trước bạn: ", f"{ticket.ahead} người", f" · {ticket.ahead} ahead", sizes, room)
    if ticket.eta:
        operations += _line("Dự kiến ", shown_time(ticket.eta), " · Expected", sizes, room)
    if ticket.time:
        operations += _line("Giờ hẹn ", shown_time(ticket.time), " · Booked", sizes, room)
    if ticket.name:
        operations += wrapped(ticket.name, sizes.body, True, room)
    return [*operations, *wrapped(ticket.place, sizes.body, False, room)]


def _code(ticket: Ticket, sizes: Sizes, room: int) -> list[Operation]:
    hint = _line("Quét mã để theo dõi", "", " · Scan to follow", sizes, room)
    return [Gap(22), Qr(ticket.url), Gap(14), *hint]


def _ending(ticket: Ticket, sizes: Sizes, room: int) -> list[Operation]:
    operations: list[Operation] = []
    if ticket.footer or ticket.issued_at:
        operations += [Gap(12), Rule(room, 2), Gap(10)]
    operations += wrapped(ticket.footer, sizes.body, False, room)
    if ticket.issued_at:
        moment = shown_time(ticket.issued_at, with_date=True)
        operations += wrapped(f"Cấp lúc {moment}", sizes.body, False, room)
    return operations


def _line(label: str, value: str, english: str, sizes: Sizes, room: int) -> list[Operation]:
    spans = (Span(label, sizes.body), Span(value, sizes.body, True), Span(english, sizes.english))
    if sum(glyphs.width(span.text, span.size, span.bold) for span in spans) <= room:
        return [Line(spans)]
    return [*wrapped(label + value, sizes.body, bool(value), room),
            *wrapped(english.lstrip(" ·"), sizes.english, False, room)]


def fitted_number(text: str, room: int) -> Number:
    """The number as tall as it should be; squeezed when long, and only then made smaller."""
    natural = 2 * glyphs.width(text, number_size(NUMBER_HEIGHT), True)
    if natural <= room:
        return Number(text)
    stretch = max(NARROWEST, room / natural)
    height = NUMBER_HEIGHT
    while height > LOWEST and _squeezed_width(text, height, stretch) > room:
        height -= 2
    return Number(text, height, stretch)


def number_size(height: int) -> int:
    """The em in px whose digits are half of `height` dots tall (the printer doubles them)."""
    return round(height / 2 / glyphs.DIGIT)


def _squeezed_width(text: str, height: int, stretch: float) -> int:
    return 2 * glyphs.width(text, number_size(height), True, stretch)


def wrapped(text: str, size: int, bold: bool, room: int) -> list[Operation]:
    """The text as centred lines that fit, of about equal length; broken at spaces where possible."""
    words = text.split()
    lines = _broken(words, size, bold, room)
    least = max([glyphs.width(word, size, bold) for word in words], default=0)
    # Narrow the room while the count of lines stays: no last line of one lonely word.
    while len(lines) > 1 and room - 8 >= least:
        tighter = _broken(words, size, bold, room - 8)
        if len(tighter) > len(lines):
            break
        lines, room = tighter, room - 8
    return [Line((Span(line, size, bold),)) for line in lines]


def _broken(words: list[str], size: int, bold: bool, room: int) -> list[str]:
    lines: list[str] = []
    for word in words:
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and glyphs.width(joined, size, bold) <= room:
            lines[-1] = joined
        else:
            lines += _pieces(word, size, bold, room)
    return lines


def _pieces(word: str, size: int, bold: bool, room: int) -> list[str]:
    pieces = [""]
    for char in word:
        if pieces[-1] and glyphs.width(pieces[-1] + char, size, bold) > room:
            pieces.append("")
        pieces[-1] += char
    return pieces


def shown_time(text: str, with_date: bool = False) -> str:
    """RFC 3339 as a local hour (its own offset is kept), with the date if asked; other text as it is."""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    if "T" not in text.upper():
        return text
    return moment.strftime("%H:%M %d/%m/%Y" if with_date else "%H:%M")
