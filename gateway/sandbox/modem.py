"""The stand-in GSM modem: a pty that speaks AT in PDU mode, and is strict about it.

A wrong length, a bad PDU, a text before AT+CMGF=0: each gets the error a real modem gives. What it takes it
puts on the phone, whole texts only, and reports each part by its own number.
"""

import logging
import os
import pty
import re
import select
import threading
import time
import tty
from pathlib import Path

from gateway.rules import phone
from gateway.rules.sms import fields, pdu
from gateway.sandbox import air, faults, network, postman

log = logging.getLogger(__name__)

SIM = "+84900000099"
MEMORY = 50
DELIVERED, NOT_OBTAINABLE = 0x00, 0x43
ESCAPE, END, RETURN = 0x1B, 0x1A, 0x0D

_FIXED = {
    "AT": "",
    "ATZ": "",
    "AT+CMEE=1": "",
    "AT+CPIN?": "+CPIN: READY",
    "AT+CREG?": "+CREG: 0,1",
    "AT+CSQ": "+CSQ: 21,99",
    'AT+CSCS="GSM"': "",
    "AT+CSCA?": '+CSCA: "+84900000023",145',
    "AT+CMMS=1": "",
}


class ModemStandIn:
    """One modem with one SIM. `url` is what the product's modem channel is given."""

    def __init__(
        self, link_path: Path | str, phones: network.Network, post: postman.Postman, delay: float = 1.0
    ) -> None:
        """`link_path` becomes a symbolic link to the pty. `delay`: seconds to a status report."""
        self._link, self._phones, self._post, self._delay = Path(link_path), phones, post, delay
        self._lock = threading.Lock()
        self._input, self._echo, self._pdu_mode, self._expected = bytearray(), True, False, None
        self._reports, self._texts = False, False
        self._number = self._index = 0
        self._memory: dict[int, tuple[str, int]] = {}
        self._joins: dict[tuple[str, int, int], dict[int, tuple[str, int]]] = {}
        self._commands = (
            (r"ATE([01])", self._set_echo),
            (r"AT\+CMGF=([01])", self._set_format),
            (r'AT\+CPMS="ME"(?:,"ME","ME")?', self._use_memory),
            (r"AT\+CNMI=2,([01]),0,([01]),0", self._set_indications),
            (r"AT\+CMGS=(\d+)", self._begin_text),
            (r"AT\+CMGR=(\d+)", self._show_text),
            (r"AT\+CMGD=(\d+)(,3)?", self._delete),
            (r"AT\+CMGL=4", self._list_texts),
        )

    @property
    def url(self) -> str:
        return f"serial://{self._link.absolute()}?baud=115200"

    def start(self) -> None:
        self._master, self._slave = pty.openpty()
        # The slave stays open here, so that a client that leaves is no hang-up.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._wake_read, self._wake_write = os.pipe()
        self._link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._link.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self._link)
        self._thread = threading.Thread(target=self._run, name="modem-stand-in", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """As when it is pulled out: the link goes away and whoever has it open gets an error."""
        self._link.unlink(missing_ok=True)
        os.write(self._wake_write, b"x")
        self._thread.join()
        with self._lock:
            for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
                os.close(descriptor)
            self._master = None

    def incoming(self, sender: str, text: str) -> None:
        """A person sends a text to the SIM. ValueError when the SIM's memory is full."""
        parts = air.delivers(sender, text, int(time.time()), reference=self._index % 256)
        with self._lock:
            if len(self._memory) + len(parts) > MEMORY:
                raise ValueError("the SIM's memory is full")
            for part in parts:
                self._index += 1
                self._memory[self._index] = part
                if self._texts:
                    self._say(f'+CMTI: "ME",{self._index}')

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            for octet in os.read(self._master, 4096):
                with self._lock:
                    self._take(octet)

    def _take(self, octet: int) -> None:
        if octet == ESCAPE:
            self._input.clear()
            if self._expected is not None:
                self._expected = None
                self._say("OK")
        elif self._expected is not None:
            self._take_pdu_octet(octet)
        elif octet == RETURN:
            line, self._input = self._input.decode("ascii", "replace").strip(), bytearray()
            if line:
                self._obey(line)
        elif len(self._input) < 1000:
            self._input.append(octet)

    def _take_pdu_octet(self, octet: int) -> None:
        if octet != END:
            if len(self._input) < 1000:
                self._input.append(octet)
            return
        text, self._input = self._input.decode("ascii", "replace").strip(), bytearray()
        length, self._expected = self._expected, None
        self._judge(text, length)

    def _obey(self, line: str) -> None:
        if self._echo:
            self._write(line.encode("ascii", "replace") + b"\r\r\n")
        if line in _FIXED:
            self._say(*filter(None, [_FIXED[line]]), "OK")
            return
        for pattern, act in self._commands:
            if match := re.fullmatch(pattern, line):
                act(*match.groups())
                return
        self._say("ERROR")

    def _set_echo(self, on: str) -> None:
        self._echo = on == "1"
        self._say("OK")

    def _set_format(self, text_mode: str) -> None:
        self._pdu_mode = text_mode == "0"
        self._say("OK")

    def _use_memory(self) -> None:
        used = f"{len(self._memory)},{MEMORY}"
        self._say(f"+CPMS: {used},{used},{used}", "OK")

    def _set_indications(self, texts: str, reports: str) -> None:
        self._texts, self._reports = texts == "1", reports == "1"
        self._say("OK")

    def _begin_text(self, length: str) -> None:
        if not self._pdu_mode:
            self._say("+CMS ERROR: 302")
        elif not 8 <= int(length) <= 164:
            self._say("+CMS ERROR: 304")
        else:
            self._expected = int(length)
            self._write(b"\r\n> ")

    def _show_text(self, index: str) -> None:
        stored = self._memory.get(int(index))
        self._say(*([f"+CMGR: 0,,{stored[1]}", stored[0], "OK"] if stored else ["+CMS ERROR: 321"]))

    def _list_texts(self) -> None:
        rows = [row for at, (text, size) in self._memory.items() for row in (f"+CMGL: {at},0,,{size}", text)]
        self._say(*rows, "OK")

    def _delete(self, index: str, all_read: str | None) -> None:
        self._memory = {} if all_read else {at: one for at, one in self._memory.items() if at != int(index)}
        self._say("OK")

    def _judge(self, text: str, length: int) -> None:
        try:
            submitted = pdu.read_submit(text)
            right = len(text) // 2 - 1 - int(text[:2], 16) == length
        except fields.Malformed:
            right = False
        if not right:
            self._say("+CMS ERROR: 304")
            return
        number = phone.parse(submitted.to)
        to = number.e164 if isinstance(number, phone.Phone) else submitted.to
        if not isinstance(number, phone.Phone) or self._phones.faults.on(faults.SMS_REFUSED, to):
            self._say("+CMS ERROR: 1")
            return
        self._carry(to, submitted)

    def _carry(self, to: str, submitted: pdu.Submitted) -> None:
        number, self._number = self._number, (self._number + 1) % 256
        on = self._phones.faults.on
        failed = on(faults.SMS_FAILED, to)
        if not failed:
            self._put_on_phone(to, submitted, number)
        if submitted.asks_report and self._reports and not on(faults.SMS_NO_RECEIPT, to):
            self._report_later(number, submitted.to, to, NOT_OBTAINABLE if failed else DELIVERED)
        if not on(faults.MODEM_SILENT, to):
            self._say(f"+CMGS: {number}", "OK")

    def _put_on_phone(self, to: str, submitted: pdu.Submitted, number: int) -> None:
        join = submitted.join or pdu.Join(0, 1, 1)
        key = (to, join.reference, join.total)
        parts = self._joins.setdefault(key, {})
        parts[join.number] = (submitted.text, number)
        if len(parts) < join.total:
            return
        del self._joins[key]
        ordered = [parts[at] for at in sorted(parts)]
        text, ref = pdu.joined(one for one, _ in ordered), "-".join(str(at) for _, at in ordered)
        self._phones.deliver(to, via="sms", sender=SIM, text=text, parts=join.total, ref=ref)

    def _report_later(self, number: int, to: str, e164: str, status: int) -> None:
        sent = int(time.time())

        def say() -> None:
            text, length = air.report(number, to, sent, int(time.time()), status)
            with self._lock:
                self._say(f"+CDS: {length}", text)

        for delay in self._phones.faults.receipts(self._delay, e164):
            self._post.later(delay, say)

    def _say(self, *lines: str) -> None:
        self._write("".join(f"\r\n{line}\r\n" for line in lines).encode("ascii"))

    def _write(self, octets: bytes) -> None:
        if self._master is None:
            return
        try:
            os.write(self._master, octets)
        except BlockingIOError:
            # Nobody reads: what a modem says into a closed port is lost, as with the real one.
            log.info("sandbox: the modem was not heard")
