"""Templates known: Zalo's word is kept, compared with config, and asked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import event, select

from gateway import alerts, database, tables, templates
from gateway.rules import settings

HOUR = 3_600


class Gone(Exception):
    """As a channel refuses."""

    code, reason, scope = "-109", "Template ID invalid / gone", "template"


class Away(Exception):
    """As a channel that cannot be reached."""

    code, reason = "HTTP 503", "away"


def param(name, kind="STRING", most=30, require=True, **more):
    return {"name": name, "require": require, "type": kind, "maxLength": most, "minLength": 0, **more}


def info(template_id="100001", *params, **changed):
    return {
        "templateId": template_id,
        "templateName": "Hẹn giờ",
        "status": "ENABLE",
        "listParams": list(params or (param("ten"), param("so"))),
        "timeout": 7_200_000,
        "templateQuality": "HIGH",
        "templateTag": "IN_TRANSACTION",
        "price_sdt": "300",
        "price_uid": 200,
        "templateDailyQuota": "500",
        "templateRemainingQuota": 480,
        **changed,
    }


@dataclass
class Zalo:
    """A stand-in client: what it answers by id, an exception where there is nothing."""

    answers: dict[str, Any]
    asked: list[str] = field(default_factory=list)

    def template(self, template_id):
        self.asked.append(template_id)
        answer = self.answers.get(template_id, Gone())
        if isinstance(answer, Exception):
            raise answer
        return answer


def configured(**kinds):
    named = {kind: {"id": id_, "params": params} for kind, (id_, params) in kinds.items()}
    return settings.read({"zalo": {"templates": named}}, {})


CONFIG = configured(appointment=("100001", {"ten": "{name}", "so": "{number}"}))


def sync(engine, answers, now, config=CONFIG):
    return templates.sync(engine, Zalo(answers), config, now)


def rows(engine):
    with database.reading(engine) as session:
        return {row.id: row for row in session.scalars(select(tables.ZaloTemplate))}


def standing(engine):
    with database.reading(engine) as session:
        return {row.key: row for row in alerts.open_ones(session)}


def known(engine, config=CONFIG):
    with database.reading(engine) as session:
        return templates.known(session, config)


def due(engine, now, config=CONFIG):
    with database.reading(engine) as session:
        return templates.due(session, config, now)


def test_what_zalo_says_of_a_template_is_kept(engine, eight):
    assert sync(engine, {"100001": info()}, eight) == templates.Synced(1, 0, ())
    (row,) = rows(engine).values()
    assert (row.id, row.name, row.status, row.tag, row.quality) == (
        "100001", "Hẹn giờ", "ENABLE", "IN_TRANSACTION", "HIGH",
    )  # fmt: skip
    assert (row.timeout, row.price_phone, row.price_uid, row.daily_quota, row.remaining, row.read_at) == (
        7_200, 300, 200, 500, 480, eight,
    )  # fmt: skip
    assert row.params == [
        {"name": "ten", "require": True, "type": "STRING", "max": 30, "min": 0},
        {"name": "so", "require": True, "type": "STRING", "max": 30, "min": 0},
    ]
    assert standing(engine) == {}


def test_a_template_of_two_kinds_is_read_once(engine, eight):
    params = {"ten": "{name}", "so": "{number}"}
    config = configured(appointment=("100001", params), reminder=("100001", params))
    zalo = Zalo({"100001": info()})
    assert templates.sync(engine, zalo, config, eight).read == 1
    assert zalo.asked == ["100001"] and set(known(engine, config).rows) == {"appointment", "reminder"}


@pytest.mark.parametrize(
    ("said", "kept"),
    [("ENABLE", "ENABLE"), ("enable", "ENABLE"), (1, "ENABLE"), ("2", "PENDING_REVIEW"), (3, "REJECT"),
     ("4", "DISABLE"), ("DELETE", "DELETE"), ("SOMETHING_NEW_AND_MUCH_TOO_LONG", "SOMETHING_NEW_AND_MU")],
)  # fmt: skip
def test_only_an_enabled_template_is_usable(sqlite, eight, said, kept):
    sync(sqlite, {"100001": info(status=said)}, eight)
    assert rows(sqlite)["100001"].status == kept
    assert known(sqlite).usable("appointment") == (kept == "ENABLE") == (standing(sqlite) == {})


def test_a_template_that_is_not_enabled_is_an_alert_with_zalo_s_reason_until_it_is_well(engine, eight):
    found = sync(engine, {"100001": info(status="DISABLE", reason="Chất lượng thấp")}, eight)
    assert found.faulty == ("appointment",)
    alert = standing(engine)["template:appointment"]
    assert (alert.kind, alert.data["id"], alert.data["status"]) == ("template", "100001", "DISABLE")
    assert alert.data["reason"] == (
        "Trạng thái của mẫu 100001: DISABLE: Chất lượng thấp. / "
        "Status of template 100001: DISABLE: Chất lượng thấp."
    )
    sync(engine, {"100001": info(status="DISABLE")}, eight + HOUR)
    assert "Chất lượng thấp" in standing(engine)["template:appointment"].data["reason"]
    assert sync(engine, {"100001": info()}, eight + 2 * HOUR).faulty == ()
    assert standing(engine) == {} and rows(engine)["100001"].reason == ""


def test_a_template_that_zalo_does_not_know_is_an_alert_and_not_used(engine, eight):
    sync(engine, {"100001": info()}, eight)
    assert sync(engine, {}, eight + HOUR) == templates.Synced(1, 0, ("appointment",))
    assert "Zalo không có mẫu 100001" in standing(engine)["template:appointment"].data["reason"]
    assert not known(engine).usable("appointment") and known(engine).price("appointment", "zalo") == 300


def test_all_mismatches_of_the_parameters_are_in_one_alert(engine, eight):
    config = configured(appointment=("100001", {"ten": "Kính gửi {name}", "gio": "{time}"}))
    raw = info("100001", param("ten", most=5), param("so"), param("ngay", "DATE", acceptNull=True))
    assert sync(engine, {"100001": raw}, eight, config).faulty == ("appointment",)
    alert = standing(engine)["template:appointment"]
    assert alert.data["problems"] == [
        {"name": "so", "code": "missing"},
        {"name": "ten", "code": "long"},
        {"name": "gio", "code": "unknown"},
    ]
    assert all(name in alert.data["reason"] for name in ("Mẫu 100001", "ten", "so", "gio", " / "))


def test_a_site_with_a_long_name_is_an_alert_before_its_people_are_told(engine, eight):
    config = configured(appointment=("100001", {"noi": "{place}"}))
    answers = {"100001": info("100001", param("noi", most=30))}
    assert sync(engine, answers, eight, config).faulty == ()
    with database.writing(engine) as session:
        session.add(tables.Site(code="TK1", name="Nhà văn hoá khu phố 12, phường An Mỹ", address=""))
    sync(engine, answers, eight + HOUR, config)
    problems = standing(engine)["template:appointment"].data["problems"]
    assert problems == [{"name": "noi", "code": "may_be_long"}]


def test_an_alert_says_what_is_wrong_now(engine, eight):
    sync(engine, {}, eight)
    sync(engine, {"100001": info(status="REJECT")}, eight + 60)
    alert = standing(engine)["template:appointment"]
    assert (alert.data["status"], alert.count) == ("REJECT", 2)


def test_a_kind_that_config_names_no_more_has_no_alert(engine, eight):
    sync(engine, {}, eight)
    other = configured(called=("100002", {"so": "{number}"}))
    sync(engine, {"100002": info("100002", param("so"))}, eight + 60, other)
    assert standing(engine) == {}


def test_a_reading_that_fails_keeps_what_was_read_and_the_alerts(engine, eight):
    sync(engine, {"100001": info(status="DISABLE")}, eight)
    before = rows(engine)["100001"]
    for fault in (Away(), RuntimeError("not connected"), {}, None, [], {"data": 1}):
        assert sync(engine, {"100001": fault}, eight + HOUR).failed == 1
    after = rows(engine)["100001"]
    assert (after.status, after.read_at) == (before.status, before.read_at)
    assert list(standing(engine)) == ["template:appointment"]


def test_a_zalo_that_is_away_is_asked_once_and_not_for_each_template(sqlite, eight):
    config = configured(**{f"kind{n}": (f"{n}", {"ten": "{name}"}) for n in range(10)})
    zalo = Zalo({"0": info("0"), "1": Away()})
    assert templates.sync(sqlite, zalo, config, eight) == templates.Synced(1, 9, ("kind0",))
    assert zalo.asked == ["0", "1"]


def test_a_template_that_zalo_will_not_show_does_not_hold_up_the_others(engine, eight):
    class NotOurs(Exception):
        code, scope = "-117", "template"

    config = configured(**{f"kind{n}": (f"{n}", {"ten": "{name}", "so": "{number}"}) for n in range(3)})
    found = sync(engine, {"0": NotOurs(), "1": info("1"), "2": info("2")}, eight, config)
    assert found == templates.Synced(2, 1, ()) and set(rows(engine)) == {"1", "2"}


@pytest.mark.parametrize("rubbish", [{}, None, [], {"data": 1}, "no"])
def test_one_template_of_which_zalo_says_rubbish_does_not_hold_up_the_others(engine, eight, rubbish):
    config = configured(**{f"kind{n}": (f"{n}", {"ten": "{name}", "so": "{number}"}) for n in range(3)})
    found = sync(engine, {"0": rubbish, "1": info("1"), "2": info("2", status="DISABLE")}, eight, config)
    assert found == templates.Synced(2, 1, ("kind2",)) and set(rows(engine)) == {"1", "2"}


def test_at_most_forty_templates_are_asked_for(sqlite, eight):
    config = configured(**{f"kind{n}": (f"{n}", {"ten": "{name}"}) for n in range(60)})
    zalo = Zalo({str(n): info(str(n)) for n in range(60)})
    assert templates.sync(sqlite, zalo, config, eight).read == len(zalo.asked) == templates.MOST


def test_no_transaction_is_open_while_zalo_is_asked(engine, eight):
    open_ones = []
    event.listen(engine, "begin", open_ones.append)
    for ended in ("commit", "rollback"):
        event.listen(engine, ended, open_ones.remove)

    class Slow(Zalo):
        def template(self, template_id):
            assert open_ones == []
            return super().template(template_id)

    assert templates.sync(engine, Slow({"100001": info()}), CONFIG, eight).read == 1


def test_a_name_is_taken_without_zalo_s_brackets(sqlite, eight):
    sync(sqlite, {"100001": info("100001", param("<ten>"), param("<so>"))}, eight)
    assert [one["name"] for one in rows(sqlite)["100001"].params] == ["ten", "so"]
    assert standing(sqlite) == {}


@pytest.mark.parametrize(
    "strange",
    [
        {"listParams": None},
        {"listParams": [None, 3, "ten", {"name": None}, {"name": ["a"], "maxLength": "x", "type": {}}]},
        {"listParams": [param("ten", most=10**30), param("so", most="30")]},
        {"timeout": "soon", "price_sdt": -5, "price_uid": 1e300, "templateDailyQuota": True},
        {
            "templateName": "tên\x00\ud800" * 200,
            "templateQuality": {"a": 1},
            "templateTag": None,
            "reason": 5,
        },
        {"status": None},
    ],
)
def test_strange_answers_are_kept_as_far_as_they_can_be_read(engine, eight, strange):
    assert sync(engine, {"100001": info(**strange)}, eight).failed == 0
    row = rows(engine)["100001"]
    assert len(row.name) <= 120 and all(len(one["name"]) <= 60 for one in row.params)
    assert isinstance(known(engine).faults("appointment", {"ten": "An", "so": "A042"}), list)


def test_an_answer_that_lists_no_parameters_does_not_say_that_there_are_none(engine, eight):
    for nothing in (None, [], [{"name": ""}]):
        sync(engine, {"100001": info(listParams=nothing)}, eight)
        assert known(engine).faults("appointment", {"ten": "An"}) == [] and standing(engine) == {}
    sync(engine, {"100001": info()}, eight + HOUR)
    sync(engine, {"100001": info(listParams=None)}, eight + 2 * HOUR)
    assert [one.code for one in known(engine).faults("appointment", {"ten": "An"})] == ["missing"]


# What a sender asks


def test_a_sender_knows_the_faults_before_zalo_does(engine, eight):
    sync(engine, {"100001": info("100001", param("ten", most=10), param("so"))}, eight)
    cached = known(engine)
    assert cached.faults("appointment", {"ten": "N. T. AN", "so": "A042"}) == []
    found = cached.faults("appointment", {"ten": "N. T. T. HƯƠNG", "gio": "08:00"})
    assert [(one.name, one.code) for one in found] == [("so", "missing"), ("ten", "long"), ("gio", "unknown")]


def test_what_was_never_read_is_left_to_zalo(engine, eight):
    cached = known(engine)
    assert cached.faults("appointment", {}) == [] and cached.faults("unheard-of", {"a": ""}) == []
    assert cached.usable("appointment") and cached.price("appointment", "zalo") is None


def test_a_template_without_a_status_is_left_to_zalo(engine, eight):
    raw = info()
    del raw["status"]
    sync(engine, {"100001": raw}, eight)
    assert known(engine).usable("appointment") and standing(engine) == {}


@pytest.mark.parametrize(
    ("prices", "by_phone", "by_user_id"),
    [
        ({"price_sdt": "300", "price_uid": 200}, 300, 200),
        ({"price_sdt": "300.0", "price_uid": None}, 300, None),
        ({"price_sdt": None, "price_uid": 0}, None, 0),
    ],
)
def test_a_message_costs_what_zalo_says(sqlite, eight, prices, by_phone, by_user_id):
    sync(sqlite, {"100001": info(**prices)}, eight)
    cached = known(sqlite)
    assert cached.price("appointment", "zalo") == by_phone
    assert cached.price("appointment", "zalo_uid") == by_user_id
    assert cached.price("appointment", "esms") is None and cached.price("called", "zalo") is None


# When they are read


def test_they_are_read_at_start_up_and_every_hour(engine, eight):
    assert due(engine, eight)
    sync(engine, {"100001": info()}, eight)
    assert not due(engine, eight + HOUR - 1) and due(engine, eight + HOUR)
    assert due(engine, eight - 10)  # a clock that was set back


def test_a_failed_reading_is_tried_again_after_minutes(engine, eight):
    sync(engine, {"100001": Away()}, eight)
    assert not due(engine, eight + 299) and due(engine, eight + 300)


def test_a_changed_configuration_is_read_at_once(engine, eight):
    sync(engine, {"100001": info()}, eight)
    assert due(engine, eight + 1, configured(appointment=("100001", {"ten": "{full_name}"})))
    assert due(engine, eight + 1, configured(appointment=("100007", {"ten": "{name}", "so": "{number}"})))
    assert not due(engine, eight + 1)
    assert not due(engine, eight + HOUR, configured())


def test_a_change_that_zalo_tells_is_read_once_and_soon(engine, eight):
    sync(engine, {"100001": info()}, eight)
    with database.writing(engine) as session:
        templates.stale(session, eight + 100)
        templates.stale(session, eight + 101)
    assert due(engine, eight + 110)
    sync(engine, {"100001": Away()}, eight + 110)
    assert due(engine, eight + 410)  # nothing was read, so nothing is forgotten
    sync(engine, {"100001": info()}, eight + 410)
    assert not due(engine, eight + 600)


def test_a_change_told_while_they_are_read_is_read_after_it(engine, eight):
    class Telling(Zalo):
        def template(self, template_id):
            with database.writing(engine) as session:
                templates.stale(session, eight + 5)
            return super().template(template_id)

    with database.writing(engine) as session:
        templates.stale(session, eight)
    templates.sync(engine, Telling({"100001": info()}), CONFIG, eight + 4)
    assert due(engine, eight + 64)
    sync(engine, {"100001": info()}, eight + 64)
    assert not due(engine, eight + 200)
