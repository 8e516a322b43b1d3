"""What every channel promises, each held to it against its stand-in."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway import channels
from gateway.sandbox import faults

AN, BINH = "+84905123456", "+84912345678"
TEXT = "Số thứ tự của bà NGUYỄN THỊ HƯỜNG là 042, mời đến lúc 14:30 ngày 24/11 – Điểm làm căn cước số 1."
MESSAGE = channels.Message(AN, "appointment", TEXT, "312345", {"noi_dung": TEXT}, "ntc_01J8Z-1")


def decomposed(message):
    text = unicodedata.normalize("NFD", message.text)
    return replace(message, text=text, template_data={"noi_dung": text})


def test_a_channel_has_a_name_and_says_how_many_at_once(station):
    known = ("zalo", "zalo_uid", "zalo_cs", "esms", "speedsms", "khac", "modem", "smpp")
    assert station.channel.name in known
    assert station.channel.concurrency >= 1


def test_an_accepted_message_is_on_the_phone_with_every_accent(station):
    accepted = station.channel.send(MESSAGE)
    assert isinstance(accepted, channels.Accepted) and accepted.provider_ref
    assert station.received(AN) == [TEXT]
    assert station.received(BINH, 0) == []


def test_decomposed_vietnamese_arrives_composed(station):
    station.channel.send(decomposed(MESSAGE))
    assert station.received(AN) == [TEXT]


def test_the_parts_of_an_sms_are_counted(station):
    expected = 1 if station.channel.name.startswith("zalo") else 2
    assert station.channel.send(MESSAGE).parts == expected


def test_the_report_says_of_which_message_it_is_and_is_final(station):
    station.channel.send(MESSAGE)
    report = station.report()
    assert (report.reference, report.to) == station.told("ntc_01J8Z-1", AN)
    assert (report.delivered, report.final) == (True, True)


def test_the_report_names_what_the_provider_called_it(station):
    accepted = station.channel.send(MESSAGE)
    assert station.report().provider_ref == accepted.provider_ref


def test_pull_agrees_with_the_report_or_knows_nothing(station):
    accepted = station.channel.send(MESSAGE)
    station.report()
    pulled = station.channel.pull(accepted.provider_ref, MESSAGE.reference)
    assert pulled is None or (pulled.reference, pulled.delivered, pulled.final) == (
        MESSAGE.reference,
        True,
        True,
    )


def test_pull_of_a_message_nobody_knows_is_none(station):
    assert station.channel.pull("no-such-message", "ntc_2") is None
    assert station.channel.pull(None, "ntc_2") is None


def test_a_person_who_cannot_be_reached_is_refused_and_nobody_else_is(station):
    station.fault(station.refusal, AN)
    with pytest.raises(channels.Refused) as caught:
        station.channel.send(MESSAGE)
    assert (caught.value.fault, caught.value.scope) == (channels.Fault.PERSON, "phone")
    assert caught.value.code and caught.value.reason
    station.channel.send(replace(MESSAGE, to=BINH, reference="ntc_2"))
    assert (station.received(AN, 0), station.received(BINH)) == ([], [TEXT])


@pytest.mark.parametrize("to", ["+842353852123", "+16505550100", "113", ""])
def test_a_number_that_gets_no_messages_is_refused_without_asking(station, to):
    station.channel.close()
    with pytest.raises(channels.Refused) as caught:
        station.channel.send(replace(MESSAGE, to=to))
    assert (caught.value.fault, caught.value.scope) == (channels.Fault.PERSON, "phone")


def test_where_nobody_listens_nothing_was_sent(station):
    lonely = station.unreachable()
    with pytest.raises(channels.Unreachable) as caught:
        lonely.send(MESSAGE)
    lonely.close()
    assert caught.value.sent is False


def test_an_answer_that_never_comes_means_nobody_knows(station):
    station.fault(station.lost_answer)
    with pytest.raises(channels.Unreachable) as caught:
        station.channel.send(MESSAGE)
    assert caught.value.sent is True
    assert len(station.received(AN, 0)) <= 1


def test_the_channel_is_well_again_after_a_lost_answer(station):
    station.fault(station.lost_answer)
    with pytest.raises(channels.Unreachable):
        station.channel.send(MESSAGE)
    station.sandbox.network.faults.switch(station.lost_answer, None, False)
    station.channel.send(replace(MESSAGE, to=BINH, reference="ntc_2"))
    assert station.received(BINH) == [TEXT]


def test_many_threads_may_send_and_each_message_arrives_once(station):
    people = [f"+8490512{number:04d}" for number in range(40)]
    many = [replace(MESSAGE, to=person, reference=f"ntc_{person[-4:]}") for person in people]
    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(station.channel.send, many))) == 40
    assert [station.received(person) for person in people] == [[TEXT]] * 40


def test_a_receipt_that_comes_twice_says_the_same(station):
    station.fault(faults.RECEIPT_TWICE)
    station.channel.send(MESSAGE)
    first = station.report()
    second = station.channel.send(replace(MESSAGE, to=BINH, reference="ntc_2"))
    others = [station.report()]
    while others[-1].provider_ref != second.provider_ref:
        others.append(station.report())
    assert all(other == first for other in others[:-1])


@pytest.mark.parametrize("reference", ["", "x" * 49, "số", "a b", "a\n"])
def test_a_reference_the_providers_would_mangle_cannot_be_made(reference):
    with pytest.raises(ValueError):
        replace(MESSAGE, reference=reference)
