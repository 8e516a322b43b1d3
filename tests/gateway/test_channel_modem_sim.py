"""The modem channel makes a modem ready, sees what becomes of it, and gets well again by itself."""

import queue
import socket
import threading
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import modem
from tests.gateway.modems import (
    AN,
    LONG,
    MESSAGE,
    NOON,
    QUICK,
    READY,
    YES,
    Listener,
    Script,
    eventually,
    fault_of,
    said,
    status,
    wait_for,
    wait_until,
)

PIN = r'AT\+CPIN="1234"'


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def locked(pin_answer):
    """A SIM that wants a PIN; `pin_answer` True opens it."""

    def enter(script):
        if pin_answer is not True:
            return pin_answer
        script.answers[r"AT\+CPIN\?"] = said("+CPIN: READY", "OK")
        return said("OK", "+CPIN: READY", "SMS Ready")

    return {r"AT\+CPIN\?": said("+CPIN: SIM PIN", "OK"), PIN: enter}


def test_the_modem_is_prepared_before_the_first_text(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    before = script.commands[: script.commands.index("AT+CMGS=32")]
    wanted = ("ATE0", "AT+CMEE=1", "AT+CPIN?", "AT+CREG?", "AT+CMGF=0", "AT+CSCA?", "AT+CNMI=2,1,0,1,0")
    assert [one for one in wanted if one not in before] == []


def test_the_officers_page_gets_to_know_the_modem(listener):
    script = listener.script(
        {
            r"AT\+CGMI": said("huawei", "OK"),
            r"AT\+CGMM": said("+CGMM: E173", "OK"),
            r"AT\+CSQ": said("+CSQ: 21,99", "OK"),
            r"AT\+COPS\?": said('+COPS: 0,0,"VIETTEL",2', "OK"),
            r"AT\+CPMS\?": said('+CPMS: "SR",1,5,"ME",3,50,"ME",3,50', "OK"),
            r"AT\+CREG\?": said("+CREG: 0,5", "OK"),
        }
    )
    listener.channel(script.url)
    told = listener.state(state="ready")
    device = script.url.removeprefix("serial://").removesuffix("?baud=115200")
    assert told == modem.State(
        "ready", "", "ready", "roaming", "VIETTEL", -71, "huawei E173", device, 3, 50, 0, NOON
    )


def test_a_signal_nobody_knows_is_none(listener):
    script = listener.script({r"AT\+CSQ": said("+CSQ: 99,99", "OK")})
    listener.channel(script.url)
    assert listener.state(state="ready").signal is None


def test_a_state_that_could_not_be_kept_is_told_again(listener):
    tries = queue.Queue()

    def busy_once(told):
        if told.state == "ready":
            tries.put(told)
            if tries.qsize() == 1:
                raise RuntimeError("the database is busy")

    listener.states.put = busy_once
    listener.channel(listener.script().url)
    assert wait_until(lambda: tries.qsize() >= 2)


def test_an_idle_modem_is_looked_at_now_and_then(listener):
    script = listener.script({r"AT\+CSQ": said("+CSQ: 21,99", "OK")})
    listener.channel(script.url, patience=replace(QUICK, look=0.03))
    listener.state(state="ready", signal=-71)
    script.answers[r"AT\+CSQ"] = said("+CSQ: 5,99", "OK")
    assert listener.state(signal=-103).state == "ready"


# The SIM


def test_the_pin_is_entered_once_and_the_lane_is_ready(listener):
    script = listener.script(locked(True))
    assert listener.channel(script.url, pin="1234").send(MESSAGE).provider_ref == "7"
    assert script.commands.count('AT+CPIN="1234"') == 1


def test_a_wrong_pin_is_never_entered_twice(listener):
    script = listener.script(locked(said("+CME ERROR: 16")))
    channel = listener.channel(script.url, pin="1234")
    fault = fault_of(channel)
    assert (type(fault), fault.code, fault.scope) == (channels.Refused, "CME 16", "channel")
    for _ in range(4):
        wait_for(script, r"AT\+CPIN\?")
    assert script.commands.count('AT+CPIN="1234"') == 1
    assert listener.state(state="refused").sim == "pin"


def test_a_pin_whose_answer_was_lost_is_entered_once_more_and_no_third_time(listener):
    script = listener.script(locked(""))
    channel = listener.channel(script.url, pin="1234")
    listener.state(state="refused")
    assert fault_of(channel).code == "CME 16"
    assert script.commands.count('AT+CPIN="1234"') == 2


@pytest.mark.parametrize(
    ("answer", "sim"), [(said("+CME ERROR: 10"), "absent"), (said("+CPIN: SIM PUK", "OK"), "puk")]
)
def test_a_sim_that_is_drawn_or_blocked_meanwhile_is_no_search_for_a_network(listener, answer, sim):
    script = listener.script()
    channel = listener.channel(script.url, patience=replace(QUICK, look=0.03))
    listener.state(state="ready")
    script.answers |= {r"AT\+CREG\?": said("+CREG: 0,0", "OK"), r"AT\+CPIN\?": answer}
    assert listener.state(state="refused").sim == sim
    assert type(fault_of(channel)) is channels.Refused
    script.answers |= {key: READY[key] for key in (r"AT\+CREG\?", r"AT\+CPIN\?")}
    assert listener.state(state="ready").sim == "ready"


@pytest.mark.parametrize(
    ("question", "answer"),
    [(r'AT\+CPINR="SIM PIN"', "+CPINR: SIM PIN,1,3"), (r"AT\^CPIN\?", "^CPIN: SIM PIN,,10,1,10,3")],
)
def test_the_last_try_of_a_pin_is_a_persons(listener, question, answer):
    script = listener.script({**locked(True), question: said(answer, "OK")})
    fault = fault_of(listener.channel(script.url, pin="1234"))
    assert (type(fault), fault.code) == (channels.Refused, "PIN")
    assert 'AT+CPIN="1234"' not in script.commands


def test_a_sim_unlocked_by_hand_is_used(listener):
    script = listener.script(locked(True))
    channel = listener.channel(script.url)
    assert fault_of(channel).code == "CME 11"
    script.answers[r"AT\+CPIN\?"] = said("+CPIN: READY", "OK")
    listener.state(state="ready")
    assert channel.send(MESSAGE).provider_ref == "7"


@pytest.mark.parametrize(
    ("pattern", "answer", "kind", "code"),
    [
        (r"AT\+CPIN\?", said("+CPIN: SIM PUK", "OK"), channels.Refused, "CME 12"),
        (r"AT\+CPIN\?", said("+CME ERROR: 10"), channels.Refused, "CME 10"),
        (r"AT\+CPIN\?", said("+CME ERROR: 13"), channels.Refused, "CME 13"),
        (r"AT\+CREG\?", said("+CREG: 0,2", "OK"), channels.Unreachable, "CME 30"),
        (r"AT\+CREG\?", said("+CREG: 0,3", "OK"), channels.Refused, "CREG 3"),
        (r"AT\+CSCA\?", said('+CSCA: "",129', "OK"), channels.Refused, "CSCA"),
        (r"AT.*", "", channels.Unreachable, "no_modem"),
    ],
)
def test_a_modem_that_cannot_work_says_why(listener, pattern, answer, kind, code):
    fault = fault_of(listener.channel(listener.script({pattern: answer}).url))
    assert (type(fault), fault.code) == (kind, code)
    if kind is channels.Refused:
        assert (fault.scope, fault.fault) == ("channel", channels.Fault.CONFIG)


def test_a_sim_that_is_missing_just_after_a_start_is_no_alarm_yet(listener):
    script = listener.script({r"AT\+CPIN\?": said("+CME ERROR: 10")})
    fault = fault_of(listener.channel(script.url, patience=replace(QUICK, settle=60)))
    assert (type(fault), fault.sent, fault.code) == (channels.Unreachable, False, "CME 10")
    assert listener.state(sim="absent").state == "opening"


def test_a_sim_that_is_still_waking_up_is_waited_for(listener):
    def busy_once(script):
        script.answers[r"AT\+CPIN\?"] = said("+CPIN: READY", "OK")
        return said("+CME ERROR: 14")

    script = listener.script({r"AT\+CPIN\?": busy_once})
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"
    assert script.commands.count("ATZ") == 1


def test_a_sim_that_fails_while_it_sends_is_seen_to(listener):
    script = listener.script(texts=[said("+CMS ERROR: 310"), YES])
    channel = listener.channel(script.url)
    assert fault_of(channel).scope == "channel"
    listener.state(sim="absent")
    listener.state(state="ready", recoveries=1)
    assert channel.send(MESSAGE).provider_ref == "7"


def test_an_operator_that_bars_the_sim_is_on_the_page_until_a_text_goes(listener):
    script = listener.script(texts=[said("+CMS ERROR: 21"), YES])
    channel = listener.channel(script.url)
    assert fault_of(channel).scope == "channel"
    assert "SIM" in listener.state(state="refused").reason
    channel.send(MESSAGE)
    assert listener.state(state="ready").recoveries == 0


# The network


def test_while_it_looks_for_its_network_messages_are_turned_away_at_once(listener):
    script = listener.script({r"AT\+CREG\?": said("+CREG: 0,2", "OK")})
    channel = listener.channel(script.url)
    assert [fault_of(channel).sent for _ in range(3)] == [False] * 3
    assert not channel.ready()
    script.answers[r"AT\+CREG\?"] = said("+CREG: 0,5", "OK")
    assert listener.state(state="ready").network == "roaming"
    assert channel.ready() and channel.send(MESSAGE).parts == 1


def test_a_network_that_is_lost_and_found_needs_no_new_start(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    listener.state(state="ready")
    script.answers[r"AT\+CREG\?"] = said("+CREG: 1,2", "OK")
    script.say(said("+CREG: 2"))
    listener.state(state="opening", network="searching")
    assert fault_of(channel).code == "CME 30"
    script.answers[r"AT\+CREG\?"] = said("+CREG: 1,1", "OK")
    script.say(said("+CREG: 1"))
    listener.state(state="ready", recoveries=1)
    assert script.commands.count("ATZ") == 1


def test_a_stick_on_4g_alone_is_registered(listener):
    answers = {r"AT\+CREG\?": said("+CREG: 0,0", "OK"), r"AT\+CEREG\?": said("+CEREG: 0,1", "OK")}
    assert listener.channel(listener.script(answers).url).send(MESSAGE).parts == 1


# The port


def test_a_modem_pulled_out_and_put_back_under_another_name_is_used_again(listener, tmp_path):
    link, first, second = tmp_path / "modem", listener.script(), listener.script()
    link.symlink_to(first.url.removeprefix("serial://").removesuffix("?baud=115200"))
    channel = listener.channel(f"serial://{link}")
    channel.send(MESSAGE)
    link.unlink()
    listener._open.remove(first)
    first.stop()
    listener.state(state="gone")
    assert fault_of(channel, replace(MESSAGE, reference="ntc_2")).sent is False
    link.symlink_to(second.url.removeprefix("serial://").removesuffix("?baud=115200"))
    eventually(channel, replace(MESSAGE, reference="ntc_2"))
    assert len(second.pdus) == 1
    listener.state(state="ready", recoveries=1)


def test_a_link_that_names_another_device_is_followed(listener, tmp_path):
    link, first, second = tmp_path / "modem", listener.script(), listener.script()
    link.symlink_to(first.url.removeprefix("serial://").removesuffix("?baud=115200"))
    channel = listener.channel(f"serial://{link}", patience=replace(QUICK, alive=0.05))
    listener.state(state="ready")
    link.unlink()
    link.symlink_to(second.url.removeprefix("serial://").removesuffix("?baud=115200"))
    listener.state(state="ready", recoveries=1)
    channel.send(MESSAGE)
    assert (len(first.pdus), len(second.pdus)) == (0, 1)


def test_two_owners_never_share_a_port_and_the_second_says_nothing_of_the_modem(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    other = Listener()
    second = other.channel(script.url)
    fault = fault_of(second)
    other.close()
    assert (fault.sent, fault.code) == (False, "no_modem") and "port" in fault.reason
    assert other.states.empty()


def test_a_modem_may_stand_behind_a_socket(listener):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"socket://127.0.0.1:{server.getsockname()[1]}"
        script = listener.script()
        pipes = threading.Thread(target=_piped, args=(server, script))
        pipes.start()
        channel = listener.channel(url)
        assert channel.send(LONG).provider_ref == "7-8-9"
        channel.close()
        pipes.join()


def _piped(server, script):
    """Octets from a socket to the script's terminal and back."""
    import os

    connection, _ = server.accept()
    terminal = os.open(os.ttyname(script._slave), os.O_RDWR | os.O_NOCTTY)

    def back():
        while (octets := os.read(terminal, 4096)) and octets != b"\x04":
            connection.sendall(octets)

    backwards = threading.Thread(target=back)
    backwards.start()
    while octets := connection.recv(4096):
        os.write(terminal, octets)
    script.say("\x04")
    backwards.join()
    os.close(terminal)
    connection.close()


def test_an_idle_modem_is_asked_if_it_is_alive_and_called_until_it_is(listener):
    script = listener.script()
    listener.channel(script.url, patience=replace(QUICK, alive=0.05))
    listener.state(state="ready")
    wait_for(script, "AT")
    script.answers["AT"] = ""
    listener.state(state="silent")
    script.answers["AT"] = said("OK")
    listener.state(state="ready", recoveries=1)


def test_a_modem_that_takes_an_escape_for_a_letter_is_called_without(listener):
    class Fussy(Script):
        def _clean(self, octets):
            return octets.replace(b"\x1b", b"X")

    script = Fussy({"XAT": said("ERROR")})
    listener._open.insert(0, script)
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"


def test_it_is_said_now_and_then_that_a_modem_is_still_gone(listener, tmp_path):
    listener.channel(f"serial://{tmp_path / 'modem'}", patience=replace(QUICK, look=0.02))
    assert [listener.state(state="gone").state for _ in range(3)] == ["gone"] * 3


# A new start


@pytest.mark.parametrize(
    "sign", ["RDY", "^SYSSTART", "+CPIN: SIM PIN", "NORMAL POWER DOWN", "AT+CSQ"], ids=str
)
def test_a_modem_that_starts_anew_is_set_up_anew(listener, sign):
    script = listener.script()
    listener.channel(script.url)
    listener.state(state="ready")
    script.say(said(sign))
    listener.state(state="ready", recoveries=1)


def test_a_modem_that_has_forgotten_its_settings_unheard_is_set_up_anew(listener):
    script = listener.script({r"AT\+CNMI\?": said("+CNMI: 2,1,0,1,0", "OK")})
    listener.channel(script.url, patience=replace(QUICK, look=0.03))
    listener.state(state="ready")

    def forgotten(script):
        script.answers[r"AT\+CNMI\?"] = said("+CNMI: 2,1,0,1,0", "OK")
        return said("+CNMI: 0,0,0,0,0", "OK")

    script.answers[r"AT\+CNMI\?"] = forgotten
    listener.state(state="ready", recoveries=1)


def test_no_pdu_goes_to_a_modem_that_may_have_gone_back_to_text_mode(listener):
    """In text mode a number is expected after AT+CMGS, and what follows would be sent to somebody as it stands."""
    script = listener.script()
    channel = listener.channel(script.url)
    channel.send(MESSAGE)

    def restarted(script):
        script.answers[r"AT\+CMGS=\d+"] = "\r\n> "
        return "AT+CMGS=32\r\r\n> "

    script.answers[r"AT\+CMGS=\d+"] = restarted
    fault = fault_of(channel)
    assert (fault.sent, fault.code, len(script.pdus)) == (False, "rebooted", 1)
    assert eventually(channel, MESSAGE).provider_ref == "8"


def test_a_new_start_after_the_text_means_nobody_knows(listener):
    script = listener.script(texts=[said("RDY"), YES])
    channel = listener.channel(script.url)
    assert (fault_of(channel).sent, len(script.pdus)) == (True, 1)
    assert eventually(channel, replace(MESSAGE, reference="ntc_2")).provider_ref == "7"


def test_a_new_start_behind_the_number_is_a_yes_and_a_new_start(listener):
    script = listener.script(texts=[said("+CMGS: 7", "RDY"), YES])
    channel = listener.channel(script.url)
    assert channel.send(MESSAGE).provider_ref == "7"
    listener.state(state="ready", recoveries=1)
    assert len(script.pdus) == 1


# What not every modem has


def test_a_modem_that_cannot_say_reports_is_asked_to_store_them(listener):
    stored = status(7).split("\r\n")[3 - 1]
    script = listener.script(
        {
            r"AT\+CNMI=2,1,0,1,0": said("ERROR"),
            r"AT\+CMGR=3": f"\r\n+CMGR: 0,,25\r\n{stored}\r\n\r\nOK\r\n",
        }
    )
    listener.channel(script.url).send(MESSAGE)
    script.say('\r\n+CDSI: "SR",3\r\n')
    assert listener.reports.get(timeout=10).refs == ("7",)
    wait_for(script, r"AT\+CMGD=3")
    read = [one for one in script.commands if "SR" in one or one.endswith("=3")][-3:]
    assert read == ['AT+CPMS="SR"', "AT+CMGR=3", "AT+CMGD=3"]


def test_reports_stored_while_nobody_listened_are_read_at_the_start(listener):
    stored = status(9).split("\r\n")[2]

    def listed(script):
        reports = script.commands[-2] == 'AT+CPMS="SR"'
        return f"\r\n+CMGL: 4,1,,25\r\n{stored}\r\n\r\nOK\r\n" if reports else said("OK")

    script = listener.script({r"AT\+CNMI=2,1,0,1,0": said("ERROR"), r"AT\+CMGL=4": listed})
    listener.channel(script.url)
    assert listener.reports.get(timeout=10) == channels.PartReport(("9",), AN, True, "ST 00", NOON)
    wait_for(script, r"AT\+CMGD=4")


def test_a_modem_that_waits_for_thanks_gets_them(listener):
    script = listener.script({r"AT\+CSMS\?": said("+CSMS: 1,1,1,1", "OK")})
    listener.channel(script.url).send(MESSAGE)
    script.say(status(7))
    wait_for(script, r"AT\+CNMA")


def test_a_modem_without_a_memory_of_its_own_uses_the_sims(listener):
    script = listener.script({r'AT\+CPMS="ME","ME","ME"': said("+CPMS: 0,0,0,0,0,0", "OK")})
    listener.channel(script.url).send(MESSAGE)
    assert 'AT+CPMS="SM","SM","SM"' in script.commands
