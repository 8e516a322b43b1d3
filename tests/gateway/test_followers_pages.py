"""The officer's list of followers: found, tagged, and taken along as a table that no spreadsheet can run."""

from __future__ import annotations

import csv
import io

import pytest
from sqlalchemy import select

from gateway import database, followers, tables
from gateway.followers import Wanted
from tests.gateway import browsing
from tests.gateway.evening import signed_in
from tests.gateway.mixed_audience import HOUR, follower


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def app(engine, config, now):
    made = browsing.station(config, engine, now)
    follower(engine, "501", "0905000001", seen_at=now[0] - HOUR, name="Nguyễn Thị Hương", tags=("hẹn lại",))
    follower(engine, "502", seen_at=now[0] - 50 * HOUR, name="Đặng Văn Bình")
    follower(engine, "503", "0905000003", following=False, name="=cmd|' /C calc'!A1", tags=("+nhãn",))
    return made


@pytest.fixture
def officer(app):
    return signed_in(app, "binh")


def found(engine, text="", **kind):
    with database.reading(engine) as session:
        return [one.id for one in followers.search(session, Wanted(text, **kind)).entries]


def tags(engine, user_id):
    with database.reading(engine) as session:
        return list(followers.tags(session, user_id))


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("huong", ["501"]),
        ("HƯƠNG", ["501"]),
        ("dang van", ["502"]),
        ("0905 000 001", ["501"]),
        ("+84905000003", ["503"]),
        ("502", ["502"]),
        ("  ", ["501", "502", "503"]),
        ("ai đó", []),
        ("%", []),
    ],
)
def test_people_are_found_by_name_phone_or_id(app, engine, text, ids):
    assert found(engine, text) == ids


def test_the_list_is_narrowed_by_tag_following_and_phone(app, engine):
    assert found(engine, tag="hẹn lại") == ["501"]
    assert found(engine, following=False) == ["503"]
    assert found(engine, following=True, shared=True) == ["501"]


def test_a_long_list_comes_in_parts_with_nobody_twice(app, engine, now):
    for n in range(120):
        follower(engine, f"9{n:03d}", seen_at=now[0] - n // 10)
    seen, after = [], ""
    while True:
        with database.reading(engine) as session:
            part = followers.search(session, Wanted(), after)
        seen += [one.id for one in part.entries]
        after = part.after
        if not after:
            break
    assert len(seen) == len(set(seen)) == part.count == 123


def test_the_page_masks_phones_and_leads_to_the_conversation(officer):
    page = officer.text("/admin/followers")
    assert "090***001" in page and "0905000001" not in page and "+84905000001" not in page
    assert page.count("Trò chuyện") == 0
    assert browsing.inline(page) == []
    assert '<dd id="following-count">2</dd>' in page


def test_who_has_written_is_led_to(officer, engine, now):
    with database.writing(engine) as session:
        for closed in (now[0], None):
            session.add(
                tables.Conversation(user_id="502", opened_at=now[0], closed_at=closed, changed_at=now[0])
            )
            session.flush()
    assert 'href="/admin/inbox/2"' in officer.text("/admin/followers")


def test_the_page_speaks_english_too(officer):
    assert officer.get("/admin/followers?lang=en").status_code == 200


def test_a_tag_is_put_and_taken_and_zalo_is_told_later(officer, engine):
    home = "/admin/followers"
    officer.post(f"{home}/502/tags", {"act": "put", "tag": "ưu tiên"}, home)
    assert tags(engine, "502") == ["ưu tiên"]
    officer.post(f"{home}/501/tags", {"act": "take", "tag": "hẹn lại"}, home)
    assert tags(engine, "501") == []
    with database.reading(engine) as session:
        queued = session.scalars(select(tables.Fact.name).order_by(tables.Fact.name)).all()
        who = session.scalars(select(tables.Audit.actor).where(tables.Audit.action.startswith("tag."))).all()
    assert queued == ["tag:501:hẹn lại", "tag:502:ưu tiên"] and who == ["binh", "binh"]
    assert "đang chờ báo cho Zalo" in officer.text(home)


@pytest.mark.parametrize("tag", ["", "   ", "\x00", "hẹn lại"])
def test_a_tag_that_is_none_or_is_there_changes_nothing(officer, engine, tag):
    officer.post("/admin/followers/501/tags", {"act": "put", "tag": tag}, "/admin/followers")
    assert tags(engine, "501") == ["hẹn lại"]


def test_a_tag_for_nobody_is_not_found(officer):
    assert officer.post("/admin/followers/777/tags", {"tag": "x"}, "/admin/followers").status_code == 404


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/admin", "/admin/followers\\@evil"]
)
def test_it_leads_back_to_the_list_and_nowhere_else(officer, back):
    answer = officer.post("/admin/followers/501/tags", {"tag": "x", "back": back}, "/admin/followers")
    assert answer.headers["Location"] == "/admin/followers"


def test_the_list_comes_back_as_it_was(officer):
    back = "/admin/followers?q=huong&tag=h"
    answer = officer.post("/admin/followers/501/tags", {"tag": "x", "back": back}, "/admin/followers")
    assert answer.headers["Location"] == back


def test_no_cell_of_the_table_is_a_formula(officer, engine):
    answer = officer.get("/admin/followers/list.csv")
    rows = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 4 and rows[1][:2] == ["501", "Nguyễn Thị Hương"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t"))]
    assert "0905000001" not in answer.text
    with database.reading(engine) as session:
        assert session.scalars(select(tables.Audit.data).filter_by(action="followers.export")).all() == [
            {"count": 3}
        ]


@pytest.mark.parametrize(
    "query", ["after=x", "after=9:9:9", "following=maybe", "q=%00", "tag=%00", "q=" + "a" * 5_000]
)
def test_an_address_that_makes_no_sense_is_no_error(officer, query):
    assert officer.get(f"/admin/followers?{query}").status_code == 200


@pytest.mark.parametrize("path", ["/admin/followers", "/admin/followers/list.csv", "/admin/broadcasts"])
def test_only_officers_come_in(app, path):
    assert signed_in(app, "an").get(path).status_code == 403
    assert browsing.Visitor(app).get(path).status_code == 302
