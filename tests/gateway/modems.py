"""A modem that follows a script, octet for octet, on a pty; and who hears what the channel says."""

import os
import pty
import queue
import re
import select
import threading
import time
import tty
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import modem
from gateway.sandbox import air

AN, BINH = "+84905123456", "+84912345678"
MESSAGE = channels.Message(AN, "appointment", "Ma A042, 14:30 24/11", None, {}, "ntc_1", valid_seconds=86_400)
LONG = replace(MESSAGE, text="Số thứ tự 042. " * 12, joint=0x1234)
NOON = 1_795_429_800
SOON = 10
QUICK = modem.Patience(
    prompt=0.3, answer=0.3, command=0.5, alive=30, search=0.02, reopen=0.02, reopen_most=0.1, look_out=0.02,
    settle=0, again=0.02, sync=0.1, waking=0.1,
)  # fmt: skip
YES, NO_SUCH = "\r\n+CMGS: %d\r\n\r\nOK\r\n", "\r\n+CMS ERROR: 1\r\n"

READY = {
    r"AT\+CPIN\?": "\r\n+CPIN: READY\r\n\r\nOK\r\n",
    r"AT\+CREG\?": "\r\n+CREG: 0,1\r\n\r\nOK\r\n",
    r"AT\+CSCA\?": '\r\n+CSCA: "+84900000023",145\r\n\r\nOK\r\n',
    r"AT\+CMGS=\d+": "\r\n> ",
    "AT": "\r\nOK\r\n",
    r"AT.*": "\r\nOK\r\n",
}


class Script:
    """Answers by pattern; `texts` answers each PDU in turn, the last for ever ("%d" counts up from 7)."""

    def __init__(self, answers=None, texts=(YES,)) -> None:
        self.answers, self.texts = {**(answers or {}), **READY, **(answers or {})}, list(texts)
        self.heard: queue.Queue[str] = queue.Queue()
        self.commands: list[str] = []
        self.pdus: list[str] = []
        self._number = 7
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.url = f"serial://{os.ttyname(self._slave)}?baud=115200"
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def say(self, text: str) -> None:
        os.write(self._master, text.encode("latin-1"))

    def stop(self) -> None:
        os.write(self._wake_write, b"x")
        self._thread.join()
        for descriptor in (self._master, self._slave, self._wake_read, self._wake_write):
            os.close(descriptor)

    def _run(self) -> None:
        heard = b""
        while True:
            if self._wake_read in select.select([self._master, self._wake_read], [], [])[0]:
                return
            heard += self._clean(os.read(self._master, 4096))
            while match := re.search(rb"[\r\x1a]", heard):
                text, heard = heard[: match.start()].decode(), heard[match.end() :]
                if not text:
                    continue
                self._hear(text, match[0] == b"\x1a")

    def _clean(self, octets: bytes) -> bytes:
        return octets.replace(b"\x1b", b"")

    def _hear(self, text: str, is_pdu: bool) -> None:
        (self.pdus if is_pdu else self.commands).append(text)
        answer = self._text_answer() if is_pdu else self._answer(text)
        if callable(answer):
            answer = answer(self)
        self.say(answer)
        self.heard.put(text)

    def _answer(self, text: str):
        return next(answer for pattern, answer in self.answers.items() if re.fullmatch(pattern, text))

    def _text_answer(self):
        answer = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        if isinstance(answer, str) and "%d" in answer:
            self._number += 1
            return answer % (self._number - 1)
        return answer


class Listener:
    """Where reports, texts and states end up; `clock` is moved by hand."""

    def __init__(self) -> None:
        self.reports: queue.Queue[channels.PartReport] = queue.Queue()
        self.texts: queue.Queue[channels.Incoming] = queue.Queue()
        self.states: queue.Queue[modem.State] = queue.Queue()
        self.now = NOON
        self._open: list = []

    def channel(self, url: str, on_incoming=None, on_part=None, patience=QUICK, **words) -> modem.Modem:
        made = modem.Modem(
            "modem", url, on_part=on_part or self.reports.put, on_incoming=on_incoming or self.texts.put,
            on_state=self.states.put, clock=lambda: self.now, patience=patience, **words,
        )  # fmt: skip
        self._open.append(made)
        return made

    def script(self, *args, **words) -> Script:
        made = Script(*args, **words)
        self._open.insert(0, made)
        return made

    def state(self, **wanted) -> modem.State:
        """The first state told that is like this."""
        while True:
            told = self.states.get(timeout=SOON)
            if all(getattr(told, name) == value for name, value in wanted.items()):
                return told

    def close(self) -> None:
        for one in reversed(self._open):
            (one.close if isinstance(one, modem.Modem) else one.stop)()


def status(number: int, state: int = 0, to: str = AN) -> str:
    text, length = air.report(number, to, NOON, NOON, state)
    return f"\r\n+CDS: {length}\r\n{text}\r\n"


def said(*lines: str) -> str:
    return "".join(f"\r\n{line}\r\n" for line in lines)


def wait_for(script: Script, pattern: str) -> None:
    while not re.fullmatch(pattern, script.heard.get(timeout=SOON)):
        pass


def fault_of(channel, message=MESSAGE):
    with pytest.raises((channels.Refused, channels.Unreachable)) as caught:
        channel.send(message)
    return caught.value


def eventually(channel, message):
    """The channel opens its port again by itself; until then it says so at once."""
    end = time.monotonic() + SOON
    while True:
        try:
            return channel.send(message)
        except channels.Unreachable as fault:
            if fault.sent or time.monotonic() > end:
                raise
            threading.Event().wait(0.01)


def wait_until(true, seconds=SOON) -> bool:
    """Whether it comes to be so in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        threading.Event().wait(0.005)
    return True
