"""Readiness that means it, and counts that say what waits without asking every row that ever was."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import requests
from sqlalchemy import text

from gateway import alerts, database, example, gauges, lanes, notices, tables
from gateway.queue.day import insert_new
from gateway.web import counts, health
from gateway.web.app import create_app


@pytest.fixture
def app(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
    return create_app(config, engine, now=lambda: eight)


def ready(app):
    answer = app.test_client().get("/readyz")
    assert (answer.status_code == 200) == answer.json["ready"]
    return {name: check["ok"] for name, check in answer.json["checks"].items()}


def test_a_gateway_is_ready_when_a_row_can_be_stored_and_its_schema_is_the_newest(app):
    assert ready(app) == {"database": True, "schema": True, "storage": True, "worker": True}


def test_every_check_says_in_both_languages_what_it_found(app):
    checks = app.test_client().get("/readyz").json["checks"]
    assert all(len(check["detail"].split(" / ")) == 2 for check in checks.values())


def test_looking_leaves_nothing_behind(app, engine):
    ready(app)
    with database.reading(engine) as session:
        assert session.query(tables.Workplace).count() == 0


def test_an_old_schema_is_not_ready(app, engine):
    with database.writing(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    assert ready(app) == {"database": True, "schema": False, "worker": True}


@pytest.mark.parametrize(("turns", "well"), [(None, True), (True, True), (False, False)])
def test_a_process_that_also_sends_is_ready_while_its_worker_takes_its_turns(app, turns, well):
    app.extensions["gateway"] = replace(app.extensions["gateway"], alive=lambda: turns)
    assert ready(app)["worker"] is well


def test_a_database_that_never_answers_is_not_waited_for_and_is_asked_by_one_at_a_time(sqlite, until):
    probe = health.Probe(sqlite, patience=0.1)
    with database.writing(sqlite):
        assert [probe.look()["database"].ok for _ in range(3)] == [False] * 3
        assert [one.name for one in threading.enumerate()].count("ready") == 1
    until(lambda: all(check.ok for check in probe.look().values()))


def sample(app, name, **labels):
    """A sample's value in what the web process shows."""
    wanted = name + (
        "{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}" if labels else ""
    )
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    found = [line.split() for line in answer.text.splitlines() if line.startswith(f"{wanted} ")]
    return float(found[0][1]) if found else None


def planned(n, eight, **changes):
    about = {"key": f"k{n}", "kind": "appointment", "phone": f"+849051{n:05d}", "data": {}} | changes
    return notices.Planned(**{"due": eight, "deadline": eight + 9_000, **about})


def test_the_depth_of_each_lane_and_the_age_of_its_oldest_are_counted(app, engine, config, eight):
    with database.writing(engine) as session:
        told = [planned(n, eight, due=eight - 10 * n) for n in range(3)]
        told.append(planned(3, eight, kind="called", due=eight - 5))
        told.append(planned(4, eight, due=eight + 600))
        notices.plan_all(session, told, notices.ladder(config), eight)
    assert sample(app, "gateway_notices", channel="zalo", state="created", urgent="no") == 4
    assert sample(app, "gateway_notices", channel="zalo", state="created", urgent="yes") == 1
    assert sample(app, "gateway_oldest_due_seconds", channel="zalo") == 20
    assert sample(app, "gateway_oldest_due_seconds", channel="esms") == 0


def test_what_is_not_well_is_counted(app, engine, config, eight):
    with database.writing(engine) as session:
        alerts.raised(session, "a", "quota", {}, eight)
        alerts.raised(session, "a", "quota", {}, eight)
        alerts.raised(session, "b", "outage", {}, eight)
        alerts.over(session, "b", eight)
        notices.suppress(session, "zalo", "+84905123456", eight + 60, "-118", "", "zalo", eight)
        notices.store_receipt(session, {"channel": "zalo", "key": "k", "event": "e"}, eight)
        lanes.change(session, "esms", "binh", eight, paused=True)
        breaker = {"channel": "zalo", "subject": "", "failures": 0, "code": "", "reason": "", "fault": ""}
        breaker |= {"state": "open", "opened_at": 0, "probe_at": 0, "probes": 0}
        insert_new(session, tables.Breaker, **breaker)
        for name, seen in (("one", eight), ("gone", eight - 3_600)):
            work = {"started_at": 0, "lanes": [], "leads": False}
            insert_new(session, tables.Workplace, name=name, seen_at=seen, **work)
    assert sample(app, "gateway_alerts_open", kind="quota") == 1
    assert sample(app, "gateway_alerts_open", kind="outage") is None
    assert sample(app, "gateway_suppressions") == 1
    assert sample(app, "gateway_receipts_waiting") == 1
    assert sample(app, "gateway_lane_paused", channel="esms") == 1
    assert sample(app, "gateway_breakers_open", channel="zalo") == 1
    assert sample(app, "gateway_workplaces_alive") == 1
    assert sample(app, "gateway_database_up") == 1


def test_without_its_database_the_process_still_tells_about_itself(config, tmp_path):
    broken = create_app(config, database.connect(f"sqlite:///{tmp_path}"))  # a folder
    assert sample(broken, "gateway_database_up") == 0
    assert sample(broken, "process_cpu_seconds_total") > 0


def test_no_question_reads_a_whole_table(sqlite):
    questions = (counts._CREATED, counts._UNDER_WAY, counts._RECEIPTS, counts._ALERTS, counts._HOOKS)
    with sqlite.connect() as connection:
        for question in questions:
            said = str(question.compile(sqlite))
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {said}").all()
            scans = [step[3] for step in plan if step[3].startswith("SCAN")]
            assert all("USING" in one and "INDEX ix_" in one or "uq_alerts_open" in one for one in scans), (
                plan
            )


def counter(name, **labels):
    return gauges.REGISTRY.get_sample_value(name, labels) or 0


def test_hand_overs_are_counted_by_channel_outcome_and_code(app):
    about = {"channel": "zalo", "outcome": "refused", "code": "-118"}
    before = counter("gateway_handed_over_total", **about)
    gauges.handed_over("zalo", "refused", "-118", 0.1)
    assert counter("gateway_handed_over_total", **about) == before + 1
    assert sample(app, "gateway_handed_over_total", **about) == before + 1


@pytest.mark.parametrize(
    "code",
    [
        "+84905123456",
        "0905123456",
        "Nguyễn Thị An",
        "a b c",
        "x" * 60,
        "1234567",
        'a"b',
        "a\nb",
        "HTTP\u00a0503",
    ],
)
def test_a_code_that_does_not_look_like_one_is_other(code):
    about = {"channel": "esms", "outcome": "refused", "code": "other"}
    before = counter("gateway_handed_over_total", **about)
    gauges.handed_over("esms", "refused", code, 0.1)
    assert counter("gateway_handed_over_total", **about) == before + 1


def test_a_provider_that_invents_codes_does_not_fill_the_memory():
    for n in range(1_000):
        gauges.handed_over("modem", "refused", str(n), 0.1)
    shown = [line for line in gauges.shown().decode().splitlines() if "gateway_handed_over_total{" in line]
    assert len(shown) < 3 * gauges.MOST_VALUES


def test_a_process_without_pages_shows_its_counts_and_whether_it_lives():
    living = [True]
    served = gauges.serve(0, lambda: living[0])
    try:
        gauges.waited(True, 0.03)
        gauges.round_took(0.004)
        gauges.claimed(200, 0.01)
        address = f"http://127.0.0.1:{served.port}"
        shown = requests.get(f"{address}/metrics", timeout=5).text
        assert 'gateway_wait_seconds_count{urgent="yes"}' in shown
        assert "gateway_claimed_total" in shown and "gateway_round_seconds_sum" in shown
        assert requests.get(f"{address}/healthz", timeout=5).status_code == 200
        living[0] = False
        assert requests.get(f"{address}/healthz", timeout=5).status_code == 503
        assert requests.get(f"{address}/elsewhere", timeout=5).status_code == 404
    finally:
        served.stop()
