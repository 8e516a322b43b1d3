"""The inbox in a real Chromium: live, one answer a press, nothing lost by a lost link, readable at every width."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, inbox, tables
from tests.gateway import browsing, letters

pytestmark = pytest.mark.browser
STAFF = inbox.Reader("an", False)


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def station(sqlite, here, now, serve):
    """A station that is really served, with three conversations: (ids, what was uploaded, start, stop)."""
    given = []

    def upload(name, octets):
        given.append((name, len(octets)))
        return {"kind": "image", "id": "P1"}

    class Station:
        ids, uploaded = letters.three(sqlite, now[0]), given

        def start(self):
            self.stop = serve(browsing.opened(here, sqlite, now, upload=upload)).stop

    made = Station()
    made.start()
    return made


@pytest.fixture
def at_desk(station, window, enter):
    """at_desk(name, path): a page of somebody signed in; the test fails when a script does."""

    def make(name="binh", path="", width=1280, script=True):
        page = window(width, script)
        enter(page, name, f"/admin/inbox{path}")
        page.wait_for_selector("#threads", state="attached")
        return page

    return make


def write(engine, talk_id, text, now):
    """The citizen writes once more."""
    with database.writing(engine) as session:
        talk = session.get_one(tables.Conversation, talk_id)
        talk.state, talk.unread, talk.changed_at, talk.asked_at = "waiting", talk.unread + 1, now, now
        session.get_one(tables.ZaloUser, talk.user_id).seen_at = now
        letters.word(session, talk, text, now)


def notices(engine):
    with database.reading(engine) as session:
        return [one.data["text"] for one in session.scalars(select(tables.Notice))]


def test_what_a_citizen_writes_appears_by_itself_in_list_and_conversation(at_desk, station, sqlite, now):
    page = at_desk("an", f"/{station.ids['binh']}")
    now[0] += 5
    write(sqlite, station.ids["binh"], "Có ai ở đó không ạ?", now[0])
    page.wait_for_selector("#messages li:has-text('Có ai ở đó')")
    page.wait_for_selector("#threads li:has-text('Có ai ở đó')")
    assert page.title().startswith("(2) ")


def test_an_answer_is_written_once_shown_at_once_and_its_fate_follows(at_desk, station, sqlite, now):
    page = at_desk("an", f"/{station.ids['binh']}")
    page.fill("#text", "Số 042 ạ")
    assert page.inner_text("#counter") == "8 / 2000"
    page.locator("#send").dblclick()
    page.wait_for_selector("#messages li.out[data-state=sending]:has-text('Số 042 ạ')")
    assert page.input_value("#text") == "" and notices(sqlite) == ["Số 042 ạ"]
    with database.writing(sqlite) as session:
        row = session.scalars(select(tables.Notice)).one()
        row.state, row.reason, row.changed_at = "failed", "đã chặn / blocked", now[0] + 1
    page.wait_for_selector("#messages li.out[data-state=failed]:has-text('đã chặn')")
    page.click("text=Gửi lại")
    page.wait_for_selector("#messages li.out[data-state=sending]")
    assert len(notices(sqlite)) == 2 and page.locator("#messages li.out").count() == 1


def test_the_keyboard_is_enough_to_choose_a_canned_answer_and_send_it(at_desk, station, sqlite):
    page = at_desk("an", f"/{station.ids['chi']}")
    page.locator("#text").press_sequentially("/thuong tru")
    assert page.locator("#menu li").count() == 1
    page.keyboard.press("Enter")
    assert "dichvucong" in page.input_value("#text")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#messages li.out:has-text('dichvucong')")
    assert len(notices(sqlite)) == 1


def test_an_answer_outlives_a_restart_of_the_gateway_and_goes_once(at_desk, station, sqlite, now):
    page = at_desk("an", f"/{station.ids['binh']}")
    station.stop()
    page.wait_for_selector("#lost:not([hidden])")
    page.fill("#text", "Số 042 ạ")
    page.click("#send")
    page.wait_for_selector("#answered:has-text('Đang thử lại')")
    station.start()
    page.wait_for_selector("#messages li.out:has-text('Số 042 ạ')")
    page.wait_for_selector("#lost", state="hidden")
    now[0] += 5
    write(sqlite, station.ids["binh"], "Cảm ơn", now[0])
    page.wait_for_selector("#messages li:has-text('Cảm ơn')")
    assert notices(sqlite) == ["Số 042 ạ"]


def test_a_draft_stays_while_the_page_is_drawn_anew(at_desk, station, sqlite, now):
    page = at_desk("an", f"/{station.ids['binh']}")
    page.fill("#text", "Tôi đang viết")
    now[0] += 5
    write(sqlite, station.ids["binh"], "Thêm một câu", now[0])
    page.wait_for_selector("#messages li:has-text('Thêm một câu')")
    assert page.input_value("#text") == "Tôi đang viết"


def test_a_conversation_that_becomes_a_complaint_leaves_the_screens_of_staff(at_desk, station, sqlite, now):
    page, chief = at_desk("an", f"/{station.ids['binh']}"), at_desk("binh", f"/{station.ids['binh']}")
    chief.select_option("#topic", "complaint")
    chief.wait_for_selector(".talk-head .hush")
    page.wait_for_url("**/admin/inbox")
    assert "Trần Bình" not in page.inner_text("main")


def test_the_window_counts_down_and_closes_the_answer_box(at_desk, station, now):
    page = at_desk("binh", f"/{station.ids['chi']}")
    assert page.inner_text("#talk-head [data-window]") == "Mất phí: còn 4 ngày 0 giờ"
    now[0] += 4 * letters.DAY
    page.reload()
    page.wait_for_selector("#reply[data-answerable=no]")
    assert "Đã hết hạn trả lời qua Zalo" in page.inner_text("#reply")
    page.click("text=Hiện số")
    page.wait_for_selector("a[href='tel:+84905222333']")


def test_a_picture_a_quote_and_a_note_go_where_they_belong(at_desk, station, sqlite):
    page = at_desk("an", f"/{station.ids['binh']}")
    page.click("[data-quote]")
    assert "Số của tôi" in page.inner_text("#quoting")
    page.set_input_files("#file", {"name": "ban-do.png", "mimeType": "image/png", "buffer": letters.PNG})
    assert page.inner_text("#file-name") == "ban-do.png"
    page.fill("#text", "Ở đây ạ")
    page.click("#send")
    page.wait_for_selector("#messages li.out:has-text('ban-do.png')")
    assert "Số của tôi" in page.inner_text("#messages li.out blockquote")
    assert station.uploaded == [("ban-do.png", len(letters.PNG))]
    page.fill("#text", "Gọi lại chiều nay")
    page.click("text=Ghi chú nội bộ")
    page.wait_for_selector("#messages li.note:has-text('Gọi lại chiều nay')")
    assert notices(sqlite) == ["Ở đây ạ"]


def test_older_messages_come_on_demand_and_stay(at_desk, station, sqlite, now):
    letters.many(sqlite, now[0], 200, 120)
    with database.reading(sqlite) as session:
        full = session.scalars(select(tables.Conversation.id).filter_by(user_id="u0")).one()
    page = at_desk("binh", f"/{full}")
    assert page.locator("#messages li").count() == 50
    page.click("#older")
    page.wait_for_selector("#messages li:nth-child(100)")
    page.click("#older")
    page.wait_for_selector("#messages li:nth-child(120)")
    assert page.locator("#older").count() == 0
    now[0] += 5
    write(sqlite, full, "Câu mới nhất", now[0])
    page.wait_for_selector("#messages li:last-child:has-text('Câu mới nhất')")
    assert page.locator("#messages li").count() == 121


def test_everything_can_be_done_without_a_script(at_desk, station, sqlite):
    page = at_desk("an", f"/{station.ids['binh']}", script=False)
    page.click("text=Tôi nhận")
    page.select_option("#topic", "identity")
    page.locator("form:has(#topic) button").click()
    page.click("text=Trích")
    page.fill("#text", "Số 042 ạ")
    page.click("#send")
    assert "Số của tôi" in page.inner_text("#messages li.out blockquote")
    page.click("text=Đã xong việc")
    assert page.locator("#answer").count() == 0 and notices(sqlite) == ["Số 042 ạ"]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_page_is_wider_than_its_screen(at_desk, station, wider, language):
    paths = ("", f"/{station.ids['an']}", f"/{station.ids['chi']}", "/canned")
    assert wider(at_desk(), [f"/admin/inbox{path}?lang={language}" for path in paths]) == {}


def test_on_a_phone_the_list_and_the_conversation_come_one_after_the_other(at_desk, station):
    page = at_desk("an", width=390)
    assert page.locator(".talk").is_hidden()
    page.click(f"[data-thread='{station.ids['binh']}'] a")
    page.wait_for_selector("#send", state="visible")
    assert page.locator("#threads").is_hidden()
    page.click("text=Danh sách")
    page.wait_for_selector("#threads", state="visible")


def test_every_field_and_button_has_a_name(at_desk, station):
    page = at_desk()
    nameless = """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
        .filter((one) => !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML)"""
    found = {}
    for path in ("", f"/{station.ids['chi']}", "/canned"):
        page.goto(f"/admin/inbox{path}")
        some = page.evaluate(nameless)
        found |= {path: some} if some else {}
    assert found == {}
