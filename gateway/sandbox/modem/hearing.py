"""Commands, PDUs and escapes out of the octets that come in, without looking at each octet."""

from __future__ import annotations

from collections.abc import Callable

from gateway.sandbox.modem.judge import Judge
from gateway.sandbox.modem.sending import Sending, State

ESCAPE, END, RETURN = 0x1B, 0x1A, 0x0D
LONGEST_LINE, LONGEST_PDU = 1_000, 1_000


class Ear:
    """Runs in the modem's thread. `obey` gets each line, `echo` what is to be said back."""

    def __init__(
        self, sending: Sending, judge: Judge, obey: Callable[[str], None], echo: Callable[[bytes], None]
    ) -> None:
        self._sending, self._judge, self._obey, self._echo = sending, judge, obey, echo
        self._input = bytearray()

    def forget(self) -> None:
        self._input.clear()

    def hear(self, octets: bytes) -> None:
        self._input += octets
        while self._input and self._heard():
            pass

    def _heard(self) -> bool:
        """Whether something was done with what came in, so that there may be more."""
        state = self._sending.state
        if state is State.PDU:
            return self._pdu()
        if state in (State.PROMPTING, State.RESULT):
            return self._impatience(state)
        return self._line()

    def _line(self) -> bool:
        at = self._input.find(RETURN)
        if (escape := self._input.rfind(ESCAPE, 0, at if at >= 0 else len(self._input))) >= 0:
            del self._input[: escape + 1]
            self._sending.escape()
            return True
        if at < 0:
            if len(self._input) > LONGEST_LINE:
                self._input.clear()
            return False
        line = bytes(self._input[: at + 1])
        del self._input[: at + 1]
        self._echo(line)
        text = line.strip(b"\r\n\x1a \x00").decode("ascii", "replace")
        if text:
            if self._sending.state is State.LOST:
                self._judge.object(f"no escape after a message without a result, but {text[:60]!r}")
                self._sending.stop()
            self._obey(text)
        if self._sending.state is State.PDU and (early := bytes(self._input).strip(b"\r\n")):
            self._judge.object(f"{early[:60]!r} before the prompt")
        return True

    def _pdu(self) -> bool:
        if self._input[:1] == b"\n":  # a line that ended with CR LF
            del self._input[:1]
            return True
        if self._sending.cut and not self._sending.pdu_begins():
            self._input.clear()
            return False
        end, escape = self._input.find(END), self._input.find(ESCAPE)
        if escape >= 0 and (end < 0 or escape < end):
            del self._input[: escape + 1]
            self._sending.escape()
            return True
        if end < 0:
            if len(self._input) > LONGEST_PDU:
                self._judge.object("a PDU without an end")
                del self._input[LONGEST_PDU:]
            return False
        raw = bytes(self._input[:end])
        self._echo(bytes(self._input[: end + 1]))
        del self._input[: end + 1]
        if early := bytes(self._input).partition(b"\x1b")[0].strip(b"\r\n"):
            self._judge.object(f"{early[:60]!r} before the result of a message")
        self._sending.take(raw.strip(b"\r\n "))
        return True

    def _impatience(self, state: State) -> bool:
        """Octets while a prompt or a result is due: only an escape may come then."""
        octets = bytes(self._input)
        escape = octets.find(ESCAPE)
        early = (octets if escape < 0 else octets[:escape]).strip(b"\r\n")
        if early and not self._sending.given_up:
            self._judge.object(
                f"{early[:60]!r} before the {'prompt' if state is State.PROMPTING else 'result'}"
            )
        self._input.clear()
        if escape < 0:
            return False
        self._sending.escape()
        self._input += octets[escape + 1 :]
        return True
