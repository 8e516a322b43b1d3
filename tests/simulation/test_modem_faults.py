"""Every fault of a modem, over many messages: none lost, none doubled, and the lane alive again by itself.

Whoever sends does here what the engine does: what certainly was not sent is sent again, with the parts that went
before; what nobody knows of is left to its report. `MODEM_MESSAGES=200` is the full measure.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest

from gateway import channels
from gateway.channels import modem
from gateway.rules.sms import segments
from gateway.sandbox import faults
from gateway.sandbox.modem import Fault, ModemStandIn, Moment

MESSAGES = int(os.environ.get("MODEM_MESSAGES", "20"))
SOON = 30.0
EVERY = 7
"""A fault that breaks something strikes each so many messages; one that only annoys strikes all."""

TEXT, LONG = "Ma A042, 14:30 24/11", "Số thứ tự 042, mời đến lúc 14:30 ngày 24/11. " * 4
QUICK = modem.Patience(
    prompt=0.5, answer=0.5, command=0.5, alive=0.5, look=5, search=0.02, reopen=0.02, reopen_most=0.1, look_out=0.01,
    settle=0.5, again=0.02, sync=0.2, waking=2,
)  # fmt: skip


class Phones:
    """What the stand-in needs of a town."""

    def __init__(self) -> None:
        self.faults = faults.Faults()

    def deliver(self, phone: str, **_: object) -> None:
        pass


@dataclass
class Sent:
    """One message, and what its sender knows of it: `fate` accepted, unknown or refused."""

    message: channels.Message
    fate: str = ""
    code: str = ""
    parts: dict[int, channels.Part] = field(default_factory=dict)

    def keep(self, handed: tuple[channels.Part, ...]) -> None:
        assert not {part.number for part in handed} & set(self.parts), "a part was handed over twice"
        self.parts.update((part.number, part) for part in handed)


class Street:
    """A modem with its lane, and people who are sent something."""

    def __init__(self, folder, **words) -> None:
        self.sim = ModemStandIn(folder / "modem", Phones(), delay=0, **words)
        self.sim.start()
        self.reports: list[channels.PartReport] = []
        self.texts: queue.Queue[channels.Incoming] = queue.Queue()
        self.states: list[modem.State] = []
        self.lane = modem.Modem(
            "modem", self.sim.url, pin=words.get("pin"), on_parts=self.reports.extend, on_incoming=self.texts.put,
            on_state=self.states.append, clock=lambda: int(time.time()), patience=QUICK,
        )  # fmt: skip
        self._joint = iter(range(65_536))
        self._phone = iter(range(100_000))

    def close(self) -> None:
        self.lane.close()
        self.sim.stop()

    def message(self, long: bool) -> channels.Message:
        number = next(self._phone)
        return channels.Message(
            f"+849051{number:05d}", "appointment", LONG if long else TEXT, None, {}, f"ntc_{number}",
            valid_seconds=3600, joint=next(self._joint),
        )  # fmt: skip

    def send_all(self, count: int = MESSAGES, long_each: int = 5) -> list[Sent]:
        """Two senders, as the worker has them; every message gets an end."""
        rows = [Sent(self.message(long=number % long_each == 0)) for number in range(count)]
        waiting = iter(rows)
        turn = threading.Lock()

        def work() -> None:
            while True:
                with turn:
                    row = next(waiting, None)
                if row is None:
                    return
                self.send(row)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(self.lane.concurrency)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(4 * SOON)
            assert not thread.is_alive(), "a sender still waits"
        return rows

    def send(self, row: Sent) -> Sent:
        end = time.monotonic() + SOON
        while not row.fate:
            begun = tuple(row.parts[number] for number in sorted(row.parts))
            try:
                row.keep(self.lane.send(replace(row.message, begun=begun)).handed)
                row.fate = "accepted"
            except channels.Refused as fault:
                row.keep(fault.handed)
                row.fate, row.code = "refused", fault.code
            except channels.Unreachable as fault:
                row.keep(fault.handed)
                row.code = fault.code
                assert fault.sent == any(part.ref is None for part in fault.handed)
                if fault.sent:
                    row.fate = "unknown"
                else:
                    assert time.monotonic() < end, f"not well again: {fault}"
                    threading.Event().wait(0.01)
        return row

    def reported(self, rows: list[Sent], lost: int = 0) -> Counter:
        """(phone, number) of the reports, once those of all parts that went on the air have come."""
        wanted = sum(1 for one in self.sim.judge.taken if one.asks_report) - lost
        end = time.monotonic() + SOON
        while len(set(self._keys())) < wanted and time.monotonic() < end:
            threading.Event().wait(0.01)
        return Counter(self._keys())

    def _keys(self) -> list[tuple[str, str]]:
        return [(one.to, one.refs[0]) for one in self.reports]


@pytest.fixture
def street(tmp_path, request):
    made = Street(tmp_path, **getattr(request, "param", {}))
    yield made
    made.close()


def judged(street: Street, rows: list[Sent], unknown: int = 0, refused: int = 0) -> None:
    """None lost, none doubled, and nothing unknown or refused but what the fault made so."""
    judge = street.sim.judge
    fates = Counter(row.fate for row in rows)
    assert judge.violations == []
    assert judge.doubled() == {}
    assert fates["unknown"] <= unknown and fates["refused"] <= refused
    on_air = {(one.phone, one.part, str(one.number)) for one in judge.taken}
    for row in rows:
        known = [part for part in row.parts.values() if part.ref is not None]
        assert all((row.message.to, part.number, part.ref) in on_air for part in known)
        if row.fate == "accepted":
            assert len(known) == len(segments.split(row.message.text).parts)
    assert street.send(Sent(street.message(long=True))).fate == "accepted"


def struck(street: Street, fault: Fault, every: bool, **details) -> int:
    """Tells the fault to come; how many messages it will meet at most."""
    if every:
        street.sim.script(fault, times=None, **details)
        return 4 * MESSAGES
    places = range(2, MESSAGES, EVERY)
    for after in places:
        street.sim.script(fault, after=after, **details)
    return len(places)


HARMLESS = [
    (Fault.PROMPT_LATE, {"seconds": 0.01}),
    (Fault.RESULT_LATE, {"seconds": 0.01}),
    (Fault.URC, {"at": "command", "line": "RING"}),
    (Fault.URC, {"at": "prompt", "line": "^RSSI:21"}),
    (Fault.URC, {"at": "result", "line": "+CREG: 1"}),
    (Fault.URC, {"at": "number", "line": '+CMTI: "ME",49'}),
    (Fault.URC, {"at": "ok", "line": '+CUSD: 0,"Tai khoan goc: 12.000d",15'}),
    (Fault.GARBAGE, {"at": "command"}),
    (Fault.GARBAGE, {"at": "result"}),
    (Fault.GARBAGE, {"at": "number"}),
    (Fault.GARBAGE, {"at": "ok", "octets": b"\x00\xff" * 5000}),
    (Fault.DRIP, {"gap": 0.0005}),
    (Fault.REPORT_EARLY, {"at": "result"}),
    (Fault.REPORT_EARLY, {"at": "number"}),
    (Fault.REPORT_TWICE, {}),
    (Fault.REPORT_LATE, {"seconds": 0.05}),
    (Fault.REPORT_PENDING, {"seconds": 0.01}),
]


@pytest.mark.parametrize(
    "street", [{"reports": "cds"}, {"reports": "cdsi"}], ids=["cds", "cdsi"], indirect=True
)
@pytest.mark.parametrize(("fault", "details"), HARMLESS, ids=lambda value: str(value))
def test_what_only_annoys_costs_no_message_and_no_report(street, fault, details):
    struck(street, fault, every=True, **details)
    rows = street.send_all()
    assert {row.fate for row in rows} == {"accepted"}
    reports = street.reported(rows)
    assert set(reports) >= {(row.message.to, part.ref) for row in rows for part in row.parts.values()}
    judged(street, rows)


@pytest.mark.parametrize(
    "street", [{"reports": "cds"}, {"reports": "cdsi"}], ids=["cds", "cdsi"], indirect=True
)
def test_reports_between_the_parts_are_all_heard(street):
    street.sim.script(Fault.REPORT_EARLY, times=None, at=Moment.PROMPT)
    rows = street.send_all(12, long_each=1)
    last = street.send(Sent(street.message(long=False)))
    reports = street.reported(rows, lost=1)
    assert set(reports) >= {(row.message.to, part.ref) for row in rows for part in row.parts.values()}
    assert last.fate == "accepted"
    judged(street, rows)


def test_a_lost_report_is_a_report_less_and_nothing_else(street):
    lost = struck(street, Fault.REPORT_LOST, every=False)
    rows = street.send_all()
    street.reported(rows, lost=lost)
    assert {row.fate for row in rows} == {"accepted"}
    judged(street, rows)


def test_a_failing_part_is_reported_as_failed(street):
    street.sim.script(Fault.REPORT_FAILED, times=None, part=2)
    rows = street.send_all(4, long_each=1)
    street.reported(rows)
    failed = {(one.to, one.refs[0]) for one in street.reports if one.delivered is False}
    assert failed == {(row.message.to, row.parts[2].ref) for row in rows}


LATER = ["38", "41", "42", "47", "331", "332", "500", "512"]
NEVER = ["1", "8", "21", "27", "28", "50", "96", "128", "304", "330"]


@pytest.mark.parametrize("code", LATER)
def test_an_error_of_the_network_is_a_later_try(street, code):
    struck(street, Fault.RESULT_ERROR, every=False, code=code)
    rows = street.send_all()
    assert {row.fate for row in rows} == {"accepted"}
    judged(street, rows)


@pytest.mark.parametrize("code", NEVER)
def test_an_error_for_good_is_a_no_for_its_message_alone(street, code):
    met = struck(street, Fault.RESULT_ERROR, every=False, code=code)
    rows = street.send_all()
    assert Counter(row.fate for row in rows)["accepted"] >= MESSAGES - met
    judged(street, rows, refused=met)


@pytest.mark.parametrize("code", ["310", "311", "313", "316"])
def test_a_sim_that_fails_for_a_moment_is_looked_after(street, code):
    met = struck(street, Fault.RESULT_ERROR, every=False, code=code)
    judged(street, street.send_all(), refused=met)


@pytest.mark.parametrize(("table", "code"), [("CME", "14"), ("CME", "30"), ("CME", "31"), ("CME", "100")])
def test_an_error_of_the_modem_is_a_later_try(street, table, code):
    struck(street, Fault.RESULT_ERROR, every=False, code=code, table=table)
    rows = street.send_all()
    assert {row.fate for row in rows} == {"accepted"}
    judged(street, rows)


@pytest.mark.parametrize("code", ["302", "310", "500", "38", None])
def test_an_error_in_place_of_the_prompt_costs_no_message(street, code):
    struck(street, Fault.PROMPT_ERROR, every=False, code=code)
    rows = street.send_all()
    assert {row.fate for row in rows} == {"accepted"}
    judged(street, rows)


@pytest.mark.parametrize("taken", [True, False])
def test_a_plain_error_after_the_text_is_unknown_and_not_repeated(street, taken):
    met = struck(street, Fault.RESULT_ERROR, every=False, code=None, taken=taken)
    rows = street.send_all()
    judged(street, rows, unknown=met)
    on_phone = {one.phone for one in street.sim.judge.taken}
    assert {row.message.to in on_phone for row in rows if row.fate == "unknown" and len(row.parts) == 1} <= {
        taken
    }


@pytest.mark.parametrize(
    ("fault", "details"),
    [
        (Fault.NO_PROMPT, {}),
        (Fault.RESULT_LOST, {"taken": True}),
        (Fault.RESULT_LOST, {"taken": False}),
        (Fault.NUMBER_LOST, {}),
        *[(Fault.SILENCE, {"at": at, "seconds": 0.6}) for at in Moment],
        (Fault.SILENCE, {"at": "result", "seconds": 0.6, "taken": True}),
        *[(Fault.UNPLUG, {"at": at, "seconds": 0.1}) for at in Moment],
        (Fault.UNPLUG, {"at": "result", "seconds": 0.1, "taken": True}),
        *[(Fault.REBOOT, {"at": at, "seconds": 0.1}) for at in Moment],
        (Fault.REBOOT, {"at": "result", "seconds": 0.1, "taken": True}),
    ],
    ids=lambda value: str(value),
)
@pytest.mark.parametrize("street", [{"pin": "1234"}], ids=["pin"], indirect=True)
def test_a_modem_that_breaks_down_comes_back_and_nothing_is_lost_or_doubled(street, fault, details):
    met = struck(street, fault, every=False, **details)
    rows = street.send_all()
    judged(street, rows, unknown=met)
    assert Counter(row.fate for row in rows)["accepted"] >= MESSAGES - met
    assert street.sim.pin_tries == street.sim.boots


def test_a_full_memory_is_cleared_and_every_message_goes(street):
    struck(street, Fault.FULL, every=False)
    rows = street.send_all()
    assert {row.fate for row in rows} == {"accepted"}
    judged(street, rows)


def test_texts_from_people_come_through_all_of_it(street):
    said = [f"Tôi muốn đổi lịch hẹn số {number}. " * 4 for number in range(6)]
    for after, fault in enumerate((Fault.UNPLUG, Fault.REBOOT, Fault.SILENCE)):
        street.sim.script(fault, after=3 + 5 * after, at=Moment.RESULT, seconds=0.2)
    talking = threading.Thread(
        target=lambda: [
            (street.sim.incoming("+84905999999", text, hold=True), threading.Event().wait(0.1))
            for text in said
        ]
    )
    talking.start()
    rows = street.send_all()
    talking.join()
    heard: set[str] = set()
    while heard != set(said):
        heard.add(street.texts.get(timeout=SOON).text)
    judged(street, rows, unknown=3)
    assert street.sim.wait(lambda sim: sum(sim.stored().values()) == 0, SOON)
