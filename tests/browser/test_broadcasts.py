"""Telling a whole round in a real Chromium: written, looked at, confirmed, followed; readable at every width."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, tables
from tests.conftest import EIGHT
from tests.gateway import browsing
from tests.gateway.mixed_audience import HOUR, crowd, follower, told_by

pytestmark = pytest.mark.browser
PEOPLE = 1_250


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture(scope="module")
def migrated_file(migrated_file, file_with):
    """Many people registered for tomorrow, and followers with tags, made once."""

    def fill(engine, _config):
        crowd(engine, PEOPLE, browsing.day([EIGHT]))
        for n in range(60):
            about = {"seen_at": EIGHT - n * HOUR, "name": f"Nguyễn Thị Phương Thảo {n}", "tags": ("hẹn lại",)}
            follower(engine, f"50{n:02d}", f"0912{n:06d}", **about)
        name = "Công Tằng Tôn Nữ Thị Hương Giang Bảo Trân"
        follower(engine, "9999", name=name, tags=("ưu tiên", "cư trú", "đợi thẻ"))

    return file_with(migrated_file, fill)


@pytest.fixture
def officer_at(sqlite, here, now, serve, window, enter):
    """officer_at(width, script): a page of an officer who is signed in; the test fails when a script does."""
    serve(browsing.opened(here, sqlite, now))

    def make(width=1280, script=True):
        page = window(width, script)
        enter(page, "binh", "/admin/broadcasts")
        page.wait_for_selector("h1")
        return page

    return make


def write(page, now, **changes):
    """Fill the form in as an officer does, and go on to the preview."""
    page.goto("/admin/broadcasts/new")
    given = {
        "#title": "Đội lưu động tuần 48",
        "#place": "Nhà văn hoá phường An Xuân",
        "#address": "12 Trần Phú",
        "#day": browsing.day(now, 6).isoformat(),
        "#since": browsing.day(now).isoformat(),
        "#until": browsing.day(now).isoformat(),
    }
    for field, text in (given | changes).items():
        page.fill(field, text)
    page.locator("input[name=sites]").first.check()
    page.click("form.round button.large")


def narrow(page):
    """Whether nothing reaches beyond the page's right edge."""
    return page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("script", [True, False])
def test_a_round_goes_from_the_form_to_everybody(officer_at, sqlite, now, width, script):
    page = officer_at(width, script)
    write(page, now)
    page.wait_for_selector("#many")
    assert page.inner_text("#many") == "1.250" and narrow(page)
    assert told_by(sqlite) == []

    page.fill("#people", "1251")
    page.click("#send")
    page.wait_for_selector("#mistake")
    assert "không đúng" in page.inner_text("#mistake") and told_by(sqlite) == []

    page.fill("#people", "1.250")
    page.click("#send")
    page.wait_for_selector("#batch")
    assert page.inner_text("#headline") == "Đã báo được 0 trên 1250 người." and narrow(page)
    assert len(told_by(sqlite)) == PEOPLE


def test_the_progress_moves_by_itself_and_the_rest_can_be_withdrawn(officer_at, sqlite, now):
    page = officer_at()
    write(page, now)
    page.fill("#people", "1250")
    page.click("#send")
    page.wait_for_selector("#batch")
    with database.writing(sqlite) as session:
        rows = session.scalars(select(tables.Notice).order_by(tables.Notice.id).limit(1_000)).all()
        for row in rows:
            row.state, row.final_at = "delivered", now[0]
    page.wait_for_selector("#headline:text-is('Đã báo được 1000 trên 1250 người.')")
    page.click("details.confirm summary")
    page.click("#withdraw")
    page.wait_for_selector(".word.go")
    assert "Đã rút lại 250 tin" in page.inner_text(".word.go")
    assert page.inner_text("#headline") == "Đã báo xong 1000 người."


def test_mistakes_stand_beside_their_fields_and_what_was_typed_stays(officer_at, now):
    page = officer_at(390)
    write(page, now, **{"#day": browsing.day(now, -1).isoformat(), "#title": ""})
    page.wait_for_selector(".wrong")
    assert page.inner_text("#day-wrong") == "Ngày này đã qua."
    assert page.inner_text("#title-wrong") == "Không được để trống."
    assert page.input_value("#place") == "Nhà văn hoá phường An Xuân" and narrow(page)


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_the_list_of_followers_fits_every_width(officer_at, sqlite, width):
    page = officer_at(width)
    page.goto("/admin/followers")
    assert page.locator("tr[data-user]").count() == 50 and narrow(page)
    page.fill("#q", "huong giang")
    page.click("form.filters button")
    page.wait_for_selector("tr[data-user='9999']")
    page.fill("tr[data-user='9999'] .adding input[name=tag]", "làm lại")
    page.click("tr[data-user='9999'] .adding button")
    page.wait_for_selector(".word.go")
    assert page.locator("tr[data-user='9999'] .follower-tag").count() == 4
    assert page.locator(".follower-tag.waiting").inner_text().startswith("làm lại")
    assert page.input_value("#q") == "huong giang" and narrow(page)
