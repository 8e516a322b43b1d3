"""What the modem channel keeps in mind: texts that are not whole yet, and what nobody has kept yet."""

import queue
import threading

from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.modem import inbox, telling
from gateway.rules.sms import pdu

AN, BINH = "+84905123456", "+84912345678"
NOON = 1_795_429_800
SOON = 10


def part(number, total=2, reference=5, sender=AN, text="x", at=NOON):
    return pdu.Delivered(sender, text + str(number), at, pdu.Join(reference, total, number))


def place(index):
    return ("ME", str(index))


def texts(arrivals):
    return [arrival.incoming.text for arrival in arrivals]


@given(st.permutations([1, 2, 3, 4]), st.lists(st.integers(1, 4), max_size=4))
def test_in_any_order_and_repeated_the_parts_make_one_text_and_every_place_is_freed(order, again):
    box, came, freed = inbox.Inbox(), [], set()
    for index, number in enumerate([*order[:2], *again, *order[2:], *again]):
        for arrival in box.add(part(number, total=4), place(index), NOON):
            freed.update(arrival.places)
            came += [] if arrival.again else [arrival.incoming.text]
    assert came == ["x1x2x3x4"]
    assert freed == {place(index) for index in range(4 + 2 * len(again))}


def test_a_text_of_one_part_is_whole_at_once():
    (arrival,) = inbox.Inbox().add(pdu.Delivered(AN, "XN", NOON, None), place(3), NOON)
    assert (arrival.incoming.text, arrival.places) == ("XN", (place(3),))


def test_sixteen_bits_join_parts_as_well():
    box = inbox.Inbox()
    box.add(part(1, reference=40_000), None, NOON)
    assert texts(box.add(part(2, reference=40_000), None, NOON)) == ["x1x2"]


def test_parts_of_two_people_are_never_mixed():
    box = inbox.Inbox()
    box.add(part(1, sender=AN), None, NOON)
    assert box.add(part(2, sender=BINH), None, NOON) == []


def test_a_new_text_under_an_old_reference_pushes_the_old_one_out_as_it_is():
    box = inbox.Inbox()
    box.add(part(1, text="old"), place(1), NOON)
    assert texts(box.add(part(1, text="new"), place(2), NOON)) == ["old1[…]"]
    assert texts(box.add(part(2, text="new"), place(3), NOON)) == ["new1new2"]


def test_missing_parts_are_waited_for_one_day_by_the_networks_clock():
    box = inbox.Inbox()
    box.add(part(2, total=4), place(1), NOON + 3600)
    assert box.overdue(NOON + inbox.KEPT - 1) == []
    assert texts(box.overdue(NOON + inbox.KEPT)) == ["[…]x2[…]"]
    assert box.overdue(NOON + 2 * inbox.KEPT) == []


def test_the_parts_of_an_old_text_get_ten_minutes_to_arrive():
    box = inbox.Inbox()
    box.add(part(1, at=NOON - 5 * 86_400), None, NOON)
    assert box.overdue(NOON + inbox.AT_LEAST - 1) == []
    assert texts(box.add(part(2, at=NOON - 5 * 86_400), None, NOON + 30)) == ["x1x2"]


def test_nobody_can_fill_the_memory_with_first_parts_and_nothing_is_lost():
    box, came = inbox.Inbox(), []
    for reference in range(3 * inbox.MOST_TEXTS):
        came += box.add(part(1, reference=reference), place(reference), NOON)
    assert len(box.places) == inbox.MOST_TEXTS
    assert texts(came) == ["x1[…]"] * (2 * inbox.MOST_TEXTS)


def test_the_oldest_is_given_up_first_when_room_is_needed():
    box = inbox.Inbox()
    box.add(part(1, reference=1, text="a"), place(1), NOON)
    box.add(part(1, reference=2, text="b"), place(2), NOON)
    assert (box.oldest().places, box.oldest().incoming.text, box.oldest()) == ((place(1),), "b1[…]", None)


def test_surrogates_that_a_sender_tore_meet_again():
    box = inbox.Inbox()
    box.add(pdu.Delivered(AN, "\ud83d", NOON, pdu.Join(1, 2, 1)), None, NOON)
    (arrival,) = box.add(pdu.Delivered(AN, "\ude00", NOON, pdu.Join(1, 2, 2)), None, NOON)
    assert arrival.incoming.text == "😀"


def test_a_text_without_a_time_has_ours():
    (arrival,) = inbox.Inbox().add(pdu.Delivered(AN, "XN", None, None), None, NOON)
    assert arrival.incoming.at == NOON


# Telling


def test_what_is_not_kept_is_told_again_until_it_is_and_others_go_ahead():
    told, kept = queue.Queue(), queue.Queue()
    tries = []

    def listener(things):
        tries.extend(things)
        if "hard" in things and tries.count("hard") < 4:
            raise RuntimeError
        told.put(*things)

    teller = telling.Teller("modem", listener, kept.put, again=0.01)
    teller.tell("hard", 1)
    teller.tell("easy", 2)
    assert [told.get(timeout=SOON), told.get(timeout=SOON)] == ["easy", "hard"]
    assert [kept.get(timeout=SOON), kept.get(timeout=SOON)] == [2, 1]
    teller.close()


def test_what_comes_together_is_told_together():
    told = queue.Queue()
    teller = telling.Teller("modem", told.put, lambda _: None, at_once=3, gather=60)
    for number in range(7):
        teller.tell(number)
    teller.close()
    assert [told.get_nowait() for _ in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_one_thing_that_can_never_be_kept_costs_the_others_little():
    kept = queue.Queue()

    def listener(things):
        if 13 in things:
            raise RuntimeError

    teller = telling.Teller("modem", listener, kept.put, at_once=100, gather=0.05, again=0.01)
    for number in range(40):
        teller.tell(number, number)
    assert {kept.get(timeout=SOON) for _ in range(39)} == set(range(40)) - {13}
    teller.close()


def test_at_the_end_everything_is_told_once_more():
    go_on, told = threading.Event(), []

    def listener(things):
        go_on.wait(SOON)
        told.extend(things)

    teller = telling.Teller("modem", listener, lambda _: None)
    for number in range(5):
        teller.tell(number)
    go_on.set()
    teller.close()
    assert told == [0, 1, 2, 3, 4]


def test_a_listener_that_keeps_nothing_holds_up_no_end():
    def listener(things):
        raise RuntimeError

    teller = telling.Teller("modem", listener, lambda _: None, threads=3, again=3600)
    for number in range(500):
        teller.tell(number)
    teller.close()


def test_nobody_can_fill_the_memory_with_what_is_not_kept():
    go_on = threading.Event()
    teller = telling.Teller("modem", lambda things: go_on.wait(SOON), lambda _: None)
    for number in range(telling.MOST + 100):
        teller.tell(number)
    assert teller.waiting <= telling.MOST
    go_on.set()
    teller.close()
