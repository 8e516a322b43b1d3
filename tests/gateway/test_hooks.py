"""Programs are told what becomes of their notices: signed, at least once, in order, and to no end given up unseen."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from gateway import access, alerts, database, notices, tables
from gateway.hooks import deliveries, register
from gateway.hooks.courier import Courier
from gateway.notices import barriers
from gateway.rules import settings
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.web.app import create_app
from tests.gateway.listening import Listener, is_signed

DATA = {"name": "Nguyễn An", "number": "042", "place": "An Mỹ", "time": "2027-06-01T07:30:00+07:00"}
DAY = 86_400


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
            "hooks": {"allow": ["127.0.0.1"], "timeout": 5, "retries": [5, 60]},
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
    def make(name, scope="notices"):
        with database.writing(engine) as session:
            key = access.add_api_key(session, name, scope, now[0])
        client = app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        return client

    return make


@pytest.fixture
def program(client_of):
    return client_of("an")


@pytest.fixture
def make_courier(engine, config, now):
    made = []

    def make():
        made.append(Courier(engine, config, lambda: now[0]))
        return made[-1]

    yield make
    for courier in made:
        courier.close()


@pytest.fixture
def courier(make_courier):
    return make_courier()


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


def cancelled(program, count=1):
    """So many notices that have ended."""
    ids = post(program, count)
    for one in ids:
        assert program.post(f"/api/v1/notices/{one}/cancel").json["state"] == "cancelled"
    return ids


def sent(engine, config, now):
    """Let Zalo take whatever is due."""
    terms = notices.Terms(notices.policy(config), barriers.policy(config), 100)
    with database.writing(engine) as session:
        tasks, _ = notices.claim_due(session, {"zalo": notices.Room(100, 0)}, terms, "w", now[0])
    with database.writing(engine) as session:
        results = [notices.Result(task, Event(Happening.ACCEPTED), "", task.attempt_id, 1) for task in tasks]
        notices.record(session, results, now[0], terms)


def settle(courier):
    """Tell whatever is due; how many calls."""
    count = 0
    while told := courier.round():
        count += told
    return count


def events(program, hook, **query):
    return program.get(f"/api/v1/hooks/{hook['id']}/events", query_string=query).json["events"]


def state(program, hook):
    return program.get(f"/api/v1/hooks/{hook['id']}").json["state"]


def open_alerts(engine):
    with database.reading(engine) as session:
        return [one.kind for one in alerts.open_ones(session)]


def test_a_program_is_told_how_its_notice_ended_and_can_check_who_says_so(program, listener, courier):
    hook = hooked(program, listener)
    (notice_id,) = cancelled(program)
    assert settle(courier) == 1
    ((headers, body),) = listener.got
    assert is_signed(headers, body, hook["secret"])
    (told,) = listener.told()
    assert told["timestamp"] == "2026-11-24T01:00:00+00:00"
    assert (told["type"], told["data"]["id"], told["data"]["kind"]) == (
        "notice.cancelled",
        notice_id,
        "appointment",
    )
    assert told["data"]["state"] == "cancelled"
    assert told["data"]["deadline"] == "2027-06-01T00:30:00+00:00"


def test_neither_phone_nor_name_leaves_the_house(program, listener, courier):
    hooked(program, listener)
    cancelled(program)
    settle(courier)
    ((_, body),) = listener.got
    assert "849051" not in body.decode() and "Nguyễn" not in body.decode()


def test_only_the_wanted_events_of_ones_own_notices_are_told(
    client_of, listener, courier, engine, config, now
):
    an, binh = client_of("an"), client_of("binh")
    hooked(an, listener, events=["notice.sent"])
    post(an)
    post(binh)
    sent(engine, config, now)
    settle(courier)
    assert listener.types() == ["notice.sent"]


def test_without_a_choice_a_program_is_told_the_ends_only(program, listener):
    assert hooked(program, listener)["events"] == [
        "notice.delivered",
        "notice.failed",
        "notice.expired",
        "notice.cancelled",
    ]


def test_nothing_is_written_where_nobody_listens(client_of, listener, engine):
    hooked(client_of("an"), listener)
    cancelled(client_of("binh"), 3)
    with database.reading(engine) as session:
        assert session.scalars(select(tables.HookEvent)).all() == []


def test_the_events_of_one_notice_keep_their_order_even_when_the_first_must_be_told_again(
    program, listener, courier, engine, config, now
):
    hooked(program, listener, events=["notice.sent", "notice.cancelled"])
    ids = post(program, 3)
    sent(engine, config, now)
    for one in ids:
        program.post(f"/api/v1/notices/{one}/cancel")
    listener.answers = [500, 500, 500]
    settle(courier)
    now[0] += 10
    settle(courier)
    for one in ids:
        mine = [told["type"] for told in listener.told() if told["data"]["id"] == one]
        first = mine.index("notice.cancelled")
        assert set(mine[:first]) == {"notice.sent"} and mine[first:] == ["notice.cancelled"]


def test_who_does_not_answer_well_is_told_again_later_and_in_the_end_given_up(
    program, listener, courier, now
):
    hook = hooked(program, listener)
    cancelled(program)
    listener.answers = [500, 302, 404]
    for pause in (0, 7, 73):
        assert settle(courier) == (1 if pause == 0 else 0)
        now[0] += pause
        assert settle(courier) == (0 if pause == 0 else 1)
    now[0] += DAY
    assert settle(courier) == 0
    (event,) = events(program, hook)
    assert (event["state"], event["tries"], event["status"]) == ("failed", 3, 404)
    assert len(set(listener.ids())) == 1


def test_what_was_given_up_or_told_is_told_again_when_asked_in_order_and_under_the_same_ids(
    program, listener, courier, now
):
    hook = hooked(program, listener)
    listener.answers = [500] * 3
    cancelled(program)
    for _ in range(3):
        settle(courier)
        now[0] += 100
    cancelled(program, 5)
    settle(courier)
    assert [one["state"] for one in events(program, hook)] == ["failed"] + ["delivered"] * 5
    listener.got.clear()
    again = program.post(f"/api/v1/hooks/{hook['id']}/replay", json={"since": "2026-11-24T08:00:00+07:00"})
    assert again.json == {"replayed": 6}
    settle(courier)
    assert sorted(listener.ids()) == [one["id"] for one in events(program, hook)]
    assert {one["state"] for one in events(program, hook)} == {"delivered"}


def test_one_event_is_told_again_alone_and_a_waiting_one_is_left_as_it_is(client_of, listener, courier):
    an, binh = client_of("an"), client_of("binh")
    hook = hooked(an, listener)
    cancelled(an, 2)
    first = events(an, hook)[0]["id"]
    path = f"/api/v1/hooks/{hook['id']}/events/{first}/replay"
    assert an.post(path).json == {"replayed": 0}
    settle(courier)
    listener.got.clear()
    assert binh.post(path).status_code == 404
    assert an.post(path).json == {"replayed": 1}
    settle(courier)
    assert listener.ids() == [first]


def test_replays_begin_at_the_time_that_is_asked_for(program, listener, courier, now):
    hook = hooked(program, listener)
    cancelled(program)
    now[0] += 3_600
    cancelled(program, 2)
    settle(courier)
    path = f"/api/v1/hooks/{hook['id']}/replay"
    assert program.post(path, json={"since": "2026-11-24T08:30:00+07:00"}).json == {"replayed": 2}
    assert program.post(path, json={"since": "soon"}).status_code == 422


def test_one_programs_trouble_does_not_hold_up_another(client_of, listener, courier):
    an, binh, other = client_of("an"), client_of("binh"), Listener()
    hooked(an, listener)
    hooked(binh, other)
    listener.answers = [500] * 10
    for program in (an, binh):
        cancelled(program, 5)
    settle(courier)
    assert len(other.got) == 5
    other.close()


def test_410_ends_a_hook_and_what_it_was_to_be_told_is_dropped(program, listener, courier):
    hook = hooked(program, listener)
    listener.answers = [410] * 2
    cancelled(program, 4)
    settle(courier)
    assert len(listener.got) <= 2
    assert state(program, hook) == "ended"
    assert program.get("/api/v1/hooks").json == {"hooks": []}
    assert {one["state"] for one in events(program, hook)} <= {"failed", "dropped"}
    assert program.post(f"/api/v1/hooks/{hook['id']}/test").status_code == 409


def test_three_days_of_failure_pause_a_hook_and_are_told_to_the_officer(
    program, listener, courier, engine, now
):
    hook = hooked(program, listener)
    listener.answers = [500] * 50
    for _ in range(3):
        cancelled(program)
        settle(courier)
        now[0] += DAY
    assert (state(program, hook), open_alerts(engine)) == ("live", [])
    settle(courier)
    assert (state(program, hook), open_alerts(engine)) == ("paused", ["hook"])
    with database.writing(engine) as session:
        alerts.expire(session, now[0] + 30 * DAY)
    assert open_alerts(engine) == ["hook"]
    before = len(listener.got)
    cancelled(program)
    now[0] += DAY
    assert settle(courier) == 0 and len(listener.got) == before
    assert program.post(f"/api/v1/hooks/{hook['id']}/test").status_code == 409


def test_a_paused_hook_is_resumed_with_what_was_kept_meanwhile(program, listener, courier, engine, now):
    hook = hooked(program, listener)
    cancelled(program)
    listener.answers = [500] * 2
    settle(courier)
    now[0] += 3 * DAY
    settle(courier)
    kept = cancelled(program, 2)
    listener.got.clear()
    assert program.post(f"/api/v1/hooks/{hook['id']}/resume").json["state"] == "live"
    settle(courier)
    assert {told["data"]["id"] for told in listener.told()} > set(kept)
    assert open_alerts(engine) == []


def test_an_answer_ends_the_count_of_failures(program, listener, courier, now):
    hook = hooked(program, listener)
    listener.answers = [500]
    cancelled(program)
    settle(courier)
    now[0] += 100
    settle(courier)
    assert program.get(f"/api/v1/hooks/{hook['id']}").json["failing_since"] is None


def test_who_dies_between_the_call_and_the_record_tells_again_under_the_same_id(
    program, listener, engine, make_courier, now
):
    hooked(program, listener)
    cancelled(program)
    dying, heir = make_courier(), make_courier()
    with database.writing(engine) as session:
        ((errand,),) = deliveries.claim(session, deliveries.busy(session, now[0]), 8, 60, now[0])
    assert dying.deliver(errand).taken  # … and nobody writes it down
    assert heir.round() == 0
    now[0] += 60
    assert heir.round() == 1
    assert len(listener.got) == 2 and len(set(listener.ids())) == 1


def test_an_answer_that_comes_after_its_lease_changes_nothing(program, listener, engine, courier, now):
    hook = hooked(program, listener)
    cancelled(program)
    with database.writing(engine) as session:
        ((late,),) = deliveries.claim(session, deliveries.busy(session, now[0]), 8, 60, now[0])
    now[0] += 60
    settle(courier)
    with database.writing(engine) as session:
        deliveries.record(session, [(late, deliveries.Outcome(500, "x"), 0.5)], (5,), now[0])
    assert [one["state"] for one in events(program, hook)] == ["delivered"]


@pytest.mark.timeout(60)
def test_couriers_beside_each_other_tell_every_event_once_and_one_hook_at_most_two_at_a_time(
    program, listener, make_courier, engine
):
    hooked(program, listener)
    cancelled(program, 30)
    here, most, lock, gate = [], [], threading.Lock(), threading.Semaphore(0)

    def come(told):
        with lock:
            here.append(told)
            most.append(len(here))
        gate.acquire(timeout=0.02)  # so that two would meet
        with lock:
            here.remove(told)

    listener.before = come
    couriers = [make_courier() for _ in range(3)]
    threads = [threading.Thread(target=settle, args=(one,)) for one in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settle(couriers[0])
    assert len(listener.ids()) == len(set(listener.ids())) == 30
    assert max(most) <= 2


@pytest.mark.timeout(60)
def test_a_running_courier_tells_what_happens_and_ends_when_it_is_stopped(program, listener, courier, until):
    thread = threading.Thread(target=courier.run)
    thread.start()
    hook = hooked(program, listener)
    cancelled(program, 10)
    until(lambda: len(events(program, hook, state="delivered")) == 10)
    courier.stop()
    thread.join(timeout=10)
    assert not thread.is_alive()
    assert len(listener.got) == 10


def test_for_a_day_after_a_rotation_both_secrets_sign_and_then_the_new_one_alone(
    program, listener, courier, now
):
    hook = hooked(program, listener)
    fresh = program.post(f"/api/v1/hooks/{hook['id']}/rotate").json["secret"]
    assert fresh != hook["secret"]
    for _ in range(2):
        program.post(f"/api/v1/hooks/{hook['id']}/test")
        settle(courier)
        now[0] += DAY
    (early, body), (late, again) = listener.got
    assert is_signed(early, body, fresh) and is_signed(early, body, hook["secret"])
    assert is_signed(late, again, fresh) and not is_signed(late, again, hook["secret"])


def test_a_secret_is_shown_once_and_kept_nowhere(program, listener, engine):
    hook = hooked(program, listener)
    assert "secret" not in program.get(f"/api/v1/hooks/{hook['id']}").json
    assert all("secret" not in one for one in program.get("/api/v1/hooks").json["hooks"])
    with database.reading(engine) as session:
        row = session.get(tables.Hook, hook["id"])
        assert hook["secret"] not in repr(vars(row))


def test_a_hook_is_its_programs_alone_and_ends_when_asked(client_of, listener, courier):
    an, binh, admin = client_of("an"), client_of("binh"), client_of("chi", "admin")
    hook = hooked(an, listener)
    for stranger in (binh, admin):
        assert stranger.get(f"/api/v1/hooks/{hook['id']}").status_code == 404
        assert stranger.delete(f"/api/v1/hooks/{hook['id']}").status_code == 404
        assert stranger.get("/api/v1/hooks").json == {"hooks": []}
    an.post(f"/api/v1/hooks/{hook['id']}/test")
    assert [an.delete(f"/api/v1/hooks/{hook['id']}").status_code for _ in range(2)] == [204, 204]
    assert settle(courier) == 0
    assert [one["state"] for one in events(an, hook)] == ["dropped"]


def test_a_program_whose_key_was_revoked_is_told_no_more(program, listener, courier, engine, now):
    hooked(program, listener)
    cancelled(program)
    with database.writing(engine) as session:
        session.execute(update(tables.ApiKey).values(revoked_at=now[0]))
    assert settle(courier) == 0


def test_a_program_has_at_most_ten(program, listener):
    hooks = [hooked(program, listener) for _ in range(register.MOST_A_KEY)]
    assert program.post("/api/v1/hooks", json={"url": listener.url}).status_code == 409
    program.delete(f"/api/v1/hooks/{hooks[0]['id']}")
    hooked(program, listener)


@pytest.mark.parametrize("query", ["state=lost", "cursor=x", "cursor=e_%00", "cursor=%C3%A9"])
def test_a_bad_question_is_told_what_is_wrong(program, listener, query):
    answer = program.get(f"/api/v1/hooks/{hooked(program, listener)['id']}/events?{query}")
    assert answer.status_code == 422
    assert [one["pointer"] for one in answer.json["errors"]] == [f"/{query.partition('=')[0]}"]


def test_what_was_settled_long_ago_is_forgotten(program, listener, courier, engine):
    hook = hooked(program, listener)
    cancelled(program, 3)
    settle(courier)
    program.post(f"/api/v1/hooks/{hook['id']}/test")
    real = int(events(program, hook)[0]["id"][2:18], 16) // 1_000_000_000
    with database.writing(engine) as session:
        assert deliveries.forget(session, real + deliveries.KEPT_SECONDS - 10) == 0
        assert deliveries.forget(session, real + deliveries.KEPT_SECONDS + 10) == 3
    assert [one["type"] for one in events(program, hook)] == ["ping"]
