"""What people do on their phones becomes Zalo's events: signed, and as badly delivered as is switched on."""

import json

import pytest

from gateway.rules import hashes
from gateway.sandbox import faults
from tests.gateway.townsfolk import AN, BINH, DATA, Town

BY_PHONE = {"phone": "84905123456", "template_id": "1", "template_data": DATA, "tracking_id": "r1"}
SHOW = {"title": "Số của tôi", "type": "oa.query.show", "payload": "#so"}
HIDE = {"title": "Huỷ", "type": "oa.query.hide", "payload": "#huy"}
URL = {"title": "Đăng ký", "type": "oa.open.url", "payload": {"url": "https://example.vn/f?t=1"}}
CALL = {"title": "Gọi", "type": "oa.open.phone", "payload": {"phone_code": "84235123456"}}


@pytest.fixture
def start(tmp_path):
    made = []

    def start(**options):
        made.append(Town(tmp_path, options))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture
def town(start):
    return start()


def menu(*given):
    return {"text": "Chọn", "attachment": {"type": "template", "payload": {"buttons": list(given)}}}


def genuine(town, headers, body):
    return hashes.zalo_variants(
        headers["X-ZEvent-Signature"], body, ids={"app_id": town.settings.app_id},
        timestamps={"body": json.loads(body)["timestamp"]},
        secrets={"webhook_secret": town.settings.webhook_secret},
    )  # fmt: skip


def test_a_newcomer_follows_and_every_id_is_a_text_too_long_for_a_float(town):
    answer = town.act("0905 123 456", "follow")
    (event,) = town.post.run()
    assert answer["user"]["following"] and event["event_name"] == "follow"
    assert event["follower"]["id"] == answer["user"]["user_id"] and event["oa_id"] == "99"
    assert int(event["follower"]["id"]) > 2**53 and event["timestamp"] == str(int(town.now * 1000))


def test_every_event_is_signed_and_says_which_server_it_is_from(town):
    town.act(AN, "text", text="Xin số thứ tự")
    town.ask("/message/template", BY_PHONE)
    town.say(AN, {"text": "Chào"})
    town.post.run()
    assert [genuine(town, *one) for one in town.post.mail] == ["app_id/body/webhook_secret"] * 3
    assert [one["X-ZEvent-Server"] for one, _ in town.post.mail] == ["OA OpenAPI", "ZNS", "OA OpenAPI"]


def test_a_text_is_in_the_chat_and_in_its_event(town):
    answer = town.act(AN, "text", text="  Xin số thứ tự ")
    (event,) = town.post.run()
    assert event["message"] == {"text": "Xin số thứ tự", "msg_id": answer["id"]}
    assert event["sender"]["id"] == town.user(AN) and event["recipient"]["id"] == "99"
    assert [(one.via, one.text) for one in town.phones.messages(AN)] == [("mine", "Xin số thứ tự")]


@pytest.mark.parametrize("text", ["", "  ", "x" * 2_001, 5, None])
def test_a_text_that_nobody_can_send_is_refused(town, text):
    assert town.client.post(f"/users/{AN}/text", json={"text": text}).status_code == 409
    assert town.post.run() == [] and town.texts(AN) == []


def test_a_tapped_button_says_its_payload_shown_or_hidden(town):
    town.act(AN, "follow")
    town.say(AN, menu(SHOW, HIDE, URL, CALL))
    town.post.run()
    assert town.act(AN, "tap", title="Số của tôi")["text"] == "#so"
    assert town.act(AN, "tap", title="Huỷ")["text"] == "#huy"
    assert [one["message"]["text"] for one in town.post.run()] == ["#so", "#huy"]
    assert town.texts(AN) == ["Chọn", "#so"]


def test_a_link_or_a_call_tells_the_page_nothing(town):
    town.act(AN, "follow")
    town.say(AN, menu(URL, CALL))
    town.post.run()
    assert town.act(AN, "tap", title="Đăng ký")["url"] == "https://example.vn/f?t=1"
    assert town.act(AN, "tap", title="Gọi")["call"] == "84235123456"
    assert town.post.run() == []


def test_a_button_that_was_not_sent_cannot_be_tapped(town):
    town.act(AN, "follow")
    answer = town.say(AN, menu(SHOW))
    town.say(AN, {"text": "Khác"})
    for asked in ({"title": "Huỷ"}, {"title": "Số của tôi", "id": "other"}, {}):
        assert town.client.post(f"/users/{AN}/tap", json=asked).status_code == 409
    assert town.act(AN, "tap", title="Số của tôi", id=answer["data"]["message_id"])["text"] == "#so"


def test_a_picture_comes_with_an_address_where_it_lies(town):
    town.act(AN, "picture")
    (event,) = town.post.run()
    (attachment,) = event["message"]["attachments"]
    assert (event["event_name"], attachment["type"]) == ("user_send_image", "image")
    path = attachment["payload"]["url"].removeprefix("http://localhost")
    assert town.client.get(path).data.startswith(b"\x89PNG")
    assert town.phones.messages(AN)[-1].more["picture"] == path


@pytest.mark.parametrize("kind", ["file", "sticker", "location", "audio", "video", "link"])
def test_other_things_are_sent_too(town, kind):
    town.act(AN, "picture", kind=kind)
    (event,) = town.post.run()
    assert event["event_name"] == f"user_send_{kind}" and event["message"]["attachments"][0]["payload"]


def test_the_shared_phone_is_in_zalos_form(town):
    town.act(AN, "share", name="Nguyễn Thị An", phone="0912 345 678")
    (event,) = town.post.run()
    assert event["event_name"] == "user_submit_info"
    assert (event["info"]["name"], event["info"]["phone"]) == ("Nguyễn Thị An", "84912345678")
    assert town.client.post(f"/users/{AN}/share", json={"phone": "12"}).status_code == 409


def test_a_message_arrives_and_is_seen_once_but_a_template_by_phone_is_never_seen(town):
    town.act(AN, "follow")
    town.ask("/message/template", BY_PHONE)
    first = town.say(AN, {"text": "một"})["data"]["message_id"]
    second = town.say(AN, {"text": "hai"})["data"]["message_id"]
    received = [one["message"] for one in town.post.run() if one["event_name"] == "user_received_message"]
    assert received[0]["tracking_id"] == "r1" and [one["msg_id"] for one in received[1:]] == [first, second]
    assert town.act(AN, "seen")["seen"] == [first, second] and town.act(AN, "seen")["seen"] == []
    (event,) = town.post.run()
    assert (event["event_name"], event["message"]["msg_ids"]) == ("user_seen_message", [first, second])


def test_unfollowing_is_told_and_blocking_is_not(town):
    town.act(AN, "follow")
    town.act(AN, "unfollow")
    town.act(AN, "block")
    assert [one["event_name"] for one in town.post.run()] == ["follow", "unfollow"]
    assert town.client.post(f"/users/{AN}/text", json={"text": "a"}).status_code == 409
    assert town.act(AN, "follow")["user"]["blocked"] is False


def test_opening_the_chat_counts_as_speaking_and_looking_does_not(town):
    town.act(AN, "seen")
    assert town.say(AN, {"text": "a"})["error"] == -230
    town.act(AN, "open")
    assert town.say(AN, {"text": "a"})["error"] == 0
    town.act(AN, "age", hours=24 * 7 + 1)
    assert town.say(AN, {"text": "a"})["error"] == -230


def test_who_withdraws_is_forgotten(town):
    town.act(AN, "share")
    town.act(AN, "withdraw")
    assert [one["event_name"] for one in town.post.run()] == ["user_submit_info", "user_withdraw"]
    assert town.data("/v3.0/oa/user/detail", user_id=town.user(AN))["error"] == -213


def test_our_own_messages_are_told_back_where_that_is_switched_on(start):
    town = start(echoes=True)
    town.act(AN, "follow")
    msg_id = town.say(AN, {"text": "Chào"})["data"]["message_id"]
    echo = next(one for one in town.post.run() if one["event_name"] == "oa_send_text")
    assert echo["message"] == {"text": "Chào", "msg_id": msg_id} and echo["recipient"]["id"] == town.user(AN)


def test_phones_of_new_people_are_listed_after_those_with_messages(town):
    town.user(BINH)
    town.ask("/message/template", BY_PHONE)
    listed = town.client.get("/phones").json["phones"]
    assert [(one["phone"], len(one["messages"])) for one in listed] == [(AN, 1), (BINH, 0)]
    assert listed[1]["zalo"]["following"] is False and listed[0]["zalo"] is None


@pytest.mark.parametrize("phone", ["12", "0235 385 2123", "", "x"])
def test_only_a_mobile_number_is_a_new_phone(town, phone):
    assert town.client.post("/users", json={"phone": phone}).status_code == 400
    assert town.client.post("/users", data=b"{").status_code == 400
    assert town.client.get("/users").json["users"] == []


def test_an_act_that_does_not_exist_is_not_found(town):
    assert town.client.post(f"/users/{AN}/fly", json={}).status_code == 404
    assert town.client.post("/users/12/follow", json={}).status_code == 404
    assert town.client.get("/media/..%2Fzalo-people.jsonl").status_code == 404


def test_people_and_chats_outlive_a_crash(start, town):
    town.act(AN, "follow")
    town.say(AN, menu(SHOW))
    again = start()
    assert again.act(AN, "tap", title="Số của tôi")["user"]["following"] is True
    assert again.say(AN, {"text": "a"})["error"] == 0


def test_an_event_on_its_way_at_a_crash_comes_after_it_and_once(start, town):
    town.act(AN, "follow")
    again = start()
    assert [one["event_name"] for one in again.post.run()] == ["follow"]
    assert start().post.run() == []


def test_events_come_twice_and_are_the_same(town):
    town.fault(faults.WEBHOOK_TWICE, phone=AN)
    town.act(AN, "follow")
    town.act(BINH, "follow")
    first, second, other = town.post.run()
    assert first == second != other


def test_events_come_late(town):
    town.fault(faults.WEBHOOK_LATE, user=town.user(AN))
    town.act(AN, "follow")
    assert town.post.run(until=29) == []
    assert [one["event_name"] for one in town.post.run()] == ["follow"]


def test_an_event_is_overtaken_by_the_next_or_waits_a_few_seconds_only(town):
    town.fault(faults.WEBHOOK_SWAPPED)
    for text in ("một", "hai", "ba"):
        town.act(AN, "text", text=text)
    assert [one["message"]["text"] for one in town.post.run(until=1)] == ["hai", "một"]
    assert [one["message"]["text"] for one in town.post.run()] == ["ba"]


def test_a_forged_event_comes_among_good_ones(town):
    town.fault(faults.WEBHOOK_FORGED)
    town.act(AN, "text", text="thật")
    town.post.run()
    assert [genuine(town, *one) for one in town.post.mail] == [None, "app_id/body/webhook_secret"]
    false, true = (json.loads(body)["message"]["msg_id"] for _, body in town.post.mail)
    assert false != true


def test_a_lost_event_never_comes(start, town):
    town.fault(faults.WEBHOOK_LOST, phone=AN)
    town.act(AN, "follow")
    assert town.post.run() == [] and start().post.run() == []


def test_faults_for_a_user_and_a_template_are_listed_as_such(town):
    town.fault(faults.ZALO_BLOCKED, user=town.user(AN))
    town.fault(faults.ZALO_NOT_BY_ID, template="1")
    listed = town.client.get("/faults").json["faults"]
    assert [(one["phone"], one.get("user"), one.get("template")) for one in listed] == [
        (None, town.user(AN), None),
        (None, None, "1"),
    ]


def test_a_consent_page_asks_and_leads_to_the_same_place(town):
    asked = {"app_id": "1234567890", "redirect_uri": "http://127.0.0.1:8080/back", "state": "s1"}
    page = town.client.get("/v4/oa/permission", query_string=asked | {"ask": "1"})
    assert page.status_code == 200 and 'name="state" value="s1"' in page.text and "Cho phép" in page.text
    assert 'name="ask"' not in page.text
    answer = town.client.get("/v4/oa/permission", query_string=asked)
    assert answer.status_code == 302 and "state=s1" in answer.location and "oa_id=99" in answer.location


VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"


def redeemed(town, wait=0.0, verifier=VERIFIER):
    asked = {"app_id": "1234567890", "redirect_uri": "http://127.0.0.1:8080/", "code_challenge": CHALLENGE}
    location = town.client.get("/v4/oa/permission", query_string=asked).location
    code = location.split("code=")[1].split("&")[0]
    town.now += wait
    form = {"app_id": "1234567890", "grant_type": "authorization_code", "code": code}
    form |= {"code_verifier": verifier} if verifier else {}
    headers = {"secret_key": town.settings.app_secret}
    return [town.client.post("/v4/oa/access_token", data=form, headers=headers).json for _ in range(2)]


CHALLENGE = hashes.pkce_challenge(VERIFIER)


def test_a_code_is_good_once(town):
    first, second = redeemed(town, wait=600)
    assert first["expires_in"] == "90000" and "access_token" not in second


@pytest.mark.parametrize(("wait", "verifier"), [(601, VERIFIER), (0, None), (0, "x" * 43)])
def test_a_code_is_dead_after_ten_minutes_or_without_its_verifier(town, wait, verifier):
    assert "access_token" not in redeemed(town, wait, verifier)[0]


def test_a_refresh_token_ends_after_three_months(town):
    pair = town.client.get("/tools/token").json
    form = {
        "app_id": "1234567890",
        "grant_type": "refresh_token",
        "refresh_token": pair["refresh_token"],
    }
    town.now += 90 * 86_400 + 1
    answer = town.client.post(
        "/v4/oa/access_token", data=form, headers={"secret_key": town.settings.app_secret}
    )
    assert answer.status_code == 200 and answer.json["error"] < 0
