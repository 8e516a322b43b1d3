"""gammu-smsd (Debian's, unchanged) as a second implementation on the same modem: its spool of files, reports asked for.

What can be switched off of its own looking round is (battery, signal, network, SIM); its fixed pauses cannot.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import modems

PROGRAM, INJECTOR = "gammu-smsd", "gammu-smsd-inject"
CONFIG = """
[gammu]
device = {link}
connection = at115200
gammucoding = utf8

[smsd]
service = files
logfile = {folder}/log
debuglevel = 0
inboxpath = {folder}/inbox/
outboxpath = {folder}/outbox/
sentsmspath = {folder}/sent/
errorsmspath = {folder}/error/
deliveryreport = sms
statusfrequency = 0
checksecurity = 0
checkbattery = 0
checksignal = 0
checknetwork = 0
loopsleep = 0
"""


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


@contextmanager
def running(folder: Path, link: Path, parts: int, count: int) -> Iterator[subprocess.Popen]:
    """The daemon, which finds so many texts in its spool; ended after the block."""
    for name in ("inbox", "outbox", "sent", "error"):
        (folder / name).mkdir(parents=True)
    config = folder / "gammu-smsdrc"
    config.write_text(CONFIG.format(link=link, folder=folder), encoding="utf-8")
    for n in range(count):
        put(folder, parts, n)
    with modems.daemon([PROGRAM, "-c", config, "-l"], folder / "terminal") as process:
        yield process


def put(folder: Path, parts: int, n: int) -> None:
    """One text into the spool, in the alphabet that it needs, its report asked for."""
    letters = ["-unicode"] if parts > 1 else []
    what = ["-report", *letters, "-len", "400", "-textutf8", modems.text(parts, n)]
    words = [INJECTOR, "-c", str(folder / "gammu-smsdrc"), "TEXT", modems.phone(n), *what]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
