"""The officer's page of text messages in a real Chromium: readable at every width, nothing the browser refuses."""

from __future__ import annotations

import pytest

from gateway import balances, database, notices
from gateway.web import serving
from tests.conftest import free_port
from tests.gateway import browsing, simcards
from tests.gateway.simcards import State

pytestmark = pytest.mark.browser
PAGES = ("/admin/sms", "/admin/delivery/channels")
LONG = State(
    operator="Vietnamobile " * 3,
    model="HUAWEI MOBILE WiFi E8372h-320 LTE",
    device="/dev/serial/by-id/usb-" + "x" * 60,
)


@pytest.fixture
def address(sqlite, config, eight):
    """A station with two modems, one of which needs somebody, and two providers, one of them nearly out of money."""
    port = free_port()
    web = config.web.model_copy(update={"port": port, "base_url": f"http://127.0.0.1:{port}"})
    here = simcards.configured(config.model_copy(update={"web": web}))
    server = serving.Server(browsing.station(here, sqlite, [eight]), here)
    simcards.told(sqlite, LONG, eight)
    simcards.told(
        sqlite, State(state="refused", sim="pin", network="", operator="", signal=None), eight, channel="sim2"
    )
    simcards.parts(sqlite, ["delivered"] * 12 + ["failed"], eight - 60)
    simcards.alive(sqlite, eight, "esms", "modem", "sim2")
    with database.writing(sqlite) as session:
        balances.noted(session, here, "esms", 82_500, "", eight)
        balances.noted(session, here, "vina", None, "không trả lời / no answer", eight)
        about = ("stopped", "Người nhận đã nhắn STOP. / The owner of the number texted STOP.", "sms")
        notices.suppress(session, "sms", "+84905123456", eight + 10**8, *about, eight)
    server.start()
    yield web.base_url
    server.stop()


@pytest.fixture
def page(chromium, address):
    """A page of an officer who is signed in; what the browser complained of is `page.complaints`."""
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda said: page.complaints.append(said.text) if said.type == "error" else None)
    page.goto("/staff/login?next=/admin/sms")
    page.fill("#name", "binh")
    page.fill("#password", browsing.PASSWORD)
    page.click("form.card button")
    page.wait_for_selector("#stopped")
    yield page
    context.close()


def test_nothing_is_cut_off_at_any_width_in_either_language(page):
    wide = {}
    for width in (390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        for path in [f"{one}?lang={language}" for one in PAGES for language in ("vi", "en")]:
            page.goto(path)
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            hidden = page.evaluate(
                "[...document.querySelectorAll('.card')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
            )
            wide |= {(width, path): (over, hidden)} if over > 0 or hidden else {}
    assert wide == {} and page.complaints == []


def test_the_signal_is_seen_and_can_be_heard(page):
    drawn = page.locator("[data-modem=modem] svg[role=img]")
    assert drawn.get_attribute("aria-label") == "Sóng: khá" and drawn.locator("rect.on").count() == 3
    used = page.locator("[data-modem=modem] .bar rect")
    assert used.get_attribute("width") == str(1_000 * 13 // 150)


def test_every_button_has_a_name_and_an_opt_out_is_lifted_with_one(page):
    names = page.evaluate("[...document.querySelectorAll('button, a')].map(one => one.textContent.trim())")
    assert all(names)
    page.click("[data-stopped] button")
    page.wait_for_selector("text=lại nhận tin nhắn SMS")
    assert page.locator("[data-stopped]").count() == 0
