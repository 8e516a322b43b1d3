import dataclasses
import struct

import pytest
from PIL import Image

from gateway.sandbox.printer import paper
from printers import device, escpos, jobs, layout, raster
from printers.ticket import Ticket

SLOW_LINE = 16 * 1024


def rasters(payload: bytes) -> list[tuple[int, int, int]]:
    """Walk every GS v 0 by its header: (where, how long it says, bytes to the end of what is there)."""
    found, at = [], payload.find(b"\x1dv0")
    while at >= 0:
        columns, rows = struct.unpack_from("<HH", payload, at + 4)
        length = 8 + columns * rows
        found.append((at, length, len(payload) - at))
        at = payload.find(b"\x1dv0", at + length)
    return found


@pytest.mark.parametrize("profile", ["generic", "TM-T20II", "TM-T88V", "POS-5890"])
def test_every_picture_is_exactly_as_long_as_it_says(ticket, profile):
    payload = escpos.ticket(ticket, device.capabilities(profile), "!!!!")
    found = rasters(payload)
    assert found
    for at, length, left in found:
        assert length <= left
        assert payload[at + length] in (0x1B, 0x1D)  # the next command begins right there


@pytest.mark.parametrize("profile", ["generic", "TM-T20II", "TM-T88V", "POS-5890"])
def test_a_flush_is_longer_than_any_picture_left_unfinished(ticket, profile):
    payload = escpos.ticket(ticket, device.capabilities(profile), "!!!!")
    assert max(length for _, length, _ in rasters(payload)) <= len(escpos.FLUSH)


@pytest.mark.parametrize("profile", ["TM-T20II", "TM-T88V", "POS-5890"])
def test_a_usual_ticket_is_under_sixteen_kilobytes(ticket, profile):
    assert len(escpos.ticket(ticket, device.capabilities(profile), "!!!!")) <= SLOW_LINE


@pytest.mark.parametrize("profile, ending", [
    ("TM-T20II", b"\x1d(H\x06\x00\x30\x30!!!\""), ("TM-T88III", b"\x1dr\x01"), ("generic", b"\x1dV\x42\x18")])
def test_the_end_asks_for_proof_in_the_way_the_printer_knows(ticket, profile, ending):
    payload = escpos.ticket(ticket, device.capabilities(profile), escpos.job_letters(1))
    assert payload.endswith(ending)


def test_job_letters_are_printable_and_differ():
    letters = [escpos.job_letters(number) for number in (0, 1, 93, 94, 94**4 - 1)]
    assert letters == ["!!!!", '!!!"', "!!!~", '!!"!', "~~~~"]


@pytest.mark.parametrize("profile", ["generic", "TM-T20II"])
def test_the_paper_shows_the_reference_picture_dot_for_dot(printer, owners, ticket, same_picture, tmp_path,
                                                           profile):
    own_qr = dataclasses.replace(device.capabilities(profile), native_qr=False)
    owner = owners(jobs.Spool(tmp_path / "print.db", printer.url, own_qr))
    owner.spool.submit("an", dataclasses.replace(ticket, priority=True), now=1)
    assert printer.wait_for(1, 20)
    assert same_picture(printer, 1, dataclasses.replace(ticket, priority=True))
    assert not same_picture(printer, 1, dataclasses.replace(ticket, number="B018", priority=True))
    assert printer.unknown == 0


def test_the_printers_own_qr_code_is_the_same_code_in_the_same_size(printer, owners, ticket, tmp_path,
                                                                    capabilities):
    owner = owners(jobs.Spool(tmp_path / "print.db", printer.url, capabilities))
    owner.spool.submit("an", ticket, now=1)
    assert printer.wait_for(1, 20)
    modules = raster.qr_modules(ticket.url)
    side = len(modules) * layout.QR_MODULE
    page = Image.open(printer.folder / "000001.png")
    wanted = Image.new("L", (side + 8, side + 8), paper.PAPER)
    for y, row in enumerate(modules):
        for x, dark in enumerate(row):
            if dark:
                wanted.paste(paper.INK, _square(x, y))
    left = (page.width - side) // 2 - 4
    places = [top for top in range(page.height - side - 8)
              if page.crop((left, top, left + side + 8, top + side + 8)).tobytes() == wanted.tobytes()]
    assert len(places) == 1


def _square(x: int, y: int) -> tuple[int, int, int, int]:
    module = layout.QR_MODULE
    return (4 + x * module, 4 + y * module, 4 + (x + 1) * module, 4 + (y + 1) * module)


def test_a_printer_with_large_letters_gets_the_number_as_text(ticket):
    payload = escpos.ticket(ticket, device.capabilities("TM-T88V"), "!!!!")
    assert b"\x1d!\x77B017\n" in payload


def test_a_dangerous_run_stops_the_ticket():
    dangerous = raster.Strip(2, 1, b"\x10\x05")
    with pytest.raises(escpos.EncodeError):
        escpos.qr_command(layout.Qr("https://e.vn/\x10\x05\x02"))
    with pytest.raises(escpos.EncodeError):
        escpos.raster_command(dataclasses.replace(dangerous, rows=2))


def test_default_is_no_printer_and_a_near_name_is_offered():
    with pytest.raises(device.DeviceError):
        device.capabilities("default")
    with pytest.raises(device.DeviceError, match="“TM-T20II”"):
        device.capabilities("TM-T20i")
    with pytest.raises(device.DeviceError, match="577"):
        device.capabilities("generic", 577)


@pytest.mark.parametrize("text, shown", [
    ("2026-11-24T09:40:00+07:00", "09:40"), ("09:40–09:45", "09:40–09:45"), ("2026-11-24", "2026-11-24")])
def test_a_moment_is_shown_as_the_local_hour_and_other_text_as_it_is(text, shown):
    assert layout.shown_time(text) == shown


def test_a_long_text_is_broken_into_even_lines():
    lines = layout.wrapped("Mời bạn ngồi chờ tại sảnh. Vắng mặt khi gọi 3 lần thì lấy số lại.", 26, False, 560)
    assert [len(line.spans[0].text.split()) for line in lines] == [7, 9]


def test_a_ticket_is_the_same_bytes_each_time(ticket, capabilities):
    assert escpos.ticket(ticket, capabilities, "!!!!") == escpos.ticket(
        Ticket.from_document(ticket.to_document()), capabilities, "!!!!")
