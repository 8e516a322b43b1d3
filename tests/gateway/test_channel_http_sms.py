"""A provider that config.toml describes: what it is asked, how it is believed, and what a description may not say."""

import base64
import contextlib
import json
import logging
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import channels
from gateway.channels import http
from gateway.rules import settings
from gateway.rules.sms import described as description
from gateway.rules.sms import reports
from gateway.sandbox import faults, server
from tests.gateway import described
from tests.gateway.scripted import scripted

__all__ = ["scripted"]
AN, BINH = "+84905123456", "+84912345678"
MESSAGE = channels.Message(AN, "appointment", "Số của bà Hường là 042 – lúc 14:30", None, {}, "ntc_1-2")
PLAIN = "So cua ba Huong la 042 - luc 14:30"
F = channels.Fault


@pytest.fixture
def sandbox(tmp_path):
    sandbox = server.Sandbox(server.Options(port=0, folder=tmp_path, receipt_delay=0))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def make():
    made = []

    def make(own, secret="sandbox-http-token", unicode=False):
        config = described.read(own)
        made.append(http.HttpSms("khac", config.sms.http["khac"], secret, "http://127.0.0.1:9/cb", unicode))
        return made[-1]

    yield make
    for channel in made:
        channel.close()


def texts(sandbox, phone=AN):
    return [one.text for one in sandbox.network.messages(phone)]


def asked(provider):
    ((method, path, headers, body),) = provider.asked
    return method, path, headers, body


def test_a_text_goes_out_as_json_and_its_id_comes_back(make, sandbox):
    accepted = make(described.of_json(sandbox.url)).send(MESSAGE)
    assert (accepted.parts, len(accepted.provider_ref)) == (1, 32)
    assert texts(sandbox) == [PLAIN]


def test_a_text_goes_out_as_a_query_and_a_line_comes_back(make, sandbox):
    accepted = make(described.of_plain(sandbox.url)).send(MESSAGE)
    assert (accepted.parts, len(accepted.provider_ref)) == (1, 32)
    assert texts(sandbox) == [PLAIN]


def test_with_unicode_the_accents_stay_whatever_the_station_does(make, sandbox):
    make(described.of_json(sandbox.url, unicode=True)).send(MESSAGE)
    make(described.of_json(sandbox.url, unicode=False), unicode=True).send(
        replace(MESSAGE, to=BINH, reference="ntc_2")
    )
    assert (texts(sandbox), texts(sandbox, BINH)) == ([MESSAGE.text], [PLAIN])


@pytest.mark.parametrize(
    ("code", "fault", "scope"),
    [(11, F.CONFIG, "account"), (12, F.QUOTA, "account"), (13, F.PERSON, "phone"), (14, F.CONFIG, "message"),
     (16, F.CONFIG, "template"), (17, F.BUG, "message")],
)  # fmt: skip
def test_a_code_means_what_the_description_says(make, sandbox, code, fault, scope):
    sandbox.network.faults.switch(f"http_code_{code}", AN, True)
    with pytest.raises(channels.Refused) as caught:
        make(described.of_json(sandbox.url)).send(MESSAGE)
    assert (caught.value.code, caught.value.fault, caught.value.scope) == (str(code), fault, scope)


def test_a_code_that_means_later_is_repeated_and_one_nobody_explained_twice(make, sandbox):
    channel = make(described.of_json(sandbox.url))
    for code in (15, 99):
        sandbox.network.faults.switch(f"http_code_{code}", AN, True)
        for _ in range(2):
            with pytest.raises(channels.Unreachable) as caught:
                channel.send(MESSAGE)
            assert caught.value.sent is False
        sandbox.network.faults.switch("http_code_15", AN, False)
    with pytest.raises(channels.Refused) as refused:
        channel.send(MESSAGE)
    assert (refused.value.code, refused.value.fault, refused.value.scope) == ("code 99", F.CONFIG, "message")


def test_where_a_repeat_is_known_a_lost_answer_is_asked_for_again_and_nothing_comes_twice(make, scripted):
    provider = scripted((500, "down"), {"code": 9, "data": {"id": "m1"}})
    assert make(described.of_json(provider.url)).send(MESSAGE) == channels.Accepted("m1", 1)
    assert len(provider.asked) == 2 and provider.asked[0] == provider.asked[1]


@pytest.mark.parametrize("shape", [described.of_json, described.of_plain])
@pytest.mark.parametrize(
    ("fault", "on_the_phone"),
    [(faults.SMS_500, 0), (faults.SMS_CUT_EARLY, 0), (faults.SMS_CUT_LATE, 1), (faults.SMS_DRIP, 1)],
)
def test_a_lost_answer_is_unknown_and_nothing_comes_twice(make, sandbox, shape, fault, on_the_phone):
    sandbox.network.faults.switch(fault, AN, True)
    with pytest.raises(channels.Unreachable) as caught:
        make(shape(sandbox.url, timeout=0.1)).send(MESSAGE)
    assert caught.value.sent is True
    assert len(texts(sandbox)) == on_the_phone


@pytest.mark.parametrize("answer", [(500, "down"), "<html>", "", {"other": 1}, "[]", '"OK"'])
def test_where_a_repeat_is_not_known_a_message_is_asked_for_once(make, scripted, answer):
    provider = scripted(answer)
    with pytest.raises(channels.Unreachable) as caught:
        make(described.of_json(provider.url, repeats=False)).send(MESSAGE)
    assert (len(provider.asked), caught.value.sent) == (1, True)


@pytest.mark.parametrize(
    ("status", "fault", "scope"),
    [(400, F.CONFIG, "message"), (401, F.CONFIG, "account"), (402, F.QUOTA, "account"),
     (403, F.CONFIG, "account"), (404, F.CONFIG, "account"), (405, F.CONFIG, "account")],
)  # fmt: skip
def test_where_no_code_is_in_the_answer_its_status_speaks(make, scripted, status, fault, scope):
    with pytest.raises(channels.Refused) as caught:
        make(described.of_json(scripted((status, "<html>")).url)).send(MESSAGE)
    assert (caught.value.code, caught.value.fault, caught.value.scope) == (f"HTTP {status}", fault, scope)


def test_a_status_may_be_explained_too(make, scripted):
    own = {
        "codes": {"409": "taken", "422": "person"},
        "answer": {"id": "id"},
        "status_url": "",
        "balance_url": "",
    }
    known = make(described.of_json(scripted((409, {"id": "m1"})).url, **own))
    assert known.send(MESSAGE) == channels.Accepted("m1", 1)
    with pytest.raises(channels.Refused) as caught:
        make(described.of_json(scripted((422, {})).url, **own)).send(MESSAGE)
    assert caught.value.fault is F.PERSON
    with pytest.raises(channels.Unreachable) as later:
        make(described.of_json(scripted((302, "")).url, **own)).send(MESSAGE)
    assert later.value.sent is False


def test_without_a_place_for_a_code_a_2xx_is_a_yes(make, scripted):
    own = {"answer": {}, "report": {}, "status_url": "", "balance_url": "", "delivered": []}
    assert make(described.of_json(scripted((201, "made")).url, **own)).send(MESSAGE).provider_ref is None


def test_pull_says_delivered_failed_or_under_way(make, sandbox):
    channel, switch = make(described.of_json(sandbox.url)), sandbox.network.faults.switch
    delivered = channel.send(MESSAGE)
    switch(faults.SMS_FAILED, AN, True)
    failed = channel.send(replace(MESSAGE, reference="ntc_2"))
    switch(faults.SMS_FAILED, AN, False)
    switch(faults.SMS_NO_RECEIPT, AN, True)
    waiting = channel.send(replace(MESSAGE, reference="ntc_3"))
    told = [channel.pull(one.provider_ref, "r") for one in (delivered, failed, waiting)]
    assert [(one.delivered, one.final) for one in told] == [(True, True), (False, True), (None, False)]
    assert channel.pull("no-such-message", "r") is None and channel.pull(None, "r") is None


def test_a_provider_that_cannot_be_asked_knows_nothing(make, sandbox):
    channel = make(described.of_plain(sandbox.url))
    assert (channel.pull("m1", "r"), channel.balance(), channel.callback({"id": "m1"})) == (None, None, None)


def test_a_question_that_is_refused_or_fails_says_so_and_has_changed_nothing(make, scripted):
    for status, kind in ((401, channels.Refused), (418, channels.Unreachable), (500, channels.Unreachable)):
        channel = make(described.of_json(scripted((status, "no")).url))
        with pytest.raises(kind) as caught:
            channel.pull("m1", "r")
        assert getattr(caught.value, "sent", False) is False


def test_the_money_left_is_known(make, sandbox, scripted):
    channel = make(described.of_json(sandbox.url))
    channel.send(MESSAGE)
    assert channel.balance() == 200_000 - 400
    said = scripted({"data": {"balance": "1,234,567.9"}})
    assert make(described.of_json(said.url)).balance() == 1_234_567


@pytest.mark.parametrize(("state", "told"), [("delivered", True), ("UNDELIVERED", False), ("SENT", None)])
def test_a_report_is_read_by_the_description(make, state, told):
    report = make(described.of_json("http://a.vn")).callback(
        {"ref": "a_1", "id": 17, "state": state, "to": "84905123456"}
    )
    assert (report.reference, report.provider_ref, report.to, report.delivered) == ("a_1", "17", AN, told)
    assert report.final is (told is True)


def test_what_is_filled_in_can_change_nothing_but_its_own_place(make, scripted):
    text = 'Mời "042" & {secret} {to}\\\n= 100% # ?x=1'
    nasty = replace(MESSAGE, text=text, reference="a_b-c")
    said = {"code": 0, "data": {"id": "m1"}}
    provider = scripted(said)
    make(described.of_json(provider.url), secret="s3cret", unicode=True).send(nasty)
    body = json.loads(asked(provider)[3])
    assert body == {"to": "84905123456", "text": text, "ref": "a_b-c", "callback": "http://127.0.0.1:9/cb"}
    in_address = {"body": "query", "fields": {"n": 1, "b": True}, "headers": {}, "repeats": False}
    provider = scripted(said)
    url = f"{provider.url}/x/{{text}}/send?to={{to}}&k={{secret}}"
    make(described.of_json("http://a.vn", url=url, **in_address), secret="a&b=c/d", unicode=True).send(nasty)
    path = asked(provider)[1]
    query = parse_qs(urlsplit(path).query)
    assert query == {"to": ["84905123456"], "k": ["a&b=c/d"], "n": ["1"], "b": ["true"]}
    assert len(path.split("?")[0].split("/")) == 4
    provider = scripted(said)
    make(described.of_json(provider.url, body="form"), unicode=True).send(nasty)
    assert parse_qs(asked(provider)[3])["text"] == [text]


@pytest.mark.parametrize(
    ("spelling", "number"), [("e164", AN), ("international", "84905123456"), ("national", "0905123456")]
)
def test_a_number_is_spelt_as_the_provider_wants_it(make, scripted, spelling, number):
    provider = scripted({"code": 0})
    make(described.of_json(provider.url, phone=spelling)).send(MESSAGE)
    assert json.loads(asked(provider)[3])["to"] == number


def test_basic_is_made_of_the_secret(make, scripted):
    provider = scripted({"code": 0})
    own = described.of_json(provider.url, headers={"Authorization": "Basic {basic}", "X-Ref": "{reference}"})
    make(own, secret="user:pass").send(MESSAGE)
    headers = asked(provider)[2]
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"user:pass").decode()
    assert (headers["X-Ref"], headers["Content-Type"]) == ("ntc_1-2", "application/json")


@pytest.mark.parametrize("secret", ["two\nlines", "số bí mật", "\x00"])
def test_a_secret_that_no_header_takes_is_refused_without_being_shown(make, secret):
    with pytest.raises(ValueError) as caught:
        make(described.of_json("http://a.vn"), secret=secret)
    assert secret not in str(caught.value)


def test_no_secret_is_ever_logged_or_raised_whatever_happens(make, scripted, caplog):
    caplog.set_level(logging.DEBUG)
    echo = {"code": 11, "message": "who is s3cr3t"}
    for base in (
        scripted(echo).url,
        scripted((500, "s3cr3t")).url,
        scripted("s3cr3t").url,
        "http://127.0.0.1:1",
    ):
        for shape in (described.of_json(base, timeout=0.5), described.of_plain(base, timeout=0.5)):
            channel = make(shape, secret="s3cr3t")
            for ask, words in (
                (channel.send, (MESSAGE,)),
                (channel.pull, ("m1", "r")),
                (channel.balance, ()),
            ):
                with contextlib.suppress(channels.Unreachable):
                    try:
                        ask(*words)
                    except (channels.Refused, channels.Unreachable) as fault:
                        logging.getLogger("gateway").exception("as a worker would log it")
                        assert "s3cr3t" not in str(fault)
    assert "s3cr3t" not in caplog.text


VIETGUYS = {
    "url": "https://cloudsms.vietguys.biz:4438/api/index.php",
    "body": "form",
    "fields": {
        "u": "TAIKHOAN", "pwd": "{secret}", "from": "CATHANHPHO", "phone": "{to}", "sms": "{text}",
        "bid": "{reference}", "json": "1",
    },
    "answer": {"code": "error", "id": "msgid", "message": "log"},
    "report": {"id": "data.message_id", "status": "data.status"},
    "delivered": ["delivered"],
    "failed": ["fail"],
}  # fmt: skip


def test_a_real_provider_is_described_in_a_dozen_lines(make, scripted):
    provider = scripted({"error": 0, "msgid": "7f1", "carrier": "MOBI"}, {"error": -2, "log": "IP"})
    channel = make(VIETGUYS | {"url": provider.url})
    assert channel.send(MESSAGE) == channels.Accepted("7f1", 1)
    assert parse_qs(asked(provider)[3]) == {
        "u": ["TAIKHOAN"], "pwd": ["sandbox-http-token"], "from": ["CATHANHPHO"], "phone": ["84905123456"],
        "sms": [PLAIN], "bid": ["ntc_1-2"], "json": ["1"],
    }  # fmt: skip
    with pytest.raises(channels.Unreachable) as caught:
        channel.send(MESSAGE)
    assert (caught.value.sent, caught.value.code) == (False, "code -2")
    told = channel.callback({"data": {"message_id": "7f1", "status": "fail"}})
    assert (told.provider_ref, told.delivered) == ("7f1", False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": "http://a.vn/{phone}"}, "url: {phone} is none of {callback}, {reference}, {secret}, {text}, {to}"),
        ({"fields": {"a": ["{to}", {"b": "{txt}"}], "c": "{text}"}}, "fields.a.b: {txt} is none of"),
        ({"fields": {"to": "{to}", "text": "{"}}, "fields.text: "),
        ({"fields": {"to": "{to!r}", "text": "{text}"}}, "fields.to: a blank is a name in braces"),
        ({"fields": {"to": "{to}"}}, "{text} is nowhere"),
        ({"headers": {"X-Text": "{text}"}}, "headers.X-Text: {text} is none of {basic}, {reference}, {secret}"),
        ({"headers": {"X Y": "1"}}, "'X Y' is no header"),
        ({"headers": {"X": "a\nb"}}, "its value is not plain"),
        ({"status_url": "http://a.vn/{to}"}, "status_url: {to} is none of {id}, {reference}, {secret}"),
        ({"answer": {"cod": "x"}}, "answer: 'cod' is none of code, id, message, status, balance"),
        ({"answer": {"code": "a b"}}, "answer.code: 'a b' is no path"),
        ({"answer_pattern": "("}, "answer_pattern: "),
        ({"answer_pattern": "x"}, "answer_pattern: its groups are named"),
        ({"answer_pattern": "(?P<kode>x)"}, "answer_pattern: its groups are named"),
        ({"report": {"id": "id"}}, "report: status is missing"),
        ({"report": {"status": "s"}}, "report: neither reference nor id"),
        ({"report": {"status": "s", "state": "t", "id": "i"}}, "report: 'state' is none of"),
        ({"delivered": []}, "delivered: report is given"),
        ({"headers": {}, "fields": {"to": "{to}", "text": "{text}"}}, "repeats: {reference} is nowhere"),
        ({"answer": {"code": "c"}}, "answer.status: status_url is given"),
        ({"method": "GET"}, 'so body = "query"'),
        ({"body": "form", "fields": {"to": ["{to}"], "text": "{text}"}}, "fields: only JSON has lists and tables"),
        ({"codes": {"1": "perhaps"}}, "codes"),
        ({"phone": "local"}, "phone"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_description_is_found_when_it_is_read(changed, said):
    with pytest.raises(settings.Mistakes) as caught:
        described.read(described.of_json("http://a.vn") | changed)
    assert said in str(caught.value) and "khac" in str(caught.value)


def test_all_mistakes_are_said_at_once():
    wrong = described.of_json("http://a.vn") | {"headers": {"X": "{to}"}, "answer": {"cod": "x"}}
    with pytest.raises(settings.Mistakes) as caught:
        described.read(wrong)
    assert "headers.X" in str(caught.value) and "'cod'" in str(caught.value)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8)
)
def test_whatever_stands_at_a_path_is_a_text(value):
    for document in (value, {"a": value}, [value], {"a": [value]}):
        for path in ("a", "a.0", "0", "0.a", "a.b.c"):
            assert isinstance(description.found(document, path), str)


@pytest.mark.parametrize(
    ("document", "path", "text"),
    [({"a": {"b": [1, 2]}}, "a.b.1", "2"), ({"a.b": "x", "a": {"b": "y"}}, "a.b", "x"), ({"a": True}, "a", "true"),
     ({"a": 850.0}, "a", "850"), ({"a": 8.5}, "a", "8.5"), ({"a": None}, "a", ""), ({"a": {}}, "a", ""),
     ([{"s": 1}], "0.s", "1"), ({}, "a", ""), ({"a": [1]}, "a.-1", ""), ({"a": [1]}, "a.5", "")],
)  # fmt: skip
def test_what_stands_where(document, path, text):
    assert description.found(document, path) == text


def test_a_doubled_brace_stands_for_itself():
    assert description.filled("{{{to}}}", {"to": "x"}) == "{x}"
    assert description.filled_in({"a": ["{to}", 5, None]}, {"to": "{text}"}) == {"a": ["{text}", 5, None]}


def test_of_a_list_of_reports_only_what_is_described_is_kept_and_not_more_than_bearable():
    own = described.read(
        described.of_json("http://a.vn", report={"each": "data.list", "id": "a.id", "status": "s"})
    ).sms.http["khac"]
    posted = {
        "data": {"list": [{"a": {"id": n}, "s": "DELIVERED", "text": "riêng"} for n in range(500)] + [7]}
    }
    several = reports.several(own, posted)
    assert (len(several), several[3]) == (reports.MOST, {"a.id": "3", "s": "DELIVERED"})
    assert reports.told(own, several[3]) == reports.Told("", "3", "DELIVERED", "", True)
    assert reports.several(own, {"data": {}}) == [] and reports.several(own, None) == []
