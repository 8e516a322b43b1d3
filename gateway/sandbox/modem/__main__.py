"""The stand-in modem as a process of its own: `python -m gateway.sandbox.modem LINK`.

It prints "ready" when the link is there, and ends at SIGTERM, SIGINT or "stop" on its standard input.
With --ledger every PDU that goes on the air is a row {"event": "part", "phone", "joint", "total", "part", "text",
"number", "at"}, every whole text on a phone {"event": "text", "phone", "sender", "text", "parts", "ref", "at"}, and
at the end there is {"event": "end", "idle": [seconds from each OK to the next command], "violations", "doubled",
"orphans", "boots", "stored"}. `at` is monotonic seconds.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from gateway.sandbox import faults
from gateway.sandbox.modem import judge
from gateway.sandbox.modem.stand_in import ModemStandIn

ACTS = ("script", "heal", "silence", "unplug", "plug", "reboot", "register", "sim_state", "signal", "fill", "say",
        "incoming", "arrive")  # fmt: skip


class Phones:
    """All phones of the town as rows of a file; what the modem needs of sandbox.network.Network."""

    def __init__(self, ledger: Path | None) -> None:
        self.faults = faults.Faults()
        self.texts = 0
        self._file = ledger.open("w", encoding="utf-8", buffering=1) if ledger else None

    def deliver(self, phone: str, *, via: str, sender: str, text: str, parts: int, ref: str) -> None:
        self.texts += 1
        self.row("text", phone=phone, sender=sender, text=text, parts=parts, ref=ref, at=time.monotonic())

    def row(self, event: str, **values: Any) -> None:
        if self._file:
            self._file.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")

    def close(self) -> None:
        if self._file:
            self._file.close()


class _Written(judge.Judge):
    """A judge whose PDUs are rows as well."""

    def __init__(self, phones: Phones) -> None:
        super().__init__()
        self._phones = phones

    def keep(self, one: judge.Taken) -> list[judge.Taken] | None:
        self._phones.row(
            "part", phone=one.phone, joint=one.joint, total=one.total, part=one.part, text=one.text,
            number=one.number, at=one.at,
        )  # fmt: skip
        return super().keep(one)


def main(given: list[str] | None = None) -> int:
    told = _parser().parse_args(given)
    phones = Phones(told.ledger)
    sim = ModemStandIn(
        told.link, phones, delay=told.delay, pin=told.pin, reports=told.reports, memory=told.memory,
        operator=told.operator, judge=_Written(phones),
    )  # fmt: skip
    for name in told.fault:
        phones.faults.switch(name, None, True)
    for row in told.script:
        _do(sim, {"do": "script", **json.loads(row)})
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    sim.start()
    print("ready", flush=True)
    if not told.deaf:
        threading.Thread(target=_listen, args=(sim, ended), daemon=True).start()
    ended.wait()
    sim.stop()
    phones.row(
        "end", idle=list(sim.idle), violations=sim.judge.violations, boots=sim.boots, stored=sim.stored(),
        doubled=sum(sim.judge.doubled().values()), orphans=len(sim.judge.orphans()),
    )  # fmt: skip
    phones.close()
    return 0


def _listen(sim: ModemStandIn, ended: threading.Event) -> None:
    """One JSON object a line; what cannot be done is said on standard error. The end of the input changes nothing."""
    for line in sys.stdin:
        if line.strip() == "stop":
            ended.set()
        elif line.strip():
            try:
                _do(sim, json.loads(line))
            except (ValueError, TypeError, KeyError) as fault:
                print(f"not done: {fault}", file=sys.stderr, flush=True)


def _do(sim: ModemStandIn, told: dict[str, Any]) -> None:
    act = told.pop("do")
    if act not in ACTS:
        raise ValueError(f"do: one of {', '.join(ACTS)}")
    getattr(sim, act)(**told)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.sandbox.modem", description="A modem on a pty.")
    parser.add_argument("link", type=Path, help="becomes a symbolic link to the pty")
    parser.add_argument(
        "--delay", type=float, default=0.0, metavar="S", help="seconds to a status report (0)"
    )
    parser.add_argument("--pin", help="what the SIM asks for after every boot (nothing)")
    parser.add_argument("--reports", choices=("both", "cds", "cdsi", "none"), default="both",
                        help="how it can tell of status reports (both)")  # fmt: skip
    parser.add_argument("--memory", type=int, default=50, help="texts that it can store (50)")
    parser.add_argument("--operator", default="Viettel")
    parser.add_argument(
        "--ledger", type=Path, metavar="FILE", help="what reached the phones, a JSON object a line"
    )
    parser.add_argument("--fault", action="append", default=[], choices=faults.NAMES, metavar="NAME",
                        help="a fault of the sandbox page, on for everybody")  # fmt: skip
    parser.add_argument("--script", action="append", default=[], metavar="JSON",
                        help='a fault to come: {"fault": "silence", "seconds": 20, "after": 5}')  # fmt: skip
    parser.add_argument("--deaf", action="store_true", help="do not read the standard input")
    return parser


if __name__ == "__main__":
    # No clean-up of the interpreter: a pty may still be written to by nobody.
    code = main()
    sys.stdout.flush()
    os._exit(code)
