"""QUEUE-POLICY.md's properties, over the pure rule."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules import numbers, order, settings

POLICY = settings.Policy()
moments = st.integers(1_700_000_000, 1_700_100_000)
slots = moments.map(lambda at: at - at % 1_800)


@given(moments, st.integers(0, 80_000), st.booleans())
def test_first_come_first_served_within_a_class(at, later, priority):
    first = order.walk_in(at, priority, POLICY)
    second = order.walk_in(at + later, priority, POLICY)
    assert first.due <= second.due


@given(slots, st.integers(1, 20_000), st.booleans())
def test_arriving_before_the_slot_gains_nothing(slot, early, priority):
    assert (
        order.booked(slot, slot - early, priority, POLICY).due
        >= order.booked(slot, slot, priority, POLICY).due
    )


@given(slots, st.integers(-3_600, 900), st.integers(1, 20_000), st.booleans())
def test_arriving_late_never_beats_arriving_on_time(slot, on_time, late, priority):
    punctual = order.booked(slot, slot + on_time, priority, POLICY)
    tardy = order.booked(slot, slot + POLICY.grace + late, priority, POLICY)
    assert punctual.due <= tardy.due


@given(slots, st.integers(-3_600, 20_000))
def test_priority_is_never_worse_than_none(slot, arrival):
    at = slot + arrival
    assert order.booked(slot, at, True, POLICY).due <= order.booked(slot, at, False, POLICY).due
    assert order.walk_in(at, True, POLICY).due <= order.walk_in(at, False, POLICY).due


@given(moments, slots, st.integers(-3_600, 20_000), st.booleans())
def test_no_walk_in_is_passed_by_somebody_whose_base_is_25_minutes_newer(at, slot, arrival, priority):
    mine = order.walk_in(at, False, POLICY)
    other = order.booked(slot, slot + arrival, priority, POLICY)
    if other.base >= mine.base + 1_500:
        assert other.due >= mine.due


@given(moments, st.integers(0, 4_000), st.booleans())
def test_coming_back_after_a_miss_is_never_earlier_than_without_it(at, missed, priority):
    place = order.walk_in(at, priority, POLICY)
    assert order.returned(place, at + missed, POLICY).due >= place.due


@given(st.integers(0, 60), st.floats(0, 0.4))
def test_what_is_sold_is_at_least_the_seats_and_overflows_rarely(seats, no_show):
    sold = numbers.sold(seats, no_show, 0.10)
    assert sold >= seats
    assert numbers.overflowing(sold, seats, no_show) <= 0.10


def test_the_policy_s_own_examples_of_overbooking():
    assert [numbers.sold(seats, 0.15, 0.10) for seats in (12, 16, 20, 30)] == [12, 17, 21, 32]


def test_numbers_read_as_people_call_them():
    assert [numbers.label("", 42), numbers.label("B", 17), numbers.label("", 1_000)] == [
        "042",
        "B017",
        "1000",
    ]
