"""The SMPP lane against the stand-in SMSC: what is sent, how it ends, what is told."""

import threading
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import Fault
from gateway.rules.smpp.pdus import Address, ShortMessage
from gateway.sandbox.smsc import Answer, Manner
from tests.gateway.smscs import (
    AN,
    BINH,
    LONG,
    MESSAGE,
    NOON,
    QUICK,
    SOON,
    Stage,
    crowd,
    fault_of,
    many,
    outcome,
    until,
)  # fmt: skip


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.close()
    assert stage.centre.complaints == []


def refs(stage):
    return [one.id for one in stage.centre.taken]


def test_a_text_is_on_the_phone_and_named_as_the_centre_names_it(stage):
    accepted = stage.lane().send(MESSAGE)
    assert stage.received() == [MESSAGE.text]
    (id,) = refs(stage)
    assert accepted == channels.Accepted(id, parts=1, handed=(channels.Part(1, 1, 0, id),))


def test_the_parts_of_a_long_text_are_one_text_with_every_accent(stage):
    accepted = stage.lane().send(LONG)
    assert stage.received() == [LONG.text]
    assert accepted.parts == 3
    assert accepted.handed == tuple(
        channels.Part(n, 3, 4_711, id) for n, id in enumerate(refs(stage), start=1)
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("concat", ["udh", "sar"])
@pytest.mark.parametrize("coding", ["gsm", "gsm_packed", "latin1", "ascii"])
def test_every_way_of_joining_and_every_alphabet_arrives_whole(stage, coding, concat, bits):
    stage.again(coding=coding)
    lane = stage.lane(data_coding=coding, concat=concat, reference_bits=bits)
    text = "Ma A042 [14:30] 10 € ~ {x} " * 12
    lane.send(replace(MESSAGE, text=text))
    lane.send(replace(LONG, to=BINH))
    assert (stage.received(), stage.received(BINH)) == ([text], [LONG.text])


def test_a_text_that_the_centre_cuts_has_one_name_and_costs_its_parts(stage):
    accepted = stage.lane(concat="payload").send(LONG)
    assert stage.received() == [LONG.text]
    assert (accepted.parts, accepted.handed) == (3, (channels.Part(1, 1, 4_711, refs(stage)[0]),))


def test_without_accents_it_is_one_part(stage):
    assert stage.lane(unicode=False).send(replace(MESSAGE, text="Số thứ tự 042")).parts == 1
    assert stage.received() == ["So thu tu 042"]


def test_a_message_dies_when_it_is_of_no_use_any_more(stage):
    lane = stage.lane()
    lane.send(replace(MESSAGE, valid_seconds=90_061))
    lane.send(replace(MESSAGE, valid_seconds=None))
    assert [one.validity for one in stage.centre.taken] == ["000001010101000R", ""]


def test_a_centre_that_knows_no_validity_gets_the_text_without_and_is_not_asked_again(stage):
    stage.centre.behave(lambda n, message: Answer(0x62) if message.validity else None)
    lane = stage.lane()
    lane.send(MESSAGE)
    lane.send(LONG)
    assert stage.received(count=2) == [MESSAGE.text, LONG.text]
    assert {one.validity for one in stage.centre.taken} == {""}


def test_only_the_missing_parts_are_sent_and_they_join_what_arrived(stage):
    stage.centre.behave(lambda n, message: Answer(0x08) if n == 2 else None)
    lane = stage.lane(window=1)
    first = fault_of(lane, LONG)
    assert (first.sent, [part.number for part in first.handed]) == (False, [1])
    second = lane.send(replace(LONG, reference="ntc_2", begun=first.handed))
    assert (second.parts, [part.number for part in second.handed]) == (2, [2, 3])
    assert stage.received() == [LONG.text]
    assert [(one.number, one.joint) for one in stage.centre.taken] == [(n, 4_711 & 0xFF) for n in (1, 2, 3)]


def test_parts_that_are_all_begun_are_not_sent_again(stage):
    lane = stage.lane()
    begun = lane.send(LONG).handed
    assert lane.send(replace(LONG, begun=begun)) == channels.Accepted(None, parts=0)
    assert len(stage.centre.taken) == 3


def test_parts_of_another_text_are_not_taken_for_this_one_s(stage):
    begun = tuple(channels.Part(n, 3, 9, f"x{n}") for n in (1, 2, 3))
    assert stage.lane().send(replace(LONG, begun=begun)).parts == 3


CLASSES = {
    Fault.PERSON: [0x0B, 0x50, 0x51, 0x65, 0x66],
    Fault.CONFIG: [0x0A, 0x48, 0x49, 0x15, 0x43, 0x0E, 0x0F, 0x05, 0x0D, 0x04],
    Fault.BUG: [0x01, 0x02, 0x03],
    None: [0x58, 0x14, 0x08, 0x64, 0x45],
}


@pytest.mark.parametrize(("fault", "status"), [(fault, one) for fault, all in CLASSES.items() for one in all])
def test_every_status_says_whose_fault_it_is(stage, fault, status):
    stage.centre.behave(lambda n, message: Answer(status))
    ended = fault_of(stage.lane())
    if fault is None:
        assert isinstance(ended, channels.Unreachable)
        assert (ended.sent, ended.handed) == (False, ())
    else:
        assert isinstance(ended, channels.Refused)
        assert (ended.fault, ended.handed) == (fault, ())
    assert ended.code == f"SMPP 0x{status:02X}"


@pytest.mark.parametrize(
    ("status", "scope"),
    [(0x0B, "phone"), (0x66, "phone"), (0x0A, "channel"), (0x0E, "channel"), (0x01, "message")],
)
def test_a_refusal_says_what_it_holds_for(stage, status, scope):
    stage.centre.behave(lambda n, message: Answer(status))
    assert fault_of(stage.lane()).scope == scope


def test_a_status_nobody_knows_is_worth_two_more_tries(stage):
    stage.centre.behave(lambda n, message: Answer(0x0400))
    lane = stage.lane()
    ended = [outcome(lane, MESSAGE) for _ in range(3)]
    assert [type(one) for one in ended] == [channels.Unreachable, channels.Unreachable, channels.Refused]


def test_a_nack_is_a_refusal_of_the_pdu_it_names(stage):
    stage.centre.behave(lambda n, message: Answer(0x03, nack=True))
    assert fault_of(stage.lane()).fault is Fault.BUG


@pytest.mark.parametrize("status", [0x58, 0x14])
def test_a_throttled_lane_sends_less_at_once_and_says_when_to_come_again(stage, status):
    stage.centre.behave(lambda n, message: Answer(status) if n <= 3 else None)
    lane = stage.lane(window=8)
    ended = fault_of(lane)
    assert (ended.sent, ended.retry_after) == (False, 1)
    assert lane.window == 4
    assert [type(outcome(lane, MESSAGE)).__name__ for _ in range(3)] == [
        "Unreachable",
        "Unreachable",
        "Accepted",
    ]
    assert lane.window == 2
    many(lane, crowd(60))
    assert lane.window == 8


def test_no_more_submits_are_unanswered_than_the_window_allows(stage):
    stage.centre.behave(lambda n, message: Answer(answers=False, receipt="lost"))
    lane = stage.lane(window=3, timeout=0.2)
    ended = many(lane, crowd(12))
    assert max(line.submits for line in stage.centre.visits) == 3
    assert sum(one.sent for one in ended) == len(stage.centre.taken)


def test_a_number_that_gets_no_texts_is_refused_without_asking(stage):
    lane = stage.lane()
    for to in ("+842353852123", "113", ""):
        ended = fault_of(lane, replace(MESSAGE, to=to))
        assert (ended.fault, ended.scope) == (Fault.PERSON, "phone")
    assert stage.centre.taken == []


def test_a_text_beyond_all_parts_is_our_bug(stage):
    assert fault_of(stage.lane(), replace(MESSAGE, text="a" * 50_000)).fault is Fault.BUG


# Receipts


@pytest.mark.parametrize("parameters", [True, False])
@pytest.mark.parametrize("ids", ["same", "decimal", "capitals", "padded"])
def test_a_receipt_names_the_part_however_it_spells_it(stage, ids, parameters):
    stage.centre.manner = Manner(ids=ids, parameters=parameters)
    (part,) = stage.lane().send(MESSAGE).handed
    report = stage.report()
    assert part.ref in report.refs
    assert (report.to, report.delivered, report.code, report.at) == (AN, True, "DELIVRD", NOON)


def test_every_part_has_a_receipt_of_its_own(stage):
    stage.centre.behave(lambda n, message: Answer(state="EXPIRED") if n == 2 else None)
    handed = stage.lane().send(LONG).handed
    reports = [stage.report() for _ in handed]
    fates = {
        part.number: report.delivered for part in handed for report in reports if part.ref in report.refs
    }
    assert fates == {1: True, 2: False, 3: True}


def test_a_receipt_before_the_answer_is_told(stage):
    stage.centre.behave(lambda n, message: Answer(receipt="before"))
    (part,) = stage.lane().send(MESSAGE).handed
    assert part.ref in stage.report().refs


def test_a_receipt_under_way_settles_nothing_and_the_last_one_does(stage):
    stage.centre.behave(lambda n, message: Answer(state="ENROUTE"))
    stage.lane().send(MESSAGE)
    assert sorted([stage.report().delivered, stage.report().delivered], key=str) == [None, True]


def test_a_receipt_that_was_not_kept_comes_again(stage):
    kept, refusals = [], iter([True, True, False])

    def on_part(report):
        if next(refusals):
            raise RuntimeError("the database is away")
        kept.append(report)
        stage.reports.put(report)

    (part,) = stage.lane(on_part=on_part).send(MESSAGE).handed
    assert part.ref in stage.report().refs
    assert len(kept) == 1


def test_a_listener_that_waits_does_not_hold_up_the_line(stage):
    gate = threading.Event()
    lane = stage.lane(on_part=lambda report: gate.wait(SOON))
    assert [type(one) for one in many(lane, crowd(30))] == [channels.Accepted] * 30
    gate.set()


# Texts that people write


@pytest.mark.parametrize("concat", ["udh", "sar", "payload"])
@pytest.mark.parametrize("text", ["SO", "Cho tôi hỏi số của tôi 😀" * 10])
def test_a_text_that_somebody_wrote_is_told_whole(stage, text, concat):
    until(stage.lane(), MESSAGE)
    stage.centre.incoming(AN, text, concat=concat)
    assert stage.texts.get(timeout=SOON) == channels.Incoming(AN, text, NOON)


def test_texts_of_two_people_with_the_same_reference_stay_apart(stage):
    until(stage.lane(), MESSAGE)
    stage.centre.incoming(AN, "a" * 300)
    stage.centre.incoming(BINH, "b" * 300)
    told = {one.sender: one.text for one in (stage.texts.get(timeout=SOON), stage.texts.get(timeout=SOON))}
    assert told == {AN: "a" * 300, BINH: "b" * 300}


def test_a_name_and_a_short_code_are_senders_too(stage):
    until(stage.lane(), MESSAGE)
    stage.centre.incoming("VIETTEL", "khuyen mai")
    assert stage.texts.get(timeout=SOON).sender == "VIETTEL"


def first_of_two(text="A" * 153):
    header = bytes([5, 0, 3, 9, 2, 1])
    source, to = Address(1, 1, "84905123456"), Address(5, 0, "CAPHUONG")
    return ShortMessage(source, to, header + text.encode(), esm_class=0x40).octets


def test_a_text_whose_rest_never_comes_is_told_with_a_mark_for_what_is_missing(stage):
    until(stage.lane(patience=replace(QUICK, rest_of_text=0.05)), MESSAGE)
    stage.centre.tell(first_of_two())
    assert stage.texts.get(timeout=SOON).text == "A" * 153 + "[…]"


def test_what_is_unfinished_at_the_end_is_not_lost(stage):
    lane = stage.lane()
    until(lane, MESSAGE)
    assert stage.centre.lines()[0].put(first_of_two()).status(SOON) == 0
    lane.close()
    assert stage.texts.get_nowait().text == "A" * 153 + "[…]"


def test_a_text_that_was_not_kept_comes_again(stage):
    refusals = iter([True, False])

    def on_incoming(text):
        if next(refusals):
            raise RuntimeError("the database is away")
        stage.texts.put(text)

    until(stage.lane(on_incoming=on_incoming), MESSAGE)
    stage.centre.incoming(AN, "TRO GIUP")
    assert stage.texts.get(timeout=SOON).text == "TRO GIUP"


def test_a_delivery_that_cannot_be_read_is_refused_for_good(stage):
    until(stage.lane(), MESSAGE)
    assert stage.centre.lines()[0].put(b"\xff").status(SOON) == 0x65
