"""The modem channel against a modem that follows a script, octet for octet, on a pty."""

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
from gateway.rules.sms import pdu
from gateway.sandbox import air

AN = "+84905123456"
MESSAGE = channels.Message(AN, "appointment", "Ma A042, 14:30 24/11", None, {}, "ntc_1", valid_seconds=86_400)
LONG = replace(MESSAGE, text="Số thứ tự 042. " * 12)
NOON = 1_795_429_800
SOON = 10
QUICK = modem.Patience(prompt=0.3, answer=0.3, command=0.5, alive=30, reopen=0.02, reopen_most=0.1)

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

    def __init__(self, answers=None, texts=("\r\n+CMGS: %d\r\n\r\nOK\r\n",)) -> None:
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
            heard += os.read(self._master, 4096).replace(b"\x1b", b"")
            while match := re.search(rb"[\r\x1a]", heard):
                text, heard = heard[: match.start()].decode(), heard[match.end() :]
                self._hear(text, match[0] == b"\x1a")

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
    """Where reports and texts end up; `clock` is moved by hand."""

    def __init__(self) -> None:
        self.reports: queue.Queue[channels.Report] = queue.Queue()
        self.texts: queue.Queue[modem.Incoming] = queue.Queue()
        self.now = NOON
        self._open: list = []

    def channel(self, url: str, per_minute=None, on_incoming=None, on_report=None) -> modem.Modem:
        made = modem.Modem(
            url, per_minute=per_minute,
            on_report=on_report or self.reports.put, on_incoming=on_incoming or self.texts.put,
            clock=lambda: self.now, patience=QUICK,
        )  # fmt: skip
        self._open.append(made)
        return made

    def script(self, *args, **words) -> Script:
        made = Script(*args, **words)
        self._open.insert(0, made)
        return made

    def close(self) -> None:
        for one in reversed(self._open):
            (one.close if isinstance(one, modem.Modem) else one.stop)()


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def status(number: int, state: int = 0, to: str = AN) -> str:
    text, length = air.report(number, to, NOON, NOON, state)
    return f"\r\n+CDS: {length}\r\n{text}\r\n"


def wait_for(script: Script, pattern: str) -> None:
    while not re.fullmatch(pattern, script.heard.get(timeout=SOON)):
        pass


def fault_of(channel, message=MESSAGE):
    with pytest.raises((channels.Refused, channels.Unreachable)) as caught:
        channel.send(message)
    return caught.value


def test_the_modem_gets_the_pdu_of_the_standard(listener):
    script = listener.script()
    accepted = listener.channel(script.url).send(MESSAGE)
    assert accepted == channels.Accepted("7", 1)
    assert script.pdus == ["0031000B914809153254F60000A714CD302808A3C958A0184D37838164B4572C06"]
    assert script.commands[-1] == "AT+CMGS=32"


def test_the_modem_is_prepared_before_the_first_text(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    before = script.commands[: script.commands.index("AT+CMGS=32")]
    for command in (
        "ATE0",
        "AT+CMEE=1",
        "AT+CPIN?",
        "AT+CREG?",
        "AT+CMGF=0",
        "AT+CSCA?",
        "AT+CNMI=2,1,0,1,0",
    ):
        assert command in before


def test_a_modem_that_cannot_push_reports_is_asked_to_store_them(listener):
    stored = air.report(7, AN, NOON, NOON, 0)[0]
    script = listener.script(
        {
            r"AT\+CNMI=2,1,0,1,0": "\r\nERROR\r\n",
            r"AT\+CMGR=3": f"\r\n+CMGR: 0,,25\r\n{stored}\r\n\r\nOK\r\n",
        }
    )
    listener.channel(script.url).send(MESSAGE)
    script.say('\r\n+CDSI: "SR",3\r\n')
    assert listener.reports.get(timeout=SOON).delivered is True
    wait_for(script, r'AT\+CPMS="ME"')
    assert script.commands[-4:] == ['AT+CPMS="SR"', "AT+CMGR=3", "AT+CMGD=3", 'AT+CPMS="ME"']


def test_a_long_text_is_delivered_when_its_last_part_is(listener):
    script = listener.script()
    assert listener.channel(script.url).send(LONG) == channels.Accepted("7-8-9", 3)
    script.say(status(9) + status(7) + status(8))
    report = listener.reports.get(timeout=SOON)
    assert report == channels.Report("ntc_1", "7-8-9", AN, True, "ST 00", NOON, True)


def test_one_failed_part_fails_the_text_and_the_rest_is_silent(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    channel.send(LONG)
    script.say(status(7) + status(8, 0x46) + status(9))
    assert listener.reports.get(timeout=SOON).delivered is False
    channel.send(replace(MESSAGE, reference="ntc_2"))
    script.say(status(10))
    assert listener.reports.get(timeout=SOON).reference == "ntc_2"


def test_a_network_still_trying_is_no_end(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    script.say(status(7, 0x20) + status(7))
    told = [listener.reports.get(timeout=SOON) for _ in range(2)]
    assert [(one.delivered, one.final) for one in told] == [(None, False), (True, True)]


def test_a_report_between_the_number_and_the_ok_is_matched(listener):
    script = listener.script(texts=["\r\n+CMGS: 7\r\n" + status(7) + "\r\nOK\r\n"])
    listener.channel(script.url).send(MESSAGE)
    assert listener.reports.get(timeout=SOON).reference == "ntc_1"


def test_a_report_before_the_number_is_matched(listener):
    script = listener.script(texts=[status(7) + "\r\n+CMGS: 7\r\n\r\nOK\r\n"])
    listener.channel(script.url).send(MESSAGE)
    assert listener.reports.get(timeout=SOON).reference == "ntc_1"


def test_unasked_lines_around_the_prompt_do_no_harm(listener):
    script = listener.script({r"AT\+CMGS=32": "\r\n^RSSI:21\r\n\r\n> \r\nRING\r\n"})
    script.texts = ["\r\n+CREG: 1\r\n\r\n+CMGS: 7\r\n\r\n^BOOT:1,2\r\n\r\nOK\r\n"]
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"


def test_octets_that_are_no_text_do_not_end_the_reader(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    channel.send(MESSAGE)
    script.say("\xff\xfe\x00\r\n" + "\x80" * 9000 + "\r\n" + status(7))
    assert listener.reports.get(timeout=SOON).delivered is True
    assert channel.send(replace(MESSAGE, reference="ntc_2")).provider_ref == "8"


def test_a_report_nobody_waits_for_is_told_with_its_number_and_phone(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    script.say(status(200, to="+84912345678"))
    report = listener.reports.get(timeout=SOON)
    assert (report.reference, report.provider_ref, report.to) == (None, "200", "+84912345678")


def test_a_report_that_could_not_be_stored_is_told_again(listener):
    tries = []

    def busy_once(report):
        tries.append(report)
        if len(tries) == 1:
            raise RuntimeError("the database is busy")
        listener.reports.put(report)

    script = listener.script()
    channel = listener.channel(script.url, on_report=busy_once)
    channel.send(MESSAGE)
    script.say(status(7))
    assert listener.reports.get(timeout=SOON).reference == "ntc_1"
    assert len(tries) == 2


def test_a_network_that_writes_the_destination_its_own_way_is_understood(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    script.say(status(7, to="84905123456"))
    assert listener.reports.get(timeout=SOON).reference == "ntc_1"


def test_silence_after_the_text_means_nobody_knows_and_the_next_message_goes(listener):
    script = listener.script(texts=["", "\r\n+CMGS: %d\r\n\r\nOK\r\n"])
    channel = listener.channel(script.url)
    fault = fault_of(channel)
    assert (fault.sent, len(script.pdus)) == (True, 1)
    assert channel.send(replace(MESSAGE, to="+84912345678", reference="ntc_2")).provider_ref == "7"


def test_a_report_after_the_silence_tells_what_became_of_the_message(listener):
    script = listener.script(texts=[""])
    fault_of(listener.channel(script.url))
    script.say(status(99))
    report = listener.reports.get(timeout=SOON)
    assert (report.reference, report.delivered, report.final) == ("ntc_1", True, True)


def test_no_prompt_means_nothing_was_sent(listener):
    script = listener.script({r"AT\+CMGS=32": ""})
    fault = fault_of(listener.channel(script.url))
    assert (fault.sent, script.pdus) == (False, [])


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ("+CMS ERROR: 1", channels.Refused, "CMS 1"),
        ("+CMS ERROR: 21", channels.Refused, "CMS 21"),
        ("+CMS ERROR: 304", channels.Refused, "CMS 304"),
        ("+CMS ERROR: 38", channels.Unreachable, "CMS 38"),
        ("+CMS ERROR: 512", channels.Unreachable, "CMS 512"),
        ("+CME ERROR: 14", channels.Unreachable, "CME 14"),
        ("ERROR", channels.Unreachable, "CMS 500"),
    ],
)
def test_an_error_is_raised_as_its_class(listener, error, kind, code):
    fault = fault_of(listener.channel(listener.script(texts=[f"\r\n{error}\r\n"]).url))
    assert (type(fault), fault.code) == (kind, code)
    assert getattr(fault, "sent", False) is False


def test_after_an_error_only_the_missing_parts_are_sent_with_the_same_join(listener):
    yes = "\r\n+CMGS: %d\r\n\r\nOK\r\n"
    script = listener.script(texts=[yes, "\r\n+CMS ERROR: 38\r\n", yes])
    channel = listener.channel(script.url)
    assert fault_of(channel, LONG).sent is False
    assert channel.send(LONG).provider_ref == "7-8-9"
    joins = [pdu.read_submit(one).join for one in script.pdus]
    assert [join.number for join in joins] == [1, 2, 2, 3]
    assert len({join.reference for join in joins}) == 1


def test_the_same_message_again_is_a_yes_and_no_second_text(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    assert channel.send(MESSAGE) == channel.send(MESSAGE)
    assert len(script.pdus) == 1


def test_a_full_memory_is_emptied_and_the_text_sent_again(listener):
    script = listener.script(texts=["\r\n+CMS ERROR: 322\r\n", "\r\n+CMGS: 7\r\n\r\nOK\r\n"])
    listener.channel(script.url).send(MESSAGE)
    assert "AT+CMGD=1,3" in script.commands and len(script.pdus) == 2


def test_a_network_without_validity_gets_the_text_without(listener):
    script = listener.script(texts=["\r\n+CMS ERROR: 198\r\n", "\r\n+CMGS: 7\r\n\r\nOK\r\n"])
    listener.channel(script.url).send(MESSAGE)
    assert [pdu.read_submit(one).valid_seconds for one in script.pdus] == [86_400, None]


@pytest.mark.parametrize(
    ("pattern", "answer", "kind", "code"),
    [
        (r"AT\+CPIN\?", "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n", channels.Refused, "CME 11"),
        (r"AT\+CPIN\?", "\r\n+CME ERROR: 10\r\n", channels.Refused, "CME 10"),
        (r"AT\+CREG\?", "\r\n+CREG: 0,2\r\n\r\nOK\r\n", channels.Unreachable, "CME 30"),
        (r"AT\+CSCA\?", '\r\n+CSCA: "",129\r\n\r\nOK\r\n', channels.Refused, "CME 15"),
        (r"AT.*", "", channels.Unreachable, "no_modem"),
    ],
)
def test_a_modem_that_cannot_work_says_why(listener, pattern, answer, kind, code):
    fault = fault_of(listener.channel(listener.script({pattern: answer}).url))
    assert (type(fault), fault.code) == (kind, code)


def test_a_modem_that_gets_its_network_back_is_used_again(listener):
    script = listener.script({r"AT\+CREG\?": "\r\n+CREG: 0,2\r\n\r\nOK\r\n"})
    channel = listener.channel(script.url)
    fault_of(channel)
    script.answers[r"AT\+CREG\?"] = "\r\n+CREG: 0,5\r\n\r\nOK\r\n"
    assert eventually(channel, MESSAGE).parts == 1


def test_a_modem_pulled_out_and_put_back_is_used_again(listener, tmp_path):
    link, first, second = tmp_path / "modem", listener.script(), listener.script()
    link.symlink_to(first.url.removeprefix("serial://").removesuffix("?baud=115200"))
    channel = listener.channel(f"serial://{link}")
    channel.send(MESSAGE)
    link.unlink()
    listener._open.remove(first)
    first.stop()
    assert fault_of(channel, replace(MESSAGE, reference="ntc_2")).sent is False
    link.symlink_to(second.url.removeprefix("serial://").removesuffix("?baud=115200"))
    eventually(channel, replace(MESSAGE, reference="ntc_2"))
    assert len(second.pdus) == 1


def test_two_owners_never_share_a_port(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    assert fault_of(listener.channel(script.url)).code == "no_modem"


def test_the_rate_cap_counts_parts_and_says_when_to_come_back(listener):
    script = listener.script()
    channel = listener.channel(script.url, per_minute=4)
    channel.send(LONG)
    listener.now += 20
    channel.send(MESSAGE.__class__(AN, "k", "one part", None, {}, "ntc_2"))
    fault = fault_of(channel, replace(MESSAGE, reference="ntc_3"))
    assert (fault.sent, fault.code, fault.retry_after) == (False, "rate", 40)
    listener.now += 40
    channel.send(replace(MESSAGE, reference="ntc_3"))
    assert len(script.pdus) == 5


def test_a_text_of_more_parts_than_the_cap_still_goes_when_all_is_quiet(listener):
    script = listener.script()
    assert listener.channel(script.url, per_minute=1).send(LONG).parts == 3


def test_a_text_from_a_person_is_handed_on_and_deleted(listener):
    text, length = air.delivers(AN, "XN A042 – tới đúng giờ", NOON, 0)[0]
    script = listener.script({r"AT\+CMGR=5": f"\r\n+CMGR: 0,,{length}\r\n{text}\r\n\r\nOK\r\n"})
    listener.channel(script.url).send(MESSAGE)
    script.say('\r\n+CMTI: "ME",5\r\n')
    assert listener.texts.get(timeout=SOON) == modem.Incoming(AN, "XN A042 – tới đúng giờ", NOON)
    wait_for(script, r"AT\+CMGD=5")


def test_a_text_that_could_not_be_handed_on_stays_in_the_modem(listener):
    def fails(_):
        raise RuntimeError("no room")

    text, length = air.delivers(AN, "XN", NOON, 0)[0]
    script = listener.script({r"AT\+CMGR=5": f"\r\n+CMGR: 0,,{length}\r\n{text}\r\n\r\nOK\r\n"})
    channel = listener.channel(script.url, on_incoming=fails)
    wait_for(script, r"AT\+CMGL=4")
    script.say('\r\n+CMTI: "ME",5\r\n')
    wait_for(script, r"AT\+CMGR=5")
    channel.send(MESSAGE)
    assert not [command for command in script.commands if command.startswith("AT+CMGD")]


def test_texts_that_came_while_nobody_listened_are_read_at_the_start(listener):
    parts = air.delivers(AN, "Tôi xin đổi giờ. " * 8, NOON, 9)
    rows = "".join(f"\r\n+CMGL: {at},0,,{length}\r\n{text}" for at, (text, length) in enumerate(parts, 1))
    reads = {
        rf"AT\+CMGR={at}": f"\r\n+CMGR: 0,,{length}\r\n{text}\r\n\r\nOK\r\n"
        for at, (text, length) in enumerate(parts, 1)
    }
    script = listener.script({r"AT\+CMGL=4": rows + "\r\n\r\nOK\r\n", **reads})
    listener.channel(script.url)
    assert listener.texts.get(timeout=SOON).text == "Tôi xin đổi giờ. " * 8
    wait_for(script, rf"AT\+CMGD={len(parts)}")


def test_what_is_no_text_is_deleted_before_it_fills_the_sim(listener):
    script = listener.script({r"AT\+CMGR=5": "\r\n+CMGR: 0,,3\r\nzzzz\r\n\r\nOK\r\n"})
    listener.channel(script.url)
    wait_for(script, r"AT\+CMGL=4")
    script.say('\r\n+CMTI: "ME",5\r\n')
    wait_for(script, r"AT\+CMGD=5")


def test_an_idle_modem_is_asked_if_it_is_alive_and_replaced_when_it_is_not(listener):
    script = listener.script()
    channel = modem.Modem(
        script.url, per_minute=None, on_report=print, on_incoming=print, clock=lambda: NOON,
        patience=replace(QUICK, alive=0.05),
    )  # fmt: skip
    wait_for(script, r"AT\+CMGL=4")
    wait_for(script, "AT")
    script.answers["AT"] = ""
    wait_for(script, "AT")
    wait_for(script, "AT")  # the resync of a new conversation
    script.answers["AT"] = "\r\nOK\r\n"
    wait_for(script, r"AT\+CPIN\?")
    channel.close()


def test_close_answers_whoever_waits(listener):
    script = listener.script({r"AT.*": ""})
    channel = listener.channel(script.url)
    faults: queue.Queue = queue.Queue()
    waiting = threading.Thread(target=lambda: faults.put(fault_of(channel)))
    waiting.start()
    channel.close()
    waiting.join()
    assert faults.get().sent is False
    assert fault_of(channel).sent is False


def test_no_phone_number_is_logged(listener, caplog):
    caplog.set_level("DEBUG")
    script = listener.script(texts=["", "\r\n+CMGS: 7\r\n\r\nOK\r\n"])
    channel = listener.channel(script.url)
    fault_of(channel)
    channel.send(replace(MESSAGE, reference="ntc_2"))
    assert "090***456" in caplog.text
    assert "0905123456" not in caplog.text.replace("+84", "0") and "84905123456" not in caplog.text


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:1", "serial://", "/dev/ttyUSB0", "serial:///dev/x?baud=fast"]
)
def test_a_wrong_url_is_a_mistake_at_the_start(url):
    with pytest.raises(ValueError):
        modem.Modem(url, per_minute=1, on_report=print, on_incoming=print, clock=lambda: NOON)


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
