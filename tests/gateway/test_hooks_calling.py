"""A call goes to a checked address and to nowhere else, ends in time, and believes nothing of what comes back."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager

import pytest

from gateway import access, database
from gateway.hooks import calling
from gateway.hooks.calling import Caller, Forbidden, Outcome
from gateway.rules import hooks as rules
from gateway.web.app import create_app
from tests.gateway.listening import Listener

HERE = ("127.0.0.1",)
SILENT = Outcome(None, "không trả lời kịp / no answer in time")


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.close()


@contextmanager
def crude(talk):
    """A server that says what it likes: `talk(connection)`; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve():
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                try:
                    talk(connection)
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()


def asked(connection, answer):
    connection.recv(65_536)
    connection.sendall(answer)


def test_a_signature_is_that_of_the_specifications_own_example():
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    found = rules.signature(secret, message, 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_secrets_differ_by_our_own_secret_by_hook_and_by_generation():
    made = {rules.secret_of(own, hook, n) for own in ("a", "b") for hook in ("h1", "h2") for n in (1, 2)}
    assert len(made) == 8 and all(one.startswith("whsec_") and len(one) == 50 for one in made)


@pytest.mark.parametrize(
    ("step", "events"),
    [
        (("sending", "sent", False, False), ("notice.sent",)),
        (("sent", "sent", False, False), ()),
        (("created", "sending", False, False), ()),
        (("sent", "delivered", False, True), ("notice.delivered", "notice.reached_twice")),
        (("delivered", "delivered", False, True), ("notice.reached_twice",)),
        (("delivered", "delivered", True, True), ()),
    ],
)
def test_a_step_is_told_as_what_it_is(step, events):
    assert rules.happened(*step) == events


def test_pauses_are_those_of_the_configuration_a_fifth_more_or_less_and_then_there_are_none():
    assert [rules.pause(1, (100, 1_000), chance) for chance in (0.0, 0.5, 0.999)] == [80, 100, 120]
    assert rules.pause(2, (100, 1_000), 0.5) == 1_000
    assert rules.pause(3, (100, 1_000), 0.5) is None
    assert rules.pause(1, (0,), 0.0) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "::7f00:1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_out_on_the_internet_is_not_public(address):
    assert not rules.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_an_address_out_there_is_public(address):
    assert rules.is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/", "//example.org/", "http:///x", "http://user:pw@example.org/", "http://@example.org/",
        "http://example.org:0/", "http://example.org:99999/", "http://example.org:x/", "http://[::1/",
        "http://exa mple.org/", "http://example.org/\r\nHost: x", "http://example.org\\@127.0.0.1/", "http://ví-dụ.vn/",
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url):
    assert rules.address(url) is None


def test_an_address_keeps_its_port_path_and_query():
    assert rules.address("https://Example.org.:8443/a/b?c=d#e") == rules.Address(
        True, "example.org", 8443, "/a/b?c=d"
    )
    assert rules.address("http://[2606:4700::1111]") == rules.Address(False, "2606:4700::1111", 80, "/")


@pytest.fixture
def program(sqlite, config, eight):
    with database.writing(sqlite) as session:
        key = access.add_api_key(session, "an", "notices", eight)
    client = create_app(config, sqlite, now=lambda: eight).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/", "http://127.0.0.2/", "http://2130706433/", "http://0x7f.1/", "http://0/",
        "http://169.254.169.254/latest", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://host.invalid/",
        "http://user:pass@example.org/", "ftp://example.org/", "http://example.org:99999/", "http://.../",
        f"http://{'a' * 70}.org/",
    ],
)  # fmt: skip
def test_a_hook_inside_the_house_or_nowhere_is_refused_with_its_place(program, url):
    answer = program.post("/api/v1/hooks", json={"url": url})
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json["errors"]] == ["/url"]
    assert program.get("/api/v1/hooks").json == {"hooks": []}


def test_an_address_is_looked_at_again_at_every_call(listener):
    outcome = Caller([], 5).post(listener.url, b"{}", {})
    assert outcome.status is None and "not public" in outcome.reason
    by_name = listener.url.replace("127.0.0.1", "localhost")
    assert Caller([], 5).post(by_name, b"{}", {}).status is None
    assert listener.got == []
    assert Caller(HERE, 5).post(listener.url, b"{}", {}).taken


def test_a_name_with_one_inner_address_among_public_ones_is_refused():
    def resolve(host, port, type):
        return [
            (socket.AF_INET, type, 6, "", (address, port)) for address in ("93.184.216.34", "192.168.1.1")
        ]

    with pytest.raises(Forbidden):
        calling.checked("http://example.org/", (), resolve)


def test_the_connection_goes_where_the_check_looked_and_the_name_is_asked_once(listener):
    asked = []

    def resolve(host, port, type):
        asked.append(host)
        return [(socket.AF_INET, type, 6, "", ("127.0.0.1", listener.port))]

    caller = Caller(("shop.example",), 5, resolve)
    assert caller.post("http://shop.example:1/x", b"{}", {}).taken
    assert asked == ["shop.example"]
    ((headers, _),) = listener.got
    assert headers["Host"] == "shop.example:1"
    caller.close()


def test_a_name_that_turns_inward_after_it_was_accepted_is_not_called(listener):
    answers = ["93.184.216.34", "127.0.0.1"]

    def resolve(host, port, type):
        return [(socket.AF_INET, type, 6, "", (answers.pop(0), port))]

    url = f"http://turn.example:{listener.port}/"
    calling.checked(url, (), resolve)
    assert Caller((), 5, resolve).post(url, b"{}", {}).status is None
    assert listener.got == []


def test_a_redirect_is_not_followed(listener):
    listener.answers = [302]
    outcome = Caller(HERE, 5).post(listener.url, b"{}", {})
    assert (outcome.status, outcome.taken, len(listener.got)) == (302, False, 1)


def test_connections_are_kept_and_a_dead_one_is_replaced(listener):
    caller = Caller(HERE, 5)
    assert [caller.post(listener.url, b"{}", {}).status for _ in range(3)] == [200] * 3
    assert len(listener.peers) == 1
    with crude(lambda c: (asked(c, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), c.close())) as url:
        assert [caller.post(url, b"{}", {}).status for _ in range(3)] == [200] * 3
    caller.close()


def test_whoever_is_silent_or_says_a_byte_now_and_then_is_left_in_time():
    def drip(connection):
        connection.recv(65_536)
        for octet in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200:
            connection.sendall(bytes([octet]))
            stopped.wait(0.05)

    stopped = threading.Event()
    caller = Caller(HERE, 0.5)
    with crude(lambda connection: stopped.wait(20)) as url:
        assert caller.post(url, b"{}", {}) == SILENT
        stopped.set()
    stopped.clear()
    with crude(drip) as url:
        assert caller.post(url, b"{}", {}) == SILENT
        stopped.set()


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"\x00\xff" * 100, b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 99999 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    ],
)  # fmt: skip
def test_rubbish_is_a_failure_and_no_more(answer):
    def talk(connection):
        asked(connection, answer)
        connection.close()

    with crude(talk) as url:
        outcome = Caller(HERE, 5).post(url, b"{}", {})
    assert (outcome.status, outcome.taken) == (None, False) and outcome.reason


def test_an_endless_answer_is_not_read_to_its_end():
    def talk(connection):
        asked(connection, b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with crude(talk) as url:
        assert Caller(HERE, 5).post(url, b"{}", {}) == Outcome(200)


def test_nobody_there_is_a_failure():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    assert Caller(HERE, 5).post(url, b"{}", {}) == Outcome(None, "không kết nối được / no connection")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for shop.example that signs itself."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-days", "3650", "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"]
    made += ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(made, check=True, capture_output=True)
    return folder


def test_over_https_the_certificate_must_be_trusted_and_be_the_hosts_own(certificate):
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    listener = Listener(ours)

    def resolve(host, port, type):
        return [(socket.AF_INET, type, 6, "", ("127.0.0.1", listener.port))]

    trusting = ssl.create_default_context(cafile=certificate / "cert.pem")
    names = ("shop.example", "other.example")
    refused = Outcome(None, "kết nối bảo mật thất bại / the secure connection failed")
    caller = Caller(names, 5, resolve, trusting)
    assert caller.post("https://shop.example/", b"{}", {}) == Outcome(200)
    assert caller.post("https://other.example/", b"{}", {}) == refused
    assert Caller(names, 5, resolve).post("https://shop.example/", b"{}", {}) == refused
    assert len(listener.got) == 1
    caller.close()
    listener.close()
