"""The journal: what append returned from is there after any crash, and nothing else is."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk import journal

# The properties are about bytes; waiting for the disk at each of thousands of openings would add nothing.
UNSYNCED = {"sync": lambda handle: None}
TEXT = st.text(max_size=40)
EVENTS = st.lists(
    st.dictionaries(st.sampled_from(["type", "number", "service"]), TEXT, min_size=1), min_size=1, max_size=4
)


def written(folder: Path, events: list[dict]) -> Path:
    book = journal.Journal(folder, **UNSYNCED)
    for event in events:
        book.append({"type": "x", **event})
    book.close()
    return next(folder.glob("*.log"))


def events_of(book: journal.Journal) -> list[dict]:
    return [dict(record.event) for record in book.records]


@settings(max_examples=8, deadline=None)
@given(events=EVENTS)
def test_cut_at_any_byte_every_whole_record_stays_and_no_other_appears(events):
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name) / "whole", events)
        whole = path.read_bytes()
        ends = [i + 1 for i, byte in enumerate(whole) if byte == 0x0A]
        for cut in range(len(whole) + 1):
            folder = Path(name) / f"cut{cut}"
            folder.mkdir()
            (folder / path.name).write_bytes(whole[:cut])
            book = journal.Journal(folder, **UNSYNCED)
            kept = sum(end <= cut for end in ends)
            assert events_of(book) == [{"seq": i + 1, "type": "x", **events[i]} for i in range(kept)]
            assert (folder / path.name).stat().st_size == ([0, *ends][kept])
            assert book.append({"type": "next"}).seq == kept + 1
            book.close()
            again = journal.Journal(folder, **UNSYNCED)
            assert [event["seq"] for event in events_of(again)] == list(range(1, kept + 2))
            again.close()


@settings(max_examples=100, deadline=None)
@given(events=EVENTS, data=st.data())
def test_a_bad_block_takes_its_own_records_and_leaves_no_gap(events, data):
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name), [*events, {"type": "last"}])
        raw = bytearray(path.read_bytes())
        last = raw.rindex(b"\n", 0, -1) + 1
        hit = data.draw(st.integers(0, last - 1))
        raw[hit] ^= data.draw(st.integers(1, 255))
        path.write_bytes(raw)
        found, _ = journal.read(Path(name))
        assert [record.seq for record in found] == list(range(1, len(events) + 2))
        assert sum(map(_lost, found)) in (1, 2)
        assert all({"id", "at", "boot", "monotonic"} <= set(record.event) for record in found if _lost(record))
        assert found[-1].event["type"] == "last"


def test_a_newline_that_went_bad_takes_one_record_and_not_the_last():
    with tempfile.TemporaryDirectory() as name:
        path = written(Path(name), [{"number": "B001"}, {"number": "B002"}, {"type": "last"}])
        raw = bytearray(path.read_bytes())
        raw[raw.rindex(b"\n", 0, -1)] ^= 1
        path.write_bytes(raw)
        book = journal.Journal(Path(name), **UNSYNCED)
        assert [event["type"] for event in events_of(book)] == ["x", journal.DAMAGED, "last"]
        assert book.append({"type": "next"}).seq == 4
        book.close()


def _lost(record):
    return record.event["type"] == journal.DAMAGED


def test_a_tail_of_rubbish_is_cut_and_writing_goes_on(tmp_path):
    path = written(tmp_path, [{}, {}])
    with path.open("ab") as tail:
        tail.write(b'deadbeef {"seq": 3, "event"')
    book = journal.Journal(tmp_path)
    assert book.append({"type": "third"}).seq == 3
    book.close()
    assert [record.event["type"] for record in journal.read(tmp_path)[0]] == ["x", "x", "third"]


def test_an_append_has_returned_only_after_the_fsync(tmp_path):
    seen = []

    def sync(handle):
        seen.append(os.readlink(f"/proc/self/fd/{handle}").rsplit("/", 1)[1])
        os.fsync(handle)

    book = journal.Journal(tmp_path, sync=sync)
    seen.clear()
    book.append({"type": "x"})
    assert seen == ["000000000001.log"]
    book.close()


def test_only_the_owner_reads_a_journal(tmp_path):
    book = journal.Journal(tmp_path)
    book.append({"type": "x"})
    book.ack(1)
    book.close()
    assert {path.stat().st_mode & 0o777 for path in (*tmp_path.glob("*.log"), tmp_path / "mark")} == {0o600}


def test_only_one_process_writes_a_journal(tmp_path):
    book = journal.Journal(tmp_path)
    with pytest.raises(journal.Busy):
        journal.Journal(tmp_path)
    book.close()
    journal.Journal(tmp_path).close()


def test_a_disk_that_takes_nothing_leaves_no_half_record_and_works_again_later(tmp_path):
    full = False

    def sync(handle):
        if full:
            raise OSError(28, "No space left on device")
        os.fsync(handle)

    book = journal.Journal(tmp_path, sync=sync)
    book.append({"type": "first"})
    full = True
    with pytest.raises(journal.Unwritable):
        book.append({"type": "lost"})
    full = False
    assert book.append({"type": "second"}).seq == 2
    book.close()
    assert [record.event["type"] for record in journal.read(tmp_path)[0]] == ["first", "second"]


def test_what_is_acknowledged_is_remembered_and_not_sent_again(tmp_path):
    book = journal.Journal(tmp_path)
    for _ in range(5):
        book.append({"type": "x"})
    book.ack(3)
    book.close()
    book = journal.Journal(tmp_path)
    assert (book.acked, book.unsent) == (3, 2)
    assert [record.seq for record in book.since(book.acked, 10)] == [4, 5]
    book.close()


def test_rotation_keeps_the_carry_and_goes_on_counting(tmp_path):
    book = journal.Journal(tmp_path)
    book.append({"type": "x"})
    with pytest.raises(ValueError):
        book.rotate({})
    book.ack(1)
    book.rotate({"counts": {"B": {"2026-11-24": 17}}})
    assert book.append({"type": "y"}).seq == 2
    book.close()
    assert len(list(tmp_path.glob("*.log"))) == 1
    book = journal.Journal(tmp_path)
    assert book.carry == {"counts": {"B": {"2026-11-24": 17}}}
    assert [(record.seq, record.event["type"]) for record in book.records] == [(2, "y")]
    assert book.acked == 1
    book.close()


@pytest.mark.parametrize("stage", range(1, 7))
def test_a_crash_at_any_step_of_a_rotation_loses_nothing(tmp_path, stage):
    """The power fails at the n-th fsync of a rotation: numbers and carry are as before or as after."""
    steps = 0
    armed = False

    def sync(handle):
        nonlocal steps
        steps += armed
        if armed and steps == stage:
            raise KeyboardInterrupt
        os.fsync(handle)

    book = journal.Journal(tmp_path, sync=sync)
    book.append({"type": "x"})
    book.ack(1)
    armed = True
    try:
        book.rotate({"n": 1})
    except KeyboardInterrupt:
        os.close(book._lock)
    else:
        book.close()
    after = journal.Journal(tmp_path)
    assert [record.seq for record in after.records] == [1] or after.carry == {"n": 1}
    assert after.append({"type": "y"}).seq == 2
    after.close()


def test_a_damaged_mark_means_sending_again_not_losing(tmp_path):
    book = journal.Journal(tmp_path)
    book.append({"type": "x"})
    book.ack(1)
    book.close()
    (tmp_path / "mark").write_text("00000000 {}")
    book = journal.Journal(tmp_path)
    assert [record.seq for record in book.since(book.acked, 10)] == [1]
    book.close()


def test_a_new_disk_goes_on_after_what_the_gateway_has(tmp_path):
    book = journal.Journal(tmp_path)
    book.skip(40)
    assert book.append({"type": "x"}).seq == 41
    book.close()
    book = journal.Journal(tmp_path)
    assert [(record.seq, record.event["type"]) for record in book.since(book.acked, 9)] == [(41, "x")]
    book.close()
