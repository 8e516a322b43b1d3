"""What providers post is kept once and for good, many in one commit, and nobody waits for it for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select, text

from gateway import database, gauges, intake, storage, tables
from gateway.rules import settings
from gateway.web.app import create_app

LONG = 20.0


@pytest.fixture
def taken_in(engine, eight):
    return intake.Intake(engine, lambda: eight, patience=LONG)


def receipt_of(key, **changes):
    return {"channel": "zalo", "key": key, "event": "user_received_message", "delivered": True, **changes}


def kept(engine):
    with database.reading(engine) as session:
        return set(session.scalars(select(tables.Receipt.key)))


def posted(taken_in, receipts):
    """Post from a thread each, all at once; what each was told: True, False or its error."""
    gate = threading.Barrier(len(receipts))

    def post(receipt):
        gate.wait(LONG)
        try:
            return taken_in.keep(receipt)
        except Exception as fault:
            return fault

    with ThreadPoolExecutor(len(receipts)) as pool:
        return list(pool.map(post, receipts))


@pytest.fixture
def held(engine):
    """Nobody can store a receipt until `release` is called."""
    connection = engine.connect().execution_options(begin="BEGIN IMMEDIATE")
    turn = connection.begin()
    if engine.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE"))
    yield turn.rollback
    connection.close()


def commits():
    return gauges.REGISTRY.get_sample_value("gateway_receipts_commit_seconds_count") or 0


def test_a_receipt_is_durable_when_keep_returns_and_known_the_second_time(taken_in, engine, eight):
    assert [taken_in.keep(receipt_of("zalo:1")) for _ in range(3)] == [True, False, False]
    with database.reading(engine) as session:
        row = session.scalars(select(tables.Receipt)).one()
        assert (row.at, row.due, row.done_at, row.outcome) == (eight, eight, None, "")


def test_of_the_same_receipt_from_many_at_once_one_is_new(taken_in, engine):
    told = posted(taken_in, [receipt_of(f"zalo:{n % 8}") for n in range(32)])
    assert (told.count(True), told.count(False)) == (8, 24)
    assert kept(engine) == {f"zalo:{n}" for n in range(8)}


@pytest.fixture
def crowd(taken_in, held, until):
    """Posts the first receipt, then the others while its commit is held up, then lets them go; their futures."""

    def post(receipts):
        with ThreadPoolExecutor(len(receipts)) as pool:
            telling = [pool.submit(taken_in.keep, receipts[0])]
            until(lambda: taken_in.writing and not taken_in.waiting)
            telling += [pool.submit(taken_in.keep, one) for one in receipts[1:]]
            until(lambda: taken_in.waiting == len(receipts) - 1)
            held()
        return telling

    return post


def test_those_who_wait_for_a_commit_share_the_next_one(crowd, engine):
    before = commits()
    assert all(one.result() for one in crowd([receipt_of(f"zalo:{n}") for n in range(40)]))
    assert commits() - before == 2
    assert len(kept(engine)) == 40


def test_one_row_that_cannot_be_stored_takes_none_of_the_others_down(crowd, engine):
    receipts = [receipt_of(f"zalo:{n}") for n in range(20)]
    receipts[7] = receipt_of("zalo:bad", event={"not": "a text"})
    faults = [one.exception() for one in crowd(receipts)]
    assert [place for place, fault in enumerate(faults) if fault] == [7]
    assert not storage.is_away(faults[7])
    assert kept(engine) == {f"zalo:{n}" for n in range(20) if n != 7}


def test_nobody_waits_longer_than_the_sender_does_and_what_was_given_up_is_not_kept(
    engine, eight, held, until
):
    hasty = intake.Intake(engine, lambda: eight, patience=0.2)
    with pytest.raises(storage.Away):
        hasty.keep(receipt_of("zalo:first"))
    told = posted(hasty, [receipt_of(f"zalo:{n}") for n in range(6)])
    assert all(isinstance(fault, storage.Away) for fault in told)
    assert hasty.waiting == 0
    held()
    until(lambda: not hasty.writing)
    assert kept(engine) == {"zalo:first"}  # that was on its way, and may be there; coming again is harmless
    assert hasty.keep(receipt_of("zalo:first")) is False
    assert hasty.keep(receipt_of("zalo:1")) is True


def test_a_webhook_is_answered_while_its_commit_is_still_held_up_and_is_taken_when_it_comes_again(
    engine, eight, held, tmp_path
):
    secrets = {"GATEWAY_SMS__ESMS__CALLBACK_SECRET": "path-secret"}
    config = settings.read({"web": {"secret_key_file": str(tmp_path / "key")}}, secrets)
    client = create_app(config, engine, now=lambda: eight).test_client()
    answer = client.get("/webhooks/esms/path-secret?SMSID=77&SendStatus=5")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "5"
    held()
    assert client.get("/webhooks/esms/path-secret?SMSID=77&SendStatus=5").status_code == 200
    assert len(kept(engine)) == 1


def test_an_error_of_the_storage_reaches_everybody_and_the_next_are_kept(taken_in, engine, until):
    with database.writing(engine) as session:
        session.execute(text("ALTER TABLE receipts RENAME TO away"))
    told = posted(taken_in, [receipt_of(f"zalo:{n}") for n in range(8)])
    assert all(isinstance(fault, Exception) for fault in told)
    with database.writing(engine) as session:
        session.execute(text("ALTER TABLE away RENAME TO receipts"))
    assert posted(taken_in, [receipt_of(f"zalo:{n}") for n in range(8)]) == [True] * 8


def test_a_thousand_from_sixteen_are_all_kept_whatever_comes_twice(taken_in, engine):
    def post(who):
        return [taken_in.keep(receipt_of(f"zalo:{who // 2}:{n}")) for n in range(64)]

    with ThreadPoolExecutor(16) as pool:
        told = [one for answers in pool.map(post, range(16)) for one in answers]
    assert told.count(True) == 8 * 64
    with database.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(tables.Receipt)) == 8 * 64
