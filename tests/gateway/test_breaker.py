"""The breaker's table: total; it opens when it must, lets one try, and closes by that one's answer alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.lifecycle import breaker as breakers
from gateway.rules.lifecycle.breaker import Breaker, Event, Fault, Happening, Policy, State

POLICY = Policy(failures=3, outage_probe=30, refusal_probe=900)
events = st.builds(Event, st.sampled_from(Happening), st.integers(0, 5_000))
walks = st.lists(st.tuples(events, st.integers(0, 400)), max_size=60)


def after(breaker, *happenings, now=0):
    for happening in happenings:
        breaker = breakers.step(breaker, Event(happening), now, POLICY)
    return breaker


def test_every_state_has_a_cell_for_every_happening():
    assert set(breakers.TABLE) == {(state, happening) for state in State for happening in Happening}


def test_one_refusal_to_everybody_opens_it_and_failures_open_it_only_in_a_row():
    assert after(Breaker(), Happening.REFUSED).fault is Fault.REFUSAL
    away, well = Happening.UNREACHED, Happening.WORKED
    assert after(Breaker(), away, away).state is State.CLOSED
    assert after(Breaker(), away, away, well, away, away).state is State.CLOSED
    opened = after(Breaker(), away, away, away)
    assert (opened.state, opened.fault, opened.probe_at) == (State.OPEN, Fault.OUTAGE, 30)


def test_answers_that_were_under_way_when_it_opened_do_not_close_it():
    opened = after(Breaker(), Happening.REFUSED)
    assert after(opened, Happening.WORKED, Happening.JUDGED) == opened


def test_one_tries_when_its_time_has_come_and_its_answer_closes_it():
    opened = after(Breaker(), Happening.REFUSED)
    assert not breakers.may_probe(opened, 899)
    probing = after(opened, Happening.PROBED, now=900)
    assert (probing.state, probing.probe_at) == (State.PROBING, 1_800)
    assert after(probing, Happening.PROBED, now=901) == probing  # the second one waits
    assert after(probing, Happening.PROBE_WORKED, now=902) == Breaker()


def test_a_probe_that_died_on_its_way_is_followed_by_another():
    probing = after(after(Breaker(), Happening.REFUSED), Happening.PROBED, now=900)
    again = after(probing, Happening.PROBED, now=1_800)
    assert again.probe_at == 2_700


def test_a_probe_that_is_refused_for_itself_says_that_the_channel_is_there_but_nothing_of_its_quota():
    quota = after(after(Breaker(), Happening.REFUSED), Happening.PROBED, now=900)
    outage = after(after(Breaker(), *[Happening.UNREACHED] * 3), Happening.PROBED, now=30)
    assert after(quota, Happening.JUDGED, now=901).state is State.PROBING
    assert after(outage, Happening.JUDGED, now=31).state is State.CLOSED


def test_an_outage_is_asked_after_ever_more_slowly():
    breaker, waits, now = after(Breaker(), *[Happening.UNREACHED] * 3), [], 0
    for _ in range(8):
        waits.append(breaker.probe_at - now)
        now = breaker.probe_at
        breaker = after(breaker, Happening.PROBED, Happening.UNREACHED, now=now)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_lane_that_says_it_is_back_is_tried_at_once_and_believed_only_then():
    away = after(Breaker(), *[Happening.UNREACHED] * 3)
    back = after(away, Happening.BACK, now=5)
    assert back.state is State.OPEN and breakers.may_probe(back, 5) and not breakers.may_probe(away, 5)
    probing = after(back, Happening.PROBED, now=5)
    assert after(probing, Happening.BACK, now=6) == probing  # one is trying already
    assert after(Breaker(), Happening.BACK) == Breaker()


@given(walks)
def test_an_open_one_always_lets_somebody_try_in_bounded_time(steps):
    breaker, now, named = Breaker(), 0, 0
    for event, pause in steps:
        now, named = now + pause, max(named, event.until)  # the latest hour that a provider has named
        breaker = breakers.step(breaker, event, now, POLICY)
        if breaker.state is not State.CLOSED:
            assert breaker.probe_at <= max(now + POLICY.slowest, now + POLICY.refusal_probe, named)
            assert breakers.may_probe(breaker, breaker.probe_at)


@given(walks)
def test_it_closes_only_by_a_probe_s_own_word(steps):
    breaker, now = Breaker(), 0
    for event, pause in steps:
        now += pause
        before, breaker = breaker, breakers.step(breaker, event, now, POLICY)
        if before.state is not State.CLOSED and breaker.state is State.CLOSED:
            assert event.happening in (Happening.PROBE_WORKED, Happening.JUDGED)
