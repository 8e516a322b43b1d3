"""The modem channel: one thread owns the port; everybody else puts messages in its queue and waits.

Theory: AT+CMGS and its PDU are one critical section, reports come at any time, and a cheap modem falls silent
or leaves the USB bus. With one owner there is nothing to lock and one place to recover: whatever goes wrong
ends the conversation, the message in hand gets its honest answer, and the port is opened again, at first
soon, then less and less often. While there is no modem, messages are turned away at once, not kept.
"""

import logging
import queue
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import serial

from gateway.channels import Accepted, Fault, Message, Refused, Report, Unreachable, codes
from gateway.channels.modem import airborne, dialogue, inbox
from gateway.rules import phone
from gateway.rules.sms import fields, pdu, segments

log = logging.getLogger(__name__)

UNTOLD_KEPT = 10_000
"""Reports kept while nobody can take them; the modem will not say them again."""


@dataclass(frozen=True)
class Patience:
    """Seconds. `answer`: some networks take a minute to say yes. `alive`: when an idle modem is asked."""

    prompt: float = 5.0
    answer: float = 60.0
    command: float = 5.0
    alive: float = 15.0
    reopen: float = 0.5
    reopen_most: float = 15.0


@dataclass(frozen=True)
class _Job:
    message: Message
    answer: Future


class Modem:
    """One SIM in one modem. It works from the moment it is made, until `close`."""

    name = "modem"
    concurrency = 1

    def __init__(
        self,
        url: str,
        *,
        per_minute: int | None,
        on_report: Callable[[Report], None],
        on_incoming: Callable[[inbox.Incoming], None],
        clock: Callable[[], int],
        patience: Patience | None = None,
    ) -> None:
        """`url`: serial:///dev/serial/by-id/…?baud=115200. `per_minute` counts parts; None is no cap.

        `on_report` and `on_incoming` are called by the owner thread and should only take note. A text stays
        in the modem's memory, and comes again, when `on_incoming` raises; a report is told again a little later
        when `on_report` raises. `clock` gives epoch seconds.
        """
        self._device, self._baud = _place(url)
        self._on_report, self._on_incoming, self._clock = on_report, on_incoming, clock
        self._patience = patience or Patience()
        self._cap = _Cap(per_minute, clock)
        self._airborne, self._inbox = airborne.Airborne(), inbox.Inbox()
        self._jobs: queue.Queue[_Job] = queue.Queue()
        self._stopping, self._gate = threading.Event(), threading.Lock()
        self._port: serial.SerialBase | None = None
        self._ready = threading.Event()
        self._untold: deque[Report] = deque(maxlen=UNTOLD_KEPT)
        self._thread = threading.Thread(target=self._own, name="modem", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> Accepted:
        number = phone.parse(message.to)
        if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
            raise Refused("phone", "not a Vietnamese mobile number", "phone", Fault.PERSON)
        _check_length(message.text)
        job = _Job(message, Future())
        with self._gate:
            if self._stopping.is_set():
                raise Unreachable("the modem is being closed", sent=False)
            self._jobs.put(job)
        self._wake()
        return job.answer.result()

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """A modem cannot be asked; its reports come by themselves."""
        return None

    def ready(self) -> bool:
        """Whether this process has the port, and a modem at it that answers: no other process has it then."""
        return self._ready.is_set()

    def close(self) -> None:
        """Ends after the message in hand; what waits is turned away."""
        with self._gate:
            self._stopping.set()
        self._wake()
        self._thread.join()

    def _wake(self) -> None:
        port = self._port
        if port is not None:
            # The owner may be closing the port this very moment; then it is awake anyway.
            with suppress(OSError, TypeError, AttributeError):
                port.cancel_read()

    # Everything below runs in the owner thread only.

    def _own(self) -> None:
        pause = self._patience.reopen
        while not self._stopping.is_set():
            excuse: Exception = Unreachable("the modem is being closed", sent=False)
            try:
                with closing(self._open()) as port:
                    talk = dialogue.Dialogue(port)
                    self._prepare(talk)
                    pause = self._patience.reopen
                    self._ready.set()
                    self._serve(talk)
            except Exception as fault:
                # Whatever it was, the thread must live: a dead owner leaves its callers waiting for ever.
                excuse = _excuse(fault)
                log.log(_loudness(fault, pause, self._patience), "modem %s: %s", self._device, fault)
            self._port = None
            self._ready.clear()
            self._turn_away(excuse, pause)
            pause = min(2 * pause, self._patience.reopen_most)
        self._turn_away(Unreachable("the modem is being closed", sent=False), 0)

    def _open(self) -> serial.SerialBase:
        try:
            port = serial.serial_for_url(self._device, self._baud, timeout=1, write_timeout=5, exclusive=True)
        except (serial.SerialException, OSError) as fault:
            raise dialogue.Gone("no modem at its port") from fault
        self._port = port
        return port

    def _prepare(self, talk: dialogue.Dialogue) -> None:
        """The order of commands that both cheap sticks and good modems understand (27.005 chapter 3)."""
        talk.resync()
        _optional(talk, "ATZ")
        for text in ("ATE0", "AT+CMEE=1"):
            talk.command(text, self._patience.command)
        _demand(talk, "AT+CPIN?", r"READY", "11")
        _demand(talk, "AT+CREG?", r",[15]\b", "30")
        talk.command("AT+CMGF=0", self._patience.command)
        _demand(talk, "AT+CSCA?", r'"\+?\d', "15")
        if not _optional(talk, 'AT+CPMS="ME","ME","ME"'):
            talk.command('AT+CPMS="SM","SM","SM"', self._patience.command)
        if not _optional(talk, "AT+CNMI=2,1,0,1,0"):
            talk.command("AT+CNMI=2,1,0,2,0", self._patience.command)
        _optional(talk, "AT+CMMS=1")
        self._read_stored(talk)
        log.info("modem %s: ready", self._device)

    def _serve(self, talk: dialogue.Dialogue) -> None:
        heard = time.monotonic()
        while not self._stopping.is_set():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                talk.listen(min(1.0, self._patience.alive))
                if time.monotonic() - heard > self._patience.alive:
                    talk.command("AT", self._patience.command)
                    heard = time.monotonic()
            else:
                self._do(talk, job)
                heard = time.monotonic()
            self._digest(talk)
            self._tell()

    def _do(self, talk: dialogue.Dialogue, job: _Job) -> None:
        """Every way out of here answers the job; a fault of the port also ends the conversation."""
        try:
            job.answer.set_result(self._transmit(talk, job.message))
        except (Refused, Unreachable) as fault:
            job.answer.set_exception(fault)
        except dialogue.Silent as fault:
            job.answer.set_exception(Unreachable("the modem fell silent", fault.taken, "silent"))
            log.warning("modem: silent on %s", job.message.reference)
            talk.resync()
        except Exception as fault:
            taken = getattr(fault, "taken", True)
            job.answer.set_exception(Unreachable("the modem went away", taken, "gone"))
            raise

    def _transmit(self, talk: dialogue.Dialogue, message: Message) -> Accepted:
        total = len(segments.split(message.text).parts)
        if wait := self._cap.wait(total):
            raise Unreachable("the SIM's rate cap", False, "rate", retry_after=wait)
        now = self._clock()
        sending = self._airborne.begin(message.reference, message.to, total, random.randrange(256), now)
        pdus = _pdus(sending, message, message.valid_seconds)
        for part in range(total):
            if sending.missing(part):
                self._hand_over(talk, sending, message, part, pdus[part])
        log.info("modem: %s to %s in %d parts", message.reference, phone.masked(message.to), total)
        return Accepted(sending.provider_ref, parts=total)

    def _hand_over(self, talk, sending: airborne.Sending, message: Message, part: int, one: pdu.Pdu) -> None:
        self._cap.count()
        try:
            number = self._submit(talk, one, lambda: _pdus(sending, message, None)[part])
        except dialogue.Said as fault:
            raise codes.complaint(fault.table, fault.code) from fault
        except (dialogue.Silent, dialogue.Gone) as fault:
            if fault.taken:
                sending.unknown.add(part)
            raise
        sending.taken(part, number)

    def _submit(self, talk: dialogue.Dialogue, one: pdu.Pdu, without_validity: Callable[[], pdu.Pdu]) -> int:
        """One hand-over, and a second one where the first error says how to do better."""
        wait = self._patience
        try:
            return talk.submit(one, wait.prompt, wait.answer)
        except dialogue.Said as fault:
            if fault.table == "cms" and fault.code in codes.STORAGE_FULL:
                _optional(talk, "AT+CMGD=1,3")
            elif fault.table == "cms" and fault.code in codes.VALIDITY_UNSUPPORTED:
                one = without_validity()
            else:
                raise
        return talk.submit(one, wait.prompt, wait.answer)

    def _digest(self, talk: dialogue.Dialogue) -> None:
        """Everything the modem said unasked. Reading a stored text may bring more, so until none is left."""
        while talk.notes:
            note = talk.notes.popleft()
            try:
                if note.kind == "CDS":
                    self._report(note.value)
                elif note.kind == "CMT":
                    self._text(talk, note.value, None)
                elif note.kind == "CMTI":
                    self._text(talk, _stored(talk, note.value), note.value)
                else:
                    self._stored_report(talk, note.value)
            except fields.Malformed as fault:
                log.warning("modem: a %s that cannot be read: %s", note.kind, fault)
            except dialogue.Said as fault:
                log.warning("modem: %s at index %s: %s", note.kind, note.value, fault)

    def _report(self, text: str) -> None:
        report = self._airborne.report(pdu.read_report(text), self._clock())
        if report is not None:
            self._untold.append(report)

    def _tell(self) -> None:
        """Reports to whoever listens, in order; one that is not taken (a database at its limit) waits."""
        while self._untold and _guarded(self._on_report, self._untold[0]):
            self._untold.popleft()

    def _stored_report(self, talk: dialogue.Dialogue, index: str) -> None:
        talk.command('AT+CPMS="SR"')
        try:
            text = _stored(talk, index)
            talk.command(f"AT+CMGD={index}")
        finally:
            talk.command('AT+CPMS="ME"')
        self._report(text)

    def _text(self, talk: dialogue.Dialogue, text: str, index: str | None) -> None:
        try:
            arrival = self._inbox.add(pdu.read_deliver(text), index, self._clock())
        except fields.Malformed:
            # Left where it is it would fill the SIM, and a full SIM gets nothing any more.
            if index is not None:
                talk.command(f"AT+CMGD={index}")
            raise
        if arrival and _guarded(self._on_incoming, arrival.incoming):
            for place in arrival.indexes:
                talk.command(f"AT+CMGD={place}")

    def _read_stored(self, talk: dialogue.Dialogue) -> None:
        """What came while nobody listened."""
        try:
            lines = talk.command("AT+CMGL=4", wait=20.0)
        except dialogue.Said:
            return
        for header, _ in zip(lines, lines[1:], strict=False):
            if header.startswith("+CMGL:"):
                talk.notes.append(dialogue.Note("CMTI", header.removeprefix("+CMGL:").split(",")[0].strip()))
        self._digest(talk)

    def _turn_away(self, excuse: Exception, seconds: float) -> None:
        """Answers every message with `excuse`, for so long (0: those that wait now)."""
        end = time.monotonic() + seconds
        while True:
            left = 0 if self._stopping.is_set() else max(0, end - time.monotonic())
            try:
                job = self._jobs.get(timeout=min(left, 0.2)) if left else self._jobs.get_nowait()
            except queue.Empty:
                if not left:
                    return
            else:
                job.answer.set_exception(excuse)


class _Cap:
    """So many parts in any minute: operators bar SIMs that send like a machine."""

    def __init__(self, per_minute: int | None, clock: Callable[[], int]) -> None:
        self._most, self._clock = per_minute, clock
        self._sent: deque[int] = deque()

    def count(self) -> None:
        if self._most is not None:
            self._sent.append(self._clock())

    def wait(self, parts: int) -> int:
        """Seconds until so many parts may go; 0 is now. More parts than the cap may go when all is quiet."""
        now = self._clock()
        while self._sent and self._sent[0] <= now - 60:
            self._sent.popleft()
        if self._most is None or not self._sent or len(self._sent) + parts <= self._most:
            return 0
        leaving = min(len(self._sent) + parts - self._most, len(self._sent))
        return self._sent[leaving - 1] + 60 - now


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    device = parts.netloc + parts.path  # serial://data/… is a path from where the program was started
    if parts.scheme != "serial" or not parts.path:
        raise ValueError("a modem's url looks like serial:///dev/ttyUSB0?baud=115200")
    return device, int(parse_qs(parts.query).get("baud", ["115200"])[0])


def _pdus(sending: airborne.Sending, message: Message, valid_seconds: int | None) -> tuple[pdu.Pdu, ...]:
    return pdu.submits(message.to, message.text, reference=sending.join, valid_seconds=valid_seconds)


def _demand(talk: dialogue.Dialogue, question: str, good: str, otherwise: str) -> None:
    if not re.search(good, " ".join(talk.command(question))):
        raise dialogue.Said("cme", otherwise)


def _optional(talk: dialogue.Dialogue, text: str) -> bool:
    try:
        talk.command(text)
    except dialogue.Said:
        return False
    return True


def _stored(talk: dialogue.Dialogue, index: str) -> str:
    lines = talk.command(f"AT+CMGR={index}")
    if len(lines) < 2:
        raise fields.Malformed("nothing at this index")
    return lines[1]


def _excuse(fault: Exception) -> Exception:
    if isinstance(fault, dialogue.Said):
        return codes.complaint(fault.table, fault.code)
    return Unreachable("the modem does not answer", sent=False, code="no_modem")


def _loudness(fault: Exception, pause: float, patience: Patience) -> int:
    """A modem that stays away is told about while the pauses grow, then no more; a bug always is."""
    if not isinstance(fault, dialogue.Said | dialogue.Silent | dialogue.Gone):
        return logging.ERROR
    return logging.WARNING if pause < patience.reopen_most else logging.DEBUG


def _check_length(text: str) -> None:
    try:
        segments.split(text)
    except ValueError as fault:
        raise Refused("length", str(fault), "message", Fault.BUG) from fault


def _guarded(call: Callable, value) -> bool:
    """Somebody else's code in our thread: its faults are logged, and are not ours."""
    try:
        call(value)
    except Exception:
        log.exception("modem: a listener failed")
        return False
    return True
