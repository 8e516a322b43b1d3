"""The stand-in providers of SMS as judges: what the real ones refuse they refuse, and they misbehave as told."""

import uuid

import pytest
import requests

from gateway.sandbox import faults, server
from tests.gateway.scripted import Scripted

AN, BINH = "+84905123456", "+84912345678"
ESMS = "/MainService.svc/json"


class Town:
    """A sandbox, and a web side that hears its reports."""

    def __init__(self, folder, **options):
        self.hearing = Scripted({})
        words = {"port": 0, "folder": folder, "receipt_delay": 0.01, "speedsms_per_minute": 1_000}
        words |= {"speedsms_webhook": f"{self.hearing.url}/webhooks/speedsms/s"}
        self.sandbox = server.Sandbox(server.Options(**(words | options)))
        self.sandbox.start()
        self.switch = self.sandbox.network.faults.switch

    def stop(self):
        self.sandbox.stop()
        self.hearing.stop()

    def heard(self, count):
        """The calls that came, once there are `count`."""
        return self.hearing.heard(count)

    def texts(self, phone=AN):
        return [one.text for one in self.sandbox.network.messages(phone)]

    def esms(self, path="/SendMultipleMessage_V4_post_json/", **changed):
        options = self.sandbox.options
        body = {
            "ApiKey": options.esms_api_key, "SecretKey": options.esms_secret_key, "Brandname": options.brandname,
            "SmsType": "2", "IsUnicode": "0", "Sandbox": "0", "Phone": "0905123456", "Content": "So 042",
            "RequestId": uuid.uuid4().hex,
        } | changed  # fmt: skip
        body = {name: value for name, value in body.items() if value is not ...}
        return requests.post(f"{self.sandbox.url}{ESMS}{path}", json=body, timeout=5).json()

    def asked(self, path, ref):
        keys = {
            "ApiKey": self.sandbox.options.esms_api_key,
            "SecretKey": self.sandbox.options.esms_secret_key,
        }
        return requests.get(
            f"{self.sandbox.url}{ESMS}{path}", params={"RefId": ref, **keys}, timeout=5
        ).json()

    def speedsms(self, **changed):
        body = {"to": ["84905123456"], "content": "So 042", "sms_type": 3, "sender": "CAPHUONG"} | changed
        body = {name: value for name, value in body.items() if value is not ...}
        auth = (self.sandbox.options.speedsms_token, "x")
        return requests.post(f"{self.sandbox.url}/index.php/sms/send", json=body, auth=auth, timeout=5).json()


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """A town for questions that leave no trace that the next one could stumble over."""
    town = Town(tmp_path_factory.mktemp("judge"))
    yield town
    town.stop()


@pytest.fixture
def town(tmp_path):
    town = Town(tmp_path)
    yield town
    town.stop()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "100"), ({"IsUnicode": ...}, "100"), ({"RequestId": ...}, "100"), ({"Sandbox": "1"}, "100"),
        ({"IsUnicode": "1", "Content": "Số 042"}, "100"), ({"campaignid": "cccd"}, "100"),
        ({"SendDate": "2026-11-24 07:30:00"}, "100"), ({"SendDate": ""}, "100"),
        ({"CallbackUrl": "https://a.vn/cb?x=1"}, "100"), ({"Phone": "84905123456"}, "100"),
        ({"Content": "a" * 459}, "100"), ({"RequestId": "x" * 50}, "100"),
        ({"Content": "a" * 460}, "110"), ({"Content": ""}, "110"), ({"Content": ...}, "110"),
        ({"Content": "Số 042"}, "110"), ({"RequestId": "x" * 51}, "110"),
        ({"SendDate": "24/11/2026 07:30"}, "110"), ({"SendDate": "2026-11-24T07:30:00"}, "110"),
        ({"SendDate": "2026-13-24 07:30:00"}, "110"), ({"CallbackUrl": "a.vn/cb"}, "110"),
        ({"CallbackUrl": "ftp://a.vn"}, "110"), ({"IsUnicode": "yes"}, "110"), ({"Sandbox": "2"}, "110"),
        ({"Unknown": "1"}, "110"), ({"SecretKey": "x"}, "101"), ({"ApiKey": ...}, "101"),
        ({"Brandname": "OTHER"}, "104"), ({"Brandname": ...}, "104"), ({"SmsType": "1"}, "118"),
        ({"Phone": "113"}, "108"), ({"Phone": "02353852123"}, "108"), ({"Phone": "0905123456,0912345678"}, "108"),
    ],
)  # fmt: skip
def test_esms_judges_every_field(judge, changed, code):
    answer = judge.esms(**changed)
    assert answer["CodeResult"] == code
    assert ("SMSID" in answer) == (code == "100")


@pytest.mark.parametrize(
    "name",
    ["ApiKey", "SecretKey", "Brandname", "SmsType", "IsUnicode", "Sandbox", "Phone", "Content", "RequestId"],
)
@pytest.mark.parametrize("value", [0, 2.5, None, True, ["0905123456"], {}])
def test_esms_takes_texts_and_nothing_else(judge, name, value):
    assert judge.esms(**{name: value})["CodeResult"] == "110"


def test_esms_takes_what_is_no_json_for_incorrect_data(town):
    url = f"{town.sandbox.url}{ESMS}/SendMultipleMessage_V4_post_json/"
    for raw in (b"[", b"[]", b"5", b""):
        assert requests.post(url, data=raw, timeout=5).json()["CodeResult"] == "110"


def test_a_trial_is_taken_and_reaches_nobody(town):
    assert town.esms(Sandbox="1")["CodeResult"] == "100"
    assert town.texts() == []


def test_the_same_request_is_taken_once_also_after_a_crash(tmp_path, town):
    assert [town.esms(RequestId="r1")["CodeResult"] for _ in range(2)] == ["100", "124"]
    again = Town(tmp_path)
    assert again.esms(RequestId="r1")["CodeResult"] == "124"
    again.stop()
    assert town.texts() == ["So 042"]


def test_status_receivers_and_money_are_told_to_who_has_the_keys(town):
    sms_id = town.esms()["SMSID"]
    assert town.asked("/GetSendStatus", sms_id)["CodeResponse"] == "100"
    assert town.asked("/GetSmsReceiverStatus_get", sms_id)["ReceiverList"][0]["Phone"] == "0905123456"
    assert town.asked("/GetSendStatus", "x")["CodeResponse"] == "105"
    assert town.asked("/GetSmsReceiverStatus_get", "x")["CodeResult"] == "105"
    keys = {"ApiKey": town.sandbox.options.esms_api_key, "SecretKey": town.sandbox.options.esms_secret_key}
    url = f"{town.sandbox.url}{ESMS}/GetBalance_json"
    assert requests.post(url, json=keys, timeout=5).json()["Balance"] == 1_000_000 - 850
    assert requests.post(url, json={"ApiKey": "x"}, timeout=5).json()["CodeResponse"] == "101"
    for path in ("/GetSendStatus", "/GetSmsReceiverStatus_get"):
        answer = requests.get(f"{town.sandbox.url}{ESMS}{path}", params={"RefId": sms_id}, timeout=5).json()
        assert "101" in answer.values()


@pytest.mark.parametrize(
    ("fault", "count", "failed"),
    [(None, 1, "0"), (faults.RECEIPT_TWICE, 2, "0"), (faults.SMS_FAILED, 1, "1"), (faults.SMS_REPORT_WRONG, 1, "1")],
)  # fmt: skip
def test_esms_calls_back_as_it_is_told_to(town, fault, count, failed):
    if fault:
        town.switch(fault, AN, True)
    sms_id = town.esms(CallbackUrl=f"{town.hearing.url}/cb")["SMSID"]
    calls = town.heard(count)
    assert {method for method, *_ in calls} == {"GET"}
    assert f"SMSID={sms_id}" in calls[0][1] and f"SendFailed={failed}" in calls[0][1]
    true = town.asked("/GetSendStatus", sms_id)
    assert true["SendFailed"] == (1 if fault == faults.SMS_FAILED else 0)


def test_a_report_may_come_before_the_answer(town):
    town.switch(faults.SMS_REPORT_FIRST, AN, True)
    town.esms(CallbackUrl=f"{town.hearing.url}/cb")
    assert len(town.hearing.asked) == 1
    town.speedsms()
    assert len(town.hearing.asked) == 2


def test_a_report_may_be_lost_and_whoever_asks_is_told(town):
    town.switch(faults.SMS_REPORT_LOST, AN, True)
    sms_id = town.esms(CallbackUrl=f"{town.hearing.url}/cb")["SMSID"]
    town.switch(faults.SMS_REPORT_LOST, AN, False)
    town.esms(CallbackUrl=f"{town.hearing.url}/cb")
    town.heard(1)
    assert all(sms_id not in path for _, path, _, _ in town.hearing.asked)
    assert town.asked("/GetSendStatus", sms_id)["SendSuccess"] == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "00"), ({"sms_type": 2, "sender": ""}, "00"), ({"content": "a" * 459}, "00"),
        ({"content": "Số 042"}, "00"), ({"content": "a" * 460}, "113"), ({"content": "ế" * 300}, "110"),
        ({"content": ""}, "101"), ({"content": 5}, "101"), ({"content": ...}, "101"), ({"to": "84905123456"}, "101"),
        ({"to": []}, "101"), ({"to": ["84905123456"] * 101}, "101"), ({"sms_type": "3"}, "101"),
        ({"sms_type": True}, "101"), ({"sms_type": 1}, "101"), ({"sender": "OTHER"}, "101"),
        ({"sender": None}, "101"), ({"more": 1}, "101"),
    ],
)  # fmt: skip
def test_speedsms_judges_every_field(judge, changed, code):
    answer = judge.speedsms(**changed)
    assert (answer["code"], answer["status"]) == (code, "success" if code == "00" else "error")


@pytest.mark.parametrize("number", ["0905123456", "+84905123456", "84235385212", "113", 84905123456, None])
def test_speedsms_calls_a_number_invalid_that_is_not_spelt_its_way(town, number):
    data = town.speedsms(to=[number, "84912345678"])["data"]
    assert data["invalidPhone"] == [number]
    assert (town.texts(), town.texts(BINH)) == ([], ["So 042"])


def test_speedsms_sends_twice_what_is_asked_twice_and_posts_its_reports(town):
    first, second = town.speedsms()["data"], town.speedsms()["data"]
    assert first["tranId"] != second["tranId"]
    assert town.texts() == ["So 042"] * 2
    calls = town.heard(2)
    assert {f'"tranId": {first["tranId"]}', f'"tranId": {second["tranId"]}'} == {
        next(part for part in call[3].strip("{}").split(", ") if "tranId" in part) for call in calls
    }


def test_speedsms_wants_its_token(town):
    url = f"{town.sandbox.url}/index.php/user/info"
    for headers in (
        {},
        {"Authorization": "Basic !"},
        {"Authorization": "Basic eDp4"},
        {"Authorization": "Bearer x"},
    ):
        assert requests.get(url, headers=headers, timeout=5).json()["code"] == "009"
    assert (
        requests.get(url, auth=(town.sandbox.options.speedsms_token, "x"), timeout=5).json()["code"] == "00"
    )


def test_speedsms_bears_so_many_calls_a_minute(tmp_path):
    town = Town(tmp_path, speedsms_per_minute=3)
    url = f"{town.sandbox.url}/index.php/user/info"
    answers = [requests.get(url, timeout=5) for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["X-Rate-Limit-Reset"]) <= 60
    town.stop()


@pytest.mark.parametrize("name", ["esms_code_103", "speedsms_code_300", "http_code_12", faults.SMS_500])
def test_a_scripted_fault_is_switched_over_http(town, name):
    url = f"{town.sandbox.url}/faults"
    body = {"phone": None, "fault": name, "on": True}
    answer = requests.post(url, json=body, timeout=5)
    assert answer.status_code == 200 and name in answer.text


@pytest.mark.parametrize("name", ["esms_code_x", "zalo_code_1", "esms_code_", "sms_nothing"])
def test_a_fault_that_does_not_exist_cannot_be_switched(town, name):
    url = f"{town.sandbox.url}/faults"
    assert requests.post(url, json={"phone": None, "fault": name, "on": True}, timeout=5).status_code == 400
