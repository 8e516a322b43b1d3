"""smsd of smstools3 (Debian's, unchanged) as a second implementation on the same modem: its spool, reports asked for.

It is told not to wait between its rounds, and not to ask for signal and registration, where it can be told.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import modems

PROGRAM = Path("/usr/sbin/smsd")
FOLDERS = ("outgoing", "checked", "sent", "failed", "incoming", "report")
CONFIG = """
devices = GSM1
{folders}
logfile = {folder}/log
loglevel = 4
delaytime = 1
delaytime_mainprocess = 1
sleeptime_mainprocess = 1
errorsleeptime = 1
blocktime = 1
receive_before_send = no
autosplit = 3

[GSM1]
device = {link}
baudrate = 115200
incoming = yes
report = yes
rtscts = no
startsleeptime = 0
check_network = 0
status_signal_quality = no
max_continuous_sending = 600
"""


def installed() -> bool:
    return PROGRAM.exists()


@contextmanager
def running(folder: Path, link: Path, parts: int, count: int) -> Iterator[subprocess.Popen]:
    """The daemon, which finds so many texts in its spool; ended after the block."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for n in range(count):
        put(folder, parts, n)
    config, rows = folder / "smsd.conf", [f"{name} = {folder}/{name}" for name in FOLDERS]
    config.write_text(CONFIG.format(link=link, folder=folder, folders="\n".join(rows)), encoding="utf-8")
    words = [PROGRAM, "-t", f"-c{config}", f"-i{folder}/info", f"-p{folder}/pid", f"-l{folder}/log"]
    with modems.daemon(words, folder / "terminal") as process:
        yield process


def put(folder: Path, parts: int, n: int) -> None:
    """One text into the spool, in the alphabet that it needs."""
    octets, letters = modems.text(parts, n).encode(), "ISO"
    if parts > 1:
        octets, letters = modems.text(parts, n).encode("utf-16-be"), "UCS"
    head = f"To: {modems.phone(n).removeprefix('+')}\nAlphabet: {letters}\nReport: yes\n\n"
    (folder / "outgoing" / f"{n:06d}").write_bytes(head.encode() + octets)
