"""What citizens see: the form takes what is right, says what is wrong beside the field, and loses nothing typed."""

from __future__ import annotations

import flask
import pytest
from sqlalchemy import select

from gateway import database, queue, registrations, tables
from tests.gateway import browsing

LONG = "An" * 5_000


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def app(sqlite, config, now):
    return browsing.station(config, sqlite, now)


@pytest.fixture
def visitor(app):
    return browsing.Visitor(app)


@pytest.fixture
def registered(visitor, now):
    """An and Bình are registered; the path of their page."""
    answer = visitor.post("/dang-ky", browsing.family(now))
    assert answer.status_code == 303
    return answer.location


@pytest.fixture
def tickets(registered, sqlite, config, now):
    """The numbers of the family are given, and it is their day."""
    with database.writing(sqlite) as session:
        shift_id = session.scalar(select(tables.Registration.shift_id))
        registrations.give_numbers(session, shift_id, config, now[0])
        found = session.scalars(select(tables.Ticket).order_by(tables.Ticket.n)).all()
    now[0] = found[0].slot_at - 600
    return found


def test_two_people_are_registered_and_their_consent_is_kept_as_it_was_read(visitor, registered, sqlite):
    with database.reading(sqlite) as session:
        made = session.scalars(select(tables.Registration)).one()
        people = session.scalars(select(tables.Applicant).order_by(tables.Applicant.position)).all()
    assert [(one.name, one.relation, one.priority) for one in people] == [
        ("Nguyễn Thị An", "self", False),
        ("Trần Bình", "child", True),
    ]
    assert (made.phone, made.language, registered) == ("+84905123456", "vi", f"/r/{made.token}")
    assert made.consent_text in visitor.text("/dang-ky")
    page = visitor.text(registered)
    assert "Nguyễn Thị An" in page and "Trần Bình" in page and "Cấp đổi căn cước" in page


def test_who_reads_english_agrees_to_the_english_sentence(visitor, now, sqlite):
    assert visitor.post("/dang-ky", browsing.family(now), "/dang-ky?lang=en").status_code == 303
    with database.reading(sqlite) as session:
        made = session.scalars(select(tables.Registration)).one()
    assert made.language == "en" and made.consent_text.startswith("I agree")


def test_consent_is_never_ticked_beforehand(visitor):
    box = visitor.get("/dang-ky").text.split('id="consent"')[1].split(">")[0]
    assert "checked" not in box


WRONG = [
    ({"phone": "12"}, "Số điện thoại chưa đủ", "too few or too many digits"),
    ({"phone": ""}, "Vui lòng nhập số điện thoại", "Please enter a phone number"),
    ({"phone": "9" * 10_000}, "Số điện thoại quá dài", "The phone number is too long"),
    ({"contact_name": LONG}, "dài quá 80 ký tự", "longer than 80 characters"),
    ({"contact_name": "An\x1b[2J"}, "ký tự điều khiển", "control characters"),
    ({"people-1-name": "Bình\x00"}, "ký tự điều khiển", "control characters"),
    ({"people-1-name": "1234"}, "phải có chữ cái", "must contain letters"),
    ({"people-1-name": ""}, "Vui lòng nhập họ và tên", "Please enter the full name"),
    ({"people-1-name": "nguyễn thị an"}, "đã có đăng ký", "registered for that day already"),
    ({"people-1-relation": "boss"}, "Vui lòng chọn quan hệ", "Please choose the relation"),
    ({"people-0-service": "pizza"}, "Không có thủ tục này", "There is no such service"),
    ({"people-0-service": ""}, "Vui lòng chọn thủ tục", "Please choose a service"),
    ({"when": "TK1 2026-11-20"}, "Ngày này đã qua", "This day is past"),
    ({"when": "TK9 2026-11-25"}, "Không có điểm làm thủ tục", "no such site"),
    ({"when": "TK1 2026-02-31"}, "Vui lòng chọn điểm", "choose a site and a day"),
    ({"when": LONG}, "Vui lòng chọn điểm", "choose a site and a day"),
    ({"consent": ""}, "Cần đánh dấu đồng ý", "Please tick the box"),
]


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(("change", "vi", "en"), WRONG)
def test_bad_input_is_answered_in_the_forms_language_and_changes_nothing(
    visitor, now, sqlite, language, change, vi, en
):
    before = browsing.counted(sqlite)
    given = browsing.family(now, **change)
    if not given["consent"]:
        del given["consent"]
    answer = visitor.post("/dang-ky", given, f"/dang-ky?lang={language}")
    assert answer.status_code == 422
    assert (vi if language == "vi" else en) in answer.text
    assert (en if language == "vi" else vi) not in answer.text
    assert browsing.counted(sqlite) == before


def test_what_was_typed_is_still_there_after_a_mistake(visitor, now):
    answer = visitor.post("/dang-ky", browsing.family(now, phone="12"))
    for kept in ('value="Nguyễn Thị An"', 'value="Trần Bình"', 'value="12"', 'value="new" selected'):
        assert kept in answer.text
    box = answer.text.split('id="consent"')[1].split(">")[0]
    day = answer.text.split(f'value="TK1 {browsing.day(now)}"')[1].split(">")[0]
    priority = answer.text.split('id="people-1-priority"')[1].split(">")[0]
    assert all("checked" in one for one in (box, day, priority))


def test_the_mistake_is_tied_to_its_field(visitor, now):
    page = visitor.post("/dang-ky", browsing.family(now, phone="12")).text
    field = page.split('id="phone"')[1].split(">")[0]
    assert 'aria-invalid="true"' in field and "phone-wrong" in field
    assert page.count("aria-invalid") == 1


def test_control_characters_do_not_come_back_on_the_page(visitor, now):
    answer = visitor.post("/dang-ky", browsing.family(now, contact_name="An\x1b[2J\x07"))
    assert "\x1b" not in answer.text and "\x07" not in answer.text
    assert 'value="An[2J"' in answer.text


def test_a_name_that_looks_like_markup_is_shown_as_text(visitor, now, sqlite):
    name = "<script>alert(1)</script>"
    answer = visitor.post("/dang-ky", browsing.family(now, **{"people-1-name": name}))
    page = visitor.get(answer.location).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "<script>alert" not in page


def test_a_form_without_its_token_is_refused_and_changes_nothing(visitor, now, sqlite):
    before = browsing.counted(sqlite)
    assert visitor.client.post("/dang-ky", data=browsing.family(now)).status_code == 400
    assert browsing.counted(sqlite) == before


def test_a_full_morning_does_not_hide_the_afternoon(visitor, now, sqlite):
    with database.writing(sqlite) as session:
        site = session.scalar(select(tables.Site.id).filter_by(code="TK1"))
        morning = session.scalars(select(tables.Shift).filter_by(site_id=site, day=browsing.day(now))).one()
        morning.closes_at = morning.opens_at + 900  # shorter than a slot: no places
        later = {"opens_at": morning.opens_at + 18_000, "closes_at": morning.opens_at + 30_000}
        session.add(tables.Shift(site_id=site, day=morning.day, **later))
    assert visitor.post("/dang-ky", browsing.family(now)).status_code == 303


def test_a_day_without_places_is_shown_and_cannot_be_chosen(visitor, now, sqlite):
    with database.writing(sqlite) as session:
        for shift in session.scalars(select(tables.Shift).filter_by(day=browsing.day(now))):
            shift.closes_at = shift.opens_at + 900
    choice = visitor.get("/dang-ky").text.split(f'value="TK1 {browsing.day(now)}"')[1].split(">")[0]
    assert "disabled" in choice


@pytest.mark.parametrize("path", ["/", "/dang-ky", "/staff/login", "/p/unknown", "/r/unknown"])
def test_every_open_page_speaks_both_languages(visitor, path):
    vietnamese, english = (visitor.text(f"{path}?lang={language}") for language in ("vi", "en"))
    assert '<html lang="vi">' in vietnamese and "Dành cho nhân viên" in vietnamese
    assert '<html lang="en">' in english and "For staff" in english
    assert "Dành cho nhân viên" not in english


def test_the_start_page_shows_each_site_with_its_hours_and_how_many_wait(visitor, sqlite, config, now):
    _walk_in(sqlite, config, now)
    page = visitor.text("/")
    assert "Điểm cấp căn cước An Mỹ" in page and "Điểm cấp căn cước Hoà Hương" in page
    assert 'data-waiting="1"' in page and 'data-waiting="0"' in page
    assert "Đang mở cửa" in page


def test_a_registration_without_numbers_says_when_they_come(visitor, registered):
    assert "15:00 chiều hôm trước" in visitor.text(registered)


def test_one_person_is_cancelled_and_the_other_stays(visitor, registered, sqlite):
    with database.reading(sqlite) as session:
        binh = session.scalar(select(tables.Applicant.id).filter_by(name="Trần Bình"))
    assert visitor.post(f"{registered}/cancel", {"applicant": binh}, registered).status_code == 303
    with database.reading(sqlite) as session:
        states = dict(session.execute(select(tables.Applicant.name, tables.Applicant.state)).all())
    assert states == {"Nguyễn Thị An": "registered", "Trần Bình": "cancelled"}


def test_nobody_cancels_a_person_of_another_registration(visitor, registered, now, sqlite):
    chi = {"contact_name": "Lê Chi", "phone": "0912345678", "people-1-name": "Lê Cường"}
    other = visitor.post("/dang-ky", browsing.family(now, **chi)).location
    with database.reading(sqlite) as session:
        an = session.scalar(select(tables.Applicant.id).filter_by(name="Nguyễn Thị An"))
    visitor.post(f"{other}/cancel", {"applicant": an}, other)
    with database.reading(sqlite) as session:
        assert session.get_one(tables.Applicant, an).state == "registered"


def test_numbers_once_given_are_on_the_registrations_page(visitor, registered, tickets):
    page = visitor.text(registered)
    for ticket in tickets:
        assert f'href="/p/{ticket.token}"' in page and f'data-number="{ticket.number}"' in page


def _walk_in(engine, config, now):
    with database.writing(engine) as session:
        site = session.scalar(select(tables.Site.id).filter_by(code="TK1"))
        service = session.scalar(select(tables.Service.id).filter_by(code="new"))
        person = queue.WalkIn(site, browsing.day(now, 0), service, now[0], series="B", n=17)
        return queue.admit(session, person, config.policy, now[0], "K1")


def _counter(session):
    site = session.scalar(select(tables.Site.id).filter_by(code="TK1"))
    return session.scalar(select(tables.Counter.id).filter_by(site_id=site, label="2"))


def test_a_persons_page_tells_every_state_from_booked_to_done(visitor, tickets, sqlite, config, now):
    ticket = tickets[0]
    told = []

    def look():
        told.append(
            (visitor.get(f"/p/{ticket.token}.json").json["state"], visitor.text(f"/p/{ticket.token}"))
        )

    look()
    with database.writing(sqlite) as session:
        queue.check_in(session, ticket.id, config.policy, now[0], "an")
    look()
    for verb in (queue.call_next, queue.start, queue.finish):
        with database.writing(sqlite) as session:
            verb(session, _counter(session), ticket.day, now[0], "an")
        look()
    said = ["Chưa báo có mặt", "Đang chờ đến lượt", "Mời đến Quầy 2", "Đang làm thủ tục", "Đã xong"]
    assert [state for state, _ in told] == ["booked", "waiting", "called", "serving", "done"]
    assert all(sentence in page for sentence, (_, page) in zip(said, told, strict=True))
    assert all(f'data-number="{ticket.number}"' in page for _, page in told)


def test_who_missed_the_call_is_told_until_when_to_come_back(visitor, tickets, sqlite, config, now):
    ticket = tickets[0]
    with database.writing(sqlite) as session:
        queue.check_in(session, ticket.id, config.policy, now[0], "an")
        queue.call_next(session, _counter(session), ticket.day, now[0], "an")
        queue.no_show(session, _counter(session), ticket.day, now[0], "an")
    assert "trước 07:50" in visitor.text(f"/p/{ticket.token}")  # missed at 07:20
    now[0] += config.policy.missed_within + 1
    assert "Mời lấy số mới" in visitor.text(f"/p/{ticket.token}")


def test_a_waiting_person_sees_how_many_are_ahead_and_why(visitor, sqlite, config, now):
    ticket = _walk_in(sqlite, config, now)
    state = visitor.get(f"/p/{ticket.token}.json").json
    assert (state["number"], state["ahead"], state["eta"]) == ("B017", 0, "08:00–08:05")
    assert state["why"] == "Lấy số tại chỗ: gọi theo giờ lấy số."
    english = visitor.get(f"/p/{ticket.token}.json?lang=en").json
    assert english["why"] == "Ticket taken here: called by the time on the ticket."


def test_a_page_that_did_not_change_costs_no_answer(visitor, sqlite, config, now):
    ticket = _walk_in(sqlite, config, now)
    path = f"/p/{ticket.token}.json"
    first = visitor.get(path)
    again = visitor.get(path, **{"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    with database.writing(sqlite) as session:
        queue.call_next(session, _counter(session), ticket.day, now[0], "an")
    assert visitor.get(path, **{"If-None-Match": first.headers["ETag"]}).json["state"] == "called"


def test_the_page_shows_a_booked_name_shortened(visitor, tickets):
    page = visitor.text(f"/p/{tickets[0].token}")
    assert "N. T. AN" in page and "Nguyễn Thị An" not in page


def test_a_booked_person_gives_the_number_up_and_is_told_nothing_more(visitor, tickets, sqlite):
    path = f"/p/{tickets[1].token}"
    assert visitor.post(f"{path}/cancel", {}, path).status_code == 303
    with database.reading(sqlite) as session:
        states = dict(session.execute(select(tables.Ticket.number, tables.Ticket.state)).all())
        person = session.scalar(select(tables.Applicant.state).filter_by(name="Trần Bình"))
        notice = session.scalar(select(tables.Notice.state).filter_by(ticket_id=tickets[1].id))
    assert (states, person, notice) == ({"001": "booked", "002": "cancelled"}, "cancelled", "cancelled")
    assert "Đã huỷ" in visitor.text(path)


def test_a_number_that_is_called_is_not_given_up_on_the_phone(visitor, sqlite, config, now):
    ticket = _walk_in(sqlite, config, now)
    path = f"/p/{ticket.token}"
    token_page = "/dang-ky"
    with database.writing(sqlite) as session:
        queue.call_next(session, _counter(session), ticket.day, now[0], "an")
    visitor.post(f"{path}/cancel", {}, token_page)
    with database.reading(sqlite) as session:
        assert session.get_one(tables.Ticket, ticket.id).state == "called"


def test_the_qr_code_is_a_picture_of_the_pages_address(visitor):
    answer = visitor.get("/p/abcdefgh.svg")
    assert answer.mimetype == "image/svg+xml" and b"<svg" in answer.data
    assert answer.data != visitor.get("/p/hgfedcba.svg").data


def test_the_board_shows_the_call_and_no_name(visitor, tickets, sqlite, config, now):
    waiting = _walk_in(sqlite, config, now)
    with database.writing(sqlite) as session:
        queue.check_in(session, tickets[0].id, config.policy, now[0], "an")
        first = queue.call_next(session, _counter(session), tickets[0].day, now[0], "an")
    page = visitor.text("/board/TK1")
    last = page.split('id="last"')[1].split(">")[0]
    assert f'data-number="{first.number}"' in last and 'data-counter="2"' in last and 'data-calls="1"' in last
    follows = page.split('id="next"')[1].split("</ol>")[0]
    assert ({waiting.number, "001"} - {first.number}).pop() in follows
    assert "Nguyễn" not in page and "AN" not in page.split("<main>")[1]


def test_a_board_of_no_site_is_not_found(visitor):
    assert visitor.get("/board/TK9").status_code == 404
    assert visitor.get("/board").location == "/board/TK1"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_an_error_is_told_in_the_readers_language_in_the_design_of_all_pages(app, language):
    told = {"vi": ("Lỗi máy chủ", "Chưa lưu gì."), "en": ("Server error", "Nothing was stored.")}
    title, detail = (" / ".join(half) for half in zip(told["vi"], told["en"], strict=True))
    with app.test_request_context(f"/?lang={language}"):
        page = flask.render_template("error.html", title=title, detail=detail, status=500)
    assert [all(half in page for half in told[one]) for one in ("vi", "en")] == [
        language == "vi",
        language == "en",
    ]
    assert "500" in page and "style.css" in page and browsing.inline(page) == []


def test_no_page_carries_what_the_content_policy_refuses(visitor, registered, tickets):
    pages = ["/", "/dang-ky", registered, f"/p/{tickets[0].token}", "/board/TK1", "/staff/login", "/p/x"]
    assert {path: browsing.inline(visitor.get(path).text) for path in pages} == {path: [] for path in pages}
