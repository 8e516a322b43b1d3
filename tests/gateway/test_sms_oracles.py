"""Our PDUs, read by two decoders that others wrote: what we send is what a phone shows, letter by letter.

Each of the two has faults of its own, which are set right here by name and nowhere else. SMS_TEXTS says how many
texts are made up (`make soak`: 10,000).
"""

from __future__ import annotations

import os
import unicodedata
from datetime import UTC, datetime
from io import StringIO

import pytest
from gsmmodem import pdu as gsmmodem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from smspdudecoder import fields as qotto

from gateway.rules.sms import alphabet, fields, pdu, segments
from gateway.sandbox import air

AN = "+84905123456"
NOON = 1795429800
TEXTS = int(os.environ.get("SMS_TEXTS", "1500"))
EXTENDED = "^{}\\[~]|€"
PAGE = "\f"  # gsmmodem 0.13.0 has no form feed
BASIC = "".join(letter for letter in map(chr, range(0x3AA)) if alphabet.fits_gsm7(letter) and letter != PAGE)
VIETNAMESE = (
    "aáàảãạăắằẳẵặâấầẩẫậđeéèẻẽẹêếềểễệiíìỉĩịoóòỏõọôốồổỗộơớờởỡợuúùủũụưứừửữựyýỳỷỹỵĐƯƠÂÊÔĂ 0123456789.,:/-"
)
EMOJI = "😀🇻🇳👍🏽❤️👨‍👩‍👧𠀀“”’–…₫\u00a0\u200b"
KINDS = (BASIC, BASIC + EXTENDED * 8, VIETNAMESE, VIETNAMESE + EMOJI, BASIC + EMOJI, EXTENDED, EMOJI)
BOUNDS = (0, 66, 67, 70, 132, 134, 140, 152, 153, 160, 198, 201, 304, 306, 456, 459)


@st.composite
def texts(draw):
    """A text about as long as one part holds, or two or three, of one letter with others strewn into it."""
    letters = st.sampled_from(draw(st.sampled_from(KINDS)))
    piece, common = draw(st.text(letters, max_size=30)), draw(letters)
    length = max(0, draw(st.sampled_from(BOUNDS)) + draw(st.integers(-4, 4)) - len(piece))
    at = draw(st.integers(0, length))
    return common * at + piece + common * (length - at)


# What the two get wrong


def at_sign_of_spare_bits(septets: bytes, length: int) -> bool:
    """smspdudecoder 2.2.0 cuts letters where it should cut septets: after a text with two-septet characters, seven
    spare bits at the end are shown as an @."""
    return length % 8 == 7 and alphabet.ESCAPE in septets


def escape_in_header(head: bytes) -> bool:
    """smspdudecoder 2.2.0 reads the header as letters before it drops them; one that has an escape in it shifts
    what it drops."""
    whole = fields.unpack(head, len(head) * 8 // 7)
    return alphabet.ESCAPE in whole


def lost_at_sign(septets: bytes, length: int) -> bool:
    """gsmmodem 0.13.0 takes a last @ for spare bits where it ends with an octet."""
    return length % 8 == 0 and septets.endswith(b"\0")


class Part:
    """One PDU of ours, taken apart far enough to know which of those faults it meets."""

    def __init__(self, made: str, bits: int):
        self.hex, self.bits = made, bits
        self.octets = bytes.fromhex(made)
        smsc = self.octets[0] + 1
        self.deliver = self.octets[smsc] & 3 == 0
        self.head = bool(self.octets[smsc] & 0x40) * (6 if bits == 8 else 7)
        at = smsc + 1 + (not self.deliver)
        at += 2 + (self.octets[at] + 1) // 2
        self.gsm = self.octets[at + 1] == 0
        at += 2 + (7 if self.deliver else bool(self.octets[smsc] & 0x18))
        self.length, self.data = self.octets[at], self.octets[at + 1 :]
        skipped = -(-self.head * 8 // 7)
        self.septets = b""
        if self.gsm:
            self.septets = fields.unpack(
                self.data[self.head :], self.length - skipped, skipped * 7 - self.head * 8
            )

    def by_gsmmodem(self) -> str:
        if self.gsm and self.head == 7:
            # It takes a header of seven octets, after which nothing need be filled up, for one of six
            packed = bytearray(self.data[self.head :])
            text = gsmmodem.decodeGsm7(gsmmodem.unpackSeptets(packed, len(self.septets)))
        else:
            text = gsmmodem.decodeSmsPdu(self.hex)["text"]
        length = len(self.septets) if self.head == 7 else self.length
        text = text.replace("`", "§") if self.gsm else text  # its table has the one for the other
        return text + "@" * (self.gsm and lost_at_sign(self.septets, length))

    def by_qotto(self) -> str | None:
        kind = qotto.SMSDeliver if self.deliver else qotto.SMSSubmit
        if self.gsm and self.head and escape_in_header(self.data[: self.head]):
            return None
        text = kind.decode(StringIO(self.hex))["user_data"]["data"]
        return text[:-1] if self.gsm and at_sign_of_spare_bits(self.septets, self.length) else text


def whole(shown: list[str]) -> str:
    return "".join(shown).encode("utf-16-be", "surrogatepass").decode("utf-16-be")


def agree(text: str, made: list[str], bits: int) -> None:
    parts = [Part(one, bits) for one in made]
    ours = segments.split(text, bits).parts
    assert whole([one.by_gsmmodem() for one in parts]) == unicodedata.normalize("NFC", text)
    theirs = [one.by_qotto() for one in parts]
    assert [mine for mine, shown in zip(ours, theirs, strict=True) if shown is None or shown == mine] == [
        *ours
    ]


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=TEXTS, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts(), st.integers(0, 0xFFFF), st.sampled_from([8, 16]))
def test_what_we_send_reads_the_same_in_two_other_decoders(text, reference, bits):
    made = pdu.submits(AN, text, reference=reference, reference_bits=bits, valid_seconds=3_600)
    agree(text, [one.hex for one in made], bits)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("filler", ["A", "€", "ế", "😀", "@", "A€", "ế😀"])
def test_every_length_around_a_parts_end_reads_the_same(filler, bits):
    for bound in (66, 67, 70, 76, 80, 132, 134, 152, 153, 160, 304, 306):
        for length in range(bound - 3, bound + 4):
            text = (filler * length)[:length]
            agree(text, [one.hex for one in pdu.submits(AN, text, reference=7, reference_bits=bits)], bits)


@settings(
    max_examples=max(100, TEXTS // 10), database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(texts(), st.integers(0, 255))
def test_what_a_network_brings_reads_the_same_here_and_there(text, reference):
    made = [made for made, _length in air.delivers(AN, text, NOON, reference)]
    agree(text, made, 8)
    read = [pdu.read_deliver(one) for one in made]
    assert pdu.joined(one.text for one in read) == unicodedata.normalize("NFC", text)
    for one in made:
        theirs = qotto.SMSDeliver.decode(StringIO(one))
        assert (theirs["sender"]["number"], theirs["scts"]) == (AN[1:], datetime.fromtimestamp(NOON, UTC))
        assert gsmmodem.decodeSmsPdu(one)["number"] == AN


@pytest.mark.parametrize("bits", [8, 16])
def test_both_read_the_same_reference_total_and_number(bits):
    made = pdu.submits(AN, "ế" * 200, reference=0xABCD, reference_bits=bits)
    expected = 0xABCD if bits == 16 else 0xCD
    for number, one in enumerate(made, start=1):
        [element] = qotto.SMSSubmit.decode(StringIO(one.hex))["user_data"]["header"]["elements"]
        [join] = gsmmodem.decodeSmsPdu(one.hex)["udh"]
        assert element["data"] == {"reference": expected, "parts_count": len(made), "part_number": number}
        assert (join.reference, join.parts, join.number) == (expected, len(made), number)
        assert pdu.read_submit(one.hex).join == pdu.Join(expected, len(made), number)


@pytest.mark.parametrize("seconds", [300, 3_600, 12 * 3_600, 86_400, 3 * 86_400, 5 * 7 * 86_400])
def test_both_read_the_same_validity(seconds):
    [made] = pdu.submits(AN, "A042", reference=0, valid_seconds=seconds)
    theirs = gsmmodem.decodeSmsPdu(made.hex)
    assert theirs["validity"].total_seconds() == seconds
    assert qotto.SMSSubmit.decode(StringIO(made.hex))["vp"] == fields.validity(seconds)
    assert theirs["tpdu_length"] == made.length


@pytest.mark.parametrize("status", [0x00, 0x01, 0x20, 0x46, 0x63])
def test_the_stand_ins_reports_are_reports_to_others_too(status):
    made, _length = air.report(42, AN, NOON, NOON + 60, status)
    theirs = gsmmodem.decodeSmsPdu(made)
    assert (theirs["reference"], theirs["number"], theirs["status"]) == (42, AN, status)
    assert (theirs["time"].timestamp(), theirs["discharge"].timestamp()) == (NOON, NOON + 60)
    assert pdu.read_report(made) == pdu.StatusReport(42, AN, NOON + 60, status)


def test_a_form_feed_reads_the_same_in_the_one_that_knows_it():
    [made] = pdu.submits(AN, "a\fb", reference=0)
    assert qotto.SMSSubmit.decode(StringIO(made.hex))["user_data"]["data"] == "a\fb"


def test_their_faults_are_still_there():
    """When an author has mended one, its exception above goes."""
    [spare] = pdu.submits(AN, "€aaaaa", reference=0)
    assert qotto.SMSSubmit.decode(StringIO(spare.hex))["user_data"]["data"] == "€aaaaa@"
    [last] = pdu.submits(AN, "aaaaaaa@", reference=0)
    assert gsmmodem.decodeSmsPdu(last.hex)["text"] == "aaaaaaa"
    [section] = pdu.submits(AN, "§a", reference=0)
    assert gsmmodem.decodeSmsPdu(section.hex)["text"] == "`a"
