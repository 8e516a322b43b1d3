"""The modem channel sends: against a modem that follows a script, octet for octet, on a pty."""

import queue
import threading
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import modem
from gateway.rules.sms import pdu
from tests.gateway.modems import (
    AN,
    BINH,
    LONG,
    MESSAGE,
    NOON,
    QUICK,
    SOON,
    YES,
    Listener,
    fault_of,
    said,
    status,
    wait_for,
)  # fmt: skip


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


def parts(*refs, total=3, joint=0x34):
    return tuple(channels.Part(number, total, joint, ref) for number, ref in enumerate(refs, start=1))


def test_the_modem_gets_the_pdu_of_the_standard(listener):
    script = listener.script()
    accepted = listener.channel(script.url).send(MESSAGE)
    assert accepted == channels.Accepted("7", 1, handed=parts("7", total=1, joint=0))
    assert script.pdus == ["0031000B914809153254F60000A714CD302808A3C958A0184D37838164B4572C06"]
    assert script.commands[-1] == "AT+CMGS=32"


def test_each_part_of_a_long_text_is_told_with_its_number(listener):
    script = listener.script()
    accepted = listener.channel(script.url).send(LONG)
    assert accepted == channels.Accepted("7-8-9", 3, handed=parts("7", "8", "9"))
    joins = [pdu.read_submit(one).join for one in script.pdus]
    assert joins == [pdu.Join(0x34, 3, number) for number in (1, 2, 3)]


def test_parts_may_be_joined_by_sixteen_bits(listener):
    script = listener.script()
    accepted = listener.channel(script.url, reference_bits=16).send(LONG)
    assert {part.joint for part in accepted.handed} == {0x1234}
    assert {pdu.read_submit(one).join.reference for one in script.pdus} == {0x1234}


def test_only_the_parts_that_are_missing_are_sent_and_with_the_same_joint(listener):
    script = listener.script()
    begun = parts("200", None)
    accepted = listener.channel(script.url).send(replace(LONG, begun=begun))
    assert accepted == channels.Accepted("200-7", 1, handed=(channels.Part(3, 3, 0x34, "7"),))
    assert [pdu.read_submit(one).join for one in script.pdus] == [pdu.Join(0x34, 3, 3)]


def test_parts_of_another_wording_are_no_part_of_this_one(listener):
    script = listener.script()
    begun = (channels.Part(1, 2, 0x34, "200"), channels.Part(2, 3, 0x35, "201"))
    assert listener.channel(script.url).send(replace(LONG, begun=begun)).parts == 3


def test_what_was_handed_over_whole_is_a_yes_without_the_modem(listener):
    script = listener.script()
    accepted = listener.channel(script.url).send(replace(LONG, begun=parts("1", "2", "3")))
    assert (accepted, script.pdus) == (channels.Accepted("1-2-3", 0), [])


def test_the_names_of_many_parts_fit_into_a_row(listener):
    accepted = listener.channel(listener.script().url).send(replace(MESSAGE, text="x" * 153 * 60))
    assert (len(accepted.handed), len(accepted.provider_ref) <= 80) == (60, True)
    assert accepted.provider_ref.startswith("7-8-9-") and accepted.provider_ref[-1].isdigit()


def test_every_report_is_told_by_its_number_and_phone(listener):
    script = listener.script()
    listener.channel(script.url).send(LONG)
    script.say(status(9) + status(7, 0x46) + status(200, to="84912345678"))
    told = [listener.reports.get(timeout=SOON) for _ in range(3)]
    assert set(told) == {
        channels.PartReport(("9",), AN, True, "ST 00", NOON),
        channels.PartReport(("7",), AN, False, "ST 46", NOON),
        channels.PartReport(("200",), BINH, True, "ST 00", NOON),
    }


def test_a_network_still_trying_is_no_end(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    script.say(status(7, 0x20))
    assert listener.reports.get(timeout=SOON) == channels.PartReport(("7",), AN, None, "ST 20", NOON)


@pytest.mark.parametrize(
    "answer",
    [
        status(7) + said("+CMGS: 7", "OK"),
        said("+CMGS: 7") + status(7) + said("OK"),
        said("+CMGS: 7", "OK") + status(7),
    ],
    ids=["before the number", "before OK", "after OK"],
)
def test_a_report_is_heard_wherever_it_stands(listener, answer):
    script = listener.script(texts=[answer])
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"
    assert listener.reports.get(timeout=SOON).refs == ("7",)


def test_a_report_in_two_pieces_with_noise_between_is_heard(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    header, text = status(7).split("\r\n")[1:3]
    script.say(f"\r\n{header}\r\n\x00\r\nRING\r\n")
    script.say(text[:10])
    script.say(text[10:] + "\r\n")
    assert listener.reports.get(timeout=SOON).delivered is True


def test_a_report_whose_pdu_was_eaten_by_noise_costs_no_message(listener):
    script = listener.script(texts=["\r\n+CDS: 25\r\n" + said("+CMGS: 7", "OK")])
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"


def test_unasked_lines_around_the_prompt_do_no_harm(listener):
    script = listener.script({r"AT\+CMGS=32": "\r\n^RSSI:21\r\n\r\n> \r\nRING\r\n"})
    script.texts = [said("+CREG: 1", "+CMGS: 7", "^BOOT:1,2", "OK")]
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"


def test_noise_around_a_prompt_and_a_result_does_no_harm(listener):
    script = listener.script(
        {r"AT\+CMGS=32": "\xff\x00\r\n\xfe\x00> "}, texts=["\xf0\r\n\xff+CMGS: 7\x00\r\n\xfeOK\r\n"]
    )
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"


def test_a_modem_that_sends_everything_back_is_understood(listener):
    """Its echo cannot be switched off; the PDU comes back as well."""

    class Parrot(type(listener.script())):
        def _hear(self, text, is_pdu):
            self.say(text + ("\x1a" if is_pdu else "\r"))
            super()._hear(text, is_pdu)

    script = Parrot()
    listener._open.insert(0, script)
    assert listener.channel(script.url).send(LONG).provider_ref == "7-8-9"


def test_octets_that_are_no_text_do_not_end_the_reader(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    channel.send(MESSAGE)
    script.say("\xff\xfe\x00\r\n" + "\x80" * 9000 + "A" * 9000 + "\r\n" + status(7))
    assert listener.reports.get(timeout=SOON).delivered is True
    assert channel.send(replace(MESSAGE, reference="ntc_2")).provider_ref == "8"


def test_a_report_that_could_not_be_kept_is_told_again(listener):
    tries = []

    def busy_once(report):
        tries.append(report)
        if len(tries) == 1:
            raise RuntimeError("the database is busy")
        listener.reports.put(report)

    script = listener.script()
    listener.channel(script.url, on_part=busy_once).send(MESSAGE)
    script.say(status(7))
    assert listener.reports.get(timeout=SOON).refs == ("7",)
    assert len(tries) == 2


def test_a_listener_that_hangs_holds_up_no_message(listener):
    go_on = threading.Event()
    script = listener.script()
    channel = listener.channel(
        script.url, on_part=lambda report: (go_on.wait(SOON), listener.reports.put(report))
    )
    channel.send(MESSAGE)
    script.say(status(7))
    assert channel.send(replace(MESSAGE, reference="ntc_2")).provider_ref == "8"
    go_on.set()
    assert listener.reports.get(timeout=SOON).refs == ("7",)


def test_silence_after_the_text_means_nobody_knows_and_the_next_message_goes(listener):
    script = listener.script(texts=["", YES])
    channel = listener.channel(script.url)
    fault = fault_of(channel)
    assert (fault.sent, fault.code, fault.handed) == (True, "silent", parts(None, total=1, joint=0))
    assert channel.send(replace(MESSAGE, to=BINH, reference="ntc_2")).provider_ref == "7"
    assert len(script.pdus) == 2


def test_a_number_that_comes_while_the_modem_is_called_back_is_a_yes(listener):
    script = listener.script(texts=["", YES])

    def late(script):
        script.answers["AT"] = said("OK")
        return said("+CMGS: 99", "OK", "OK")

    channel = listener.channel(script.url)
    wait_for(script, r"AT\+CSQ")
    script.answers["AT"] = late
    assert channel.send(MESSAGE).provider_ref == "99"


def test_the_number_is_a_yes_also_when_its_ok_is_lost(listener):
    script = listener.script(texts=["\r\n+CMGS: 7\r\n"])
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"


def test_an_ok_without_a_number_means_nobody_knows(listener):
    fault = fault_of(listener.channel(listener.script(texts=[said("OK"), YES]).url))
    assert (fault.sent, fault.handed) == (True, parts(None, total=1, joint=0))


def test_no_prompt_is_asked_for_twice_and_then_nothing_was_sent(listener):
    script = listener.script({r"AT\+CMGS=32": ""})
    fault = fault_of(listener.channel(script.url))
    assert (fault.sent, fault.handed, script.pdus) == (False, (), [])
    assert script.commands.count("AT+CMGS=32") == 2


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ("+CMS ERROR: 1", channels.Refused, "CMS 1"),
        ("+CMS ERROR: 21", channels.Refused, "CMS 21"),
        ("+CMS ERROR: 304", channels.Refused, "CMS 304"),
        ("+CMS ERROR: 38", channels.Unreachable, "CMS 38"),
        ("+CMS ERROR: 500", channels.Unreachable, "CMS 500"),
        ("+CMS ERROR: 512", channels.Unreachable, "CMS 512"),
        ("+CME ERROR: 14", channels.Unreachable, "CME 14"),
        ("+CME ERROR: 32", channels.Refused, "CME 32"),
    ],
)
def test_a_numbered_error_says_that_nothing_was_sent_and_whose_fault_it_is(listener, error, kind, code):
    script = listener.script(texts=[said(error)])
    fault = fault_of(listener.channel(script.url))
    assert (type(fault), fault.code, fault.handed) == (kind, code, ())
    assert getattr(fault, "sent", False) is False
    assert len(script.pdus) == 1


def test_a_plain_error_after_the_text_means_nobody_knows(listener):
    script = listener.script(texts=[said("ERROR"), YES])
    channel = listener.channel(script.url)
    fault = fault_of(channel)
    assert (fault.sent, fault.code, fault.handed) == (True, "ERROR", parts(None, total=1, joint=0))
    assert channel.send(replace(MESSAGE, reference="ntc_2")).provider_ref == "7"


@pytest.mark.parametrize("error", ["ERROR", "+CMS ERROR: 302", "+CME ERROR: 100"])
def test_an_error_before_the_prompt_is_tried_once_more(listener, error):
    def once(script):
        script.answers[r"AT\+CMGS=32"] = "\r\n> "
        return said(error)

    script = listener.script({r"AT\+CMGS=32": once})
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"
    assert len(script.pdus) == 1


def test_a_modem_that_goes_on_saying_error_is_set_up_anew(listener):
    script = listener.script({r"AT\+CMGS=32": said("ERROR")})
    channel = listener.channel(script.url)
    faults = [fault_of(channel) for _ in range(2)]
    assert [(one.sent, one.handed) for one in faults] == [(False, ()), (False, ())]
    listener.state(state="opening", sim="ready")
    assert script.commands.count("ATZ") >= 1
    listener.state(state="ready", recoveries=1)


def test_what_was_taken_before_an_error_is_told_with_it(listener):
    script = listener.script(texts=[YES, said("+CMS ERROR: 38"), YES])
    channel = listener.channel(script.url)
    fault = fault_of(channel, LONG)
    assert (fault.sent, fault.handed) == (False, parts("7"))
    assert channel.send(replace(LONG, begun=fault.handed)).provider_ref == "7-8-9"
    joins = [pdu.read_submit(one).join for one in script.pdus]
    assert [join.number for join in joins] == [1, 2, 2, 3]
    assert {join.reference for join in joins} == {0x34}


def test_after_a_part_nobody_knows_of_the_rest_stays_here(listener):
    script = listener.script(texts=[YES, "", YES])
    fault = fault_of(listener.channel(script.url), LONG)
    assert (fault.sent, fault.handed, len(script.pdus)) == (True, parts("7", None), 2)


def test_a_part_that_cannot_reach_the_person_is_told_with_those_that_went(listener):
    fault = fault_of(listener.channel(listener.script(texts=[YES, said("+CMS ERROR: 1")]).url), LONG)
    assert (type(fault), fault.handed) == (channels.Refused, parts("7"))


def test_a_full_memory_is_emptied_and_the_text_sent_again(listener):
    script = listener.script(texts=[said("+CMS ERROR: 322"), YES])
    listener.channel(script.url).send(MESSAGE)
    assert "AT+CMGD=1,3" in script.commands and len(script.pdus) == 2


def test_a_memory_that_stays_full_is_said_so(listener):
    script = listener.script(texts=[said("+CMS ERROR: 322")])
    fault = fault_of(listener.channel(script.url))
    assert (fault.sent, fault.code, len(script.pdus)) == (False, "CMS 322", 2)


def test_a_network_without_validity_gets_this_text_and_the_next_without(listener):
    script = listener.script(texts=[said("+CMS ERROR: 198"), YES])
    channel = listener.channel(script.url)
    channel.send(MESSAGE)
    channel.send(replace(MESSAGE, reference="ntc_2"))
    assert [pdu.read_submit(one).valid_seconds for one in script.pdus] == [86_400, None, None]


def test_the_link_to_the_network_is_kept_up_for_a_batch(listener):
    script = listener.script()
    listener.channel(script.url).send(LONG)
    assert script.commands[-4:] == ["AT+CMMS=1", *script.commands[-3:]]
    assert all(one.startswith("AT+CMGS=") for one in script.commands[-3:])


def test_the_rate_cap_counts_parts_and_says_when_to_come_back(listener):
    script = listener.script()
    channel = listener.channel(script.url, per_minute=4)
    channel.send(LONG)
    listener.now += 20
    channel.send(replace(MESSAGE, text="one part", reference="ntc_2"))
    fault = fault_of(channel, replace(MESSAGE, reference="ntc_3"))
    assert (fault.sent, fault.code, fault.retry_after) == (False, "rate", 40)
    listener.now += 40
    channel.send(replace(MESSAGE, reference="ntc_3"))
    assert len(script.pdus) == 5


def test_a_text_of_more_parts_than_the_cap_still_goes_when_all_is_quiet(listener):
    script = listener.script()
    assert listener.channel(script.url, per_minute=1).send(LONG).parts == 3


def test_many_senders_are_served_one_after_another(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    taken: queue.Queue = queue.Queue()
    threads = [
        threading.Thread(target=lambda n=n: taken.put(channel.send(replace(MESSAGE, reference=f"ntc_{n}"))))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    refs = {taken.get(timeout=SOON).provider_ref for _ in threads}
    for thread in threads:
        thread.join()
    assert refs == {str(number) for number in range(7, 27)}


def test_a_text_too_long_for_any_phone_is_refused_without_the_modem(listener):
    fault = fault_of(listener.channel(listener.script().url), replace(MESSAGE, text="x" * 153 * 256))
    assert (fault.code, fault.fault) == ("length", channels.Fault.BUG)


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
    script = listener.script(texts=["", YES])
    channel = listener.channel(script.url)
    fault_of(channel)
    channel.send(replace(MESSAGE, reference="ntc_2"))
    assert "090***456" in caplog.text
    assert "0905123456" not in caplog.text.replace("+84", "0") and "84905123456" not in caplog.text


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:1", "serial://", "/dev/ttyUSB0", "serial:///dev/x?baud=fast", "socket://host"]
)
def test_a_wrong_url_is_a_mistake_at_the_start(url):
    with pytest.raises(ValueError):
        modem.Modem(
            "modem", url, on_part=print, on_incoming=print, on_state=print, clock=lambda: NOON, patience=QUICK
        )
