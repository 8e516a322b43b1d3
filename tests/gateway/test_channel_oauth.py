from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests

from gateway import channels
from gateway.channels import oauth
from gateway.rules import hashes
from gateway.sandbox import server

VERIFIER = hashes.pkce_verifier(bytes(range(32)))
BACK = "http://127.0.0.1:8080/zalo/callback?x=1"


@pytest.fixture
def sandbox(tmp_path):
    sandbox = server.Sandbox(server.Options(port=0, folder=tmp_path))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def client(sandbox):
    options = sandbox.options
    client = oauth.Oauth(sandbox.url, options.app_id, options.app_secret)
    yield client
    client.close()


def consented(link):
    answer = requests.get(link, allow_redirects=False, timeout=5)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def test_the_consent_link_has_what_the_documents_ask(client, sandbox):
    link = urlsplit(client.consent_link(BACK, "challenge", "state&1"))
    assert link.path == "/v4/oa/permission"
    assert parse_qs(link.query) == {
        "app_id": [sandbox.options.app_id],
        "redirect_uri": [BACK],
        "code_challenge": ["challenge"],
        "state": ["state&1"],
    }


def test_a_consent_comes_back_with_code_and_state_and_becomes_tokens(client):
    back = consented(client.consent_link(BACK, hashes.pkce_challenge(VERIFIER), "s1"))
    assert (back["state"], back["oa_id"], back["x"]) == ("s1", "99", "1")
    grant = client.exchange(back["code"], VERIFIER)
    assert grant.access and grant.refresh and grant.expires_in == 90_000


@pytest.mark.parametrize("verifier", [None, "wrong" * 9])
def test_a_code_without_its_verifier_is_refused(client, verifier):
    back = consented(client.consent_link(BACK, hashes.pkce_challenge(VERIFIER)))
    with pytest.raises(channels.Refused) as caught:
        client.exchange(back["code"], verifier)
    assert caught.value.fault is channels.Fault.TOKEN


def test_a_code_works_once(client):
    code = consented(client.consent_link(BACK))["code"]
    client.exchange(code)
    with pytest.raises(channels.Refused):
        client.exchange(code)


def test_a_refresh_token_works_once_and_gives_the_next(client):
    first = client.exchange(consented(client.consent_link(BACK))["code"])
    second = client.refresh(first.refresh)
    assert second.access != first.access and second.refresh != first.refresh
    with pytest.raises(channels.Refused) as caught:
        client.refresh(first.refresh)
    assert (caught.value.fault, caught.value.scope) == (channels.Fault.TOKEN, "account")
    assert client.refresh(second.refresh)


def test_a_wrong_app_secret_is_our_configuration(sandbox):
    client = oauth.Oauth(sandbox.url, sandbox.options.app_id, "wrong")
    with pytest.raises(channels.Refused) as caught:
        client.refresh("any")
    client.close()
    assert (caught.value.code, caught.value.fault) == ("-14002", channels.Fault.CONFIG)


def test_a_zalo_that_is_not_there_is_unreachable_and_spent_nothing():
    with pytest.raises(channels.Unreachable) as caught:
        oauth.Oauth("http://127.0.0.1:1", "1", "s", timeout=1).refresh("any")
    assert caught.value.sent is False


def test_a_grant_does_not_show_its_tokens():
    shown = repr(oauth.Grant("access-1", "refresh-1", 90_000))
    assert "access-1" not in shown and "refresh-1" not in shown


@pytest.mark.parametrize(
    ("life", "seconds"), [("90000", 90_000), (90_000, 90_000), (None, 3600), ("soon", 3600)]
)
def test_the_life_of_a_token_comes_as_text_or_number(life, seconds):
    document = {"access_token": "a", "refresh_token": "r", "expires_in": life}
    assert oauth._granted(document).expires_in == seconds
