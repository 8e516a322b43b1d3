"""Costs, finding somebody, channels and alerts; and what no page about sending may ever do."""

from __future__ import annotations

import csv
import io
import re
from datetime import date

import pytest
from sqlalchemy import func, select

from gateway import alerts, database, delivery, notices, tables
from tests.gateway import browsing, mixed
from tests.gateway.evening import (
    act,
    admin,
    app,
    audited,
    hundred,
    lost,
    now,
    officer,
    row,
    rows,
    signed_in,
)

__all__ = ["now", "app", "officer", "admin", "hundred"]
DAY = 86_400
PAGES = ["", "/progress", "/lost", "/search", "/costs", "/costs.csv", "/channels"]
HAZARD = "<img src=x onerror=alert(1)>"


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
