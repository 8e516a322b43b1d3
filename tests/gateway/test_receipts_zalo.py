"""Zalo's webhook: every known way of signing, what is kept of an event, and what is said when forgeries come."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select, text

from gateway import alerts, database, gauges, tables
from gateway import notices as outbox
from gateway.notices import barriers
from gateway.rules import hashes
from gateway.rules import settings as shape
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.web.app import create_app
from gateway.web.hearing import EVERY_SECONDS, Hearing

APP, OA, STAMP = "1234567890", "99", "1700000010000"
WEBHOOK, APPLICATION = "s3cr3t-oa", "s3cr3t-app"
SECRETS = {"GATEWAY_ZALO__WEBHOOK_SECRET": WEBHOOK, "GATEWAY_ZALO__APP_SECRET": APPLICATION}


@pytest.fixture
def clock(eight):
    return [eight]


@pytest.fixture
def make_app(engine, tmp_path, clock):
    def make(**zalo):
        document = {
            "web": {"secret_key_file": str(tmp_path / "key")},
            "zalo": {"app_id": APP, "oa_id": OA, **zalo},
        }
        return create_app(shape.read(document, SECRETS), engine, now=lambda: clock[0])

    return make


@pytest.fixture
def app(make_app):
    return make_app()


def event(name="user_send_text", **changes):
    told = {
        "app_id": APP,
        "sender": {"id": "555"},
        "recipient": {"id": OA},
        "event_name": name,
        "message": {"text": "Xin số thứ tự", "msg_id": "m1"},
        "timestamp": STAMP,
        **changes,
    }
    return json.dumps(told, ensure_ascii=False).encode()


def signed(raw, variant="app_id/body/webhook_secret", body_stamp=STAMP, header_stamp=""):
    """The headers of a call that is signed in this way."""
    identity, stamp, secret = variant.split("/")
    mac = hashes.zalo_mac(
        {"app_id": APP, "oa_id": OA}[identity],
        raw,
        {"body": body_stamp, "header": header_stamp}[stamp],
        {"webhook_secret": WEBHOOK, "app_secret": APPLICATION}[secret],
    )
    headers = {"X-ZEvent-Signature": f"mac={mac}"}
    return headers | ({"X-ZEvent-Timestamp": header_stamp} if header_stamp else {})


def post(app, raw, headers=None):
    headers = signed(raw) if headers is None else headers
    return app.test_client().post("/webhooks/zalo", data=raw, headers=headers).status_code


def forge(app, times=1):
    headers = {"X-ZEvent-Signature": "mac=" + "0" * 64}
    return [post(app, event(), headers) for _ in range(times)]


def kept(engine):
    with database.reading(engine) as session:
        return session.scalars(select(tables.Receipt).order_by(tables.Receipt.id)).all()


def fact(engine, name):
    with database.reading(engine) as session:
        row = session.get(tables.Fact, name)
        return row and (row.value, row.at)


def alert(engine):
    with database.reading(engine) as session:
        return [(one.kind, one.key) for one in alerts.open_ones(session)]


@pytest.mark.parametrize("variant", hashes.ZALO_VARIANTS)
def test_every_known_way_of_signing_is_taken_and_remembered(app, engine, until, variant, eight):
    raw = event()
    assert post(app, raw, signed(raw, variant, header_stamp="1700000010777")) == 200
    assert len(kept(engine)) == 1
    assert until(lambda: fact(engine, "zalo.variant")) == (variant, eight)
    assert fact(engine, "zalo.heard") == ("user_send_text", eight)


def test_another_way_of_signing_still_holds_later_and_is_the_pinned_one_then(app, engine, until):
    ways = ("app_id/body/webhook_secret", "oa_id/body/app_secret", "app_id/body/app_secret")
    for number, variant in enumerate(ways):
        raw = event(message={"msg_id": f"m{number}"})
        assert post(app, raw, signed(raw, variant)) == 200
        until(lambda wanted=variant: (fact(engine, "zalo.variant") or ("",))[0] == wanted)
    assert len(kept(engine)) == 3


def test_where_one_way_of_signing_is_demanded_no_other_holds(make_app, engine):
    app = make_app(strict_variant="app_id/body/app_secret")
    first, second = event(), event(message={"msg_id": "m2"})
    post(app, first, signed(first))
    assert kept(engine) == []
    post(app, second, signed(second, "app_id/body/app_secret"))
    assert [row.provider_ref for row in kept(engine)] == ["m2"]


def test_the_pinned_way_is_tried_first_and_nothing_without_a_secret_is_tried():
    ids, stamps = {"app_id": APP, "oa_id": OA}, {"body": STAMP, "header": ""}
    same = {"webhook_secret": WEBHOOK, "app_secret": WEBHOOK}
    mac = hashes.zalo_mac(APP, b"x", STAMP, WEBHOOK)

    def found(**more):
        about = {"ids": ids, "timestamps": stamps, "secrets": same} | more
        return hashes.zalo_variants(mac, b"x", **about)

    assert found() == "app_id/body/webhook_secret"
    assert found(pinned="app_id/body/app_secret") == "app_id/body/app_secret"
    assert found(pinned="oa_id/header/app_secret") == "app_id/body/webhook_secret"
    assert found(strict="nobody/knows/this") is None
    assert not hashes.same("\ud800", WEBHOOK)
    empty = hashes.zalo_mac(APP, b"x", STAMP, "")
    assert (
        hashes.zalo_variants(empty, b"x", ids=ids, timestamps=stamps, secrets={"webhook_secret": ""}) is None
    )


@pytest.mark.parametrize("raw", [b"", b" \n", b"{}", b" { } ", b"\xef\xbb\xbf{}"])
def test_a_probe_is_answered_and_is_no_forgery(app, engine, until, raw):
    for _ in range(6):
        assert app.test_client().post("/webhooks/zalo", data=raw).status_code == 200
    assert app.test_client().get("/webhooks/zalo").status_code == 200
    assert app.test_client().head("/webhooks/zalo").status_code == 200
    post(app, event())
    until(lambda: fact(engine, "zalo.heard"))
    assert (len(kept(engine)), alert(engine)) == (1, [])


def test_four_forgeries_in_a_row_are_said_once_and_a_genuine_event_ends_that(app, engine, until, clock):
    before = gauges.REGISTRY.get_sample_value("gateway_zalo_webhook_total", {"outcome": "bad_signature"}) or 0
    assert forge(app, 3) == [200, 200, 200]
    assert (alert(engine), kept(engine)) == ([], [])
    forge(app)
    until(lambda: alert(engine) == [("webhook", "webhook:zalo")])
    forge(app, 20)
    assert alert(engine) == [("webhook", "webhook:zalo")]
    post(app, event())
    until(lambda: alert(engine) == [])
    after = gauges.REGISTRY.get_sample_value("gateway_zalo_webhook_total", {"outcome": "bad_signature"})
    assert (after - before, len(kept(engine))) == (24, 1)


def test_forgeries_that_are_not_in_a_row_are_nobody_s_business(app, engine, until):
    for number in range(5):
        forge(app, 3)
        post(app, event(message={"msg_id": f"m{number}"}))
    until(lambda: fact(engine, "zalo.heard"))
    with database.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(tables.Alert)) == 0


def test_a_forgery_is_refused_openly_where_that_is_configured(make_app, engine):
    app = make_app(reply_200_on_bad_signature=False)
    assert forge(app) == [401]
    assert post(app, event(), {}) == 401
    assert kept(engine) == []


def test_what_was_heard_is_written_down_once_a_minute_at_most(engine, clock, until, eight):
    hearing = Hearing(engine, lambda: clock[0])
    hearing.genuine("app_id/body/webhook_secret", "follow")
    until(lambda: not hearing.writing)
    for second in range(1, EVERY_SECONDS):
        clock[0] = eight + second
        hearing.genuine("app_id/body/webhook_secret", f"event_{second}")
        assert not hearing.writing
    assert fact(engine, "zalo.heard") == ("follow", eight)
    clock[0] = eight + EVERY_SECONDS
    hearing.genuine("app_id/body/webhook_secret", "unfollow")
    until(lambda: fact(engine, "zalo.heard") == ("unfollow", eight + EVERY_SECONDS))


def test_what_could_not_be_written_down_is_written_a_minute_later(engine, clock, until, eight):
    hearing = Hearing(engine, lambda: clock[0])
    with database.writing(engine) as session:
        session.execute(text("ALTER TABLE facts RENAME TO away"))
    hearing.genuine("app_id/body/webhook_secret", "follow")
    until(lambda: not hearing.writing)
    hearing.genuine("app_id/body/app_secret", "unfollow")
    assert not hearing.writing
    with database.writing(engine) as session:
        session.execute(text("ALTER TABLE away RENAME TO facts"))
    clock[0] = eight + EVERY_SECONDS
    hearing.genuine("app_id/body/app_secret", "user_send_text")
    until(lambda: fact(engine, "zalo.variant") == ("app_id/body/app_secret", eight + EVERY_SECONDS))


def test_every_call_is_answered_while_nothing_can_be_written(app, engine, until):
    connection = engine.connect().execution_options(begin="BEGIN IMMEDIATE")
    turn = connection.begin()
    if engine.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE receipts, facts, alerts IN ACCESS EXCLUSIVE MODE"))
    assert forge(app, 8) == [200] * 8
    assert post(app, event()) == 503
    turn.rollback()
    connection.close()
    until(lambda: fact(engine, "zalo.heard"))
    assert post(app, event()) == 200
    assert len(kept(engine)) == 1


def test_a_message_seen_is_a_receipt_for_each_message(app, engine):
    ids = [f"m{n}" for n in range(5)] + ["m2", 77, None, {"m": 1}, "n" * 81, "với dấu"]
    raw = event("user_seen_message", message={"msg_ids": ids})
    assert (post(app, raw), post(app, raw)) == (200, 200)
    rows = kept(engine)
    assert [row.provider_ref for row in sorted(rows, key=lambda row: row.provider_ref)] == [
        "77", "m0", "m1", "m2", "m3", "m4",
    ]  # fmt: skip
    assert {(row.channel, row.delivered, row.code, row.done_at) for row in rows} == {
        ("zalo", True, "seen", None)
    }
    assert sum(bool(row.body) for row in rows) == 1


def test_one_event_calls_a_hundred_messages_seen_at_most(app, engine):
    post(app, event("user_seen_message", message={"msg_ids": [f"m{n}" for n in range(5_000)]}))
    assert len(kept(engine)) == 100


def test_the_official_account_s_own_kind_of_receipt_is_kept_by_the_message_s_id(app, engine):
    raw = event("user_received_message", sender={"id": OA}, recipient={"id": "555"})
    post(app, raw)
    ((row),) = kept(engine)
    assert (row.channel, row.reference, row.provider_ref, row.delivered) == ("zalo", None, "m1", True)


def test_numbers_are_taken_for_the_texts_that_they_stand_for(app, engine):
    told = json.loads(event(app_id=int(APP), timestamp=int(STAMP), message={"msg_id": 2**80}))
    raw = json.dumps(told).encode()
    assert post(app, raw) == 200
    assert kept(engine)[0].key == f"zalo:user_send_text:{2**80}"


@pytest.mark.parametrize(
    "message",
    [["m1"], "m1", None, 7, {"msg_id": ["m1"]}, {"msg_id": True}, {"msg_id": 1.5}, {"msg_id": "m" * 81}],
)
def test_an_event_of_a_strange_shape_is_kept_once_by_its_octets(app, engine, message):
    raw = event(message=message)
    assert (post(app, raw), post(app, raw)) == (200, 200)
    ((row),) = kept(engine)
    assert (row.channel, row.provider_ref, len(row.key)) == ("oa", None, len("zalo:user_send_text:") + 64)


@pytest.mark.parametrize(
    ("escaped", "read"),
    [
        (r"a\u0000b", "a\ufffdb"),
        (r"a\\u0000b", r"a\u0000b"),
        (r"\ud83d\ude00", "😀"),
        (r"\ud83d!", "\ufffd!"),
        (r"\ude00\ud83d", "\ufffd\ufffd"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\"\\\u1ebf", "\"\\ế"),
    ],
)  # fmt: skip
def test_a_kept_body_gives_no_character_that_a_table_cannot_hold(app, engine, escaped, read):
    raw = event().replace("Xin số thứ tự".encode(), escaped.encode())
    assert post(app, raw) == 200
    body = json.loads(kept(engine)[0].body)
    assert body["message"]["text"] == read
    read.encode()


def test_a_mark_before_the_json_is_signed_with_it_and_not_kept(app, engine):
    assert post(app, b"\xef\xbb\xbf" + event()) == 200
    assert json.loads(kept(engine)[0].body)["event_name"] == "user_send_text"


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b"{",
        b"{'event_name':'follow'}",
        b"[" * 100_000,
        b'{"event_name":' * 10_000,
        event().replace(b'"m1"', b"NaN"),
        event().replace(b'"m1"', b"-Infinity"),
        event().replace(b'"m1"', b"9" * 5_000),
        event("nhắn"),
        event("n" * 61),
        event(name=["follow"]),
        event().decode().encode("utf-16"),
    ],
)
def test_what_cannot_be_read_is_refused_however_well_it_is_signed(app, engine, raw):
    assert post(app, raw) == 400
    assert kept(engine) == []


def test_half_a_character_in_what_should_prove_it_is_a_forgery_and_no_crash(app, engine):
    raw = event().replace(APP.encode(), rb"\ud800")
    assert post(app, raw) == 200
    assert post(app, event(), {"X-ZEvent-Signature": "mac=\xff\xfe"}) == 200
    assert kept(engine) == []


@pytest.mark.parametrize("declared", [True, False])
def test_what_is_too_large_is_refused_before_it_is_looked_at(app, engine, declared):
    raw = event(message={"text": "a" * 256 * 1024})
    about = {} if declared else {"environ_overrides": {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}}
    answer = app.test_client().post("/webhooks/zalo", data=raw, headers=signed(raw), **about)
    assert answer.status_code == 413
    assert kept(engine) == []
    fits = event(message={"text": "a" * 255 * 1024})
    assert post(app, fits) == 200


@pytest.mark.parametrize("age", [23 * 3_600, 72 * 3_600, -3_600])
def test_an_event_is_kept_however_old_as_of_now(app, engine, eight, age):
    stamp = str((eight - age) * 1_000)
    raw = event(timestamp=stamp)
    assert post(app, raw, signed(raw, body_stamp=stamp)) == 200
    assert [(row.at, row.due) for row in kept(engine)] == [(eight, eight)]


@pytest.fixture
def sent(engine, config, eight):
    """`sent(channel, ref)`: a notice that a channel of Zalo has taken under its own id; (notice id, attempt id)."""
    terms = outbox.Terms(outbox.policy(config), barriers.policy(config), 100)

    def send(channel, ref, key="k"):
        who = None if channel == "zalo" else "555"
        planned = outbox.Planned(
            key, "appointment", "+84905123456", {}, eight, eight + 9_000, zalo_user_id=who
        )
        with database.writing(engine) as session:
            session.merge(
                tables.ZaloUser(id="555", seen_at=eight, created_at=eight)
            )  # may be written to freely
            session.flush()
            notice_id = outbox.plan(session, planned, (channel,), eight)
            ((task,), _) = outbox.claim_due(session, {channel: outbox.Room(5, 0)}, terms, "w", eight)
            result = outbox.Result(task, Event(Happening.ACCEPTED), "", ref, 1)
            outbox.record(session, [result], eight, terms)
        return notice_id, task.attempt_id

    return send


def settle(engine, config, now):
    with database.writing(engine) as session:
        outbox.settle_receipts(session, 100, now, outbox.policy(config))
        outcomes = session.scalars(select(tables.Receipt.outcome).order_by(tables.Receipt.id)).all()
        return outcomes, dict(session.execute(select(tables.Notice.id, tables.Notice.state)).all())


@pytest.mark.parametrize("channel", ["zalo", "zalo_uid", "zalo_cs"])
@pytest.mark.parametrize("name", ["user_received_message", "user_seen_message"])
def test_a_receipt_finds_its_message_by_whichever_of_zalo_s_channels_it_went(
    app, engine, config, eight, sent, channel, name
):
    notice_id, attempt_id = sent(channel, "m1")
    about = {"msg_ids": ["m1"]} if name == "user_seen_message" else {"msg_id": "m1"}
    post(app, event(name, message=about))
    assert settle(engine, config, eight) == (["matched"], {notice_id: "delivered"})
    with database.reading(engine) as session:
        assert session.get_one(tables.Attempt, attempt_id).state == "delivered"


def test_our_own_reference_goes_before_zalo_s_id(app, engine, config, eight, sent):
    first, attempt_id = sent("zalo", "m1", key="one")
    second, _ = sent("zalo_uid", "m1", key="two")
    post(app, event("user_received_message", message={"msg_id": "m1", "tracking_id": attempt_id}))
    _, states = settle(engine, config, eight)
    assert (states[first], states[second]) == ("delivered", "sent")


def talked(engine, eight, **about):
    with database.writing(engine) as session:
        session.merge(tables.ZaloUser(id="555", created_at=eight))
        session.flush()
        talk = tables.Conversation(user_id="555", opened_at=eight, changed_at=eight)
        session.add(talk)
        session.flush()
        words = {"conversation_id": talk.id, "user_id": "555", "way": "out", "text": "Chào bà", "at": eight}
        session.add(tables.ChatMessage(**words | about))


@pytest.mark.parametrize("by_notice", [True, False])
def test_a_chat_s_message_knows_when_it_was_seen_first(app, engine, config, clock, sent, eight, by_notice):
    about = {"msg_id": "m1"}
    if by_notice:
        about = {"notice_id": sent("zalo_cs", "m1")[0]}
    talked(engine, eight, **about)
    post(app, event("user_received_message"))
    settle(engine, config, eight)
    assert seen(engine) == [None]
    clock[0] = eight + 7
    post(app, event("user_seen_message", message={"msg_ids": ["m1", "stranger"]}))
    clock[0] = eight + 90
    post(app, event("user_seen_message", message={"msg_ids": ["m1"]}, again=True))
    settle(engine, config, eight + 90)
    assert seen(engine) == [eight + 7]


def seen(engine):
    with database.reading(engine) as session:
        return list(session.scalars(select(tables.ChatMessage.seen_at)))


def test_a_message_that_somebody_sent_from_zalo_s_own_app_may_be_seen_before_we_know_of_it(
    app, engine, config, eight
):
    post(app, event("user_seen_message", message={"msg_ids": ["m1"]}))
    assert settle(engine, config, eight)[0] == [""]
    talked(engine, eight, msg_id="m1", by="Zalo")
    assert settle(engine, config, eight + 2)[0] == ["matched"]
    assert seen(engine) == [eight]
