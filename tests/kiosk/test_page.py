"""The touch page in a real Chromium, upright and lying, with a printer and without its paper."""

import os

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.processes]
UPRIGHT, LYING = {"width": 1080, "height": 1920}, {"width": 1280, "height": 800}
# A folder for pictures of what the test saw; without it none are kept.
PICTURES = os.environ.get("KIOSK_PICTURES")


@pytest.fixture
def page_of(chromium, station):
    """page_of(size): the kiosk's page, opened when the kiosk has heard the gateway and the printer."""
    station.start()
    pages = []

    def opened(size, ready=lambda now: now["online"] and now["printer"]["ready"]):
        station.until(ready)
        page = chromium.new_page(viewport=size)
        pages.append(page)
        page.faults = []
        page.on("pageerror", lambda fault: page.faults.append(str(fault)))
        page.on("console", lambda said: said.type == "error" and page.faults.append(said.text))
        page.goto(f"http://127.0.0.1:{station.port}/")
        page.get_by_text("Xin mời chọn thủ tục").wait_for()
        page.locator(".service").first.wait_for()
        return page

    yield opened
    for page in pages:
        page.close()


def picture(page, name):
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png")


def fits(page):
    """Whether everything of the screen shown lies between the header and the footer, and nothing is cut."""
    return page.evaluate("""() => {
        const top = document.querySelector("header").getBoundingClientRect().bottom;
        const bottom = document.querySelector("footer").getBoundingClientRect().top;
        const shown = [...document.querySelectorAll(".screen:not([hidden]) *")].filter((one) => one.offsetParent);
        return shown.every((one) => {
            const box = one.getBoundingClientRect();
            return box.top >= top && box.bottom <= bottom && box.left >= 0 && box.right <= innerWidth;
        }) && bottom <= innerHeight;
    }""")


def both_ways(page, name, buttons=None):
    """Whatever is shown fits on an upright screen and on a lying one, where its buttons are large."""
    for way, size in (("upright", UPRIGHT), ("lying", LYING)):
        page.set_viewport_size(size)
        picture(page, f"{way}-{name}")
        assert fits(page), f"{name} on the {way} screen"
        for button in page.locator(buttons).all() if buttons else ():
            assert button.bounding_box()["height"] >= 100, f"{name} on the {way} screen"


def test_nothing_covers_anything_on_a_seven_inch_screen(page_of):
    page = page_of({"width": 800, "height": 480})
    picture(page, "small-start")
    boxes = [one.bounding_box() for one in page.locator("#start button").all()]
    assert len(boxes) >= 3
    for place, one in enumerate(boxes):
        assert one["height"] >= 64
        assert one["y"] + one["height"] <= 480
        for other in boxes[:place]:
            apart = one["y"] >= other["y"] + other["height"] or one["x"] >= other["x"] + other["width"]
            assert apart or other["x"] >= one["x"] + one["width"] or other["y"] >= one["y"] + one["height"]


def test_a_person_presses_a_button_and_sees_the_number(page_of, station):
    page = page_of(LYING)
    both_ways(page, "start", "#start button")
    page.get_by_role("button", name="Cấp căn cước lần đầu").click()
    page.locator("#number", has_text="B001").wait_for()
    assert page.get_by_text("Xin lấy phiếu ở khe in.").is_visible()
    assert page.get_by_text("5 người").last.is_visible()
    both_ways(page, "given")
    assert station.printer.wait_for(1, 30)
    page.get_by_role("button", name="Xong").click()
    page.get_by_text("Xin mời chọn thủ tục").wait_for()
    station.gateway.wait(lambda them: them.issued())
    assert [event["number"] for event in station.gateway.issued()] == ["B001"]
    assert page.faults == []


def test_priority_and_english_are_asked_for_and_gone_for_the_next_person(page_of, station):
    page = page_of(LYING)
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Priority: elderly").click()
    page.get_by_text("Does one of these apply to you?").wait_for()
    both_ways(page, "asking")
    page.get_by_role("button", name="Yes, priority number").click()
    picture(page, "priority")
    page.get_by_role("button", name="Renew identity card").click()
    page.locator("#number", has_text="B001").wait_for()
    picture(page, "priority-given")
    page.get_by_role("button", name="Done").click()
    page.get_by_text("Xin mời chọn thủ tục").wait_for()
    assert page.locator("#priority").get_attribute("aria-pressed") == "false"
    station.gateway.wait(lambda them: them.issued())
    [event] = station.gateway.issued()
    assert (event["service"], event["priority"], event["language"]) == ("renew", True, "en")


def test_without_paper_and_gateway_the_screen_keeps_the_number(page_of, station):
    page = page_of(LYING)
    station.printer.fault("paper_out", True)
    station.gateway.key = "changed"  # every call is refused from now on: no contact
    page.get_by_text("Máy in hết giấy.").wait_for()
    page.get_by_text("Đang mất kết nối.").wait_for()
    both_ways(page, "trouble")
    page.locator(".service").first.click()
    page.locator("#number", has_text="B001").wait_for()
    page.get_by_text("Xin ghi nhớ số này").wait_for()
    assert page.locator("#qr").bounding_box()["width"] >= 120
    both_ways(page, "no-paper")


def test_six_services_with_long_names_and_every_trouble_still_fit(page_of, station):
    page = page_of(LYING)
    station.gateway.state["services"] += [
        {"code": "child", "name": {"vi": "Cấp căn cước cho trẻ em dưới 14 tuổi", "en": "Card for a child"}},
        {"code": "paper", "name": {"vi": "Xác nhận số chứng minh nhân dân", "en": "Confirm an old number"}},
    ]
    page.locator(".service").nth(5).wait_for()
    station.printer.fault("paper_out", True)
    page.get_by_text("Máy in hết giấy.").wait_for()
    station.gateway.key = "changed"
    page.get_by_text("Đang mất kết nối.").wait_for()
    both_ways(page, "six", ".service")


def test_a_double_tap_is_one_ticket(page_of, station):
    page = page_of(LYING)
    page.locator(".service").first.dblclick()
    page.locator("#number", has_text="B001").wait_for()
    assert station.status()["last"]["number"] == "B001"


def test_a_closed_station_says_so_instead_of_buttons(page_of, station):
    page = page_of(LYING)
    station.gateway.state["shift"] |= {"open": False, "reason": {"vi": "Đã hết chỗ hôm nay.", "en": "Full."}}
    page.get_by_text("Đã hết chỗ hôm nay.").wait_for()
    assert not page.locator(".service").first.is_visible()
    picture(page, "lying-closed")


def test_when_the_program_is_gone_the_page_says_wait_and_comes_back_by_itself(page_of, station):
    page = page_of(LYING)
    station.end()
    page.get_by_text("Máy đang khởi động.").wait_for()
    station.start()
    page.locator(".service").first.wait_for()
    assert page.locator(".service").count() == 4
