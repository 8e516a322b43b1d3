"""The stand-in Zalo refuses what the real one refuses, and signs what the real one signs."""

import json
import queue
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
import requests

from gateway.rules import hashes
from gateway.sandbox import faults, postman, server

AN = "+84905123456"
TEMPLATES = (
    {
        "id": "1",
        "title": "Công an phường",
        "params": ["ten", {"name": "so", "max": 5}],
        "text": "{ten}: số {so}.",
    },
    {"id": "2", "title": "Lịch hẹn", "params": ["ten", "so"]},
)
BODY = {
    "phone": "84905123456", "template_id": "1", "template_data": {"ten": "Bà Hường", "so": "042"}, "tracking_id": "r1",
}  # fmt: skip


class Gateway:
    """Takes webhooks; the first `failing` of them badly, the first `slow` of them only when `hurry` is set."""

    def __init__(self) -> None:
        self.taken: queue.Queue = queue.Queue()
        self.failing = self.slow = 0
        self.hurry = Event()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gateway.taken.put((dict(self.headers), body))
                gateway.failing -= 1
                gateway.slow -= 1
                if gateway.slow >= 0:
                    gateway.hurry.wait(timeout=30)
                self.send_response(500 if gateway.failing >= 0 else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhooks/zalo"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def gateway():
    gateway = Gateway()
    yield gateway
    gateway.stop()


@pytest.fixture
def start(tmp_path, gateway):
    started = []

    def start():
        options = server.Options(
            port=0, folder=tmp_path, templates=TEMPLATES, receipt_delay=0, webhook_url=gateway.url
        )
        started.append(server.Sandbox(options))
        started[-1].start()
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def sandbox(start):
    return start()


def token(sandbox):
    return requests.get(f"{sandbox.url}/tools/token", timeout=5).json()["access_token"]


def send(sandbox, body, access=None):
    headers = {"access_token": access or token(sandbox)}
    answer = requests.post(f"{sandbox.url}/message/template", json=body, headers=headers, timeout=5)
    assert answer.status_code == 200
    return answer.json()


def ask(sandbox, path, **query):
    headers = {"access_token": token(sandbox)}
    return requests.get(f"{sandbox.url}{path}", params=query, headers=headers, timeout=5).json()


def test_a_message_is_taken_and_reads_as_the_template_says(sandbox):
    answer = send(sandbox, BODY)
    assert answer["error"] == 0 and answer["data"]["quota"]["remainingQuota"] == "4999"
    (message,) = sandbox.network.messages(AN)
    assert (message.text, message.via, message.ref) == ("Công an phường\nBà Hường: số 042.", "zalo", "r1")


def test_a_template_without_wording_reads_as_title_and_parameters(sandbox):
    send(sandbox, BODY | {"template_id": "2"})
    assert sandbox.network.messages(AN)[0].text == "Lịch hẹn\nten: Bà Hường\nso: 042"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"phone": "12"}, -108),
        ({"phone": "842353852123"}, -108),
        ({"template_id": "77"}, -109),
        ({"template_data": {}}, -111),
        ({"template_data": None}, -111),
        ({"template_data": {"ten": "A", "so": 42}}, -112),
        ({"template_data": {"ten": "A", "so": "42", "gio": "1"}}, -112),
        ({"template_data": {"ten": "A"}}, -1122),
        ({"template_data": {"ten": "A", "so": " "}}, -1122),
        ({"template_data": {"ten": "A", "so": "123456"}}, -1121),
        ({"template_data": {"ten": "Hu\u031bo\u031b\u0300ng", "so": "1"}}, -132),
        ({"template_data": {"ten": "A\x1b@", "so": "1"}}, -132),
        ({"tracking_id": "x" * 49}, -132),
        ({"tracking_id": "a b"}, -132),
        ({"tracking_id": ""}, -132),
    ],
)
def test_what_does_not_fit_is_refused_with_zalos_code_and_reaches_nobody(sandbox, changed, code):
    assert send(sandbox, BODY | changed)["error"] == code
    assert sandbox.network.messages(AN) == []


@pytest.mark.parametrize(("body", "code"), [(b"", -121), (b"{", -122), (b"[1]", -122)])
def test_a_body_that_is_no_object_is_refused(sandbox, body, code):
    headers = {"access_token": token(sandbox)}
    answer = requests.post(f"{sandbox.url}/message/template", data=body, headers=headers, timeout=5)
    assert answer.json()["error"] == code


def test_a_token_nobody_was_given_is_refused_everywhere(sandbox):
    assert send(sandbox, BODY, access="made-up")["error"] == -124
    for path in ("/message/status", "/template/all", "/template/info/v2"):
        assert requests.get(sandbox.url + path, timeout=5).json()["error"] == -124


def test_templates_are_listed_and_described(sandbox):
    assert [one["templateId"] for one in ask(sandbox, "/template/all")["data"]] == ["1", "2"]
    params = ask(sandbox, "/template/info/v2", template_id="1")["data"]["listParams"]
    assert [(one["name"], one["maxLength"]) for one in params] == [("ten", 200), ("so", 5)]
    assert ask(sandbox, "/template/info/v2", template_id="9")["error"] == -109


def test_the_receipt_is_signed_as_the_documents_say(sandbox, gateway):
    msg_id = send(sandbox, BODY)["data"]["msg_id"]
    headers, body = gateway.taken.get(timeout=10)
    event = json.loads(body)
    options = sandbox.options
    assert event["message"]["tracking_id"] == "r1" and event["message"]["msg_id"] == msg_id
    assert event["recipient"]["id"] == "84905123456" and event["app_id"] == options.app_id
    assert headers["X-ZEvent-Server"] == "ZNS"
    variant = hashes.zalo_variants(
        headers["X-ZEvent-Signature"], body, ids={"app_id": options.app_id},
        timestamps={"body": event["timestamp"]}, secrets={"webhook_secret": options.webhook_secret},
    )  # fmt: skip
    assert variant == "app_id/body/webhook_secret"


def test_a_receipt_nobody_takes_comes_again(sandbox, gateway):
    gateway.failing = 1
    send(sandbox, BODY)
    (first, body), (second, again) = (gateway.taken.get(timeout=10) for _ in range(2))
    assert body == again and ("num_retry" in first, second["num_retry"]) == (False, "1")


def test_a_receiver_that_takes_longer_than_two_seconds_gets_it_again(sandbox, gateway):
    gateway.slow = 1
    send(sandbox, BODY)
    (_, body), (headers, again) = (gateway.taken.get(timeout=20) for _ in range(2))
    gateway.hurry.set()
    assert body == again and headers["num_retry"] == "1"


def test_the_ladder_of_repeats_ends():
    post, calls = postman.Postman(), queue.Queue()
    post.until_taken(0, lambda: calls.put(1), ladder=(0.0, 0.0))
    assert [calls.get(timeout=10) for _ in range(3)] == [1, 1, 1]
    post.later(0, lambda: calls.put("end"))
    assert calls.get(timeout=10) == "end"
    post.stop()


def test_a_phone_that_is_off_has_no_message_and_its_status_says_so(sandbox, gateway):
    sandbox.network.faults.switch(faults.ZALO_NO_RECEIPT, AN, True)
    msg_id = send(sandbox, BODY)["data"]["msg_id"]
    assert ask(sandbox, "/message/status", message_id=msg_id)["data"]["status"] == 0
    assert ask(sandbox, "/message/status", message_id="x")["data"]["status"] == -1
    assert sandbox.network.messages(AN) == [] and gateway.taken.empty()


def test_an_answer_that_breaks_off_does_not_take_the_message_back(sandbox, gateway):
    sandbox.network.faults.switch(faults.ZALO_TIMEOUT, AN, True)
    with pytest.raises(requests.RequestException):
        send(sandbox, BODY)
    assert len(sandbox.network.messages(AN)) == 1
    assert json.loads(gateway.taken.get(timeout=10)[1])["message"]["tracking_id"] == "r1"


@pytest.mark.parametrize(("fault", "code"), [(faults.ZALO_REFUSED, -118), (faults.ZALO_QUOTA, -144)])
def test_a_fault_of_one_phone_is_nobody_elses(sandbox, fault, code):
    sandbox.network.faults.switch(fault, AN, True)
    assert send(sandbox, BODY)["error"] == code
    assert send(sandbox, BODY | {"phone": "84912345678"})["error"] == 0


def test_a_receipt_may_come_twice_and_be_the_same(sandbox, gateway):
    sandbox.network.faults.switch(faults.RECEIPT_TWICE, None, True)
    send(sandbox, BODY)
    assert gateway.taken.get(timeout=10)[1] == gateway.taken.get(timeout=10)[1]


def test_tokens_and_messages_outlive_a_crash(start):
    first = start()
    access = token(first)
    msg_id = send(first, BODY, access)["data"]["msg_id"]
    second = start()  # the first is still there, as after kill -9: nothing was closed
    assert send(second, BODY | {"tracking_id": "r2"}, access)["error"] == 0
    assert ask(second, "/message/status", message_id=msg_id)["data"]["status"] == 1
    assert [one.ref for one in second.network.messages(AN)] == ["r1", "r2"]


def test_a_refresh_token_spent_before_a_crash_stays_spent(start):
    first = start()
    pair = requests.get(f"{first.url}/tools/token", timeout=5).json()
    form = {
        "app_id": first.options.app_id, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"],
    }  # fmt: skip
    headers = {"secret_key": first.options.app_secret}

    def renewed(one):
        answer = requests.post(f"{one.url}/v4/oa/access_token", data=form, headers=headers, timeout=5)
        return "access_token" in answer.json()

    assert renewed(first)
    assert not renewed(start())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"app_id": "other"}, -14002),
        ({"redirect_uri": "javascript:alert(1)"}, -14003),
        ({"redirect_uri": ""}, -14003),
    ],
)
def test_a_consent_for_another_app_or_place_is_refused(sandbox, query, code):
    asked = {"app_id": sandbox.options.app_id, "redirect_uri": "http://127.0.0.1:8080/"} | query
    answer = requests.get(f"{sandbox.url}/v4/oa/permission", params=asked, allow_redirects=False, timeout=5)
    assert answer.json()["error"] == code
