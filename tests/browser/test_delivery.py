"""The officer's delivery pages in a real Chromium: live, nothing done without asking, readable at every width."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, tables
from tests.conftest import EIGHT
from tests.gateway import browsing, mixed

pytestmark = pytest.mark.browser
PAGES = ["/admin", *(f"/admin/delivery{path}" for path in ("", "/lost", "/search", "/costs", "/channels"))]
EVENING = 7 * 3_600  # after eight in the morning


@pytest.fixture
def now(eight):
    return [eight + EVENING]


@pytest.fixture(scope="module")
def migrated_file(migrated_file, file_with):
    """An evening with 800 notices, made once."""

    def fill(engine, config):
        mixed.evening(engine, EIGHT + EVENING, config.station.zone, 800)
        mixed.trouble(engine, EIGHT + EVENING)

    return file_with(migrated_file, fill)


@pytest.fixture
def server(sqlite, here, now, serve):
    """The station, really served on that evening."""
    return serve(browsing.opened(here, sqlite, now))


@pytest.fixture
def officer_at(server, window, enter):
    """officer_at(width, script): a page of an officer who is signed in; the test fails when a script does."""

    def make(width=1280, script=True):
        page = window(width, script)
        enter(page, "binh", "/admin/delivery")
        page.wait_for_selector("#batch")
        return page

    return make


def handled(engine):
    with database.reading(engine) as session:
        wanted = select(tables.Notice.id, tables.Notice.handled).where(tables.Notice.handled != "")
        return dict(session.execute(wanted).all())


def deliver(engine, *states):
    with database.writing(engine) as session:
        for row in session.scalars(select(tables.Notice).where(tables.Notice.state.in_(states))):
            row.state = "delivered"


def test_the_bar_moves_without_reloading_until_everybody_is_told(officer_at, sqlite):
    page = officer_at()
    assert page.inner_text("#headline") == "Đã báo được 648 trên 792 người."
    width = int(page.get_attribute("[data-part=reached]", "width"))
    deliver(sqlite, "sent", "created")
    page.wait_for_selector("#batch[data-finished=yes]")
    assert page.inner_text("#headline") == "Đã báo được 744 trên 792 người."
    assert int(page.get_attribute("[data-part=reached]", "width")) > width
    assert page.inner_text("[data-count=waiting]") == "0"


def test_the_list_follows_but_not_while_somebody_is_choosing_from_it(officer_at, sqlite):
    page = officer_at()
    page.locator("#needing input[name=notice]").first.check()
    deliver(sqlite, "failed")
    page.wait_for_selector("#changed", state="visible")
    assert page.locator("#needing tbody tr").count() == 30
    page.click("#changed a")
    page.wait_for_selector("#needing-count:text-is('0')")


def test_the_last_good_state_stays_when_the_link_is_lost(officer_at, server):
    page = officer_at()
    server.stop()
    page.wait_for_selector("#stale", state="visible")
    assert page.inner_text("#headline") == "Đã báo được 648 trên 792 người."


def test_a_phone_is_shown_in_its_row_and_no_other(officer_at):
    page = officer_at()
    page.locator("#needing [data-show]").first.click()
    link = page.locator("#needing tbody tr").first.locator("a[href^='tel:']")
    link.wait_for()
    assert link.inner_text() == "0905 120 008" and link.get_attribute("href") == "tel:+84905120008"
    assert page.locator("a[href^='tel:']").count() == 1


def test_the_chosen_ones_are_asked_about_and_then_marked_once(officer_at, sqlite):
    page = officer_at()
    buttons = page.locator("#needing [data-bulk]")
    assert [buttons.nth(n).is_enabled() for n in range(4)] == [False] * 4
    boxes = page.locator("#needing input[name=notice]")
    boxes.nth(1).check()
    boxes.nth(3).check()
    assert "Đã chọn 2" in page.inner_text("#needing .bulk")
    buttons.nth(1).click()
    page.wait_for_selector("dialog[open]")
    assert page.inner_text("dialog h1") == "2 người đã được gọi điện?" and handled(sqlite) == {}
    page.locator("dialog #yes").dblclick()
    page.wait_for_selector(".word.go")
    assert list(handled(sqlite).values()) == ["called", "called"]
    assert page.inner_text("#needing-count") == "46" and page.inner_text("[data-count=told]") == "2"


def test_who_turns_back_has_changed_nothing(officer_at, sqlite):
    page = officer_at()
    page.locator("#needing [data-confirm]", has_text="Bỏ qua").nth(1).click()
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog:not([open])", state="attached")
    assert handled(sqlite) == {} and page.locator("#needing tbody tr").count() == 30


def test_everybody_on_the_page_is_chosen_by_one_box(officer_at):
    page = officer_at()
    page.check("#needing [data-all]")
    assert page.locator("#needing input[name=notice]:checked").count() == 30
    page.locator("#needing input[name=notice]").first.uncheck()
    assert page.evaluate("document.querySelector('#needing [data-all]').indeterminate")


def test_everything_can_be_done_without_a_script(officer_at, sqlite):
    page = officer_at(script=False)
    row = page.locator("#needing tbody tr").first
    row.locator("[data-show]").click()
    assert page.get_attribute("a.large", "href") == "tel:+84905120008"
    page.click("text=Quay lại")
    page.locator("#needing tbody tr").first.locator("[data-confirm]").first.click()
    page.click("#yes")
    assert list(handled(sqlite).values()) == ["called"]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_page_is_wider_than_its_screen(officer_at, wider, language):
    page = officer_at()
    assert wider(page, [f"{path}?lang={language}" for path in PAGES]) == {}


def test_every_field_and_button_has_a_name(officer_at):
    page = officer_at()
    nameless = """() => [...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
        .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML)"""
    found = {}
    for path in PAGES:
        page.goto(path)
        some = page.evaluate(nameless)
        found |= {path: some} if some else {}
    assert found == {}
