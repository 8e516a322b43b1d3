"""The SMPP lane's line: how it is made, lost, made anew and left."""

import queue
import socket
import ssl
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway import channels
from gateway.channels import Fault, codes, smpp
from gateway.channels.smpp import errands, link, session
from gateway.rules.smpp import texts
from gateway.rules.smpp.pdus import Command, Frames, Pdu
from gateway.sandbox.smsc import Manner
from tests.gateway.smscs import (
    AN,
    BINH,
    LONG,
    MESSAGE,
    NOON,
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


@pytest.mark.parametrize("status", [0x0D, 0x0E, 0x0F, 0x05])
def test_a_centre_that_does_not_let_us_in_is_our_settings_fault(stage, status):
    stage.centre.manner = Manner(bind=status)
    ended = until(stage.lane(), MESSAGE, lambda one: isinstance(one, channels.Refused))
    assert (ended.fault, ended.scope, ended.code) == (Fault.CONFIG, "channel", f"SMPP 0x{status:02X}")


def test_a_wrong_password_is_said_and_a_right_one_works(stage):
    assert fault_of(stage.lane(password="wrong")).code == "SMPP 0x0E"
    assert stage.lane().send(MESSAGE).parts == 1


def test_already_bound_after_a_drop_is_only_a_matter_of_time(stage):
    lane = stage.lane()
    until(lane, MESSAGE)
    stage.centre.manner = Manner(bind=0x05)
    stage.centre.cut()
    ended = until(lane, MESSAGE, lambda one: not isinstance(one, channels.Accepted))
    assert isinstance(ended, channels.Unreachable)
    stage.centre.manner = Manner()
    until(lane, MESSAGE)


def test_where_nobody_listens_nothing_was_sent(stage):
    lonely = stage.lane("smpp://127.0.0.1:9")
    ended = fault_of(lonely)
    assert (ended.sent, ended.handed, lonely.ready()) == (False, (), False)


def test_an_outbind_before_the_bind_is_ignored(stage):
    stage.centre.manner = Manner(early=True)
    stage.lane().send(MESSAGE)
    assert stage.received() == [MESSAGE.text]


def test_a_line_that_is_idle_is_asked_for_and_one_that_does_not_answer_is_made_anew(stage):
    lane = stage.lane(enquire_seconds=0.05, timeout=0.2)
    until(lane, MESSAGE)
    (first,) = stage.centre.lines()
    stage.centre.manner = Manner(enquire=False)
    assert first.over.wait(SOON)
    stage.centre.manner = Manner()
    until(lane, MESSAGE)


def test_a_centre_that_asks_gets_an_answer(stage):
    until(stage.lane(), MESSAGE)
    (line,) = stage.centre.lines()
    line.ask(Command.ENQUIRE_LINK)
    assert line.heard.get(timeout=SOON).command == Command.ENQUIRE_LINK_RESP
    line.ask(Command.QUERY_SM)
    assert line.heard.get(timeout=SOON).command == Command.GENERIC_NACK


def test_a_centre_that_says_goodbye_is_answered_and_called_again(stage):
    lane = stage.lane()
    until(lane, MESSAGE)
    (line,) = stage.centre.lines()
    line.ask(Command.UNBIND)
    assert line.heard.get(timeout=SOON).command == Command.UNBIND_RESP
    until(lane, MESSAGE)


def test_closing_says_goodbye(stage):
    lane = stage.lane()
    until(lane, MESSAGE)
    (line,) = stage.centre.lines()
    lane.close()
    assert line.left
    assert fault_of(lane).sent is False


def test_a_lane_whose_window_was_full_closes_at_once(stage):
    lane = stage.lane(window=3, enquire_seconds=600)
    lane.send(LONG)
    lane.close()
    assert stage.centre.visits[0].left


def test_closing_waits_for_what_is_unanswered(stage):
    asked, gate = threading.Event(), threading.Event()

    def script(number, message):
        asked.set()
        gate.wait(SOON)

    lane = stage.lane()
    stage.centre.behave(script)
    ended = []
    sending = threading.Thread(target=lambda: ended.append(outcome(lane, MESSAGE)))
    sending.start()
    asked.wait(SOON)
    closing = threading.Thread(target=lane.close)
    closing.start()
    gate.set()
    closing.join()
    sending.join()
    assert isinstance(ended[0], channels.Accepted)


def test_what_had_not_wholly_left_when_the_line_dropped_was_not_sent():
    """A peer that lets us in and then reads nothing: the socket is full, and the last submits stay here."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    bell = link.Bell()
    terms = session.Terms(b"", lambda *_: b"x" * 200, codes.complaint, 5, 0.3, 30, 1, 1)
    jobs = queue.SimpleQueue()
    errand = [errands.of(MESSAGE, texts.pieces("a", joint=0), 1) for _ in range(200)]
    for one in errand:
        jobs.put(one)
    made = session.Session(link.Link(ours), terms, jobs, bell, print, session.Window(200, 1))
    serving = threading.Thread(target=_served, args=[made])
    serving.start()
    (bind,) = Frames().feed(theirs.recv(16))
    theirs.sendall(Pdu(Command.BIND_TRANSCEIVER_RESP, bind.sequence, 0, b"x\0").octets)
    ended = [one.answer.exception(SOON) for one in errand]
    serving.join()
    ours.close()
    arrived = _whole_pdus(theirs)
    assert [one.sent for one in ended] == [True] * arrived + [False] * (200 - arrived)
    assert 0 < arrived < 200
    theirs.close()
    bell.close()


def _served(made):
    with pytest.raises(link.Dropped):
        made.serve(threading.Event(), lambda: None)
    made.end(lambda: channels.Unreachable("away", False))


def _whole_pdus(theirs):
    frames, count = Frames(), 0
    while octets := theirs.recv(65_536):
        count += len(list(frames.feed(octets)))
    return count


def test_the_name_of_a_reply_that_has_no_id_is_unknown(stage):
    stage.centre.manner = Manner(ids="none")
    accepted = stage.lane().send(MESSAGE)
    assert accepted == channels.Accepted(None, parts=1, handed=(channels.Part(1, 1, 0, None),))


def test_with_tls_a_text_arrives_and_a_centre_that_nobody_vouches_for_gets_nothing(stage, tmp_path):
    server, client = papers(tmp_path)
    stage.again(tls=server)
    url = stage.centre.url.replace("smpp://127.0.0.1", "smpps://localhost")
    lane = stage.lane(url, tls=client)
    assert [type(one) for one in many(lane, crowd(20, text=LONG.text))] == [channels.Accepted] * 20
    assert {stage.report().delivered for _ in range(60)} == {True}
    assert fault_of(stage.lane(url)).sent is False
    assert len(stage.centre.visits) == 1


def papers(folder):
    """What a centre named localhost and its clients need for TLS."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=36_500))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    octets = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    octets += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "both.pem").write_bytes(octets)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    return server, ssl.create_default_context(cafile=folder / "both.pem")


def test_receipts_for_a_lane_that_is_no_more_are_told_to_the_next_one(stage):
    def nobody(report):
        raise RuntimeError("no database")

    first = stage.lane(on_part=nobody)
    (part,) = first.send(MESSAGE).handed
    first.close()
    until(stage.lane(), replace(MESSAGE, to=BINH))
    reports = [stage.report(), stage.report()]
    assert [part.ref in report.refs for report in reports if report.to == AN] == [True]


@pytest.mark.parametrize("url", ["http://127.0.0.1:2775", "smpp://", "127.0.0.1:2775"])
def test_what_is_no_address_of_a_centre_is_said_at_once(url):
    with pytest.raises(ValueError, match="smpp://"):
        smpp.Smpp("smpp", url, "a", "b", on_part=print, on_incoming=print, clock=lambda: NOON)
