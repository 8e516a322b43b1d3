"""The page's calls: what comes in is bounded, and only the kiosk's own page may press."""

import pytest

from kiosk import press, web

HEADERS = {"X-Requested-With": "kiosk"}
GOOD = {"service": "new", "priority": False, "press_id": "press-id-1", "language": "vi"}


@pytest.fixture
def client(tmp_path, machine, kiosk_in):
    kiosk = kiosk_in(tmp_path, machine)
    page = web.Page(
        station={"vi": "Công an phường <Bến Nghé>", "en": "Ben Nghe ward police"},
        languages=("vi", "en"),
        zone="Asia/Ho_Chi_Minh",
        press=kiosk.desk.press,
        ticket=lambda issued, qr: {"number": issued.event["number"], "qr": qr},
        status=lambda: {"series": "B"},
        test=lambda: "test/1",
    )
    client = web.create_app(page, "127.0.0.1").test_client()
    client.kiosk = kiosk
    return client


def test_a_press_answers_with_the_number_and_a_picture_of_the_address(client):
    answer = client.post("/press", json=GOOD, headers=HEADERS)
    assert (answer.status_code, answer.json["number"]) == (200, "B001")
    assert answer.json["qr"].startswith("data:image/svg+xml")


@pytest.mark.parametrize(
    "change",
    [
        {"service": "new;\x1b@"},
        {"service": "x" * 41},
        {"service": None},
        {"service": ["new"]},
        {"priority": "yes"},
        {"press_id": "short"},
        {"press_id": "x" * 65},
        {"language": "fr"},
        {"phone": "0901234567"},
        {"more": 1},
    ],
)
def test_what_is_no_press_is_refused_and_gives_nothing(client, change):
    answer = client.post("/press", json={**GOOD, **change}, headers=HEADERS)
    assert (answer.status_code, answer.json["text"]["vi"]) == (400, "Yêu cầu không hợp lệ.")
    assert client.kiosk.events() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"new"', b"\xff\xfe"])
def test_a_body_that_is_no_object_is_refused(client, body):
    answer = client.post("/press", data=body, headers=HEADERS, content_type="application/json")
    assert answer.status_code == 400
    assert client.kiosk.events() == []


def test_a_body_that_is_too_long_is_refused(client):
    answer = client.post("/press", json={**GOOD, "service": "x" * 10_000}, headers=HEADERS)
    assert answer.status_code in (400, 413)
    assert client.kiosk.events() == []


@pytest.mark.parametrize("path", ["/press", "/test-print"])
def test_a_foreign_page_cannot_press(client, path):
    assert client.post(path, json=GOOD).status_code == 403
    assert client.post(path, json=GOOD, headers={**HEADERS, "Host": "evil.example:8081"}).status_code == 403
    assert client.kiosk.events() == []


def test_a_name_made_to_point_here_is_not_answered(client):
    assert client.get("/status", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/status", headers={"Host": "localhost:8081"}).status_code == 200


def test_the_page_is_whole_without_a_network(client):
    text = client.get("/").text
    assert "http://" not in text and "https://" not in text
    assert "Công an phường &lt;Bến Nghé&gt;" in text


@pytest.mark.parametrize(("code", "status"), [("closed", 409), ("too_soon", 429), ("journal", 503)])
def test_a_press_that_gives_nothing_says_why_in_both_languages(client, code, status):
    text = {"vi": "Đã hết giờ", "en": "Over"}
    client.kiosk.desk.press = lambda order: press.Declined(code, text)
    page = web.Page(
        {"vi": "", "en": ""},
        ("vi",),
        "Asia/Ho_Chi_Minh",
        lambda order: press.Declined(code, text),
        None,
        None,
        None,
    )
    answer = web.create_app(page, "127.0.0.1").test_client().post("/press", json=GOOD, headers=HEADERS)
    assert (answer.status_code, answer.json) == (status, {"code": code, "text": text})
