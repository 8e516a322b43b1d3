"""The officer's delivery pages: the counts are right, each act does what it says once, phones stay masked."""

from __future__ import annotations

import csv
import io
import re
from datetime import date

import pytest
from sqlalchemy import func, select

from gateway import alerts, database, delivery, notices, tables
from gateway.notices.barriers import HELD
from tests.gateway import browsing, mixed

DAY = 86_400
PAGES = ["", "/progress", "/lost", "/search", "/costs", "/costs.csv", "/channels"]
CALLS = ["/confirm", "/act", "/phone", "/print", "/lift", "/test", "/channels/zalo/pause", "/alerts/1/read"]
HAZARD = "<img src=x onerror=alert(1)>"


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def app(sqlite, config, now):
    return browsing.station(config, sqlite, now)


def signed_in(app, name):
    made = browsing.Visitor(app)
    made.sign_in(name)
    return made


@pytest.fixture
def officer(app):
    return signed_in(app, "binh")


@pytest.fixture
def admin(app):
    return signed_in(app, "chi")


@pytest.fixture
def hundred(app, sqlite, config, now):
    """An evening's hundred notices; their ids."""
    return mixed.evening(sqlite, now[0], config.station.zone)


def rows(engine, *conditions):
    with database.reading(engine) as session:
        return session.scalars(select(tables.Notice).where(*conditions).order_by(tables.Notice.id)).all()


def lost(engine):
    return [row.id for row in rows(engine, tables.Notice.state == "failed", tables.Notice.handled == "")]


def held(engine):
    return [row.id for row in rows(engine, tables.Notice.reason.startswith(HELD))]


def row(engine, notice_id):
    with database.reading(engine) as session:
        return session.get(tables.Notice, notice_id)


def audited(engine, action):
    with database.reading(engine) as session:
        found = session.scalars(select(tables.Audit).filter_by(action=action).order_by(tables.Audit.id))
        return [(one.actor, one.subject) for one in found]


def snapshot(engine):
    with database.reading(engine) as session:
        return session.execute(select(*tables.Notice.__table__.c).order_by(tables.Notice.id)).all()


def act(visitor, how, *ids, path="/act"):
    return visitor.post(f"/admin/delivery{path}", {"act": how, "notice": list(ids)}, "/admin/delivery/search")


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


# What it cost


def test_costs_add_up_messages_parts_and_dong_by_channel(engine, config, now):
    browsing.station(config, engine, now)
    mixed.evening(engine, now[0], config.station.zone)
    with database.reading(engine) as session:
        found = delivery.daily(session, browsing.day(now, 0), config.station.zone)
        month = delivery.monthly(session, date(2026, 11, 1), config.station.zone)
        empty = delivery.monthly(session, date(2026, 10, 1), config.station.zone)
    assert found == [
        delivery.Cost("zalo", 78, 70, 78, 78 * 300),
        delivery.Cost("esms", 13, 11, 26, 26 * 750),
        delivery.Cost("modem", 0, 0, 0, 0),
    ]
    assert month == [(browsing.day(now, 0), one) for one in found] and empty == []


def test_the_months_table_opens_in_a_spreadsheet(officer, hundred):
    answer = officer.get("/admin/delivery/costs.csv?month=2026-11")
    assert answer.mimetype == "text/csv" and "attachment" in answer.headers["Content-Disposition"]
    assert answer.text.startswith("\ufeff")
    table = list(csv.reader(io.StringIO(answer.text[1:])))
    assert table[0][:2] == ["Ngày", "Kênh"] and table[1] == ["2026-11-24", "Zalo", "78", "70", "78", "23400"]


@pytest.mark.parametrize("text", ["=1+1", "+84", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_taken_for_a_formula(text):
    assert delivery.safe(text) == f"'{text}" and delivery.safe("Zalo") == "Zalo"


# Finding somebody


@pytest.mark.parametrize("asked", ["0905120008", "+84 905 120 008", "0905.120.008", "84905120008"])
def test_a_phone_is_found_in_any_spelling_and_stands_in_no_address(officer, sqlite, hundred, asked):
    answer = officer.post("/admin/delivery/search", {"q": asked}, "/admin/delivery/search")
    assert answer.location == f"/admin/delivery/person/{hundred[7]}"
    page = officer.text(answer.location)
    assert "90512" not in page.replace("0905 123 456", "") and "bị từ chối" in page and "090***008" in page
    assert audited(sqlite, "phone.search") == [("binh", "")]


@pytest.mark.parametrize("asked", ["8", "008"])
def test_a_number_leads_to_its_tickets(officer, hundred, asked):
    page = officer.post("/admin/delivery/search", {"q": asked}, "/admin/delivery/search").text
    assert f"/admin/delivery/person/{hundred[7]}" in page


def test_a_notice_is_found_by_its_id(officer, hundred):
    answer = officer.post("/admin/delivery/search", {"q": hundred[3]}, "/admin/delivery/search")
    assert answer.location.endswith(hundred[3])


@pytest.mark.parametrize("asked", ["", "n_none", "999", "0905999999", "=1", "1" * 60, "ă\u0000"])
def test_what_is_not_there_is_not_found_in_words(officer, hundred, asked):
    answer = officer.post("/admin/delivery/search", {"q": asked}, "/admin/delivery/search")
    assert answer.status_code == 200 and "data-notice" not in answer.text


def test_a_spared_phone_is_shown_and_can_be_tried_again(officer, sqlite, hundred, now):
    number = row(sqlite, hundred[7]).phone
    with database.writing(sqlite) as session:
        about = ("-118", "Số này không có tài khoản Zalo / no Zalo account", "provider")
        notices.suppress(session, "zalo", number, now[0] + DAY, *about, now[0])
    path = f"/admin/delivery/person/{hundred[7]}"
    assert 'data-spared="zalo"' in officer.text(path)
    for word in ("Đã bỏ chặn", "Số này không bị chặn"):
        officer.post("/admin/delivery/lift", {"channel": "zalo", "notice": hundred[7]}, path)
        assert word in officer.text(path)
    assert 'data-spared="zalo"' not in officer.text(path)


# Channels and alerts


def lane(engine, channel):
    with database.reading(engine) as session:
        return session.get(tables.Lane, channel)


def test_an_officer_pauses_a_channel_and_a_double_press_does_not_resume_it(officer, sqlite):
    for _ in range(2):
        officer.post("/admin/delivery/channels/zalo/pause", {"paused": "1"}, "/admin/delivery/channels")
        assert lane(sqlite, "zalo").paused
    assert "đang tạm dừng" in officer.text("/admin/delivery/channels")
    officer.post("/admin/delivery/channels/zalo/pause", {"paused": "0"}, "/admin/delivery/channels")
    assert not lane(sqlite, "zalo").paused


def test_only_an_admin_changes_a_lanes_numbers(officer, admin, sqlite):
    wish = {"concurrency": "4", "per_minute": "120"}
    assert 'name="concurrency"' not in officer.text("/admin/delivery/channels")
    assert officer.post("/admin/delivery/channels/zalo", wish, "/admin/delivery/channels").status_code == 403
    assert lane(sqlite, "zalo") is None
    admin.post("/admin/delivery/channels/zalo", wish, "/admin/delivery/channels")
    changed = lane(sqlite, "zalo")
    assert (changed.concurrency, changed.per_minute, changed.changed_by) == (4, 120, "chi")


@pytest.mark.parametrize(
    ("channel", "wish"),
    [
        ("zalo", {"concurrency": "0", "per_minute": "1"}),
        ("zalo", {"concurrency": "1000", "per_minute": "1"}),
        ("zalo", {"concurrency": "x", "per_minute": "1"}),
        ("zalo", {"concurrency": "4", "per_minute": "-1"}),
        ("modem", {"concurrency": "2", "per_minute": "1"}),
        ("fax", {"concurrency": "2", "per_minute": "1"}),
    ],
)
def test_numbers_that_make_no_sense_change_nothing(admin, sqlite, channel, wish):
    admin.post(f"/admin/delivery/channels/{channel}", wish, "/admin/delivery/channels")
    assert lane(sqlite, channel) is None and "chưa có gì thay đổi" in admin.text("/admin/delivery/channels")


def test_the_channels_say_what_is_wrong_when_they_try_again_and_who_sends(officer, sqlite, now):
    mixed.trouble(sqlite, now[0])
    page = officer.text("/admin/delivery/channels")
    shut = page.split('data-lane="esms"')[1].split("</section>")[0]
    assert 'data-well="no"' in shut and "Tài khoản eSMS hết tiền" in shut and "08:14" in shut
    assert 'data-lane="zalo" data-well="yes"' in page
    assert "tram-1-4711" in page and "tram-2-4712" in page


def test_an_alert_stands_on_every_page_of_the_officer_until_somebody_has_read_it(app, officer, sqlite, now):
    mixed.trouble(sqlite, now[0])
    pages = ["/admin", "/admin/delivery", "/admin/delivery/lost", "/admin/delivery/costs"]
    assert all("1 điều cần biết" in officer.text(path) for path in pages)
    assert "1 điều cần biết" not in officer.text("/staff") + signed_in(app, "an").text("/staff")
    officer.post("/admin/delivery/alerts/1/read", {"back": "/admin/delivery/costs"}, "/admin")
    assert not any("1 điều cần biết" in officer.text(path) for path in pages)
    with database.reading(sqlite) as session:
        (alert,) = alerts.open_ones(session)
    assert (alert.read_by, alert.closed_at) == ("binh", None)
    assert "đang còn" in officer.text("/admin/delivery/channels")


@pytest.mark.parametrize("kind", [*alerts.KINDS, "unheard-of 100%"])
def test_every_kind_of_alert_is_a_sentence(officer, sqlite, now, kind):
    with database.writing(sqlite) as session:
        alerts.raised(session, "one", kind, {"channel": "zalo", "subject": ""}, now[0])
        alerts.raised(session, "other", kind, {}, now[0])
    for language in ("vi", "en"):
        assert officer.get(f"/admin/delivery/channels?lang={language}").status_code == 200
    if kind in alerts.KINDS:
        assert f"<b>{kind}</b>" not in officer.text("/admin")


def test_a_test_message_goes_through_the_engine_once(officer, sqlite):
    page = officer.text("/admin/delivery/channels")
    token = re.search(r'name="token" value="([^"]+)"', page)[1]
    for _ in range(2):
        fields = {"token": token, "phone": "0905 123 456"}
        answer = officer.post("/admin/delivery/test", fields, "/admin/delivery/channels")
    (made,) = rows(sqlite)
    assert (made.kind, made.phone, made.state) == ("reminder", "+84905123456", "created")
    assert answer.location == f"/admin/notices/{made.id}" and "000" in officer.text(answer.location)
    assert audited(sqlite, "notice.test") == [("binh", made.id)]


@pytest.mark.parametrize("phone", ["", "123", "0235 385 1234", "=cmd"])
def test_a_test_message_needs_a_mobile_phone(officer, sqlite, phone):
    officer.post("/admin/delivery/test", {"token": "t", "phone": phone}, "/admin/delivery/channels")
    assert rows(sqlite) == []


# What a page must never do


def test_what_others_wrote_is_shown_as_text(officer, sqlite, hundred, now):
    wanted = lost(sqlite)[0]
    with database.writing(sqlite) as session:
        bad = session.get_one(tables.Notice, wanted)
        bad.reason = f"{HAZARD} / {HAZARD}"
        bad.data = {"name": HAZARD, "number": HAZARD, "place": HAZARD, "time": HAZARD}
        alerts.raised(session, "x", "refused", {"channel": HAZARD, "reason": HAZARD}, now[0])
    person = f"/admin/delivery/person/{wanted}"
    for path in ("/admin/delivery", "/admin/delivery/lost", person, "/admin/delivery/channels", "/admin"):
        page = officer.get(path).text
        assert "&lt;img" in page.lower() and "<img src=x" not in page.lower()
    for path in ("/confirm", "/print"):
        page = act(officer, "called", wanted, path=path).text.lower()
        assert "&lt;img" in page and "<img src=x" not in page


@pytest.mark.parametrize(
    "data", [{}, {"time": 5, "name": None, "number": 7}, {"time": "9999-12-31T23:59:59+00:00"}]
)
def test_data_that_another_program_filled_in_oddly_is_listed_all_the_same(officer, sqlite, hundred, data):
    with database.writing(sqlite) as session:
        session.get_one(tables.Notice, lost(sqlite)[0]).data = data
    for path in ("", "/lost", f"/person/{lost(sqlite)[0]}"):
        assert officer.get(f"/admin/delivery{path}").status_code == 200
    assert act(officer, "printed", *lost(sqlite), path="/print").status_code == 200


def test_what_was_erased_is_shown_as_erased(officer, sqlite, hundred):
    with database.writing(sqlite) as session:
        gone = session.get_one(tables.Notice, lost(sqlite)[0])
        gone.phone, gone.data = "", {}
        wanted = gone.id
    assert "đã xoá" in officer.text("/admin/delivery/lost")
    assert officer.text(f"/admin/delivery/person/{wanted}").count('data-notice="') == 1


def test_no_page_carries_what_the_content_policy_refuses(officer, sqlite, hundred, now):
    mixed.trouble(sqlite, now[0])
    shown = [
        officer.get(f"/admin/delivery{path}").text
        for path in PAGES
        if path not in ("/progress", "/costs.csv")
    ]
    shown += [act(officer, "called", *lost(sqlite), path=path).text for path in ("/confirm", "/print")]
    assert [browsing.inline(page) for page in shown] == [[]] * len(shown)


def test_in_english_no_vietnamese_words_are_left(officer, sqlite, hundred, now):
    mixed.trouble(sqlite, now[0])
    letters = re.compile(r"[ăâêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
    names = re.compile(r"Điểm cấp căn cước An Mỹ|Tiếng Việt|Ngôn ngữ|Công an phường|[A-ZĐ]\. [A-ZĐ]\. \w+")
    for path in ("", "/lost", "/search", "/costs", "/channels", f"/person/{lost(sqlite)[0]}"):
        page = officer.text(f"/admin/delivery{path}?lang=en")
        assert letters.findall(names.sub("", page)) == [], path


def test_the_engine_s_count_of_lost_ones_is_the_pages(engine, config, now):
    browsing.station(config, engine, now)
    mixed.evening(engine, now[0], config.station.zone)
    with database.reading(engine) as session:
        page = delivery.needing(session, config, now[0])
        everything = delivery.lost(session, config, now[0], 7, kind="appointment", open_only=True)
        waiting = delivery.held(session, config, now[0])
        failed = session.scalar(select(func.count()).where(tables.Notice.state == "failed"))
    assert (page.count, len(page.entries), everything.count, waiting.count) == (failed, failed, failed, 2)
