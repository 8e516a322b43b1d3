"""Which of Zalo's ways a configuration connects, and that they share what they must."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway import channels as rooms
from gateway import connections, database, safe, tokens
from gateway.rules import settings
from tests.gateway.answering import host

__all__ = ["host"]
MESSAGE = rooms.Message("+84905123456", "called", "Mời 042", "1", {"so": "042"}, "a_1", zalo_user_id="555")
YES = {"error": 0, "data": {"msg_id": "f1", "message_id": "m1"}}


@pytest.fixture
def config_of(tmp_path):
    def read(url="http://127.0.0.1:1", **own):
        secrets = {"GATEWAY_ZALO__APP_SECRET": "app-secret", "GATEWAY_ZALO__TOKEN_KEY": "k" * 43}
        bases = dict.fromkeys(("oauth_base", "oa_base", "business_base"), url)
        files = {"token_key_file": str(tmp_path / "token_key")}
        return settings.read(
            {"zalo": {"app_id": "1", "oa_id": "99", **bases, **files, **own}, "sms": {"providers": []}},
            secrets,
        )

    return read


def connected(engine, config, eight):
    with database.writing(engine) as session:
        tokens.store(session, "99", "t1", "r1", 90_000, eight, "An", safe=safe.of(config))
    return connections.channels(config, engine, lambda: eight)


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({}, ["zalo_cs", "zalo_uid", "zalo"]),
        ({"by_user_id": False}, ["zalo_cs", "zalo"]),
        ({"by_chat": False}, ["zalo_cs", "zalo_uid", "zalo"]),  # people are answered where they write
        ({"by_phone": False, "by_user_id": False}, ["zalo_cs"]),
    ],
)
def test_each_of_zalos_ways_can_be_switched_off(engine, config_of, eight, own, names):
    assert list(connections.channels(config_of(**own), engine, lambda: eight)) == names


def test_a_missing_secret_is_named(engine, config_of, eight, tmp_path):
    config = settings.read(
        {"zalo": {"app_secret_file": str(tmp_path / "none")}, "sms": {"providers": []}}, {}
    )
    with pytest.raises(connections.Missing, match=r"zalo\.app_secret"):
        connections.channels(config, engine, lambda: eight)


def test_the_three_send_with_one_token_each_to_its_own_address(engine, config_of, eight, host):
    host.answers = [YES]
    ways = connected(engine, config_of(host.url, appsecret_proof=True), eight)
    references = {name: way.send(MESSAGE).provider_ref for name, way in ways.items()}
    for way in ways.values():
        way.close()
    assert references == {"zalo_cs": "m1", "zalo_uid": "m1", "zalo": "f1"}
    assert [path for path, _, _ in host.asked] == [
        "/v3.0/oa/message/cs",
        "/v3.0/oa/message/template",
        "/message/template",
    ]
    assert {headers["access_token"] for _, headers, _ in host.asked} == {"t1"}
    assert all("appsecret_proof" in headers for _, headers, _ in host.asked)


def test_the_user_is_named_as_the_configuration_says(engine, config_of, eight, host):
    host.answers = [YES]
    ways = connected(engine, config_of(host.url, uid_body="recipient"), eight)
    ways["zalo_uid"].send(MESSAGE)
    assert host.bodies[0]["recipient"] == {"user_id": "555"}


def test_three_channels_that_find_the_token_dead_at_once_renew_it_once(engine, config_of, eight):
    zalo = Renewing()
    ways = connected(engine, config_of(zalo.url), eight)
    together, answers = threading.Barrier(3), {}

    def send(name):
        together.wait()
        answers[name] = ways[name].send(MESSAGE).provider_ref

    threads = [threading.Thread(target=send, args=(name,)) for name in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    zalo.stop()
    assert sorted(answers) == ["zalo", "zalo_cs", "zalo_uid"]
    assert zalo.renewals == 1


class Renewing:
    """A Zalo that takes the token t2 only, and gives it for a refresh token, counting how often."""

    def __init__(self) -> None:
        self.renewals, zalo = 0, self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/v4/oa/access_token":
                    zalo.renewals += 1
                    return self._say(b'{"access_token": "t2", "refresh_token": "r2", "expires_in": "90000"}')
                dead = b'{"error": -124}' if self.path == "/message/template" else b'{"error": -216}'
                taken = b'{"error": 0, "data": {"msg_id": "x", "message_id": "x"}}'
                return self._say(taken if self.headers["access_token"] == "t2" else dead)

            def _say(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def test_without_a_token_nothing_was_sent(engine, config_of, eight):
    for way in connections.channels(config_of(), engine, lambda: eight).values():
        with pytest.raises(tokens.NoConsent):
            way.send(MESSAGE)


def test_a_database_that_is_away_means_that_nothing_was_sent(config_of, eight, engine):
    ways = connected(engine, config_of(), eight)
    with database.writing(engine) as session:
        session.connection().exec_driver_sql("DROP TABLE zalo_tokens")
    with pytest.raises(rooms.Unreachable) as caught:
        ways["zalo_cs"].send(MESSAGE)
    assert caught.value.sent is False and "zalo_tokens" not in str(caught.value)
