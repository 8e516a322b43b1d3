"""The words of text messages: whose they are, which are kept, and what the officer's page and the counter say."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from gateway import database, tables, wordings
from gateway.rules import wording
from tests.gateway import browsing
from tests.gateway.conftest import words
from tests.gateway.evening import admin, app, now, officer, signed_in

__all__ = ["now", "app", "officer", "admin"]
OWN = "{station}: Mời {name} đến lấy giấy tờ tại {place}."


def with_sms(config, **changes):
    return config.model_copy(update={"sms": config.sms.model_copy(update=changes)})


def change(engine, config, kind, text, language="vi", at=1_000):
    with database.writing(engine) as session:
        return wordings.change(session, config, kind, language, text, "binh", at)


def known(engine):
    with database.reading(engine) as session:
        return wordings.known(session)


# Whose words they are


def test_an_officers_words_go_before_those_of_config_and_those_before_ours(engine, config):
    mine = with_sms(config, texts={"ready": "{station}: Giấy tờ {name}."})
    assert wordings.pattern({}, config, words, "ready", "vi") == wording.TEXT["ready"]
    assert wordings.pattern({}, config, words, "ready", "en").startswith("{station}: The papers of {name}")
    assert wordings.pattern({}, mine, words, "ready", "en") == "{station}: Giấy tờ {name}."
    assert change(engine, mine, "ready", OWN) is None
    assert wordings.pattern(known(engine), mine, words, "ready", "vi") == OWN
    assert wordings.pattern(known(engine), mine, words, "ready", "en") == "{station}: Giấy tờ {name}."
    assert [wordings.origin(known(engine), mine, "ready", one) for one in ("vi", "en")] == ["own", "config"]
    assert wordings.origin({}, config, "ready", "vi") == "ours"


def test_words_are_changed_again_and_reset_and_it_is_written_down_who_did(engine, config):
    change(engine, config, "ready", OWN)
    change(engine, config, "ready", OWN.replace("Mời", "Kính mời"), at=2_000)
    assert known(engine) == {("ready", "vi"): OWN.replace("Mời", "Kính mời")}
    for done in (True, False):
        with database.writing(engine) as session:
            assert wordings.reset(session, "ready", "vi", "chi", 3_000) is done
    assert known(engine) == {}
    with database.reading(engine) as session:
        rows = session.scalars(select(tables.Audit).order_by(tables.Audit.id)).all()
    assert [(one.actor, one.action, one.subject) for one in rows] == [
        ("binh", "sms_text.change", "ready:vi"),
        ("binh", "sms_text.change", "ready:vi"),
        ("chi", "sms_text.reset", "ready:vi"),
    ]


def test_what_nobody_sees_is_not_kept(engine, config):
    assert change(engine, config, "ready", "{\u200bname}\0 đến\x1b[0m\u202e lấy") is None
    assert known(engine) == {("ready", "vi"): "{name} đến[0m lấy"}


# Which are kept


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("ready", "  \n ", "empty"),
        ("ready", "\0\u202e", "empty"),
        ("ready", "👍", "empty"),
        ("ready", "a" * 601, "long"),
        ("ready", "{nmae} đến", "field"),
        ("ready", "{name.__class__}", "field"),
        ("ready", "{name[0]}", "field"),
        ("ready", "{name!r}", "field"),
        ("ready", "{name:>99999999}", "field"),
        ("ready", "{}", "field"),
        ("ready", "{0}", "field"),
        ("ready", "{name", "brace"),
        ("ready", "name}", "brace"),
        ("ready", "{what}", "field"),
        ("alert", "{name}", "field"),
        ("ready", "a" * 500, "parts"),
        ("ready", "{address} " * 20, "parts"),
    ],
)
def test_words_that_cannot_be_sent_are_not_kept_and_it_says_why(engine, config, kind, text, code):
    fault = change(engine, config, kind, text)
    assert fault.code == code and fault.vi and fault.en and fault.vi != fault.en
    assert known(engine) == {}


def test_the_fields_that_there_are_are_named_where_one_is_not(engine, config):
    fault = change(engine, config, "ready", "{nmae}")
    assert "{nmae}" in fault.vi and "{name}" in fault.vi and "{name}" in fault.en


def test_every_word_of_ours_would_be_kept(engine, config):
    for kind in wordings.KINDS:
        for language in wordings.LANGUAGES:
            text = words(language, wording.of_a_text(kind))
            assert change(engine, config, kind, text, language) is None


def test_words_are_kept_composed_and_on_one_line(engine, config):
    change(engine, config, "ready", "  Giâ\u0301y tờ\n của   {name} ")
    assert known(engine)[("ready", "vi")] == "Giấy tờ của {name}"


def test_words_with_braces_that_are_meant_stay(engine, config):
    assert change(engine, config, "ready", "{{{name}}}") is None
    given = wordings.example(config, "ready", 0)
    assert wordings.shown(config, "{{{name}}}", given) == "{N. T. HUONG}"


# What it comes to


def test_a_text_is_priced_by_the_cheapest_and_the_dearest_lane_and_network(config):
    sms = config.sms.model_copy(
        update={
            "providers": ("esms", "modem"),
            "esms": config.sms.esms.model_copy(update={"price": 500, "prices": {"viettel": 850}}),
            "modem": config.sms.modem.model_copy(update={"price": 300}),
        }
    )
    mine = config.model_copy(update={"sms": sms})
    seen = wordings.tally(mine, "Số " * 60)
    assert (seen.count.parts, seen.price_min, seen.price_max) == (2, 600, 1_700)
    only = wordings.tally(mine, "Số " * 60, ("modem",))
    assert (only.price_min, only.price_max) == (600, 600)
    accented = wordings.tally(mine, "Số " * 60, ("modem",), accented=True)
    assert (accented.count.parts, accented.price_min, accented.count.foreign) == (3, 900, ("ố",))


def test_a_lane_with_references_of_16_bits_is_counted_as_it_sends(config):
    sim = config.sms.modem.model_copy(update={"reference_bits": 16})
    mine = with_sms(config, modem=sim)
    assert wordings.tally(mine, "a" * 305, ("modem",)).count.parts == 3
    assert wordings.tally(mine, "a" * 305, ("esms",)).count.parts == 2


# The pages


def test_the_page_shows_every_kind_in_every_language_with_its_parts(officer):
    page = officer.text("/admin/sms/texts")
    for kind in wordings.KINDS:
        assert f'data-wording="{kind}:vi"' in page and f'data-wording="{kind}:en"' in page
    assert "{station}: Mời số {number} đến {counter}, {place}." in page


def test_only_officers_see_the_words(app):
    an = signed_in(app, "an")
    assert an.get("/admin/sms/texts").status_code == 403
    assert an.get("/admin/sms/texts/ready/vi").status_code == 403
    stranger = browsing.Visitor(app)
    assert stranger.get("/admin/sms/texts").status_code == 302
    assert stranger.client.post("/admin/sms/count", json={"text": "a"}).status_code in (400, 401)


@pytest.mark.parametrize("path", ["nothing/vi", "ready/fr", "chat/vi"])
def test_there_is_no_page_for_what_is_no_kind_or_no_language_of_the_station(officer, path):
    assert officer.get(f"/admin/sms/texts/{path}").status_code == 404


def test_an_officer_changes_the_words_and_goes_back(officer, sqlite):
    at = "/admin/sms/texts/ready/vi"
    answer = officer.post(at, {"text": OWN, "act": "save"})
    assert answer.status_code == 303 and known(sqlite) == {("ready", "vi"): OWN}
    page = officer.text("/admin/sms/texts")
    assert OWN in page and "lời riêng" in page and "binh" in page
    page = officer.text(at)
    assert "Trở lại lời mặc định" in page and wording.TEXT["ready"] in page
    assert officer.post(at + "/reset", {}, at).status_code == 303
    assert known(sqlite) == {} and wording.TEXT["ready"] in officer.text("/admin/sms/texts")


def test_words_with_a_mistake_come_back_as_they_were_typed(officer, sqlite):
    answer = officer.post("/admin/sms/texts/ready/vi", {"text": "{nmae} <b>", "act": "save"})
    assert answer.status_code == 422 and known(sqlite) == {}
    assert "{nmae} &lt;b&gt;</textarea>" in answer.text and "Không có ô {nmae}" in answer.text
    assert 'aria-invalid="true"' in answer.text and "<b></textarea>" not in answer.text


def test_a_preview_without_the_script_keeps_nothing(officer, sqlite):
    answer = officer.post("/admin/sms/texts/ready/vi", {"text": OWN, "act": "preview"})
    assert answer.status_code == 200 and known(sqlite) == {}
    assert "CA PHUONG: Moi N. T. HUONG den lay giay to tai Nha van hoa phuong An Xuan." in answer.text
    assert f"{OWN}</textarea>" in answer.text


# The counter


def counted(visitor, **asked):
    page = (
        visitor.get("/admin/sms/texts/ready/vi").text
        if asked.pop("officer", True)
        else visitor.text("/staff")
    )
    token = browsing.re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    return visitor.client.post("/admin/sms/count", json=asked, headers={"X-CSRFToken": token})


def test_the_counter_counts_what_is_sent(officer):
    found = counted(officer, text="Số 5 – “đợt 2”").json
    assert (found["parts"], found["alphabet"], found["left"], found["foreign"]) == (1, "GSM7", 146, [])
    assert found["sent"] == 'So 5 - "dot 2"' and "còn 146 ký tự" in found["summary"] and found["forced"] == ""
    accented = counted(officer, text="Số 5", accented=True).json
    assert (accented["alphabet"], accented["left"], accented["foreign"]) == ("UCS2", 66, ["ố"])
    assert "ố" in accented["forced"]


def test_the_counter_of_a_kinds_words_fills_them_in(officer):
    found = counted(officer, text=OWN, kind="ready").json
    assert found["sent"].startswith("CA PHUONG: Moi N. T. HUONG den lay giay to tai ")
    assert "C. T. T. N. T. H. NGHIENG" in found["longest_sent"] and found["longest_parts"] == 1
    assert found["fault"] == ""
    wrong = counted(officer, text="{nmae}", kind="ready").json
    assert "{nmae}" in wrong["fault"] and wrong["sent"] == "{nmae}"
    heavy = counted(officer, text="a" * 500, kind="ready").json
    assert heavy["parts"] == 4 and heavy["fault"]


def test_everybody_who_answers_people_may_count(app):
    an = signed_in(app, "an")
    found = counted(an, officer=False, text="Chào bạn", lane="modem").json
    assert (found["parts"], found["sent"]) == (1, "Chao ban")


@pytest.mark.parametrize("body", [{"text": 5}, {"text": "a" * 5_001}, {"words": "a"}, {}, [], "x"])
def test_what_is_no_question_for_the_counter_is_refused(officer, body):
    page = officer.get("/admin/sms/texts/ready/vi").text
    token = browsing.re.search(r'name="csrf_token" value="([^"]+)"', page)[1]
    answer = officer.client.post("/admin/sms/count", json=body, headers={"X-CSRFToken": token})
    assert answer.status_code == 422


def test_the_counter_wants_the_pages_token(officer):
    assert officer.client.post("/admin/sms/count", json={"text": "a"}).status_code == 400
