"""What the modem channel remembers: parts under way, and texts that are not whole yet."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.modem import airborne, inbox
from gateway.rules.sms import pdu

AN, BINH = "+84905123456", "+84912345678"
NOON = 1_795_429_800


def sent(air, reference="r1", numbers=(7,), to=AN, now=NOON):
    sending = air.begin(reference, to, len(numbers), 1, now)
    for part, number in enumerate(numbers):
        sending.taken(part, number)
    return sending


def told(air, number, status=0, to=AN, now=NOON):
    return air.report(pdu.StatusReport(number, to, now, status), now)


@given(st.permutations([7, 8, 9]), st.lists(st.integers(0, 2), max_size=3))
def test_in_any_order_and_repeated_the_reports_make_one_delivery(order, again):
    air = airborne.Airborne()
    sent(air, numbers=(7, 8, 9))
    repeats = [order[at] for at in again]
    reports = [
        told(air, number)
        for number in [*order[:2], *[n for n in repeats if n != order[2]], order[2], *repeats]
    ]
    assert [one.delivered for one in reports if one] == [True]


def test_a_number_used_again_belongs_to_the_newer_message():
    air = airborne.Airborne()
    sent(air, "old", (7,))
    sent(air, "new", (7,))
    assert told(air, 7).reference == "new"


def test_the_same_number_to_another_phone_is_another_message():
    air = airborne.Airborne()
    sent(air, "an", (7,), AN)
    sent(air, "binh", (7,), BINH)
    assert (told(air, 7, to=AN).reference, told(air, 7, to=BINH).reference) == ("an", "binh")


def test_a_part_without_a_number_takes_a_report_that_fits_nothing_else():
    air = airborne.Airborne()
    sent(air, "known", (7,))
    air.begin("unknown", AN, 1, 1, NOON).unknown.add(0)
    assert (told(air, 7).reference, told(air, 99).reference) == ("known", "unknown")


def test_after_ten_minutes_a_report_is_no_longer_guessed():
    air = airborne.Airborne()
    air.begin("unknown", AN, 1, 1, NOON).unknown.add(0)
    assert told(air, 99, now=NOON + 601).reference is None


def test_a_message_is_forgotten_after_two_days():
    air = airborne.Airborne()
    sent(air, "old", (7,))
    sent(air, "new", (8,), now=NOON + airborne.REMEMBERED + 1)
    assert told(air, 7).reference is None


def part(number, total=2, reference=5, sender=AN, text="x"):
    return pdu.Delivered(sender, text + str(number), NOON, pdu.Join(reference, total, number))


def test_a_text_is_whole_in_whatever_order_its_parts_came():
    box = inbox.Inbox()
    assert box.add(part(2), "4", NOON) is None
    arrival = box.add(part(1), "9", NOON)
    assert (arrival.incoming.text, set(arrival.indexes)) == ("x1x2", {"4", "9"})


def test_parts_of_two_people_are_never_mixed():
    box = inbox.Inbox()
    box.add(part(1, sender=AN), None, NOON)
    assert box.add(part(2, sender=BINH), None, NOON) is None


def test_a_part_that_comes_twice_is_one_part():
    box = inbox.Inbox()
    box.add(part(1), None, NOON)
    assert box.add(part(1), None, NOON) is None
    assert box.add(part(2), None, NOON).incoming.text == "x1x2"


def test_missing_parts_are_waited_for_one_day():
    box = inbox.Inbox()
    box.add(part(1), None, NOON)
    assert box.add(part(2), None, NOON + inbox.KEPT + 1) is None


def test_nobody_can_fill_the_memory_with_first_parts():
    box = inbox.Inbox()
    for reference in range(3 * inbox.MOST_TEXTS):
        box.add(part(1, reference=reference), None, NOON)
    assert len(box._waiting) <= inbox.MOST_TEXTS + 1


def test_a_text_without_a_time_has_ours():
    arrival = inbox.Inbox().add(pdu.Delivered(AN, "XN", None, None), None, NOON)
    assert arrival.incoming.at == NOON
