"""What the providers of SMS post to us: kept once at their secret address, whatever shape it has, and judged later."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from gateway import database, tables
from gateway import notices as outbox
from gateway.rules import settings as shape
from gateway.web.app import create_app
from tests.gateway import described

SECRETS = {
    "GATEWAY_SMS__ESMS__CALLBACK_SECRET": "esms-path",
    "GATEWAY_SMS__SPEEDSMS__CALLBACK_SECRET": "speed-path",
    "GATEWAY_SMS__HTTP__KHAC__CALLBACK_SECRET": "khac-path",
}
REPORT = {"type": "report", "tranId": 12, "phone": "84905123456", "status": 66}
OTHER = {"ref": "a_1", "id": "m1", "state": "UNDELIVERED", "to": "84905123456"}


@pytest.fixture
def app(engine, tmp_path, eight):
    unheard = described.of_plain("http://a.vn")
    document = {
        "web": {"secret_key_file": str(tmp_path / "key")},
        "sms": {
            "http": {"khac": described.of_json("http://a.vn"), "cam": unheard},
            "providers": ["khac", "cam"],
        },
    }
    return create_app(shape.read(document, SECRETS), engine, now=lambda: eight)


@pytest.fixture
def client(app):
    return app.test_client()


def rows(engine):
    with database.reading(engine) as session:
        found = session.scalars(select(tables.Receipt).order_by(tables.Receipt.id)).all()
        return [(row.channel, row.reference, row.provider_ref, row.delivered, row.done_at) for row in found]


@pytest.mark.parametrize("way", ["json", "data", "query_string"])
def test_a_report_of_speedsms_is_kept_once_in_whichever_shape_it_comes(client, engine, way):
    call = client.get if way == "query_string" else client.post
    for _ in range(5):
        assert call("/webhooks/speedsms/speed-path", **{way: REPORT}).status_code == 200
    assert rows(engine) == [("speedsms", None, "12", None, None)]


def test_what_is_kept_of_it_is_what_the_lane_can_read(client, engine, eight):
    from gateway.channels import speedsms

    client.post("/webhooks/speedsms/speed-path", json=REPORT | {"content": "riêng tư"})
    with database.reading(engine) as session:
        ((_id, channel, body),) = outbox.unread_receipts(session, ["speedsms"], 10, eight)
    told = speedsms.SpeedSms.callback(json.loads(body))
    assert (channel, told.provider_ref, told.to, told.delivered) == ("speedsms", "12", "+84905123456", False)
    assert "riêng" not in body


@pytest.mark.parametrize("document", [[OTHER], OTHER, [OTHER, OTHER], [OTHER, 5, None]])
def test_reports_of_a_described_provider_come_alone_or_in_a_list(client, engine, document):
    assert client.post("/webhooks/sms/khac/khac-path", json=document).status_code == 200
    assert rows(engine) == [("khac", "a_1", "m1", None, None)]


@pytest.mark.parametrize("way", ["data", "query_string"])
def test_a_described_provider_may_send_a_form_or_a_query(client, engine, way):
    call = client.get if way == "query_string" else client.post
    assert call("/webhooks/sms/khac/khac-path", **{way: OTHER}).status_code == 200
    assert rows(engine) == [("khac", "a_1", "m1", None, None)]


def test_many_reports_in_one_call_are_kept_each(client, engine):
    several = [OTHER | {"ref": f"a_{n}", "id": f"m{n}"} for n in range(30)]
    client.post("/webhooks/sms/khac/khac-path", json=several)
    assert len(rows(engine)) == 30
    client.post("/webhooks/sms/khac/khac-path", json=several + [OTHER | {"ref": "a_99"}])
    assert len(rows(engine)) == 31


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/speedsms/guess", "/webhooks/speedsms/esms-path", "/webhooks/esms/speed-path",
        "/webhooks/sms/khac/guess", "/webhooks/sms/khac/speed-path", "/webhooks/sms/nobody/khac-path",
        "/webhooks/sms/esms/esms-path", "/webhooks/sms/cam/khac-path", "/webhooks/sms/cam/",
    ],
)  # fmt: skip
def test_nobody_is_heard_who_does_not_know_the_secret_address(client, engine, path):
    query = {**REPORT, **OTHER, "SMSID": "7", "RequestId": "a_1"}
    assert client.get(path, query_string=query).status_code == 404
    assert client.post(path, json=OTHER).status_code in (404, 405)
    assert rows(engine) == []


@pytest.mark.parametrize("path", ["speedsms/speed-path", "sms/khac/khac-path", "esms/esms-path"])
def test_who_only_looks_changes_nothing(client, engine, path):
    query = {**REPORT, **OTHER, "SMSID": "7", "RequestId": "a_1"}
    assert client.head(f"/webhooks/{path}", query_string=query).status_code == 400
    assert client.options(f"/webhooks/{path}", query_string=query).status_code == 200
    assert rows(engine) == []


def test_a_text_that_came_in_to_speedsms_is_none_of_ours(client, engine):
    assert (
        client.post("/webhooks/speedsms/speed-path", json={"type": "sms", "content": "SO"}).status_code == 200
    )
    assert rows(engine) == []


@pytest.mark.parametrize(
    "raw", [b"", b"[", b"5", b"null", b"[" * 100_000, b"\xff\xfe", b'"x"', b"x" * 300_000]
)
@pytest.mark.parametrize("path", ["speedsms/speed-path", "sms/khac/khac-path"])
def test_rubbish_is_refused_and_kept_by_nobody(client, engine, path, raw):
    answer = client.post(f"/webhooks/{path}", data=raw, content_type="application/json")
    assert answer.status_code in (400, 413)
    assert rows(engine) == []


_WORDS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=60), st.just("a\0b"),
                   st.just("\ud800"), st.lists(st.text(max_size=3), max_size=2))  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys((*REPORT, *OTHER, "tran_id", "SMSID", "RequestId"), _WORDS)
    )
)
def test_whatever_stands_in_a_report_never_breaks_the_webhook(client, engine, said):
    for path in ("speedsms/speed-path", "sms/khac/khac-path"):
        assert client.post(
            f"/webhooks/{path}", data=json.dumps(said), content_type="application/json"
        ).status_code in (200, 400)
    plain = {name: str(value).encode("utf-8", "replace") for name, value in said.items()}
    assert client.get("/webhooks/esms/esms-path", query_string=plain).status_code in (200, 400)
    rows(engine)
