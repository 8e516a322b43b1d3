"""The stand-in OA host refuses what Zalo refuses, one test for each refusal, with the code in a 200."""

import io

import pytest

from gateway.rules import hashes
from gateway.sandbox import faults
from tests.gateway.townsfolk import AN, BINH, DATA, Town

HOUR, DAY = 3_600, 86_400
PNG, PDF = b"\x89PNG\r\n\x1a\n", b"%PDF-1.7\n"


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
    """An follows the page and has just spoken; Bình has a Zalo account and that is all."""
    town = start()
    town.act(AN, "text", text="Xin chào")
    town.act(AN, "follow")
    town.user(BINH)
    return town


def buttons(*given):
    return {
        "text": "Chọn",
        "attachment": {"type": "template", "payload": {"buttons": list(given)}},
    }


def media(**element):
    elements = [{"media_type": "image", **element}]
    return {"attachment": {"type": "template", "payload": {"template_type": "media", "elements": elements}}}


def question(*elements):
    payload = {"template_type": "request_user_info", "elements": list(elements)}
    return {"attachment": {"type": "template", "payload": payload}}


ASKED = {"title": "Công an phường", "subtitle": "Xin số điện thoại", "image_url": "https://example.vn/a.png"}
URL = {"title": "Đăng ký", "type": "oa.open.url", "payload": {"url": "https://example.vn/f?t=1"}}
SHOW = {"title": "Số của tôi", "type": "oa.query.show", "payload": "#so"}
HIDE = {"title": "Huỷ", "type": "oa.query.hide", "payload": "#huy"}
CALL = {"title": "Gọi", "type": "oa.open.phone", "payload": {"phone_code": "84235123456"}}
SMS = {"title": "SMS", "type": "oa.open.sms", "payload": {"phone_code": "84235123456", "content": "XN"}}


def test_a_text_is_on_the_phone_and_its_answer_names_it_as_the_host_does(town):
    answer = town.say(AN, {"text": "Số của bà là A-042"})
    assert answer["error"] == 0 and answer["data"]["user_id"] == town.user(AN)
    message = town.phones.messages(AN)[-1]
    assert (message.text, message.id, message.via) == (
        "Số của bà là A-042",
        answer["data"]["message_id"],
        "zalo",
    )


def test_every_kind_of_button_is_shown(town):
    assert town.say(AN, buttons(URL, SHOW, HIDE, CALL, SMS))["error"] == 0
    shown = town.phones.messages(AN)[-1].more["buttons"]
    assert [one["title"] for one in shown] == ["Đăng ký", "Số của tôi", "Huỷ", "Gọi", "SMS"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (None, -201),
        ("text", -201),
        ({}, -201),
        ({"text": " "}, -201),
        ({"text": 5}, -201),
        ({"text": "x" * 2_001}, -210),
        ({"text": "a", "quote_message_id": 7}, -201),
        (buttons(), -201),
        (buttons(*[SHOW] * 6), -210),
        (buttons(SHOW) | {"text": ""}, -201),
        (buttons(SHOW | {"title": ""}), -201),
        (buttons(SHOW | {"title": "x" * 101}), -210),
        (buttons(SHOW | {"payload": "x" * 1_001}), -210),
        (buttons(SHOW | {"payload": {"text": "#so"}}), -201),
        (buttons(SHOW | {"type": "oa.open.app"}), -201),
        (buttons(URL | {"payload": "https://example.vn"}), -201),
        (buttons(URL | {"payload": {"url": "javascript:alert(1)"}}), -201),
        (buttons(CALL | {"payload": {"phone_code": "abc"}}), -201),
        (buttons(SMS | {"payload": {"phone_code": "84235123456"}}), -201),
        (buttons("Đăng ký"), -201),
        (media(attachment_id="made-up"), -201),
        (media(url="file:///etc/passwd"), -201),
        (media(media_type="video", url="https://example.vn/a.mp4"), -201),
        ({"attachment": {"type": "file", "payload": {"token": "made-up"}}}, -201),
        ({"attachment": {"type": "file"}}, -201),
        ({"attachment": {"type": "carousel", "payload": {}}}, -233),
        ({"text": "a", "attachment": {"type": "template", "payload": {"template_type": "list"}}}, -233),
        (question(), -201),
        (question(ASKED, ASKED), -201),
        (question({"title": "Công an"}), -201),
        (question(ASKED | {"image_url": ""}), -201),
    ],
)
def test_a_message_that_does_not_fit_reaches_nobody(town, message, code):
    before = town.texts(AN)
    assert town.say(AN, message)["error"] == code
    assert town.texts(AN) == before


@pytest.mark.parametrize(
    "body", [{}, {"recipient": {}}, {"recipient": "555"}, {"recipient": {"user_id": 555}}]
)
def test_a_message_to_nobody_is_refused(town, body):
    assert town.ask("/v3.0/oa/message/cs", {"message": {"text": "a"}, **body})["error"] == -201
    unknown = {"recipient": {"user_id": "555"}, "message": {"text": "a"}}
    assert town.ask("/v3.0/oa/message/cs", unknown)["error"] == -201


def test_a_body_that_is_no_object_is_refused(town):
    headers = {"access_token": town.token}
    for octets in (b"", b"{", b"[1]"):
        answer = town.client.post("/v3.0/oa/message/cs", data=octets, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (200, -201)


def test_an_answer_is_free_for_48_hours_then_paid_and_after_seven_days_refused(town):
    paid = []
    for passing in (48 * HOUR, 1, 5 * DAY - 1):
        town.pass_by(passing)
        assert town.say(AN, {"text": "a"})["error"] == 0
        paid.append(town.phones.messages(AN)[-1].more.get("paid", False))
    town.pass_by(1)
    assert (paid, town.say(AN, {"text": "a"})["error"]) == ([False, True, True], -230)


def test_who_never_spoke_is_answered_nothing(town):
    assert town.say(BINH, {"text": "a"})["error"] == -230
    assert town.texts(BINH) == []


def test_speaking_again_opens_the_window_again(town):
    town.pass_by(8 * DAY)
    town.act(AN, "text", text="Còn đó không?")
    assert town.say(AN, {"text": "Còn"})["error"] == 0


@pytest.mark.parametrize(
    ("fault", "chat", "template"),
    [
        (faults.ZALO_NOT_FOLLOWING, -213, -213),
        (faults.ZALO_BLOCKED, -217, -217),
        (faults.ZALO_RESTRICTED, -244, -244),
        (faults.ZALO_WINDOW_SHUT, -230, 0),
        (faults.ZALO_QUOTA, 0, -211),
    ],
)
@pytest.mark.parametrize("by", ["phone", "user"])
def test_a_fault_is_set_by_phone_or_by_user_id_and_is_nobody_elses(town, by, fault, chat, template):
    town.act(BINH, "follow")
    town.fault(fault, **{by: AN if by == "phone" else town.user(AN)})
    assert town.say(AN, {"text": "a"})["error"] == chat
    assert by_id(town, AN)["error"] == template
    assert (town.say(BINH, {"text": "a"})["error"], by_id(town, BINH)["error"]) == (0, 0)


def test_who_blocks_the_page_is_not_reached_on_any_way_until_they_unblock(town):
    by_phone = {"phone": "84905123456", "template_id": "1", "template_data": DATA, "tracking_id": "r1"}
    town.act(AN, "block")
    codes = [town.say(AN, {"text": "a"}), by_id(town, AN), town.ask("/message/template", by_phone)]
    assert [one["error"] for one in codes] == [-217, -217, -141]
    town.act(AN, "block", on=False)
    assert town.say(AN, {"text": "a"})["error"] == 0


def by_id(town, phone, recipient=False, **changes):
    body = {"user_id": town.user(phone)}
    body = {"recipient": body} if recipient else body
    return town.ask("/v3.0/oa/message/template", body | {"template_id": "1", "template_data": DATA} | changes)


@pytest.mark.parametrize("recipient", [False, True])
def test_a_template_by_user_id_comes_into_the_same_chat_in_either_shape(town, recipient):
    answer = by_id(town, AN, recipient)
    assert answer["error"] == 0 and answer["data"]["quota"]["remain"] == 4_999
    assert town.phones.messages(AN)[-1].id == answer["data"]["message_id"]
    assert town.texts(AN)[-1] == "Công an phường\nBà Hường: số 042, 09:00 24/11/2026."


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"template_id": "77"}, -109),
        ({"template_data": {}}, -111),
        ({"template_data": DATA | {"so": 42}}, -112),
        ({"template_data": DATA | {"so": "123456"}}, -1121),
        ({"template_data": DATA | {"so": ""}}, -1122),
        ({"template_data": DATA | {"gio": "chín giờ"}}, -1124),
        ({"template_data": DATA | {"ten": "Hu\u031bo\u031b\u0300ng"}}, -132),
        ({"user_id": "555"}, -201),
    ],
)
def test_a_template_by_user_id_is_judged_as_by_phone(town, changes, code):
    before = town.texts(AN)
    assert (by_id(town, AN, **changes)["error"], town.texts(AN)) == (code, before)


def test_a_template_needs_somebody_who_follows_or_has_spoken(town):
    assert by_id(town, BINH)["error"] == -213
    town.act(BINH, "text", text="a")
    assert by_id(town, BINH)["error"] == 0


def test_a_template_that_goes_by_phone_only_says_so_and_the_others_go(town):
    town.fault(faults.ZALO_NOT_BY_ID, template="1")
    assert by_id(town, AN)["error"] == -249
    assert by_id(town, AN, template_id="2", template_data={"ten": "A", "so": "1"})["error"] == 0


@pytest.mark.parametrize(("status", "code"), [("DISABLE", -146), ("REJECT", -131), ("PENDING_REVIEW", -131)])
def test_a_template_that_is_not_approved_is_not_sent_and_the_page_is_told(town, status, code):
    town.post.run()
    assert town.client.post("/templates/1", json={"status": status, "reason": "thử"}).status_code == 200
    assert by_id(town, AN)["error"] == code
    (event,) = town.post.run()
    assert event["event_name"] == "change_template_status" and event["template_id"] == "1"
    assert event["status"] == {"prev_status": "ENABLE", "new_status": status}


@pytest.mark.parametrize(("path", "code"), [("/v3.0/oa/user/detail", -216), ("/message/quota", -124)])
@pytest.mark.parametrize("token", ["", "made-up"])
def test_a_dead_token_has_the_code_of_its_host(town, path, code, token):
    assert town.ask(path, headers={"access_token": token})["error"] == code


def test_an_access_token_ends_after_25_hours(town):
    town.now += 25 * HOUR
    assert town.ask("/v2.0/oa/getoa")["error"] == -216


@pytest.mark.parametrize(("path", "code"), [("/v2.0/oa/getoa", -242), ("/quality", -1241)])
def test_a_wrong_proof_is_refused_and_a_right_one_is_asked_for_where_the_app_says_so(start, path, code):
    town = start(proof_required=True)
    right = hashes.appsecret_proof(town.settings.app_secret, town.token)
    given = [{}, {"appsecret_proof": "0" * 64}, {"appsecret_proof": right}]
    assert [town.ask(path, headers=one)["error"] for one in given] == [code, code, 0]


def test_a_wrong_proof_is_refused_even_where_none_is_asked_for(town):
    assert town.ask("/v2.0/oa/getoa", headers={"appsecret_proof": "x"})["error"] == -242


def test_one_call_too_many_in_a_minute_waits_for_the_next(start):
    town = start(per_minute=2)
    codes = [town.ask("/v2.0/oa/getoa")["error"] for _ in range(3)]
    town.now += 60
    answer = town.client.get("/v2.0/oa/getoa", headers={"access_token": town.token})
    assert (codes, answer.json["error"]) == ([0, 0, -32], 0)
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remain"]) == ("2", "1")


def test_the_quota_of_a_person_says_when_they_last_spoke(town):
    answer = town.ask("/v3.0/oa/quota/message", {"user_id": town.user(AN)})["data"]
    assert answer["last_interaction"] == str(int(town.now * 1000)) and answer["cs_reply"]["remain"] == 8
    town.pass_by(3 * DAY)
    assert town.ask("/v3.0/oa/quota/message", {"user_id": town.user(AN)})["data"]["cs_reply"]["remain"] == 0
    assert town.ask("/v3.0/oa/quota/message", {"user_id": "555"})["error"] == -201


def test_a_person_is_described_and_a_shared_phone_is_a_number(town):
    town.act(AN, "share", name="Nguyễn Thị An")
    data = town.data("/v3.0/oa/user/detail", user_id=town.user(AN))["data"]
    assert data["shared_info"]["phone"] == 84_905_123_456 and data["shared_info"]["name"] == "Nguyễn Thị An"
    assert data["user_is_follower"] is True and data["user_last_interaction_date"].count("/") == 2


def test_questions_travel_in_one_parameter(town):
    user_id = town.user(AN)
    assert town.ask("/v3.0/oa/user/detail", user_id=user_id)["error"] == -201
    assert town.ask("/v3.0/oa/user/detail", data="{")["error"] == -201
    assert town.ask("/v3.0/oa/user/detail", data="{}", user_id=user_id)["error"] == -201


def test_who_has_nothing_to_do_with_the_page_is_not_told(town):
    assert town.data("/v3.0/oa/user/detail", user_id=town.user(BINH))["error"] == -213
    assert town.data("/v3.0/oa/user/detail", user_id="555")["error"] == -201


def ids(town, **asked):
    data = town.data("/v3.0/oa/user/getlist", **{"offset": 0, "count": 50} | asked)["data"]
    return [one["user_id"] for one in data["users"]], data["total"]


def test_people_are_listed_by_following_by_their_last_word_and_by_tag(town):
    an, binh = town.user(AN), town.user(BINH)
    assert ids(town) == ([an], 1)
    town.act(BINH, "text", text="a")
    assert ids(town)[0] == [an, binh] and ids(town, is_follower=True)[0] == [an]
    assert ids(town, is_follower=False)[0] == [binh] and ids(town, offset=1) == ([binh], 2)
    town.pass_by(3 * DAY)
    town.act(BINH, "text", text="b")
    assert ids(town, last_interaction_period="TODAY")[0] == [binh]
    assert ids(town, last_interaction_period="L7D")[0] == [an, binh]
    town.ask("/v2.0/oa/tag/tagfollower", {"user_id": an, "tag_name": "cư trú"})
    assert ids(town, tag_name="cư trú")[0] == [an]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"count": 51}, -210), ({"offset": 9_952}, -210), ({"count": 0}, -201), ({"offset": -1}, -201),
        ({"count": "50"}, -201), ({"is_follower": "true"}, -201), ({"last_interaction_period": "L8D"}, -201),
        ({"last_interaction_period": "2026_13_01:2026_12_01"}, -201), ({"tag_name": ""}, -201),
    ],
)  # fmt: skip
def test_a_list_that_zalo_does_not_give_is_refused(town, asked, code):
    assert town.data("/v3.0/oa/user/getlist", **{"offset": 0, "count": 50} | asked)["error"] == code


def test_a_tag_is_put_on_once_and_taken_off(town):
    asked = {"user_id": town.user(AN), "tag_name": "cư trú"}
    for _ in range(2):
        assert town.ask("/v2.0/oa/tag/tagfollower", asked)["error"] == 0
    data = town.data("/v3.0/oa/user/detail", user_id=town.user(AN))["data"]
    assert data["tags_and_notes_info"]["tag_names"] == ["cư trú"]
    codes = [town.ask("/v2.0/oa/tag/rmfollowerfromtag", asked)["error"] for _ in range(2)]
    assert codes == [0, -201]


def test_only_followers_are_tagged_and_by_a_name(town):
    path = "/v2.0/oa/tag/tagfollower"
    assert town.ask(path, {"user_id": town.user(BINH), "tag_name": "a"})["error"] == -213
    assert town.ask(path, {"user_id": town.user(AN), "tag_name": " "})["error"] == -201
    assert town.ask(path, {"user_id": "555", "tag_name": "a"})["error"] == -201


def upload(town, what, octets, name="a"):
    form = {"file": (io.BytesIO(octets), name)} if octets is not None else {}
    answer = town.client.post(
        f"/v2.0/oa/upload/{what}", data=form, headers={"access_token": town.token},
        content_type="multipart/form-data",
    )  # fmt: skip
    assert answer.status_code == 200
    return answer.json


def test_an_uploaded_picture_is_sent_for_seven_days(town):
    id = upload(town, "image", PNG + b"x" * 1_000)["data"]["attachment_id"]
    assert town.say(AN, {"text": "QR", **media(attachment_id=id)})["error"] == 0
    address = town.phones.messages(AN)[-1].more["picture"]
    assert town.client.get(address).data.startswith(PNG)
    town.pass_by(7 * DAY + 1)
    town.act(AN, "text", text="a")
    assert town.say(AN, media(attachment_id=id))["error"] == -100


def test_an_uploaded_file_is_sent_by_its_token(town):
    token = upload(town, "file", PDF + b"x", "to-khai.pdf")["data"]["token"]
    sent = {"attachment": {"type": "file", "payload": {"token": token}}}
    assert town.say(AN, sent)["error"] == 0
    assert town.phones.messages(AN)[-1].more["file"] == "to-khai.pdf"
    assert town.say(AN, {"text": "Tờ khai", **sent})["error"] == -201
    assert town.say(AN, media(attachment_id=token))["error"] == -201


@pytest.mark.parametrize(
    ("what", "octets", "code"),
    [
        ("image", None, -201), ("image", b"", -201), ("image", PDF, -201), ("image", PNG + b"x" * 1_048_576, -210),
        ("file", PNG, -201), ("file", PDF + b"x" * 5_242_880, -210),
    ],
)  # fmt: skip
def test_an_upload_that_zalo_does_not_take_is_refused(town, what, octets, code):
    assert upload(town, what, octets)["error"] == code


def test_the_page_describes_itself_and_counts_its_followers(town):
    data = town.ask("/v2.0/oa/getoa")["data"]
    assert (data["oa_id"], data["num_follower"], data["is_verified"]) == ("99", 1, True)


def test_an_answer_that_breaks_off_does_not_take_the_message_back(town):
    town.fault(faults.ZALO_TIMEOUT, phone=AN)
    body = {"recipient": {"user_id": town.user(AN)}, "message": {"text": "đã nhận"}}
    answer = town.client.post("/v3.0/oa/message/cs", json=body, headers={"access_token": town.token})
    with pytest.raises(ConnectionResetError):
        answer.get_data()
    assert town.texts(AN)[-1] == "đã nhận"


def test_templates_are_listed_by_their_state_and_by_pages(town):
    town.client.post("/templates/2", json={"status": "DISABLE"})
    found = {status: town.ask("/template/all", offset=0, limit=100, status=status) for status in (1, 2, 4)}
    assert [[one["templateId"] for one in found[status]["data"]] for status in (1, 2, 4)] == [
        ["1"],
        [],
        ["2"],
    ]
    page = town.ask("/template/all", offset=1, limit=1)
    assert ([one["templateId"] for one in page["data"]], page["metadata"]["total"]) == (["2"], 2)


@pytest.mark.parametrize("asked", [{"limit": 101}, {"limit": 0}, {"offset": "x"}, {"status": 9}])
def test_a_list_of_templates_that_zalo_does_not_give_is_refused(town, asked):
    assert town.ask("/template/all", **{"offset": 0, "limit": 100} | asked)["error"] == -132


def test_a_template_says_its_prices_its_time_and_a_sample_that_fits(town):
    info = town.ask("/template/info/v2", template_id="1")["data"]
    assert (info["price_sdt"], info["price_uid"], info["timeout"]) == ("210", "160", 900_000)
    sample = town.ask("/template/sample-data", template_id="2")["data"]
    assert by_id(town, AN, template_id="2", template_data=sample)["error"] == 0
    assert town.ask("/template/sample-data", template_id="9")["error"] == -109


def test_the_days_limit_counts_both_ways_and_begins_anew_at_midnight(town):
    by_id(town, AN)
    body = {"phone": "84905123456", "template_id": "1", "template_data": DATA, "tracking_id": "r1"}
    town.ask("/message/template", body)
    assert town.ask("/message/quota")["data"]["remainingQuota"] == 4_998
    town.now += 24 * HOUR
    assert town.ask("/message/quota")["data"]["remainingQuota"] == 5_000


def test_what_zalo_knows_outlives_a_crash(start, town):
    town.client.post("/templates/2", json={"status": "DISABLE"})
    town.ask("/v2.0/oa/tag/tagfollower", {"user_id": town.user(AN), "tag_name": "cư trú"})
    picture = upload(town, "image", PNG + b"x")["data"]["attachment_id"]
    by_id(town, AN)
    again = start()  # the first was not closed, as after kill -9
    data = again.data("/v3.0/oa/user/detail", user_id=again.user(AN))["data"]
    assert (data["user_is_follower"], data["tags_and_notes_info"]["tag_names"]) == (True, ["cư trú"])
    assert again.say(AN, media(attachment_id=picture))["error"] == 0
    assert by_id(again, AN, template_id="2", template_data={"ten": "A", "so": "1"})["error"] == -146
    assert again.ask("/message/quota")["data"]["remainingQuota"] == 4_999
