"""The Official Account's own questions: what goes over the wire, what comes back, and that all is bounded."""

import json
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway import channels
from gateway.channels import zalo
from tests.gateway.answering import Tokens, host

__all__ = ["host"]
PNG, JPG, PDF = (
    b"\x89PNG\r\n\x1a\n" + b"x" * 100,
    b"\xff\xd8\xff\xe0" + b"x" * 100,
    b"%PDF-1.7\n" + b"x" * 100,
)
DOC, DOCX = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 100, b"PK\x03\x04" + b"x" * 100


@pytest.fixture
def official(host):
    client = zalo.Official(host.url + "/", host.url, Tokens("t1", "t2"), timeout=5)
    yield client
    client.close()


def yes(data, **beside):
    return {"error": 0, "message": "Success", "data": data, **beside}


def asked(host, at=-1):
    """(path, the one parameter's JSON) of a question to the OA's host."""
    address = urlsplit(host.asked[at][0])
    query = parse_qs(address.query)
    assert list(query) == ["data"]
    return address.path, json.loads(query["data"][0])


def test_the_account_tells_of_itself(host, official):
    host.answers = [yes({"oa_id": "99", "name": "Công an phường", "is_verified": True})]
    assert official.about()["name"] == "Công an phường"
    path, headers, _ = host.asked[0]
    assert (path, headers["access_token"]) == ("/v2.0/oa/getoa", "t1")


@pytest.mark.parametrize("data", [None, [], "x"])
def test_an_account_that_tells_nothing_is_an_empty_one(host, official, data):
    host.answers = [yes(data)]
    assert official.about() == official.user("555") == official.quota() == {}
    assert official.users(0) == (0, [])


def test_a_person_is_asked_for_in_one_parameter(host, official):
    host.answers = [
        yes({"user_id": "555", "display_name": "An", "tags_and_notes_info": {"tag_names": ["a"]}})
    ]
    assert official.user("555")["display_name"] == "An"
    assert asked(host) == ("/v3.0/oa/user/detail", {"user_id": "555"})


@pytest.mark.parametrize(
    ("given", "phone"),
    [
        (84905123456, "+84905123456"), ("84905123456", "+84905123456"), ("0905123456", "+84905123456"),
        (905123456, "+84905123456"), ("+84 905 123 456", "+84905123456"), (0, ""), ("", ""), (None, ""),
        ("12", "12"), ({"a": 1}, ""), (True, ""),
    ],
)  # fmt: skip
def test_a_shared_phone_is_a_text_however_zalo_gives_it(host, official, given, phone):
    host.answers = [yes({"user_id": "555", "shared_info": {"phone": given, "name": "An"}})]
    assert official.user("555")["shared_info"] == {"phone": phone, "name": "An"}


def test_people_are_listed_by_pages(host, official):
    host.answers = [
        yes({"total": "6000", "count": 2, "offset": 50, "users": [{"user_id": "555"}, {"user_id": 777}]})
    ]
    assert official.users(50, follower=True, period="L7D", tag="Xã An Mỹ") == (6000, ["555", "777"])
    assert asked(host) == (
        "/v3.0/oa/user/getlist",
        {
            "offset": 50,
            "count": 50,
            "is_follower": True,
            "last_interaction_period": "L7D",
            "tag_name": "Xã An Mỹ",
        },
    )
    official.users(0, 10)
    assert asked(host)[1] == {"offset": 0, "count": 10}


def test_a_page_is_never_longer_than_what_was_asked_for(host, official):
    host.answers = [yes({"total": 9, "users": [{"user_id": str(at)} for at in range(9)] + [None, {}, 5]})]
    assert official.users(0, 3) == (9, ["0", "1", "2"])


@pytest.mark.parametrize(("offset", "count"), [(-1, 50), (9_952, 50), (0, 0), (0, 51)])
def test_zalo_is_not_asked_for_more_than_it_lists(host, official, offset, count):
    with pytest.raises(ValueError):
        official.users(offset, count)
    assert host.asked == []


def test_templates_are_listed_by_pages(host, official):
    row = {"templateId": 312345, "templateName": "Số thứ tự", "status": "ENABLE"}
    host.answers = [yes([row, None], metadata={"total": 120})]
    assert official.templates(100) == (120, [row])
    assert host.asked[0][0] == "/template/all?offset=100&limit=100"
    with pytest.raises(ValueError):
        official.templates(0, 101)


def test_a_long_list_of_templates_is_read_whole(host, official):
    rows = [{"templateId": str(at), "templateName": "Số thứ tự " * 40} for at in range(100)]
    assert len(json.dumps(rows)) > 100_000
    host.answers = [yes(rows)]
    assert official.templates() == (100, rows)


def test_an_endless_answer_is_not_read_to_its_end(host, official):
    host.answers = [yes({"name": "x" * 3_000_000})]
    with pytest.raises(channels.Unreachable) as caught:
        official.about()
    assert caught.value.sent is False


def test_a_template_is_described(host, official):
    host.answers = [yes({"templateId": "312345", "price_uid": "165"})]
    assert official.template("312345")["price_uid"] == "165"
    assert host.asked[0][0] == "/template/info/v2?template_id=312345"


def test_quota_and_quality_are_those_of_the_business_host(host):
    oa = zalo.Official("http://127.0.0.1:1", host.url, Tokens("t1"))
    host.answers = [yes({"dailyQuota": "5000"}), yes({"oaCurrentQuality": "HIGH"})]
    assert (oa.quota(), oa.quality()) == ({"dailyQuota": "5000"}, {"oaCurrentQuality": "HIGH"})
    assert [path for path, _, _ in host.asked] == ["/message/quota", "/quality"]
    with pytest.raises(channels.Unreachable):
        oa.about()
    oa.close()


def test_the_two_hosts_codes_are_not_mixed_up(host, official):
    host.answers = [{"error": -216, "message": "x"}, yes({}), {"error": -216, "message": "x"}]
    official.about()
    with pytest.raises(channels.Unreachable):  # nothing that the business host says
        official.quota()
    assert [headers["access_token"] for _, headers, _ in host.asked] == ["t1", "t2", "t2"]


def test_tags_are_put_on_and_taken_off(host, official):
    host.answers = [yes(None)]
    official.tag("555", "Xã An Mỹ")
    official.untag("555", "Xã An Mỹ")
    assert [path for path, _, _ in host.asked] == [
        "/v2.0/oa/tag/tagfollower",
        "/v2.0/oa/tag/rmfollowerfromtag",
    ]
    assert host.bodies == [{"user_id": "555", "tag_name": "Xã An Mỹ"}] * 2


# -- uploads


def form(host, at=-1):
    """(path, the field's name, file name, media type, octets) of an upload."""
    path, headers, body = host.asked[at]
    head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
    (part,) = message_from_bytes(head + body, policy=HTTP).iter_parts()
    name = part.get_param("name", header="content-disposition")
    return path, name, part.get_filename(), part.get_content_type(), part.get_payload(decode=True)


@pytest.mark.parametrize(
    ("octets", "kind", "name"), [(PNG, "image/png", "ve.png"), (JPG, "image/jpeg", "ve.jpg")]
)
def test_a_picture_is_uploaded_as_a_form(host, official, octets, kind, name):
    host.answers = [yes({"attachment_id": "att-1"})]
    assert official.upload_image(name, octets) == "att-1"
    assert form(host) == ("/v2.0/oa/upload/image", "file", name, kind, octets)


@pytest.mark.parametrize(
    ("octets", "kind", "name"),
    [
        (PDF, "application/pdf", "giay.pdf"),
        (DOC, "application/msword", "giay.doc"),
        (DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "giay.docx"),
    ],
)
def test_a_document_is_uploaded_as_a_form(host, official, octets, kind, name):
    host.answers = [yes({"token": "tok-1"})]
    assert official.upload_file(name, octets) == "tok-1"
    assert form(host) == ("/v2.0/oa/upload/file", "file", name, kind, octets)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("", "tep.pdf"), ("../../etc/passwd", "etc_passwd.pdf"), ('a"b\r\nc.pdf', "a_b_c.pdf"), ("a.exe", "a.exe.pdf"),
        ("A.PDF", "A.pdf"), ("Đơn xin.pdf", "Đơn xin.pdf"), ("x" * 500 + ".pdf", "x" * 120 + ".pdf"),
    ],
)  # fmt: skip
def test_a_files_name_is_made_fit_for_every_system(host, official, given, name):
    host.answers = [yes({"token": "tok-1"})]
    official.upload_file(given, PDF)
    raw = host.asked[0][2].split(b"\r\n\r\n")[0].decode()
    assert f'filename="{name}"' in raw


@pytest.mark.parametrize(
    ("upload", "octets", "code"),
    [
        ("upload_image", b"", "type"), ("upload_image", b"GIF89a", "type"), ("upload_image", PDF, "type"),
        ("upload_image", b"<svg onload=x>", "type"), ("upload_image", PNG + b"x" * 1_048_576, "size"),
        ("upload_file", b"", "type"), ("upload_file", b"MZ", "type"), ("upload_file", PNG, "type"),
        ("upload_file", DOCX, "type"), ("upload_file", PDF + b"x" * 5_242_880, "size"),
    ],
)  # fmt: skip
def test_what_zalo_would_not_take_is_not_uploaded(host, official, upload, octets, code):
    with pytest.raises(channels.Refused) as caught:
        getattr(official, upload)("a.pdf", octets)
    assert (caught.value.code, caught.value.scope, host.asked) == (code, "message", [])
    assert " / " in caught.value.reason


def test_the_largest_file_goes_through(host, official):
    host.answers = [yes({"token": "tok-1"})]
    octets = PDF + b"x" * (5_242_880 - len(PDF))
    assert official.upload_file("a.pdf", octets) == "tok-1"
    assert form(host)[-1] == octets


def test_an_upload_with_a_dead_token_is_made_once_more_whole(host, official):
    host.answers = [{"error": -216}, yes({"attachment_id": "att-1"})]
    assert official.upload_image("a.png", PNG) == "att-1"
    assert [headers["access_token"] for _, headers, _ in host.asked] == ["t1", "t2"]
    assert form(host, 0)[-1] == form(host, 1)[-1] == PNG


@pytest.mark.parametrize("data", [None, {}, {"attachment_id": ""}, {"attachment_id": 5}, {"token": "x"}])
def test_an_upload_that_gives_no_id_may_be_made_again(host, official, data):
    host.answers = [yes(data)]
    with pytest.raises(channels.Unreachable) as caught:
        official.upload_image("a.png", PNG)
    assert caught.value.sent is False


def test_the_proof_goes_with_every_call(host):
    official = zalo.Official(host.url, host.url, Tokens("token-abc"), "app-secret", proof=True)
    host.answers = [yes({"attachment_id": "a", "total": 0})]
    official.about()
    official.quota()
    official.users(0)
    official.tag("555", "a")
    official.upload_image("a.png", PNG)
    official.close()
    proof = "64ad4b31c7b1a1447bd689c4c0b82425f01d8a3da1ce7a8eb468cc17c0e9d787"
    assert [headers["appsecret_proof"] for _, headers, _ in host.asked] == [proof] * 5
