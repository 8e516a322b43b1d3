"""The Official Account's client against its strict stand-in: what one says the other understands."""

import io
from dataclasses import replace

import pytest
import requests
from PIL import Image

from gateway import channels
from gateway.channels import zalo
from gateway.sandbox import faults, server
from gateway.sandbox.zalo import people
from tests.contracts.conftest import SOON, TEMPLATE, Tokens

AN = "+84905123456"
USER = people.id_of(AN)
MESSAGE = channels.Message("", "chat", "Chào bà", None, {}, "a_1", zalo_user_id=USER)


@pytest.fixture
def sandbox(tmp_path):
    running = server.Sandbox(
        server.Options(port=0, folder=tmp_path, templates=(TEMPLATE,), proof_required=True)
    )
    running.start()
    yield running
    running.stop()


@pytest.fixture
def signing(sandbox):
    return {"app_secret": sandbox.options.app_secret, "proof": True, "timeout": SOON}


@pytest.fixture
def official(sandbox, signing):
    client = zalo.Official(sandbox.url, sandbox.url, Tokens(sandbox.url), **signing)
    yield client
    client.close()


@pytest.fixture
def chat(sandbox, signing):
    channel = zalo.ZaloChat(sandbox.url, Tokens(sandbox.url), **signing)
    yield channel
    channel.close()


def act(sandbox, what, **words):
    url = f"{sandbox.url}/users/0905123456/{what}"
    requests.post(url, json=words, timeout=SOON).raise_for_status()


def code_of(ask):
    with pytest.raises(channels.Refused) as caught:
        ask()
    return caught.value.code, caught.value.fault, caught.value.scope


def picture():
    octets = io.BytesIO()
    Image.new("RGB", (20, 20), "white").save(octets, "PNG")
    return octets.getvalue()


def test_the_account_its_quota_and_its_quality_are_told(official):
    assert official.about()["oa_id"] == "99"
    assert {"dailyQuota", "remainingQuota"} <= set(official.quota())
    assert official.quality()["oaCurrentQuality"] == "HIGH"


def test_a_follower_is_listed_and_described_with_tags_and_the_shared_phone(sandbox, official):
    act(sandbox, "follow")
    act(sandbox, "share")
    official.tag(USER, "Xã An Mỹ")
    assert official.users(0, follower=True, period="TODAY", tag="Xã An Mỹ") == (1, [USER])
    assert official.users(0, follower=False) == (0, [])
    told = official.user(USER)
    assert (told["user_id"], told["shared_info"]["phone"]) == (USER, AN)
    assert told["tags_and_notes_info"]["tag_names"] == ["Xã An Mỹ"]
    official.untag(USER, "Xã An Mỹ")
    assert official.users(0, tag="Xã An Mỹ") == (0, [])


def test_the_last_page_of_the_list_may_be_asked_for(official):
    assert official.users(9_951) == (0, [])


def test_templates_are_listed_and_described(official):
    total, rows = official.templates()
    assert (total, [str(row["templateId"]) for row in rows]) == (1, ["312345"])
    assert [one["name"] for one in official.template("312345")["listParams"]] == ["noi_dung"]
    assert code_of(lambda: official.template("9"))[0] == "-109"


def test_a_picture_and_a_file_are_uploaded_and_sent(sandbox, official, chat):
    act(sandbox, "follow")
    image = official.upload_image("phiếu.png", picture())
    token = official.upload_file("giấy.pdf", b"%PDF-1.7\n")
    assert chat.send(replace(MESSAGE, attachment={"kind": "image", "id": image})).provider_ref
    assert chat.send(replace(MESSAGE, text="", attachment={"kind": "file", "token": token})).provider_ref
    assert (
        code_of(lambda: chat.send(replace(MESSAGE, attachment={"kind": "image", "id": token})))[0] == "-201"
    )


def test_buttons_a_question_for_the_phone_and_an_answer_are_taken(sandbox, chat):
    act(sandbox, "follow")
    buttons = (
        {"title": "Đăng ký", "type": "oa.open.url", "payload": {"url": "https://dk.example.vn/f"}},
        {"title": "Số của tôi", "type": "oa.query.show", "payload": "#so"},
        {"title": "Huỷ", "type": "oa.query.hide", "payload": "#huy"},
        {"title": "Gọi", "type": "oa.open.phone", "payload": {"phone_code": "84235123456"}},
        {"title": "SMS", "type": "oa.open.sms", "payload": {"content": "XN", "phone_code": "84905123456"}},
    )
    asking = {
        "kind": "ask_contact",
        "title": "Công an",
        "subtitle": "Xin số",
        "image_url": "https://x.vn/a.png",
    }
    for message in (
        replace(MESSAGE, buttons=buttons),
        replace(MESSAGE, attachment=asking),
        replace(MESSAGE, quote="m0"),
        replace(MESSAGE, text="ế" * 2_000),
    ):
        assert chat.send(message).provider_ref


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.ZALO_NOT_FOLLOWING, "-213"),
        (faults.ZALO_BLOCKED, "-217"),
        (faults.ZALO_WINDOW_SHUT, "-230"),
        (faults.ZALO_RESTRICTED, "-244"),
    ],
)
def test_what_keeps_one_person_from_the_chat_is_theirs_alone(sandbox, chat, fault, code):
    act(sandbox, "follow")
    sandbox.network.faults.switch(fault, USER, True)
    assert code_of(lambda: chat.send(MESSAGE)) == (code, channels.Fault.PERSON, "phone")


def test_a_user_id_that_zalo_does_not_know_is_a_fault_of_that_id(chat):
    told = code_of(lambda: chat.send(replace(MESSAGE, zalo_user_id="12345")))
    assert told == ("-201u", channels.Fault.PERSON, "phone")


def test_after_seven_days_of_silence_the_chat_is_shut(sandbox, chat):
    act(sandbox, "follow")
    act(sandbox, "age", hours=7 * 24 - 1)
    assert chat.send(MESSAGE).provider_ref
    act(sandbox, "age", hours=2)
    assert code_of(lambda: chat.send(MESSAGE))[0] == "-230"


@pytest.mark.parametrize("body", ["flat", "recipient"])
def test_a_template_by_user_id_is_taken_in_both_shapes_and_tells_what_is_left(sandbox, signing, body):
    act(sandbox, "follow")
    channel = zalo.ZaloByUser(sandbox.url, Tokens(sandbox.url), body=body, **signing)
    message = replace(MESSAGE, template_id="312345", template_data={"noi_dung": "Mời bà"})
    taken = channel.send(message)
    assert taken.provider_ref and taken.remaining is not None
    sandbox.network.faults.switch(faults.ZALO_NOT_BY_ID, "312345", True)
    assert code_of(lambda: channel.send(message)) == ("-249", channels.Fault.CONFIG, "template")
    channel.close()


def test_a_call_without_the_proof_is_refused_where_the_app_demands_it(sandbox):
    client = zalo.Official(sandbox.url, sandbox.url, Tokens(sandbox.url), timeout=SOON)
    assert code_of(client.about) == ("-242", channels.Fault.CONFIG, "channel")
    assert code_of(client.quota) == ("-1241", channels.Fault.CONFIG, "channel")
    client.close()
