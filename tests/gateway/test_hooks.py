"""Programs are told what becomes of their notices: signed, in order, at least once, and nowhere they may not be."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading

import pytest
from sqlalchemy import select

from gateway import access, alerts, database, notices, tables
from gateway.hooks import calling, outbox
from gateway.hooks.courier import Courier
from gateway.notices import barriers
from gateway.rules import hooks as rules
from gateway.rules import settings
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.web.app import create_app

DATA = {"name": "Nguyễn An", "number": "042", "place": "An Mỹ", "time": "2026-11-25T07:30:00+07:00"}


class Listener:
    """A program's little server: it keeps what it was told and answers as `answers` says, then 200."""

    def __init__(self):
        self.got, self.answers = [], []
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.got.append((dict(self.headers), body))
                status = listener.answers.pop(0) if listener.answers else 200
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                return None

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/told?x=1"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def types(self):
        return [json.loads(body)["type"] for _, body in self.got]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listener():
    made = Listener()
    yield made
    made.close()


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def config(tmp_path):
    return settings.read(
        {
            "web": {"secret_key_file": str(tmp_path / "key")},
            "hooks": {"allow": ["127.0.0.1"], "timeout": 2, "retries": [5, 60]},
            "timetable": {"quiet_from": "00:00", "quiet_until": "00:00"},
            "zalo": {"templates": {"appointment": {"id": "1"}}},
        },
        {},
    )


@pytest.fixture
def app(engine, config, now):
    return create_app(config, engine, now=lambda: now[0])


@pytest.fixture
def client_of(app, engine, now):
    def make(name):
        with database.writing(engine) as session:
            key = access.add_api_key(session, name, "notices", now[0])
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        return client

    return make


@pytest.fixture
def program(client_of):
    return client_of("an")


@pytest.fixture
def courier(engine, config, now):
    return Courier(engine, config, lambda: now[0])


def hooked(program, listener, **more):
    answer = program.post("/api/v1/hooks", json={"url": listener.url, **more})
    assert answer.status_code == 201, answer.json
    return answer.json


def post(program, count=1):
    asked = {"kind": "appointment", "data": DATA}
    return [
        program.post("/api/v1/notices", json=asked | {"to": {"phone": f"+849051{n:05d}"}}).json["id"]
        for n in range(count)
    ]


def sent(engine, config, now):
    """Let Zalo take whatever is due."""
    terms = notices.Terms(notices.policy(config), barriers.policy(config), 100)
    with database.writing(engine) as session:
        tasks, _ = notices.claim_due(session, {"zalo": notices.Room(100, 0)}, terms, "w", now[0])
    with database.writing(engine) as session:
        results = [notices.Result(task, Event(Happening.ACCEPTED), "", task.attempt_id, 1) for task in tasks]
        notices.record(session, results, now[0], terms)
    return tasks


def test_a_program_is_told_how_its_notice_ended_and_can_check_who_says_so(program, listener, courier, app):
    made = hooked(program, listener)
    (notice_id,) = post(program)
    program.post(f"/api/v1/notices/{notice_id}/cancel")
    assert courier.round() == 1
    ((headers, body),) = listener.got
    told = json.loads(body)
    assert (told["type"], told["data"]["id"], told["data"]["state"]) == ("notice.cancelled", notice_id, "cancelled")
    assert "849051" not in body.decode() and "Nguyễn" not in body.decode()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert courier.round() == 0


def test_a_signature_is_as_the_specification_s_example_says():
    # The example of standardwebhooks.com's own libraries
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    body = b'{"test": 2432232314}'
    assert rules.signature(secret, message, 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_only_the_wanted_events_of_one_s_own_notices_are_told(client_of, listener, courier, engine, config, now):
    an, binh = client_of("an"), client_of("binh")
    hooked(an, listener, events=["notice.sent"])
    post(an)
    post(binh)
    sent(engine, config, now)
    while courier.round():
        pass
    assert listener.types() == ["notice.sent"]


def test_events_of_one_notice_come_in_their_order(program, listener, courier, engine, config, now):
    hooked(program, listener, events=["notice.sent", "notice.cancelled"])
    ids = post(program, 3)
    sent(engine, config, now)
    for one in ids:
        program.post(f"/api/v1/notices/{one}/cancel")
    while courier.round():
        pass
    for one in ids:
        mine = [json.loads(body) for _, body in listener.got if json.loads(body)["data"]["id"] == one]
        assert [told["type"] for told in mine] == ["notice.sent", "notice.cancelled"]


def test_who_does_not_answer_well_is_told_again_and_in_the_end_given_up_and_told_anew_when_asked(
    program, listener, courier, now
):
    made = hooked(program, listener)
    (notice_id,) = post(program)
    listener.answers = [500, 302, 404]
    program.post(f"/api/v1/notices/{notice_id}/cancel")
    for pause in (0, 10, 100):
        now[0] += pause
        assert courier.round() == 1
    assert [headers["webhook-id"] for headers, _ in listener.got].count(listener.got[0][0]["webhook-id"]) == 3
    now[0] += 10_000
    assert courier.round() == 0
    (event,) = program.get(f"/api/v1/hooks/{made['id']}/events").json["events"]
    assert (event["state"], event["tries"], event["status"]) == ("failed", 3, 404)
    again = program.post(f"/api/v1/hooks/{made['id']}/events/{event['id']}/replay").json
    assert again == {"replayed": 1}
    assert courier.round() == 1
    assert program.get(f"/api/v1/hooks/{made['id']}/events?state=delivered").json["events"][0]["id"] == event["id"]
    assert program.post(f"/api/v1/hooks/{made['id']}/replay", json={"since": "2026-01-01T00:00:00+07:00"}).json == {
        "replayed": 1
    }


def test_one_program_s_trouble_holds_up_neither_order_nor_others(client_of, listener, courier, now):
    an, binh, other = client_of("an"), client_of("binh"), Listener()
    hooked(an, listener)
    hooked(binh, other)
    listener.answers = [500]
    for program in (an, binh):
        for one in post(program, 2):
            program.post(f"/api/v1/notices/{one}/cancel")
    while courier.round():
        pass
    assert (len(listener.got), len(other.got)) == (1, 2)
    now[0] += 10
    while courier.round():
        pass
    told = [headers["webhook-id"] for headers, _ in listener.got]
    assert len(told) == 3 and told[0] == told[1]
    other.close()


def test_410_ends_a_hook(program, listener, courier):
    made = hooked(program, listener)
    listener.answers = [410]
    program.post(f"/api/v1/hooks/{made['id']}/ping")
    assert courier.round() == 1
    assert program.get(f"/api/v1/hooks/{made['id']}").status_code == 404
    assert program.get("/api/v1/hooks").json == {"hooks": []}


def test_days_of_failure_are_told_to_the_officer(program, listener, courier, engine, now):
    made = hooked(program, listener)
    listener.answers = [500, 500]
    program.post(f"/api/v1/hooks/{made['id']}/ping")
    courier.round()
    now[0] += 3 * 86_400
    courier.round()
    with database.reading(engine) as session:
        assert [one.kind for one in alerts.open_ones(session)] == ["hook"]
    now[0] += 3_600
    courier.round()
    with database.reading(engine) as session:
        assert alerts.open_ones(session) == []


def test_who_dies_between_the_call_and_the_record_calls_again_with_the_same_id(
    program, listener, engine, config, now
):
    made = hooked(program, listener)
    program.post(f"/api/v1/hooks/{made['id']}/ping")
    from gateway.hooks import courier as couriers

    dying = Courier(engine, config, lambda: now[0])
    with database.writing(engine) as session:
        (errand,) = couriers._claimed(session, now[0])
    assert dying.deliver(errand).taken  # … and it is gone
    heir = Courier(engine, config, lambda: now[0])
    assert heir.round() == 0
    now[0] += couriers.LEASE_SECONDS
    assert heir.round() == 1
    assert len({headers["webhook-id"] for headers, _ in listener.got}) == 1


def test_two_couriers_never_carry_one_event_at_once(program, listener, engine, config, now):
    hooked(program, listener)
    for one in post(program, 20):
        program.post(f"/api/v1/notices/{one}/cancel")
    couriers = [Courier(engine, config, lambda: now[0]) for _ in range(2)]

    def empty(courier):
        while courier.round():
            pass

    threads = [threading.Thread(target=empty, args=(one,)) for one in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for courier in couriers:
        empty(courier)
    ids = [headers["webhook-id"] for headers, _ in listener.got]
    assert len(ids) == len(set(ids)) == 20


def test_a_rotated_secret_signs_from_then_on(program, listener, courier):
    made = hooked(program, listener)
    fresh = program.post(f"/api/v1/hooks/{made['id']}/rotate").json["secret"]
    assert fresh != made["secret"]
    assert "secret" not in program.get(f"/api/v1/hooks/{made['id']}").json
    program.post(f"/api/v1/hooks/{made['id']}/ping")
    courier.round()
    ((headers, body),) = listener.got
    signed = rules.signature(fresh, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
    assert headers["webhook-signature"] == signed


def test_a_hook_is_its_program_s_alone_and_ends_when_asked(client_of, listener, courier, engine):
    an, binh = client_of("an"), client_of("binh")
    made = hooked(an, listener)
    for ask in (binh.get, binh.delete):
        assert ask(f"/api/v1/hooks/{made['id']}").status_code == 404
    an.post(f"/api/v1/hooks/{made['id']}/ping")
    assert an.delete(f"/api/v1/hooks/{made['id']}").status_code == 204
    assert courier.round() == 0
    assert listener.got == []


def test_a_program_has_at_most_ten(program, listener):
    for _ in range(outbox.MOST_A_KEY):
        hooked(program, listener)
    assert program.post("/api/v1/hooks", json={"url": listener.url}).status_code == 409


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/",
        "http://127.0.0.2/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest",
        "http://100.64.0.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://user:pass@example.org/",
        "ftp://example.org/",
        "http://host.invalid/",
        "http://example.org:99999/",
        "http:///nowhere",
    ],
)
def test_an_address_inside_the_house_is_refused(program, url):
    answer = program.post("/api/v1/hooks", json={"url": url})
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/url"


def test_the_connection_itself_goes_nowhere_that_is_not_allowed(listener):
    outcome = calling.Caller([], 2).post(listener.url, b"{}", {})
    assert outcome.status is None and "internal address" in outcome.reason
    assert listener.got == []
    assert calling.Caller(["127.0.0.1"], 2).post(listener.url, b"{}", {}).taken


def test_rubbish_and_silence_are_failures_and_no_more(engine):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        assert calling.Caller(["127.0.0.1"], 0.3).post(url, b"{}", {}) == calling.Outcome(
            None, "không trả lời kịp / no answer in time"
        )
    outcome = calling.Caller(["127.0.0.1"], 0.3).post(url, b"{}", {})
    assert outcome.status is None


def test_nothing_is_written_where_nobody_listens(program, engine, config, now):
    post(program, 3)
    sent(engine, config, now)
    with database.reading(engine) as session:
        assert session.scalars(select(tables.HookEvent)).all() == []
