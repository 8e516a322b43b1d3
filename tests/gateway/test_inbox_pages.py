"""The inbox over HTTP: what may not be seen is not there, a press is one answer, the stream tells what is one's own."""

from __future__ import annotations

import io
import json
import re

import pytest
from sqlalchemy import func, select

from gateway import database, inbox, tables
from gateway.web import inbox_hub
from gateway.web.app import create_app, limiter
from tests.gateway import browsing, letters

PAGE = "/admin/inbox"
ACTS = ("answer", "note", "assign", "topic", "sensitive", "close", "again/1")
FIELDS = {"text": "Chào", "who": "an", "topic": "other", "on": "0"}


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def ids(app, sqlite, now):
    return letters.three(sqlite, now[0])


@pytest.fixture
def app(sqlite, config, now, uploaded):
    made = browsing.station(config, sqlite, now)
    made = create_app(config, sqlite, now=lambda: now[0], upload=uploaded)
    limiter.reset()
    return made


@pytest.fixture
def uploaded():
    """What would go to Zalo: called with name and octets; raises what it is told to."""

    class Upload:
        def __init__(self):
            self.given, self.fault = [], None

        def __call__(self, name, octets):
            if self.fault:
                raise self.fault
            self.given.append(name)
            return {"kind": "image", "id": f"P{len(self.given)}"}

    return Upload()


@pytest.fixture
def visit(app):
    def signed_in(name):
        made = browsing.Visitor(app)
        made.sign_in(name)
        return made

    return signed_in


def counted(engine, table):
    with database.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(table))


def said(engine, talk_id):
    with database.reading(engine) as session:
        rows = select(tables.ChatMessage).filter_by(conversation_id=talk_id).order_by(tables.ChatMessage.id)
        return [(one.way, one.text) for one in session.scalars(rows)]


# Who may


@pytest.mark.parametrize("path", ["", "/stream", "/canned", "/1"])
def test_without_signing_in_there_is_nothing(app, path):
    assert browsing.Visitor(app).get(PAGE + path).status_code == 302


def test_canned_answers_are_written_by_officers_only(visit, sqlite):
    an, before = visit("an"), counted(sqlite, tables.CannedAnswer)
    assert an.get(f"{PAGE}/canned").status_code == 403
    for path in ("", "/1", "/1/remove"):
        fields = {"title": "T", "text": "T", "topic": ""}
        assert an.post(f"{PAGE}/canned{path}", fields, PAGE).status_code == 403
    assert counted(sqlite, tables.CannedAnswer) == before


def test_a_complaint_has_no_trace_on_the_pages_of_staff(visit, ids):
    an, chi = visit("an"), visit("chi")
    assert an.get(f"{PAGE}/{ids['an']}").status_code == 404
    for path in ("?state=waiting", "?state=mine", "?state=closed", "?state=waiting&topic=complaint"):
        page = an.text(PAGE + path)
        assert "Nguyễn Thị An" not in page and f'data-thread="{ids["an"]}"' not in page
    assert "(2) Hộp thư" in an.text(PAGE) and "(3) Hộp thư" in chi.text(PAGE)
    for asked in ("tố cáo", "Nguyễn Thị An", "0905 123 456", "456"):
        assert "data-thread" not in an.post(f"{PAGE}/search", {"q": asked}, PAGE).text
        assert "data-thread" in chi.post(f"{PAGE}/search", {"q": asked}, PAGE).text


@pytest.mark.parametrize("act", [*ACTS, "phone"])
def test_staff_do_nothing_to_a_complaint(visit, ids, sqlite, act):
    an, before = visit("an"), browsing.counted(sqlite)
    answer = an.post(f"{PAGE}/{ids['an']}/{act}", FIELDS, PAGE)
    assert answer.status_code == (403 if act == "phone" else 404)
    assert browsing.counted(sqlite) == before and len(said(sqlite, ids["an"])) == 1


@pytest.mark.parametrize("act", ACTS)
def test_without_the_forms_token_nothing_is_done(visit, ids, sqlite, act):
    binh, before = visit("binh"), browsing.counted(sqlite)
    answer = binh.client.post(f"{PAGE}/{ids['binh']}/{act}", data=FIELDS)
    assert answer.status_code == 400 and browsing.counted(sqlite) == before


def test_whoever_marks_a_complaint_is_led_back_to_the_list(visit, ids):
    an = visit("an")
    answer = an.post(f"{PAGE}/{ids['binh']}/topic", {"topic": "complaint"}, f"{PAGE}/{ids['binh']}")
    assert answer.location == PAGE and "Đã chuyển cho cán bộ" in an.text(PAGE)


# Answering


def test_an_answer_comes_back_to_the_conversation_and_stands_there(visit, ids, sqlite):
    an, page = visit("an"), f"{PAGE}/{ids['binh']}?state=waiting"
    answer = an.post(f"{PAGE}/{ids['binh']}/answer?state=waiting", {"text": "Số 042 ạ"}, page)
    assert answer.status_code == 303 and answer.location == page
    assert "Số 042 ạ" in an.text(page) and "đang gửi" in an.text(page)


def test_two_presses_with_one_key_are_one_answer(visit, ids, sqlite):
    an, page = visit("an"), f"{PAGE}/{ids['binh']}"
    key = re.search(r'name="key" value="(\w+)"', an.get(page).text)[1]
    for _ in range(2):
        assert an.post(f"{page}/answer", {"text": "Số 042 ạ", "key": key}, page).status_code == 303
    assert counted(sqlite, tables.Notice) == 1
    assert an.post(f"{page}/answer", {"text": "Khác", "key": key}, page).status_code == 409
    assert counted(sqlite, tables.Notice) == 1


def test_a_file_is_uploaded_once_for_one_press_and_told_with_its_name(visit, ids, sqlite, uploaded):
    an, page = visit("an"), f"{PAGE}/{ids['binh']}"
    for _ in range(2):
        fields = {"text": "Bản đồ", "key": "k", "file": (io.BytesIO(letters.PNG), "ban do.png")}
        assert an.post(f"{page}/answer", fields, page).status_code == 303
    assert uploaded.given == ["ban do.png"] and counted(sqlite, tables.Notice) == 1
    assert "Ảnh: ban do.png" in an.text(page)


def test_a_file_that_zalo_did_not_take_sends_nothing(visit, ids, sqlite, uploaded):
    an, page = visit("an"), f"{PAGE}/{ids['binh']}"
    uploaded.fault = inbox.NotTaken("Zalo không nhận / Zalo did not take it")
    fields = {"text": "Bản đồ", "key": "k", "file": (io.BytesIO(letters.PNG), "a.png")}
    answer = an.post(f"{page}/answer", fields, page)
    assert answer.status_code == 503 and "Zalo không nhận" in answer.text
    assert counted(sqlite, tables.Notice) == 0
    uploaded.fault = None
    fields["file"] = (io.BytesIO(letters.PNG), "a.png")
    assert an.post(f"{page}/answer", fields, page).status_code == 303


def test_a_server_without_zalo_says_that_files_cannot_be_sent(sqlite, config, now):
    app = browsing.station(config, sqlite, now)
    ids, an = letters.three(sqlite, now[0]), browsing.Visitor(app)
    an.sign_in("an")
    fields = {"text": "", "file": (io.BytesIO(letters.PNG), "a.png")}
    answer = an.post(f"{PAGE}/{ids['binh']}/answer", fields, f"{PAGE}/{ids['binh']}")
    assert answer.status_code == 503 and counted(sqlite, tables.Notice) == 0


def test_a_script_is_told_in_json_what_went_wrong(visit, ids):
    an, page = visit("an"), f"{PAGE}/{ids['binh']}"
    token = re.search(r'name="csrf_token" value="([^"]+)"', an.get(page).text)[1]
    headers = {"Accept": "application/json", "X-CSRFToken": token}
    empty = an.client.post(f"{page}/answer", data={"text": " "}, headers=headers)
    assert empty.status_code == 422 and empty.json["detail"].startswith("Chưa có nội dung.")
    good = an.client.post(f"{page}/answer", data={"text": "Chào"}, headers=headers)
    assert good.status_code == 201 and len(good.json["messages"]) == 1


def test_when_the_time_is_over_there_is_no_answer_box_but_a_way_out(visit, ids, now):
    binh, page = visit("binh"), f"{PAGE}/{ids['chi']}"
    assert 'id="answer"' in binh.text(page)
    now[0] += 5 * letters.DAY
    closed = binh.text(page)
    assert 'id="answer"' not in closed and "Đã hết hạn trả lời qua Zalo" in closed
    assert "090***333" in closed and "https://zalo.me/99" in closed
    assert "tel:+84905222333" in binh.post(f"{page}/phone", {}, page).text


# What is shown


def test_what_a_citizen_writes_stays_text_and_its_links_lead_safely_on(visit, ids, sqlite, now):
    evil = (
        '<img src=x onerror=alert(1)> https://a.vn/?x="1"&y=<b> javascript:alert(1) 0905 222 333 123456789012'
    )
    with database.writing(sqlite) as session:
        talk = session.get_one(tables.Conversation, ids["binh"])
        letters.word(session, talk, evil, now[0])
        letters.word(
            session,
            talk,
            "",
            now[0],
            kind="image",
            attachments=[{"kind": "image", "url": "javascript:alert(1)"}],
        )
        letters.word(
            session,
            talk,
            "",
            now[0],
            kind="image",
            attachments=[{"kind": "image", "url": "https://f.zalo.me/1.jpg"}],
        )
    page = visit("an").get(f"{PAGE}/{ids['binh']}").text
    assert "<img src=x" not in page and 'href="javascript' not in page and 'src="javascript' not in page
    assert '<a href="https://a.vn/?x=" target="_blank" rel="noopener noreferrer">' in page
    assert 'href="tel:+84905222333"' in page and page.count("tel:") == 1
    assert 'src="https://f.zalo.me/1.jpg"' in page and browsing.inline(page) == []


def test_pictures_of_others_may_be_shown_here_and_nowhere_else(visit, ids, config):
    an = visit("an")
    here = an.get(f"{PAGE}/{ids['binh']}").headers["Content-Security-Policy"]
    assert "img-src 'self' data: https:" in here and "script" not in here and "'unsafe" not in here
    assert ("127.0.0.1" in here) == config.sandbox.on
    assert "https:" not in an.get("/staff").headers["Content-Security-Policy"]


def test_phones_are_masked_and_shown_to_officers_on_asking(visit, ids, sqlite):
    an, binh, page = visit("an"), visit("binh"), f"{PAGE}/{ids['chi']}"
    for text in (an.text(page), binh.text(page), an.text(PAGE)):
        assert "0905222333" not in text.replace(" ", "") and "90522" not in text
    assert "Hiện số" not in an.text(page) and an.post(f"{page}/phone", {}, page).status_code == 403
    assert "0905 222 333" in binh.post(f"{page}/phone", {}, page).text


def test_the_numbers_of_the_citizen_stand_beside_the_conversation(visit, ids, app, now, sqlite):
    browsing.Visitor(app).post("/dang-ky", browsing.family(now, phone="0905 222 333"))
    text = visit("an").text(f"{PAGE}/{ids['chi']}")
    assert "đã đăng ký, chưa có số" in text and "theo số điện thoại" in text and "Trần Bình" in text


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("path", ["", "/canned", "?state=closed&page=7", "?state=nonsense&topic=x&page=-1"])
def test_every_page_is_whole_in_both_languages(visit, ids, path, language):
    mark = "&" if "?" in path else "?"
    page = visit("binh").get(f"{PAGE}{path}{mark}lang={language}")
    assert page.status_code == 200 and browsing.inline(page.text) == []


def test_opening_ones_own_conversation_makes_it_read(visit, ids, sqlite):
    an, page = visit("an"), f"{PAGE}/{ids['binh']}"
    an.get(page)
    assert 'class="thread waiting unread' in an.text(PAGE)
    an.post(f"{page}/assign", {"who": "an"}, page)
    an.get(page)
    with database.reading(sqlite) as session:
        assert session.get_one(tables.Conversation, ids["binh"]).unread == 0


def test_who_looked_at_a_complaint_is_written_down(visit, ids, sqlite):
    chi = visit("chi")
    chi.get(f"{PAGE}/{ids['an']}")
    chi.get(f"{PAGE}/{ids['an']}", **{"X-Live": "1"})
    with database.reading(sqlite) as session:
        rows = session.scalars(select(tables.Audit).filter_by(action="inbox.open")).all()
    assert [(one.actor, one.subject) for one in rows] == [("chi", str(ids["an"]))]


@pytest.mark.parametrize("path", ["/999", "/9007199254740993", "/0"])
def test_what_does_not_exist_is_not_found(visit, ids, path):
    assert visit("chi").get(PAGE + path).status_code == 404


# The stream


class Watcher:
    """Reads a stream event by event."""

    def __init__(self, visitor, last=None):
        headers = {"Last-Event-ID": str(last)} if last is not None else {}
        self.answer = visitor.client.get(f"{PAGE}/stream", headers=headers, buffered=False)
        self.parts = self.answer.iter_encoded()
        next(self.parts)

    def event(self):
        """The next event's (id, data); heartbeats are passed over."""
        for part in self.parts:
            lines = dict(
                line.split(": ", 1) for line in part.decode().strip().split("\n") if not line.startswith(":")
            )
            if lines:
                assert lines["event"] == "inbox"
                return int(lines["id"]), json.loads(lines["data"])
        return None

    def close(self):
        self.answer.close()


@pytest.fixture
def watch(app, visit):
    opened = []

    def make(name, last=None):
        opened.append(Watcher(visit(name), last))
        return opened[-1]

    yield make
    app.extensions["gateway"].inbox.stop()
    for one in opened:
        one.close()


def act(engine, now, *given):
    with database.writing(engine) as session:
        given[0](session, *given[1:], now)


OFFICER = inbox.Reader("binh", True)


def test_the_stream_begins_with_the_counts_and_tells_what_changes(watch, ids, sqlite, now):
    one = watch("an")
    at, first = one.event()
    assert at == now[0] and first["counts"]["waiting"] == 2
    act(sqlite, now[0], inbox.assign, ids["binh"], OFFICER, "an")
    changed = {"id": ids["binh"], "state": "waiting", "unread": 1, "topic": "", "assigned_to": "an"}
    while True:
        _, told = one.event()
        if told["counts"]["mine"] == 1:
            break
    assert changed in told["changed"]


def test_the_stream_of_staff_never_names_a_complaint(watch, ids, sqlite, now):
    staff, chief = watch("an"), watch("chi")
    assert [one["id"] for one in staff.event()[1]["changed"]] == []
    chief.event()
    act(sqlite, now[0], inbox.assign, ids["an"], OFFICER, "binh")
    while ids["an"] not in [one["id"] for one in chief.event()[1]["changed"]]:
        pass
    act(sqlite, now[0], inbox.set_topic, ids["binh"], OFFICER, "complaint")
    seen = []
    while True:
        _, told = staff.event()
        seen += [one["id"] for one in told["changed"]]
        if told["counts"]["waiting"] == 1:
            break
    assert ids["an"] not in seen and told["changed"] == []


def test_who_comes_back_hears_what_changed_meanwhile(watch, ids, sqlite, now):
    now[0] += 100
    act(sqlite, now[0], inbox.close, ids["binh"], OFFICER)
    _, told = watch("an", last=now[0] - 50).event()
    assert [(one["id"], one["state"]) for one in told["changed"]] == [(ids["binh"], "closed")]
    assert watch("an", last=now[0] + 1).event()[1]["changed"] == []


def test_the_stream_ends_for_whoever_may_not_look_any_more(watch, ids, sqlite, now):
    one = watch("an")
    one.event()
    with database.writing(sqlite) as session:
        session.scalars(select(tables.Staff).filter_by(name="an")).one().active = False
    act(sqlite, now[0], inbox.close, ids["binh"], OFFICER)
    assert one.event() is None


def test_no_more_watch_than_the_server_bears(app, visit):
    hub = app.extensions["gateway"].inbox
    for _ in range(inbox_hub.MOST_WATCHING):
        assert hub.admit()
    an = visit("an")
    assert an.get(f"{PAGE}/stream").status_code == 503
    for _ in range(inbox_hub.MOST_WATCHING):
        hub.leave()
    assert an.client.get(f"{PAGE}/stream", buffered=False).status_code == 200
    hub.stop()
    assert not hub.admit()


def test_a_full_inbox_shows_fifty_messages_at_first(visit, sqlite, now):
    binh = visit("binh")
    letters.many(sqlite, now[0], 200, 60)
    page = binh.text(f"{PAGE}/1")
    assert page.count("data-message=") == 50 and "Xem tin cũ hơn" in page
    assert binh.text(f"{PAGE}/1?before=11").count("data-message=") == 10
