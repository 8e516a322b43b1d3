import pytest

from gateway.rules import hashes

APP, SECRET = "1234567890", "s3cr3t-oa"
FOLLOW = (
    b'{"app_id":"1234567890","oa_id":"99","event_name":"follow","follower":{"id":"555"},'
    b'"source":"oa_profile","timestamp":"1700000000000"}'
)
TEXT = (
    '{"app_id":"1234567890","event_name":"user_send_text","sender":{"id":"555"},"recipient":{"id":"99"},'
    '"message":{"text":"Xin số thứ tự","msg_id":"m1"},"timestamp":"1700000000001"}'
).encode()
FOLLOW_MAC = "d5f60ea575c3d2171f84d3c6de0263d1b23f7b2d831839926fb4299eff479bdf"
TEXT_MAC = "759ec793596b597ef5a383fe2fa6702874e20af4dbec3549799363c40bf8c485"


def found(signature, body=FOLLOW, **changed):
    words = {
        "ids": {"app_id": APP, "oa_id": "99"},
        "timestamps": {"body": "1700000000000", "header": "1700000000005"},
        "secrets": {"webhook_secret": SECRET, "app_secret": "app"},
    }
    return hashes.zalo_variants(signature, body, **(words | changed))


@pytest.mark.parametrize(
    ("body", "stamp", "mac"), [(FOLLOW, "1700000000000", FOLLOW_MAC), (TEXT, "1700000000001", TEXT_MAC)]
)
def test_the_mac_of_a_webhook(body, stamp, mac):
    assert hashes.zalo_mac(APP, body, stamp, SECRET) == mac


@pytest.mark.parametrize("prefix", ["", "mac=", "mac = ", " mac ="])
def test_a_signature_is_taken_with_and_without_its_prefix(prefix):
    assert found(prefix + FOLLOW_MAC) == "app_id/body/webhook_secret"


def test_an_upper_case_signature_is_the_same_signature():
    assert found(FOLLOW_MAC.upper()) == "app_id/body/webhook_secret"


@pytest.mark.parametrize(
    ("id", "stamp", "secret", "name"),
    [(APP, "1700000000005", SECRET, "app_id/header/webhook_secret"), ("99", "1700000000000", "app",
     "oa_id/body/app_secret")],
)  # fmt: skip
def test_the_variant_that_signed_is_named(id, stamp, secret, name):
    assert found("mac=" + hashes.zalo_mac(id, FOLLOW, stamp, secret)) == name


@pytest.mark.parametrize(
    "signature", ["", "mac=", "mac=" + "0" * 64, "mac=số", FOLLOW_MAC[:-1], FOLLOW_MAC + "0"]
)
def test_a_forgery_is_nobodys(signature):
    assert found(signature) is None


def test_one_changed_octet_of_the_body_is_a_forgery():
    assert found(FOLLOW_MAC, FOLLOW.replace(b"555", b"556")) is None


def test_nobody_can_sign_with_an_empty_secret():
    forged = hashes.zalo_mac(APP, FOLLOW, "1700000000000", "")
    assert found(forged, secrets={"webhook_secret": "", "app_secret": ""}) is None


def test_the_pkce_vector_of_rfc_7636():
    challenge = hashes.pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_of_32_octets_has_43_characters():
    assert hashes.pkce_verifier(bytes(range(32))) == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


def test_a_verifier_of_fewer_octets_is_an_error():
    with pytest.raises(ValueError):
        hashes.pkce_verifier(b"short")


def test_the_proof_of_an_app_secret():
    expected = "64ad4b31c7b1a1447bd689c4c0b82425f01d8a3da1ce7a8eb468cc17c0e9d787"
    assert hashes.appsecret_proof("app-secret", "token-abc") == expected


def test_the_hash_that_names_a_phone():
    expected = "e865b303dfc435f2126dcb19925f58a70c8e26d1ea0fc04bc668c870578b2dd4"
    assert hashes.zalo_phone("84905123456") == expected


def test_sameness_of_texts_of_any_letters():
    assert hashes.same("số", "số") and not hashes.same("số", "so")
