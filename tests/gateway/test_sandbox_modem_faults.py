"""Each fault that the stand-in modem can be told to have strikes when, where and how often it was told."""

import json
import subprocess
import sys

import pytest
import serial

from gateway.rules.sms import pdu
from gateway.sandbox import faults
from gateway.sandbox.modem import Fault
from tests.gateway import dialling
from tests.gateway.dialling import AN, BINH, LONG, SOON, ask, line, made, report, submit

phones, make, sim, port = dialling.phones, dialling.make, dialling.sim, dialling.port
QUIET = {"report": False}
WELL = ["+CMGS:", "OK"]


def sent(port, one=None):
    said = submit(port, one or made(**QUIET)[0])
    return [word for word in said if not word.isdigit()]


def test_a_fault_strikes_after_so_many_messages_and_so_many_times(port, sim):
    row = sim.script(Fault.RESULT_ERROR, after=1, times=2, code="38")
    error = ["+CMS", "ERROR:"]
    assert [sent(port) for _ in range(4)] == [WELL, error, error, WELL]
    assert (row.struck, len(sim.judge.taken)) == (2, 2)


@pytest.mark.parametrize("told", [{"fault": "nonsense"}, {"fault": "urc", "at": "never"}])
def test_a_fault_or_a_moment_that_does_not_exist_is_a_mistake(sim, told):
    with pytest.raises(ValueError):
        sim.script(**told)


def test_a_detail_a_fault_does_not_have_is_a_mistake(sim):
    for told in ({"fault": "no_prompt", "seconds": 1}, {"fault": "prompt_late", "part": 2}):
        with pytest.raises(TypeError):
            sim.script(**told)


@pytest.mark.parametrize("code", ["38", None])
def test_an_error_can_stand_for_the_prompt(port, sim, code):
    sim.script("prompt_error", code=code)
    assert ask(port, "AT+CMGS=20")[-1] == (code or "ERROR")
    assert sent(port) == WELL


@pytest.mark.parametrize("taken", [True, False])
def test_a_text_can_be_taken_or_not_when_the_modem_says_error(port, sim, taken):
    sim.script("result_error", code=None, taken=taken)
    assert sent(port) == ["ERROR"]
    assert len(sim.judge.taken) == taken


def test_a_prompt_can_be_late_or_not_come(port, sim):
    sim.script("prompt_late", seconds=0.01)
    assert sent(port) == WELL
    sim.script("no_prompt")
    port.write(b"AT+CMGS=20\r")
    assert ask(port, "", terminator=b"\x1b") == ["OK"]


@pytest.mark.parametrize("at", ["command", "prompt", "pdu", "result", "number", "ok"])
def test_an_unasked_line_comes_at_any_moment(port, sim, at):
    sim.script("urc", at=at, line="^RSSI:21")
    one = made(**QUIET)[0]
    said = ask(port, f"AT+CMGS={one.length}") + ask(port, one.hex, terminator=b"\x1a")
    if at == "ok":
        assert line(port) == "^RSSI:21"
    else:
        places = {"command": 0, "prompt": 1, "pdu": 1, "result": 1, "number": 3}
        assert said.index("^RSSI:21") == places[at]


def test_garbage_is_no_text_and_the_message_goes_all_the_same(port, sim):
    sim.script("garbage", at="result")
    said = submit(port, made(**QUIET)[0])
    assert said[-1] == "OK" and any("\xff" in word for word in said)


def test_an_answer_can_come_octet_by_octet(port, sim):
    sim.script("drip", gap=0.0005)
    assert sent(port) == WELL
    assert sent(port) == WELL


def test_ok_can_come_without_a_number(port, sim):
    sim.script("number_lost")
    assert sent(port) == ["OK"]


@pytest.mark.parametrize(("at", "place"), [("result", 0), ("number", 2)])
def test_a_report_can_overtake_its_result(port, sim, at, place):
    sim.script("report_early", at=at)
    assert submit(port, made()[0]).index("+CDS:") == place


def test_a_report_can_come_between_two_parts(port, sim):
    parts = made(LONG)
    sim.script("report_early", at="prompt")
    assert sent(port, parts[0]) == WELL
    said = ask(port, f"AT+CMGS={parts[1].length}") + ask(port, parts[1].hex, terminator=b"\x1a")
    assert said[:3] == [">", "+CDS:", "25"]


@pytest.mark.parametrize(
    ("told", "statuses"),
    [({"fault": "report_lost"}, []), ({"fault": "report_twice"}, [0, 0]),
     ({"fault": "report_late", "seconds": 0.01}, [0]), ({"fault": "report_failed", "status": 0x41}, [0x41]),
     ({"fault": "report_pending"}, [0x20, 0])],
)  # fmt: skip
def test_a_report_can_be_lost_doubled_late_failed_or_preliminary(port, sim, told, statuses):
    sim.script(**told)
    assert sent(port, made()[0]) == WELL
    assert [(0, status) for status in statuses] == [number_and_status(port) for _ in statuses]
    assert sent(port, made()[0]) == WELL
    assert number_and_status(port) == (1, 0)


def number_and_status(port):
    told = report(port)
    return told.reference, told.status


def test_the_second_part_alone_can_fail(port, sim, phones):
    sim.script("report_failed", part=2, to=AN)
    fates = []
    for to in (BINH, AN):
        for one in made(LONG, to=to):
            submit(port, one)
            fates.append(report(port).fate)
    assert [at for at, fate in enumerate(fates) if fate is pdu.Fate.FAILED] == [4]
    assert (len(phones.messages(AN)), len(phones.messages(BINH))) == (0, 1)


def test_another_command_can_have_another_answer(port, sim):
    sim.script("answer", command=r"AT\+CREG\?", lines=("+CREG: 0,2", "OK"), after=1)
    assert [ask(port, "AT+CREG?")[1] for _ in range(3)] == ["0,1", "0,2", "0,1"]


def test_a_full_memory_lets_nothing_go_until_there_is_room(port, sim):
    sim.script("full")
    assert [sent(port) for _ in range(2)] == [["+CMS", "ERROR:"]] * 2
    assert ask(port, "AT+CMGD=1,3") == ["OK"]
    assert sent(port) == WELL


@pytest.mark.parametrize(
    ("told", "code"),
    [({"fault": "register", "place": 3}, "331"), ({"fault": "card", "state": "absent"}, "310"),
     ({"fault": "card", "state": "SIM PUK"}, "316")],
)  # fmt: skip
def test_the_network_or_the_card_can_be_gone_for_a_while(port, sim, told, code):
    sim.script(**told, seconds=0.02)
    assert submit(port, made(**QUIET)[0]) == ["+CMS", "ERROR:", code]
    assert sim.wait(lambda sim: sim.card.registered, SOON)
    assert sent(port) == WELL


@pytest.mark.parametrize("at", ["command", "prompt", "pdu", "result", "number"])
@pytest.mark.parametrize("taken", [True, False])
def test_a_silent_modem_hears_nothing_and_comes_back(port, sim, at, taken):
    sim.script("silence", at=at, seconds=0.05, taken=taken)
    one = made(**QUIET)[0]
    port.write(f"AT+CMGS={one.length}\r".encode())
    if at != "command":
        assert dialling.heard(port).split() == [">"]
        port.write(one.hex.encode() + b"\x1a")
    assert sim.wait(lambda sim: sim.away, SOON)
    port.write(b"\x1bAT\r")  # swallowed
    assert sim.wait(lambda sim: not sim.away, SOON)
    port.reset_input_buffer()
    assert sent(port) == WELL
    assert len(sim.judge.taken) == 1 + (at == "number" or (at == "result" and taken))


@pytest.mark.parametrize("at", ["pdu", "result"])
def test_an_unplugged_modem_is_back_by_the_same_link(sim, at):
    sim.script("unplug", at=at, seconds=0.05, taken=True)
    one = made(**QUIET)[0]
    with dialling.opened(sim) as port:
        assert ask(port, f"AT+CMGS={one.length}") == [">"]
        port.write(one.hex.encode() + b"\x1a")
        with pytest.raises((serial.SerialException, OSError)):
            while True:
                port.read(1)
    assert sim.wait(lambda sim: not sim.away, SOON)
    assert (sim.boots, len(sim.judge.taken)) == (2, at == "result")
    with dialling.opened(sim) as port:
        assert submit(port, one) == ["+CMGS:", "0", "OK"]


def test_a_reboot_forgets_what_the_client_set(port, sim):
    sent(port)
    sim.script("reboot", at="result", seconds=0.01)
    one = made(**QUIET)[0]
    assert ask(port, f"AT+CMGS={one.length}") == [">"]
    port.write(one.hex.encode() + b"\x1a")
    assert [line(port) for _ in range(5)] == ["RDY", "+CFUN: 1", "+CPIN: READY", "Call Ready", "SMS Ready"]
    assert ask(port, "AT+CMGF?") == ["AT+CMGF?", "+CMGF:", "1", "OK"]
    assert ask(port, "ATE0;+CMGF=0")[-1] == "OK"
    assert submit(port, one)[1] == "0"


@pytest.mark.parametrize(
    ("name", "question", "answer"),
    [(faults.MODEM_NO_NETWORK, "AT+CREG?", "0,2"), (faults.MODEM_DENIED, "AT+CREG?", "0,3"),
     (faults.MODEM_NO_SIM, "AT+CPIN?", "10"), (faults.MODEM_PUK, "AT+CPIN?", "PUK")],
)  # fmt: skip
def test_the_pages_switches_reach_the_modem_and_are_undone(port, phones, name, question, answer):
    well = ask(port, question)
    phones.faults.switch(name, None, True)
    assert answer in ask(port, question)
    phones.faults.switch(name, None, False)
    assert ask(port, question) == well


def test_the_page_can_pull_it_out_stop_its_ears_and_fill_it(sim, phones):
    for name in (faults.MODEM_UNPLUGGED, faults.MODEM_DEAF):
        phones.faults.switch(name, None, True)
        assert sim.away
        phones.faults.switch(name, None, False)
        assert not sim.away
    phones.faults.switch(faults.MODEM_REBOOT, None, True)
    phones.faults.switch(faults.MODEM_FULL, None, True)
    assert sim.stored()["ME"] == 50


def test_the_page_can_make_it_say_error_for_a_text_it_took(port, phones):
    phones.faults.switch(faults.MODEM_ERROR, AN, True)
    assert sent(port) == ["ERROR"]
    assert len(phones.messages(AN)) == 1


def test_the_page_can_fail_a_second_part_and_bring_reports_early(port, phones):
    phones.faults.switch(faults.SMS_PART_FAILED, None, True)
    phones.faults.switch(faults.SMS_REPORT_EARLY, None, True)
    said = [submit(port, one) for one in made(LONG)]
    assert [pdu.read_report(words[4]).fate.value for words in said] == ["delivered", "failed", "delivered"]


def test_what_nobody_reads_is_lost_and_a_long_answer_is_whole(port, sim):
    sim.fill()
    said = ask(port, "AT+CMGL=4")
    assert said.count("+CMGL:") == 50


def test_it_runs_as_a_process_of_its_own(tmp_path):
    ledger, link = tmp_path / "rows.jsonl", tmp_path / "modem"
    words = [sys.executable, "-m", "gateway.sandbox.modem", str(link), "--ledger", str(ledger), "--pin", "1234",
             "--script", '{"fault": "result_error", "code": "38", "after": 1}']  # fmt: skip
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            _use(process, link)
            assert process.wait(SOON) == 0
        finally:
            process.kill()
    rows = [json.loads(row) for row in ledger.read_text(encoding="utf-8").splitlines()]
    assert [row["event"] for row in rows] == ["part", "text", "end"]
    assert (rows[1]["phone"], rows[1]["text"], rows[2]["violations"]) == (AN, "Số A042", [])


def _use(process, link):
    assert process.stdout.readline() == "ready\n"
    with serial.Serial(str(link), timeout=SOON) as port:
        for text in ("ATE0", "AT+CPIN=1234"):
            assert ask(port, text)[-1] == "OK"
        assert line(port) == "+CPIN: READY"
        assert ask(port, "AT+CMGF=0") == ["OK"]
        assert [sent(port) for _ in range(2)] == [WELL, ["+CMS", "ERROR:"]]
        _tell(process, {"do": "say", "line": "RING"})
        assert line(port) == "RING"
    _tell(process, "stop")


def _tell(process, what):
    process.stdin.write((what if isinstance(what, str) else json.dumps(what)) + "\n")
    process.stdin.flush()
