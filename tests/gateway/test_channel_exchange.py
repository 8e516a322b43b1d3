"""One exchange against servers that misbehave in every way we could think of."""

import logging
import socket
import threading

import pytest

from gateway import channels
from gateway.channels import exchange

SECRET = "k3y-nobody-may-see"


class Server:
    """A TCP server that reads one request whole and answers the same octets each time."""

    def __init__(self, answer: bytes | None) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.requests: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.requests.append(_whole(connection))
                if self._answer is None:
                    self._stop.wait()
                else:
                    connection.sendall(self._answer)


def _whole(connection: socket.socket) -> bytes:
    octets = b""
    while b"\r\n\r\n" not in octets and not octets.startswith(b"\x16"):  # 0x16: TLS knocks
        octets += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = octets.partition(b"\r\n\r\n")
    length = next(
        (int(row[15:]) for row in head.split(b"\r\n") if row.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def http(status: int, body: bytes, *headers: bytes) -> bytes:
    rows = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(rows) + b"\r\n\r\n" + body


@pytest.fixture
def serve():
    servers = []

    def start(answer: bytes | None) -> Server:
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def posted(url: str, timeout: float = 5.0) -> exchange.Answer:
    wire = exchange.Exchange(timeout)
    try:
        return wire.post_json(url, {"ten": "NGUYỄN"}, {"access_token": SECRET})
    finally:
        wire.close()


def fault_of(url: str, timeout: float = 5.0) -> channels.Unreachable:
    with pytest.raises(channels.Unreachable) as caught:
        posted(url, timeout)
    return caught.value


def test_an_object_in_a_200_is_the_answer(serve):
    server = serve(http(200, b'{"error":0}'))
    assert posted(server.url) == exchange.Answer(200, {"error": 0})


def test_the_body_goes_out_whole_as_utf8_json(serve):
    server = serve(http(200, b"{}"))
    posted(server.url)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body.decode() == '{"ten": "NGUYỄN"}'
    assert b"access_token: " + SECRET.encode() in head
    assert b"chunked" not in head.lower()


@pytest.mark.parametrize(
    ("answer", "sent", "code"),
    [
        (b"", True, None),
        (http(200, b'{"error":0}')[:-1], True, None),
        (http(500, b'{"error":0}')[:-1], True, "HTTP 500"),
        (http(200, b"<html>"), True, "HTTP 200"),
        (http(200, b"[1]"), True, "HTTP 200"),
        (http(200, b""), True, "HTTP 200"),
        (http(200, b" " * 70_000), True, "HTTP 200"),
        (http(500, b'{"error":0}'), True, "HTTP 500"),
        (http(502, b"<html>"), True, "HTTP 502"),
        (http(429, b"{}"), False, "HTTP 429"),
        (http(404, b"<html>"), False, "HTTP 404"),
        (http(302, b"", b"Location: http://127.0.0.1:1/"), False, "HTTP 302"),
        (b"\x00\x01\x02 not http at all\r\n\r\n", True, None),
    ],
)
def test_every_other_answer_says_whether_anybody_may_have_acted(serve, answer, sent, code):
    fault = fault_of(serve(answer).url)
    assert fault.sent is sent
    assert code is None or fault.code == code


def test_a_no_with_an_object_is_an_answer(serve):
    assert posted(serve(http(403, b'{"error":-124}')).url).status == 403


def test_silence_after_the_body_means_nobody_knows(serve):
    assert fault_of(serve(None).url, timeout=0.2).sent is True


def test_a_closed_port_took_nothing():
    assert fault_of("http://127.0.0.1:1").sent is False


def test_a_name_nobody_knows_took_nothing():
    assert fault_of("http://no-such-host.invalid").sent is False


def test_a_secure_connection_that_cannot_be_made_took_nothing(serve):
    server = serve(b"HTTP/1.1 400 this is no TLS\r\n\r\n")
    assert fault_of(server.url.replace("http:", "https:")).sent is False


@pytest.mark.parametrize(
    ("text", "seconds"), [(b"7", 7), (b"999999", 86_400), (b"soon", None), (b"-1", None)]
)
def test_a_provider_may_say_when_to_come_back(serve, text, seconds):
    server = serve(http(429, b"{}", b"Retry-After: " + text))
    assert fault_of(server.url).retry_after == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((b"X-Rate-Limit-Reset: 17",), 17),
        ((b"X-RateLimit-Reset: 1795429830", b"Date: Mon, 23 Nov 2026 10:30:00 GMT"), 30),
        ((b"X-Rate-Limit-Reset: 1795429830", b"Date: Mon, 23 Nov 2026 11:30:00 GMT"), 1),
        ((b"X-Rate-Limit-Reset: 9999999999", b"Date: whenever"), 86_400),
        ((b"Retry-After: 5", b"X-Rate-Limit-Reset: 17"), 5),
    ],
)
def test_it_may_count_down_or_name_a_moment_by_its_own_clock(serve, headers, seconds):
    assert fault_of(serve(http(429, b"{}", *headers)).url).retry_after == seconds


@pytest.mark.parametrize(
    ("answer", "sent"), [(b"", True), (http(500, b"x"), True), (http(429, b"x"), False), (None, True)]
)
def test_a_get_that_changes_something_says_whether_anybody_may_have_acted(serve, answer, sent):
    wire = exchange.Exchange(0.3)
    with pytest.raises(channels.Unreachable) as caught:
        wire.call("GET", serve(answer).url, {}, query={"to": "1"})
    assert caught.value.sent is sent
    with pytest.raises(channels.Unreachable) as nowhere:
        wire.call("GET", "http://127.0.0.1:1", {}, query={"to": "1"})
    wire.close()
    assert nowhere.value.sent is False


def test_any_answer_is_a_reply_to_a_call_and_to_a_question(serve):
    wire = exchange.Exchange(5.0)
    server = serve(http(404, "không".encode()))
    replies = [wire.call("POST", server.url, {"X-A": "1"}, b"abc"), wire.ask(server.url, {"X-A": "1"})]
    wire.close()
    assert replies == [exchange.Reply(404, "không")] * 2
    assert server.requests[0].endswith(b"\r\n\r\nabc") and b"X-A: 1" in server.requests[1]
    with pytest.raises(channels.Unreachable) as caught:
        exchange.Exchange(0.3).ask(serve(b"").url, {})
    assert caught.value.sent is False


@pytest.mark.parametrize("answer", [b"", http(500, b""), http(200, b"<html>")])
def test_a_question_that_fails_has_changed_nothing(serve, answer):
    wire = exchange.Exchange(5.0)
    with pytest.raises(channels.Unreachable) as caught:
        wire.get(serve(answer).url, {"RefId": "1"}, {})
    wire.close()
    assert caught.value.sent is False


def test_no_key_in_a_query_is_ever_logged_or_raised(caplog, serve):
    caplog.set_level(logging.DEBUG)
    wire = exchange.Exchange(0.5)
    for url in (serve(b"").url, "http://127.0.0.1:1"):
        with pytest.raises(channels.Unreachable) as caught:
            wire.get(url, {"ApiKey": SECRET}, {})
        logging.getLogger("gateway").exception("as a worker would log it", exc_info=caught.value)
    wire.close()
    assert SECRET not in caplog.text


def test_a_redirect_is_not_followed(serve):
    aside = serve(http(200, b"{}"))
    fault_of(serve(http(307, b"", b"Location: " + aside.url.encode())).url)
    assert aside.requests == []


def test_a_form_with_a_file_goes_out_whole(serve):
    server = serve(http(200, b'{"error":0}'))
    wire = exchange.Exchange(5.0)
    octets = bytes(range(256)) * 400
    answer = wire.post_parts(server.url, {"file": ("ảnh.png", octets, "image/png")}, {"access_token": SECRET})
    wire.close()
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert answer.document == {"error": 0}
    assert b"multipart/form-data; boundary=" in head and b"chunked" not in head.lower()
    assert octets in body and 'filename="ảnh.png"'.encode() in body and b"Content-Type: image/png" in body


@pytest.mark.parametrize(("largest", "fits"), [(100, False), (70_100, True)])
def test_how_much_is_read_can_be_chosen(serve, largest, fits):
    server = serve(http(200, b'{"error":0}' + b" " * 70_000))
    wire = exchange.Exchange(5.0, largest)
    if fits:
        assert wire.get(server.url, {}, {}).document == {"error": 0}
    else:
        with pytest.raises(channels.Unreachable):
            wire.get(server.url, {}, {})
    wire.close()
