"""config.toml: everything wrong is said at once, with the nearest key; secrets come from files or the environment."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gateway import config as configuration
from gateway.rules import settings

SAMPLE = Path(__file__).parents[2] / "config.toml"


def test_all_mistakes_are_reported_together_with_the_nearest_key():
    document = {"web": {"prot": 1, "port": "abc"}, "statoin": {}, "database": {"url": "mysql://x"}}
    with pytest.raises(settings.Mistakes) as caught:
        settings.read(document, {"GATEWAY_WEB__HSOT": "a"})
    text = "\n".join(caught.value.lines)
    assert len(caught.value.lines) == 5
    for part in (
        'did you mean "web.host"',
        'did you mean "web.port"',
        'did you mean "station"',
        "[web] port",
        "[database] url",
    ):
        assert part in text


def test_every_lane_that_nobody_knows_is_named_and_a_secret_is_led_to_its_file():
    document = {"sms": {"providers": ["esm", "viettel", "modem"], "modems": {"m2": {"pin": "1234"}}}}
    with pytest.raises(settings.Mistakes) as caught:
        settings.read(document, {})
    assert any('did you mean "sms.modems.m2.pin_file"' in line for line in caught.value.lines)
    with pytest.raises(settings.Mistakes) as caught:
        settings.read({"sms": {"providers": ["esm", "viettel", "modem"]}}, {})
    (line,) = caught.value.lines
    assert "'esm'; did you mean \"esms\"?" in line and "'viettel'" in line


def test_own_words_are_looked_at_before_anybody_is_sent_them():
    texts = {
        "reday": "x",
        "ready": "{nmae}, {name.__class__} {name!r}",
        "called": "{",
        "near": "{station}: {number}",
    }
    with pytest.raises(settings.Mistakes) as caught:
        settings.read({"sms": {"texts": texts, "price": 5}}, {})
    line = next(line for line in caught.value.lines if line.startswith("[sms.texts]"))
    assert 'reday: no such kind of notice; did you mean "ready"?' in line
    assert "ready: {nmae} is none of {station}, {name}, " in line and "called: a brace stands alone" in line
    assert "name.__class__" in line and "near" not in line
    assert len(caught.value.lines) == 2
    assert settings.read({"sms": {"texts": {"alert": "{what} {channel}"}}}, {}).sms.texts


def test_a_pin_is_no_other_sims_and_a_key_no_other_providers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data/secrets").mkdir(parents=True)
    for name, value in (("modem_pin", "1111"), ("sim2_pin", "2222"), ("sms_http_secret", "key")):
        Path("data/secrets", name).write_text(value)
    own = Path("own")
    own.write_text("4444")
    sims = {"sim2": {}, "sim3": {}, "sim4": {"pin_file": str(own)}}
    described = {"vnpt": {"url": "https://x.vn", "fields": {"k": "{secret}", "to": "{to}", "m": "{text}"}}}
    read = settings.read({"sms": {"modems": sims, "http": described}}, {})
    pins = [configuration.secret(read, f"sms.modems.{name}.pin") for name in sims]
    assert configuration.secret(read, "sms.modem.pin") == "1111" and pins == ["2222", None, "4444"]
    assert configuration.secret(read, "sms.http.vnpt.secret") is None


def test_the_environment_overrides_lists_are_json_and_secrets_go_by_their_own_name():
    read = settings.read(
        {},
        {
            "GATEWAY_SMS__PROVIDERS": '["modem"]',
            "GATEWAY_ZALO__APP_ID": "123",
            "GATEWAY_ZALO__APP_SECRET": "hush",
        },
    )
    assert (read.sms.providers, read.zalo.app_id) == (("modem",), "123")
    assert configuration.secret(read, "zalo.app_secret") == "hush"
    assert "hush" not in repr(read) and "hush" not in read.model_dump_json()


def test_a_secret_is_read_from_its_file_and_our_own_is_made_once(tmp_path):
    file = tmp_path / "deep" / "key"
    read = settings.read({"web": {"secret_key_file": str(file)}}, {})
    first = configuration.own_secret(read, "web.secret_key")
    assert configuration.own_secret(read, "web.secret_key") == first == file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_values_are_frozen():
    read = settings.read({}, {})
    with pytest.raises(Exception, match="frozen"):
        read.web.port = 1


def test_every_key_is_in_the_shipped_file():
    document = tomllib.loads(SAMPLE.read_text(encoding="utf-8"))
    missing = [key for key in settings.known_keys() if not _has(document, key.split("."))]
    assert missing == []
    assert settings.read(document, {}).sandbox.on


def _has(document, path):
    for key in path:
        if key not in document:
            return False
        document = document[key]
    return True


def test_a_file_that_is_missing_or_no_toml_is_a_named_mistake(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text("[web\nport=1")
    for path in (tmp_path / "none.toml", broken):
        with pytest.raises(configuration.Mistakes, match=path.name):
            configuration.load(path, {})
