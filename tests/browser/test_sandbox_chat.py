"""The phones of the sandbox's page in a real Chromium: a newcomer follows the page, writes, taps and shares."""

from __future__ import annotations

import pytest
import requests

from gateway.rules import settings
from gateway.sandbox import arrangement, pages, server
from tests.conftest import free_port
from tests.gateway import browsing

pytestmark = pytest.mark.browser
HOA = "+84901234567"
BUTTONS = [
    {"title": "Đăng ký", "type": "oa.open.url", "payload": {"url": "http://127.0.0.1:9/dang-ky?t=1"}},
    {"title": "Số của tôi", "type": "oa.query.show", "payload": "#so"},
    {"title": "Huỷ", "type": "oa.query.hide", "payload": "#huy"},
]
ASKED = {"title": "Công an phường", "subtitle": "Xin số điện thoại", "image_url": "https://example.vn/a.png"}


class Oa:
    """The page's side of the chat, as the product has it."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        pair = requests.get(f"{sandbox.url}/tools/token", timeout=5).json()
        self._headers = {"access_token": pair["access_token"]}
        self.hoa = requests.post(f"{sandbox.url}/users", json={"phone": HOA}, timeout=5).json()["user_id"]

    def say(self, message):
        body = {"recipient": {"user_id": self.hoa}, "message": message}
        url = f"{self.sandbox.url}/v3.0/oa/message/cs"
        answer = requests.post(url, json=body, headers=self._headers, timeout=5).json()
        assert answer["error"] == 0, answer

    def menu(self):
        payload = {"buttons": BUTTONS}
        self.say({"text": "Mời chọn", "attachment": {"type": "template", "payload": payload}})

    def ask(self):
        payload = {"template_type": "request_user_info", "elements": [ASKED]}
        self.say({"attachment": {"type": "template", "payload": payload}})

    def user(self):
        users = requests.get(f"{self.sandbox.url}/users", timeout=5).json()["users"]
        return next(one for one in users if one["phone"] == HOA)

    def heard(self):
        """What Hoa wrote, shown in her chat."""
        return [one.text for one in self.sandbox.network.messages(HOA) if one.via == "mine"]


@pytest.fixture
def oa(tmp_path):
    options = server.Options(port=free_port(), folder=tmp_path / "sandbox", people=arrangement.PEOPLE)
    sandbox = server.Sandbox(options)
    sandbox.start()
    yield Oa(sandbox)
    sandbox.stop()


@pytest.fixture
def page_at(sqlite, here, eight, oa, serve, window):
    """page_at(width, language): the sandbox's page; the test fails when a script does."""
    here = here.model_copy(update={"sandbox": settings.Sandbox(on=True, port=oa.sandbox.options.port)})
    logins = [("officer", "binh", browsing.PASSWORD), ("staff", "an", browsing.PASSWORD)]
    serve(browsing.opened(here, sqlite, [eight], (pages.blueprint_for(here, lambda: logins),)))

    def make(width=1280, language="vi"):
        page = window(width)
        page.set_default_timeout(20_000)
        page.goto(f"/sandbox?lang={language}")
        page.wait_for_selector(f"[data-phone='{HOA}']")
        return page

    return make


def phone(page, number=HOA):
    return page.locator(f"[data-phone='{number}']")


def test_a_newcomer_follows_with_one_press_and_writes(page_at, oa):
    page = page_at()
    phone(page).get_by_role("button", name="Quan tâm trang Zalo").click()
    phone(page).locator("[data-act=follow]").wait_for(state="hidden")
    assert oa.user()["following"]
    phone(page).locator("input[name=text]").fill("Xin số thứ tự")
    phone(page).locator("input[name=text]").press("Enter")
    phone(page).locator(".bubble.written", has_text="Xin số thứ tự").wait_for()
    assert oa.heard() == ["Xin số thứ tự"] and phone(page).locator("input[name=text]").input_value() == ""


def test_what_is_being_typed_survives_new_messages(page_at, oa):
    page = page_at()
    phone(page).locator("[data-act=follow]").click()
    phone(page).locator("[data-act=follow]").wait_for(state="hidden")
    phone(page).locator("input[name=text]").fill("đang gõ")
    oa.say({"text": "Chào bà Hoa"})
    oa.sandbox.network.deliver("+84912345678", via="sms", sender="CA", text="tin khác")
    phone(page).locator(".bubble.zalo").wait_for()
    phone(page, "+84912345678").wait_for()
    assert phone(page).locator("input[name=text]").input_value() == "đang gõ"
    assert page.evaluate("document.activeElement.name") == "text"


def test_buttons_say_their_payload_and_links_open_beside(page_at, oa):
    page = page_at()
    phone(page).locator("[data-act=follow]").click()
    phone(page).locator("[data-act=follow]").wait_for(state="hidden")
    oa.menu()
    phone(page).get_by_role("button", name="Số của tôi").click()
    phone(page).locator(".bubble.written", has_text="#so").wait_for()
    link = phone(page).get_by_role("link", name="Đăng ký")
    assert link.get_attribute("href") == "http://127.0.0.1:9/dang-ky?t=1"
    assert link.get_attribute("target") == "_blank"
    phone(page).get_by_role("button", name="Huỷ").click()
    page.wait_for_load_state("networkidle")
    assert oa.heard() == ["#so"]  # a hidden one is told to the page, not shown


def test_the_page_asks_for_a_phone_and_the_person_shares_it(page_at, oa):
    page = page_at()
    phone(page).locator("[data-act=follow]").click()
    phone(page).locator("[data-act=follow]").wait_for(state="hidden")
    oa.ask()
    phone(page).get_by_role("button", name="Chia sẻ số điện thoại").click()
    form = phone(page).locator("[data-part=share]")
    values = [form.locator(f"[name={name}]").input_value() for name in ("name", "phone")]
    assert values == ["Nguyễn Thị Hoa", "0901 234 567"]
    form.get_by_role("button", name="Chia sẻ", exact=True).click()
    form.wait_for(state="hidden")
    assert oa.user()["shared"]


def test_a_sent_picture_is_shown_and_a_message_that_was_looked_at_is_seen(page_at, oa):
    page = page_at()
    phone(page).locator("[data-act=follow]").click()
    phone(page).locator("[data-act=picture]").click()
    phone(page).locator(".bubble.written img").wait_for()
    assert page.wait_for_function(
        "[...document.querySelectorAll('.bubble img')].every((one) => one.naturalWidth)"
    )
    oa.say({"text": "Đã nhận ảnh"})
    phone(page).scroll_into_view_if_needed()
    with page.expect_response("**/seen"):
        phone(page).locator(".bubble.zalo").wait_for()
    assert oa.user()["unseen"] == 0


def test_who_blocks_the_page_cannot_write_until_they_unblock(page_at, oa):
    page = page_at()
    phone(page).locator("[data-act=block]").click()
    phone(page).locator("[data-part=compose]").wait_for(state="hidden")
    assert oa.user()["blocked"]
    phone(page).locator("[data-act=unblock]").click()
    phone(page).locator("[data-part=compose]").wait_for()
    assert not oa.user()["blocked"]


def test_a_phone_is_added_by_its_number_and_a_wrong_one_is_told(page_at):
    page = page_at()
    page.fill("#new-phone", "0912 34")
    page.click("#phone-form button")
    page.wait_for_selector("#phone-wrong", state="visible")
    page.fill("#new-phone", "0912 345 678")
    page.click("#phone-form button")
    phone(page, "+84912345678").wait_for()
    assert page.is_hidden("#phone-wrong") and page.input_value("#new-phone") == ""


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_page_is_no_wider_than_its_screen(page_at, oa, request, language):
    page = page_at(390, language)
    phone(page).locator("[data-act=follow]").click()
    phone(page).locator("[data-act=follow]").wait_for(state="hidden")
    oa.menu()
    oa.ask()
    oa.say({"text": "https://example.vn/" + "rat-dai-" * 30})
    phone(page).locator("[data-act=picture]").click()
    phone(page).locator(".bubble.written").wait_for()
    phone(page).locator(".bubble.zalo").nth(2).wait_for()
    for width in (390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert over <= 0, f"{over} px too wide at {width}"
        if folder := request.config.getoption("--pictures"):
            page.screenshot(path=f"{folder}/sandbox-{width}-{language}.png", full_page=True)


def test_every_field_and_button_has_a_name(page_at):
    nameless = """() => [...document.querySelectorAll('input:not([type=hidden]), select, button, a')]
        .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML)"""
    assert page_at().evaluate(nameless) == []
