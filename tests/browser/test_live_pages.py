"""The pages' own scripts in a real Chromium: live without reloading, one press one call, calm when the link is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, queue, tables
from tests.gateway import browsing

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def base(sqlite, here, now, serve):
    """A station that is really served."""
    return serve(browsing.opened(here, sqlite, now))


@pytest.fixture
def context(base, window):
    """One person's browser: everything they have open."""
    return window().context


@pytest.fixture
def tickets(base, sqlite, config, now):
    """Three people took a ticket at TK1."""
    with database.writing(sqlite) as session:
        site = session.scalar(select(tables.Site.id).filter_by(code="TK1"))
        service = session.scalar(select(tables.Service.id).filter_by(code="new"))
        walk_ins = [
            queue.WalkIn(site, browsing.day(now, 0), service, now[0] - 60 + n, series="B", n=n)
            for n in (1, 2, 3)
        ]
        return [queue.admit(session, one, config.policy, now[0], "K1") for one in walk_ins]


@pytest.fixture
def console(base, context, tickets, enter):
    (page,) = context.pages
    enter(page, "an", "/staff/counter/1")
    page.wait_for_selector("#queue [data-number=B001]")
    return page


def shown(page, number, state="called"):
    page.wait_for_selector(f"#current[data-number={number}][data-state={state}]")


def test_a_call_is_on_the_board_and_on_the_persons_phone_without_reloading(console, context, tickets):
    board, phone = context.new_page(), context.new_page()
    board.goto("/board/TK1")
    phone.goto(f"/p/{tickets[0].token}")
    console.keyboard.press("n")
    board.wait_for_selector("#last[data-number=B001][data-counter='1'].fresh")
    phone.wait_for_selector("#place[data-state=called]")
    assert phone.inner_text("#place h1") == "MỜI ĐẾN QUẦY 1"
    assert board.inner_text("#next").split() == ["B002", "B003"]


def test_a_press_whose_answer_is_lost_is_done_once(console, sqlite, tickets):
    lost = []

    def lose_the_first_answer(route):
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)  # the station has done it
            route.abort()

    console.route("**/api/v1/counters/1/next", lose_the_first_answer)
    console.click("[data-verb=next]")
    console.wait_for_selector("#answer.go")
    shown(console, "B001")
    with database.reading(sqlite) as session:
        states = session.scalars(select(tables.Ticket.state).order_by(tables.Ticket.n)).all()
    assert lost == [200] and states == ["called", "waiting", "waiting"]


def test_the_space_bar_calls_the_next_whatever_was_clicked_before(console):
    console.click("[data-verb=next]")
    shown(console, "B001")
    console.click("[data-verb=no-show]")
    console.wait_for_selector("#current[data-state=none]")
    console.keyboard.press("Space")
    shown(console, "B002")


def test_letters_typed_into_a_field_are_no_commands(console):
    console.keyboard.press("b")
    console.keyboard.type("n s")
    assert console.input_value("#code") == "n s"
    assert console.get_attribute("#current", "data-state") == "none"


def test_verbs_that_do_not_fit_cannot_be_pressed(console):
    assert console.is_disabled("[data-verb=finish]") and console.is_enabled("[data-verb=next]")
    console.click("[data-verb=pause]")
    console.wait_for_selector("#current[data-state=paused]")
    assert console.is_disabled("[data-verb=next]")
    console.click("[data-verb=pause]")
    console.wait_for_selector("#current[data-state=none]")
    assert console.is_enabled("[data-verb=next]")


def test_the_board_keeps_the_last_state_and_says_when_the_link_is_lost(console, base, context):
    console.keyboard.press("n")
    shown(console, "B001")
    board = context.new_page()
    board.goto("/board/TK1")
    board.wait_for_selector("#last[data-number=B001]")
    assert board.is_hidden("#lost")
    base.stop()
    board.wait_for_selector("#lost", state="visible")
    assert board.inner_text("#last-number") == "B001"


def test_rows_of_the_form_come_and_go_and_only_the_shown_ones_count(base, context, sqlite, now):
    page = context.new_page()
    page.set_viewport_size(PHONE)
    page.goto("/dang-ky?site=TK2")
    page.fill("#contact_name", "Lê Thị Chi")
    page.fill("#phone", "0912 345 678")
    page.select_option("#people-0-service", "renew")
    for name, row in (("Lê Văn Bình", 1), ("Lê Thị An", 2)):
        page.click("#add")
        page.select_option(f"#people-{row}-relation", "child")
        page.fill(f"#people-{row}-name", name)
        page.select_option(f"#people-{row}-service", "new")
    page.click("[data-row='1'] .remove")
    page.check(f"[name=when][value='TK2 {browsing.day(now)}']", force=True)
    page.check("#consent")
    page.click("#send")
    page.wait_for_url("**/r/*")
    with database.reading(sqlite) as session:
        names = session.scalars(select(tables.Applicant.name).order_by(tables.Applicant.position)).all()
    assert names == ["Lê Thị Chi", "Lê Thị An"]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_page_is_wider_than_a_phone(console, context, tickets, language):
    page = context.new_page()
    page.set_viewport_size(PHONE)
    paths = ["/", "/dang-ky", f"/p/{tickets[0].token}", "/p/none", "/staff", "/staff/counter/1", "/board/TK1"]
    widths = {}
    for path in paths:
        page.goto(f"{path}?lang={language}")
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
    assert widths == dict.fromkeys(paths, PHONE["width"])
