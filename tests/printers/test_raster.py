import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from printers import device, escpos, glyphs, layout, raster, ticket

MISSING = "\U000e01ff"
FACES = [(26, False), (26, True), (28, False), (32, True)]  # those a ticket uses for Vietnamese


def same(one: glyphs.Glyph, other: glyphs.Glyph) -> bool:
    if (one.left, one.top, one.ink.size) != (other.left, other.top, other.ink.size):
        return False
    return ImageChops.logical_xor(one.ink, other.ink).getbbox() is None


def test_the_alphabet_has_134_letters():
    assert len(set(ticket.LETTERS)) == 134


@pytest.mark.parametrize("size, bold", FACES)
def test_both_fonts_have_every_vietnamese_letter(size, bold):
    missing = glyphs.glyph(MISSING, size, bold)
    assert [char for char in ticket.LETTERS if same(glyphs.glyph(char, size, bold), missing)] == []


@pytest.mark.parametrize("size, bold", FACES)
def test_no_two_letters_look_the_same(size, bold):
    drawn = {char: glyphs.glyph(char, size, bold) for char in ticket.LETTERS}
    assert [pair for pair in itertools.combinations(drawn, 2) if same(drawn[pair[0]], drawn[pair[1]])] == []


def test_every_letter_stays_whole_inside_its_line():
    for char in ticket.LETTERS:
        line = raster.inked(raster.piece(layout.Line((layout.Span(char, 26),))).strip)
        free = Image.new("1", (200, 200))
        draw = ImageDraw.Draw(free)
        draw.fontmode = "1"
        draw.text((100, 100), char, font=glyphs.font(26, False), fill=1, anchor="ls")
        shape = line.crop(line.getbbox())
        assert shape.tobytes() == free.crop(free.getbbox()).tobytes(), char


@given(st.lists(st.sampled_from([0x10, 0x04, 0x05, 0x14, 0x18, 0xFF]), max_size=60).map(bytes))
def test_no_picture_data_holds_a_real_time_command(data):
    clean = raster.without_real_time(data)
    assert not any(bytes((0x10, code)) in clean for code in raster.REAL_TIME)
    assert len(clean) == len(data)
    assert all(new == old or (old, new) == (0x10, 0x18) for old, new in zip(data, clean, strict=True))


def test_a_crafted_picture_is_broken_across_its_rows_too():
    rows = bytes((0x04, 0x10, 0x05, 0x10, 0x14, 0x10))
    part = raster.strip(Image.frombytes("1", (16, 3), rows))
    assert part.data == bytes((0x04, 0x18, 0x05, 0x18, 0x14, 0x10))


def test_the_number_is_twenty_millimetres_tall():
    dots = raster.piece(layout.fitted_number("B017", 560)).strip.height
    assert dots / 8 >= 20


@pytest.mark.parametrize("text", ["7", "042", "B017", "A-0042", "ABCDEFGH"])
@pytest.mark.parametrize("width", [384, 512, 576])
def test_no_number_is_wider_than_the_paper(text, width):
    assert raster.piece(layout.fitted_number(text, width - 16)).strip.width <= width


@pytest.mark.parametrize("width", [384, 512, 576])
def test_nothing_of_the_longest_ticket_runs_off_the_paper(width):
    longest = ticket.Ticket.from_document({
        "station": "Ỗ" * 120, "service": "Cấp mới căn cước " * 7, "number": "WWWWWWWW", "place": "m" * 160,
        "url": "https://e.vn/" + "x" * 187, "ahead": 9999, "eta": "W" * 40, "time": "W" * 40, "name": "W" * 80,
        "footer": "W" * 300, "issued_at": "W" * 40, "priority": True, "reprint": True})
    pieces = [raster.piece(operation) for operation in layout.arrange(longest, width)]
    assert [part.strip.width for part in pieces if part.strip and part.strip.width > width] == []


@pytest.mark.parametrize("profile", ["generic", "TM-T20II", "TM-T88V", "POS-5890"])
def test_every_known_kind_of_printer_gets_bytes_without_real_time_commands(profile):
    payload = escpos.ticket(ticket.specimen(), device.capabilities(profile), "!!!!")
    assert not any(bytes((0x10, code)) in payload for code in raster.REAL_TIME)


def test_words_on_the_paper_come_in_both_languages():
    whole = ticket.Ticket(station="s", service="s", number="1", place="p", url="https://e.vn", ahead=7,
                          eta="09:40", priority=True, reprint=True)
    texts = [span.text for operation in layout.arrange(whole, 576)
             for span in getattr(operation, "spans", ()) or filter(None, [getattr(operation, "span", None)])]
    for words in ("IN LẠI / REPRINT", "ƯU TIÊN / PRIORITY", "SỐ THỨ TỰ", "  Your number", "7 người",
                  " · 7 ahead", "Dự kiến ", " · Expected"):
        assert words in texts
