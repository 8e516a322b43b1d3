import json

import pytest
from click.testing import CliRunner
from PIL import Image

from printers import __main__ as command
from printers import escpos, ports


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)

    def call(*words: str):
        return CliRunner().invoke(command.main, [str(word) for word in words])

    return call


@pytest.fixture
def config(tmp_path, printer):
    path = tmp_path / "config.toml"
    path.write_text(f'[printer]\nurl = "{printer.url}"\nprofile = "TM-T20II"\nwidth_dots = 576\n')
    return path


def test_render_writes_the_bytes_and_the_picture(run, tmp_path, ticket, capabilities):
    (tmp_path / "an.json").write_text(json.dumps(ticket.to_document()))
    done = run("render", tmp_path / "an.json", "--profile", "TM-T20II", "--out", tmp_path / "t.bin",
               "--png", tmp_path / "t.png", "--config", tmp_path / "none.toml")
    assert (done.exit_code, done.output.split()[-1]) == (0, "điểm/dots")
    assert (tmp_path / "t.bin").read_bytes() == escpos.ticket(ticket, capabilities, "!!!!")
    assert Image.open(tmp_path / "t.png").width == 576 + 2 * command.PAPER_EDGE


def test_render_names_what_is_wrong_with_a_ticket_in_one_line(run, tmp_path):
    (tmp_path / "bad.json").write_text('{"number": "\\u001b@"}')
    done = run("render", tmp_path / "bad.json", "--config", tmp_path / "none.toml")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Phiếu không hợp lệ" in done.stderr
    assert "Not a ticket" in done.stderr


def test_status_takes_the_printer_from_the_config(run, config):
    done = run("status", "--config", config)
    assert done.exit_code == 0
    assert "còn giấy / paper ok" in done.output


def test_status_without_paper_is_a_fault_in_both_languages(run, config, printer):
    printer.fault("paper_out", True)
    done = run("status", printer.url, "--config", config)
    assert (done.exit_code, done.stderr) == (1, "Máy in hết giấy / The printer is out of paper\n")


def test_status_of_a_printer_that_says_nothing_is_no_good_news(run, config, printer):
    printer.fault("offline", True)
    done = run("status", "--config", config)
    assert done.exit_code == 1
    assert "Máy in không trả lời" in done.stderr


@pytest.mark.parametrize("profile, proof", [("TM-T20II", "gsH"), ("TM-T88III", "gsr"), ("generic", "status"),
                                            ("write-only", "sent")])
def test_test_prints_a_slip_and_says_how_it_knows(run, printer, tmp_path, profile, proof):
    done = run("test", printer.url, "--profile", profile, "--width", "576", "--config", tmp_path / "none.toml")
    assert (done.exit_code, done.output.strip().endswith(f"({proof})")) == (0, True)
    assert printer.wait_for(1, 20)
    assert printer.unknown == 0


@pytest.mark.parametrize("words", [
    ("status", "http://e.vn"), ("status", "tcp://127.0.0.1:1", "--profile", "TM-T20"), ("status",), ("print",),
    ("render", "no-such-file.json"), ("test", "tcp://127.0.0.1:1", "--width", "7")])
def test_wrong_words_exit_with_two(run, tmp_path, words):
    done = run(*words, *([] if words == ("print",) else ["--config", tmp_path / "none.toml"]))
    assert done.exit_code == 2


def test_nobody_there_is_a_fault(run, printer, config):
    printer.stop()
    done = run("test", "--config", config)
    assert done.exit_code == 1
    assert "Không kết nối được máy in" in done.stderr
    assert set(ports.OPENERS) == {"serial", "tcp", "socket", "usb", "file"}
