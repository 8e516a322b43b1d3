"""SpeedSMS: what it says of a message, its rate, and that nothing goes twice where it cannot tell a repeat."""

import base64
import contextlib
import logging
from dataclasses import replace

import pytest

from gateway import channels
from gateway.channels import codes, speedsms
from gateway.sandbox import faults, server
from tests.gateway.scripted import scripted

__all__ = ["scripted"]

AN, BINH = "+84905123456", "+84912345678"
MESSAGE = channels.Message(AN, "appointment", "Số của bà Hường là 042 – lúc 14:30", None, {}, "ntc_1-2")


@pytest.fixture
def sandbox(tmp_path):
    sandbox = server.Sandbox(
        server.Options(port=0, folder=tmp_path, receipt_delay=0, speedsms_per_minute=1_000)
    )
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def make(sandbox):
    made = []

    def make(**changed):
        options = sandbox.options
        words = {"base": sandbox.url, "token": options.speedsms_token, "sender": options.speedsms_sender}
        made.append(speedsms.SpeedSms(**(words | {"sms_type": 3} | changed)))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def texts(sandbox, phone=AN):
    return [one.text for one in sandbox.network.messages(phone)]


def test_the_usual_text_goes_out_without_accents_in_one_part(make, sandbox):
    accepted = make().send(MESSAGE)
    assert (accepted.parts, accepted.provider_ref.isdigit()) == (1, True)
    assert texts(sandbox) == ["So cua ba Huong la 042 - luc 14:30"]


def test_what_is_asked_is_what_its_documents_show(make, scripted):
    provider = scripted({"status": "success", "code": "00", "data": {"tranId": 12, "invalidPhone": []}})
    assert make(base=provider.url, token="t0k", unicode=True).send(MESSAGE).provider_ref == "12"
    ((method, path, headers, body),) = provider.asked
    assert (method, path) == ("POST", "/index.php/sms/send")
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"t0k:x").decode()
    assert body == (
        '{"to": ["84905123456"], "content": "Số của bà Hường là 042 – lúc 14:30", "sms_type": 3, '
        '"sender": "CAPHUONG"}'
    )


@pytest.mark.parametrize("code", sorted(set(codes.SPEEDSMS) - {"invalidPhone"}))
def test_every_code_in_the_answer_is_said_as_the_table_has_it(make, sandbox, code):
    sandbox.network.faults.switch(f"speedsms_code_{code}", AN, True)
    row = codes.SPEEDSMS[code]
    with pytest.raises(channels.Refused if row.fault else channels.Unreachable) as caught:
        make().send(MESSAGE)
    assert caught.value.code == code
    if row.fault:
        assert (caught.value.fault, caught.value.scope) == (row.fault, row.scope)
    else:
        assert caught.value.sent is False
    assert texts(sandbox) == []


def test_a_number_it_calls_invalid_in_a_success_is_refused(make, sandbox):
    sandbox.network.faults.switch(faults.SMS_REFUSED, AN, True)
    with pytest.raises(channels.Refused) as caught:
        make().send(MESSAGE)
    assert (caught.value.code, caught.value.fault, caught.value.scope) == (
        "invalidPhone",
        channels.Fault.PERSON,
        "phone",
    )


def test_a_wrong_token_and_a_wrong_sender_are_our_configuration(make):
    for changed, code in (({"token": "x"}, "009"), ({"sender": "OTHER"}, "101")):
        with pytest.raises(channels.Refused) as caught:
            make(**changed).send(MESSAGE)
        assert (caught.value.code, caught.value.fault) == (code, channels.Fault.CONFIG)


@pytest.mark.parametrize(
    ("fault", "on_the_phone"),
    [(faults.SMS_500, 0), (faults.SMS_CUT_EARLY, 0), (faults.SMS_CUT_LATE, 1), (faults.SMS_DRIP, 1)],
)
def test_a_lost_answer_is_unknown_and_never_asked_again_by_itself(make, sandbox, fault, on_the_phone):
    sandbox.network.faults.switch(fault, AN, True)
    with pytest.raises(channels.Unreachable) as caught:
        make(timeout=0.1).send(MESSAGE)
    assert caught.value.sent is True
    assert len(texts(sandbox)) == on_the_phone


def test_a_message_is_asked_for_once_whatever_the_answer(make, scripted):
    for answer in ((500, "down"), "<html>", (302, ""), {"no": "code"}, {"status": "success"}):
        provider = scripted(answer)
        with contextlib.suppress(channels.Refused, channels.Unreachable):
            make(base=provider.url).send(MESSAGE)
        assert len(provider.asked) == 1


def test_beyond_sixty_calls_a_minute_it_says_when_to_come_back(tmp_path, make):
    town = server.Sandbox(
        server.Options(port=0, folder=tmp_path / "b", receipt_delay=0, speedsms_per_minute=2)
    )
    town.start()
    channel = make(base=town.url)
    for reference in ("a_1", "a_2"):
        channel.send(replace(MESSAGE, reference=reference))
    with pytest.raises(channels.Unreachable) as caught:
        channel.send(MESSAGE)
    town.stop()
    assert (caught.value.sent, caught.value.code) == (False, "HTTP 429")
    assert 50 < caught.value.retry_after <= 60


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"X-Rate-Limit-Reset": "17"}, 17), ({"Retry-After": "5"}, 5), ({}, 60), ({"X-Rate-Limit-Reset": "?"}, 60),
     ({"X-Rate-Limit-Reset": "0"}, 1)],
)  # fmt: skip
def test_however_it_says_so_the_wait_is_known(make, scripted, headers, seconds):
    provider = scripted((429, {"name": "Too Many Requests", "status": 429}, headers))
    with pytest.raises(channels.Unreachable) as caught:
        make(base=provider.url).send(MESSAGE)
    assert (caught.value.sent, caught.value.retry_after) == (False, seconds)


def test_pull_says_delivered_failed_or_under_way(make, sandbox):
    channel, switch = make(), sandbox.network.faults.switch
    delivered = channel.send(MESSAGE)
    switch(faults.SMS_FAILED, AN, True)
    failed = channel.send(MESSAGE)
    switch(faults.SMS_FAILED, AN, False)
    switch(faults.SMS_NO_RECEIPT, AN, True)
    waiting = channel.send(MESSAGE)
    told = [channel.pull(one.provider_ref, "r") for one in (delivered, failed, waiting)]
    assert [(one.delivered, one.final) for one in told] == [(True, True), (False, True), (None, False)]
    assert channel.pull("1", "r") is None and channel.pull(None, "r") is None


@pytest.mark.parametrize("data", [None, [], {}, [5], [{"phone": "84905123456"}], "x"])
def test_a_status_that_says_nothing_is_no_news(make, scripted, data):
    told = make(base=scripted({"status": "success", "code": "00", "data": data}).url).pull("12/../3", "r")
    assert told is None or told.delivered is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({"type": "report", "tranId": 12, "phone": "84905123456", "status": 0}, (True, True)),
        ({"type": "report", "tranId": "12", "phone": "0905123456", "status": "66"}, (False, False)),
        ({"tran_id": "12", "phone": "0905123456", "status": "5"}, (None, False)),
        ({"TRANID": "12", "phone": "0905123456", "Status": "ok"}, (None, False)),
    ],
)  # fmt: skip
def test_a_report_is_read_in_whichever_shape_it_comes(document, told):
    report = speedsms.SpeedSms.callback(document)
    assert (report.provider_ref, report.to, report.reference) == ("12", AN, None)
    assert (report.delivered, report.final) == told


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"type": "sms", "tranId": 1, "status": 0},
        {"type": "report", "status": 0},
        {"tranId": 1},
        {"tranId": [1], "status": 0},
        {"tranId": None, "status": 0},
    ],
)
def test_what_is_no_report_says_nothing(document):
    assert speedsms.SpeedSms.callback(document) is None


def test_the_money_left_is_known(make, sandbox, scripted):
    channel = make()
    channel.send(MESSAGE)
    assert channel.balance() == 500_000 - 500
    with pytest.raises(channels.Refused):
        make(token="x").balance()
    for data in (None, {"balance": "nan"}, {"balance": "balance number"}):
        assert make(base=scripted({"status": "success", "data": data}).url).balance() is None


def test_no_token_is_ever_logged_or_raised_whatever_happens(make, scripted, caplog):
    caplog.set_level(logging.DEBUG)
    shown = base64.b64encode(b"t0k3n:x").decode()
    echo = {"status": "error", "code": "009", "message": "t0k3n is unknown"}
    for base in (
        scripted(echo).url,
        scripted((500, "t0k3n")).url,
        scripted("t0k3n").url,
        "http://127.0.0.1:1",
    ):
        channel = make(base=base, token="t0k3n", timeout=0.5)
        for ask, words in ((channel.send, (MESSAGE,)), (channel.balance, ())):
            with pytest.raises((channels.Refused, channels.Unreachable)) as caught:
                ask(*words)
            logging.getLogger("gateway").exception("as a worker would log it", exc_info=caught.value)
    assert "t0k3n" not in caplog.text and shown not in caplog.text
