import pytest

from printers import status

PAPER_OUT = bytes((0x12 | 0x60 | 0x0C,))


def read(data: bytes, numbers: tuple[int, ...] = ()) -> list[status.Event]:
    stream, events = status.read(status.asked(status.Stream(), numbers), data)
    assert stream.rest == b""
    return events


def test_answers_are_told_apart_by_their_bits():
    stream = b"\x12" + b"\x10\x00\x0f\x00" + b"\x03" + b"\x37\x22B017\x00" + b"\x5fSANDBOX\x00" + b"\x16"
    assert read(stream, (1, 2)) == [
        status.RealTime(1, 0x12), status.Asb(b"\x10\x00\x0f\x00"), status.Sensor(0x03), status.Printed("B017"),
        status.Block(0x5F, b"SANDBOX"), status.RealTime(2, 0x16)]


def test_a_stream_split_anywhere_says_the_same():
    whole = b"\x12\x18\x00\x0c\x00\x37\x22!!!\x22\x00\x00\x12"
    expected = read(whole, (1, 2))
    for at in range(len(whole)):
        stream, first = status.read(status.asked(status.Stream(), (1, 2)), whole[:at])
        stream, second = status.read(stream, whole[at:])
        assert first + second == expected, at


def test_flow_control_bytes_are_no_answers():
    assert read(b"\x13\x11\x12", (4,)) == [status.RealTime(4, 0x12)]


def test_rubbish_is_named_and_does_not_swallow_what_follows():
    assert read(b"\xff\x10\xff\x12", (1,)) == [
        status.Rubbish(0xFF), status.Rubbish(0x10), status.Rubbish(0xFF), status.RealTime(1, 0x12)]


def test_a_block_without_an_end_is_rubbish_at_last():
    events = read(b"\x5f" + b"\x41" * 100)
    assert events[0] == status.Rubbish(0x5F)


def test_an_answer_nobody_asked_for_changes_nothing():
    before = status.PrinterState(True, "ok")
    [event] = read(PAPER_OUT)
    assert status.after(before, event) == before


@pytest.mark.parametrize("number, byte, hold", [
    (1, 0x12, ""), (1, 0x1A, "offline"), (2, 0x16, "cover"), (2, 0x32, "paper"), (3, 0x1A, "cutter"),
    (3, 0x32, "error"), (4, 0x72, "paper"), (4, 0x1E, "")])
def test_each_bit_of_a_real_time_answer_holds_for_its_own_reason(number, byte, hold):
    state = status.after(status.PrinterState(True, "ok"), status.RealTime(number, byte))
    assert state.hold == hold
    assert bool(state.reason_vi) == bool(state.reason_en)


@pytest.mark.parametrize("data, hold, paper", [
    (b"\x10\x00\x00\x00", "", "ok"), (b"\x10\x00\x03\x00", "", "near_end"), (b"\x18\x00\x0f\x00", "paper", "out"),
    (b"\x38\x00\x00\x00", "cover", "ok"), (b"\x18\x08\x00\x00", "cutter", "ok"),
    (b"\x18\x00\x00\x00", "offline", "ok")])
def test_a_report_of_four_bytes_gives_the_whole_state(data, hold, paper):
    state = status.after(status.NO_DEVICE, status.Asb(data))
    assert (state.hold, state.paper) == (hold, paper)


def test_a_silent_printer_keeps_the_cause_it_named_last():
    state = status.silent(status.PrinterState(True, "out"))
    assert state.hold == "paper"
    assert status.silent(status.PrinterState(True, "ok")).hold == "offline"


def test_every_reason_has_both_languages():
    assert [name for name, texts in status.REASONS.items() if name and not all(texts)] == []
