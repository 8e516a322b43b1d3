"""The account at the stand-in SMSC: who may bind, what was taken, what goes to the phones and comes from them."""

import itertools
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.rules import hashes, phone
from gateway.rules.smpp import receipts, texts
from gateway.rules.smpp.pdus import Address, Bind, Coding, ShortMessage, Status, Tag
from gateway.rules.sms import pdu, segments
from gateway.sandbox import faults, network, postman
from gateway.sandbox.smsc import judge
from gateway.sandbox.smsc.line import Line, Waiting
from gateway.sandbox.smsc.manner import Answer, Manner, Script

SOON = (0.02, 0.05, *[0.2] * 50)
"""Seconds before a deliver_sm that nobody took is said again."""

SLOWEST = 5.0
"""Seconds a client may take to acknowledge one."""

_STATES = {word: state for state, word in receipts.STATES.items()}


@dataclass(frozen=True)
class Taken:
    """A part that is on its way to a phone, or on it. `joint` is None for a text of one part."""

    id: str
    to: str
    text: str
    joint: int | None
    number: int
    total: int
    validity: str
    parameters: tuple[int, ...]


@dataclass(frozen=True)
class Then:
    """What follows the answer to a submit: the id it was given, and its receipts."""

    id: str
    go: Callable[[], None]


class Smsc:
    """`complaints`: what no good client does. `taken`: every part, in order. `visits`: every line that was bound.

    `manner` may be put anew at any time.
    """

    def __init__(
        self,
        phones: network.Network,
        post: postman.Postman,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        system_id: str = "sandbox",
        password: str = "smppsand",
        source: str = "CAPHUONG",
        coding: str = Coding.GSM,
        receipt_delay: float = 1.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.manner = Manner()
        self.complaints: list[str] = []
        self.taken: list[Taken] = []
        self.visits: list[Line] = []
        self._phones, self._post, self._delay = phones, post, receipt_delay
        self._tls = tls
        self._login, self._source, self._coding = (system_id, password), source, coding
        self._place, self._lock = (host, port), threading.Lock()
        self._lines: list[Line] = []
        self._ids, self._count, self._script = itertools.count(0xA000_0001), itertools.count(1), _as_usual
        self._unfinished: dict[tuple[str, str, int, int], dict[int, Taken]] = {}

    def start(self) -> None:
        """OSError when the port is taken."""
        self._listener = socket.create_server(self._place)
        self._thread = threading.Thread(target=self._accept, name="smsc", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        for line in self._all():
            line.stop()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"smpp://{self._place[0]}:{self.port}"

    def behave(self, script: Script) -> None:
        """From the next submit on, the so-and-so-many-th is answered as `script` says."""
        with self._lock:
            self._count, self._script = itertools.count(1), script

    def incoming(self, sender: str, text: str, *, joint: int = 77, concat: texts.Concat = "udh") -> None:
        """A person, or somebody with a name, writes to us; the parts come one after the other."""
        number = phone.parse(sender)
        known = isinstance(number, phone.Phone)
        source = Address(1, 1, number.international) if known else Address(5, 0, sender)
        for one in texts.pieces(text, joint=joint, coding=self._coding, concat=concat):
            body = ShortMessage(source, Address(5, 0, self._source), one.text, one.data_coding, one.esm_class)
            self.tell(replace(body, parameters=one.parameters).octets)

    def tell(self, body: bytes) -> None:
        """A deliver_sm, again until somebody who is bound takes it."""
        self._post.until_taken(0, lambda: self._delivered(body), SOON)

    def cut(self) -> None:
        """All lines go, as when the network does."""
        for line in self._all():
            line.cut()

    def lines(self) -> list[Line]:
        """Those that are bound."""
        return [line for line in self._all() if line.hears]

    # What a line asks.

    def lets_in(self, asked: Bind) -> int:
        if not hashes.same(asked.system_id, self._login[0]):
            return Status.BAD_SYSTEM_ID
        if not hashes.same(asked.password, self._login[1]):
            return Status.BAD_PASSWORD
        if asked.version != 0x34:
            self.complain(f"interface version {asked.version:02X}")
        return Status.OK

    def complain(self, what: str) -> None:
        self.complaints.append(what)

    def came(self, line: Line) -> None:
        self.visits.append(line)

    def gone(self, line: Line) -> None:
        with self._lock:
            self._lines = [one for one in self._lines if one is not line]

    def take(self, message: ShortMessage, line: Line) -> tuple[Answer, Then]:
        """What becomes of a submit: how it is answered, and what follows."""
        bad = judge.judge(message, self._source, self._coding)
        if bad is not None:
            self.complain(bad[1])
            return Answer(status=bad[0]), Then("", lambda: None)
        to = f"+{message.to.number}"
        with self._lock:
            number, id = next(self._count), f"{next(self._ids):x}"
            answer = self._script(number, message) or self._usual(to)
        if answer.status or not answer.takes:
            return answer, Then(id, lambda: None)
        text, join = texts.read(message, self._coding)
        one = Taken(
            id, to, text, join.reference if join else None, join.number if join else 1,
            join.total if join else 1, message.validity, tuple(message.parameters),
        )  # fmt: skip
        self.taken.append(one)
        fails = answer.state not in ("DELIVRD", "ENROUTE") or self._part_fails(one)
        if not fails:
            self._to_the_phone(one)
        answer = replace(answer, state="UNDELIV") if fails and answer.state == "DELIVRD" else answer
        return answer, self._afterwards(one, answer, line)

    def _usual(self, to: str) -> Answer:
        on = self._phones.faults.on
        if on(faults.SMS_REFUSED, to):
            return Answer(status=Status.BAD_DESTINATION)
        state = "UNDELIV" if on(faults.SMS_FAILED, to) else "DELIVRD"
        receipt = "lost" if on(faults.SMS_NO_RECEIPT, to) else "after"
        return Answer(answers=not on(faults.SMPP_SILENT, to), receipt=receipt, state=state)

    def _part_fails(self, one: Taken) -> bool:
        return one.number == 2 and self._phones.faults.on(faults.SMS_PART_FAILED, one.to)

    def _afterwards(self, one: Taken, answer: Answer, line: Line) -> Then:
        if answer.receipt == "before":
            # It goes out here, ahead of the answer; whether it was taken is looked at later.
            first = line.put(self._receipt(one, answer.state))
            again = self._receipt(one, answer.state)
            return Then(one.id, lambda: self._watch(first, again))
        delays = self._phones.faults.receipts(self._delay, one.to)
        delays = [] if answer.receipt == "lost" else delays * 2 if answer.receipt == "twice" else delays
        states = ["ENROUTE", "DELIVRD"] if answer.state == "ENROUTE" else [answer.state]
        return Then(one.id, lambda: self._report(one, states, delays))

    def _report(self, one: Taken, states: list[str], delays: list[float]) -> None:
        for delay in delays:
            for place, state in enumerate(states):
                body = self._receipt(one, state)
                self._post.until_taken(delay + 0.02 * place, lambda body=body: self._delivered(body), SOON)

    def _watch(self, first: Waiting, body: bytes) -> None:
        self._post.later(0, lambda: first.status(SLOWEST) == Status.OK or self.tell(body))

    def _delivered(self, body: bytes) -> bool:
        bound = self.lines()
        return bool(bound) and bound[-1].put(body).status(SLOWEST) == Status.OK

    def _receipt(self, one: Taken, state: str) -> bytes:
        id, when = self._spelled(one.id), time.strftime("%y%m%d%H%M")
        arrived = int(state == "DELIVRD")
        text = (
            f"id:{id} sub:001 dlvrd:{arrived:03d} submit date:{when} done date:{when} stat:{state} "
            f"err:{0 if arrived or state == 'ENROUTE' else 69:03d} text:{one.text[:20]}"
        ).encode("ascii", "replace")
        extra = {Tag.RECEIPTED_MESSAGE_ID: f"{id}\0".encode(), Tag.MESSAGE_STATE: bytes([_STATES[state]])}
        return ShortMessage(
            Address(1, 1, one.to.removeprefix("+")),
            Address(5, 0, self._source),
            text,
            esm_class=0x04,
            parameters=extra if self.manner.parameters else {},
        ).octets

    def _spelled(self, id: str) -> str:
        ways = {"decimal": str(int(id, 16)), "capitals": id.upper(), "padded": id.zfill(12)}
        return ways.get(self.manner.ids, id)

    def _to_the_phone(self, one: Taken) -> None:
        """A text is on the phone when all its parts are."""
        with self._lock:
            key = (one.to, self._source, one.joint or 0, one.total)
            parts = self._unfinished.setdefault(key, {})
            parts[one.number] = one
            if len(parts) < one.total:
                return
            del self._unfinished[key]
        text = pdu.joined(parts[number].text for number in sorted(parts))
        whole = one.total == 1 and Tag.MESSAGE_PAYLOAD in one.parameters
        count = len(segments.split(text).parts) if whole else one.total
        self._phones.deliver(
            one.to, via="sms", sender=self._source, text=text, parts=count, ref=None, id=parts[1].id
        )

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            try:
                connected = self._tls.wrap_socket(connected, server_side=True) if self._tls else connected
            except OSError:  # a client that does not believe us
                connected.close()
                continue
            line = Line(connected, self)
            with self._lock:
                self._lines.append(line)
            line.start()

    def _all(self) -> list[Line]:
        with self._lock:
            return list(self._lines)


def _as_usual(number: int, message: ShortMessage) -> None:
    return None
