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
