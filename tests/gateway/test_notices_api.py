"""The API for programs with something to tell: durable, once, all or nothing, and clear about what is wrong."""

from __future__ import annotations

import time
import unicodedata

import pytest
from sqlalchemy import func, select

from gateway import access, database, notices, tables
from gateway.notices import barriers
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.web.app import create_app

AN = "0905 123 456"


@pytest.fixture
def now(eight):
    return [eight]


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


def appointment(**changes):
    data = {"name": "Nguyễn Thị An", "number": "042", "place": "An Mỹ", "time": "2026-11-25T07:30:00+07:00"}
    return {"to": {"phone": AN}, "kind": "appointment", "data": data} | changes


def keyed(count, **changes):
    return [
        appointment(key=f"k{n}", to={"phone": f"+849051{n:05d}"}) | (changes if n == count - 1 else {})
        for n in range(count)
    ]


def rows(engine):
    with database.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(tables.Notice))


def pointers(answer):
    assert answer.content_type == "application/problem+json"
    return [one["pointer"] for one in answer.json["errors"]]


def test_a_notice_is_accepted_and_told_of(program, engine):
    made = program.post("/api/v1/notices", json=appointment())
    assert (made.status_code, made.json["state"]) == (202, "created")
    shown = program.get(f"/api/v1/notices/{made.json['id']}").json
    assert shown["to"]["phone"] == "+84905123456"
    assert (shown["kind"], shown["channel"], shown["attempts"]) == ("appointment", "zalo", [])
    assert shown["deadline"] == "2026-11-25T07:30:00+07:00"
    assert rows(engine) == 1


def test_the_same_key_and_body_again_is_the_same_notice_and_another_body_a_conflict(program, engine):
    headers = {"Idempotency-Key": "an-1"}
    first = program.post("/api/v1/notices", json=appointment(), headers=headers)
    again = program.post("/api/v1/notices", json=appointment(), headers=headers)
    other = program.post("/api/v1/notices", json=appointment(to={"phone": "0905123457"}), headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (202, 200, 409)
    assert again.json == first.json
    assert rows(engine) == 1


def test_without_a_key_every_request_is_a_notice_of_its_own(program, engine):
    ids = {program.post("/api/v1/notices", json=appointment()).json["id"] for _ in range(3)}
    assert len(ids) == rows(engine) == 3


def test_two_programs_may_use_the_same_key_and_see_only_their_own(client_of, engine):
    an, binh, admin = client_of("an"), client_of("binh"), client_of("chi", "admin")
    headers = {"Idempotency-Key": "1"}
    ids = [one.post("/api/v1/notices", json=appointment(), headers=headers).json["id"] for one in (an, binh)]
    assert len(set(ids)) == 2
    assert an.get(f"/api/v1/notices/{ids[1]}").status_code == 404
    assert an.post(f"/api/v1/notices/{ids[1]}/cancel").status_code == 404
    assert [one["id"] for one in an.get("/api/v1/notices").json["notices"]] == ids[:1]
    assert [one["id"] for one in admin.get("/api/v1/notices").json["notices"]] == ids
    assert admin.get(f"/api/v1/notices/{ids[1]}").status_code == 200


def test_a_key_of_another_scope_or_none_is_turned_away(app, client_of):
    assert client_of("desk", "staff").post("/api/v1/notices", json=appointment()).status_code == 403
    assert app.test_client().post("/api/v1/notices", json=appointment()).status_code == 401


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"to": {"phone": "02363123456"}}, "/to/phone"),
        ({"to": {"phone": "hello"}}, "/to/phone"),
        ({"to": {}}, "/to/phone"),
        ({"kind": "party"}, "/kind"),
        ({"data": {"number": "042"}}, "/data/name"),
        ({"data": {"name": "A\x1b[2J", "number": "1", "place": "x"}}, "/data/name"),
        ({"send_at": "tomorrow"}, "/send_at"),
        ({"send_at": "2026-11-25T08:00:00+07:00"}, "/data/time"),
        ({"deadline": "2026-11-24T08:00:00"}, "/deadline"),
        ({"deadline": "2026-11-24T07:00:00+07:00"}, "/deadline"),
        ({"deadline": "2029-11-24T07:00:00+07:00"}, "/deadline"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_bad_input_is_answered_with_its_place_and_changes_nothing(program, engine, changes, pointer):
    answer = program.post("/api/v1/notices", json=appointment(**changes))
    assert answer.status_code == 422
    assert pointer in pointers(answer)
    assert rows(engine) == 0


def test_a_decomposed_name_is_composed(program, engine):
    data = appointment()["data"] | {"name": unicodedata.normalize("NFD", "Nguyễn Thị Ánh")}
    program.post("/api/v1/notices", json=appointment(data=data))
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Notice)).one().data["name"] == "Nguyễn Thị Ánh"


def test_ten_thousand_are_accepted_in_one_transaction_and_again_are_the_same(program, engine):
    asked = {"notices": keyed(10_000)}
    program.post("/api/v1/notices/batch", json={"notices": keyed(1)})
    began = time.process_time()
    first = program.post("/api/v1/notices/batch", json=asked)
    print(f"\n10,000 accepted in {time.process_time() - began:.2f} CPU-s")
    assert (first.status_code, first.json["accepted"]) == (202, 10_000)
    assert len(set(first.json["ids"])) == rows(engine) == 10_000
    again = program.post("/api/v1/notices/batch", json=asked)
    assert (again.status_code, again.json["ids"]) == (202, first.json["ids"])
    assert rows(engine) == 10_000


def test_one_bad_notice_among_ten_thousand_refuses_all_with_a_pointer_to_each_fault(program, engine):
    asked = {"notices": keyed(10_000, to={"phone": "123"}, data={"number": "1"})}
    answer = program.post("/api/v1/notices/batch", json=asked)
    assert answer.status_code == 422
    assert sorted(pointers(answer)) == [
        f"/notices/9999/{what}" for what in ("data/name", "data/place", "data/time", "to/phone")
    ]
    assert rows(engine) == 0


def test_thousands_of_faults_are_counted_and_the_first_thousand_listed(program, engine):
    asked = {"notices": [one | {"to": {"phone": "1"}} for one in keyed(3_000)]}
    answer = program.post("/api/v1/notices/batch", json=asked)
    assert len(answer.json["errors"]) == 1_000
    assert "2000 more faults" in answer.json["detail"]


def test_a_batch_with_a_key_twice_or_with_a_key_of_another_notice_is_refused(program, engine):
    twice = {"notices": [*keyed(2), keyed(1)[0]]}
    assert pointers(program.post("/api/v1/notices/batch", json=twice)) == ["/notices/2/key"]
    assert program.post("/api/v1/notices/batch", json={"notices": keyed(3)}).status_code == 202
    changed = keyed(5)
    changed[1] |= {"to": {"phone": "0905999999"}}
    answer = program.post("/api/v1/notices/batch", json={"notices": changed})
    assert (answer.status_code, pointers(answer)) == (409, ["/notices/1/key"])
    assert rows(engine) == 3


def test_too_many_or_none_are_refused(program, engine):
    assert program.post("/api/v1/notices/batch", json={"notices": []}).status_code == 422
    assert program.post("/api/v1/notices/batch", json={"notices": keyed(10_001)}).status_code == 422
    assert rows(engine) == 0


def test_pages_follow_each_other_while_others_write(program, engine):
    ids = [program.post("/api/v1/notices", json=appointment()).json["id"] for _ in range(5)]
    seen, cursor = [], None
    for _ in range(4):
        page = program.get(
            "/api/v1/notices", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {})
        ).json
        seen += [one["id"] for one in page["notices"]]
        cursor = page["next"]
        if cursor is None:
            break
        program.post("/api/v1/notices", json=appointment())
    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)


def test_pages_are_chosen_by_state_kind_and_time(program, engine):
    first = program.post("/api/v1/notices", json=appointment()).json["id"]
    program.post("/api/v1/notices", json=appointment(kind="reminder"))
    program.post(f"/api/v1/notices/{first}/cancel")

    def ask(**query):
        return [one["id"] for one in program.get("/api/v1/notices", query_string=query).json["notices"]]

    assert ask(state="cancelled") == [first]
    assert len(ask(kind="reminder")) == 1
    assert len(ask(since="2020-01-01T00:00:00+07:00")) == 2
    assert ask(since="2090-01-01T00:00:00+07:00") == []


@pytest.mark.parametrize(
    "query",
    ["state=lost", "kind=party", "since=now", "since=2026-11-24T08:00:00", "cursor=x", "cursor=%C3%A9",
     "cursor=W10", "limit=0", "limit=1001", "limit=-1", "limit=x"],
)  # fmt: skip
def test_a_bad_question_is_told_what_is_wrong(program, query):
    answer = program.get(f"/api/v1/notices?{query}")
    assert answer.status_code == 422
    assert pointers(answer) == [f"/{query.partition('=')[0]}"]


def test_a_withdrawn_notice_is_not_sent_and_withdrawing_again_says_the_same(program, engine, config, now):
    made = program.post("/api/v1/notices", json=appointment()).json["id"]
    answers = [program.post(f"/api/v1/notices/{made}/cancel").json["state"] for _ in range(2)]
    assert answers == ["cancelled", "cancelled"]
    terms = notices.Terms(notices.policy(config), barriers.policy(config), 10)
    with database.writing(engine) as session:
        tasks, _ = notices.claim_due(session, {"zalo": notices.Room(5, 5)}, terms, "w", now[0])
    assert tasks == []


def test_attempts_say_what_was_tried_and_why_it_failed(program, engine, config, now):
    made = program.post("/api/v1/notices", json=appointment()).json["id"]
    terms = notices.Terms(notices.policy(config), barriers.policy(config), 10)
    with database.writing(engine) as session:
        (task,), _ = notices.claim_due(session, {"zalo": notices.Room(5, 5)}, terms, "w", now[0])
    with database.writing(engine) as session:
        refused = Event(Happening.REFUSED, "Số này không có tài khoản Zalo / no Zalo account on this number")
        notices.record(session, [notices.Result(task, refused, "-118", rest_days=30)], now[0], terms)
    shown = program.get(f"/api/v1/notices/{made}").json
    assert (shown["state"], shown["channel"]) == ("created", "esms")
    (attempt,) = shown["attempts"]
    assert (attempt["channel"], attempt["state"], attempt["code"]) == ("zalo", "refused", "-118")
    assert attempt["reason"].endswith("no Zalo account on this number")


def test_a_call_without_a_counter_is_still_a_sentence(program, engine):
    asked = {"to": {"phone": AN}, "kind": "called", "data": {"number": "042", "place": "An Mỹ"}}
    assert program.post("/api/v1/notices", json=asked).status_code == 202
    with database.reading(engine) as session:
        row = session.scalars(select(tables.Notice)).one()
    assert (row.urgent, row.data["counter"], row.deadline - row.created_at) == (True, "quầy", 120)


def test_a_retry_after_the_hour_has_passed_is_still_the_same_notice(program, engine, now):
    headers = {"Idempotency-Key": "late"}
    first = program.post("/api/v1/notices", json=appointment(), headers=headers).json["id"]
    batch = {"notices": keyed(3)}
    ids = program.post("/api/v1/notices/batch", json=batch).json["ids"]
    now[0] += 2 * 86_400
    again = program.post("/api/v1/notices", json=appointment(), headers=headers)
    assert (again.status_code, again.json["id"]) == (200, first)
    assert program.post("/api/v1/notices/batch", json=batch).json["ids"] == ids
    fresh = program.post("/api/v1/notices/batch", json={"notices": [*keyed(3), appointment(key="new")]})
    assert (fresh.status_code, pointers(fresh)) == (422, ["/notices/3/data/time"])
    assert rows(engine) == 4
