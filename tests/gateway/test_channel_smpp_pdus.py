"""SMPP's octets: against smpplib, which nobody here wrote, and against what networks make of them."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from smpplib import consts
from smpplib import smpp as oracle

from gateway.rules.smpp import pdus, receipts, texts
from gateway.rules.smpp.pdus import Address, Bind, Command, Frames, Malformed, Pdu, ShortMessage, Tag
from gateway.rules.sms import pdu as gsm

SEVENTH = SimpleNamespace(sequence=7, next_sequence=lambda: 7)
"""What smpplib asks for the number of a PDU."""

BRAND, AN = Address(5, 0, "CAPHUONG"), Address(1, 1, "84905123456")
TEXTS = st.text(st.sampled_from("aàảẠđĐ €{}[]~^|\\@Δß😀𠮷1\n"), max_size=500)


def read_by_oracle(octets: bytes):
    return oracle.parse_pdu(octets, client=SEVENTH, allow_unknown_opt_params=False)


def made_by_oracle(command: str, **fields) -> Pdu:
    made = oracle.make_pdu(command, client=SEVENTH, **fields)
    made.sequence = 7
    (found,) = Frames().feed(made.generate())
    return found


def fields_of(found) -> dict:
    return {
        name: getattr(found, name) for name in found.params_order if getattr(found, name, None) is not None
    }


def submit(text="Ma A042", **words):
    return [
        ShortMessage(
            BRAND, AN, one.text, one.data_coding, one.esm_class, 1, "000001000000000R", parameters=one.parameters
        )
        for one in texts.pieces(text, joint=words.pop("joint", 0x12_2A), **words)
    ]  # fmt: skip


def test_smpplib_reads_our_submit_field_by_field():
    (message,) = submit()
    found = read_by_oracle(Pdu(Command.SUBMIT_SM, 9, 0, message.octets).octets)
    expected = {
        "service_type": b"", "source_addr_ton": 5, "source_addr_npi": 0, "source_addr": b"CAPHUONG",
        "dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": b"84905123456", "esm_class": 0,
        "protocol_id": 0, "priority_flag": 0, "schedule_delivery_time": b"",
        "validity_period": b"000001000000000R", "registered_delivery": 1, "replace_if_present_flag": 0,
        "data_coding": 0, "sm_default_msg_id": 0, "sm_length": 7, "short_message": b"Ma A042",
    }  # fmt: skip
    assert (found.command, found.sequence, found.status) == ("submit_sm", 9, 0)
    assert {name: value for name, value in fields_of(found).items() if name in expected} == expected


def test_smpplib_reads_our_parts_header_and_all():
    first, second = submit("ế" * 71)
    found = read_by_oracle(Pdu(Command.SUBMIT_SM, 9, 0, first.octets).octets)
    assert (found.esm_class, found.data_coding, found.sm_length) == (0x40, 8, 140)
    assert found.short_message == bytes.fromhex("0500032A0201") + "ế".encode("utf-16-be") * 67
    found = read_by_oracle(Pdu(Command.SUBMIT_SM, 10, 0, second.octets).octets)
    assert found.short_message == bytes.fromhex("0500032A0202") + "ế".encode("utf-16-be") * 4


def test_smpplib_reads_our_parameters():
    first, second = submit("a" * 161, concat="sar", reference_bits=16)
    found = read_by_oracle(Pdu(Command.SUBMIT_SM, 9, 0, second.octets).octets)
    assert (found.sar_msg_ref_num, found.sar_total_segments, found.sar_segment_seqnum) == (0x122A, 2, 2)
    (whole,) = submit("ế" * 300, concat="payload")
    found = read_by_oracle(Pdu(Command.SUBMIT_SM, 9, 0, whole.octets).octets)
    assert (found.sm_length, found.message_payload) == (0, "ế".encode("utf-16-be") * 300)


@pytest.mark.parametrize("command", ["enquire_link", "unbind", "enquire_link_resp", "unbind_resp"])
def test_smpplib_makes_the_same_octets_of_what_has_no_body(command):
    found = made_by_oracle(command)
    assert found == Pdu(getattr(Command, command.upper()), 7)


def test_we_read_smpplib_s_bind_and_it_makes_the_same_octets():
    found = made_by_oracle("bind_transceiver", system_id="gw", password="secret", system_type="SMS")
    assert Bind.read(found.body) == Bind("gw", "secret", "SMS")
    assert found.body == Bind("gw", "secret", "SMS").octets


def test_we_read_smpplib_s_deliver_sm_and_it_makes_the_same_octets():
    found = made_by_oracle(
        "deliver_sm", source_addr_ton=1, source_addr_npi=1, source_addr="84905123456", dest_addr_ton=5,
        dest_addr_npi=0, destination_addr="CAPHUONG", esm_class=4, data_coding=0, short_message=b"id:1 stat:DELIVRD",
        receipted_message_id="A1B2", message_state=consts.SMPP_MESSAGE_STATE_DELIVERED,
    )  # fmt: skip
    message = ShortMessage.read(found.body)
    assert (message.source, message.to, message.octets_of_text) == (AN, BRAND, b"id:1 stat:DELIVRD")
    assert message.octets == found.body
    assert receipts.read(message) == receipts.Receipt(("a1b2", "41394"), True, "DELIVRD")


def test_we_read_smpplib_s_submit_sm_and_it_makes_the_same_octets():
    found = made_by_oracle(
        "submit_sm", source_addr_ton=5, source_addr_npi=0, source_addr="CAPHUONG", dest_addr_ton=1,
        dest_addr_npi=1, destination_addr="84905123456", esm_class=0, data_coding=0,
        validity_period="000001000000000R", registered_delivery=1, short_message=b"Ma A042",
    )  # fmt: skip
    assert found.body == submit()[0].octets


def test_smpplib_reads_our_answer_to_a_deliver_sm():
    answer = Pdu(Command.DELIVER_SM_RESP, 3, pdus.Status.LATER, b"\0")
    found = read_by_oracle(answer.octets)
    assert (found.command, found.sequence, found.status) == ("deliver_sm_resp", 3, 0x64)


@given(
    TEXTS,
    st.sampled_from(list(pdus.Coding)),
    st.sampled_from(["udh", "sar", "payload"]),
    st.sampled_from([8, 16]),
)
def test_a_text_is_itself_again_after_it_was_cut_and_joined(text, coding, concat, bits):
    sent = submit(text, coding=coding, concat=concat, reference_bits=bits)
    read = [texts.read(ShortMessage.read(one.octets), coding) for one in sent]
    assert gsm.joined(part for part, _ in read) == "".join(gsm.segments.split(text).parts)
    joins = [join for _, join in read]
    assert joins == ([None] if len(sent) == 1 else [
        gsm.Join(0x122A & (1 << bits) - 1, len(sent), number) for number in range(1, len(sent) + 1)
    ])  # fmt: skip


@given(TEXTS, st.sampled_from(list(pdus.Coding)), st.sampled_from([8, 16]))
def test_no_part_is_longer_than_a_phone_takes(text, coding, bits):
    for one in texts.pieces(text, joint=1, coding=coding, reference_bits=bits):
        wide = one.data_coding == texts.UCS2 or coding == pdus.Coding.GSM_PACKED
        header = one.text[0] + 1 if one.esm_class else 0
        room = 140 if wide else 160 - (8 * header + 6) // 7 + header
        assert len(one.text) <= room


def test_packed_septets_begin_on_a_septet_after_the_header():
    first, _ = texts.pieces("A" * 161, joint=0x2A, coding=pdus.Coding.GSM_PACKED)
    # The user data of the same part as a modem sends it (contract, 6.2): 160 septets in 140 octets.
    assert first.text == gsm.user_data("A" * 153, gsm.alphabet.Alphabet.GSM7, gsm.Join(0x2A, 2, 1))[1:]


@pytest.mark.parametrize("coding", ["latin1", "ascii"])
def test_what_the_centre_s_alphabet_has_not_goes_as_ucs2(coding):
    (one,) = texts.pieces("10 Δ", joint=1, coding=coding)
    assert (one.data_coding, one.text) == (8, "10 Δ".encode("utf-16-be"))
    (one,) = texts.pieces("[A042]", joint=1, coding=coding)
    assert (one.data_coding, one.text) == (0, b"[A042]")


@given(st.lists(st.binary(max_size=60), max_size=5), st.integers(1, 7))
def test_pdus_are_found_in_a_stream_that_comes_in_pieces_of_any_size(bodies, size):
    sent = [Pdu(Command.DELIVER_SM, number, 0, body) for number, body in enumerate(bodies, start=1)]
    stream, frames, found = b"".join(one.octets for one in sent), Frames(), []
    for start in range(0, len(stream), size):
        found += frames.feed(stream[start : start + size])
    assert found == sent


@pytest.mark.parametrize("length", [0, 15, 70_001, 0xFFFF_FFFF])
def test_a_length_that_cannot_be_ends_the_stream(length):
    with pytest.raises(Malformed):
        list(Frames().feed(length.to_bytes(4) + bytes(12)))


@given(st.binary(max_size=200))
def test_a_body_of_rubbish_is_malformed_or_read_and_nothing_else(body):
    try:
        message = ShortMessage.read(body)
    except Malformed:
        return
    texts.read(message)
    receipts.read(message)


@pytest.mark.parametrize(
    ("seconds", "period"),
    [
        (0, "000000000100000R"),
        (3_600, "000000010000000R"),
        (90_061, "000001010101000R"),
        (10**9, "000030000000000R"),
    ],
)
def test_a_validity_period_is_relative(seconds, period):
    assert pdus.validity(seconds) == period


RECEIPT = b"id:%s sub:001 dlvrd:001 submit date:2611241430 done date:2611241431 stat:%s err:%s text:Ma A042"


@pytest.mark.parametrize(
    ("stat", "error", "delivered", "code"),
    [
        (b"DELIVRD", b"000", True, "DELIVRD"),
        (b"EXPIRED", b"000", False, "EXPIRED"),
        (b"DELETED", b"000", False, "DELETED"),
        (b"UNDELIV", b"069", False, "UNDELIV 069"),
        (b"REJECTD", b"00B", False, "REJECTD 00B"),
        (b"ACCEPTD", b"000", None, "ACCEPTD"),
        (b"UNKNOWN", b"000", None, "UNKNOWN"),
        (b"ENROUTE", b"000", None, "ENROUTE"),
        (b"delivered", b"0", True, "DELIVRD"),
    ],
)
def test_a_receipt_in_words(stat, error, delivered, code):
    message = ShortMessage(AN, BRAND, RECEIPT % (b"12", stat, error), esm_class=4)
    assert receipts.read(message) == receipts.Receipt(("12", "c", "18"), delivered, code)


@pytest.mark.parametrize(("state", "delivered"), [
    (1, None), (2, True), (3, False), (4, False), (5, False), (6, None), (7, None), (8, False),
])  # fmt: skip
def test_a_receipt_in_parameters_is_believed_before_its_words(state, delivered):
    own = {Tag.RECEIPTED_MESSAGE_ID: b"7F\0", Tag.MESSAGE_STATE: bytes([state])}
    message = ShortMessage(AN, BRAND, RECEIPT % (b"99", b"ENROUTE", b"000"), parameters=own)
    found = receipts.read(message)
    assert (found.refs, found.delivered) == (("7f", "127"), delivered)


def test_an_intermediate_notification_settles_nothing():
    message = ShortMessage(AN, BRAND, RECEIPT % (b"12", b"UNDELIV", b"069"), esm_class=0x20)
    assert receipts.read(message).delivered is None


def test_who_writes_a_receipt_on_a_phone_has_written_a_text():
    assert receipts.read(ShortMessage(AN, BRAND, RECEIPT % (b"12", b"DELIVRD", b"000"))) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("1a2b", "1A2B"), ("1A2B", "6699"), ("6699", "1a2b"), ("00001A2B", "1a2b"), ("1a2b", "000000006699"),
        ("0000006699", "6699"), ("abc-1", "ABC-1"), ("0", "000"), ("A0000001", "2684354561"),
    ],
)  # fmt: skip
def test_an_id_is_known_again_in_another_base_case_or_width(given, told):
    assert receipts.ref(given) in receipts.refs(told)


def test_an_id_that_is_spelled_the_same_comes_first():
    assert receipts.refs("16")[0] == receipts.ref("16")
