"""The officer's page of text messages: modems, providers, routes and prices, and who wants none."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from gateway import alerts, balances, database, modems, notices, tables, texts
from gateway.web import sms
from tests.gateway import browsing
from tests.gateway.evening import app, audited, now, officer, signed_in
from tests.gateway.simcards import State, alive, configured, parts, told

__all__ = ["now", "app", "officer"]
PAGE = "/admin/sms"
LASTING = 366 * 86_400


@pytest.fixture
def config(config):
    return configured(config)


def card(page, name):
    """The words of one card."""
    found = re.search(rf'<section [^>]*data-(?:modem|provider)="{name}".*?</section>', page, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def test_only_officers_see_it(app):
    assert signed_in(app, "an").get(PAGE).status_code == 403
    assert browsing.Visitor(app).get(PAGE).status_code == 302


def test_a_modem_shows_signal_operator_sim_and_its_day(officer, sqlite, now):
    told(sqlite, State(), now[0])
    alive(sqlite, now[0], "modem", "sim2", "esms")
    parts(sqlite, ["delivered", "delivered", "failed"], now[0] - 60)
    page = officer.text(PAGE)
    words = card(page, "modem")
    for word in (
        "sẵn sàng",
        "Viettel",
        "khá · -77 dBm · mạng nhà",
        "Hôm nay đã gửi 3 / 150 phần",
        "SIM đã mở",
    ):
        assert word in words, (word, words)
    assert "Đã đến máy 2" in words and "Không đến 1" in words and "2 / 25" in words and "1 lần" in words
    assert page.count('class="on"') == 3 and 'data-modem="modem" data-well="yes"' in page
    assert "chưa có tiến trình nào mở modem này".lower() in card(page, "sim2").lower()


def test_a_locked_sim_says_what_to_do(officer, sqlite, now):
    told(
        sqlite,
        State(state="refused", sim="pin", network="", operator="", signal=None, reason="PIN sai / wrong PIN"),
        now[0],
    )
    words = card(officer.text(PAGE), "modem")
    assert (
        "SIM hoặc mạng từ chối" in words
        and "ghi mã PIN đúng vào tệp pin_file" in words
        and "(PIN sai)" in words
    )
    english = card(officer.text(f"{PAGE}?lang=en"), "modem")
    assert "put its right PIN into the modem's pin_file" in english


def test_a_used_up_day_is_said_on_the_card(officer, sqlite, now):
    told(sqlite, State(), now[0], channel="sim2")
    parts(sqlite, ["delivered"] * 40, now[0], channel="sim2")
    assert "hết hạn mức hôm nay" in card(officer.text(PAGE), "sim2")


def test_a_provider_shows_its_balance_and_says_when_it_is_low(officer, sqlite, config, now):
    with database.writing(sqlite) as session:
        balances.noted(session, config, "esms", 82_500, "", now[0])
        balances.noted(session, config, "vina", None, "khoá sai / wrong key", now[0])
    page = officer.text(PAGE)
    assert "82.500 đ" in card(page, "esms") and "Sắp hết tiền" in card(page, "esms")
    assert "Chưa hỏi được số dư: khoá sai" in card(page, "vina") and "Số dư" not in card(
        page, "vina"
    ).replace("số dư", "")
    assert "SMS (eSMS) sắp hết tiền." in page


def test_routes_name_each_lane_in_order_with_the_price_for_the_network(officer):
    page = officer.text(PAGE)
    viettel = re.search(r"<tr><td>Viettel</td><td>(.*?)</td></tr>", page)[1]
    lanes = re.findall(r"<li>([^<]+?) <span class=\"quiet\">([^<]+)</span>", viettel)
    assert lanes == [
        ("SMS (eSMS)", "450 đ"), ("SMS (vina)", "420 đ"), ("SMS (modem sim2)", "250 đ"), ("SMS (modem)", "300 đ"),
    ]  # fmt: skip


def test_by_price_the_cheapest_lane_of_a_network_stands_first(config):
    own = config.model_copy(update={"sms": config.sms.model_copy(update={"order": "cheapest"})})
    found = {
        network: [name for name, _ in route.steps]
        for route in sms._routes(own)
        for network in [route.network]
    }
    assert found["Viettel"] == ["sim2", "modem", "vina", "esms"]
    assert sum(len(network.split(", ")) for network in found) == len(sms.SAMPLES)


def test_who_wants_no_texts_is_listed_masked_and_can_be_lifted_once(officer, sqlite, now):
    with database.writing(sqlite) as session:
        for number in ("+84905123456", "+84905123457"):
            notices.suppress(
                session,
                "sms",
                number,
                now[0] + LASTING,
                "stopped",
                "Đã nhắn STOP / texted STOP",
                "sms",
                now[0],
            )
    page = officer.text(PAGE)
    assert "090***456" in page and "905123456" not in page and page.count("data-stopped=") == 2
    key = re.search(r'data-stopped="(\w+)"', page)[1]
    for _again in range(2):
        officer.post(f"{PAGE}/stopped/lift", {"one": key}, PAGE)
    assert officer.text(PAGE).count("data-stopped=") == 1
    assert audited(sqlite, "sms.start") == [("binh", "090***456")]


@pytest.mark.parametrize("key", ["", "x" * 32, "ă" * 5, "+84905123456"])
def test_a_key_that_is_none_lifts_nothing(officer, sqlite, now, key):
    with database.writing(sqlite) as session:
        notices.suppress(session, "sms", "+84905123456", now[0] + LASTING, "stopped", "x", "sms", now[0])
    assert officer.post(f"{PAGE}/stopped/lift", {"one": key}, PAGE).status_code == 303
    assert officer.text(PAGE).count("data-stopped=") == 1


def test_an_officer_notes_a_phone_that_wants_no_texts(officer, sqlite, now):
    for typed in ("0905 123 456", "84905123456", "12", ""):
        officer.post(f"{PAGE}/stopped", {"phone": typed}, PAGE)
    with database.reading(sqlite) as session:
        row = session.scalars(select(tables.Suppression)).one()
        assert (row.channel, row.phone, row.by, row.code) == ("sms", "+84905123456", "binh", "stopped")
        assert texts.stopped(session, row.phone, now[0] + LASTING)
    assert "Cán bộ ghi theo yêu cầu" in officer.text(PAGE)


def test_a_phone_that_wants_no_texts_is_shown_where_the_person_is_looked_up(officer, sqlite, now):
    with database.writing(sqlite) as session:
        notices.suppress(session, "sms", "+84905123456", now[0] + LASTING, "stopped", "x / y", "sms", now[0])
    page = officer.post("/admin/delivery/search", {"q": "0905123456"}, "/admin/delivery/search").text
    assert 'data-spared="sms"' in page


def test_without_text_lanes_the_page_says_so(sqlite, config, now):
    none = config.model_copy(update={"notices": config.notices.model_copy(update={"ladder": ("zalo",)})})
    officer = signed_in(browsing.station(none, sqlite, now), "binh")
    page = officer.text(PAGE)
    assert "không gửi tin nhắn SMS" in page and "data-modem" not in page and "data-provider" not in page


def test_the_page_keeps_the_content_security_policy_and_shows_names_as_words(officer, sqlite, now):
    told(sqlite, State(operator="<img src=x onerror=alert(1)>", device="<b>"), now[0])
    answer = officer.get(PAGE)
    assert browsing.inline(answer.text) == [] and "<img src=x" not in answer.text


def test_a_lane_of_any_name_has_a_word_on_every_page(officer, sqlite, now):
    with database.writing(sqlite) as session:
        modems.told(session, "sim2", "pi", State(state="refused", sim="puk"), now[0])
        alerts.raised(session, "modem:sim2", "modem", {"channel": "sim2", "reason": "a / b"}, now[0])
    page = officer.text("/admin/delivery/channels")
    for word in ("SMS (eSMS)", "SMS (vina)", "SMS (modem)", "SMS (modem sim2)"):
        assert f">{word}</h2>" in page
    assert "SMS (modem sim2): SIM cần người xử lý." in page
    assert "SMS (modem sim2) không hoạt động đã lâu." in page


def test_the_rate_of_a_modem_cannot_be_set_on_the_page(app, sqlite):
    admin = signed_in(app, "chi")
    page = admin.text("/admin/delivery/channels")
    assert 'id="rate-vina"' in page and 'id="rate-sim2"' not in page and 'id="rate-modem"' not in page
    admin.post(
        "/admin/delivery/channels/sim2", {"concurrency": 9, "per_minute": 9}, "/admin/delivery/channels"
    )
    with database.reading(sqlite) as session:
        assert session.scalars(select(tables.Lane)).all() == []


def test_what_a_lane_cost_that_is_used_no_more_still_counts(officer, sqlite, now):
    parts(sqlite, ["delivered"] * 2, now[0], channel="oldlane")
    page = officer.text("/admin/delivery/costs")
    assert "SMS (oldlane)" in page


def test_prometheus_is_told_of_each_modem_and_balance(app, sqlite, config, now):
    told(sqlite, State(), now[0])
    parts(sqlite, ["delivered"] * 3, now[0])
    with database.writing(sqlite) as session:
        balances.noted(session, config, "esms", 82_500, "", now[0])
    text = app.test_client().get("/metrics").text
    for line in (
        'gateway_modem_state{channel="modem",state="ready"} 1.0',
        'gateway_modem_state{channel="sim2",state="unheard"} 1.0',
        'gateway_modem_ready{channel="modem"} 1.0',
        'gateway_modem_ready{channel="sim2"} 0.0',
        'gateway_modem_signal_dbm{channel="modem"} -77.0',
        'gateway_modem_parts_today{channel="modem"} 3.0',
        'gateway_modem_parts_a_day{channel="sim2"} 40.0',
        'gateway_modem_recoveries{channel="modem"} 1.0',
        'gateway_sms_balance_dong{channel="esms"} 82500.0',
    ):
        assert f"\n{line}\n" in text, line
    assert 'signal_dbm{channel="sim2"' not in text
