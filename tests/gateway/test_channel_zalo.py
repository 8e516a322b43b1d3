import json
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import codes, zalo
from tests.gateway.answering import Tokens, host

__all__ = ["host"]
MESSAGE = channels.Message(
    "+84905123456", "appointment", "", "312345", {"ten": "NGUYỄN THỊ HƯƠNG", "so": "042"}, "ntc_1"
)
YES = {"error": 0, "message": "Success", "data": {"msg_id": "f1e2", "quota": {"remainingQuota": "4999"}}}


def sent(host, *answers, tokens=None, message=MESSAGE, **words):
    host.answers = list(answers)
    channel = zalo.ZaloTemplate(host.url + "/", tokens or Tokens("t1", "t2"), **words)
    try:
        return channel.send(message)
    finally:
        channel.close()


def pulled(host, *answers):
    host.answers = list(answers)
    channel = zalo.ZaloTemplate(host.url, Tokens("t1", "t2"))
    try:
        return channel.pull("f1e2", "ntc_1")
    finally:
        channel.close()


def test_a_send_is_what_the_documents_say(host):
    assert sent(host, YES) == channels.Accepted("f1e2", 1, 4999)
    path, headers, body = host.asked[0]
    assert path == "/message/template"
    assert headers["access_token"] == "t1" and headers["Content-Type"] == "application/json"
    assert "appsecret_proof" not in headers
    assert json.loads(body) == {
        "phone": "84905123456",
        "template_id": "312345",
        "template_data": {"ten": "NGUYỄN THỊ HƯƠNG", "so": "042"},
        "tracking_id": "ntc_1",
    }


def test_the_proof_is_sent_when_it_is_asked_for(host):
    sent(host, YES, tokens=Tokens("token-abc"), app_secret="app-secret", proof=True)
    proof = "64ad4b31c7b1a1447bd689c4c0b82425f01d8a3da1ce7a8eb468cc17c0e9d787"
    assert host.asked[0][1]["appsecret_proof"] == proof


def test_a_proof_without_a_secret_is_a_mistake_at_the_start():
    with pytest.raises(ValueError):
        zalo.ZaloTemplate("http://127.0.0.1:1", Tokens("t1"), proof=True)


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        ({"data": None}, channels.Accepted(None)),
        ({"data": {}}, channels.Accepted(None)),
        ({"data": {"msg_id": 77, "quota": {"remainingQuota": 3}}}, channels.Accepted("77", 1, 3)),
        ({"data": {"msg_id": "m", "quota": None}}, channels.Accepted("m")),
        ({"data": {"msg_id": "m", "quota": {"remainingQuota": "many"}}}, channels.Accepted("m")),
        ({"error": "0"}, channels.Accepted("f1e2", 1, 4999)),
        (
            {"data": {"msg_id": "m", "quota": {"dailyQuota": "5000", "remainingQuota": "4999"}}},
            channels.Accepted("m", 1, 4999, 5000),
        ),
    ],
)
def test_a_yes_in_an_odd_shape_is_still_a_yes(host, data, accepted):
    assert sent(host, YES | data) == accepted


@pytest.mark.parametrize("code", codes.ZALO)
def test_every_error_in_a_200_is_raised_as_its_class(host, code):
    verdict = codes.verdict("zalo", code)
    with pytest.raises((channels.Refused, channels.Unreachable)) as caught:
        sent(host, {"error": int(code), "message": "No"})
    assert isinstance(caught.value, channels.Unreachable) is (verdict.fault is None)
    assert caught.value.code == code


def test_a_dead_token_is_renewed_once_and_the_message_sent_once_more(host):
    tokens = Tokens("t1", "t2", "t3")
    sent(host, {"error": -124}, YES, tokens=tokens)
    assert [headers["access_token"] for _, headers, _ in host.asked] == ["t1", "t2"]
    assert tokens.renewed == ["t1"]


def test_a_token_that_stays_dead_is_refused_after_one_renewal(host):
    with pytest.raises(channels.Refused) as caught:
        sent(host, {"error": -124}, tokens=Tokens("t1", "t2", "t3"))
    assert (caught.value.fault, len(host.asked)) == (channels.Fault.TOKEN, 2)


def test_a_401_is_a_dead_token_too(host):
    assert sent(host, (401, {"message": "?"}), YES).provider_ref == "f1e2"


class Away(Tokens):
    """Tokens that cannot be renewed: what was asked there may have arrived or not."""

    def renew(self, used):
        raise channels.Unreachable("no answer in time", sent=True, retry_after=7)


def test_a_token_that_cannot_be_renewed_now_means_that_nothing_was_sent(host):
    with pytest.raises(channels.Unreachable) as caught:
        sent(host, {"error": -124}, tokens=Away("t1"))
    assert (caught.value.sent, caught.value.retry_after, len(host.asked)) == (False, 7, 1)


@pytest.mark.parametrize("document", [{}, {"error": None}, {"error": True}, {"err": 0}])
def test_an_answer_without_an_error_field_is_no_yes(host, document):
    with pytest.raises(channels.Unreachable) as caught:
        sent(host, document)
    assert caught.value.sent is True


def test_no_template_is_our_fault_and_nobody_is_asked(host):
    with pytest.raises(channels.Refused) as caught:
        sent(host, YES, message=replace(MESSAGE, template_id=None))
    assert (caught.value.fault, caught.value.scope) == (channels.Fault.CONFIG, "template")
    assert host.asked == []


def test_a_message_on_the_device_is_delivered_at_its_time(host):
    report = pulled(host, YES | {"data": {"delivery_time": "1700000009999", "status": 1}})
    assert report == channels.Report("ntc_1", "f1e2", None, True, "status 1", 1700000009, True)
    assert host.asked[0][0] == "/message/status?message_id=f1e2"


@pytest.mark.parametrize("status", [0, "0"])
def test_a_message_under_way_is_not_final(host, status):
    report = pulled(host, YES | {"data": {"status": status}})
    assert (report.delivered, report.final) == (None, False)


@pytest.mark.parametrize("data", [{"status": -1}, {"status": "?"}, {}, None, []])
def test_a_message_zalo_does_not_know_is_nothing(host, data):
    assert pulled(host, YES | {"data": data}) is None


def receipt(**changed):
    message = {"delivery_time": "1700000009999", "msg_id": "f1e2", "tracking_id": "ntc_1"} | changed
    return {
        "event_name": "user_received_message",
        "sender": {"id": "99"},
        "recipient": {"id": "84905123456"},
        "message": message,
    }


def test_a_receipt_is_a_report_with_our_reference():
    report = zalo.ZaloTemplate.callback(receipt())
    assert report == channels.Report("ntc_1", "f1e2", "+84905123456", True, "received", 1700000009, True)


@pytest.mark.parametrize(
    ("event", "field", "value"),
    [
        (receipt(tracking_id=None), "reference", None),
        (receipt(delivery_time="soon"), "at", None),
        (receipt(delivery_time=1700000009999), "at", 1700000009),
        (receipt() | {"recipient": {"id": "e865b303dfc435f2"}}, "to", None),
        (receipt() | {"recipient": None}, "to", None),
    ],
)
def test_a_receipt_in_an_odd_shape_is_read_as_far_as_it_goes(event, field, value):
    assert getattr(zalo.ZaloTemplate.callback(event), field) == value


@pytest.mark.parametrize(
    "event", [{}, {"event_name": "follow"}, receipt() | {"message": "x"}, {"event_name": 1}]
)
def test_other_events_are_no_receipts(event):
    assert zalo.ZaloTemplate.callback(event) is None
