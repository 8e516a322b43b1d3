"""The stand-in GSM modem: a pty that speaks AT in PDU mode, is strict about it, and fails as it is told to.

stand_in   ModemStandIn: the port, the thread that owns it, what tests and the page may do to it
hearing    lines, PDUs and escapes out of a stream of octets
commands   the AT commands (3GPP TS 27.005 and 27.007) and their test forms
sending    AT+CMGS from its line to its final result, and where a fault strikes
arriving   texts and status reports from the network: stored, told directly, acknowledged, held
card       the SIM: PIN, registration, its memories
judge      what reached the phones, doubled or orphaned parts, and every breach of the protocol
script     the faults, and when they strike
port       the pty and its link

How to use it from a test:

    sim = modem.ModemStandIn(tmp_path / "modem", phones, delay=0)     # phones: sandbox.network.Network
    sim.start(); channel = Modem("modem", sim.url, …)

`delay` is the seconds to a status report. Also `name="modem"`, `pin="1234"` (asked for after every boot),
`reports="both" | "cds" | "cdsi" | "none"` (what AT+CNMI takes), `memory=50`, `report_memory=20`,
`ack_seconds=15` (with AT+CSMS=1: a +CDS or +CMT not acknowledged by AT+CNMA for so long stops further ones).

Faults: `sim.script(Fault.X, after=3, times=2, …)` strikes the fourth and the fifth message (AT+CMGS) from now;
`times=None` for ever. It gives back a Scripted: `.struck` counts. `at` is a Moment of a message:
COMMAND (AT+CMGS heard, no prompt yet), PROMPT (right after "> "), PDU (its first octets are read, the rest is
lost), RESULT (PDU read, before "+CMGS:"), NUMBER (between "+CMGS:" and OK), OK (right after OK, which a client may
not read any more when the port dies then).

    Fault.PROMPT_LATE    seconds=1.0          the prompt takes so long
    Fault.NO_PROMPT                           it waits for the PDU, and does not say so
    Fault.PROMPT_ERROR   code="500"           +CMS ERROR in place of the prompt; table="CME"; code=None: plain ERROR
    Fault.RESULT_ERROR   code="500"           the same in place of "+CMGS:"; taken=True: the phone has it all the same
    Fault.RESULT_LATE    seconds=1.0          taken, and the result takes so long
    Fault.RESULT_LOST    taken=True           nothing is said about this PDU; the modem goes on otherwise
    Fault.NUMBER_LOST                         OK without "+CMGS:"
    Fault.URC            at=…, line="RING"    an unasked line at this moment
    Fault.GARBAGE        at=…, octets=b"…"    octets that are no text
    Fault.DRIP           gap=0.002            everything it says about this message comes octet by octet
    Fault.REPORT_EARLY   at=RESULT | NUMBER   the report comes before "+CMGS:", before OK;
                         at=PROMPT            … after the next message's prompt (between two parts)
    Fault.REPORT_LOST, REPORT_TWICE           no report, two
    Fault.REPORT_LATE    seconds=1.0          so much later
    Fault.REPORT_FAILED  status=0x46          a failing report; the phone does not get the part
    Fault.REPORT_PENDING status=0x20, seconds=0.0   first one that says "still trying", then the final one
    Fault.SILENCE        at=…, seconds=20.0   hears and says nothing for so long; taken=False
    Fault.UNPLUG         at=…, seconds=3.0    the port dies, the link goes; back by the same link; taken=False
    Fault.REBOOT         at=…, seconds=3.0    silence, boot lines, all settings lost, PIN asked again, MR from 0
    Fault.REGISTER       at=…, place=2, seconds=3.0     the network lets go of it (3: denies it) for so long
    Fault.CARD           at=…, state="absent", seconds=3.0   no SIM, or "SIM PUK", for so long (None: for good)
    Fault.FULL                                its memory is filled with read texts: +CMS ERROR: 322 until there is room
    Fault.ANSWER         command=r"AT\\+CSQ", lines=("ERROR",)   to a command other than AT+CMGS; () is no answer

Faults from RESULT_ERROR on that concern the PDU also take `to="+84…"` and `part=2` (the number of a part of a
long text): then only such PDUs are counted by `after` and `times`.

At once: `sim.silence(seconds)`, `sim.unplug(seconds=None)` and `sim.plug()`, `sim.reboot(seconds)`,
`sim.register(0..5)` (0 none, 1 home, 2 searching, 3 denied, 5 roaming; +CREG is said where asked for),
`sim.sim_state("READY" | "SIM PIN" | "SIM PUK" | "absent")`, `sim.signal(0..31 | 99)`, `sim.fill()`,
`sim.say("^RSSI:21")`.

Texts from people: `sim.incoming(sender, text)` raises ValueError when the memory is full; with `hold=True` the
network keeps it and brings it when there is room. `parts=(2, 1)`: only these parts, in this order; `reference`
and `bits=8 | 16` join them. `sim.arrive(hex, length)`: any DELIVER PDU.

To see: `sim.wait(lambda sim: …, seconds) -> bool` (woken by everything that happens), `sim.judge.violations`
(sentences), `sim.judge.taken` (Taken: phone, joint, total, part, text, number, at, …: every PDU that went on the
air, in order), `sim.judge.doubled()`, `sim.judge.orphans()`, `sim.commands` (the last 10,000 lines heard),
`sim.idle` (seconds from each message's OK to the next command), `sim.stored()` ({"ME": 2, …}), `sim.boots`,
`sim.pin_tries`, `sim.held` (what the network keeps for it).

As a process of its own: `python -m gateway.sandbox.modem LINK --help`; there the same can be told on its
standard input, a JSON object a line: {"do": "script", "fault": "silence", "at": "pdu", "seconds": 20},
{"do": "unplug", "seconds": 3}, {"do": "incoming", "sender": "+84…", "text": "…"}.
"""

from gateway.sandbox.modem.judge import Judge, Taken
from gateway.sandbox.modem.script import Fault, Moment, Scripted
from gateway.sandbox.modem.stand_in import MEMORY, SIM, ModemStandIn

__all__ = ["MEMORY", "SIM", "Fault", "Judge", "ModemStandIn", "Moment", "Scripted", "Taken"]
