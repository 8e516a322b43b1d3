"""The stand-in is strict: what a printer would not understand is never passed in silence."""
import json
import socket
import urllib.parse

import pytest

CUT = b"\x1dV\x42\x00"


def address(printer) -> tuple[str, int]:
    parts = urllib.parse.urlsplit(printer.url)
    return parts.hostname, parts.port


def heard(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += link.recv(count - len(data))
    return data


@pytest.fixture
def line(printer):
    with socket.create_connection(address(printer), timeout=20) as link:
        yield link


def printed(printer, line, data: bytes, cut: int = 1) -> dict:
    line.sendall(data + CUT)
    assert printer.wait_for(cut, 20)
    return json.loads((printer.folder / f"{cut:06d}.json").read_text(encoding="utf-8"))


def test_plain_text_is_read_back(printer, line):
    facts = printed(printer, line, b"\x1b@\x1ba\x01\x1d!\x11\x1bE\x01\x1dB\x01So 042\n\x1d!\x00Moi vao\n")
    assert (facts["texts"], facts["unknown"], facts["cut"]) == (["So 042", "Moi vao"], [], 1)


def test_the_vietnamese_code_pages_are_read_back(printer, line):
    small = b"\x1bt\x1e" + bytes((0xAE, 0xA9, 0xCB)) + b"\n"
    capital = b"\x1bt\x1f" + bytes((0xA7, 0xAA, 0xD5, 0xFE)) + b"\n"
    assert printed(printer, line, small + capital)["texts"] == ["đâậ", "ĐÊẾỴ"]


@pytest.mark.parametrize("rubbish", [
    b"\x1bZ", b"\x1d9", b"\x07", b"\x80", b"\x1ba\x09", b"\x1d!\x88", b"\x1d(L\x02\x00\x30\x32", b"\x1d(k\x03\x001Q0",
    b"\x1dv0\x00\x64\x00\x01\x00" + bytes(100), b"\x1dv0\x09\x01\x00\x01\x00\x00", b"\x1dr\x07", b"\x1bt\x30",
    b"\x1dv0\x00\x03\x00\x01\x00\x10\x05\x02", "Ộ".encode()])
def test_rubbish_is_counted_and_written_down(printer, line, rubbish):
    facts = printed(printer, line, b"A\n" + rubbish)
    assert len(facts["unknown"]) >= 1
    assert printer.unknown == len(facts["unknown"])


def test_each_fault_is_told_in_real_time_answers(printer, line):
    told = {}
    for name in ("cover_open", "paper_out", "near_end", "cutter_error"):
        printer.fault(name, True)
        line.sendall(b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04")
        told[name] = heard(line, 4).hex()
        printer.fault(name, False)
    assert told == {"cover_open": "1a161212", "paper_out": "1a32127e", "near_end": "1212121e",
                    "cutter_error": "1a521a12"}


def test_a_question_is_answered_in_the_middle_of_a_picture_as_a_real_printer_would(printer, line):
    line.sendall(b"\x1dv0\x00\x04\x00\x01\x00\x10\x04\x01")
    assert line.recv(1) == b"\x12"
    assert "real-time" in printed(printer, line, b"\x00")["unknown"][0]


def test_changes_are_reported_to_who_asked(printer, line):
    line.sendall(b"\x1da\xff")
    assert heard(line, 4) == b"\x10\x00\x00\x00"
    printer.fault("cover_open", True)
    assert heard(line, 4) == b"\x38\x00\x00\x00"


def test_printed_is_said_only_after_the_paper_came(printer, line):
    printer.fault("paper_out", True)
    line.sendall(b"A\n" + CUT + b"\x1d(H\x06\x00\x30\x30B017" + b"\x1dr\x01" + b"\x10\x04\x04")
    assert line.recv(1) == b"\x7e"
    assert printer.cuts == 0
    printer.fault("paper_out", False)
    assert heard(line, 8) == b"\x37\x22B017\x00\x00"
    assert printer.cuts == 1


def test_it_says_who_it_is(printer, line):
    line.sendall(b"\x1dIB")
    assert heard(line, 9) == b"\x5fSANDBOX\x00"


def test_two_callers_do_not_mix_their_tickets(printer, line):
    with socket.create_connection(address(printer), timeout=20) as other:
        line.sendall(b"An\n")
        line.sendall(b"\x1dr\x01")
        assert line.recv(1) == b"\x00"
        other.sendall(b"Binh\n" + CUT + b"\x10\x04\x01")
        assert other.recv(1) == b"\x12"
        line.sendall(CUT)
        assert printer.wait_for(2, 20)
    texts = [json.loads((printer.folder / f"{cut:06d}.json").read_text())["texts"] for cut in (1, 2)]
    assert texts == [["An"], ["Binh"]]


def test_a_caller_who_hangs_up_in_the_middle_of_a_picture_leaves_the_printer_waiting(printer, line):
    with socket.create_connection(address(printer), timeout=20) as other:
        other.sendall(b"\x1dr\x01\x1dv0\x00\x01\x00\x08\x00\xff\xff")
        assert other.recv(1) == b"\x00"
    facts = printed(printer, line, b"ABCDEFGH\n")
    assert facts["texts"] == ["GH"]


def test_no_half_written_file_is_ever_seen(printer, line):
    printed(printer, line, b"A\n")
    assert sorted(path.name for path in printer.folder.iterdir()) == ["000001.json", "000001.png"]


def test_an_unknown_fault_is_refused(printer):
    with pytest.raises(KeyError):
        printer.fault("on_fire", True)
