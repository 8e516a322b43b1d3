"""A citizen and the page, as people do it: follow → register by the button → number → "số của tôi" → cancel,
and a complaint that the officer answers.

Real processes (`python -m gateway station`: gateway, worker, stand-in Zalo) and Chromium.
"""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, tables
from tests import running
from tests.browser.test_walk import DESK, HALL, PHONE, page_of, picture, sign_in, station

__all__ = ["page_of", "picture", "station"]
pytestmark = [pytest.mark.browser, pytest.mark.processes]
HOA = "+84901234567"
NAME = "Nguyễn Thị Hoa"


class Handset:
    """Hoa's phone on the sandbox's page."""

    def __init__(self, page):
        self.page = page
        page.goto("/sandbox")
        self.card = page.locator(f"[data-phone='{HOA}']")
        self.card.wait_for()

    def write(self, text):
        self.card.locator("input[name=text]").fill(text)
        self.card.locator("input[name=text]").press("Enter")
        self.card.locator(".bubble.written", has_text=text).last.wait_for()

    def hears(self, text):
        """Wait for the page's word, and give its bubble."""
        found = self.card.locator(".bubble.zalo", has_text=text).last
        found.wait_for()
        return found


def rows(station, wanted):
    engine = database.connect(station.config.database.url)
    with database.reading(engine) as session:
        found = session.scalars(wanted).all()
    engine.dispose()
    return found


def test_a_conversation_from_following_to_a_cancelled_number(station, page_of, picture):
    phone = Handset(page_of(HALL))

    # She follows the page and is greeted with a menu
    phone.card.get_by_role("button", name="Quan tâm trang Zalo").click()
    greeting = phone.hears("Kính chào Quý công dân")
    greeting.get_by_role("button", name="Đăng ký lấy số").click()

    # The button opens a form that knows whose Zalo it came from
    link = phone.hears("Liên kết dành riêng").get_by_role("link", name="Mở phiếu đăng ký")
    form = page_of(PHONE)
    form.goto(link.get_attribute("href"))
    form.fill("#contact_name", NAME)
    form.fill("#phone", "0901 234 567")
    form.locator(".person[data-row='0'] select").nth(1).select_option("new")
    form.locator("details[open] .day").nth(1).click()
    form.check("#consent")
    form.click("#send")
    form.wait_for_url("**/r/*")
    phone.hears("Đã đăng ký")
    (made,) = rows(station, select(tables.Registration))
    assert (made.source, made.contact_name, bool(made.zalo_user_id)) == ("zalo", NAME, True)

    # The link is used up: the form is there without it
    again = page_of(PHONE)
    again.goto(link.get_attribute("href"))
    again.locator("#send").wait_for()
    assert "đã được dùng để đăng ký" in again.content()

    # The afternoon's numbers come into the same chat, free of charge: one message, no SMS
    officer = page_of(DESK)
    sign_in(officer, station, "officer")
    officer.goto("/admin")
    officer.click("#give")
    told = phone.hears("có số 001")
    assert "N. T. HOA" in told.inner_text()
    running.until(
        lambda: rows(station, select(tables.Notice.state).filter_by(kind="appointment")) == ["delivered"],
        what="the receipt",
    )
    (attempt,) = rows(
        station,
        select(tables.Attempt).join(tables.Notice, tables.Notice.id == tables.Attempt.notice_id)
        .where(tables.Notice.kind == "appointment"),
    )  # fmt: skip
    assert (attempt.channel, attempt.cost) == ("zalo_cs", 0)

    # "số của tôi", without accents and mistyped
    phone.write("so cua toii")
    shown = phone.hears("Xem trên trang")
    assert all(part in shown.inner_text() for part in ("001", "07:30", "N. T. HOA"))
    picture(phone.page, "chat")

    # Cancel: asked once, confirmed once
    phone.write("huỷ lịch")
    phone.hears("Ông/bà chắc chắn muốn huỷ?").get_by_role("button", name="Vâng, huỷ").click()
    phone.hears("Đã huỷ 1 người")
    running.until(
        lambda: rows(station, select(tables.Ticket.state)) == ["cancelled"], what="the number to be given up"
    )


def test_a_complaint_is_seen_by_officers_only_and_answered_in_the_chat(station, page_of, picture):
    phone = Handset(page_of(HALL))
    complaint = "Tôi muốn tố cáo một cán bộ ở phường thu tiền ngoài quy định của gia đình tôi hôm qua"
    phone.write(complaint)
    phone.hears("Đã chuyển tin nhắn của Quý công dân đến cán bộ")

    staff = page_of(DESK)
    sign_in(staff, station, "staff")
    staff.goto("/admin/inbox")
    staff.locator("#threads").wait_for(state="attached")
    assert "tố cáo" not in staff.content()

    officer = page_of(DESK)
    sign_in(officer, station, "officer")
    officer.goto("/admin/inbox")
    officer.locator("#threads a", has_text="tố cáo").first.click()
    officer.locator("#messages li", has_text="thu tiền ngoài quy định").wait_for()
    picture(officer, "inbox")
    officer.fill("#text", "Chào bà Hoa, đơn của bà đã được ghi nhận. Mời bà đến phòng 3 sáng mai.")
    officer.keyboard.press("Control+Enter")
    phone.hears("Mời bà đến phòng 3 sáng mai")
    officer.locator("#messages li.out", has_text="đã được ghi nhận").last.wait_for()
    (talk,) = rows(station, select(tables.Conversation).where(tables.Conversation.closed_at.is_(None)))
    assert (talk.topic, talk.sensitive, talk.state) == ("complaint", True, "answered")
