"""What the stand-in modem's judge sees: doubled and orphaned parts, and every breach of the protocol."""

import pytest

from gateway.rules.sms import pdu
from gateway.rules.sms.alphabet import Alphabet
from gateway.sandbox.modem import Judge
from tests.gateway import dialling
from tests.gateway.dialling import AN, LONG, SOON, ask, made, submit

phones, make, sim, port = dialling.phones, dialling.make, dialling.sim, dialling.port
QUIET = {"report": False}


def test_a_part_that_came_twice_is_named(port, sim):
    parts = made(LONG, **QUIET)
    for one in (parts[0], parts[1], parts[1], parts[2]):
        submit(port, one)
    assert {(key[0], key[1], key[3]): count for key, count in sim.judge.doubled().items()} == {(AN, 3, 2): 2}
    assert (sim.judge.orphans(), sim.judge.violations) == ([], [])


def test_a_new_reference_leaves_orphans_on_the_phone(port, sim, phones):
    submit(port, made(LONG, **QUIET)[0])
    for one in made(LONG, reference=4, **QUIET):
        submit(port, one)
    assert [(one.joint, one.part) for one in sim.judge.orphans()] == [(3, 1)]
    assert len(phones.messages(AN)) == 1


def test_every_pdu_on_the_air_is_kept_with_the_modems_number(port, sim):
    for one in made(LONG, valid_seconds=86_400):
        submit(port, one)
    told = [(one.phone, one.joint, one.total, one.part, one.number) for one in sim.judge.taken]
    assert told == [(AN, 3, 3, part, part - 1) for part in (1, 2, 3)]
    assert {(one.valid_seconds, one.asks_report) for one in sim.judge.taken} == {(86_400, True)}


def test_a_text_before_the_prompt_is_a_breach(port, sim):
    one = made(**QUIET)[0]
    port.write(f"AT+CMGS={one.length}\r{one.hex}\x1a".encode())
    assert sim.wait(lambda sim: sim.judge.taken, SOON)
    assert "before the prompt" in sim.judge.violations[0]


def test_a_command_before_the_result_is_a_breach_and_an_escape_is_none(port, sim):
    one = made(**QUIET)[0]
    for text in (b"AT\r", b"\x1b"):
        sim.script("result_late", seconds=0.02)
        assert ask(port, f"AT+CMGS={one.length}") == [">"]
        port.write(one.hex.encode() + b"\x1a" + text)
        assert dialling.heard(port).split()[0] == "+CMGS:"
    assert [one for one in sim.judge.violations if "before the result" in one] == sim.judge.violations != []
    assert all("AT" in one for one in sim.judge.violations)


def test_after_a_lost_result_an_escape_is_wanted(port, sim):
    one = made(**QUIET)[0]
    for at, text in enumerate((b"\x1bAT\r", b"AT\r")):
        sim.script("result_lost")
        assert ask(port, f"AT+CMGS={one.length}") == [">"]
        port.write(one.hex.encode() + b"\x1a")
        assert sim.wait(lambda sim, at=at: len(sim.judge.taken) == at + 1, SOON)
        port.write(text)
        assert dialling.heard(port).split() == ["OK"]
        assert len(sim.judge.violations) == at


def judged(hex: str) -> list[str]:
    judge = Judge()
    judge.read(hex.encode(), len(hex) // 2 - 1)
    return judge.violations


@pytest.mark.parametrize("text", ["Ma A042, 14:30 24/11", "Số A042", "€" * 70, LONG, "😀" * 40, "a€" * 100])
@pytest.mark.parametrize("bits", [8, 16])
def test_what_our_own_encoder_makes_is_faultless(text, bits):
    for one in made(text, valid_seconds=3_600, reference_bits=bits):
        assert judged(one.hex) == []


def submitted(first, coding, data, address="0B914809153254F6") -> str:
    return f"00{first:02X}00{address}00{coding:02X}{data.hex().upper()}"


JOINED = pdu.Join(3, 2, 1)


@pytest.mark.parametrize(
    ("hex", "words"),
    [
        (submitted(0x41, 8, pdu.user_data("\ud83d", Alphabet.UCS2, JOINED)), "surrogates"),
        (submitted(0x41, 0, b"\x08\x05\x00\x03\x03\x02\x01" + bytes([0x1B << 1])), "escape"),
        (submitted(0x01, 8, b"\x03\x00\x41\x00"), "half a unit"),
        (submitted(0x01, 4, b"\x02ab"), "octets"),
        (submitted(0x01, 0x3C, b"\x00"), "data coding"),
        (submitted(0x41, 8, b"\x09\x06\x00\x03\x03\x02\x01\xff\x00\x41"), "do not fill it"),
        (submitted(0x41, 8, b"\x08\x05\x00\x03\x03\x02\x03\x00\x41"), "cannot be"),
        (submitted(0x09, 8, bytes(7) + b"\x02\x00\x41"), "enhanced"),
        (submitted(0x81, 8, b"\x02\x00\x41"), "reply path"),
        (submitted(0x01, 8, b"\x02\x00\x41", "0B91480915325406"), "filler"),
    ],
)  # fmt: skip
def test_what_a_phone_may_show_wrongly_is_named(hex, words):
    assert any(words in one for one in judged(hex)), judged(hex)
