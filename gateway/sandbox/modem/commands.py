"""The AT commands in PDU mode (3GPP TS 27.005 for messages, 27.007 for the rest), and their test forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gateway.sandbox.modem import card
from gateway.sandbox.modem.card import Stored

if TYPE_CHECKING:
    from gateway.sandbox.modem.stand_in import ModemStandIn

SHORTEST, LONGEST = 8, 164
"""Octets of a SUBMIT without its service centre."""

_ONE = re.compile(
    r'([+^*$%#][A-Z0-9]+)(=\?|\?|=(?:"[^"]*"|[^;"])*)?(?:;|$)|(&?[A-Z])(\d*);?|(S\d+)(=\d+|\?);?',
    re.IGNORECASE,
)
_VALUE = re.compile(r'"([^"]*)"|([^,]*)')

_BASIC = {
    "E": "01", "V": "1", "Q": "0", "X": "01234", "I": "0123456789", "Z": "0", "&F": "0", "&D": "012", "&C": "01",
    "&W": "0", "&K": "03", "H": "0", "L": "0123", "M": "012",
}  # fmt: skip

_TEST = {
    "+CMGF": "(0,1)", "+CMEE": "(0-2)", "+CREG": "(0-2)", "+CGREG": "(0-2)", "+CEREG": "(0-2)", "+CPIN": "",
    "+CSCS": '("GSM","IRA")', "+CSCA": "", "+CSMS": "(0,1)", "+CMGS": "", "+CMGR": "", "+CMGL": "(0-4)",
    "+CNMA": "(0-2)", "+CMMS": "(0-2)", "+CSQ": "(0-31,99),(0-7,99)", "+CNUM": "", "+CGMI": "", "+CGMM": "",
    "+CGMR": "", "+CGSN": "", "+CIMI": "", "+CCID": "", "+CFUN": "(0,1),(0,1)",
    "+CPMS": '("ME","SM","SR"),("ME","SM"),("ME","SM")',
}  # fmt: skip

_IDENTITY = {
    "+CGMI": "SANDBOX", "+GMI": "SANDBOX", "+CGMM": "SB-1", "+GMM": "SB-1", "+CGMR": "1.0", "+GMR": "1.0",
    "+CGSN": "490154203237518", "+GSN": "490154203237518",
}  # fmt: skip

_SAYS = {
    "3": "operation not allowed", "4": "operation not supported", "10": "SIM not inserted",
    "11": "SIM PIN required", "12": "SIM PUK required", "16": "incorrect password", "50": "incorrect parameters",
    "302": "operation not allowed", "303": "operation not supported", "304": "invalid PDU mode parameter",
    "310": "SIM not inserted", "311": "SIM PIN required", "316": "SIM PUK required", "321": "invalid memory index",
    "340": "no +CNMA acknowledgement expected",
}  # fmt: skip

_FORMATS = {"both": (0, 1, 2), "cds": (0, 1), "cdsi": (0, 2), "none": (0,)}


class Fail(Exception):
    """A final result that is an error: its table, and its code; None is a plain ERROR."""

    def __init__(self, table: str, code: str | None) -> None:
        super().__init__(table, code)
        self.table, self.code = table, code


class Commands:
    """Obeys one line after the other, in the modem's thread."""

    def __init__(self, modem: ModemStandIn, reports: str) -> None:
        self._modem, self._formats = modem, _FORMATS[reports]
        self._known = {
            "+CPIN": self._pin, "+CREG": self._registration, "+CGREG": self._registration,
            "+CEREG": self._registration, "+COPS": self._operator, "+CSQ": self._signal, "+CMGF": self._format,
            "+CMEE": self._errors, "+CSCS": self._charset, "+CSCA": self._centre, "+CSMS": self._service,
            "+CPMS": self._memories, "+CNMI": self._indications, "+CMMS": self._more, "+CMGS": self._send,
            "+CMGR": self._read, "+CMGL": self._list, "+CMGD": self._delete, "+CNMA": self._acknowledge,
            "+CNUM": self._own_number, "+CIMI": self._subscriber, "+CCID": self._chip, "+CFUN": self._power,
        }  # fmt: skip

    def obey(self, line: str) -> None:
        modem = self._modem
        try:
            info = self._all(line)
        except Fail as fault:
            modem.tell(self._error(fault))
            return
        if info is not None:
            modem.tell(*info, "OK")
        modem.run_after_answer()

    def _all(self, line: str) -> list[str] | None:
        if line[:2].upper() != "AT":
            self._modem.judge.object(f"not a command: {line[:60]!r}")
            raise Fail("CME", None)
        rest, info = line[2:].strip(), []
        while rest:
            match = _ONE.match(rest)
            if match is None:
                raise Fail("CME", "4")
            name, form, basic, digits = match[1], match[2] or "", match[3], match[4]
            rest = rest[match.end() :].strip()
            if name:
                said = self._extended(name.upper(), form)
            else:
                said = self._basic(basic.upper(), digits or "0") if basic else []
            if said is None:
                return None  # a prompt; whatever stands after it was no command
            info += said
        return info

    def _error(self, fault: Fail) -> str:
        level = self._modem.modes.errors
        if fault.code is None or (fault.table == "CME" and level == 0):
            return "ERROR"
        return f"+{fault.table} ERROR: {_SAYS.get(fault.code, fault.code) if level == 2 else fault.code}"

    def _basic(self, name: str, value: str) -> list[str]:
        if name == "D":
            raise Fail("CME", "3")
        if value not in _BASIC.get(name, ""):
            raise Fail("CME", "4")
        modes = self._modem.modes
        if name == "E":
            modes.echo = value == "1"
        elif name in ("Z", "&F"):
            self._modem.modes = modes.reset()
        elif name == "I":
            return ["SANDBOX", "SB-1", "Revision: 1.0"]
        return []

    def _extended(self, name: str, form: str) -> list[str] | None:
        if form == "=?":
            return self._test(name)
        if name in _IDENTITY and not form:
            return [_IDENTITY[name]]
        act = self._known.get(name)
        if act is None:
            raise Fail("CME", "4")
        return act(name, form)

    def _test(self, name: str) -> list[str]:
        if name == "+CNMI":
            return [f"+CNMI: (0-3),(0-2),(0,2),({','.join(map(str, self._formats))}),(0,1)"]
        if name == "+COPS":
            operator = self._modem.card.operator
            return [f'+COPS: (2,"{operator}","{operator}","45204"),,(0-4),(0-2)']
        if name == "+CMGD":
            used = ",".join(map(str, sorted(self._modem.memory(0).places)))
            return [f"+CMGD: ({used}),(0-4)"]
        if name not in _TEST:
            raise Fail("CME", "4")
        return [f"{name}: {_TEST[name]}"] if _TEST[name] else []

    # The SIM and the network.

    def _need_card(self, table: str) -> None:
        if code := self._modem.card.fault(table):
            raise Fail(table, code)

    def _pin(self, name: str, form: str) -> list[str]:
        sim = self._modem.card
        if form == "?":
            if sim.state == card.ABSENT:
                raise Fail("CME", "10")
            return [f"+CPIN: {sim.state}"]
        values = _values(form)
        if not values or not all(re.fullmatch(r"\d{4,8}", one) for one in values):
            raise Fail("CME", "16" if values else "4")
        before = sim.state
        code = sim.enter(values[0]) if len(values) == 1 else sim.unblock(*values[:2])
        self._modem.pin_tries += 1
        if code:
            raise Fail("CME", code)
        if before != sim.state:
            self._modem.after_answer(self._modem.opened)
        return []

    def _registration(self, name: str, form: str) -> list[str]:
        modes, place = self._modem.modes, self._modem.card.place
        if form == "?":
            cell = ',"00C8","0000002A"' if modes.creg[name] == 2 and place in (1, 5) else ""
            return [f"{name}: {modes.creg[name]},{place}{cell}"]
        modes.creg[name] = _number(form, 0, 2)
        return []

    def _operator(self, name: str, form: str) -> list[str]:
        modem = self._modem
        if form == "?":
            if not modem.card.registered:
                return ["+COPS: 0"]
            said = "45204" if modem.modes.operator_format == 2 else modem.card.operator
            return [f'+COPS: 0,{modem.modes.operator_format},"{said}"']
        values = _values(form)
        if not values or values[0] not in ("0", "1", "2", "3", "4"):
            raise Fail("CME", "50")
        self._need_card("CME")
        if len(values) > 1 and values[1] in ("0", "1", "2"):
            modem.modes.operator_format = int(values[1])
        return []

    def _signal(self, name: str, form: str) -> list[str]:
        _only(form, "")
        sim = self._modem.card
        return [f"+CSQ: {sim.signal if sim.state != card.ABSENT else 99},99"]

    def _own_number(self, name: str, form: str) -> list[str]:
        _only(form, "")
        self._need_card("CME")
        return [f'+CNUM: "","{self._modem.card.number}",145']

    def _subscriber(self, name: str, form: str) -> list[str]:
        _only(form, "")
        self._need_card("CME")
        return ["452040000000099"]

    def _chip(self, name: str, form: str) -> list[str]:
        _only(form, "", "?")
        self._need_card("CME")
        return ["+CCID: 89840400000000000999"]

    def _power(self, name: str, form: str) -> list[str]:
        if form == "?":
            return ["+CFUN: 1"]
        values = _values(form)
        if values == ["1", "1"]:
            self._modem.after_answer(lambda: self._modem.restart(0.0))
        elif values not in (["1"], ["1", "0"]):
            raise Fail("CME", "3")
        return []

    # How things are said.

    def _format(self, name: str, form: str) -> list[str]:
        if form == "?":
            return [f"+CMGF: {0 if self._modem.modes.pdu else 1}"]
        self._modem.modes.pdu = _number(form, 0, 1) == 0
        return []

    def _errors(self, name: str, form: str) -> list[str]:
        if form == "?":
            return [f"+CMEE: {self._modem.modes.errors}"]
        self._modem.modes.errors = _number(form, 0, 2)
        return []

    def _charset(self, name: str, form: str) -> list[str]:
        if form == "?":
            return [f'+CSCS: "{self._modem.modes.charset}"']
        if _values(form) not in (["GSM"], ["IRA"]):
            raise Fail("CME", "3")
        self._modem.modes.charset = _values(form)[0]
        return []

    def _centre(self, name: str, form: str) -> list[str]:
        self._need_card("CMS")
        sim = self._modem.card
        if form == "?":
            return [f'+CSCA: "{sim.centre}",{145 if sim.centre.startswith("+") else 129}']
        values = _values(form)
        if not values or not re.fullmatch(r"\+?\d{3,20}", values[0]):
            raise Fail("CMS", "304")
        sim.centre = values[0]
        return []

    def _service(self, name: str, form: str) -> list[str]:
        modes = self._modem.modes
        if form == "?":
            return [f"+CSMS: {modes.csms},1,1,1"]
        modes.csms = _number(form, 0, 1, table="CMS")
        return ["+CSMS: 1,1,1"]

    def _more(self, name: str, form: str) -> list[str]:
        if form == "?":
            return [f"+CMMS: {self._modem.modes.cmms}"]
        self._modem.modes.cmms = _number(form, 0, 2)
        return []

    def _indications(self, name: str, form: str) -> list[str]:
        modes = self._modem.modes
        if form == "?":
            return [f"+CNMI: {','.join(map(str, modes.cnmi))}"]
        values = _values(form)
        allowed = ((0, 1, 2, 3), (0, 1, 2), (0, 2), self._formats, (0, 1))
        if not 1 <= len(values) <= 5:
            raise Fail("CMS", "304")
        said = [*values, *("0",) * (5 - len(values))]
        if not all(one.isdigit() and int(one) in may for one, may in zip(said, allowed, strict=True)):
            raise Fail("CMS", "303")
        modes.cnmi, modes.cnmi_said = [int(one) for one in said], True
        self._modem.after_answer(self._modem.air.release)
        return []

    # Texts.

    def _memories(self, name: str, form: str) -> list[str]:
        self._need_card("CMS")
        modem = self._modem
        if form == "?":
            used = [modem.memory(at) for at in range(3)]
            rows = [f'"{one.name}",{len(one.places)},{one.size}' for one in used]
            return [f"+CPMS: {','.join(rows)}"]
        values = _values(form)
        if not 1 <= len(values) <= 3 or values[0] not in ("ME", "SM", "SR"):
            raise Fail("CMS", "302")
        if not all(one in ("ME", "SM") for one in values[1:]):
            raise Fail("CMS", "302")
        modem.modes.names[: len(values)] = values
        rows = [f"{len(one.places)},{one.size}" for one in map(modem.memory, range(3))]
        return [f"+CPMS: {','.join(rows)}"]

    def _send(self, name: str, form: str) -> None:
        self._need_card("CMS")
        if not self._modem.modes.pdu:
            raise Fail("CMS", "302")
        value = form[1:].strip()
        if not value.isdigit() or not SHORTEST <= int(value) <= LONGEST:
            self._modem.judge.object(f"AT+CMGS{form[:40]}")
            raise Fail("CMS", "304")
        self._modem.sending.begin(int(value))

    def _read(self, name: str, form: str) -> list[str]:
        self._need_texts()
        stored = self._modem.memory(0).places.get(_number(form, 0, 10_000, table="CMS", code="321"))
        if stored is None:
            raise Fail("CMS", "321")
        return [f"+CMGR: {_seen(stored)},,{stored.length}", stored.hex]

    def _list(self, name: str, form: str) -> list[str]:
        self._need_texts()
        wanted = _number(form, 0, 4, table="CMS", code="304") if form else 0
        rows = []
        for at, stored in sorted(self._modem.memory(0).places.items()):
            if wanted in (4, stored.status):
                rows.append(f"+CMGL: {at},{_seen(stored)},,{stored.length}\r\n{stored.hex}")
        return rows

    def _delete(self, name: str, form: str) -> list[str]:
        self._need_card("CMS")
        values = _values(form)
        if not 1 <= len(values) <= 2 or not all(one.isdigit() for one in values):
            raise Fail("CMS", "304")
        flag = int(values[1]) if len(values) > 1 else 0
        if flag > 4 or not self._modem.memory(0).delete(int(values[0]), flag):
            raise Fail("CMS", "321")
        self._modem.after_answer(self._modem.air.release)
        return []

    def _acknowledge(self, name: str, form: str) -> list[str]:
        how = _number(form, 0, 2, table="CMS", code="304") if form else 0
        if not self._modem.air.acknowledge(good=how < 2):
            raise Fail("CMS", "340")
        return []

    def _need_texts(self) -> None:
        self._need_card("CMS")
        if not self._modem.modes.pdu:
            raise Fail("CMS", "303")


def _seen(stored: Stored) -> int:
    """The status of a text before it was read; from now on it is read."""
    status = stored.status
    if status == card.UNREAD:
        stored.status = card.READ
    return status


def _values(form: str) -> list[str]:
    if not form.startswith("="):
        return []
    return [(match[1] if match[1] is not None else match[2]).strip() for match in _matches(form[1:])]


def _matches(text: str):
    at = 0
    while at <= len(text):
        match = _VALUE.match(text, at)
        yield match
        at = match.end() + 1


def _number(form: str, least: int, most: int, table: str = "CME", code: str = "50") -> int:
    value = form.removeprefix("=").strip()
    if not form.startswith("=") or not value.isdigit() or not least <= int(value) <= most:
        raise Fail(table, code)
    return int(value)


def _only(form: str, *forms: str) -> None:
    if form not in forms:
        raise Fail("CME", "4")
