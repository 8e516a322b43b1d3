from dataclasses import replace

import pytest
import requests

from gateway import channels
from gateway.channels import esms
from gateway.sandbox import faults, server

AN = "+84905123456"
MESSAGE = channels.Message(AN, "appointment", "Số của bà Hường là 042 – lúc 14:30", None, {}, "ntc_1-2")


@pytest.fixture
def sandbox(tmp_path):
    sandbox = server.Sandbox(server.Options(port=0, folder=tmp_path, receipt_delay=0))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def make(sandbox):
    made = []

    def make(**changed):
        options = sandbox.options
        words = {
            "api_key": options.esms_api_key,
            "secret_key": options.esms_secret_key,
            "brandname": options.brandname,
            "callback_url": None,
        }
        made.append(esms.Esms(sandbox.url, **(words | changed)))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def texts(sandbox):
    return [one.text for one in sandbox.network.messages(AN)]


def test_the_usual_text_goes_out_without_accents_in_one_part(make, sandbox):
    assert make().send(MESSAGE).parts == 1
    assert texts(sandbox) == ["So cua ba Huong la 042 - luc 14:30"]


def test_with_unicode_the_accents_stay(make, sandbox):
    make(unicode=True).send(MESSAGE)
    assert texts(sandbox) == [MESSAGE.text]


@pytest.mark.parametrize(
    ("changed", "code", "fault", "scope"),
    [({"secret_key": "x"}, "101", channels.Fault.CONFIG, "channel"),
     ({"brandname": "OTHER"}, "104", channels.Fault.CONFIG, "account")],
)  # fmt: skip
def test_a_wrong_account_is_our_configuration(make, changed, code, fault, scope):
    with pytest.raises(channels.Refused) as caught:
        make(**changed).send(MESSAGE)
    assert (caught.value.code, caught.value.fault, caught.value.scope) == (code, fault, scope)


def test_the_same_reference_again_is_a_yes_and_one_message(make, sandbox):
    channel = make()
    first, second = channel.send(MESSAGE), channel.send(MESSAGE)
    assert first.provider_ref and second.provider_ref is None
    assert len(texts(sandbox)) == 1


def test_a_lost_answer_is_asked_again_with_the_same_reference_and_nothing_comes_twice(make, sandbox):
    sandbox.network.faults.switch(faults.ESMS_TIMEOUT, None, True)
    assert make().send(MESSAGE) == channels.Accepted(None, 1)
    assert len(texts(sandbox)) == 1


def test_a_provider_that_stays_down_leaves_it_unknown(make, sandbox):
    sandbox.network.faults.switch(faults.ESMS_DOWN, None, True)
    with pytest.raises(channels.Unreachable) as caught:
        make().send(MESSAGE)
    assert (caught.value.sent, caught.value.code) == (True, "HTTP 503")


def test_a_text_no_sms_can_hold_is_our_bug(make):
    with pytest.raises(channels.Refused) as caught:
        make().send(replace(MESSAGE, text="a" * 50_000))
    assert caught.value.fault is channels.Fault.BUG


def test_pull_says_delivered_failed_or_under_way(make, sandbox):
    channel, switch = make(), sandbox.network.faults.switch
    delivered = channel.send(MESSAGE)
    switch(faults.SMS_FAILED, AN, True)
    failed = channel.send(replace(MESSAGE, reference="ntc_2"))
    switch(faults.SMS_FAILED, AN, False)
    switch(faults.SMS_NO_RECEIPT, AN, True)
    waiting = channel.send(replace(MESSAGE, reference="ntc_3"))
    told = [channel.pull(one.provider_ref, "r") for one in (delivered, failed, waiting)]
    assert [(one.delivered, one.final) for one in told] == [(True, True), (False, True), (None, False)]


def test_pull_with_wrong_keys_is_refused(make):
    with pytest.raises(channels.Refused):
        make(api_key="x").pull("an-id", "ntc_1")


def report(**changed):
    query = {
        "SMSID": "434a", "SendFailed": "0", "SendStatus": "5", "SendSuccess": "1", "TotalReceiver": "1",
        "RequestId": "ntc_1", "phonenumber": "84905123456",
    } | changed  # fmt: skip
    return esms.Esms.callback(query)


def test_a_callback_of_success_is_final():
    assert report() == channels.Report("ntc_1", "434a", AN, True, "SendStatus 5", None, True)


@pytest.mark.parametrize(
    ("changed", "delivered"),
    [
        ({"SendFailed": "1", "SendSuccess": "0"}, False),
        ({"SendFailed": "1", "SendSuccess": "1"}, False),
        ({"SendStatus": "4"}, False),
        ({"SendStatus": "7"}, None),
        ({"SendStatus": ""}, None),
        ({"SendSuccess": "0"}, None),
        ({"SendSuccess": "-1"}, None),
        ({"SendSuccess": "1e9"}, None),
    ],
)
def test_a_callback_of_anything_else_is_a_hint_and_not_final(changed, delivered):
    told = report(**changed)
    assert (told.delivered, told.final) == (delivered, False)


def test_an_empty_callback_knows_nothing():
    told = esms.Esms.callback({})
    assert (told.reference, told.provider_ref, told.to, told.delivered) == (None, None, None, None)


def test_the_stand_in_is_strict_about_plain_text(sandbox):
    options = sandbox.options
    body = {
        "ApiKey": options.esms_api_key, "SecretKey": options.esms_secret_key, "Brandname": options.brandname,
        "SmsType": "2", "IsUnicode": "0", "Phone": "0905123456", "Content": "Số 042", "RequestId": "r1",
    }  # fmt: skip
    url = f"{sandbox.url}/MainService.svc/json/SendMultipleMessage_V4_post_json/"
    codes = [
        requests.post(url, json=body | changed, timeout=5).json()["CodeResult"]
        for changed in (
            {}, {"Content": ""}, {"Content": 5}, {"SmsType": "1"}, {"Phone": "113"}, {"RequestId": "x" * 51},
            {"Content": "a" * 460}, {"IsUnicode": "1"},
        )
    ]  # fmt: skip
    assert codes == ["110", "110", "110", "118", "108", "110", "110", "100"]
    assert requests.post(url, data=b"[", timeout=5).json()["CodeResult"] == "110"
