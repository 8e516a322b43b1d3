"""The officer's page of the Official Account, and the address that Zalo sends an administrator back to."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from sqlalchemy import func, select

from gateway import connections, consent, database, safe, tables
from gateway.rules import hashes
from gateway.web.app import create_app, limiter
from tests.gateway import browsing

OA = "99"
DAY = 86_400
WATCHED = (tables.ZaloToken, tables.Alert, tables.Notice)


class Zalo:
    """Gives tokens for a code once; `fault` is raised instead."""

    def __init__(self):
        self.asked: list[tuple[str, str | None]] = []
        self.fault: Exception | None = None

    def redeem(self, code, verifier):
        self.asked.append((code, verifier))
        if self.fault:
            raise self.fault
        return "a1", "r1", 90_000


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def zalo():
    return Zalo()


def site(config, engine, now, zalo):
    browsing.station(config, engine, now)
    made = create_app(config, engine, now=lambda: now[0], redeem=zalo.redeem)
    limiter.reset()
    return made


@pytest.fixture
def app(engine, config, now, zalo):
    return site(config, engine, now, zalo)


@pytest.fixture
def console(config):
    own = {"pkce_mode": "console", "consent_link": "https://oauth.example.vn/v4/oa/permission?app_id=1"}
    return config.model_copy(update={"zalo": config.zalo.model_copy(update=own)})


def visitor(app, name=None):
    made = browsing.Visitor(app)
    if name:
        made.sign_in(name)
    return made


def begin(app, name="chi"):
    """Press the button; the link that the page leads on to, and its query."""
    answer = visitor(app, name).post("/admin/zalo/consent", {}, "/admin/zalo")
    assert answer.status_code == 200
    link = answer.headers["Refresh"].removeprefix("0; url=")
    assert html.escape(link) in answer.text
    return link, {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


def back(app, name=None, **query):
    return visitor(app, name).get("/zalo/callback?" + urlencode(query))


def pair(engine, config):
    box = safe.of(config)
    with database.reading(engine) as session:
        row = session.get(tables.ZaloToken, OA)
        return (box.open(row.access_token), box.open(row.refresh_token)) if row else None


def counts(engine):
    with database.reading(engine) as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in WATCHED]


def keep(engine, *rows):
    with database.writing(engine) as session:
        session.add_all(rows)


def state(visit, path="/admin/zalo"):
    return re.search(r'id="connection" data-state="(\w+)"', visit.text(path))[1]


# Who may


def test_officers_see_the_page_and_only_an_admin_may_begin(app, engine):
    assert visitor(app).get("/admin/zalo").status_code == 302
    assert visitor(app, "an").get("/admin/zalo").status_code == 403
    officer = visitor(app, "binh")
    page = officer.text("/admin/zalo")
    assert 'id="consent"' not in page and "Việc cấp quyền do tài khoản quản trị làm." in page
    assert officer.post("/admin/zalo/consent", {}, "/admin/delivery/channels").status_code == 403
    assert 'id="consent"' in visitor(app, "chi").text("/admin/zalo")
    with database.reading(engine) as session:
        assert session.scalars(select(tables.ZaloConsent)).all() == []


def test_the_button_carries_a_token_against_forgery(app, engine):
    admin = visitor(app, "chi")
    assert admin.client.post("/admin/zalo/consent").status_code == 400
    with database.reading(engine) as session:
        assert session.scalars(select(tables.ZaloConsent)).all() == []


def test_the_pages_lead_to_it_and_break_no_policy(app):
    admin = visitor(app, "chi")
    assert 'href="/admin/zalo"' in admin.text("/admin")
    pages = [admin.get("/admin/zalo").text, admin.post("/admin/zalo/consent", {}, "/admin/zalo").text]
    assert [browsing.inline(page) for page in [*pages, back(app).text]] == [[], [], []]


# A consent


def test_a_consent_connects_the_account(app, engine, config, zalo):
    assert state(visitor(app, "binh")) == "never"
    link, query = begin(app)
    assert urlsplit(link).netloc == "oauth.zaloapp.com"
    answer = back(app, code="code-1", oa_id=OA, state=query["state"])
    assert answer.status_code == 200 and "Đã kết nối Official Account." in answer.text
    assert (
        answer.headers["Cache-Control"] == "no-store" and answer.headers["Referrer-Policy"] == "no-referrer"
    )
    ((code, verifier),) = zalo.asked
    assert code == "code-1" and hashes.pkce_challenge(verifier) == query["code_challenge"]
    assert pair(engine, config) == ("a1", "r1") and state(visitor(app, "binh")) == "connected"
    with database.reading(engine) as session:
        done = session.scalars(select(tables.Audit).where(tables.Audit.action.like("zalo.%"))).all()
    assert [(one.actor, one.action) for one in done] == [
        ("chi", "zalo.consent.begin"),
        ("chi", "zalo.token"),
    ]


def test_a_callback_loaded_twice_asks_zalo_once_and_changes_nothing_more(app, engine, config, zalo, now):
    _, query = begin(app)
    words = {"code": "code-1", "oa_id": OA, "state": query["state"]}
    assert back(app, **words).status_code == 200
    now[0] += 1
    before, again = counts(engine), back(app, **words)
    assert (
        again.status_code == 409
        and "không còn dùng được" in again.text
        and "Chưa có gì thay đổi" in again.text
    )
    assert len(zalo.asked) == 1 and counts(engine) == before
    with database.reading(engine) as session:
        assert session.get(tables.ZaloToken, OA).generation == 1


@pytest.mark.parametrize("later", [600, DAY, -5])
def test_a_state_that_is_too_old_is_turned_down(app, engine, zalo, now, later):
    _, query = begin(app)
    now[0] += later
    assert back(app, code="c", oa_id=OA, state=query["state"]).status_code == 409
    assert zalo.asked == [] and counts(engine) == [0, 0, 0]


@pytest.mark.parametrize("forged", [None, "", "x" * 43, "%00", "\x00", "đ", "a" * 5_000])
def test_without_the_state_that_was_made_nothing_happens_even_to_an_admin(app, engine, zalo, forged):
    begin(app)
    words = {} if forged is None else {"state": forged}
    for name in (None, "chi"):
        assert back(app, name, code="c", oa_id=OA, **words).status_code == 409
    assert zalo.asked == [] and counts(engine) == [0, 0, 0]


def test_a_consent_for_another_account_is_turned_down_and_the_right_one_may_follow(app, engine, zalo):
    _, query = begin(app)
    answer = back(app, code="c", oa_id="66<b>", state=query["state"])
    assert answer.status_code == 409 and "66&lt;b&gt;" in answer.text and zalo.asked == []
    assert back(app, code="c", oa_id=OA, state=query["state"]).status_code == 200


@pytest.mark.parametrize(
    "query", [{"error": "access_denied"}, {"error": "-14003", "code": "c"}, {}, {"code": ""}]
)
def test_where_zalo_gives_no_code_the_page_says_so(app, engine, zalo, query):
    _, made = begin(app)
    answer = back(app, oa_id=OA, state=made["state"], **query)
    assert answer.status_code == 400 and "Zalo không cấp quyền." in answer.text
    assert zalo.asked == [] and counts(engine) == [0, 0, 0]


def test_where_zalo_is_away_the_same_page_loaded_again_finishes_it(app, engine, config, zalo):
    _, query = begin(app)
    words = {"code": "c", "oa_id": OA, "state": query["state"]}
    zalo.fault = consent.Away("no answer")
    answer = back(app, **words)
    assert answer.status_code == 503 and "Zalo không trả lời." in answer.text and counts(engine) == [0, 0, 0]
    zalo.fault = None
    assert back(app, **words).status_code == 200 and pair(engine, config) == ("a1", "r1")


@pytest.mark.parametrize(
    "fault, word",
    [
        (consent.Refused("-14008", "mã sai / bad code"), "mã sai (-14008)"),
        (consent.WrongAccount("66"), "OA 66"),
    ],
)
def test_a_code_that_zalo_does_not_take_changes_nothing_and_is_not_tried_again(
    app, engine, zalo, fault, word
):
    _, query = begin(app)
    zalo.fault = fault
    words = {"code": "c", "oa_id": OA, "state": query["state"]}
    answer = back(app, **words)
    assert answer.status_code == 409 and word in answer.text and counts(engine) == [0, 0, 0]
    zalo.fault = None
    assert back(app, **words).status_code == 409 and len(zalo.asked) == 1


# Console mode


@pytest.fixture
def by_console(engine, console, now, zalo):
    return site(console, engine, now, zalo)


def test_the_console_s_link_brings_no_state_and_needs_somebody_signed_in(by_console, engine, console, zalo):
    link, _ = begin(by_console)
    assert link == console.zalo.consent_link
    for stranger in (None, "an"):
        assert back(by_console, stranger, code="c", oa_id=OA).status_code == 409
    assert zalo.asked == []
    assert back(by_console, "binh", code="c", oa_id=OA).status_code == 200
    assert zalo.asked == [("c", consent.fixed_verifier(console))] and pair(engine, console) == ("a1", "r1")
    assert back(by_console, "binh", code="c2", oa_id=OA).status_code == 409 and len(zalo.asked) == 1


def test_the_console_s_callback_that_nobody_began_is_turned_down(by_console, zalo, now):
    assert back(by_console, "chi", code="c", oa_id=OA).status_code == 409
    begin(by_console)
    now[0] += 600
    assert back(by_console, "chi", code="c", oa_id=OA).status_code == 409 and zalo.asked == []


def test_the_page_shows_what_to_paste_into_the_console(by_console, console):
    page = visitor(by_console, "binh").text("/admin/zalo")
    assert consent.fixed_challenge(console) in page and "http://127.0.0.1:8080/zalo/callback" in page
    assert consent.fixed_verifier(console) not in page


def test_console_mode_without_its_link_says_what_is_missing(engine, console, now, zalo):
    bare = console.model_copy(update={"zalo": console.zalo.model_copy(update={"consent_link": ""})})
    admin = visitor(site(bare, engine, now, zalo), "chi")
    page = admin.text("/admin/zalo")
    assert "consent_link" in page and 'id="consent"' not in page
    answer = admin.post("/admin/zalo/consent", {}, "/admin/delivery/channels")
    assert answer.status_code == 303 and counts(engine)[0] == 0


# What the page says


def connected(engine, config, now):
    with database.writing(engine) as session:
        consent.finish(session, config, ("a1", "r1", 90_000), "chi", now[0])


def test_the_page_says_when_it_was_renewed_and_until_when(app, engine, config, now):
    connected(engine, config, now)
    page = visitor(app, "binh").text("/admin/zalo")
    assert all(moment in page for moment in ("08:00 24/11", "09:00 25/11", "08:00 22/02"))
    assert "Hệ thống tự gia hạn mỗi ngày." in page and "a1" not in re.findall(r">(\w+)<", page)


@pytest.mark.parametrize("days, word", [(2, "expired"), (81, "soon")])
def test_a_grant_that_was_not_renewed_says_how_bad_it_is(app, engine, config, now, days, word):
    connected(engine, config, now)
    now[0] += days * DAY
    assert state(visitor(app, "binh")) == word


def test_a_lost_grant_says_why_in_the_reader_s_language(app, engine, config, now):
    connected(engine, config, now)
    with database.writing(engine) as session:
        session.get(tables.ZaloToken, OA).lost_reason = "Zalo từ chối mã / Zalo refused it"
    officer = visitor(app, "binh")
    page = officer.text("/admin/zalo")
    assert state(officer) == "lost" and "Zalo từ chối mã" in page and "Zalo refused it" not in page


def test_tokens_sealed_with_another_key_are_named_and_a_new_consent_mends_it(
    app, engine, config, now, tmp_path
):
    connected(engine, config, now)
    (tmp_path / "zalo_token_key").unlink()
    assert state(visitor(app, "binh")) == "unreadable"
    _, query = begin(app)
    assert back(app, code="c", oa_id=OA, state=query["state"]).status_code == 200
    assert state(visitor(app, "binh")) == "connected"


def test_the_page_says_whose_it_is_and_what_it_lacks(app, engine, now):
    about = {
        "name": "Công an <phường>",
        "is_verified": True,
        "linked_ZCA": "",
        "package_name": "Nâng cao",
        "package_valid_through_date": "31/12/2027",
        "num_follower": 6_000,
    }
    keep(engine, tables.Fact(name="oa", value=json.dumps(about), at=now[0]))
    page = visitor(app, "binh").get("/admin/zalo").text
    assert "Công an &lt;phường&gt;" in page and "6000" in page and "chưa liên kết" in page
    assert "đã xác thực" in page and "Nâng cao (đến 31/12/2027)" in page


@pytest.mark.parametrize("value", ["", "no JSON", "[]", '{"name": {"x": 1}}', '"x"'])
def test_what_cannot_be_understood_of_the_account_breaks_no_page(app, engine, now, value):
    keep(engine, tables.Fact(name="oa", value=value, at=now[0]))
    assert visitor(app, "binh").get("/admin/zalo").status_code == 200


def test_templates_quota_and_the_webhook_s_last_word_are_listed(engine, config, now, zalo):
    templates = {"appointment": {"id": "100001"}, "called": {"id": "100002"}, "near": {"id": "100003"}}
    own = type(config.zalo).model_validate({**config.zalo.model_dump(), "templates": templates})
    app = site(config.model_copy(update={"zalo": own}), engine, now, zalo)
    keep(
        engine,
        tables.ZaloTemplate(
            id="100001", status="ENABLE", quality="HIGH", remaining=450, daily_quota=500, read_at=now[0]
        ),
        tables.ZaloTemplate(id="100002", status="REJECT", reason="sai mẫu / wrong", read_at=now[0]),
        tables.ZaloQuota(channel="zalo", total=5_000, remaining=4_321, at=now[0]),
        tables.ZaloQuota(channel="zalo_uid", total=5_000, remaining=17, at=now[0] - DAY),
        tables.Fact(name="zalo.heard", value="follow", at=now[0] - 60),
        tables.Fact(name="zalo.variant", value="app_id/body/webhook_secret", at=now[0]),
    )
    page = visitor(app, "binh").text("/admin/zalo")
    rows = dict(re.findall(r'<tr data-template="(\d+)">(.*?)</tr>', page, re.DOTALL))
    assert "dùng được" in rows["100001"] and "450 / 500" in rows["100001"] and "HIGH" in rows["100001"]
    assert "không dùng được" in rows["100002"] and "sai mẫu" in rows["100002"]
    assert "chưa hỏi được Zalo" in rows["100003"]
    assert re.findall(r'data-quota="(\w+)"', page) == ["zalo"] and "4.321 / 5.000" in page
    assert "lần cuối 07:59 24/11" in page and "app_id/body/webhook_secret" in page
    assert "/webhooks/zalo" not in page


def test_a_webhook_that_was_never_heard_of_is_told_with_its_address(app):
    page = visitor(app, "binh").text("/admin/zalo")
    assert "chưa nghe thấy gì" in page and "http://127.0.0.1:8080/webhooks/zalo" in page


# With the stand-in Zalo


def test_the_whole_walk_before_the_stand_in_zalo(make_town):
    town = make_town()
    now = [town.now()]
    browsing.station(town.config, town.engine, now)
    redeem = connections.redeemer(town.config)
    app = create_app(town.config, town.engine, now=lambda: now[0], redeem=redeem)
    limiter.reset()
    with database.writing(town.engine) as session:
        session.get(tables.ZaloToken, town.config.zalo.oa_id).lost_reason = "x / y"
    assert state(visitor(app, "binh")) == "lost"
    link, _ = begin(app)
    sent = requests.get(link, timeout=5, allow_redirects=False).headers["Location"]
    assert sent.startswith(consent.callback_url(town.config) + "?")
    answer = visitor(app).get("/zalo/callback?" + urlsplit(sent).query)
    assert answer.status_code == 200, answer.text
    assert state(visitor(app, "binh")) == "connected"
    assert connections.official(town.config, town.engine, town.now).about()["oa_id"] == town.config.zalo.oa_id
