"""The officer's delivery pages: the counts are right, each act does what it says once, phones stay masked."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from gateway import database, delivery, tables
from tests.gateway import browsing, mixed
from tests.gateway.evening import (
    act,
    admin,
    app,
    audited,
    held,
    hundred,
    lost,
    now,
    officer,
    row,
    rows,
    signed_in,
    snapshot,
)

__all__ = ["now", "app", "officer", "admin", "hundred"]
DAY = 86_400
PAGES = ["", "/progress", "/lost", "/search", "/costs", "/costs.csv", "/channels"]
CALLS = ["/confirm", "/act", "/phone", "/print", "/lift", "/test", "/channels/zalo/pause", "/alerts/1/read"]


# Who may


@pytest.mark.parametrize("path", [*PAGES, "/person/n_1"])
def test_a_page_needs_an_officer(app, path):
    assert browsing.Visitor(app).get(f"/admin/delivery{path}").status_code == 302
    assert signed_in(app, "an").get(f"/admin/delivery{path}").status_code == 403


@pytest.mark.parametrize("path", [*CALLS, "/channels/zalo"])
def test_staff_without_the_role_change_nothing(app, sqlite, hundred, path):
    before, told = snapshot(sqlite), lost(sqlite)[0]
    fields = {"act": "called", "notice": told, "who": told, "paused": "1", "phone": "0905123456"}
    answer = signed_in(app, "an").post(f"/admin/delivery{path}", fields, "/staff")
    assert answer.status_code == 403 and snapshot(sqlite) == before


@pytest.mark.parametrize("path", CALLS)
def test_a_call_without_the_forms_token_changes_nothing(officer, sqlite, hundred, path):
    before = snapshot(sqlite)
    answer = officer.client.post(f"/admin/delivery{path}", data={"act": "called", "notice": lost(sqlite)[0]})
    assert answer.status_code == 400 and snapshot(sqlite) == before


# How far it is


def counts(found):
    parts = ("reached", "told", "under_way", "waiting", "held", "lost", "set_aside", "total")
    return {name: getattr(found, name) for name in parts}


def whole_day(now, **more):
    return delivery.Wanted(now - DAY, now + DAY, **more)


def test_everybody_is_counted_once_by_where_their_notice_stands(engine, config, now):
    browsing.station(config, engine, now)
    mixed.evening(engine, now[0], config.station.zone)
    with database.reading(engine) as session:
        found = delivery.progress(session, whole_day(now[0]), config, now[0])
    expected = {"reached": 81, "told": 0, "under_way": 6, "waiting": 6, "held": 2, "lost": 6, "set_aside": 1}
    assert counts(found) == expected | {"total": 99} and not found.finished


def test_who_was_sent_to_again_counts_as_the_newer_notice_and_who_was_called_as_told(engine, config, now):
    browsing.station(config, engine, now)
    mixed.evening(engine, now[0], config.station.zone)
    one, other, *_ = lost(engine)
    with database.writing(engine) as session:
        assert delivery.act(session, "repeated", [one], "binh", config, now[0]) == 1
        assert delivery.act(session, "called", [other], "binh", config, now[0]) == 1
        found = delivery.progress(session, whole_day(now[0]), config, now[0])
    assert (found.lost, found.waiting, found.told, found.total) == (4, 7, 1, 99)


def test_a_day_a_kind_and_a_site_are_counted_alone(engine, config, now):
    browsing.station(config, engine, now)
    changes = [{"kind": "changed"}, {"ticket_id": None}, {"created_at": now[0] - 2 * DAY}]
    mixed.evening(engine, now[0], config.station.zone, changes=lambda n: changes[n - 1] if n <= 3 else {})
    with database.reading(engine) as session:
        site = session.scalar(select(tables.Site.id).filter_by(code="TK1"))
        other = session.scalar(select(tables.Site.id).filter_by(code="TK2"))
        asked = [
            whole_day(now[0]),
            whole_day(now[0], kind="changed"),
            whole_day(now[0], site_id=site),
            whole_day(now[0], site_id=other),
        ]
        totals = [delivery.progress(session, one, config, now[0]) for one in asked]
    assert [one.total + one.set_aside for one in totals] == [99, 1, 98, 0]


def test_the_page_and_what_its_script_draws_agree(officer, hundred):
    told = officer.get("/admin/delivery/progress").json
    assert {part["name"]: part["count"] for part in told["parts"]} == {
        "reached": 81, "told": 0, "under_way": 6, "waiting": 6, "lost": 6,
    }  # fmt: skip
    assert sum(part["width"] for part in told["parts"]) == 1_000 and not told["finished"]
    page = officer.text("/admin/delivery")
    assert told["headline"] == "Đã báo được 81 trên 99 người." and told["headline"] in page
    assert told["needing"] == 6 and page.count("data-confirm>Đã gọi điện</button>") >= 6


def test_the_end_is_expected_at_the_pace_of_the_last_minutes(officer, sqlite, hundred, now):
    # 115 attempts from 100 to 41 seconds ago; 6 wait
    assert officer.get("/admin/delivery/progress").json["expected"] == "Gửi xong khoảng 08:00."
    with database.writing(sqlite) as session:
        for waits in session.scalars(select(tables.Notice).filter_by(state="created")):
            waits.due = now[0] + 3_600
    assert officer.get("/admin/delivery/progress").json["expected"] == "Gửi tiếp lúc 09:00 24/11."
    with database.writing(sqlite) as session:
        for waits in session.scalars(select(tables.Notice).filter_by(state="created")):
            waits.state = "delivered"
    expected = officer.get("/admin/delivery/progress").json["expected"]
    assert expected == "Đã gửi hết; chờ báo nhận chậm nhất đến 08:15."


def test_a_finished_batch_says_so(officer, sqlite, hundred):
    with database.writing(sqlite) as session:
        for one in session.scalars(select(tables.Notice)):
            one.state = "delivered"
    told = officer.get("/admin/delivery/progress").json
    assert told["finished"] and told["headline"] == "Đã báo xong 100 người."


@pytest.mark.parametrize(
    "query",
    ["?day=yesterday", "?day=9999-12-31", "?kind=none&site=none", "?after=x:y", "?after=9:n_", "?day="],
)
def test_an_address_nobody_made_shows_the_page_all_the_same(officer, hundred, query):
    for path in ("", "/progress", "/lost", "/costs"):
        assert officer.get(f"/admin/delivery{path}{query}").status_code == 200
    assert officer.get("/admin/delivery/costs?month=9999-12").status_code == 200
    assert officer.get("/admin/delivery/lost?days=-1&open=x").status_code == 200


# Who needs a person


def test_who_was_not_reached_is_listed_with_number_initials_and_the_reason_in_words(officer, sqlite, hundred):
    page = officer.text("/admin/delivery")
    listed = re.findall(r'<tr data-notice="([^"]+)">', page)
    assert sorted(listed) == sorted(lost(sqlite))
    first = page.split(f'data-notice="{lost(sqlite)[0]}"')[1].split("</tr>")[0]
    assert "Số này không nhận được SMS" in first and "SMS (modem)" in first and "no SMS" not in first
    assert "L. H. AN" in first and "Lê Hoàng" not in first


@pytest.mark.parametrize("path", ["", "/lost", "/channels"])
def test_no_list_shows_a_full_phone_or_name(officer, sqlite, hundred, path):
    page = officer.text(f"/admin/delivery{path}")
    assert "90512" not in page.replace("0905 123 456", "") and "Lê Hoàng" not in page


def test_who_is_held_back_is_listed_apart_with_the_hour_of_the_next_try(officer, sqlite, hundred):
    page = officer.text("/admin/delivery")
    assert sorted(re.findall(r'data-notice="([^"]+)" data-held', page)) == sorted(held(sqlite))
    assert "Tài khoản eSMS hết tiền" in page and "Thử lại lúc 08:15." in page and "held:" not in page


def test_who_is_past_their_hour_leaves_the_list_and_is_counted(officer, sqlite, hundred, now):
    now[0] += 2 * DAY - 16 * 3_600  # 16:00 tomorrow: most hours are over
    page = officer.text("/admin/delivery")
    assert 'data-notice="' not in page.split('id="held"')[0].split('id="needing"')[1]
    assert "6 tin nữa đã quá giờ mà chưa ai xử lý" in page


def test_a_long_list_comes_in_parts_that_miss_nobody(app, officer, sqlite, config, now):
    mixed.evening(sqlite, now[0], config.station.zone, 80, changes=lambda n: {"state": "failed"})
    seen, path = [], "/admin/delivery"
    while path:
        page = officer.text(path)
        seen += re.findall(r'<tr data-notice="([^"]+)">', page)
        more = re.search(r'<a class="button plain" href="(/admin/delivery\?[^"]+)#needing"', page)
        path = more and more[1]
    assert len(seen) == 80 and sorted(seen) == sorted(lost(sqlite))
    assert ">80</span>" in officer.text("/admin/delivery")


# The phone


def test_a_phone_is_shown_on_demand_and_who_looked_is_written_down(officer, sqlite, hundred):
    wanted = lost(sqlite)[0]
    number = row(sqlite, wanted).phone
    page = officer.post("/admin/delivery/phone", {"who": wanted}, "/admin/delivery").text
    assert f'href="tel:{number}"' in page
    assert audited(sqlite, "phone.show") == [("binh", wanted)]


def test_the_script_gets_the_phone_alone(officer, sqlite, hundred):
    token = re.search(r'name="csrf_token" value="([^"]+)"', officer.get("/admin/delivery").text)[1]
    fields, wants = {"csrf_token": token, "who": lost(sqlite)[0]}, {"Accept": "application/json"}
    told = officer.client.post("/admin/delivery/phone", data=fields, headers=wants).json
    assert re.fullmatch(r"\+8490512\d{4}", told["phone"]) and re.fullmatch(r"0905 12\d \d{3}", told["shown"])


def test_a_notice_nobody_knows_has_no_phone(officer, sqlite, hundred):
    assert officer.post("/admin/delivery/phone", {"who": "n_none"}, "/admin/delivery").status_code == 404
    assert audited(sqlite, "phone.show") == []


# What is done


@pytest.mark.parametrize("how", delivery.ACTS)
def test_the_question_says_what_will_happen_and_changes_nothing(officer, sqlite, hundred, how):
    before = snapshot(sqlite)
    page = act(officer, how, *lost(sqlite), path="/confirm").text
    words = {"repeated": "Gửi lại 6 tin?", "called": "6 người đã được gọi điện?"}
    words |= {"printed": "6 người đã có trên danh sách in?", "dropped": "Bỏ qua 6 tin?"}
    assert words[how] in page and page.count('name="notice"') == 6
    assert snapshot(sqlite) == before


@pytest.mark.parametrize("how", ["called", "printed", "dropped"])
def test_an_act_marks_exactly_the_chosen_ones_once(officer, sqlite, hundred, how, now):
    one, other, *rest = lost(sqlite)
    now[0] += 60
    for _ in range(2):
        assert act(officer, how, one, other).status_code == 303
        now[0] += 60
    changed = rows(sqlite, tables.Notice.handled != "")
    assert [(done.id, done.handled, done.handled_by) for done in changed] == [
        (one, how, "binh"),
        (other, how, "binh"),
    ]
    assert {done.state for done in changed} == {"failed"} and lost(sqlite) == rest
    assert audited(sqlite, f"notice.{how}") == [("binh", one), ("binh", other)]
    assert "2 tin không còn gì để làm" in officer.text("/admin/delivery")


def test_sending_again_plans_one_new_notice_however_often_it_is_pressed(officer, sqlite, hundred):
    one = lost(sqlite)[0]
    for _ in range(3):
        act(officer, "repeated", one)
    (fresh,) = rows(sqlite, tables.Notice.repeats == one)
    old = row(sqlite, one)
    assert (fresh.state, fresh.phone, fresh.deadline) == ("created", old.phone, old.deadline)
    assert (old.state, old.handled) == ("failed", "repeated") and len(rows(sqlite)) == 101


def test_a_row_s_own_button_is_about_that_row_alone(officer, sqlite, hundred):
    one, other, *_ = lost(sqlite)
    page = officer.post(
        "/admin/delivery/confirm", {"one": f"called:{one}", "notice": other}, "/admin/delivery"
    ).text
    assert re.findall(r'name="notice" value="([^"]+)"', page) == [one]


@pytest.mark.parametrize("how", delivery.ACTS)
def test_what_was_reached_or_is_on_its_way_is_left_alone(officer, sqlite, hundred, how):
    fine = rows(sqlite, tables.Notice.state.in_(("delivered", "sent", "cancelled")))
    free = [one for one in rows(sqlite, tables.Notice.state == "created") if one.id not in held(sqlite)]
    before = snapshot(sqlite)
    act(officer, how, *(one.id for one in [*fine, *free]))
    assert snapshot(sqlite) == before
    assert audited(sqlite, f"notice.{how}") == []


def test_who_is_held_back_and_called_gets_no_message_afterwards(officer, sqlite, hundred):
    one, other = held(sqlite)
    act(officer, "called", one)
    done = row(sqlite, one)
    assert (done.state, done.handled, done.reason) == ("cancelled", "called", "told_in_person")
    assert held(sqlite) == [other]


@pytest.mark.parametrize("how", ["deleted", "", "repeated:x"])
def test_an_act_nobody_knows_is_refused(officer, sqlite, hundred, how):
    before = snapshot(sqlite)
    assert act(officer, how, lost(sqlite)[0]).status_code == 400
    assert snapshot(sqlite) == before


def test_without_anybody_chosen_nothing_is_asked(officer, hundred):
    assert act(officer, "called", path="/confirm").status_code == 303
    assert "Chưa chọn ai" in officer.text("/admin/delivery")


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil", "/adminevil", "/staff"]
)
def test_afterwards_a_page_never_leads_elsewhere(officer, sqlite, hundred, back):
    fields = {"act": "called", "notice": lost(sqlite)[0], "back": back}
    answer = officer.post("/admin/delivery/act", fields, "/admin/delivery")
    assert answer.location == "/admin/delivery"


# Dead letters and paper


def test_what_is_past_its_hour_cannot_be_sent_again_and_it_says_so(officer, sqlite, hundred, now):
    assert "Đã quá giờ" not in officer.text("/admin/delivery/lost")
    now[0] += 2 * DAY
    page = officer.text("/admin/delivery/lost")
    assert page.count("Đã quá giờ, không gửi lại được.") == 6 and "repeated:" not in page
    before = snapshot(sqlite)
    act(officer, "repeated", *lost(sqlite))
    assert snapshot(sqlite) == before


def test_all_that_are_in_time_are_sent_again_at_once(officer, sqlite, hundred, now):
    with database.writing(sqlite) as session:
        session.get_one(tables.Notice, lost(sqlite)[0]).deadline = now[0]
    page = officer.post(
        "/admin/delivery/confirm", {"act": "repeated", "all": "1"}, "/admin/delivery/lost"
    ).text
    ids = re.findall(r'name="notice" value="([^"]+)"', page)
    assert sorted(ids) == sorted(lost(sqlite)[1:])
    act(officer, "repeated", *ids)
    assert len(rows(sqlite, tables.Notice.repeats.is_not(None))) == 5


def test_dead_letters_tell_who_dealt_with_them(officer, sqlite, hundred):
    act(officer, "called", lost(sqlite)[0])
    assert "đã báo qua điện thoại · binh" in officer.text("/admin/delivery/lost")
    assert "· binh" not in officer.text("/admin/delivery/lost?open=1")


def test_the_printed_list_has_names_and_phones_and_marks_nobody_until_it_is_confirmed(
    officer, sqlite, hundred
):
    before = snapshot(sqlite)
    page = act(officer, "printed", *lost(sqlite), path="/print").text
    assert snapshot(sqlite) == before
    assert "Lê Hoàng An" in page and page.count('<span class="box">') == 6
    assert len(re.findall(r"0905 12\d \d{3}", page)) == 6
    assert [actor for actor, _ in audited(sqlite, "notices.print")] == ["binh"]
