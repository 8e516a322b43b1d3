"""The notice's table: total, safe, and never doubling; whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gateway.rules.lifecycle import notice as lifecycle
from gateway.rules.lifecycle import ticket as tickets
from gateway.rules.lifecycle.notice import FINAL, Event, Happening, Notice, Policy, State

POLICY = Policy(receipt_wait=1_800, receipt_wait_urgent=60, unknown_wait=180, retries=(5, 30), lease=60)
FRESH = Notice(State.CREATED, rung=0, rungs=3, tries=0, due=0, deadline=10_000, urgent=False)

events = st.builds(
    Event,
    st.sampled_from(Happening),
    st.just("because"),
    st.integers(0, 20_000),
    st.one_of(st.none(), st.integers(0, 2)),
)
walks = st.lists(st.tuples(events, st.integers(0, 900)), max_size=40)


def walked(steps):
    """Every notice on the way, with the moment and the event that led to it."""
    notice, now, seen = FRESH, 0, []
    for event, pause in steps:
        now += pause
        after = lifecycle.step(notice, event, now, POLICY)
        seen.append((notice, event, now, after))
        notice = after
    return seen


def test_every_state_has_a_cell_for_every_happening():
    assert set(lifecycle.TABLE) == {(state, happening) for state in State for happening in Happening}


@given(walks)
def test_a_final_state_is_never_left(steps):
    for before, _, _, after in walked(steps):
        if before.state in FINAL:
            assert after.state is before.state


@given(walks)
def test_the_ladder_is_only_climbed_down(steps):
    for before, _, _, after in walked(steps):
        assert before.rung <= after.rung < FRESH.rungs


@given(walks)
def test_what_may_have_been_taken_is_never_sent_again_on_the_same_rung(steps):
    certainly_not = (
        Happening.UNREACHED,
        Happening.POSTPONED,
        Happening.BARRED,
    )  # the sender says it handed nothing over
    for before, event, _, after in walked(steps):
        handed_over = before.state is State.SENT or (
            before.state is State.UNKNOWN and event.happening not in certainly_not
        )
        if handed_over and after.state is State.CREATED:
            assert after.rung == before.rung + 1


@given(walks)
def test_nothing_is_sent_after_its_deadline(steps):
    for _, event, now, after in walked(steps):
        if event.happening is Happening.CLAIMED and after.state is State.SENDING:
            assert after.due == now + POLICY.lease or now < after.deadline


@given(walks, st.integers(0, 900))
def test_left_alone_every_notice_ends_in_bounded_time(steps, patience):
    notice, now = FRESH, 0
    for event, pause in steps:
        now += pause
        notice = lifecycle.step(notice, event, now, POLICY)
    for _ in range(20):
        if notice.state in FINAL:
            break
        now = max(now, notice.due)
        happening = Happening.CLAIMED if notice.state is State.CREATED else Happening.SILENCE
        notice = lifecycle.step(notice, Event(happening), now, POLICY)
    assert notice.state in FINAL


def test_a_lost_worker_leaves_an_unknown_outcome_and_then_the_next_channel():
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), 100, POLICY)
    unknown = lifecycle.step(sending, Event(Happening.SILENCE), sending.due, POLICY)
    assert (unknown.state, unknown.reason) == (State.UNKNOWN, "worker_lost")
    again = lifecycle.step(unknown, Event(Happening.SILENCE), unknown.due, POLICY)
    assert (again.state, again.rung) == (State.CREATED, 1)


def test_a_receipt_before_the_answer_is_not_overwritten_by_it():
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), 1, POLICY)
    delivered = lifecycle.step(sending, Event(Happening.DELIVERED, rung=0), 2, POLICY)
    assert lifecycle.step(delivered, Event(Happening.ACCEPTED, rung=0), 3, POLICY) == delivered


def test_a_receipt_after_the_fallback_is_kept_as_reached_twice():
    second = replace(FRESH, state=State.DELIVERED, rung=1)
    assert lifecycle.step(second, Event(Happening.DELIVERED, rung=0), 9, POLICY).reached_twice


def test_a_certain_failure_to_connect_is_tried_again_with_pauses_then_falls_back():
    notice, pauses = FRESH, []
    for _ in range(3):
        notice = lifecycle.step(notice, Event(Happening.CLAIMED), notice.due, POLICY)
        now = notice.due - POLICY.lease
        notice = lifecycle.step(notice, Event(Happening.UNREACHED), now, POLICY)
        pauses.append((notice.rung, notice.due - now))
    assert pauses == [(0, 5), (0, 30), (1, 0)]


def test_every_ticket_state_has_a_word_on_every_verb():
    assert {state: set(row) for state, row in tickets.TABLE.items()} == {
        state: set(tickets.Verb) for state in tickets.State
    }


def test_finished_and_cancelled_tickets_stay_so():
    for state in (tickets.State.DONE, tickets.State.CANCELLED):
        assert all(tickets.after(state, verb) is None for verb in tickets.Verb)


def test_a_late_worker_that_handed_nothing_over_costs_no_channel():
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), 100, POLICY)
    unknown = lifecycle.step(sending, Event(Happening.SILENCE), sending.due, POLICY)
    again = lifecycle.step(unknown, Event(Happening.UNREACHED, "too_late", rung=0), unknown.due - 1, POLICY)
    assert (again.state, again.rung) == (State.CREATED, 0)


def test_a_provider_that_asks_for_a_day_s_patience_is_left_for_the_next_channel():
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), 0, POLICY)
    short = lifecycle.step(sending, Event(Happening.POSTPONED, "429", 60, rung=0), 1, POLICY)
    long = lifecycle.step(sending, Event(Happening.POSTPONED, "429", 86_400, rung=0), 1, POLICY)
    assert [(one.state, one.rung) for one in (short, long)] == [(State.CREATED, 0), (State.CREATED, 1)]


def test_a_provider_that_asks_for_a_second_again_and_again_leaves_the_next_channel_a_fair_time():
    """A throttled account, a rate that others use up: each wait is short, and together they are the whole day."""
    notice, now = FRESH, 0
    while notice.rung == 0:
        sending = lifecycle.step(notice, Event(Happening.CLAIMED), now, POLICY)
        notice = lifecycle.step(
            sending, Event(Happening.POSTPONED, "throttled", now + 1, rung=0), now, POLICY
        )
        now += 1
    assert (notice.state, notice.rung) == (State.CREATED, 1)
    assert notice.deadline - now >= POLICY.unknown_wait


def test_a_worker_that_stops_changes_no_channel():
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), FRESH.deadline - 60, POLICY)
    stopped = lifecycle.step(
        sending, Event(Happening.POSTPONED, "stopped", 0, rung=0), FRESH.deadline - 60, POLICY
    )
    assert (stopped.state, stopped.rung) == (State.CREATED, 0)


def test_a_notice_that_nobody_could_send_in_time_expires():
    late = lifecycle.step(FRESH, Event(Happening.SILENCE), FRESH.deadline, POLICY)
    assert late.state is State.EXPIRED


def test_without_a_receipt_the_provider_is_asked_once_and_then_the_next_channel_follows():
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), 100, POLICY)
    sent = lifecycle.step(sending, Event(Happening.ACCEPTED, rung=0), 101, POLICY)
    asked = lifecycle.step(sent, Event(Happening.SILENCE), sent.due, POLICY)
    assert (asked.state, asked.rung, asked.asked, asked.due) == (
        State.SENT,
        0,
        True,
        sent.due + POLICY.ask_wait,
    )
    assert (
        lifecycle.step(asked, Event(Happening.DELIVERED, rung=0), asked.due, POLICY).state is State.DELIVERED
    )
    again = lifecycle.step(asked, Event(Happening.SILENCE), asked.due, POLICY)
    assert (again.state, again.rung, again.asked) == (State.CREATED, 1, False)


def test_a_channel_that_refuses_everybody_costs_no_time_and_on_the_last_rung_it_is_waited_for():
    barred = Event(Happening.BARRED, "quota", until=900)
    first = lifecycle.step(FRESH, barred, 10, POLICY)
    last = lifecycle.step(replace(FRESH, rung=2), barred, 10, POLICY)
    never = lifecycle.step(replace(FRESH, rung=2), replace(barred, until=0), 10, POLICY)
    late = lifecycle.step(replace(FRESH, rung=2, deadline=800), barred, 10, POLICY)
    assert (first.state, first.rung, first.due) == (State.CREATED, 1, 10)
    assert (last.state, last.rung, last.due) == (State.CREATED, 2, 900)
    assert (never.state, never.reason) == (State.FAILED, "quota")
    assert late.state is State.EXPIRED


def test_on_the_last_rung_a_channel_that_cannot_be_reached_is_tried_until_the_deadline():
    notice, tries = replace(FRESH, rung=2), 0
    while notice.state is State.CREATED:
        notice = lifecycle.step(notice, Event(Happening.CLAIMED), notice.due, POLICY)
        tries += 1
        notice = lifecycle.step(notice, Event(Happening.UNREACHED, "away"), notice.due - POLICY.lease, POLICY)
    assert (notice.state, notice.reason) == (State.EXPIRED, "away")
    assert tries > 300


def test_a_fallback_is_not_caught_by_the_night_if_the_message_had_its_time():
    evening = replace(POLICY, fallback_by=1_000)
    sending = lifecycle.step(FRESH, Event(Happening.CLAIMED), 100, evening)
    assert lifecycle.step(sending, Event(Happening.ACCEPTED), 100, evening).due == 1_000
    assert lifecycle.step(sending, Event(Happening.ACCEPTED), 900, evening).due == 900 + 1_800


@given(walks)
def test_every_open_state_has_a_moment_at_which_the_sweeper_finds_it(steps):
    for _, event, now, after in walked(steps):
        if after.state not in FINAL:
            longest = max(POLICY.receipt_wait, POLICY.lease, *POLICY.retries) * 6 // 5
            held = event.until if event.happening in (Happening.POSTPONED, Happening.BARRED) else 0
            assert after.due <= max(now + longest, FRESH.deadline, held)
            assert after.state is not State.CREATED or after.due < after.deadline
