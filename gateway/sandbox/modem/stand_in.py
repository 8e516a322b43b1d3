"""The modem as a whole: its port, the one thread that owns it, and what may be done to it from outside."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from gateway.sandbox import air, faults, network
from gateway.sandbox.modem import card as cards
from gateway.sandbox.modem import judge as judging
from gateway.sandbox.modem.arriving import Air, Arrival
from gateway.sandbox.modem.commands import Commands
from gateway.sandbox.modem.hearing import Ear
from gateway.sandbox.modem.modes import Modes
from gateway.sandbox.modem.port import Port
from gateway.sandbox.modem.script import Fault, Script, Scripted
from gateway.sandbox.modem.sending import Sending

log = logging.getLogger(__name__)

SIM = "+84900000099"
MEMORY = 50
BOOT_SECONDS = 3.0
KEPT = 10_000

_FILLER = "XN"


class ModemStandIn:
    """One modem with one SIM. `url` is what the product's modem channel is given."""

    def __init__(
        self,
        link_path: Path | str,
        phones: network.Network,
        delay: float = 1.0,
        *,
        name: str = "modem",
        pin: str | None = None,
        reports: str = "both",
        memory: int = MEMORY,
        report_memory: int = 20,
        ack_seconds: float = 15.0,
        operator: str = "Viettel",
        number: str = SIM,
        judge: judging.Judge | None = None,
    ) -> None:
        """`link_path` becomes a symbolic link to the pty. `delay`: seconds to a status report.

        `name` is what faults of this modem alone are for.
        """
        self.name, self.phones, self._delay = name, phones, delay
        self.judge, self.script_rows = judge or judging.Judge(), Script()
        self.card = cards.Card(number, operator, pin)
        sizes = {"ME": memory, "SM": memory, "SR": report_memory}
        self.memories = {key: cards.Memory(key, size) for key, size in sizes.items()}
        self.modes = Modes()
        self.port = Port(Path(link_path), self.soon)
        self.air, self.sending = Air(self, ack_seconds), Sending(self)
        self._commands = Commands(self, reports)
        self._ear = Ear(self.sending, self.judge, self._obey, self._echo)
        self.commands: deque[str] = deque(maxlen=KEPT)
        self.idle: deque[float] = deque(maxlen=KEPT)
        self.boots = self.pin_tries = 0
        self._changed = threading.Condition(threading.RLock())
        self._due: list[tuple[float, int, int | None, Callable[[], None]]] = []
        self._order, self._life = itertools.count(), 0
        self._afterwards: list[Callable[[], None]] = []
        self._silent_until: float | None = None
        self._answered, self._answered_at = False, None
        self._page: dict[str, bool] = {}
        self._wake_read = self._wake_write = None
        self._stopping = False

    # What a test, the page or a person does to it.

    @property
    def url(self) -> str:
        return f"serial://{self.port.link.absolute()}?baud=115200"

    def start(self) -> None:
        self._wake_read, self._wake_write = os.pipe()
        self.port.plug()
        self.boots += 1
        self.card.boot()
        self.phones.faults.watch(self._look_at_page)
        self._look_at_page()
        self._thread = threading.Thread(target=self._run, name=f"{self.name}-stand-in", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """As when it is pulled out: the link goes away and whoever has it open gets an error."""
        self.phones.faults.unwatch(self._look_at_page)
        with self._changed:
            self._stopping = True
            self._kick()
        self._thread.join()
        with self._changed:
            self.port.unplug()
            for descriptor in (self._wake_read, self._wake_write):
                os.close(descriptor)
            self._wake_read = self._wake_write = None

    def script(
        self, fault: Fault | str, *, after: int = 0, times: int | None = 1, to: str | None = None,
        part: int | None = None, **details: Any,
    ) -> Scripted:  # fmt: skip
        """A fault to come; the package's docstring lists them."""
        with self._changed:
            return self.script_rows.add(fault, after, times, to, part, details)

    def heal(self) -> None:
        """No fault is to come any more."""
        with self._changed:
            self.script_rows.clear()

    def silence(self, seconds: float) -> None:
        """It hears and says nothing."""
        self._do(lambda: self.disaster(Fault.SILENCE, seconds))

    def unplug(self, seconds: float | None = None) -> None:
        """Pulled out; after so many seconds it is back. None: until `plug`."""
        self._do(lambda: self.disaster(Fault.UNPLUG, seconds))

    def plug(self) -> None:
        self._do(self._plug)

    def reboot(self, seconds: float = BOOT_SECONDS) -> None:
        self._do(lambda: self.restart(seconds))

    def register(self, place: int) -> None:
        """The network lets go of it, or takes it: 0 none, 1 home, 2 searching, 3 denied, 5 roaming."""
        self._do(lambda: self.alter(None, registration=place))

    def sim_state(self, state: str) -> None:
        """ValueError for a state there is not."""
        if state not in cards.STATES:
            raise ValueError(f"a SIM is one of {', '.join(cards.STATES)}")
        self._do(lambda: self.alter(None, state=state))

    def signal(self, strength: int) -> None:
        self._do(lambda: setattr(self.card, "signal", strength))

    def fill(self, memory: str = "ME") -> None:
        """The rest of a memory is full of texts that were read."""
        with self._changed:
            (text, length), *_ = air.delivers(SIM, _FILLER, int(time.time()), reference=0)
            while self.memories[memory].store(text, length, cards.READ) is not None:
                pass

    def say(self, line: str | bytes) -> None:
        """An unasked line, or octets as they are."""
        octets = line if isinstance(line, bytes) else f"\r\n{line}\r\n".encode("latin-1")
        self._do(lambda: None if self.away else self.write(octets))

    def incoming(
        self, sender: str, text: str, *, hold: bool = False, reference: int | None = None, bits: int = 8,
        parts: Iterable[int] | None = None,
    ) -> None:  # fmt: skip
        """A person sends a text to the SIM. ValueError when the memory is full and `hold` is False."""
        joint = next(self._order) if reference is None else reference
        made = air.delivers(sender, text, int(time.time()), reference=joint % (1 << bits), bits=bits)
        chosen = made if parts is None else [made[at - 1] for at in parts]
        with self._changed:
            room = self.memory(2).size - len(self.memory(2).places)
            if not hold and not self.away and self.modes.mt != 2 and len(chosen) > room:
                raise ValueError("the SIM's memory is full")
            self._do(lambda: [self.air.bring(Arrival("CMT", one, length)) for one, length in chosen])

    def arrive(self, hex: str, length: int) -> None:
        """Any DELIVER PDU."""
        self._do(lambda: self.air.bring(Arrival("CMT", hex, length)))

    def wait(self, ready: Callable[[ModemStandIn], Any], seconds: float) -> bool:
        """Waits until `ready(modem)`; False when it is not so within `seconds`."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: ready(self), seconds))

    def stored(self) -> dict[str, int]:
        with self._changed:
            return {name: len(memory.places) for name, memory in self.memories.items()}

    @property
    def held(self) -> int:
        return len(self.air.held)

    # What its parts use, in its own thread or under its lock.

    @property
    def away(self) -> bool:
        """Nothing can be said to a client now."""
        return self.port.master is None or self._silent_until is not None

    def on(self, fault: str, target: str | None = None) -> bool:
        return self.phones.faults.on(fault, target, self.name)

    def receipts(self, more: float, to: str) -> list[float]:
        return [one + more for one in self.phones.faults.receipts(self._delay, to)]

    def memory(self, number: int) -> cards.Memory:
        """The memory that AT+CPMS names first (read), second (write) or third (receive)."""
        return self.memories[self.modes.names[number]]

    def tell(self, *lines: str) -> None:
        self.port.say("".join(f"\r\n{line}\r\n" for line in lines).encode("latin-1"))

    def write(self, octets: bytes) -> None:
        self.port.say(octets)

    def flush(self) -> None:
        self.port.flush()

    def answered(self) -> None:
        """A message had its final result."""
        self._answered = True

    def after_answer(self, call: Callable[[], None]) -> None:
        self._afterwards.append(call)

    def run_after_answer(self) -> None:
        while self._afterwards:
            self._afterwards.pop(0)()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """In the modem's thread, whatever happens to the modem until then."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), None, call))

    def soon(self, seconds: float, call: Callable[[], None]) -> None:
        """The same, forgotten when the modem falls silent, is pulled out or boots until then."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), self._life, call))

    def deliver(self, one: judging.Taken) -> None:
        """A PDU is on the air; a whole text is on the phone."""
        whole = self.judge.keep(one)
        if whole:
            ref = "-".join(str(part.number) for part in whole)
            text = whole[0].text if len(whole) == 1 else judging.joined(whole)
            self.phones.deliver(
                one.phone, via="sms", sender=self.card.number, text=text, parts=one.total, ref=ref
            )

    def opened(self) -> None:
        """The SIM was just unlocked."""
        self.tell("+CPIN: READY")
        self._say_registration()
        self.air.release()

    def disaster(self, fault: Fault, seconds: float | None) -> None:
        if fault is Fault.UNPLUG:
            self._end_life()
            self.port.unplug()
            if seconds is not None:
                self.soon(seconds, self._plug)
        elif fault is Fault.REBOOT:
            self.restart(seconds)
        else:
            self._hush(seconds)

    def restart(self, seconds: float) -> None:
        self._hush(seconds, self._boot)

    # The inside.

    def _hush(self, seconds: float, then: Callable[[], None] | None = None) -> None:
        self._end_life()
        self._silent_until = time.monotonic() + seconds
        self.soon(seconds, then or self._wake_up)

    def _end_life(self) -> None:
        """Whatever was under way is not any more."""
        self.port.flush()
        self.port.hush()
        self._life += 1
        self._ear.forget()
        self.sending.stop()
        self._silent_until = None

    def _wake_up(self) -> None:
        self._silent_until = None
        self.air.release()

    def _boot(self) -> None:
        self._silent_until = None
        self.boots += 1
        self.card.boot()
        self.modes = Modes()
        self.sending.boot()
        self.air.boot()
        state = "NOT INSERTED" if self.card.state == cards.ABSENT else self.card.state
        self.tell("RDY", "+CFUN: 1", f"+CPIN: {state}")
        if self.card.state == cards.READY:
            self.tell("Call Ready", "SMS Ready")
        self.air.release()

    def _plug(self) -> None:
        if self.port.master is None and not self.on(faults.MODEM_UNPLUGGED):
            self.port.plug()
            self._boot()

    def alter(self, seconds: float | None, **changes: Any) -> None:
        """Something about the SIM is otherwise; for so many seconds, or for good."""
        before = self.card.place
        if seconds is not None:
            was = {name: getattr(self.card, name) for name in changes}
            self.later(seconds, lambda: self.alter(None, **was))
        for name, value in changes.items():
            setattr(self.card, name, value)
        if self.card.place != before:
            self._say_registration()
            self.air.release()

    def _say_registration(self) -> None:
        for name, level in self.modes.creg.items():
            if level and not self.away:
                self.tell(f"{name}: {self.card.place}")

    def _look_at_page(self) -> None:
        """The faults that concern the modem as a whole, as they are switched now."""
        self._do(self._follow_page)

    def _follow_page(self) -> None:
        acts: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
            faults.MODEM_UNPLUGGED: (lambda: self.disaster(Fault.UNPLUG, None), self._plug),
            faults.MODEM_DEAF: (lambda: self._hush(1e9), self._wake_up_again),
            faults.MODEM_REBOOT: (lambda: self.restart(BOOT_SECONDS), lambda: None),
            faults.MODEM_NO_NETWORK: (
                lambda: self.alter(None, registration=2),
                lambda: self.alter(None, registration=1),
            ),
            faults.MODEM_DENIED: (
                lambda: self.alter(None, registration=3),
                lambda: self.alter(None, registration=1),
            ),
            faults.MODEM_NO_SIM: (lambda: self.alter(None, state=cards.ABSENT), self._put_back),
            faults.MODEM_PUK: (lambda: self.alter(None, state=cards.PUK), self._put_back),
            faults.MODEM_FULL: (self.fill, lambda: None),
            faults.MODEM_SLOW: (self.sending.pace, self.sending.pace),
        }
        for name, (begin, end) in acts.items():
            now = self.on(name)
            if now != self._page.get(name, False):
                self._page[name] = now
                (begin if now else end)()

    def _wake_up_again(self) -> None:
        self._end_life()
        self.air.release()

    def _put_back(self) -> None:
        self.alter(None, state=cards.PIN if self.card.pin else cards.READY)

    def _do(self, call: Callable[[], Any]) -> None:
        with self._changed:
            call()
            self.port.flush()
            self._kick()
            self._changed.notify_all()

    def _kick(self) -> None:
        if self._wake_write is not None:
            os.write(self._wake_write, b"x")

    def _run(self) -> None:
        while True:
            master, wait = self.port.master, self._wait()
            sources = [self._wake_read] if master is None else [master, self._wake_read]
            try:
                ready, _, _ = select.select(sources, [], [], wait)
            except OSError:  # it was pulled out in this very moment
                ready = []
            with self._changed:
                if self._stopping:
                    return
                if self._wake_read in ready:
                    os.read(self._wake_read, 65_536)
                try:
                    self._turn(master in ready and master == self.port.master)
                except Exception as fault:
                    # Without its thread every client would only see a silence, and nobody why.
                    log.exception("sandbox: the modem failed by itself")
                    self.judge.object(f"the stand-in itself failed: {fault!r}")
                self._changed.notify_all()

    def _turn(self, readable: bool) -> None:
        if readable:
            octets = self.port.read()
            if self._silent_until is None:
                self._ear.hear(octets)
        self._run_due()
        self.port.flush()
        if self._answered:
            self._answered, self._answered_at = False, time.monotonic()

    def _wait(self) -> float | None:
        with self._changed:
            return max(0.0, self._due[0][0] - time.monotonic()) if self._due else None

    def _run_due(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            _, _, life, call = heapq.heappop(self._due)
            if life is None or life == self._life:
                call()

    def _obey(self, line: str) -> None:
        if self._answered_at is not None:
            self.idle.append(time.monotonic() - self._answered_at)
            self._answered_at = None
        self.commands.append(line)
        sending = line[:8].upper() == "AT+CMGS="
        if not sending and (row := self.script_rows.on_command(line)):
            self.tell(*row["lines"])
            return
        self._commands.obey(line)

    def _echo(self, octets: bytes) -> None:
        if self.modes.echo:
            self.write(octets)
