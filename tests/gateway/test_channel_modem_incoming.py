"""Texts that people send to the SIM: whole, once, and never deleted before somebody has kept them."""

import re
from dataclasses import replace

import pytest

from gateway import channels
from gateway.sandbox import air
from tests.gateway.modems import (
    AN,
    BINH,
    MESSAGE,
    NOON,
    QUICK,
    SOON,
    YES,
    Listener,
    said,
    wait_for,
    wait_until,
)


@pytest.fixture
def listener():
    listener = Listener()
    yield listener
    listener.close()


class Memory:
    """Texts in a SIM, as answers of a script: AT+CMGR, AT+CMGL and AT+CMGD see the same."""

    def __init__(self, *pdus: tuple[str, int], size=50) -> None:
        self.held = dict(enumerate(pdus, start=1))
        self.size = size

    def answers(self):
        return {
            r"AT\+CMGR=\d+": self._read,
            r"AT\+CMGD=\d+.*": self._delete,
            r"AT\+CMGL=4": self._list,
            r"AT\+CPMS\?": lambda script: said(",".join([f'+CPMS: "ME",{self.used()}'] * 3), "OK"),
        }

    def used(self):
        return f"{len(self.held)},{self.size}"

    def _read(self, script):
        held = self.held.get(int(re.search(r"\d+", script.commands[-1])[0]))
        if held is None:
            return said("+CMS ERROR: 321")
        return f"\r\n+CMGR: 0,,{held[1]}\r\n{held[0]}\r\n\r\nOK\r\n"

    def _delete(self, script):
        place, all_read = re.fullmatch(r"AT\+CMGD=(\d+)(,3)?", script.commands[-1]).groups()
        if all_read:
            self.held.clear()
        self.held.pop(int(place), None)
        return said("OK")

    def _list(self, script):
        rows = "".join(f"\r\n+CMGL: {at},1,,{size}\r\n{text}" for at, (text, size) in self.held.items())
        return rows + "\r\n\r\nOK\r\n"


def pdus(text, sender=AN, at=NOON, reference=9):
    return air.delivers(sender, text, at, reference)


LONG_TEXT = "Tôi xin đổi giờ. " * 10


def test_a_text_from_a_person_is_handed_on_whole_and_deleted(listener):
    memory = Memory()
    script = listener.script(memory.answers())
    listener.channel(script.url).send(MESSAGE)
    memory.held[5] = pdus("XN A042 – tới đúng giờ")[0]
    script.say('\r\n+CMTI: "ME",5\r\n')
    assert listener.texts.get(timeout=SOON) == channels.Incoming(AN, "XN A042 – tới đúng giờ", NOON)
    assert wait_until(lambda: not memory.held)


def test_a_text_told_of_in_the_middle_of_a_hand_over_is_read_after_it(listener):
    memory = Memory(*pdus("XN"))
    script = listener.script(
        memory.answers() | {r"AT\+CMGL=4": said("OK")},
        texts=['\r\n+CMTI: "ME",1\r\n' + said("+CMGS: 7", "OK")],
    )
    assert listener.channel(script.url).send(MESSAGE).provider_ref == "7"
    assert listener.texts.get(timeout=SOON).text == "XN"


def test_a_text_that_could_not_be_kept_stays_in_the_modem_and_is_told_again(listener):
    memory, tries = Memory(*pdus("XN")), []

    def busy(text):
        tries.append(text)
        if len(tries) < 3:
            assert memory.held
            raise RuntimeError("no room")
        listener.texts.put(text)

    listener.channel(listener.script(memory.answers()).url, on_incoming=busy)
    assert listener.texts.get(timeout=SOON).text == "XN"
    assert len(tries) == 3 and wait_until(lambda: not memory.held)


def test_texts_that_came_while_nobody_listened_are_read_at_the_start(listener):
    memory = Memory(*pdus(LONG_TEXT), *pdus("HUY", BINH))
    listener.channel(listener.script(memory.answers()).url)
    told = {listener.texts.get(timeout=SOON) for _ in range(2)}
    assert told == {channels.Incoming(AN, LONG_TEXT, NOON), channels.Incoming(BINH, "HUY", NOON)}
    assert wait_until(lambda: not memory.held)


def test_a_text_pushed_out_directly_is_heard_as_well(listener):
    script = listener.script()
    listener.channel(script.url).send(MESSAGE)
    for text, length in reversed(pdus(LONG_TEXT)):
        script.say(f"\r\n+CMT: ,{length}\r\n{text}\r\n")
    assert listener.texts.get(timeout=SOON).text == LONG_TEXT


def test_parts_stay_in_the_modem_until_the_text_is_whole(listener):
    first, *rest = pdus(LONG_TEXT)
    memory = Memory(first)
    script = listener.script(memory.answers())
    listener.channel(script.url).send(MESSAGE)
    assert memory.held
    for at, part in enumerate(rest, start=2):
        memory.held[at] = part
        script.say(f'\r\n+CMTI: "ME",{at}\r\n')
    assert listener.texts.get(timeout=SOON).text == LONG_TEXT
    assert wait_until(lambda: not memory.held)


def test_parts_read_before_an_unplug_are_completed_after_it(listener, tmp_path):
    first, *rest = pdus(LONG_TEXT)
    memory = Memory(first)
    link, one, other = (
        tmp_path / "modem",
        listener.script(memory.answers()),
        listener.script(memory.answers()),
    )
    link.symlink_to(one.url.removeprefix("serial://").removesuffix("?baud=115200"))
    listener.channel(f"serial://{link}").send(MESSAGE)
    memory.held.update(enumerate(rest, start=2))
    link.unlink()
    listener._open.remove(one)
    one.stop()
    link.symlink_to(other.url.removeprefix("serial://").removesuffix("?baud=115200"))
    assert listener.texts.get(timeout=SOON).text == LONG_TEXT
    assert wait_until(lambda: not memory.held) and listener.texts.empty()


def test_a_text_still_not_whole_after_a_day_is_handed_on_with_its_gap_marked(listener):
    first, *_ = pdus(LONG_TEXT)
    memory = Memory(first)
    script = listener.script(memory.answers())
    listener.channel(script.url, patience=replace(QUICK, look=0.03))
    listener.state(state="ready")
    assert listener.texts.empty()
    listener.now += 24 * 3600
    told = listener.texts.get(timeout=SOON).text
    assert told.endswith("[…]") and LONG_TEXT.startswith(told.removesuffix("[…]"))
    assert wait_until(lambda: not memory.held)


def test_a_memory_nearly_full_of_unfinished_texts_gets_room(listener):
    firsts = [pdus(LONG_TEXT, reference=number)[0] for number in range(4)]
    memory = Memory(*firsts, size=6)
    script = listener.script(memory.answers())
    listener.channel(script.url, patience=replace(QUICK, look=0.03))
    assert listener.texts.get(timeout=SOON).text.endswith("[…]")
    assert wait_until(lambda: len(memory.held) == 3)
    listener.state(stored=3)
    assert len(memory.held) == 3


def test_a_memory_full_of_what_nobody_needs_is_emptied(listener):
    drafts = [("0031000B914809153254F60000A702E834", 16)] * 5
    memory = Memory(*drafts, size=6)
    answers = memory.answers()
    answers[r"AT\+CMGL=4"] = lambda script: memory._list(script).replace(",1,,", ",2,,")
    listener.channel(listener.script(answers).url)
    assert wait_until(lambda: not memory.held) and listener.texts.empty()


def test_a_full_memory_while_sending_costs_no_unfinished_text(listener):
    first, *rest = pdus(LONG_TEXT)
    memory = Memory(first)
    script = listener.script(memory.answers(), texts=[said("+CMS ERROR: 322"), YES])
    channel = listener.channel(script.url)
    assert channel.send(MESSAGE).provider_ref == "7"
    told = listener.texts.get(timeout=SOON).text
    assert told.endswith("[…]") and wait_until(lambda: not memory.held)


def test_a_text_whose_announcement_was_lost_is_found(listener):
    memory = Memory()
    script = listener.script(memory.answers())
    listener.channel(script.url, patience=replace(QUICK, look=0.03)).send(MESSAGE)
    memory.held[5] = pdus("XN")[0]
    assert listener.texts.get(timeout=SOON).text == "XN"
    assert wait_until(lambda: not memory.held)


def test_a_modem_that_knows_no_flags_is_emptied_one_by_one(listener):
    memory = Memory(*[("0031000B914809153254F60000A702E834", 16)] * 5, size=6)
    answers = {r"AT\+CMGD=1,3": said("ERROR")} | memory.answers()
    answers[r"AT\+CMGL=4"] = lambda script: memory._list(script).replace(",1,,", ",3,,")
    listener.channel(listener.script(answers).url)
    assert wait_until(lambda: not memory.held)


def test_what_is_no_text_is_deleted_before_it_fills_the_sim(listener):
    memory = Memory()
    script = listener.script(memory.answers())
    listener.channel(script.url).send(MESSAGE)
    memory.held[5] = ("zzzz", 3)
    script.say('\r\n+CMTI: "ME",5\r\n')
    wait_for(script, r"AT\+CMGD=5")
    assert listener.texts.empty()


def test_a_report_that_a_modem_stored_among_the_texts_is_told(listener):
    memory = Memory(air.report(7, AN, NOON, NOON, 0))
    listener.channel(listener.script(memory.answers()).url)
    assert listener.reports.get(timeout=SOON).refs == ("7",)
    assert wait_until(lambda: not memory.held)


def test_a_text_in_another_memory_is_read_there(listener):
    memory = Memory()
    script = listener.script(memory.answers())
    listener.channel(script.url).send(MESSAGE)
    memory.held[2] = pdus("XN")[0]
    script.say('\r\n+CMTI: "SM",2\r\n')
    assert listener.texts.get(timeout=SOON).text == "XN"
    assert 'AT+CPMS="SM"' in script.commands


def test_a_lane_that_is_not_answered_deletes_texts_unread(listener):
    memory = Memory(*pdus("XN"))
    script = listener.script(memory.answers())
    listener.channel(script.url, incoming=False).send(MESSAGE)
    memory.held[3] = pdus("HUY")[0]
    script.say('\r\n+CMTI: "ME",3\r\n')
    assert wait_until(lambda: not memory.held)
    assert listener.texts.empty() and "AT+CMGR=3" not in script.commands


def test_parts_that_only_we_hold_are_handed_on_when_the_program_ends(listener):
    script = listener.script()
    channel = listener.channel(script.url)
    channel.send(MESSAGE)
    text, length = pdus(LONG_TEXT)[0]
    script.say(f"\r\n+CMT: ,{length}\r\n{text}\r\n")
    channel.send(replace(MESSAGE, reference="ntc_2"))
    channel.send(replace(MESSAGE, reference="ntc_3"))
    channel.close()
    assert listener.texts.get(timeout=SOON).text.endswith("[…]")
