import unicodedata
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.rules.sms import alphabet, fields, pdu, segments

AN = "+84905123456"
DAY = 86_400
TEXTS = st.text(st.sampled_from("Aa0@€[]{}ếđĐ😀 \n_Δ"), max_size=500)


def test_a_plain_submit_is_what_two_other_decoders_read():
    made = pdu.submits(AN, "Ma A042, 14:30 24/11", reference=0, valid_seconds=DAY)
    expected = "0031000B914809153254F60000A714CD302808A3C958A0184D37838164B4572C06"
    assert made == (pdu.Pdu(expected, 32),)


def test_an_accented_submit_is_ucs2():
    made = pdu.submits(AN, "Số A042, 14:30", reference=0, valid_seconds=DAY)
    expected = "0031000B914809153254F60008A71C00531ED100200041003000340032002C002000310034003A00330030"
    assert made == (pdu.Pdu(expected, 42),)


def test_a_long_accented_text_has_a_header_that_joins_its_parts():
    first, second = pdu.submits(AN, "ế" * 71, reference=0x2A, valid_seconds=DAY)
    assert first.length == 154
    assert first.hex.startswith("0071000B914809153254F60008A78C0500032A0201")
    assert second == pdu.Pdu("0071010B914809153254F60008A70E0500032A02021EBF1EBF1EBF1EBF", 28)


def test_a_long_plain_text_is_packed_after_one_fill_bit():
    first, second = pdu.submits(AN, "A" * 161, reference=0x2A, valid_seconds=DAY)
    assert first.hex.startswith("0071000B914809153254F60000A7A00500032A0201")
    assert second == pdu.Pdu("0071010B914809153254F60000A70F0500032A020282C16030180C0601", 28)


def test_a_text_that_came_in_is_read_with_its_sender_and_time():
    read = pdu.read_deliver("0791489400000032040B914809153254F60000621132710300820758272808A3C900")
    assert read == pdu.Delivered(AN, "XN A042", 1795429800, None)


def test_a_status_report_is_read():
    read = pdu.read_report("00062A0B914809153254F6621132710300826211327103008200")
    assert (read.reference, read.to, read.at, read.fate) == (42, AN, 1795429800, pdu.Fate.DELIVERED)


@pytest.mark.parametrize(
    ("status", "fate"),
    [(0x00, pdu.Fate.DELIVERED), (0x01, pdu.Fate.DELIVERED), (0x02, pdu.Fate.DELIVERED),
     (0x03, pdu.Fate.FAILED), (0x20, pdu.Fate.PENDING), (0x2F, pdu.Fate.PENDING),
     (0x30, pdu.Fate.FAILED), (0x46, pdu.Fate.FAILED),
     (0x60, pdu.Fate.FAILED), (0x7F, pdu.Fate.FAILED), (0xFF, pdu.Fate.FAILED)],
)  # fmt: skip
def test_the_fate_behind_every_group_of_states(status, fate):
    assert pdu.StatusReport(1, AN, None, status).fate is fate


@given(TEXTS, st.integers(0, 255), st.sampled_from([None, 300, 3600, DAY, 30 * DAY]), st.booleans())
def test_what_is_submitted_reads_back(text, reference, valid_seconds, report):
    made = pdu.submits(AN, text, reference=reference, valid_seconds=valid_seconds, report=report)
    read = [pdu.read_submit(one.hex) for one in made]
    assert pdu.joined(one.text for one in read) == unicodedata.normalize("NFC", text)
    assert {(one.to, one.valid_seconds, one.asks_report) for one in read} == {(AN, valid_seconds, report)}
    numbers = list(range(1, len(made) + 1)) if len(made) > 1 else []
    assert [one.join.number for one in read if one.join] == numbers
    assert all(len(one.hex) == 2 + 2 * one.length and one.length <= 164 for one in made)


@given(TEXTS, st.integers(0, 0xFFFF), st.sampled_from([8, 16]))
def test_the_reference_of_every_width_reads_back(text, reference, bits):
    read = [
        pdu.read_submit(one.hex) for one in pdu.submits(AN, text, reference=reference, reference_bits=bits)
    ]
    assert pdu.joined(one.text for one in read) == unicodedata.normalize("NFC", text)
    assert {one.join.reference for one in read if one.join} <= {reference & (1 << bits) - 1}
    assert len({one.join.total for one in read if one.join}) <= 1


def test_a_header_is_six_octets_or_seven():
    join = pdu.Join(0x1234, 3, 2)
    assert pdu.header(join).hex() == "050003340302"
    assert pdu.header(join, 16).hex() == "06080412340302"
    assert pdu.header(None) == b""


@given(st.text(st.sampled_from("Aa€ế"), min_size=1, max_size=300), st.integers(0, 255))
def test_no_packed_text_gains_or_loses_a_letter_at_its_end(text, reference):
    assume(alphabet.fits_gsm7(text))
    made = pdu.submits(AN, text, reference=reference)
    assert "".join(pdu.read_submit(one.hex).text for one in made) == text


@pytest.mark.parametrize("number", ["+84905123456", "191", "0905123456", "900", "+8490512345"])
def test_numbers_of_odd_and_even_length_come_back(number):
    assert pdu.read_submit(pdu.submits(number, "A", reference=0)[0].hex).to == number


def test_a_name_instead_of_a_number_is_read():
    name = fields.pack(alphabet.septets("VIETTEL"))
    field = bytes([(7 * 7 + 3) // 4, 0xD0]) + name
    assert fields.take_address(fields.Octets(field)) == "VIETTEL"


def test_a_name_whose_length_counts_whole_octets_gains_no_letter():
    field = bytes([14, 0xD0]) + fields.pack(alphabet.septets("VIETTEL"))
    assert fields.take_address(fields.Octets(field)) == "VIETTEL"


@given(st.integers(946_771_200, 4_102_358_400), st.integers(-48, 56))
def test_times_come_back_in_every_zone(at, quarters):
    assert fields.take_time(fields.Octets(fields.time(at, quarters))) == at


def test_an_impossible_time_is_none_and_no_error():
    assert fields.take_time(fields.Octets(bytes(7))) is None


@pytest.mark.parametrize(
    ("seconds", "value"),
    [(0, 0), (300, 0), (599, 0), (600, 1), (12 * 3600, 0x8F), (12 * 3600 + 1800, 0x90), (DAY, 0xA7),
     (DAY + 1, 0xA7), (2 * DAY, 0xA8), (30 * DAY, 196), (35 * DAY, 197), (10_000 * DAY, 255)],
)  # fmt: skip
def test_the_validity_period_of_some_durations(seconds, value):
    assert fields.validity(seconds) == value


@given(st.integers(300, 400 * DAY))
def test_a_message_never_outlives_what_it_is_about(seconds):
    assert fields.validity_seconds(fields.validity(seconds)) <= seconds


@given(st.integers(0, 255))
def test_every_validity_period_comes_back(value):
    assert fields.validity(fields.validity_seconds(value)) == value


@pytest.mark.parametrize(
    ("coding", "letters"),
    [(0x00, alphabet.Alphabet.GSM7), (0x04, None), (0x08, alphabet.Alphabet.UCS2),
     (0x10, alphabet.Alphabet.GSM7),
     (0x18, alphabet.Alphabet.UCS2), (0xC0, alphabet.Alphabet.GSM7), (0xD0, alphabet.Alphabet.GSM7),
     (0xE0, alphabet.Alphabet.UCS2), (0xF0, alphabet.Alphabet.GSM7), (0xF4, None)],
)  # fmt: skip
def test_the_alphabet_of_every_coding_group(coding, letters):
    assert pdu.alphabet_of(coding) is letters


def test_surrogates_torn_by_another_sender_meet_again():
    assert pdu.joined(["a\ud83d", "\ude00b"]) == "a😀b"


def test_a_lone_surrogate_becomes_a_character_that_can_be_stored():
    assert pdu.joined(["a\ud83d"]).encode() == "a\ufffd".encode()


def test_a_part_that_cannot_be_is_shown_alone():
    made = pdu.submits(AN, "ế" * 71, reference=1)[1].hex
    assert pdu.read_submit(made.replace("050003010202", "050003010200")).join is None


def test_a_header_with_a_16_bit_reference_joins_too():
    body = "ế".encode("utf-16-be")
    data = bytes([6, 8, 4, 0x12, 0x34, 2, 1]) + body
    octets = bytes([0x44]) + fields.address(AN) + bytes([0, 8]) + fields.time(1795429800)
    octets += bytes([len(data)]) + data
    assert pdu.read_deliver("00" + octets.hex()).join == pdu.Join(0x1234, 2, 1)


@pytest.mark.parametrize("text", ["", "0", "zz", "00", "0031", "00 31 00 0B 91", "0F31000B914809153254F6"])
def test_what_is_no_pdu_is_malformed(text):
    with pytest.raises(fields.Malformed):
        pdu.read_submit(text)


def test_a_pdu_with_octets_after_its_end_is_malformed():
    with pytest.raises(fields.Malformed):
        pdu.read_submit(pdu.submits(AN, "A042", reference=0)[0].hex + "00")


@given(st.binary(max_size=200))
def test_no_octets_break_the_readers(octets):
    for read in (pdu.read_submit, pdu.read_deliver, pdu.read_report):
        with suppress(fields.Malformed):
            read(octets.hex())


@given(st.data())
def test_a_broken_pdu_is_malformed_or_reads_as_something_else_but_never_crashes(data):
    whole = bytes.fromhex(pdu.submits(AN, "Số A042 €", reference=7, valid_seconds=DAY)[0].hex)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    with suppress(fields.Malformed):
        pdu.read_submit(broken.hex())


def test_the_parts_of_a_text_weigh_140_octets_at_most():
    for text in ("A" * 1000, "ế" * 1000, "€" * 500):
        for one in pdu.submits(AN, text, reference=0, valid_seconds=DAY):
            assert one.length <= 14 + 140
    assert len(segments.split("A" * 1000).parts) == 7
