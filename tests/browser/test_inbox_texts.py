"""A text message is answered in a real Chromium: counted while it is written, sent once, readable at every width."""

from __future__ import annotations

import pytest
from playwright import sync_api

from tests.gateway import browsing, letters
from tests.gateway.texting import Phones

pytestmark = pytest.mark.browser
LONG = "Mời ông/bà mang thẻ căn cước đang dùng đến Điểm cấp căn cước An Mỹ trong giờ hành chính. "


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def station(sqlite, here, now, serve):
    """A station that is really served, with somebody who texted: (address, conversation, phones)."""
    modem = here.sms.modem.model_copy(update={"price": 500})
    sms = here.sms.model_copy(update={"providers": ("modem",), "modem": modem})
    here = here.model_copy(update={"sms": sms})
    letters.three(sqlite, now[0])

    class Station:
        phones = Phones(sqlite, here, now)

    Station.phones.text("Cho tôi hỏi đăng ký tạm trú cần giấy tờ gì?")
    Station.phones.text("Khuyến mãi 50% thẻ nạp", "VIETTEL")
    Station.talk = Station.phones.conversation().id
    serve(browsing.opened(here, sqlite, now))
    return Station


@pytest.fixture
def page(station, window, enter):
    """The conversation on the screen of Bình; the test fails when a script does."""
    made = window()
    enter(made, "binh", f"/admin/inbox/{station.talk}")
    made.wait_for_selector("#answer")
    return made


def test_an_answer_is_counted_while_it_is_written_and_goes_once(page, station):
    counter = page.locator("#text-count")
    page.fill("#text", "Mời ông/bà đến")
    sync_api.expect(counter).to_contain_text("1 phần")
    sync_api.expect(counter).to_contain_text("500 đ")
    page.fill("#text", LONG)
    page.check("#accented")
    sync_api.expect(counter).to_contain_text("2 phần")
    page.uncheck("#accented")
    sync_api.expect(counter).to_contain_text("1 phần")
    page.dblclick("#send")
    page.wait_for_selector("#messages li.out:has-text('Moi ong/ba mang the can cuoc')")
    assert page.input_value("#text") == "" and len(station.phones.answers()) == 1
    page.click("#canned summary")
    page.locator("[data-canned]").first.click()
    sync_api.expect(counter).to_contain_text("1 phần")


def test_nothing_is_wider_than_the_screen(page, station):
    promotion = station.phones.conversation("VIETTEL").id
    for width in (390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        for path in (f"/{station.talk}", f"/{promotion}", "?way=sms"):
            page.goto(f"/admin/inbox{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
