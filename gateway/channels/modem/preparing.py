"""A modem made ready: its SIM unlocked, its network found, its settings made (27.005 chapter 3, 27.007 chapters 7, 8).

Theory: after an unplug, a reboot or a silence nobody knows what the modem still knows, so all of it is done again, by
an order of commands that both cheap sticks and good modems understand. What not every modem has is tried and left.
"""

import re
import time

from gateway.channels import Fault, Refused
from gateway.channels.modem import shelf, state
from gateway.channels.modem.dialogue import Dialogue, Said

BUSY = frozenset({("cms", "314"), ("cms", "515"), ("cme", "14"), ("cme", "515")})
"""The SIM or the modem is still waking up."""

OPERATOR_SECONDS = 10.0
ROUTES = ("2,1,0,1,0", "2,1,0,2,0", "1,1,0,1,0", "1,1,0,2,0", "2,1,0,0,0", "1,1,0,0,0")
"""AT+CNMI: texts are stored and told of; reports are said, or else stored and told of, or else there are none."""

PIN_TRIES = 2
"""How often a PIN is entered at most before the SIM says READY; a refusal ends it at once."""

_NETWORKS = {
    "0": state.OFF, "1": state.HOME, "2": state.SEARCHING, "3": state.DENIED, "4": state.SEARCHING,
    "5": state.ROAMING, "6": state.HOME, "7": state.ROAMING, "8": state.DENIED, "9": state.HOME, "10": state.ROAMING,
}  # fmt: skip
_SIM_CODES = {
    ("cme", "10"): "absent", ("cms", "310"): "absent", ("cme", "11"): "pin", ("cms", "311"): "pin",
    ("cme", "16"): "pin", ("cme", "12"): "puk", ("cms", "316"): "puk", ("cme", "13"): "failure",
    ("cme", "15"): "failure", ("cms", "313"): "failure", ("cms", "315"): "failure",
}  # fmt: skip


class Pin:
    """The SIM's PIN. It is never entered again once it was wrong, and the SIM's last try is a person's."""

    def __init__(self, value: str | None) -> None:
        self._value = value or ""
        self._wrong, self._entries = False, 0

    def unlock(self, talk: Dialogue) -> None:
        """Raises Said where the SIM cannot be used, Refused where the PIN must not be entered."""
        answer = _sim_says(talk)
        if answer == "SIM PIN":
            self._enter(talk)
            answer = _woken(talk)
        if answer != "READY":
            raise _shut(answer)
        self._entries = 0

    def _enter(self, talk: Dialogue) -> None:
        if not self._value:
            raise Said("cme", "11")
        if not re.fullmatch(r"\d{4,8}", self._value):
            raise _barred("PIN", "Mã PIN phải là 4-8 chữ số", "a PIN is 4-8 digits")
        if self._wrong or self._entries >= PIN_TRIES:
            raise Said("cme", "16")
        if _tries_left(talk) == 1:
            raise _barred(
                "PIN",
                "Chỉ còn một lần thử PIN, hãy nhập bằng tay",
                "one try of the PIN is left: enter it by hand",
            )
        self._entries += 1
        try:
            talk.command(f'AT+CPIN="{self._value}"', talk.patience.waking)
        except Said as fault:
            if (fault.table, fault.code) in BUSY:
                raise
            self._wrong = True
            raise Said("cme", "16") from fault


def reset(talk: Dialogue) -> str:
    """The modem answers, and says its make and model; nothing of the SIM is needed yet."""
    talk.resync()
    optional(talk, "ATZ")
    talk.command("ATE0")
    optional(talk, "AT+CMEE=1")
    talk.quiet = not talk.repeats()
    names = [_first(optional(talk, text)) for text in ("AT+CGMI", "AT+CGMM")]
    return " ".join(filter(None, names))[:80]


def settings(talk: Dialogue) -> tuple[shelf.Shelf, bool]:
    """Sets up the SMS service: its memories, and whether the modem stores reports and does not say them."""
    patiently(talk, "AT+CMGF=0")
    if not re.search(r'"\+?\d', " ".join(patiently(talk, "AT+CSCA?"))):
        raise _barred("CSCA", "SIM chưa có số trung tâm tin nhắn", "the SIM has no message centre")
    memories = shelf.Shelf(talk)
    memories.choose()
    taken = next((text for text in ROUTES if tried(talk, f"AT+CNMI={text}")), None)
    if taken is None:
        raise _barred("CNMI", "Modem không báo tin đến", "the modem cannot say what comes in")
    return memories, taken.endswith("2,0")


def route(talk: Dialogue) -> str:
    """How the modem says it tells what comes in; changed, it has started anew behind our back."""
    match = re.search(r"\+CNMI: *([\d, ]+)", " ".join(optional(talk, "AT+CNMI?")))
    return match[1].replace(" ", "") if match else ""


def acknowledges(talk: Dialogue) -> bool:
    """Whether the modem waits for our AT+CNMA after a report (phase 2+, 27.005, 3.2.1).

    It is left as it is: sticks that stop all reports after a thanks they did not like are many, and each thanks is
    one more command between two texts.
    """
    return bool(re.search(r"\+CSMS: *1", " ".join(optional(talk, "AT+CSMS?"))))


def network(talk: Dialogue) -> str:
    """Where the SIM is registered. A stick that is on 4G alone says so by CEREG only."""
    found = _registration(talk.command("AT+CREG?"))
    if found in (state.HOME, state.ROAMING):
        return found
    other = _registration(optional(talk, "AT+CEREG?"))
    return other if other in (state.HOME, state.ROAMING) else found


def signal(talk: Dialogue) -> int | None:
    """In dBm."""
    match = re.search(r"\+CSQ: *(\d+)", " ".join(optional(talk, "AT+CSQ")))
    return 2 * int(match[1]) - 113 if match and int(match[1]) <= 31 else None


def operator(talk: Dialogue) -> str:
    match = re.search(r'\+COPS: *\d,\d,"([^"]*)"', " ".join(optional(talk, "AT+COPS?", OPERATOR_SECONDS)))
    return match[1][:40] if match else ""


def sim_of(fault: Said) -> str:
    """What an error says about the SIM; "" when nothing."""
    return _SIM_CODES.get((fault.table, fault.code), "")


def still_unlocked(talk: Dialogue) -> None:
    """Raises Said where the SIM is not what it was when it was unlocked: drawn, blocked, or new."""
    answer = _sim_says(talk)
    if answer != "READY":
        raise _shut(answer)


def denied() -> Refused:
    return _barred("CREG 3", "Mạng từ chối SIM này", "the network denies this SIM")


def optional(talk: Dialogue, text: str, wait: float | None = None) -> list[str]:
    """The answer of a command that not every modem has; nothing from one that has not."""
    try:
        return talk.command(text, wait)
    except Said:
        return []


def tried(talk: Dialogue, text: str) -> bool:
    """Whether the modem takes a command."""
    try:
        talk.command(text)
    except Said:
        return False
    return True


def patiently(talk: Dialogue, text: str) -> list[str]:
    """The answer of a command that a SIM which is still waking up may not be ready for."""
    end = time.monotonic() + talk.patience.waking
    while True:
        try:
            return talk.command(text)
        except Said as fault:
            if (fault.table, fault.code) not in BUSY or time.monotonic() >= end:
                raise
        talk.listen(0.5)


def _shut(answer: str) -> Said:
    return Said("cme", {"SIM PIN": "11", "SIM PUK": "12", "SIM PUK2": "12"}.get(answer, "13"))


def _sim_says(talk: Dialogue) -> str:
    """READY, SIM PIN, SIM PUK, …"""
    match = re.search(r"\+CPIN: *([\w -]+)", " ".join(patiently(talk, "AT+CPIN?")))
    return match[1].strip() if match else ""


def _woken(talk: Dialogue) -> str:
    """What a SIM says that has just got its PIN: it needs a moment for READY."""
    end = time.monotonic() + talk.patience.waking
    while (answer := _sim_says(talk)) != "READY" and time.monotonic() < end:
        talk.listen(0.5)
    return answer


def _tries_left(talk: Dialogue) -> int | None:
    """Of the PIN, where the modem can say it: 3GPP's question, then a common stick's."""
    match = re.search(r"\+CPINR: *SIM PIN, *(\d+)", " ".join(optional(talk, 'AT+CPINR="SIM PIN"')))
    if match:
        return int(match[1])
    match = re.search(r"\^CPIN: *SIM PIN, *(\d*), *\d+, *(\d+)", " ".join(optional(talk, "AT^CPIN?")))
    return int(match[1] or match[2]) if match else None


def _registration(lines: list[str]) -> str:
    match = re.search(r"\+C[EG]?REG: *\d, *(\d+)", " ".join(lines))
    return _NETWORKS.get(match[1], "") if match else ""


def _first(lines: list[str]) -> str:
    """A name is said bare, or behind the command's own; what else stands there was unasked."""
    names = (re.sub(r"^\+CGM[IM]: *", "", line) for line in lines)
    return next((name.strip(' "') for name in names if not name.startswith(("^", "+"))), "")


def _barred(code: str, vietnamese: str, english: str) -> Refused:
    return Refused(code, f"{vietnamese} / {english}", "channel", Fault.CONFIG)
