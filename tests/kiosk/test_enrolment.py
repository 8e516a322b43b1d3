"""One code, one key, readable by its owner only."""

import stat

import pytest

from kiosk import enrolment


def test_a_code_becomes_a_key_that_only_the_owner_can_read(tmp_path, gateways):
    gateway = gateways()
    found = enrolment.enrol(gateway.url + "/", "right-code", tmp_path / "kiosk")
    assert found == enrolment.Enrolment("K1", gateway.key, "B", "TK1", gateway.url)
    assert enrolment.load(tmp_path / "kiosk") == found
    assert stat.S_IMODE((tmp_path / "kiosk" / "enrolment.json").stat().st_mode) == 0o600


def test_a_wrong_code_is_told_in_the_gateways_words_and_changes_nothing(tmp_path, gateways):
    with pytest.raises(enrolment.Failed, match="403 the code is used or wrong"):
        enrolment.enrol(gateways().url, "wrong", tmp_path)
    assert enrolment.load(tmp_path) is None


def test_no_gateway_is_a_fault_in_one_line(tmp_path, free_port):
    with pytest.raises(enrolment.Failed, match="connection refused"):
        enrolment.enrol(f"http://127.0.0.1:{free_port()}", "right-code", tmp_path)


def test_a_damaged_enrolment_is_told(tmp_path):
    (tmp_path / "enrolment.json").write_text('{"kiosk": "K1"}')
    with pytest.raises(enrolment.Failed):
        enrolment.load(tmp_path)
