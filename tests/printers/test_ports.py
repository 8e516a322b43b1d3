import os
import pty
import socket
import tty

import pytest

from printers import ports


@pytest.fixture
def line():
    """A serial line: (what the printer's end is, the URL of our end)."""
    printer_end, our_end = pty.openpty()
    tty.setraw(our_end)
    yield printer_end, f"serial://{os.ttyname(our_end)}?baud=115200"
    os.close(printer_end)
    os.close(our_end)


@pytest.mark.parametrize("url", ["printer", "http://e.vn", "tcp://127.0.0.1", "tcp://127.0.0.1:x",
                                 "serial:///dev/ttyUSB0?baud=fast"])
def test_a_wrong_url_is_called_wrong_words(url):
    with pytest.raises(ports.PortError) as caught:
        ports.open_port(url)
    assert caught.value.code == "words"


@pytest.mark.parametrize("url", ["serial:///dev/no-such-line?baud=9600", "usb:///dev/usb/no-such-printer",
                                 "file:///no-such-folder/ticket.bin"])
def test_a_missing_device_is_named_in_both_languages(url):
    with pytest.raises(ports.PortError) as caught:
        ports.open_port(url)
    assert caught.value.code == "no_device"
    assert url in caught.value.vi
    assert url in caught.value.en


def test_a_refused_connection_is_no_device_each_time():
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    for _ in range(2):
        with pytest.raises(ports.PortError) as caught:
            ports.open_port(f"tcp://127.0.0.1:{address[1]}")
        assert caught.value.code == "no_device"


def test_bytes_go_both_ways_on_a_serial_line(line):
    printer_end, url = line
    port = ports.open_port(url)
    port.write(b"\x1b@\x11\x13\x00\xff", 5)
    assert os.read(printer_end, 100) == b"\x1b@\x11\x13\x00\xff"
    os.write(printer_end, b"\x12\x0d\x0a")
    answer = b""
    while len(answer) < 3:
        answer += port.read(5)
    assert answer == b"\x12\x0d\x0a"
    port.close()


def test_a_line_that_takes_nothing_ends_at_the_deadline_and_says_how_much_went(line):
    _, url = line
    port = ports.open_port(url)
    with pytest.raises(ports.PortError) as caught:
        port.write(bytes(200_000), 0.2)
    assert caught.value.code == "timeout"
    assert 0 < caught.value.sent < 200_000
    port.close()


def test_a_line_has_one_owner(line):
    _, url = line
    port = ports.open_port(url)
    with pytest.raises(ports.PortError) as caught:
        ports.open_port(url)
    assert caught.value.code == "busy"
    port.close()


@pytest.mark.parametrize("scheme", ["tcp", "socket"])
def test_what_was_said_before_the_line_broke_is_still_heard(scheme):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = ports.open_port(f"{scheme}://127.0.0.1:{server.getsockname()[1]}")
        link, _ = server.accept()
        link.sendall(b"\x12")
        link.close()
        assert port.read(5) == b"\x12"
        with pytest.raises(ports.PortError) as caught:
            port.read(5)
        assert caught.value.code == "no_device"
        port.close()


def test_a_file_takes_the_bytes_and_never_answers(tmp_path):
    port = ports.open_port(f"file://{tmp_path}/ticket.bin")
    assert not port.answers
    port.write(bytes(10_000), 5)
    port.close()
    port.close()
    assert (tmp_path / "ticket.bin").read_bytes() == bytes(10_000)


def test_a_plain_file_is_no_usb_printer(tmp_path):
    (tmp_path / "lp0").touch()
    with pytest.raises(ports.PortError) as caught:
        ports.open_port(f"usb://{tmp_path}/lp0")
    assert caught.value.code == "words"
