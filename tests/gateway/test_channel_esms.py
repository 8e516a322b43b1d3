import logging
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import codes, esms
from gateway.sandbox import faults, server
from tests.gateway.scripted import scripted

__all__ = ["scripted"]

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
            "base": sandbox.url,
            "api_key": options.esms_api_key,
            "secret_key": options.esms_secret_key,
            "brandname": options.brandname,
            "callback_url": None,
        }
        made.append(esms.Esms(**(words | changed)))
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


@pytest.mark.parametrize("code", sorted(codes.ESMS))
def test_every_code_in_the_answer_is_said_as_the_table_has_it(make, sandbox, code):
    sandbox.network.faults.switch(f"esms_code_{code}", AN, True)
    with pytest.raises(channels.Refused) as caught:
        make().send(MESSAGE)
    row = codes.ESMS[code]
    assert (caught.value.code, caught.value.fault, caught.value.scope) == (code, row.fault, row.scope)
    assert texts(sandbox) == []


def test_taken_before_and_under_way_is_taken(make, sandbox):
    sandbox.network.faults.switch("esms_code_199", AN, True)
    assert make().send(MESSAGE).provider_ref is None


def test_a_code_nobody_knows_is_tried_twice_more_and_then_it_is_our_configuration(make, sandbox):
    sandbox.network.faults.switch("esms_code_178", None, True)
    channel = make()
    for reference in ("a_1", "a_2"):  # each try has a reference of its own
        with pytest.raises(channels.Unreachable) as later:
            channel.send(replace(MESSAGE, reference=reference))
        assert (later.value.sent, later.value.code) == (False, "178")
    with pytest.raises(channels.Refused) as caught:
        channel.send(replace(MESSAGE, reference="a_3"))
    assert (caught.value.code, caught.value.fault, caught.value.scope) == (
        "178",
        channels.Fault.CONFIG,
        "message",
    )
    with pytest.raises(channels.Unreachable):  # another's is counted by itself
        channel.send(replace(MESSAGE, to="+84912345678", reference="a_4"))


@pytest.mark.parametrize(
    ("fault", "on_the_phone"),
    [(faults.SMS_500, 0), (faults.SMS_CUT_EARLY, 0), (faults.SMS_CUT_LATE, 1), (faults.SMS_DRIP, 1)],
)
def test_an_answer_that_is_lost_twice_leaves_it_unknown_and_nothing_comes_twice(
    make, sandbox, fault, on_the_phone
):
    sandbox.network.faults.switch(fault, AN, True)
    with pytest.raises(channels.Unreachable) as caught:
        make(timeout=0.1).send(MESSAGE)
    assert caught.value.sent is True
    assert len(texts(sandbox)) == on_the_phone


def test_after_a_lost_answer_the_next_try_of_the_same_attempt_is_told_that_it_was_taken(make, sandbox):
    switch, channel = sandbox.network.faults.switch, make(timeout=5)
    switch(faults.SMS_CUT_LATE, AN, True)
    with pytest.raises(channels.Unreachable):
        channel.send(MESSAGE)
    switch(faults.SMS_CUT_LATE, AN, False)
    assert channel.send(MESSAGE) == channels.Accepted(None, 1)
    assert len(texts(sandbox)) == 1


def test_where_the_counts_say_nothing_the_number_itself_is_asked_after(make, scripted):
    finished = {"CodeResponse": "100", "SendStatus": 5, "SendSuccess": 0, "SendFailed": 0}
    for sent, result, expected in ((True, True, True), (True, False, False), (False, False, None)):
        one = {
            "IsSent": sent,
            "NetworkName": "Viettel",
            "Phone": "0905123456",
            "Retry": 0,
            "SentResult": result,
        }
        provider = scripted(finished, {"CodeResult": "100", "ReceiverList": [one]})
        assert make(base=provider.url).pull("434a", "r").delivered is expected
        assert [path.partition("?")[0].rpartition("/")[2] for _, path, _, _ in provider.asked] == [
            "GetSendStatus",
            "GetSmsReceiverStatus_get",
        ]


@pytest.mark.parametrize("listed", [None, [], "x", [5]])
def test_a_list_of_receivers_that_is_none_says_nothing(make, scripted, listed):
    finished = {"CodeResponse": "100", "SendStatus": 5}
    provider = scripted(finished, {"CodeResult": "100", "ReceiverList": listed})
    assert make(base=provider.url).pull("434a", "r").delivered is None


def test_one_lost_part_is_a_failure_also_when_another_arrived(make, scripted):
    provider = scripted({"CodeResponse": "100", "SendStatus": 5, "SendSuccess": 1, "SendFailed": 1})
    assert make(base=provider.url).pull("434a", "r").delivered is False


def test_a_callback_that_says_the_opposite_is_set_right_by_asking(make, sandbox):
    sandbox.network.faults.switch(faults.SMS_REPORT_WRONG, AN, True)
    channel = make(callback_url=None)
    accepted = channel.send(MESSAGE)
    assert report(SMSID=accepted.provider_ref, SendFailed="1", SendSuccess="0").delivered is False
    assert channel.pull(accepted.provider_ref, "ntc_1-2").delivered is True


def test_the_money_left_is_asked_for_without_a_key_in_the_address(make, sandbox, scripted):
    channel = make()
    channel.send(MESSAGE)
    assert channel.balance() == 1_000_000 - 850
    provider = scripted({"Balance": "36693.75", "CodeResponse": "100", "UserID": 1})
    assert make(base=provider.url, api_key="k3y-a", secret_key="k3y-b").balance() == 36_693
    ((method, path, _headers, body),) = provider.asked
    assert method == "POST" and "k3y" not in path and "k3y-a" in body


def test_money_that_is_no_number_is_nothing_and_wrong_keys_are_said(make, scripted):
    assert make(base=scripted({"Balance": None, "CodeResponse": "100"}).url).balance() is None
    with pytest.raises(channels.Refused):
        make(api_key="x").balance()
    with pytest.raises(channels.Unreachable) as caught:
        make(base=scripted((500, "down")).url).balance()
    assert caught.value.sent is False


def test_no_key_is_ever_logged_or_raised_whatever_happens(make, scripted, caplog):
    caplog.set_level(logging.DEBUG)
    keys = {"api_key": "k3y-a", "secret_key": "k3y-b"}
    echo = {"CodeResult": "101", "CodeResponse": "101", "ErrorMessage": "ApiKey k3y-a with k3y-b is unknown"}
    for base in (
        scripted(echo).url,
        scripted((500, "k3y-a")).url,
        scripted("k3y-b").url,
        "http://127.0.0.1:1",
    ):
        channel = make(base=base, timeout=0.5, **keys)
        for ask, words in ((channel.send, (MESSAGE,)), (channel.pull, ("434a", "r")), (channel.balance, ())):
            with pytest.raises((channels.Refused, channels.Unreachable)) as caught:
                ask(*words)
            logging.getLogger("gateway").exception("as a worker would log it", exc_info=caught.value)
    assert "k3y" not in caplog.text
    assert "ApiKey *** with *** is unknown" in caplog.text


def test_an_answer_without_a_code_is_not_believed(make, scripted):
    with pytest.raises(channels.Unreachable) as caught:
        make(base=scripted({"ok": True}).url).send(MESSAGE)
    assert caught.value.sent is True
    with pytest.raises(channels.Unreachable) as asked:
        make(base=scripted({"ok": True}).url).pull("434a", "r")
    assert asked.value.sent is False
