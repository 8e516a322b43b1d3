"""The modem channel: one thread owns the port; everybody else puts messages in its queue and waits.

Theory: AT+CMGS and its PDU are one critical section, reports come at any time, and a cheap modem falls silent,
starts anew or leaves the USB bus. With one owner there is nothing to lock and one place to recover: whatever
goes wrong ends the conversation, the message in hand gets its honest answer, and the port is opened again, at
first soon, then every few seconds. While there is no modem, messages are turned away at once, not kept.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

from gateway.channels import (
    Accepted,
    Fault,
    Incoming,
    Message,
    PartReport,
    Refused,
    Report,
    Unreachable,
    codes,
)
from gateway.channels.modem import errand, port, preparing, state, telling
from gateway.channels.modem.dialogue import Dialogue, Rebooted, Said, Silent
from gateway.channels.modem.patience import Patience
from gateway.channels.modem.port import Gone
from gateway.channels.modem.receiving import Receiver
from gateway.rules import phone
from gateway.rules.sms import segments

log = logging.getLogger(__name__)

WELL = (state.HOME, state.ROAMING)


class Modem:
    """One SIM in one modem. It works from the moment it is made, until `close`."""

    concurrency = 2
    """One message in hand, and one that waits behind it, so that the modem never does."""

    by_part = True
    """Reports come by part."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        pin: str | None = None,
        reference_bits: int = 8,
        per_minute: int | None = None,
        incoming: bool = True,
        on_parts: Callable[[Sequence[PartReport]], None] | None = None,
        on_part: Callable[[PartReport], None] | None = None,
        on_incoming: Callable[[Incoming], None],
        on_state: Callable[[state.State], None],
        clock: Callable[[], int],
        patience: Patience | None = None,
    ) -> None:
        """`url`: serial:///dev/serial/by-id/…?baud=115200, or socket://host:port. `per_minute` counts parts; None is
        no cap. Without `incoming` texts from people are deleted unread.

        `on_parts` gets all reports of a moment, or else `on_part` one after the other; they and `on_incoming` are
        called by threads of this channel. What raises has not kept what it was told, and is told it again a little
        later. A text stays in the modem's memory until it is kept.
        `on_state` is called at every change, and every half minute. `clock` gives epoch seconds.
        """
        port.parted(url)
        self.name, self._url, self._bits, self._clock = name, url, reference_bits, clock
        self._patience = patience or Patience()
        self._pin, self._cap = preparing.Pin(pin), errand.Cap(per_minute, clock)
        self._bell, self._stopping, self._gate = port.Bell(), threading.Event(), threading.Lock()
        self._errands: deque[errand.Errand] = deque()
        self._excuse: Exception | None = None
        self._ready = threading.Event()
        self._idle, self._was_well, self._errors, self._trouble_at = False, False, 0, 0.0
        again = self._patience.again
        self._states = telling.Teller(name, self._told_state(on_state), lambda _: None, again=again)
        self._receiver = Receiver(
            name, on_parts or _each(on_part), on_incoming, incoming, self._ring, clock, again
        )
        self._look_at = 0.0
        self._state = state.State(device=port.parted(url)[0][:200], since=clock())
        self._thread = threading.Thread(target=self._own, name=name, daemon=True)
        self._thread.start()

    def send(self, message: Message) -> Accepted:
        number = phone.parse(message.to)
        if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
            reason = "Không phải số di động Việt Nam / not a Vietnamese mobile number"
            raise Refused("phone", reason, "phone", Fault.PERSON)
        one = errand.Errand(message, self._bits)
        with self._gate:
            if self._excuse is not None:
                raise _another(self._excuse)
            self._errands.append(one)
            if self._idle:
                self._bell.ring()
        return one.answer.result()

    def submits(self, text: str) -> int:
        """How many parts a text is handed over in; ValueError where it is longer than any may be."""
        return len(segments.split(text, self._bits).parts)

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """A modem cannot be asked; its reports come by themselves."""
        return None

    def ready(self) -> bool:
        """Whether this process has the port, and a modem at it that answers: no other process has it then."""
        return self._ready.is_set()

    def close(self) -> None:
        """Ends after the message in hand; what waits is turned away."""
        with self._gate:
            if self._stopping.is_set():
                return
            self._stopping.set()
            self._bell.ring()
        self._thread.join()
        self._receiver.close()
        self._states.close()
        self._bell.close()

    def _told_state(self, on_state: Callable[[state.State], None]) -> Callable[[Sequence[state.State]], None]:
        def tell(told: Sequence[state.State]) -> None:
            try:
                on_state(told[0])
            except Exception:
                if told[0] is self._state:  # what is no longer true need not be told again
                    raise

        return tell

    def _ring(self) -> None:
        if self._idle:
            self._bell.ring()

    # Everything below runs in the owner thread only.

    def _own(self) -> None:
        pause = self._patience.reopen
        while not self._stopping.is_set():
            try:
                with closing(port.Port(self._url, self._bell)) as line:
                    talk = Dialogue(line, self._patience)
                    carrier = self._prepared(talk)
                    pause = self._patience.reopen
                    self._serve(talk, carrier)
            except Exception as fault:
                # Whatever it was, the thread must live: a dead owner leaves its callers waiting for ever.
                self._fell(fault, pause)
            self._rest(pause)
            pause = min(2 * pause, self._patience.reopen_most)
        self._turn_away(Unreachable("Đang tắt modem / the modem is being closed", sent=False))

    def _prepared(self, talk: Dialogue) -> errand.Carrier:
        self._say(model=preparing.reset(talk))
        self._pin.unlock(talk)
        self._say(sim="ready")
        preparing.tried(talk, "AT+CREG=1")
        talk.armed = True
        memories, stored_reports = preparing.settings(talk)
        link, self._route = preparing.tried(talk, "AT+CMMS=1"), preparing.route(talk)
        self._receiver.begin(talk, memories, acknowledges=preparing.acknowledges(talk))
        self._receiver.read_all(stored_reports)
        self._look(talk)
        self._well()
        return errand.Carrier(talk, self._receiver.clear, link)

    def _serve(self, talk: Dialogue, carrier: errand.Carrier) -> None:
        while not self._stopping.is_set():
            if self._errands:
                self._do(talk, carrier, self._errands.popleft())
            else:
                self._wait(talk)
            self._receiver.work()
            if talk.network_changed or time.monotonic() >= self._look_at:
                self._look(talk)
                self._well()

    def _wait(self, talk: Dialogue) -> None:
        """Listens until there is something to do; a modem that says nothing for long is asked if it is there."""
        silent = time.monotonic() - talk.heard
        if silent >= self._patience.alive:
            if talk.moved():
                raise Gone("its port is another one now")
            talk.command("AT")
            return
        self._idle = True
        if not self._errands and not self._receiver.waiting and not self._stopping.is_set():
            talk.listen(min(self._patience.alive - silent, max(0.0, self._look_at - time.monotonic())))
        self._idle = False

    def _do(self, talk: Dialogue, carrier: errand.Carrier, one: errand.Errand) -> None:
        """Every way out of here answers the errand; a fault of the modem also ends the conversation."""
        if wait := self._cap.wait(len(one.rest)):
            one.fail(
                Unreachable("Giới hạn tin mỗi phút / the SIM's rate cap", False, "rate", retry_after=wait)
            )
            return
        try:
            carrier.carry(one, bool(self._errands), self._cap.count)
        except Exception as fault:
            self._errors += 1
            one.fail(self._outcome(fault))
            log.warning("%s: %s: %s", self.name, one.message.reference, fault)
            self._recover(talk, fault)
        else:
            self._errors = 0
            to = phone.masked(one.message.to)
            log.info("%s: %s to %s in %d parts", self.name, one.message.reference, to, len(one.rest))
            one.answer.set_result(one.accepted())
            if self._state.state != state.READY:
                self._say(state=state.READY, reason="")

    def _outcome(self, fault: Exception) -> Refused | Unreachable:
        """What the sender is told."""
        if isinstance(fault, Said) and fault.taken:
            reason = "Modem báo lỗi sau khi nhận tin / the modem said ERROR after it had the text"
            return Unreachable(reason, True, "ERROR")
        if isinstance(fault, Said):
            verdict = _complaint(fault)
            if (
                fault.asked
                and isinstance(verdict, Refused)
                and verdict.scope == "channel"
                and self._errors < 3
            ):
                return Unreachable(verdict.reason, False, verdict.code)  # set up anew, it may work
            return verdict
        taken = getattr(fault, "taken", True)
        if isinstance(fault, Silent):
            return Unreachable("Modem im lặng / the modem fell silent", taken, "silent")
        if isinstance(fault, Rebooted):
            return Unreachable("Modem khởi động lại / the modem started anew", taken, "rebooted")
        return Unreachable("Mất kết nối modem / the modem went away", taken, "gone")

    def _recover(self, talk: Dialogue, fault: Exception) -> None:
        """Back to a modem that takes the next text, or out of the conversation."""
        if isinstance(fault, Silent) and fault.synced and self._errors < 2:
            return
        if not isinstance(fault, Said):
            raise fault
        verdict = _complaint(fault)
        if preparing.sim_of(fault) or ((fault.asked or fault.taken) and self._errors >= 2):
            raise fault
        if fault.taken:
            talk.resync()
        elif isinstance(verdict, Refused) and verdict.scope == "channel":
            self._say(state=state.REFUSED, reason=verdict.reason)

    def _look(self, talk: Dialogue) -> None:
        """The network, the signal, the memory; whether its settings are still ours; and what has waited long enough."""
        talk.network_changed = False
        self._await_network(talk)
        if preparing.route(talk) != self._route:
            raise Rebooted
        stored, memory = self._receiver.counts() or (self._state.stored, self._state.memory)
        self._say(
            signal=preparing.signal(talk),
            operator=preparing.operator(talk),
            stored=stored,
            memory=memory,
        )
        self._receiver.tidy(stored, memory)
        self._look_at = 0.0
        self._say_still()

    def _await_network(self, talk: Dialogue) -> None:
        """Returns once the SIM is registered; until then nothing can be sent. Raises Refused when it is denied, and
        Said when it is no longer there or blocked."""
        while (found := preparing.network(talk)) not in WELL:
            self._say(network=found, signal=None)
            preparing.still_unlocked(talk)
            if found == state.DENIED:
                raise preparing.denied()
            excuse = codes.complaint("cme", "30")
            self._say(state=state.OPENING, reason="Đang tìm mạng / searching for a network")
            self._turn_away(excuse)
            self._say_still()
            if self._stopping.is_set():
                raise Gone("the modem is being closed")
            talk.network_changed = False
            talk.listen(self._patience.search)
        self._say(network=found)

    def _well(self) -> None:
        """From now on messages are taken."""
        if self._ready.is_set():
            return
        with self._gate:
            self._excuse = None
            self._ready.set()
        self._trouble_at = 0.0
        recovered, self._was_well = int(self._was_well), True
        self._say(state=state.READY, reason="", recoveries=self._state.recoveries + recovered)
        log.info("%s: ready", self.name)

    def _fell(self, fault: Exception, pause: float) -> None:
        """The conversation has ended: everybody is told why, at once, until another one works."""
        excuse, changes = self._why(fault)
        log.log(self._loudness(fault, pause), "%s: %s", self.name, fault)
        if not self._stopping.is_set():
            if isinstance(fault, port.Held):  # what it is like is for the process that has it to say
                self._state = replace(self._state, **changes)
            else:
                self._say(**changes)
                self._say_still()
        self._turn_away(excuse)

    def _why(self, fault: Exception) -> tuple[Exception, dict]:
        """What those who send are told, and what the officer's page says."""
        if isinstance(fault, Rebooted):
            reason = "Modem khởi động lại / the modem started anew"
            return Unreachable(reason, False, "rebooted"), {"state": state.OPENING, "reason": reason}
        if isinstance(fault, Silent):
            reason = "Modem không trả lời / the modem does not answer"
            return Unreachable(reason, False, "no_modem"), {
                "state": state.SILENT,
                "reason": reason,
                "signal": None,
            }
        if isinstance(fault, Gone):
            reason = "Không có modem ở cổng / no modem at its port"
            if isinstance(fault, port.Held):
                reason = "Chương trình khác đang giữ cổng modem / another program has the port"
            changes = {"state": state.GONE, "reason": reason, "signal": None, "network": "", "sim": ""}
            return Unreachable(reason, False, "no_modem"), changes
        if not isinstance(fault, Said | Refused):
            reason = "Lỗi chương trình / a fault of the program"
            return Unreachable(reason, False, "bug"), {"state": state.OPENING, "reason": reason}
        return self._trouble(fault)

    def _trouble(self, fault: Said | Refused) -> tuple[Exception, dict]:
        """The modem is there and cannot work. A SIM that fails in the middle of its work is looked at first, and one
        that is missing while the modem wakes up is no alarm yet.
        """
        verdict = _complaint(fault) if isinstance(fault, Said) else fault
        sim = preparing.sim_of(fault) if isinstance(fault, Said) else self._state.sim
        now = time.monotonic()
        self._trouble_at = self._trouble_at or now
        for_good = (
            isinstance(verdict, Refused)
            and not self._ready.is_set()
            and (
                sim in ("pin", "puk")
                or isinstance(fault, Refused)
                or now - self._trouble_at >= self._patience.settle
            )
        )
        if isinstance(verdict, Refused) and not for_good:
            verdict = Unreachable(verdict.reason, False, verdict.code)
        shown = state.REFUSED if for_good else state.OPENING
        return verdict, {"state": shown, "reason": verdict.reason[:200], "sim": sim}

    def _turn_away(self, excuse: Exception) -> None:
        """Answers every message with `excuse`, those that wait and those that come."""
        with self._gate:
            self._excuse = excuse
            self._ready.clear()
            waiting, self._errands = self._errands, deque()
        for one in waiting:
            one.fail(_another(excuse))

    def _rest(self, pause: float) -> None:
        """So long, but no longer than until a port that was gone is there again."""
        end, missing = time.monotonic() + pause, not port.there(self._url)
        while not self._stopping.is_set() and (left := end - time.monotonic()) > 0:
            self._stopping.wait(min(left, self._patience.look_out))
            if missing and port.there(self._url):
                return

    def _say(self, **changes: object) -> None:
        """Tells what has changed."""
        changed = replace(self._state, **changes)
        if changed == self._state:
            return
        if changed.state != self._state.state:
            changed = replace(changed, since=self._clock())
        self._state = changed
        self._states.tell(changed)

    def _say_still(self) -> None:
        """Now and then it is said also that nothing has changed."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + self._patience.look
            self._states.tell(self._state)

    def _loudness(self, fault: Exception, pause: float) -> int:
        """A modem that stays away is told about while the pauses grow, then no more; a bug always is."""
        if not isinstance(fault, Said | Silent | Gone | Rebooted | Refused):
            return logging.ERROR
        return logging.WARNING if pause < self._patience.reopen_most else logging.DEBUG


def _each(on_part: Callable[[PartReport], None] | None) -> Callable[[Sequence[PartReport]], None]:
    """A listener for many out of one for each. It is told all of them again when one was not kept."""
    if on_part is None:
        raise TypeError("somebody must hear the reports")

    def tell(reports: Sequence[PartReport]) -> None:
        for report in reports:
            on_part(report)

    return tell


def _complaint(fault: Said) -> Refused | Unreachable:
    return codes.complaint(fault.table, fault.code) if fault.table else codes.complaint("cms", "500")


def _another(fault: Exception) -> Refused | Unreachable:
    """The same once more: an exception that several threads raise would collect all their traces."""
    if isinstance(fault, Refused):
        return Refused(fault.code, fault.reason, fault.scope, fault.fault, fault.rest_days)
    assert isinstance(fault, Unreachable)
    return Unreachable(fault.reason, fault.sent, fault.code, fault.retry_after)
