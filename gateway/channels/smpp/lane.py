"""The SMPP channel: one thread owns the line; everybody else puts messages in its queue and waits.

Theory: the line carries many unanswered submits at once, answers come in any order, and it drops at any moment.
With one owner there is nothing to lock and one place to recover. Every submit that was put ends in one of four
ways: taken, refused, unknown (it left, and no answer came), or not sent (it had not wholly left when the line
dropped); so every message gets an honest answer, once. The line is then made again, at first soon, then less
and less often; while there is none, messages are turned away at once, not kept.
"""

import logging
import queue
import random
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

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
    texting,
)
from gateway.channels.smpp import errands, heard
from gateway.channels.smpp.link import Bell, Dropped, Link, connect
from gateway.channels.smpp.session import Barred, Session, Terms, Window
from gateway.channels.strangers import Strangers
from gateway.rules.smpp import texts
from gateway.rules.smpp.pdus import Address, Bind, ShortMessage, Status, validity
from gateway.rules.sms import alphabet

log = logging.getLogger(__name__)

CLOSING = "đang đóng đường truyền / the line is being closed"
AWAY = "không có đường truyền tới SMSC / no line to the SMSC"
PORTS = {"smpp": 2775, "smpps": 3550}
_TELEPHONE = (1, 1)


@dataclass(frozen=True)
class Patience:
    """Seconds. `bind`: to connect, and to be let in. `slower`: a rest after "throttled". `still_bound`: an SMSC may
    take a dropped line for alive so long, and say "already bound"; only after that it is our settings' fault.
    """

    bind: float = 5.0
    reopen: float = 1.0
    reopen_most: float = 60.0
    slower: float = 1.0
    unbind: float = 2.0
    still_bound: float = 300.0
    rest_of_text: float = heard.PATIENCE


class Smpp:
    """One account at one SMSC. It works from the moment it is made, until `close`."""

    by_part = True
    """Receipts come by part."""

    def __init__(
        self,
        name: str,
        url: str,
        system_id: str,
        password: str,
        *,
        system_type: str = "",
        source: str = "",
        source_ton: int = 5,
        source_npi: int = 0,
        data_coding: str = "gsm",
        concat: texts.Concat = "udh",
        reference_bits: int = 8,
        window: int = 10,
        enquire_seconds: float = 30,
        timeout: float = 10.0,
        unicode: bool = False,
        concurrency: int = 10,
        on_part: Callable[[PartReport], None],
        on_incoming: Callable[[Incoming], None],
        clock: Callable[[], int],
        patience: Patience | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`url`: smpp://host:2775, or smpps:// with TLS. `window`: submits without an answer at once.

        `data_coding`: what the SMSC takes for its default alphabet. `unicode` False sends plain letters only.
        `timeout`: seconds for the answer to a submit. `on_part` and `on_incoming` raise when they have not kept
        what they were told; the SMSC says it again. `clock` gives epoch seconds.
        """
        self.name, self.concurrency = name, concurrency
        self._host, self._port, self._tls = _place(url, tls)
        self._source = Address(source_ton, source_npi, source)
        self._coding, self._concat, self._bits = data_coding, concat, reference_bits
        self._unicode, self._patience = unicode, patience or Patience()
        self._terms = self._agreed(Bind(system_id, password, system_type), enquire_seconds, timeout)
        self._window = Window(window, self._patience.slower)
        self._jobs: queue.SimpleQueue[errands.Errand | None] = queue.SimpleQueue()
        self._stopping, self._ready, self._gate = threading.Event(), threading.Event(), threading.Lock()
        self._strangers, self._bell = Strangers(), Bell()
        self._pause, self._bound_at = self._patience.reopen, None
        self._ear = heard.Ear(data_coding, on_part, on_incoming, clock, self._patience.rest_of_text)
        self._thread = threading.Thread(target=self._own, name=f"smpp-{name}", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> Accepted:
        texting.mobile(message.to)
        errand = self._errand(message)
        if not errand.pieces:
            return Accepted(None, parts=0)
        with self._gate:
            if self._stopping.is_set():
                raise Unreachable(CLOSING, sent=False)
            self._jobs.put(errand)
        self._bell.ring()
        return errand.answer.result()

    def submits(self, text: str) -> int:
        """How many parts a text is handed over in; ValueError where it is longer than any may be."""
        text = text if self._unicode else alphabet.safe(text)
        how = {"coding": self._coding, "reference_bits": self._bits}
        return len(texts.pieces(text, joint=0, concat=self._concat, **how))

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """Few SMSCs answer query_sm; receipts come by themselves."""
        return None

    def ready(self) -> bool:
        """Whether the SMSC has let us in and the line stands."""
        return self._ready.is_set()

    @property
    def window(self) -> int:
        """How many submits may be unanswered now; fewer after the SMSC had too much to do."""
        return self._window.size

    def close(self) -> None:
        """Ends after what is unanswered; what is not begun is turned away."""
        with self._gate:
            self._stopping.set()
            self._jobs.put(None)
        self._bell.ring()
        self._thread.join()
        self._ear.close()
        self._bell.close()

    def _errand(self, message: Message) -> errands.Errand:
        text = message.text if self._unicode else alphabet.safe(message.text)
        how = {"coding": self._coding, "reference_bits": self._bits}
        try:
            made = texts.pieces(text, joint=message.joint, concat=self._concat, **how)
            return errands.of(message, made, texts.count(text, **how))
        except ValueError as fault:
            raise Refused("length", f"tin quá dài / {fault}", "message", Fault.BUG) from fault

    def _agreed(self, bind: Bind, enquire: float, timeout: float) -> Terms:
        own = self._patience
        return Terms(
            bind.octets, self._submit, self._complaint, own.bind, timeout, enquire, own.slower, own.unbind
        )

    def _complaint(self, status: int, message: Message) -> Refused | Unreachable:
        return self._strangers.complaint("smpp", _code(status), "", message)

    def _submit(self, message: Message, piece: texts.Piece, with_validity: bool) -> bytes:
        seconds = message.valid_seconds if with_validity else None
        return ShortMessage(
            self._source,
            Address(*_TELEPHONE, texting.mobile(message.to).international),
            piece.text,
            piece.data_coding,
            piece.esm_class,
            registered=1,
            validity="" if seconds is None else validity(seconds),
            parameters=piece.parameters,
        ).octets

    # Everything below runs in the owner thread only.

    def _own(self) -> None:
        while not self._stopping.is_set():
            fault: Exception = Dropped("the session has ended")
            try:
                with closing(self._open()) as link:
                    self._converse(link)
            except (Dropped, Barred) as found:
                fault = found
                log.log(self._loudness(), "smpp %s: %s", self.name, found)
            except Exception as found:
                # Whatever it was, the thread must live: a dead owner leaves its callers waiting for ever.
                fault = found
                log.exception("smpp %s", self.name)
            self._ready.clear()
            excuse = self._excuse(fault)
            self._turn_away(excuse, random.uniform(0.5, 1.0) * self._pause)
            self._pause = min(2 * self._pause, self._patience.reopen_most)
        self._turn_away(lambda: Unreachable(CLOSING, sent=False), 0)

    def _open(self) -> Link:
        return Link(connect(self._host, self._port, self._tls, self._patience.bind))

    def _converse(self, link: Link) -> None:
        session = Session(link, self._terms, self._jobs, self._bell, self._ear.hear, self._window)
        excuse = self._excuse(Dropped("the session has ended"))
        try:
            session.serve(self._stopping, self._bound)
        except Barred as fault:
            excuse = self._excuse(fault)
            raise
        finally:
            session.end(excuse)

    def _bound(self) -> None:
        self._ready.set()
        self._pause, self._bound_at = self._patience.reopen, time.monotonic()
        log.info("smpp %s: bound", self.name)

    def _excuse(self, fault: Exception) -> Callable[[], Refused | Unreachable]:
        """What those hear whose message was not begun."""
        if not isinstance(fault, Barred) or self._still_bound(fault.status):
            return lambda: Unreachable(AWAY, False, "no_line")
        return lambda: codes.complaint("smpp", _code(fault.status))

    def _still_bound(self, status: int) -> bool:
        """Whether the SMSC only takes our dropped line for alive; it will find out."""
        if status != Status.ALREADY_BOUND or self._bound_at is None:
            return False
        return time.monotonic() < self._bound_at + self._patience.still_bound

    def _loudness(self) -> int:
        """An SMSC that stays away is told about while the pauses grow, then no more."""
        return logging.WARNING if self._pause < self._patience.reopen_most else logging.DEBUG

    def _turn_away(self, excuse: Callable[[], Refused | Unreachable], seconds: float) -> None:
        """Answers every message with `excuse`, for so long (0: those that wait now)."""
        end = time.monotonic() + seconds
        while True:
            left = 0 if self._stopping.is_set() else max(0.0, end - time.monotonic())
            try:
                errand = self._jobs.get(timeout=left) if left else self._jobs.get_nowait()
            except queue.Empty:
                if not left:
                    return
            else:
                if errand is not None:
                    errand.answer.set_exception(excuse())


def _place(url: str, tls: ssl.SSLContext | None) -> tuple[str, int, ssl.SSLContext | None]:
    """Host, port, and with smpps:// the certificates that are believed, as a rule the system's."""
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise ValueError("an SMSC's url looks like smpp://host:2775, or smpps:// with TLS")
    secure = (tls or ssl.create_default_context()) if parts.scheme == "smpps" else None
    return parts.hostname, parts.port or PORTS[parts.scheme], secure


def _code(status: int) -> str:
    return f"0x{status:02X}"
