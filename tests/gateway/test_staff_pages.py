"""What staff see: nothing without signing in, each role its own pages, nobody's full phone number."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, tables
from tests.gateway import browsing

INSIDE = ["/staff", "/staff/counter/1", "/admin", "/admin/notices/n_1"]


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
def officer(app):
    made = browsing.Visitor(app)
    assert made.sign_in("binh").status_code == 303
    return made


@pytest.mark.parametrize("path", INSIDE)
def test_without_signing_in_a_page_leads_to_the_sign_in(visitor, path):
    answer = visitor.get(path)
    assert answer.status_code == 302 and answer.location.startswith("/staff/login?next=")


def test_signing_in_leads_back_to_the_page_that_was_asked_for(visitor):
    wanted = visitor.get("/staff/counter/1").location
    assert visitor.sign_in("an", path=wanted).location == "/staff/counter/1"
    assert "Quầy 1" in visitor.text("/staff/counter/1")


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1"]
)
def test_signing_in_never_leads_to_another_site(visitor, target):
    assert visitor.sign_in("an", path=f"/staff/login?next={target}").location == "/staff"


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize(("name", "password"), [("an", "falsch"), ("nobody", browsing.PASSWORD), ("", "")])
def test_a_wrong_password_and_a_wrong_name_get_the_same_answer(visitor, language, name, password):
    answer = visitor.sign_in(name, password, f"/staff/login?lang={language}")
    told = {"vi": "Tên hoặc mật khẩu không đúng.", "en": "The name or the password is wrong."}
    assert answer.status_code == 401 and told[language] in answer.text
    assert visitor.get("/staff").status_code == 302


def test_the_password_is_not_written_back_into_the_page(visitor):
    assert "geheim" not in visitor.sign_in("an", "geheim").text


def test_passwords_cannot_be_tried_out_fast(visitor):
    answers = [visitor.sign_in("an", f"try {n}").status_code for n in range(21)]
    assert answers == [401] * 20 + [429]


def test_signing_out_ends_it(officer):
    assert officer.post("/staff/logout", {}, "/staff").status_code == 303
    assert officer.get("/staff").status_code == 302


def test_who_is_no_longer_active_is_out_at_once(officer, sqlite):
    with database.writing(sqlite) as session:
        session.scalars(select(tables.Staff).filter_by(name="binh")).one().active = False
    assert officer.get("/staff").status_code == 302


@pytest.mark.parametrize(("name", "status"), [("an", 403), ("binh", 200), ("chi", 200)])
def test_only_officers_and_admins_see_the_overview(app, name, status):
    one = browsing.Visitor(app)
    one.sign_in(name)
    assert one.get("/admin").status_code == status
    assert ('href="/admin"' in one.get("/staff").text) == (status == 200)


def test_staff_without_the_role_give_no_numbers(app, sqlite, now):
    an = browsing.Visitor(app)
    an.sign_in("an")
    before = browsing.counted(sqlite)
    answer = an.post("/admin/numbers", {"day": browsing.day(now).isoformat()}, "/staff")
    assert answer.status_code == 403 and browsing.counted(sqlite) == before


def test_staff_choose_among_the_counters_of_every_site(officer):
    page = officer.text("/staff")
    assert page.count('class="card tile"') == 6
    assert officer.get("/staff/counter/999").status_code == 404


@pytest.mark.parametrize(("language", "word"), [("vi", "Gọi số tiếp"), ("en", "Call next")])
def test_the_console_has_every_verb_in_the_readers_language(officer, language, word):
    page = officer.text(f"/staff/counter/1?lang={language}")
    assert word in page
    for verb in ("next", "recall", "start", "finish", "no-show", "pause"):
        assert f'data-verb="{verb}"' in page
    assert 'meta name="csrf-token"' in page


def test_the_console_offers_transfer_to_what_the_site_serves_and_to_the_other_counters(officer):
    choices = officer.text("/staff/counter/1").split('id="transfer-to"')[1].split("</select>")[0]
    assert choices.count("service:") == 4 and choices.count("counter:") == 2
    assert "counter:1" not in choices


def test_the_officer_gives_numbers_and_again_gives_none_twice(app, officer, sqlite, now):
    assert browsing.Visitor(app).post("/dang-ky", browsing.family(now)).status_code == 303
    day = browsing.day(now).isoformat()
    page = officer.post("/admin/numbers", {"day": day}, "/admin")
    assert page.status_code == 303
    assert "đã cấp 2 số và lập 2 tin báo" in officer.text("/admin")
    officer.post("/admin/numbers", {"day": day}, "/admin")
    assert "đã cấp 0 số" in officer.text("/admin")
    assert browsing.counted(sqlite)["tickets"] == 2


def test_giving_numbers_is_written_down_with_who_did_it(officer, sqlite, now):
    officer.post("/admin/numbers", {"day": browsing.day(now).isoformat(), "site": "TK1"}, "/admin")
    with database.reading(sqlite) as session:
        done = session.scalars(select(tables.Audit).filter_by(action="numbers.give")).all()
    assert [one.actor for one in done] == ["binh"]


@pytest.mark.parametrize("day", ["2026-11-23", "yesterday", "", "2026-02-31"])
def test_a_day_that_is_past_or_none_gives_no_numbers(officer, sqlite, day):
    before = browsing.counted(sqlite)
    officer.post("/admin/numbers", {"day": day}, "/admin")
    assert "chưa có gì thay đổi" in officer.text("/admin")
    assert browsing.counted(sqlite) == before


@pytest.fixture
def notices(app, officer, sqlite, now):
    """An's notice failed after a refusal; Bình's waits to be sent."""
    browsing.Visitor(app).post("/dang-ky", browsing.family(now))
    officer.post("/admin/numbers", {"day": browsing.day(now).isoformat()}, "/admin")
    officer.get("/admin")  # the word about it is read
    with database.writing(sqlite) as session:
        an, binh = session.scalars(select(tables.Notice).order_by(tables.Notice.ticket_id)).all()
        an.state, an.reason, an.final_at = "failed", "no_receipt", now[0]
        reason = "Số này không có tài khoản Zalo / no Zalo account on this number"
        session.add(
            tables.Attempt(
                id="a_1",
                notice_id=an.id,
                channel="zalo",
                state="refused",
                code="-118",
                reason=reason,
                at=now[0],
            )
        )
    return an.id, binh.id


def test_who_was_not_reached_comes_first_and_phones_are_masked(officer, notices):
    page = officer.text("/admin")
    an, binh = (page.index(f'data-notice="{one}"') for one in notices)
    assert an < binh and "Cần gọi điện" in page[an:binh] and "Cần gọi điện" not in page[binh:]
    assert "090***456" in page and "905123456" not in page


def test_notices_are_shown_by_state(officer, notices):
    page = officer.text("/admin?state=created")
    assert notices[1] in page and notices[0] not in page


@pytest.mark.parametrize(
    ("language", "reason"),
    [("vi", "Số này không có tài khoản Zalo"), ("en", "no Zalo account on this number")],
)
def test_a_notice_tells_every_attempt_with_its_reason(officer, notices, language, reason):
    page = officer.text(f"/admin/notices/{notices[0]}?lang={language}")
    assert reason in page and "-118" in page and "Zalo" in page
    assert "905123456" not in page


def test_a_kiosk_that_fell_silent_is_seen(officer, sqlite, now):
    with database.writing(sqlite) as session:
        printer = {"online": True, "paper": "out"}
        session.add(tables.Kiosk(name="K1", site_id=1, series="B", seen_at=now[0] - 20, printer=printer))
        session.add(tables.Kiosk(name="K2", site_id=1, series="C", seen_at=now[0] - 7_200))
        session.add(tables.Kiosk(name="K3", site_id=2, series="B"))
    rows = officer.text("/admin").split("data-kiosk=")[1:]
    assert "đang kết nối" in rows[0] and "hết giấy" in rows[0]
    assert "mất liên lạc từ 06:00 24/11" in rows[1] and "chưa liên lạc" in rows[2]


def test_no_page_for_staff_carries_what_the_content_policy_refuses(officer, notices):
    pages = ["/staff", "/staff/counter/1", "/admin", f"/admin/notices/{notices[0]}"]
    assert {path: browsing.inline(officer.get(path).text) for path in pages} == {path: [] for path in pages}
