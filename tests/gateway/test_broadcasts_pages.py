"""The officer's pages of a round: mistakes beside their field, nothing sent without looking and counting."""

from __future__ import annotations

import re
from datetime import date

import pytest
from sqlalchemy import func, select

from gateway import database, tables
from tests.gateway import browsing
from tests.gateway.evening import signed_in
from tests.gateway.mixed_audience import HOUR, follower, register, told_by

HOME = "/admin/broadcasts"
GOOD = {
    "title": "Đội lưu động tuần 48",
    "place": "Nhà văn hoá phường An Xuân",
    "address": "12 Trần Phú",
    "day": "2026-11-30",
    "url": "",
    "sites": ["TK1"],
    "since": "2026-11-25",
    "until": "2026-11-25",
    "states": ["registered", "numbered"],
    "when": "now",
}


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def app(sqlite, config, now):
    made = browsing.station(config, sqlite, now)
    register(sqlite, config, ("An", "+84905000001"), ("Bình", "+84905000002"))
    follower(sqlite, "501", tags=("hẹn lại",))
    return made


@pytest.fixture
def officer(app):
    return signed_in(app, "binh")


def write(officer, **changes):
    answer = officer.post(f"{HOME}/new", GOOD | changes, f"{HOME}/new")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def mark(officer, path):
    return re.search(r'name="mark" value="([0-9a-f]+)"', officer.get(path).text)[1]


def confirm(officer, path, people="2", **changes):
    given = {"mark": mark(officer, path), "people": people} | changes
    return officer.post(f"{path}/send", given, path)


def rounds(engine):
    with database.reading(engine) as session:
        return session.scalar(select(func.count()).select_from(tables.Broadcast))


def test_a_round_is_written_looked_at_confirmed_and_followed(officer, sqlite):
    path = write(officer)
    page = officer.text(path)
    assert '<span class="many" id="many">2</span>' in page and "Nhà văn hoá phường An Xuân" in page
    assert "0905" not in page and browsing.inline(page) == []
    assert told_by(sqlite) == []
    assert confirm(officer, path).status_code == 303
    page = officer.text(path)
    assert "Đã báo được 0 trên 2 người." in page and "/admin/delivery?kind=round&day=2026-11-24" in page
    assert officer.get(f"{path}/progress").json["total"] == 2
    assert len(told_by(sqlite)) == 2


def test_the_second_press_sends_nothing(officer, sqlite):
    path = write(officer)
    given = {"mark": mark(officer, path), "people": "2"}
    token_at = f"{HOME}/new"
    for _press in range(2):
        answer = officer.post(f"{path}/send", given, token_at)
        assert answer.status_code == 303
    assert len(told_by(sqlite)) == 2 and "không gửi lần thứ hai" in officer.text(path)


@pytest.mark.parametrize("people", ["", "3", "0", "hai", "-2", "2 000", "²", "9" * 30])
def test_another_number_sends_nothing(officer, sqlite, people):
    path = write(officer)
    answer = confirm(officer, path, people)
    assert answer.status_code == 422 and "Số người đã gõ không đúng" in answer.text
    assert told_by(sqlite) == []


@pytest.mark.parametrize("people", ["2", " 2 ", "02"])
def test_the_number_may_be_typed_as_people_do(officer, sqlite, people):
    path = write(officer)
    confirm(officer, path, people)
    assert len(told_by(sqlite)) == 2


def test_who_came_meanwhile_is_asked_about_first(officer, sqlite, config):
    path = write(officer)
    before = mark(officer, path)
    register(sqlite, config, ("Chi", "+84905000003"))
    answer = confirm(officer, path, mark=before)
    assert answer.status_code == 409 and "vừa thay đổi" in answer.text and 'id="many">3<' in answer.text
    assert told_by(sqlite) == []
    assert confirm(officer, path, "3").status_code == 303


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"title": ""}, "Không được để trống."),
        ({"place": "   "}, "Không được để trống."),
        ({"place": "x" * 121}, "Dài quá 120 ký tự."),
        ({"title": "a\u202eb"}, "Có ký tự điều khiển"),
        ({"place": "a\x00b"}, "Có ký tự điều khiển"),
        ({"day": ""}, "Vui lòng chọn ngày."),
        ({"day": "30/11/2026"}, "Ngày không hợp lệ."),
        ({"day": "2026-11-23"}, "Ngày này đã qua."),
        ({"day": "2036-11-23"}, "Ngày này quá xa."),
        ({"url": "javascript:alert(1)"}, "Đường dẫn phải bắt đầu bằng https://"),
        ({"url": "https://[oops"}, "Đường dẫn phải bắt đầu bằng https://"),
        ({"sites": []}, "Hãy chọn ít nhất một điểm"),
        ({"sites": ["TK9"]}, "Có lựa chọn không còn nữa."),
        ({"states": []}, "Hãy chọn ít nhất một tình trạng."),
        ({"states": ["dead"]}, "Có lựa chọn không còn nữa."),
        ({"tags": ["lạ"]}, "Có nhãn không còn nữa."),
        ({"since": ""}, "Vui lòng chọn ngày."),
        ({"since": "2026-11-26"}, "Ngày cuối phải sau ngày đầu"),
        ({"until": "2028-11-26"}, "Ngày cuối phải sau ngày đầu"),
        ({"when": "at", "when_day": "", "when_at": ""}, "Vui lòng chọn ngày và giờ gửi."),
        ({"when": "at", "when_day": "2026-11-24", "when_at": "07:00"}, "Giờ gửi đã qua."),
        (
            {"when": "at", "when_day": "2026-11-27", "when_at": "09:00"},
            "Chỉ gửi trong hôm nay hoặc ngày mai.",
        ),
        (
            {"day": "2026-11-24", "when": "at", "when_day": "2026-11-25", "when_at": "08:00"},
            "phải trước 17:00",
        ),
    ],
)
def test_a_mistake_is_said_beside_its_field_and_nothing_is_kept(officer, sqlite, changes, sentence):
    answer = officer.post(f"{HOME}/new", GOOD | changes, f"{HOME}/new")
    assert answer.status_code == 422 and sentence in answer.text
    assert rounds(sqlite) == 0
    if "place" not in changes:
        assert 'value="Nhà văn hoá phường An Xuân"' in answer.text


def test_a_draft_can_be_changed_and_thrown_away(officer, sqlite):
    path = write(officer, when="at", when_day="2026-11-25", when_at="09:15")
    form = officer.text(f"{path}/edit")
    assert 'value="09:15"' in form and 'value="TK1" checked' in form
    answer = officer.post(f"{path}/edit", GOOD | {"place": "Trường Lê Lợi"}, f"{path}/edit")
    assert answer.headers["Location"] == path and rounds(sqlite) == 1
    assert "Trường Lê Lợi" in officer.text(path)
    assert officer.post(f"{path}/cancel", {}, path).headers["Location"] == HOME
    assert officer.get(f"{path}/edit").status_code == 404 and 'id="send"' not in officer.text(path)


def test_a_sent_round_cannot_be_changed(officer, sqlite):
    path = write(officer)
    confirm(officer, path)
    answer = officer.post(f"{path}/edit", GOOD | {"place": "Trường Lê Lợi"}, f"{HOME}/new")
    assert answer.headers["Location"] == path
    assert "Nhà văn hoá" in officer.text(path) and "Trường Lê Lợi" not in officer.text(path)


def test_what_is_not_told_yet_is_withdrawn(officer, sqlite):
    path = write(officer)
    confirm(officer, path)
    officer.post(f"{path}/cancel", {}, path)
    assert [row.state for row in told_by(sqlite)] == ["cancelled", "cancelled"]
    page = officer.text(path)
    assert "Đã rút lại 2 tin" in page and 'id="withdraw"' not in page


def test_tags_alone_make_an_audience(officer, sqlite):
    path = write(officer, sites=[], since="", until="", tags=["hẹn lại"])
    assert confirm(officer, path, "1").status_code == 303
    assert [row.zalo_user_id for row in told_by(sqlite)] == ["501"]


def test_a_round_whose_day_is_over_is_not_sent(officer, sqlite, now):
    path = write(officer, day="2026-11-24")
    before = mark(officer, path)
    now[0] += 10 * HOUR
    answer = officer.post(f"{path}/send", {"mark": before, "people": "2"}, f"{HOME}/new")
    assert answer.status_code == 409 and "Không còn kịp" in answer.text
    assert told_by(sqlite) == []


def test_the_officer_s_next_round_stands_first(officer):
    write(officer, title="Đợt một")
    write(officer, title="Đợt hai")
    page = officer.text(HOME)
    assert page.index("Đợt hai") < page.index("Đợt một")


def test_there_is_no_such_round(officer):
    for path in (f"{HOME}/99", f"{HOME}/99/edit", f"{HOME}/99/progress", f"{HOME}/{2**70}"):
        assert officer.get(path).status_code == 404


def test_staff_may_not_tell_everybody(app, officer, sqlite):
    path = write(officer)
    an = signed_in(app, "an")
    assert an.get(path).status_code == 403
    assert an.post(f"{path}/send", {"people": "2"}, "/staff").status_code == 403
    assert told_by(sqlite) == []


def test_words_are_escaped(officer):
    path = write(officer, title="<script>x</script>", place="Nhà <b>A</b>")
    page = officer.get(path).text
    assert "<script>x" not in page and "Nhà <b>" not in page


def test_the_pages_speak_english_too(officer):
    path = write(officer)
    for page in (HOME, f"{HOME}/new", path):
        assert officer.get(f"{page}?lang=en").status_code == 200


def test_today_is_a_day_that_can_still_be_told(officer):
    assert write(officer, day=date(2026, 11, 24).isoformat())
