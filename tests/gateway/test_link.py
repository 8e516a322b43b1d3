"""The one-time link from the chat: it knows whose it is, serves one registration, and harms nobody when it is bad."""

from __future__ import annotations

import re
import threading

import pytest
from sqlalchemy import select

from gateway import chat, database, followers, registrations, tables
from gateway.web.app import create_app
from tests.gateway import browsing
from tests.gateway.chatting import AN, Page


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def app(engine, config, now):
    return browsing.station(config, engine, now)


@pytest.fixture
def visitor(app):
    return browsing.Visitor(app)


@pytest.fixture
def page(app, engine, config, now):
    return Page(engine, config, now)


@pytest.fixture
def link(page):
    """An asked for the link; its path."""
    page.share("0905 123 456")
    (answer,) = page.text("đăng ký")
    return path(page, answer)


def path(page, answer):
    return page.buttons(answer)[0]["payload"]["url"].removeprefix(page.config.web.base_url)


def token(link):
    return re.search(r"t=([^&]+)", link)[1]


def send(visitor, now, link, **changes):
    return visitor.post("/dang-ky", browsing.family(now, t=token(link), **changes), link)


def test_the_link_opens_the_form_with_their_name_and_phone(visitor, link):
    page = visitor.text(link)
    assert "Đăng ký từ Zalo của Nguyễn Thị An" in page
    assert 'value="Nguyễn Thị An"' in page and 'value="0905123456"' in page
    assert visitor.get(link).headers["Cache-Control"] == "no-store"
    assert browsing.inline(page) == []


def test_a_registration_through_it_is_theirs_and_is_confirmed_in_the_chat(visitor, now, page, link):
    answer = send(visitor, now, link)
    made = page.rows(tables.Registration)[0]
    assert (answer.status_code, answer.location) == (303, f"/r/{made.token}")
    assert (made.zalo_user_id, made.source) == (AN, "zalo")
    used = page.rows(tables.ZaloLink)[0]
    assert (used.used_at, used.registration_id) == (now[0], made.id)
    told = page.said()[-1]
    for word in ("Đã đăng ký 2 người", "07:30 Thứ Tư, 25/11/2026", "An Mỹ", "15:00 Thứ Ba, 24/11/2026"):
        assert word in told.text
    assert page.buttons(told)[0]["payload"]["url"].endswith(f"/r/{made.token}")
    (mine,) = page.text("số của tôi")
    assert "N. T. AN" in mine.text and "T. BÌNH" in mine.text


def test_it_stays_in_the_form_through_mistakes_and_the_change_of_language(visitor, now, page, link):
    wrong = send(visitor, now, link, phone="12")
    assert wrong.status_code == 422 and f'name="t" value="{token(link)}"' in wrong.text
    assert f"t={token(link)}" in visitor.text(link).split('hreflang="en"')[0]
    assert page.rows(tables.Registration) == [] and page.rows(tables.ZaloLink)[0].used_at is None
    assert send(visitor, now, link).status_code == 303
    assert page.rows(tables.Registration)[0].zalo_user_id == AN


def test_opening_it_often_uses_nothing_up(visitor, now, page, link):
    for _ in range(3):
        assert visitor.get(link).status_code == 200
    assert page.rows(tables.ZaloLink)[0].used_at is None


def test_who_asks_again_gets_the_same_link(page, link):
    (again,) = page.text("#dangky")
    assert path(page, again) == link
    page.now[0] += 12 * 3_600 + 1
    (later,) = page.text("#dangky")
    assert path(page, later) != link


def test_an_english_speaker_gets_an_english_form(visitor, page):
    page.text("english")
    (answer,) = page.text("register")
    assert path(page, answer).endswith("&lang=en")
    assert '<html lang="en">' in visitor.text(path(page, answer))


def test_a_used_link_says_so_and_the_form_works_without_it(visitor, now, page, link):
    send(visitor, now, link)
    seen = visitor.text(link)
    assert "đã được dùng" in seen and 'value="Nguyễn Thị An"' not in seen and 'name="t"' not in seen
    other = {"contact_name": "Lê Chi", "phone": "0905999888", "people-1-name": "Lê Dũng"}
    refused = send(visitor, now, link, **other)
    assert refused.status_code == 422 and len(page.rows(tables.Registration)) == 1
    assert "đã được dùng" in refused.text and 'value="Lê Chi"' in refused.text
    assert visitor.post("/dang-ky", browsing.family(now, **other), link).status_code == 303
    assert [one.zalo_user_id for one in page.rows(tables.Registration)] == [AN, None]


def test_the_same_form_sent_twice_is_one_registration(visitor, now, page, link):
    first, second = send(visitor, now, link), send(visitor, now, link)
    assert (first.status_code, first.location) == (second.status_code, second.location)
    assert len(page.rows(tables.Registration)) == 1
    assert sum("Đã đăng ký" in one.text for one in page.said()) == 1


def test_two_forms_at_once_are_one_registration(app, now, page, link):
    gate, answers = threading.Barrier(2), []

    def submit(changes):
        visitor = browsing.Visitor(app)
        data = browsing.family(now, t=token(link), **changes)
        data["csrf_token"] = re.search(r'name="csrf_token" value="([^"]+)"', visitor.get(link).text)[1]
        gate.wait()
        answers.append(visitor.client.post("/dang-ky", data=data).status_code)

    given = ({}, {"contact_name": "Lê Chi", "phone": "0905999888", "people-1-name": "Lê Dũng"})
    threads = [threading.Thread(target=submit, args=(one,)) for one in given]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(answers) == [303, 422]
    assert len(page.rows(tables.Registration)) == 1
    assert page.rows(tables.ZaloLink)[0].registration_id == page.rows(tables.Registration)[0].id


def test_an_old_link_says_so_and_registers_without_zalo(visitor, now, page, link):
    now[0] += 24 * 3_600
    assert "đã hết hạn" in visitor.text(link)
    assert send(visitor, now, link).status_code == 303
    assert [(one.zalo_user_id, one.source) for one in page.rows(tables.Registration)] == [(None, "web")]


@pytest.mark.parametrize("forged", ["x", "eyJh.b.c", "a" * 5_000, "%00", "Ünï", "", "' OR 1=1"])
def test_a_forged_link_is_no_link(visitor, now, page, forged):
    answer = visitor.client.get("/dang-ky", query_string={"t": forged})
    assert answer.status_code == 200
    assert ("không đúng" in answer.text) == bool(forged)
    assert visitor.post("/dang-ky", browsing.family(now, t=forged)).status_code == 303
    assert page.rows(tables.Registration)[0].zalo_user_id is None


def test_a_link_with_another_s_signature_is_no_link(visitor, link):
    body, _, signature = token(link).rpartition(".")
    changed = signature[:-2] + ("AA" if signature[-2:] != "AA" else "BB")
    assert "không đúng" in visitor.text(f"/dang-ky?t={body}.{changed}")


def test_the_link_of_somebody_who_withdrew_is_gone(visitor, page, link, engine, config, now):
    with database.writing(engine) as session:
        followers.erase(session, AN, config, now[0])
    seen = visitor.text(link)
    assert "không đúng" in seen and "Nguyễn Thị An" not in seen


def test_a_registration_that_fails_uses_nothing_up(visitor, now, page, link):
    assert send(visitor, now, link, when="TK1 2026-11-20").status_code == 422
    assert page.rows(tables.ZaloLink)[0].used_at is None and page.rows(tables.Registration) == []


def test_a_link_is_spent_once_however_it_is_tried(page, link, engine, config, now):
    with database.writing(engine) as session:
        row = chat.held(session, config, token(link), now[0])
        made = _registration(session, config, now[0])
        said = [chat.registered(session, config, lambda _, text: text, row, made, now[0]) for _ in range(2)]
    assert said == [True, False]


def _registration(session, config, now):
    shift = session.scalar(select(tables.Shift.id).order_by(tables.Shift.opens_at.desc()).limit(1))
    people = (registrations.Person("An", "new"),)
    return registrations.register(
        session, registrations.Request("An", "+84905123456", people, "x", shift_id=shift), config, now
    )


def test_the_secret_outlives_a_restart(engine, config, now, link):
    again = browsing.Visitor(create_app(config, engine, now=lambda: now[0]))
    assert "Đăng ký từ Zalo của" in again.text(link)
