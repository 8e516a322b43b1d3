"""HTTP for programs, staff and kiosks: asked rightly it works, asked wrongly it says why and changes nothing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from gateway import access, database, example, tables
from gateway.rules import hours
from gateway.web.app import create_app

AN = "0905 123 456"


@pytest.fixture
def now(eight):
    """The moment it is; a test moves it."""
    return [eight]


@pytest.fixture
def app(engine, config, now):
    with database.writing(engine) as session:
        example.load(session, config, now[0])
    made = create_app(config, engine, now=lambda: now[0])
    made.config["RATELIMIT_ENABLED"] = False
    return made


@pytest.fixture
def staff(app, engine, now):
    with database.writing(engine) as session:
        key = access.add_api_key(session, "desk", "staff", now[0])
    return _client(app, key)


@pytest.fixture
def kiosk(app, engine, now):
    with database.writing(engine) as session:
        code = access.add_kiosk(session, "K1", "TK1", now[0])
    answer = app.test_client().post("/api/v1/kiosks/enrol", json={"code": code})
    assert answer.status_code == 200
    assert answer.json["series"] == "B"
    return _client(app, answer.json["key"])


def _client(app, key):
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {key}"
    return client


def asked(now, days=1, **changes):
    day = hours.day_of(now[0], hours.ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(days=days)
    return {
        "contact": {"name": "Nguyễn Thị An", "phone": AN},
        "applicants": [
            {"name": "Nguyễn Thị An", "service": "new"},
            {"name": "Trần Bình", "service": "renew"},
        ],
        "site": "TK1",
        "date": day.isoformat(),
        "consent": True,
    } | changes


def counted(engine):
    names = (tables.Registration, tables.Applicant, tables.Ticket, tables.Notice, tables.Event)
    with database.reading(engine) as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in names]


def test_a_family_is_registered_and_its_page_address_is_given(staff, now, engine):
    answer = staff.post("/api/v1/registrations", json=asked(now))
    assert answer.status_code == 201
    assert [one["state"] for one in answer.json["applicants"]] == ["registered", "registered"]
    assert answer.json["manage_url"].endswith(f"/r/{answer.json['id']}")
    with database.reading(engine) as session:
        assert session.scalar(select(tables.Registration.phone)) == "+84905123456"
        assert len(set(session.scalars(select(tables.Applicant.slot_at)))) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"contact": {"name": "An", "phone": "12345"}}, "/contact/phone"),
        ({"date": "2020-01-01"}, "/date"),
        ({"date": "2026-13-41"}, "/date"),
        ({"contact": {"name": "x" * 10_000, "phone": AN}}, "/contact/name"),
        ({"contact": {"name": "An\x1b@\x1dV0", "phone": AN}}, "/contact/name"),
        ({"applicants": [{"name": "An\x00", "service": "new"}]}, "/applicants/0/name"),
        ({"applicants": [{"name": "An", "service": "fly"}]}, "/applicants/0/service"),
        ({"applicants": [{"name": f"An {n}", "service": "new"} for n in range(6)]}, "/applicants"),
        ({"applicants": []}, "/applicants"),
        ({"site": "MARS"}, "/site"),
        ({"consent": False}, "/consent"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_bad_input_is_pointed_at_and_changes_nothing(staff, now, engine, changes, pointer):
    before = counted(engine)
    answer = staff.post("/api/v1/registrations", json=asked(now, **changes))
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert counted(engine) == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000])
def test_rubbish_instead_of_json_is_a_client_s_fault(staff, engine, body):
    before = counted(engine)
    for path in (
        "/api/v1/registrations",
        "/api/v1/check-in",
        "/api/v1/sites/TK1/tickets",
        "/api/v1/kiosks/enrol",
    ):
        answer = staff.post(path, data=body, content_type="application/json")
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
    assert counted(engine) == before


def test_the_same_person_and_day_again_is_refused(staff, now):
    assert staff.post("/api/v1/registrations", json=asked(now)).status_code == 201
    answer = staff.post("/api/v1/registrations", json=asked(now))
    assert [error["pointer"] for error in answer.json["errors"]] == [
        "/applicants/0/name",
        "/applicants/1/name",
    ]


def test_the_same_key_registers_once_and_another_body_is_a_conflict(staff, now, engine):
    headers = {"Idempotency-Key": "k1"}
    first = staff.post("/api/v1/registrations", json=asked(now), headers=headers)
    again = staff.post("/api/v1/registrations", json=asked(now), headers=headers)
    other = staff.post("/api/v1/registrations", json=asked(now, days=2), headers=headers)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert again.json == first.json
    assert counted(engine)[0] == 1


def test_places_run_out_and_the_answer_says_so(staff, now):
    taken = 0
    for place in range(400):
        people = [{"name": f"Người thứ {place} {chr(97 + n)}", "service": "new"} for n in range(5)]
        phone = f"09051{place:05d}"
        answer = staff.post(
            "/api/v1/registrations",
            json=asked(now, contact={"name": "An", "phone": phone}, applicants=people),
        )
        if answer.status_code == 422:
            break
        taken += 5
    assert [error["pointer"] for error in answer.json["errors"]] == ["/date"]
    assert 50 < taken < 400
    left = staff.get("/api/v1/shifts?site=TK1").json["shifts"]
    assert left[1]["places_left"] < 5 * 19  # each slot keeps fewer places than a family needs


def test_who_registers_when_the_day_has_begun_gets_the_number_at_once(staff, now, engine):
    answer = staff.post("/api/v1/registrations", json=asked(now, days=0))
    assert [one["number"] for one in answer.json["applicants"]] == ["001", "002"]
    assert counted(engine)[3] == 2


def test_cancelling_cancels_the_ticket_and_the_unsent_notice_and_again_changes_nothing(staff, now, engine):
    made = staff.post("/api/v1/registrations", json=asked(now, days=0)).json
    for _ in range(2):
        answer = staff.post(f"/api/v1/registrations/{made['id']}/cancel")
        assert [one["state"] for one in answer.json["applicants"]] == ["cancelled", "cancelled"]
    with database.reading(engine) as session:
        assert set(session.scalars(select(tables.Ticket.state))) == {"cancelled"}
        assert set(session.scalars(select(tables.Notice.state))) == {"cancelled"}


def test_moving_changes_the_day_while_no_number_is_given(staff, now):
    made = staff.post("/api/v1/registrations", json=asked(now)).json
    shifts = staff.get("/api/v1/shifts?site=TK1").json["shifts"]
    moved = staff.post(f"/api/v1/registrations/{made['id']}/move", json={"shift": shifts[2]["id"]})
    assert moved.status_code == 200
    refused = staff.post(f"/api/v1/registrations/{made['id']}/move", json={"shift": 999_999})
    assert refused.status_code == 422


def test_keys_open_only_their_own_doors(app, engine, now, kiosk):
    with database.writing(engine) as session:
        notices_key = access.add_api_key(session, "other", "notices", now[0])
    bare = app.test_client()
    assert bare.post("/api/v1/registrations", json={}).status_code in (400, 401)
    assert _client(app, notices_key).post("/api/v1/registrations", json={}).status_code == 403
    assert _client(app, "gk_wrong").get("/api/v1/sites").status_code == 401
    assert kiosk.get("/api/v1/sites").status_code == 401
    assert bare.get("/api/v1/kiosk/state").status_code == 401


def test_every_route_says_who_may_call_it(app):
    silent = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not hasattr(app.view_functions[rule.endpoint], "callers")
    ]
    assert silent == []


def test_a_desk_ticket_is_called_and_a_double_press_is_one_call(staff, now, engine):
    made = [staff.post("/api/v1/sites/TK1/tickets", json={"service": "new", "phone": AN}) for _ in range(2)]
    assert [one.json["number"] for one in made] == ["A001", "A002"]
    assert [one.json["ahead"] for one in made] == [0, 1]
    first = staff.post("/api/v1/counters/1/next", headers={"Idempotency-Key": "p1"})
    again = staff.post("/api/v1/counters/1/next", headers={"Idempotency-Key": "p1"})
    assert (first.json["number"], again.json) == ("A001", first.json)
    assert staff.post("/api/v1/counters/2/next").json["number"] == "A002"
    assert staff.post("/api/v1/counters/3/next").status_code == 204
    with database.reading(engine) as session:
        kinds = sorted(session.scalars(select(tables.Notice.kind)))
    assert kinds == ["called", "called", "near"]


def test_the_verbs_of_a_counter_in_a_morning(staff, now):
    staff.post("/api/v1/sites/TK1/tickets", json={"service": "new"})
    assert staff.post("/api/v1/counters/1/recall").status_code == 409
    staff.post("/api/v1/counters/1/next")
    assert staff.post("/api/v1/counters/1/recall").json["calls"] == 2
    assert staff.post("/api/v1/counters/1/start").json["state"] == "serving"
    assert staff.post("/api/v1/counters/1/transfer", json={"service": "residence"}).json["state"] == "waiting"
    assert staff.post("/api/v1/counters/1/transfer", json={"service": "residence"}).status_code == 409
    assert staff.post("/api/v1/counters/2/next").json["service"]["code"] == "residence"
    assert staff.post("/api/v1/counters/2/no-show").json["state"] == "no_show"
    assert staff.post("/api/v1/check-in", json={"code": "A001", "site": "TK1"}).json["state"] == "waiting"
    assert staff.post("/api/v1/counters/2/pause").json["state"] == "paused"
    assert staff.post("/api/v1/counters/2/next").status_code == 409
    assert staff.post("/api/v1/counters/2/resume").json["state"] == "open"
    assert staff.post("/api/v1/counters/2/next").json["number"] == "A001"
    assert staff.post("/api/v1/counters/2/finish").json["state"] == "done"
    assert staff.post("/api/v1/counters/99/next").status_code == 404


def test_a_booked_person_reports_within_the_hour_and_stands_by_their_slot(staff, now):
    made = staff.post("/api/v1/registrations", json=asked(now, days=0)).json
    number = made["applicants"][0]["number"]
    arrived = staff.post("/api/v1/check-in", json={"code": made["applicants"][0]["url"], "site": "TK1"})
    assert (arrived.status_code, arrived.json["number"]) == (200, number)
    (standing,) = staff.get("/api/v1/sites/TK1/queue").json["waiting"]
    assert (standing["number"], standing["ahead"]) == (number, 0)
    assert standing["why"]["vi"].startswith("Đã hẹn")
    assert standing["why"]["en"] != standing["why"]["vi"]
    assert staff.post("/api/v1/check-in", json={"code": "999"}).status_code == 409


def test_two_processes_worth_of_presses_with_one_key_are_one_call(app, staff, now, engine):
    for _ in range(5):
        staff.post("/api/v1/sites/TK1/tickets", json={"service": "new"})
    key = staff.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    got, together = [], threading.Barrier(4)

    def press():
        client = _client(app, key)
        together.wait()
        got.append(client.post("/api/v1/counters/1/next", headers={"Idempotency-Key": "same"}).json["number"])

    threads = [threading.Thread(target=press) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert got == ["A001"] * 4


def issued(seq, n, monotonic, **changes):
    return {
        "seq": seq,
        "id": f"{seq:032x}",
        "type": "ticket.issued",
        "at": "2026-11-24T07:00:00+07:00",
        "boot": "b1",
        "monotonic": monotonic,
        "series": "B",
        "n": n,
        "number": f"B{n:03d}",
        "day": "2026-11-24",
        "service": "new",
        "priority": False,
        "token": f"{n:022d}",
        "phone": None,
        "language": "vi",
    } | changes


CLOCK = {"at": "2026-11-24T07:10:00+07:00", "boot": "b1", "monotonic": 1_000.0}


def test_what_a_kiosk_issued_offline_gets_the_places_its_times_earned_each_once(staff, kiosk, now, engine):
    staff.post("/api/v1/sites/TK1/tickets", json={"service": "new"})  # at eight
    # Pressed 30 and 23 minutes before the kiosk reports, which it does 20 minutes past eight
    now[0] += 1_200
    events = [issued(2, 2, 400.0), issued(1, 1, 0.0)]
    clock = CLOCK | {"monotonic": 1_800.0}
    first = kiosk.post("/api/v1/kiosk/events", json={"clock": clock, "events": events})
    assert first.json == {"acked": 2, "refused": []}
    assert kiosk.post("/api/v1/kiosk/events", json={"clock": clock, "events": events}).json == first.json
    numbers = [one["number"] for one in staff.get("/api/v1/sites/TK1/queue").json["waiting"]]
    assert numbers == ["B001", "B002", "A001"]


def test_a_gap_is_not_acknowledged_and_a_foreign_series_is_refused_once(kiosk, engine):
    events = [issued(1, 1, 1.0), issued(3, 3, 3.0), issued(4, 4, 4.0, series="C")]
    answer = kiosk.post("/api/v1/kiosk/events", json={"clock": CLOCK, "events": events}).json
    assert answer["acked"] == 1
    assert [one["seq"] for one in answer["refused"]] == [4]
    answer = kiosk.post("/api/v1/kiosk/events", json={"clock": CLOCK, "events": [issued(2, 2, 2.0)]}).json
    assert answer == {"acked": 4, "refused": []}
    with database.reading(engine) as session:
        assert sorted(session.scalars(select(tables.Ticket.number))) == ["B001", "B002", "B003"]


def test_the_same_number_under_another_seq_is_refused_and_nobody_is_doubled(kiosk, engine):
    events = [issued(1, 1, 1.0), issued(2, 1, 2.0, token="x" * 22)]
    answer = kiosk.post("/api/v1/kiosk/events", json={"clock": CLOCK, "events": events}).json
    assert (answer["acked"], [one["seq"] for one in answer["refused"]]) == (2, [2])
    with database.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(tables.Ticket)) == 1


@pytest.mark.parametrize(
    "bad",
    [
        {"n": 0},
        {"day": "tomorrow"},
        {"day": "2026-02-30"},
        {"at": "noon"},
        {"token": "short"},
        {"series": "b\x1b"},
    ],
)
def test_a_misshapen_entry_is_refused_alone_and_the_others_go_on(kiosk, engine, bad):
    events = [issued(1, 1, 1.0) | bad, issued(2, 2, 2.0)]
    answer = kiosk.post("/api/v1/kiosk/events", json={"clock": CLOCK, "events": events}).json
    assert (answer["acked"], [one["seq"] for one in answer["refused"]]) == (2, [1])
    assert next(iter(bad)) in answer["refused"][0]["why"]
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Ticket.number)).all() == ["B002"]


def test_an_entry_without_an_identity_stores_nothing(kiosk, engine):
    for bad in ({"seq": 0}, {"seq": None}, {"id": ""}, {"type": "DROP TABLE"}):
        answer = kiosk.post(
            "/api/v1/kiosk/events", json={"clock": CLOCK, "events": [issued(1, 1, 1.0) | bad]}
        )
        assert answer.status_code == 422, bad
    with database.reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(tables.KioskEvent)) == 0


def test_a_kiosk_that_lost_its_journal_is_told_where_it_was_and_its_new_entries_are_not_taken_for_old(kiosk):
    kiosk.post("/api/v1/kiosk/events", json={"clock": CLOCK, "events": [issued(1, 7, 1.0)]})
    told = kiosk.get("/api/v1/kiosk/state").json["kiosk"]
    assert (told["acked"], told["issued"]) == (1, {"day": "2026-11-24", "n": 7})
    events = [issued(1, 1, 1.0, id="another")]
    answer = kiosk.post("/api/v1/kiosk/events", json={"clock": CLOCK, "events": events}).json
    assert [one["seq"] for one in answer["refused"]] == [1]


def test_a_code_enrols_one_kiosk_once(app, engine, now):
    with database.writing(engine) as session:
        code = access.add_kiosk(session, "K9", "TK2", now[0])
    client = app.test_client()
    assert client.post("/api/v1/kiosks/enrol", json={"code": code}).status_code == 200
    assert client.post("/api/v1/kiosks/enrol", json={"code": code}).status_code == 403


def test_the_kiosk_is_told_services_shift_and_queue(kiosk, staff):
    staff.post("/api/v1/sites/TK1/tickets", json={"service": "new"})
    state = kiosk.get("/api/v1/kiosk/state").json
    assert [one["code"] for one in state["services"]] == ["new", "renew", "replace", "residence"]
    assert state["shift"]["open"] is True
    assert state["queue"]["waiting"] == 1
    assert state["queue"]["ahead"]["new"] == 1


def test_after_a_transfer_the_person_is_told_the_new_counter(staff, engine, now):
    staff.post("/api/v1/sites/TK1/tickets", json={"service": "new", "phone": AN})
    staff.post("/api/v1/counters/1/next")
    now[0] += 60
    staff.post("/api/v1/counters/1/transfer", json={"counter": 2})
    staff.post("/api/v1/counters/2/next")
    with database.reading(engine) as session:
        told = session.scalars(
            select(tables.Notice).filter_by(kind="called").order_by(tables.Notice.created_at)
        )
        assert [one.data["counter"] for one in told] == ["Quầy 1", "Quầy 2"]


def test_moving_keeps_to_the_limits_of_the_other_day(staff, now):
    five = [{"name": f"Người {chr(97 + n)}", "service": "new"} for n in range(5)]
    first = staff.post("/api/v1/registrations", json=asked(now, days=1, applicants=five)).json
    assert staff.post("/api/v1/registrations", json=asked(now, days=2, applicants=five)).status_code == 201
    other = staff.get("/api/v1/shifts?site=TK1").json["shifts"][2]["id"]
    assert staff.post(f"/api/v1/registrations/{first['id']}/move", json={"shift": other}).status_code == 422


def test_a_landline_is_refused_because_nothing_can_reach_it(staff, now, engine):
    before = counted(engine)
    answer = staff.post(
        "/api/v1/registrations", json=asked(now, contact={"name": "An", "phone": "0235 3 852 456"})
    )
    assert [error["pointer"] for error in answer.json["errors"]] == ["/contact/phone"]
    assert counted(engine) == before


def test_one_entry_with_letters_no_database_keeps_does_not_hold_up_the_others(kiosk, engine):
    odd = issued(1, 1, 1.0) | {"type": "printer.state", "error": "\x00"}
    answer = kiosk.post(
        "/api/v1/kiosk/events", json={"clock": CLOCK, "events": [odd, issued(2, 2, 2.0)]}
    ).json
    assert (answer["acked"], [one["seq"] for one in answer["refused"]]) == (2, [1])
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Ticket.number)).all() == ["B002"]


def test_who_registers_during_the_day_gets_an_hour_that_is_still_to_come(staff, now, engine):
    now[0] += 25 * 60  # 8:25, in the slot that began at eight
    staff.post("/api/v1/registrations", json=asked(now, days=0))
    with database.reading(engine) as session:
        assert set(session.scalars(select(tables.Applicant.slot_at))) == {now[0] + 5 * 60}


def test_the_board_calls_nobody_who_was_sent_on_or_did_not_come(staff, now):
    for _ in range(3):
        staff.post("/api/v1/sites/TK1/tickets", json={"service": "new"})
    staff.post("/api/v1/counters/1/next")
    staff.post("/api/v1/counters/2/next")
    staff.post("/api/v1/counters/3/next")
    staff.post("/api/v1/counters/1/transfer", json={"counter": 2})
    staff.post("/api/v1/counters/2/no-show")
    assert [one["number"] for one in staff.get("/api/v1/sites/TK1/queue").json["called"]] == ["A003"]
    # and who was sent to counter 2 stands in that counter's list only
    shown = {n: [one["number"] for one in staff.get(f"/api/v1/counters/{n}").json["queue"]] for n in (1, 2)}
    assert shown == {1: [], 2: ["A001"]}


def test_a_number_is_found_as_people_type_it(staff, now):
    made = staff.post("/api/v1/registrations", json=asked(now, days=0)).json
    assert made["applicants"][1]["number"] == "002"
    assert staff.post("/api/v1/check-in", json={"code": " 2 ", "site": "TK1"}).json["number"] == "002"


@pytest.mark.parametrize(("tongue", "word"), [("vi", "Không tìm thấy"), ("en", "Not found")])
def test_people_get_a_page_and_programs_a_document_when_something_is_wrong(app, tongue, word):
    client = app.test_client()
    page = client.get(f"/nowhere?lang={tongue}", headers={"Accept": "text/html"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert word in page.text
    told = client.get("/api/v1/nowhere")
    assert (told.status_code, told.mimetype, told.json["status"]) == (404, "application/problem+json", 404)
    unsigned = client.post("/dang-ky", data={"contact_name": "An"}, headers={"Accept": "text/html"})
    assert (unsigned.status_code, unsigned.mimetype) == (400, "text/html")
    assert client.delete("/api/v1/sites").headers["Allow"]
