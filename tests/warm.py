"""Starts the program's processes without importing its thousand modules anew for each: two seconds of a processor.

`python -m tests.warm FD` imports everything once and then only forks. What it forks is a process like any other, with
a session, an environment and connections of its own; `test_make_run` and `test_walk` start theirs as an operator does.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

ROOT = Path(__file__).parents[1]
LONGEST = 1 << 18


class Process:
    """A forked process, with what tests use of `subprocess.Popen`."""

    def __init__(self, starter: Starter, pid: int):
        self._starter, self.pid, self.returncode = starter, pid, None
        self._ends = os.pidfd_open(pid)

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._ends], [], [], 0)[0]:
            self._reap()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._ends], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._reap()
        return self.returncode

    def _reap(self) -> None:
        self.returncode = self._starter.asked({"reap": self.pid})
        os.close(self._ends)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            signal.pidfd_send_signal(self._ends, number)


class Starter:
    """The process that forks, seen from a test."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
        self._process = subprocess.Popen(words, cwd=ROOT, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()
        atexit.register(self.close)

    def asked(self, question: dict, files: tuple[int, ...] = ()) -> int:
        socket.send_fds(self._line, [json.dumps(question).encode()], files)
        return int(self._line.recv(100))

    def start(
        self,
        module: str,
        words: tuple[str, ...],
        environ: Mapping[str, str],
        files: tuple[int, int, int],
        folder: Path = ROOT,
    ) -> Process:
        """`python -m module words…` in a session of its own. `files`: its standard input, output and errors."""
        question = {"module": module, "words": words, "environ": dict(environ), "folder": str(folder)}
        return Process(self, self.asked(question, files))

    def close(self) -> None:
        self._line.close()
        self._process.wait(10)


def run(
    module: str, words: tuple[str, ...], environ: Mapping[str, str], folder: Path = ROOT
) -> subprocess.CompletedProcess:
    """The same to its end; what it printed."""
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err, open(os.devnull) as nothing:
        files = (nothing.fileno(), out.fileno(), err.fileno())
        code = starter().start(module, words, environ, files, folder).wait(60)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


@functools.cache
def starter() -> Starter:
    return Starter()


def serve(line: socket.socket) -> dict | None:
    """Fork as asked, until nobody is there any more. Returns in a forked process, with what it is to be."""
    while True:
        text, files, _, _ = socket.recv_fds(line, LONGEST, 3)
        if not text:
            return None
        question = json.loads(text)
        if pid := question.get("reap"):
            line.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
        elif not os.fork():
            os.setsid()
            line.send(str(os.getpid()).encode())
            line.close()
            for place, file in enumerate(files):
                os.dup2(file, place)
            _close(files)
            return question
        else:
            _close(files)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)


def main() -> None:
    for name in ("gateway.__main__", "gateway.sandbox.server", "kiosk.__main__"):
        importlib.import_module(name)
    wanted = serve(socket.socket(fileno=int(sys.argv[1])))
    if wanted:
        os.chdir(wanted["folder"])
        os.environ.clear()
        os.environ.update(wanted["environ"])
        sys.argv = [wanted["module"], *wanted["words"]]
        sys.modules.pop(f"{wanted['module']}.__main__", None)  # its imports were wanted, not itself
        runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
