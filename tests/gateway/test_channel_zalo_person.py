"""Templates by user id and texts in the chat: what goes over the wire, and what is never handed over."""

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import channels
from gateway.channels import codes, zalo
from gateway.channels.zalo import person, texts
from tests.gateway.answering import Tokens, host

__all__ = ["host"]
TEMPLATE = channels.Message(
    "", "appointment", "", "312345", {"ten": "NGUYỄN THỊ HƯƠNG", "so": "042"}, "a_1", zalo_user_id="555"
)
TEXT = channels.Message("", "chat", "Số của bà là A-042", None, {}, "a_2", zalo_user_id="555")
YES = {"error": 0, "message": "Success", "data": {"message_id": "m1", "user_id": "555"}}
OPEN = {"title": "Đăng ký", "type": "oa.open.url", "payload": {"url": "https://dk.example.vn/f?t=1"}}
ASK = {
    "kind": "ask_contact",
    "title": "Công an phường",
    "subtitle": "Xin số",
    "image_url": "https://x.vn/a.png",
}


def sent(host, message, *answers, kind=None, tokens=None, **words):
    kind = kind or (zalo.ZaloByUser if message.template_id else zalo.ZaloChat)
    host.answers = list(answers) or [YES]
    channel = kind(host.url + "/", tokens or Tokens("t1", "t2"), **words)
    try:
        return channel.send(message)
    finally:
        channel.close()


def refused(host, message, *answers, **words):
    with pytest.raises(channels.Refused) as caught:
        sent(host, message, *answers, **words)
    return caught.value


def wire(host, message):
    sent(host, message)
    return host.bodies[0]["message"]


# -- a template by user id


def test_a_template_by_user_id_is_what_the_documents_say(host):
    assert sent(host, TEMPLATE) == channels.Accepted("m1")
    path, headers, _ = host.asked[0]
    assert (path, headers["access_token"]) == ("/v3.0/oa/message/template", "t1")
    assert host.bodies == [
        {
            "user_id": "555",
            "template_id": "312345",
            "template_data": {"ten": "NGUYỄN THỊ HƯƠNG", "so": "042"},
        }
    ]


def test_the_user_may_be_named_as_recipient(host):
    sent(host, TEMPLATE, body="recipient")
    assert host.bodies[0]["recipient"] == {"user_id": "555"} and "user_id" not in host.bodies[0]


@pytest.mark.parametrize(
    ("quota", "remaining", "total"),
    [
        ({"quota_type": "purchase_quota", "remain": 4821}, 4821, None),
        ({"remain": "4821", "total": "5000"}, 4821, 5000),
        (None, None, None),
    ],
)
def test_what_is_left_is_read_where_it_is_said(host, quota, remaining, total):
    answer = YES | {"data": {"message_id": "m1", "quota": quota}}
    assert sent(host, TEMPLATE, answer) == channels.Accepted("m1", 1, remaining, total)


def test_an_empty_parameter_is_found_before_anybody_is_asked(host):
    fault = refused(host, replace(TEMPLATE, template_data={"ten": "An", "so": " "}))
    assert (fault.code, fault.scope, host.asked) == ("empty", "message", [])
    assert "so" in fault.reason


def test_no_template_is_our_fault_and_nobody_is_asked(host):
    fault = refused(host, replace(TEMPLATE, template_id=None), kind=zalo.ZaloByUser)
    assert (fault.fault, fault.scope, host.asked) == (channels.Fault.CONFIG, "template", [])


def test_a_template_that_cannot_go_by_user_id_rests_a_week_here(host):
    fault = refused(host, TEMPLATE, {"error": -249, "message": "template not support uid"})
    assert (fault.scope, fault.fault, fault.rest_days) == ("template", channels.Fault.CONFIG, 7)


def test_a_template_is_judged_here_as_it_is_by_phone(host):
    fault = refused(host, TEMPLATE, {"error": -1122, "message": "Missing params"})
    assert (fault.scope, fault.fault) == ("template", channels.Fault.CONFIG)


def test_decomposed_parameters_go_out_composed(host):
    sent(host, replace(TEMPLATE, template_data={"ten": unicodedata.normalize("NFD", "NGUYỄN")}))
    assert host.bodies[0]["template_data"] == {"ten": "NGUYỄN"}


# -- both ways


@pytest.mark.parametrize("message", [TEMPLATE, TEXT])
@pytest.mark.parametrize("user_id", [None, "", "5 5", "x" * 41, "số", "../1"])
def test_without_a_user_id_nobody_is_asked(host, message, user_id):
    fault = refused(host, replace(message, zalo_user_id=user_id))
    assert (fault.fault, fault.scope, host.asked) == (channels.Fault.PERSON, "phone", [])


@pytest.mark.parametrize(("message", "table"), [(TEMPLATE, "zalo_uid"), (TEXT, "oa")])
@pytest.mark.parametrize("code", [code for code in codes.OA if code != "-201u"])
def test_every_error_in_a_200_is_raised_as_its_class(host, message, table, code):
    row = codes.verdict(table, code)
    with pytest.raises((channels.Refused, channels.Unreachable)) as caught:
        sent(host, message, {"error": int(code), "message": "No"}, tokens=Tokens("t1", "t2"))
    assert isinstance(caught.value, channels.Unreachable) is (row.fault is None)
    assert caught.value.code == code
    assert len(host.asked) == (2 if row.fault is channels.Fault.TOKEN else 1)


@pytest.mark.parametrize("message", [TEMPLATE, TEXT])
@pytest.mark.parametrize(
    "dead", [{"error": -216}, {"error": -220}, {"error": 452}, (401, {}), (403, {"error": 1})]
)
def test_a_dead_token_is_renewed_once_and_the_message_sent_once_more(host, message, dead):
    tokens = Tokens("t1", "t2", "t3")
    assert sent(host, message, dead, YES, tokens=tokens).provider_ref == "m1"
    assert [headers["access_token"] for _, headers, _ in host.asked] == ["t1", "t2"]
    assert tokens.renewed == ["t1"]


@pytest.mark.parametrize("message", [TEMPLATE, TEXT])
def test_the_proof_is_sent_when_it_is_asked_for(host, message):
    sent(host, message, tokens=Tokens("token-abc"), app_secret="app-secret", proof=True)
    proof = "64ad4b31c7b1a1447bd689c4c0b82425f01d8a3da1ce7a8eb468cc17c0e9d787"
    assert host.asked[0][1]["appsecret_proof"] == proof


@pytest.mark.parametrize("message", [TEMPLATE, TEXT])
@pytest.mark.parametrize(
    ("clock", "seconds"), [(1_700_000_000.0, 40), (1_700_000_039.9, 1), (1_700_000_040.0, 60)]
)
def test_too_many_calls_wait_for_the_next_minute(host, message, clock, seconds):
    with pytest.raises(channels.Unreachable) as caught:
        sent(host, message, {"error": -32, "message": "rate"}, clock=lambda: clock)
    assert (caught.value.sent, caught.value.retry_after) == (False, seconds)


@pytest.mark.parametrize("message", [TEMPLATE, TEXT])
def test_a_user_id_that_zalo_does_not_know_is_told_from_other_parameters(host, message):
    fault = refused(host, message, {"error": -201, "message": "user_id is invalid"})
    assert (fault.code, fault.fault, fault.scope) == ("-201u", channels.Fault.PERSON, "phone")


@pytest.mark.parametrize("message", [TEMPLATE, TEXT])
@pytest.mark.parametrize("data", [None, {}, [], {"message_id": None}])
def test_a_yes_without_an_id_is_still_a_yes(host, message, data):
    assert sent(host, message, YES | {"data": data}) == channels.Accepted(None)


def test_nobody_can_be_asked_afterwards(host):
    for channel in (zalo.ZaloByUser(host.url, Tokens("t1")), zalo.ZaloChat(host.url, Tokens("t1"))):
        assert channel.pull("m1", "a_1") is None
        channel.close()
    assert host.asked == []


# -- a text in the chat


def test_a_text_is_what_the_documents_say(host):
    assert sent(host, TEXT) == channels.Accepted("m1")
    assert host.asked[0][0] == "/v3.0/oa/message/cs"
    assert host.bodies == [{"recipient": {"user_id": "555"}, "message": {"text": "Số của bà là A-042"}}]


def test_what_is_left_for_one_person_is_not_taken_for_the_accounts_quota(host):
    answer = YES | {
        "data": {"message_id": "m1", "quota": {"quota_type": "reply", "remain": "2", "total": "8"}}
    }
    assert sent(host, TEXT, answer) == channels.Accepted("m1")


def test_a_text_is_composed_before_it_is_measured(host):
    decomposed = unicodedata.normalize("NFD", "ế" * 2_000)
    assert len(decomposed) == 6_000
    assert wire(host, replace(TEXT, text=decomposed)) == {"text": "ế" * 2_000}


def test_a_text_that_is_too_long_is_not_handed_over(host):
    fault = refused(host, replace(TEXT, text="😀" * 2_001))
    assert (fault.code, fault.scope, fault.fault, host.asked) == ("long", "message", channels.Fault.BUG, [])
    assert "2001" in fault.reason


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_message_is_not_handed_over(host, text):
    assert refused(host, replace(TEXT, text=text)).code == "empty"
    assert host.asked == []


def test_an_answer_names_the_message_that_it_answers(host):
    assert wire(host, replace(TEXT, quote="m0")) == {"text": TEXT.text, "quote_message_id": "m0"}


BUTTONS = (
    OPEN,
    {"title": "Số của tôi", "type": "oa.query.show", "payload": "#so"},
    {"title": "Huỷ", "type": "oa.query.hide", "payload": "#huy A-042"},
    {"title": "Gọi", "type": "oa.open.phone", "payload": {"phone_code": "84235123456"}},
    {"title": "SMS", "type": "oa.open.sms", "payload": {"content": "XN", "phone_code": "84905123456"}},
)


def test_five_buttons_of_every_kind_go_with_a_text(host):
    assert wire(host, replace(TEXT, buttons=BUTTONS)) == {
        "text": TEXT.text,
        "attachment": {"type": "template", "payload": {"buttons": list(BUTTONS)}},
    }


@pytest.mark.parametrize(
    "buttons",
    [
        (*BUTTONS, OPEN),
        ({**OPEN, "title": ""},),
        ({**OPEN, "title": "x" * 101},),
        ({**OPEN, "title": 5},),
        ({**OPEN, "type": "oa.open.door"},),
        ({**OPEN, "payload": {"url": "javascript:alert(1)"}},),
        ({**OPEN, "payload": {}},),
        ({**OPEN, "payload": "https://x.vn"},),
        ({"title": "Số", "type": "oa.query.show", "payload": ""},),
        ({"title": "Số", "type": "oa.query.show", "payload": "x" * 1_001},),
        ({"title": "Số", "type": "oa.query.hide", "payload": {"a": 1}},),
        ({"title": "Gọi", "type": "oa.open.phone", "payload": {"phone_code": "gọi"}},),
        ({"title": "SMS", "type": "oa.open.sms", "payload": {"phone_code": "84905123456"}},),
        ({},),
    ],
)
def test_buttons_that_zalo_would_refuse_are_not_handed_over(host, buttons):
    fault = refused(host, replace(TEXT, buttons=buttons))
    assert (fault.code, fault.scope, host.asked) == ("shape", "message", [])
    assert " / " in fault.reason


def test_buttons_need_words(host):
    assert refused(host, replace(TEXT, text="", buttons=(OPEN,))).code == "shape"


def test_a_picture_goes_by_its_attachment_id_with_or_without_words(host):
    picture = {"type": "template", "payload": {"template_type": "media"}}
    picture["payload"]["elements"] = [{"media_type": "image", "attachment_id": "att-1"}]
    message = replace(TEXT, attachment={"kind": "image", "id": "att-1"})
    assert wire(host, message) == {"text": TEXT.text, "attachment": picture}
    sent(host, replace(message, text=""))
    assert host.bodies[1]["message"] == {"attachment": picture}


def test_a_file_goes_by_its_token_alone(host):
    message = replace(TEXT, text="", attachment={"kind": "file", "token": "tok-1", "name": "a.pdf"})
    assert wire(host, message) == {"attachment": {"type": "file", "payload": {"token": "tok-1"}}}
    assert refused(host, replace(message, text="Kèm tệp")).code == "shape"


def test_the_question_for_a_phone_has_exactly_one_element_and_no_other_words(host):
    element = {name: value for name, value in ASK.items() if name != "kind"}
    assert wire(host, replace(TEXT, attachment=ASK)) == {
        "attachment": {
            "type": "template",
            "payload": {"template_type": "request_user_info", "elements": [element]},
        }
    }


@pytest.mark.parametrize(
    "attachment",
    [
        {"kind": "image"}, {"kind": "image", "id": ""}, {"kind": "image", "id": 5}, {"kind": "file", "id": "x"},
        {"kind": "gif", "id": "x"}, {"id": "x"}, ASK | {"title": ""}, ASK | {"title": "x" * 101},
        ASK | {"image_url": "a.png"}, ASK | {"subtitle": "x" * 501}, ASK | {"subtitle": ""},
    ],
)  # fmt: skip
def test_an_attachment_of_a_wrong_shape_is_not_handed_over(host, attachment):
    fault = refused(host, replace(TEXT, attachment=attachment))
    assert (fault.code, fault.scope, host.asked) == ("shape", "message", [])


def test_buttons_and_an_attachment_do_not_go_together(host):
    both = replace(TEXT, buttons=(OPEN,), attachment={"kind": "image", "id": "x"})
    assert refused(host, both).code == "shape"


@pytest.mark.parametrize("code", ["-248", "-249"])
def test_one_text_that_zalo_dislikes_does_not_shut_the_chat_for_others(host, code):
    fault = refused(host, TEXT, {"error": int(code), "message": "No"})
    assert (fault.code, fault.scope, fault.fault) == (code, "message", channels.Fault.CONFIG)


@given(
    st.text(max_size=3_000),
    st.lists(st.dictionaries(st.sampled_from(["title", "type", "payload"]), st.text())),
)
def test_whatever_is_handed_over_is_within_zalos_bounds(text, buttons):
    try:
        shaped = texts.message(replace(TEXT, text=text, buttons=tuple(buttons)))
    except channels.Refused as fault:
        assert fault.scope == "message"
        return
    assert 0 < len(shaped["text"]) <= 2_000
    assert shaped["text"] == unicodedata.normalize("NFC", shaped["text"])
    assert len(shaped.get("attachment", {}).get("payload", {}).get("buttons", [])) <= 5


# -- receipts


def receipt(name="user_received_message", **message):
    return {
        "app_id": "1234567890",
        "event_name": name,
        "sender": {"id": "99"},
        "recipient": {"id": "555"},
        "message": message or {"msg_id": "m1"},
        "timestamp": "1700000009999",
    }


@pytest.mark.parametrize("kind", [zalo.ZaloByUser, zalo.ZaloChat])
def test_a_receipt_is_matched_by_zalos_own_id(kind):
    assert kind.callback(receipt()) == channels.Report(None, "m1", "555", True, "received", 1700000009, True)


def test_the_devices_own_time_is_better_than_the_events():
    told = person.receipts(receipt(msg_id="m1", delivery_time="1700000001000"))
    assert [one.at for one in told] == [1700000001]


def test_what_was_seen_has_arrived_and_each_message_is_told_once():
    told = person.receipts(receipt("user_seen_message", msg_ids=["m1", "m2", "m1", 7, "", None]))
    assert [(one.provider_ref, one.delivered, one.code) for one in told] == [
        ("m1", True, "seen"),
        ("m2", True, "seen"),
        ("7", True, "seen"),
    ]
    assert zalo.ZaloChat.callback(receipt("user_seen_message", msg_ids=["m1", "m2"])).provider_ref == "m1"


def test_the_ids_of_one_event_are_bounded():
    many = person.receipts(receipt("user_seen_message", msg_ids=[str(at) for at in range(10_000)]))
    assert len(many) == person.MOST_SEEN


@pytest.mark.parametrize(
    "event",
    [
        {}, {"event_name": "follow"}, receipt(msg_id="f1e2", tracking_id="a_1"), receipt("user_send_text", msg_id="m1"),
        receipt() | {"message": None}, receipt() | {"message": "m1"}, receipt(msg_id=None), receipt(msg_id={"a": 1}),
        receipt("user_seen_message", msg_ids="m1"), receipt() | {"event_name": ["x"]}, receipt(msg_id=True),
    ],
)  # fmt: skip
def test_other_events_and_receipts_by_phone_are_none_of_these(event):
    assert person.receipts(event) == ()
    assert zalo.ZaloByUser.callback(event) is None
