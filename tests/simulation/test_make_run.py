"""The one command: everything starts, the page is there, and Ctrl-C leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from tests import running

pytestmark = pytest.mark.processes


@pytest.fixture
def station(tmp_path):
    made = running.environment(tmp_path, forked=True)
    yield made
    made.close()


def test_the_station_starts_is_whole_and_ctrl_c_stops_everything(station):
    station.forked = False  # started as an operator starts it
    process = station.start("station", "station", alive=f"{station.url}/sandbox")
    running.until(lambda: running.answers(f"{station.kiosk_url}/status"), what="the kiosk")
    children = family(process.pid)
    assert len(children) >= 3
    check = station.command("check", check=False)
    assert check.returncode == 0, check.stdout
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 0
    running.until(lambda: not any(alive(pid) for pid in children), 5, "the end of every process")
    station.processes.clear()
    station.start("station", "station", alive=f"{station.kiosk_url}/status")  # and it starts again


def test_killing_the_station_takes_its_processes_with_it(station):
    process = station.start("station", "station", alive=f"{station.kiosk_url}/status")
    children = family(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    running.until(lambda: not any(alive(pid) for pid in children), 20, "the end of every process")
    station.processes.clear()


def test_a_port_in_use_is_named_and_nothing_is_started(station):
    station.sandbox()
    done = station.command("station", check=False)
    assert done.returncode == 1
    assert station.environ["GATEWAY_SANDBOX__PORT"] in done.stderr
    assert not running.answers(f"{station.url}/readyz")


def test_wrong_words_exit_2_and_a_broken_config_names_every_mistake(station, tmp_path):
    assert station.command("fly", check=False).returncode == 2
    broken = tmp_path / "broken.toml"
    broken.write_text('[web]\nprot = 1\n[kiosk]\nseries = "42"\n')
    done = station.command("check", "--config", str(broken), check=False)
    assert done.returncode == 1
    assert "prot" in done.stderr and "[kiosk] series" in done.stderr
    assert station.command("number", "2020-01-01", check=False).returncode == 1
    assert station.command("number", "yesterday", check=False).returncode == 2


def family(pid):
    """The processes started by `pid`."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return [int(one) for one in listed.split()]


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
