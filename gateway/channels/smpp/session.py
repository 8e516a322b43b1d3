"""One line to an SMSC, from its bind to its end: submits and their answers, timers, the window.

Run by the owner thread only; other threads reach it through `jobs` and the bell. Every errand it took is
answered when `end` has been called.
"""

import logging
import queue
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gateway.channels import Message, Refused, Unreachable
from gateway.channels.smpp.errands import Errand, Submit
from gateway.channels.smpp.link import Bell, Dropped, Link
from gateway.rules.smpp.pdus import RESPONSE, Command, Pdu, Status, message_id
from gateway.rules.smpp.texts import Piece

log = logging.getLogger(__name__)

DROPPED = "mất đường truyền trước khi SMSC trả lời / the line dropped before the SMSC answered"
SILENT = "SMSC không trả lời / the SMSC does not answer"
SLOW = "SMSC quá chậm / the SMSC is too slow"
SLOWER = frozenset({Status.THROTTLED, Status.QUEUE_FULL})


class Barred(Exception):
    """The SMSC does not let us in; `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the bind was refused, 0x{status:02X}")
        self.status = status


@dataclass(frozen=True)
class Terms:
    """How a line is used. `bind`: the body of the bind. `submit`: the body of a submit_sm, with a validity or not.

    `complaint`: what a status means for a message. Seconds: `let_in` for the bind, `answer` for a submit, `enquire` of
    silence until the SMSC is asked whether it is there, `rest` after "throttled", `leave` for the unbind.
    """

    bind: bytes
    submit: Callable[[Message, Piece, bool], bytes]
    complaint: Callable[[int, Message], Refused | Unreachable]
    let_in: float
    answer: float
    enquire: float
    rest: float
    leave: float


class Window:
    """So many unanswered submits at once; halved when the SMSC has too much to do, one more when all goes well."""

    def __init__(self, most: int, rest: float) -> None:
        self.size, self.rests_until = most, 0.0
        self._most, self._rest, self._well = most, rest, 0

    @property
    def throttled(self) -> bool:
        """Whether the SMSC had too much to do lately."""
        return self.size < self._most

    def went_well(self) -> None:
        self._well += 1
        if self._well >= self.size:
            self.size, self._well = min(self.size + 1, self._most), 0

    def too_fast(self, now: float) -> None:
        """What was under way together counts once."""
        if now >= self.rests_until:
            self.size, self._well = max(1, self.size // 2), 0
        self.rests_until = now + self._rest


class Session:
    """`jobs`: errands that other threads put (None only wakes). `bell` rings when there is something new."""

    def __init__(
        self,
        link: Link,
        terms: Terms,
        jobs: "queue.SimpleQueue[Errand | None]",
        bell: Bell,
        hear: Callable[[Pdu, Callable[[int], None]], None],
        window: Window,
    ) -> None:
        self._link, self._terms, self._jobs, self._hear = link, terms, jobs, hear
        self._bell, self._window = bell, window
        self._replies: queue.SimpleQueue[tuple[Pdu, int]] = queue.SimpleQueue()
        self._waiting: deque[Errand] = deque()
        self._unanswered: dict[int, Submit] = {}
        self._validity = True
        self._began = time.monotonic()
        self._asked: float | None = None
        self._left: float | None = None
        self._bind = 0
        self.bound = self._gone = False

    def serve(self, stopping: threading.Event, on_bound: Callable[[], None]) -> None:
        """Until `stopping` is set and all is answered; or raises Dropped or Barred."""
        self._bind, _ = self._link.ask(Command.BIND_TRANSCEIVER, self._terms.bind)
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self._link, selectors.EVENT_READ)
            while not self._gone:
                was_bound = self.bound
                self._collect(stopping.is_set())
                self._begin()
                self._link.flush()
                writes = selectors.EVENT_WRITE if self._link.waits else 0
                selector.modify(self._link, selectors.EVENT_READ | writes)
                selector.select(self._until(time.monotonic()))
                self._bell.quiet()
                for one in self._link.read():
                    self._take(one)
                if self.bound and not was_bound:
                    on_bound()
                self._check(time.monotonic())

    def end(self, excuse: Callable[[], Refused | Unreachable]) -> None:
        """Answers whatever is under way; what was not begun gets `excuse`."""
        ended = {id(errand): errand for errand in self._waiting}
        for submit in self._unanswered.values():
            submit.errand.unanswered -= 1
            if self._link.left(submit.end):
                submit.errand.unknown(submit.piece, DROPPED, "dropped")
            else:
                submit.errand.refused(excuse())
            ended[id(submit.errand)] = submit.errand
        self._unanswered.clear()
        self._waiting.clear()
        for errand in ended.values():
            if not errand.answer.done():
                if errand.pieces:
                    errand.refused(excuse())
                errand.settle()

    def _collect(self, stopping: bool) -> None:
        """What other threads have put: errands, and what the ear says of a deliver_sm."""
        with suppress(queue.Empty):
            while True:
                deliver, status = self._replies.get_nowait()
                self._link.answer(deliver, status)
        with suppress(queue.Empty):
            while not stopping:
                errand = self._jobs.get_nowait()
                if errand is not None:
                    self._waiting.append(errand)
        if stopping:
            self._leave()

    def _leave(self) -> None:
        """Messages in hand are finished; then we say goodbye, once."""
        for errand in self._waiting:
            if not errand.begun:
                self._turned_away(errand, "đang đóng đường truyền / the line is being closed", "closing")
        self._waiting = deque(one for one in self._waiting if one.begun and one.pieces and one.fault is None)
        if not self.bound:
            self._gone = True
        elif not self._waiting and not self._unanswered and self._left is None:
            self._link.ask(Command.UNBIND)
            self._left = time.monotonic()

    def _begin(self) -> None:
        """Puts the next parts, as many as the window allows."""
        now = time.monotonic()
        if not self.bound or now < self._window.rests_until:
            return
        while self._waiting and len(self._unanswered) < self._window.size:
            errand = self._waiting[0]
            if errand.fault is not None or not errand.pieces:
                self._waiting.popleft()
            else:
                self._put(errand, errand.pieces.popleft(), now)

    def _put(self, errand: Errand, piece: Piece, now: float) -> None:
        body = self._terms.submit(errand.message, piece, self._validity)
        sequence, end = self._link.ask(Command.SUBMIT_SM, body)
        errand.unanswered += 1
        errand.begun = True
        self._unanswered[sequence] = Submit(errand, piece, end, now + self._terms.answer, self._validity)

    def _take(self, one: Pdu) -> None:
        command = one.command
        if command == Command.GENERIC_NACK or command & RESPONSE:
            self._take_answer(one)
        elif command == Command.DELIVER_SM:
            self._hear(one, lambda status: self._reply(one, status))
        elif command == Command.ENQUIRE_LINK:
            self._link.answer(one)
        elif command == Command.UNBIND:
            self._link.answer(one)
            self._link.flush()
            raise Dropped("the SMSC ends the session")
        elif command not in (Command.OUTBIND, Command.ALERT_NOTIFICATION):  # these two want no answer
            self._link.nack(one.sequence, Status.BAD_COMMAND)

    def _reply(self, deliver: Pdu, status: int) -> None:
        """Called by the ear's thread."""
        self._replies.put((deliver, status))
        self._bell.ring()

    def _take_answer(self, one: Pdu) -> None:
        nack = one.command == Command.GENERIC_NACK
        if not self.bound and one.sequence == self._bind:
            if nack or one.status != Status.OK:
                raise Barred(one.status or Status.BIND_FAILED)
            self.bound = one.command == Command.BIND_TRANSCEIVER_RESP
        elif nack or one.command == Command.SUBMIT_SM_RESP:
            submit = self._unanswered.pop(one.sequence, None)
            if submit is not None:
                self._answered(submit, one.status or (Status.BAD_COMMAND if nack else Status.OK), one.body)
            else:  # late, or to a PDU it could not even read; its timer says what is to be said
                log.warning("smpp: an answer 0x%02X to nothing we wait for", one.status)
        elif one.command == Command.UNBIND_RESP and self._left is not None:
            self._gone = True

    def _answered(self, submit: Submit, status: int, body: bytes) -> None:
        errand = submit.errand
        errand.unanswered -= 1
        if status == Status.OK:
            errand.taken(submit.piece, message_id(body))
            self._window.went_well()
        elif status == Status.BAD_VALIDITY and submit.with_validity:
            # It keeps messages as long as it likes; once more, and from now on, without.
            self._validity = False
            errand.pieces.appendleft(submit.piece)
            if errand not in self._waiting:
                self._waiting.appendleft(errand)
        else:
            errand.refused(self._complaint(status, errand.message))
        errand.settle()

    def _complaint(self, status: int, message: Message) -> Refused | Unreachable:
        fault = self._terms.complaint(status, message)
        if status in SLOWER and isinstance(fault, Unreachable):
            self._window.too_fast(time.monotonic())
            fault.retry_after = self._pause
        return fault

    def _until(self, now: float) -> float:
        """Seconds until a timer is due."""
        asked, heard = self._asked, self._link.heard
        due = [heard + self._terms.enquire if asked is None else asked + self._terms.answer]
        due = due if self.bound else [self._began + self._terms.let_in]
        due += [submit.due for submit in list(self._unanswered.values())[:1]]
        due += [self._left + self._terms.leave] if self._left is not None else []
        if self._waiting:
            due += [errand.since + self._terms.answer for errand in self._waiting if not errand.begun]
            due += [self._window.rests_until] if self._window.rests_until > now else []
        return max(0.0, min(due) - now)

    def _check(self, now: float) -> None:
        """What the timers say; Dropped where the SMSC is not there any more."""
        if not self.bound and now >= self._began + self._terms.let_in:
            raise Dropped("no answer to the bind")
        if self._left is not None and now >= self._left + self._terms.leave:
            self._gone = True
        self._give_up(now)
        if self._asked is not None and self._link.heard > self._asked:
            self._asked = None
        if self._asked is not None and now >= self._asked + self._terms.answer:
            raise Dropped("no answer to enquire_link")
        if self.bound and self._asked is None and now >= self._link.heard + self._terms.enquire:
            self._link.ask(Command.ENQUIRE_LINK)
            self._asked = now

    def _give_up(self, now: float) -> None:
        for sequence, submit in list(self._unanswered.items()):
            if submit.due > now:
                break
            if not self._link.left(submit.end):
                raise Dropped("the SMSC takes nothing")
            del self._unanswered[sequence]
            submit.errand.unanswered -= 1
            submit.errand.unknown(submit.piece, SILENT, "silent")
            submit.errand.settle()
            if self._link.heard <= submit.due - self._terms.answer:
                raise Dropped("nothing comes from the SMSC")
        for errand in list(self._waiting):
            if not errand.begun and now >= errand.since + self._terms.answer:
                self._waiting.remove(errand)
                self._turned_away(errand, SLOW, "slow", self._window.throttled)

    def _turned_away(self, errand: Errand, reason: str, code: str, throttled: bool = False) -> None:
        """`throttled`: it is a rate that was met, so it is named when to come again, and is no outage."""
        again = self._pause if throttled else None
        errand.refused(Unreachable(reason, False, code, retry_after=again))
        errand.settle()

    @property
    def _pause(self) -> int:
        return max(1, round(self._terms.rest))
