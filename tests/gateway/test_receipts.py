"""What providers post to us: genuine ones are kept once, forged ones change nothing, rubbish never breaks it."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from gateway import database, tables
from gateway import notices as outbox
from gateway.notices import barriers
from gateway.rules import hashes
from gateway.rules import settings as shape
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.web.app import create_app

SECRETS = {"GATEWAY_ZALO__WEBHOOK_SECRET": "s3cr3t-oa", "GATEWAY_SMS__ESMS__CALLBACK_SECRET": "path-secret"}


@pytest.fixture
def app(engine, tmp_path, eight):
    document = {
        "web": {"secret_key_file": str(tmp_path / "key")},
        "zalo": {"app_id": "1234567890", "oa_id": "99"},
    }
    return create_app(shape.read(document, SECRETS), engine, now=lambda: eight)


def received(message_id="f1e2", tracking_id="a_1", app_id="1234567890"):
    event = {
        "app_id": app_id,
        "sender": {"id": "99"},
        "recipient": {"id": "84905123456"},
        "event_name": "user_received_message",
        "message": {"delivery_time": "1700000009999", "msg_id": message_id, "tracking_id": tracking_id},
        "timestamp": "1700000010000",
    }
    return json.dumps(event, ensure_ascii=False).encode()


def post(app, raw, secret="s3cr3t-oa", app_id="1234567890"):
    signature = hashes.zalo_mac(app_id, raw, "1700000010000", secret)
    headers = {"X-ZEvent-Signature": f"mac={signature}"}
    return app.test_client().post(
        "/webhooks/zalo", data=raw, headers=headers, content_type="application/json"
    )


def kept(engine):
    with database.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(tables.Receipt))


def test_a_signed_receipt_is_kept_once_however_often_it_comes(app, engine):
    for _ in range(5):
        assert post(app, received()).status_code == 200
    assert kept(engine) == 1
    with database.reading(engine) as session:
        receipt = session.scalars(select(tables.Receipt)).one()
    assert (receipt.reference, receipt.provider_ref, receipt.delivered, receipt.done_at) == (
        "a_1",
        "f1e2",
        True,
        None,
    )


@pytest.mark.parametrize("secret", ["", "wrong", "path-secret"])
def test_a_forged_receipt_changes_nothing(app, engine, secret):
    assert post(app, received(), secret=secret).status_code == 200  # gently, as configured
    assert kept(engine) == 0


def test_a_receipt_for_another_app_or_without_a_signature_changes_nothing(app, engine):
    post(app, received(app_id="666"), app_id="666")
    app.test_client().post("/webhooks/zalo", data=received(), content_type="application/json")
    assert kept(engine) == 0


def test_the_console_s_probes_are_answered(app, engine):
    client = app.test_client()
    assert client.get("/webhooks/zalo").status_code == 200
    assert client.post("/webhooks/zalo", data=b"{}").status_code == 200
    assert kept(engine) == 0


def test_an_event_that_is_no_receipt_waits_for_whoever_reads_the_chat(app, engine, eight):
    assert post(app, received().replace(b"user_received", b"user\\u0000")).status_code == 400
    for name in (b"user_send_text", b"never_heard_of"):
        assert post(app, received().replace(b"user_received_message", name)).status_code == 200
    with database.reading(engine) as session:
        rows = session.scalars(select(tables.Receipt).order_by(tables.Receipt.id)).all()
        assert outbox.unread_receipts(session, ["zalo", "zalo_uid", "zalo_cs", "esms"], 10, eight) == []
    assert [(row.event, row.channel, row.delivered, row.done_at) for row in rows] == [
        ("user_send_text", "oa", None, None),
        ("never_heard_of", "oa", None, None),
    ]
    assert json.loads(rows[0].body)["message"]["msg_id"] == rows[0].provider_ref == "f1e2"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300),
        st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr).map(str.encode),
    )
)
def test_rubbish_never_breaks_the_webhook_and_stores_nothing(app, engine, raw):
    assert post(app, raw).status_code < 500
    assert kept(engine) == 0


def test_an_esms_callback_needs_the_secret_address_and_waits_to_be_confirmed(app, engine, eight):
    client = app.test_client()
    query = "SMSID=77&RequestId=a_1&SendStatus=5&SendFailed=1&SendSuccess=0"
    assert client.get(f"/webhooks/esms/guess?{query}").status_code == 404
    assert client.head(f"/webhooks/esms/path-secret?{query}").status_code == 400
    assert kept(engine) == 0
    for _ in range(3):
        assert client.get(f"/webhooks/esms/path-secret?{query}").status_code == 200
    with database.reading(engine) as session:
        receipt = session.scalars(select(tables.Receipt)).one()
        assert (receipt.delivered, receipt.done_at) == (None, None)
        assert len(outbox.unread_receipts(session, ["esms"], 10, eight)) == 1
        assert outbox.unread_receipts(session, ["zalo"], 10, eight) == []


def test_a_receipt_that_comes_before_our_own_record_waits_for_it(engine, config, eight):
    policy = outbox.policy(config)
    terms = outbox.Terms(policy, barriers.policy(config), 100)
    planned = outbox.Planned("k", "appointment", "+84905123456", {}, eight, eight + 9_000)
    with database.writing(engine) as session:
        outbox.plan(session, planned, outbox.ladder(config), eight)
        ((task,), _) = outbox.claim_due(session, {"zalo": outbox.Room(5, 0)}, terms, "w", eight)
    with database.writing(engine) as session:
        receipt = {
            "channel": "zalo",
            "key": "zalo:1",
            "event": "user_received_message",
            "reference": task.attempt_id,
            "provider_ref": "f1",
            "delivered": True,
            "body": "",
            "done_at": None,
        }
        assert outbox.store_receipt(session, receipt, eight)
        assert not outbox.store_receipt(session, receipt, eight)
        outbox.settle_receipts(session, 10, eight, policy)
    accepted = outbox.Result(task, Event(Happening.ACCEPTED), "", "f1", 1)
    with database.writing(engine) as session:
        outbox.record(session, [accepted], eight + 1, terms)
    with database.reading(engine) as session:
        notice = session.scalars(select(tables.Notice)).one()
        assert (notice.state, notice.final_at) == ("delivered", eight)
        assert session.scalars(select(tables.Attempt)).one().state == "delivered"


def test_receipts_that_fit_nothing_do_not_stand_in_the_way_of_those_that_do(engine, config, eight):
    policy = outbox.policy(config)
    terms = outbox.Terms(policy, barriers.policy(config), 100)
    planned = outbox.Planned("k", "appointment", "+84905123456", {}, eight, eight + 9_000)
    with database.writing(engine) as session:
        for n in range(300):
            outbox.store_receipt(session, receipt_of(f"stranger_{n}"), eight)
        outbox.plan(session, planned, outbox.ladder(config), eight)
        ((task,), _) = outbox.claim_due(session, {"zalo": outbox.Room(5, 0)}, terms, "w", eight)
        outbox.store_receipt(session, receipt_of(task.attempt_id), eight)
    for _ in range(4):  # rounds within one second
        with database.writing(engine) as session:
            outbox.settle_receipts(session, 100, eight, policy)
    with database.writing(engine) as session:
        assert session.scalars(select(tables.Notice.state)).one() == "delivered"
        outbox.settle_receipts(session, 400, eight + outbox.RECEIPT_PATIENCE, policy)
        outcomes = session.execute(
            select(tables.Receipt.outcome, func.count()).group_by(tables.Receipt.outcome)
        )
        assert dict(outcomes.all()) == {"matched": 1, "unmatched": 300}


def receipt_of(reference):
    return {
        "channel": "zalo",
        "key": f"zalo:{reference}",
        "event": "user_received_message",
        "reference": reference,
        "provider_ref": None,
        "delivered": True,
        "body": "",
        "done_at": None,
    }
