"""The stand-in SMSC is strict, and a client that is not ours gets on with it."""

import logging
from dataclasses import replace

import pytest
from smpplib import client as oracle
from smpplib import consts, exceptions

from gateway.rules.smpp.pdus import Address, ShortMessage, Tag
from gateway.sandbox import faults
from gateway.sandbox.smsc import Answer, judge
from tests.gateway.smscs import AN, SOON, Stage

GOOD = ShortMessage(
    Address(5, 0, "CAPHUONG"),
    Address(1, 1, "84905123456"),
    b"Ma A042",
    registered=1,
    validity="000001000000000R",
)
SAR = {Tag.SAR_REFERENCE: b"\0\7", Tag.SAR_TOTAL: b"\2", Tag.SAR_NUMBER: b"\1"}


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    stage.close()


class Client:
    """smpplib, bound as a transceiver; what it hears is in `sent` and `heard`."""

    def __init__(self, stage, **login) -> None:
        logging.getLogger("smpplib").setLevel(logging.CRITICAL)
        self.sent, self.heard = [], []
        self._client = oracle.Client(
            "127.0.0.1", stage.centre.port, timeout=SOON, allow_unknown_opt_params=True
        )
        self._client.set_message_sent_handler(lambda pdu: self.sent.append(pdu.message_id or pdu.status))
        self._client.set_message_received_handler(lambda pdu: self.heard.append(pdu))
        self._client.set_error_pdu_handler(lambda pdu: None)  # the one above hears of it too
        self._client.connect()
        self._client.bind_transceiver(**{"system_id": "sandbox", "password": "smppsand", **login})

    def submit(self, **changes) -> None:
        self._client.send_message(**{
            "source_addr_ton": 5, "source_addr_npi": 0, "source_addr": "CAPHUONG", "dest_addr_ton": 1,
            "dest_addr_npi": 1, "destination_addr": "84905123456", "short_message": b"Ma A042",
            "registered_delivery": 1, **changes,
        })  # fmt: skip

    def read(self, ready) -> None:
        while not ready(self):
            self._client.read_once(auto_send_enquire_link=False)

    def close(self) -> None:
        self._client.unbind()
        self._client.disconnect()


@pytest.fixture
def client(stage):
    client = Client(stage)
    yield client
    client.close()


def test_a_text_of_a_client_that_is_not_ours_arrives_and_its_receipt_is_one(stage, client):
    client.submit()
    client.read(lambda client: client.sent and client.heard)
    assert stage.received() == ["Ma A042"]
    (receipt,) = client.heard
    assert (receipt.esm_class, receipt.receipted_message_id) == (4, client.sent[0])
    assert receipt.message_state == consts.SMPP_MESSAGE_STATE_DELIVERED
    assert receipt.short_message.startswith(b"id:" + client.sent[0] + b" sub:001 dlvrd:001 submit date:")
    assert (receipt.source_addr, receipt.destination_addr) == (b"84905123456", b"CAPHUONG")


def test_its_long_text_is_one_text(stage, client):
    client.submit(esm_class=0x40, short_message=b"\5\0\3\7\2\1" + b"a" * 153)
    client.submit(esm_class=0x40, short_message=b"\5\0\3\7\2\2" + b"b")
    client.read(lambda client: len(client.sent) == 2)
    assert stage.received() == ["a" * 153 + "b"]


def test_it_hears_what_a_person_writes(stage, client):
    stage.centre.incoming(AN, "số của tôi")
    client.read(lambda client: client.heard)
    (text,) = client.heard
    assert (text.source_addr, text.data_coding) == (b"84905123456", 8)
    assert text.short_message.decode("utf-16-be") == "số của tôi"


def test_a_wrong_password_does_not_get_in(stage):
    with pytest.raises(exceptions.PDUError):
        Client(stage, password="wrong")


def test_a_scripted_status_is_said(stage, client):
    stage.centre.behave(lambda number, message: Answer(status=0x58))
    client.submit()
    client.read(lambda client: client.sent)
    assert client.sent == [0x58]


def test_a_number_that_the_network_does_not_know_is_refused(stage, client):
    stage.phones.faults.switch(faults.SMS_REFUSED, AN, True)
    client.submit()
    client.read(lambda client: client.sent)
    assert (client.sent, stage.phones.messages(AN)) == ([0x0B], [])


def test_a_text_waits_until_somebody_is_there_to_take_it(stage):
    stage.centre.incoming(AN, "SO")
    client = Client(stage)
    client.read(lambda client: client.heard)
    client.close()


def test_a_good_submit_is_good():
    assert judge.judge(GOOD, "CAPHUONG", "gsm") is None


BAD = {
    "a sender that is not on the papers": {"source": Address(5, 0, "ELSE")},
    "a sender's name as a telephone number": {"source": Address(5, 1, "CAPHUONG")},
    "a national number": {"to": Address(1, 1, "0905123456")},
    "a plus": {"to": Address(1, 1, "+84905123456")},
    "an unknown type of number": {"to": Address(0, 1, "84905123456")},
    "a landline": {"to": Address(1, 1, "842353852123")},
    "no receipt asked for": {"registered": 0},
    "a reserved class": {"esm_class": 0x03},
    "a schedule": {"schedule": "000001000000000R"},
    "an absolute validity": {"validity": "261124143000028+"},
    "half a validity": {"validity": "0000010R"},
    "an hour that is none": {"validity": "000000250000000R"},
    "a priority": {"priority": 1},
    "a replacement": {"replace": 1},
    "a service": {"service_type": "CMT"},
    "a coding of eight bits": {"data_coding": 4},
    "no text": {"octets_of_text": b""},
    "more than a phone takes": {"octets_of_text": b"a" * 161},
    "more UCS-2 than a phone takes": {"octets_of_text": b"\0a" * 71, "data_coding": 8},
    "half a character": {"octets_of_text": b"\0a\0", "data_coding": 8},
    "a header that is none": {"octets_of_text": b"Ma A042", "esm_class": 0x40},
    "part 3 of 2": {"octets_of_text": b"\5\0\3\7\2\3a", "esm_class": 0x40},
    "a header and too much text": {"octets_of_text": b"\5\0\3\7\2\1" + b"a" * 154, "esm_class": 0x40},
    "some of SAR": {"parameters": {Tag.SAR_TOTAL: b"\2"}},
    "SAR of a wrong width": {"parameters": {**SAR, Tag.SAR_TOTAL: b"\0\2"}},
    "SAR and a header": {"parameters": SAR, "octets_of_text": b"\5\0\3\7\2\1a", "esm_class": 0x40},
    "a payload and a text": {"parameters": {Tag.MESSAGE_PAYLOAD: b"a"}},
    "an empty payload": {"parameters": {Tag.MESSAGE_PAYLOAD: b""}, "octets_of_text": b""},
    "a parameter nobody asked for": {"parameters": {0x1400: b"x"}},
}


@pytest.mark.parametrize("what", BAD)
def test_what_a_careless_client_sends_is_refused(what):
    verdict = judge.judge(replace(GOOD, **BAD[what]), "CAPHUONG", "gsm")
    assert verdict is not None and verdict[0] != 0


def test_what_is_refused_is_in_the_list_of_complaints_and_on_no_phone(stage, client):
    client.submit(registered_delivery=0)
    client.read(lambda client: client.sent)
    assert (client.sent, stage.centre.complaints, stage.phones.messages(AN)) == (
        [0x07], ["registered_delivery 0"], [],
    )  # fmt: skip


def test_a_submit_before_the_bind_is_refused(stage):
    strange = oracle.Client("127.0.0.1", stage.centre.port, timeout=SOON, allow_unknown_opt_params=True)
    strange.connect()
    strange.state = consts.SMPP_CLIENT_STATE_BOUND_TRX
    answers = []
    strange.set_error_pdu_handler(lambda pdu: answers.append(pdu.status))
    strange.send_message(
        source_addr_ton=5, source_addr="CAPHUONG", dest_addr_ton=1, dest_addr_npi=1,
        destination_addr="84905123456", short_message=b"a", registered_delivery=1,
    )  # fmt: skip
    strange.read_once()
    strange.disconnect()
    assert answers == [0x04]
