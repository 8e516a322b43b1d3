"""Time on a machine whose clock may be wrong."""

from dataclasses import replace

from kiosk import clock

READING = clock.Reading(1_000.0, 50.0, "boot-1")


def test_without_the_gateway_the_wall_clock_is_believed_but_not_trusted():
    moment = clock.correct(READING, None)
    assert (moment.at, moment.trusted, moment.offset) == (1_000.0, False, 0.0)


def test_the_gateways_time_goes_on_by_the_monotonic_clock_whatever_the_wall_clock_does():
    anchor = clock.measure(9_000.0, READING, replace(READING, monotonic=52.0))
    later = clock.Reading(5.0, 61.0, "boot-1")
    moment = clock.correct(later, anchor)
    assert (moment.at, moment.trusted) == (9_010.0, True)
    assert moment.offset == 9_005.0


def test_after_a_restart_time_is_never_before_the_last_word_of_the_gateway():
    anchor = clock.Anchor(9_000.0, 50.0, "boot-0", 0.1)
    assert clock.correct(READING, anchor).at == 9_000.0
    assert clock.correct(replace(READING, wall=9_500.0), anchor).at == 9_500.0
    assert not clock.correct(READING, anchor).trusted


def test_the_anchor_is_kept_on_disk(tmp_path):
    path = tmp_path / "clock.json"
    clock.Clock(path, source=lambda: READING).hear(clock.Anchor(9_000.0, 50.0, "boot-1", 0.1))
    again = clock.Clock(path, source=lambda: replace(READING, wall=1.0, monotonic=3.0, boot="boot-2"))
    assert again.now().at == 9_000.0


def test_a_slow_answer_does_not_move_a_good_clock():
    time = clock.Clock(source=lambda: READING)
    time.hear(clock.Anchor(9_000.0, 50.0, "boot-1", 0.1))
    time.hear(clock.Anchor(9_004.0, 50.0, "boot-1", 9.0))
    assert time.now().at == 9_000.0


def test_a_damaged_anchor_is_no_anchor(tmp_path):
    path = tmp_path / "clock.json"
    path.write_text('{"server": "soon"}')
    assert clock.Clock(path, source=lambda: READING).now().at == 1_000.0


def test_the_day_is_the_one_in_vietnam():
    assert clock.day(clock.parse("2026-11-24T18:00:00Z")) == "2026-11-25"
    assert clock.rfc3339(clock.parse("2026-11-24T18:00:00.250Z")) == "2026-11-25T01:00:00.250+07:00"
