"""The shape of config.toml: frozen, typed values, and every mistake in it at once.

Pure: a parsed document and an environment go in, `Settings` comes out or `Mistakes` is raised.
Reading the file and the secret files is the caller's work (`gateway.config`, `kiosk.config`).

An environment variable `GATEWAY_<SECTION>__<KEY>` overrides a key; lists and tables are JSON.
A key that ends in `_file` names a file with a secret; the secret's value itself may be given
by the name without `_file` (`GATEWAY_ZALO__APP_SECRET`) and lands in `Settings.secrets`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from datetime import time
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

import pydantic
from pydantic import AfterValidator, Field, model_validator

from gateway.rules import hashes, phone
from gateway.rules.settings.section import Port, Seconds, Section, Url
from gateway.rules.settings.texts import BUILT_IN, Esms, HttpSms, Lane, Modem, Smpp, Sms, SpeedSms

__all__ = ["BUILT_IN", "Esms", "HttpSms", "Lane", "Mistakes", "Modem", "Section", "Settings", "Smpp", "Sms"]
__all__ += ["SpeedSms", "Template", "known_keys", "read"]

PREFIX = "GATEWAY_"
Share = Annotated[float, Field(ge=0.0, lt=1.0)]
Language = Literal["vi", "en"]


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone of the tz database")
    return name


def _mobile(text: str) -> str:
    number = phone.parse(text)
    if isinstance(number, phone.PhoneFault) or number.kind is not phone.Kind.MOBILE:
        raise ValueError(f"{text!r} is no Vietnamese mobile number")
    return number.e164


def _known_variant(name: str) -> str:
    if name and name not in hashes.ZALO_VARIANTS:
        raise ValueError(f"{name!r} is none of {', '.join(hashes.ZALO_VARIANTS)}")
    return name


class Station(Section):
    name: str = Field("Công an phường", min_length=1, max_length=120)
    name_en: str = Field("Ward police", min_length=1, max_length=120)
    short_name: str = Field("CA PHUONG", min_length=1, max_length=11, pattern=r"^[\x20-\x7e]+$")
    timezone: Annotated[str, AfterValidator(_known_zone)] = "Asia/Ho_Chi_Minh"
    languages: tuple[Language, ...] = ("vi", "en")

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Web(Section):
    host: str = "127.0.0.1"
    port: Port = 8080
    base_url: Url = "http://127.0.0.1:8080"
    secret_key_file: str = "data/secrets/web_secret_key"
    threads: int = Field(64, ge=4, le=2_000)
    proxies: int = Field(0, ge=0, le=5)


class Database(Section):
    url: str = Field("sqlite:///data/gateway.db", pattern=r"^(sqlite:///|postgresql\+psycopg://)")


class Timetable(Section):
    number_at: time = time(15, 0)
    quiet_from: time = time(21, 30)
    quiet_until: time = time(6, 30)


class Policy(Section):
    """QUEUE-POLICY.md's numbers; seconds unless the name says otherwise."""

    walk_in: Seconds = 1_800
    priority: Seconds = 600
    booked: Seconds = 300
    grace: Seconds = 900
    check_in_opens: Seconds = 3_600
    transfer: Seconds = 600
    missed_within: Seconds = 1_800
    missed_again: Seconds = 900
    call_gap: Seconds = 45
    calls: int = Field(3, ge=1, le=10)
    use: float = Field(0.85, gt=0, le=1)
    walk_in_share: Share = 0.20
    no_show: Share = 0.10
    overflow: Share = 0.10
    people_per_contact: int = Field(5, ge=1, le=20)
    near_minutes: int = Field(15, ge=1, le=120)
    check_in_by_chat: bool = False


class Deadlines(Section):
    """How long a notice of a kind is worth sending, seconds; `appointment` counts from the hour itself."""

    appointment: Seconds = 0
    called: Seconds = 120
    near: Seconds = 1_200
    other: Seconds = 86_400


class Notices(Section):
    ladder: tuple[Literal["zalo", "sms"], ...] = ("zalo", "sms")
    receipt_wait: Seconds = 1_800
    receipt_wait_urgent: Seconds = 60
    unknown_wait: Seconds = 180
    retries: tuple[Seconds, ...] = (5, 30, 120, 600)
    lease: int = Field(60, ge=5, le=3_600)
    batch: int = Field(200, ge=1, le=5_000)
    lanes: tuple[str, ...] = ()
    outage_failures: int = Field(5, ge=1, le=1_000)
    outage_probe: Seconds = 30
    refusal_probe: Seconds = 900
    metrics_port: int = Field(0, ge=0, le=65_535)
    deadlines: Deadlines = Deadlines()


class Alerts(Section):
    """Who is told by phone when the officer must know something; the page shows it in any case."""

    phones: tuple[Annotated[str, AfterValidator(_mobile)], ...] = Field((), max_length=10)


class Hooks(Section):
    """Telling other programs. `allow`: hosts that may be told although their address is not public."""

    allow: tuple[Annotated[str, Field(max_length=253)], ...] = ()
    timeout: float = Field(10.0, gt=0, le=60)
    retries: tuple[Seconds, ...] = (5, 60, 300, 1_800, 7_200, 21_600, 43_200)


class Template(Section):
    """A Zalo template: its id at Zalo, and for each of its parameters a text with {fields} to fill in."""

    id: str = Field(min_length=1, max_length=40)
    params: Mapping[str, str] = Field(default_factory=dict)


class Zalo(Section):
    app_id: str = Field("", max_length=40)
    app_secret_file: str = "data/secrets/zalo_app_secret"
    oa_id: str = Field("", max_length=40)
    webhook_secret_file: str = "data/secrets/zalo_webhook_secret"
    token_key_file: str = "data/secrets/zalo_token_key"
    oauth_base: Url = "https://oauth.zaloapp.com"
    oa_base: Url = "https://openapi.zalo.me"
    business_base: Url = "https://business.openapi.zalo.me"
    pkce_mode: Literal["per_request", "console"] = "per_request"
    pkce_verifier_file: str = "data/secrets/zalo_pkce_verifier"
    consent_link: str = Field("", max_length=1_000, pattern=r"^(https?://.*)?$")
    appsecret_proof: bool = False
    reply_200_on_bad_signature: bool = True
    strict_variant: Annotated[str, AfterValidator(_known_variant)] = ""
    by_chat: bool = True
    by_user_id: bool = True
    by_phone: bool = True
    uid_body: Literal["flat", "recipient"] = "flat"
    shared_phone: bool = True
    answers: bool = True
    free_hours: int = Field(48, ge=1, le=720)
    window_days: int = Field(7, ge=1, le=60)
    sync_hours: int = Field(24, ge=1, le=720)
    concurrency: int = Field(16, ge=1, le=256)
    per_minute: int = Field(0, ge=0, le=100_000)
    price: int = Field(0, ge=0, le=100_000)
    price_by_user_id: int = Field(0, ge=0, le=100_000)
    timeout: float = Field(10.0, gt=0, le=60)
    templates: Mapping[str, Template] = Field(default_factory=dict)


class Kiosk(Section):
    gateway: Url = "http://127.0.0.1:8080"
    name: str = Field("K1", min_length=1, max_length=40)
    series: str = Field("B", pattern=r"^[A-Z]$")
    panel: Literal["touch", "buttons"] = "touch"
    host: str = "127.0.0.1"
    port: Port = 8081
    folder: str = "data/kiosk"
    lockout_seconds: float = Field(2.0, ge=0, le=60)


class Printer(Section):
    url: str = Field("tcp://127.0.0.1:9100", pattern=r"^(serial|tcp|usb|file|socket)://")
    profile: str = Field("generic", max_length=60)
    width_dots: int = Field(576, ge=200, le=1_200)


class Retention(Section):
    days: int = Field(30, ge=1, le=3_650)


class Sandbox(Section):
    on: bool = False
    host: str = "127.0.0.1"
    port: Port = 8090
    printer_port: Port = 9100
    folder: str = "data/sandbox"
    receipt_delay: float = Field(1.0, ge=0, le=600)


class Settings(Section):
    """The whole of config.toml. `secrets` holds values given in the environment, by `section.key`."""

    station: Station = Station()
    web: Web = Web()
    database: Database = Database()
    timetable: Timetable = Timetable()
    policy: Policy = Policy()
    notices: Notices = Notices()
    alerts: Alerts = Alerts()
    hooks: Hooks = Hooks()
    zalo: Zalo = Zalo()
    sms: Sms = Sms()
    kiosk: Kiosk = Kiosk()
    printer: Printer = Printer()
    retention: Retention = Retention()
    sandbox: Sandbox = Sandbox()
    secrets: Mapping[str, pydantic.SecretStr] = Field(default_factory=dict, exclude=True, repr=False)

    @model_validator(mode="after")
    def _known_lanes(self) -> Settings:
        known = ("zalo", *BUILT_IN, *self.sms.http, *self.sms.modems)
        if strange := [name for name in self.notices.lanes if name not in known]:
            raise ValueError(f"[notices] lanes: {', '.join(strange)} is none of {', '.join(known)}")
        return self


class Mistakes(Exception):
    """Everything that is wrong with a configuration. `lines`: one sentence a mistake."""

    def __init__(self, lines: tuple[str, ...]):
        super().__init__("\n".join(lines))
        self.lines = lines


def read(document: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """config.toml as parsed by tomllib, overridden by `environ`, as frozen values; or raise `Mistakes`."""
    merged = json.loads(json.dumps(document, default=str))
    secrets: dict[str, str] = {}
    lines = [
        line for name, text in sorted(environ.items()) for line in _override(merged, secrets, name, text)
    ]
    try:
        settings = Settings.model_validate({**merged, "secrets": secrets})
    except pydantic.ValidationError as fault:
        lines += [_sentence(error) for error in fault.errors(include_url=False)]
    if lines:
        raise Mistakes(tuple(lines))
    return settings.model_copy(update={"secrets": MappingProxyType(dict(settings.secrets))})


def _override(merged: dict[str, Any], secrets: dict[str, str], name: str, text: str) -> Iterator[str]:
    if not name.startswith(PREFIX) or "__" not in name:
        return
    path = name.removeprefix(PREFIX).lower().split("__")
    model = _model_at(path[:-1])
    if model and f"{path[-1]}_file" in model.model_fields:
        secrets[".".join(path)] = text
        return
    if model is None or path[-1] not in model.model_fields:
        yield f"{name}: no such key{_nearest(path)}"
        return
    table = merged
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = _value(text)


def _value(text: str) -> Any:
    """Only lists and tables are JSON: an application id of digits must stay a text."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _model_at(path: list[str]) -> type[Section] | None:
    model: Any = Settings
    for key in path:
        if not _is_section(model):  # a table of sections: any name leads to one
            model = _section_in(model)
            continue
        field = model.model_fields.get(key)
        model = field.annotation if field else None
        if not _is_section(model) and _section_in(model) is None:
            return None
    return model if _is_section(model) else None


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, Section)


def _section_in(model: Any) -> type[Section] | None:
    """What a table of sections with names of their own holds, such as `[sms.modems.NAME]`."""
    last = (get_args(model) or (None,))[-1]
    return last if _is_section(last) else None


def _sentence(error: Mapping[str, Any]) -> str:
    path = [str(part) for part in error["loc"]]
    if error["type"] == "value_error" and isinstance(
        error.get("input"), dict
    ):  # of a whole table, which says enough
        where = f"[{'.'.join(path)}] " if path else ""
        return where + error["msg"].removeprefix("Value error, ")
    where = f"[{'.'.join(path[:-1])}] {path[-1]}" if len(path) > 1 else f"[{path[0]}]"
    if error["type"] == "extra_forbidden":
        return f"{where}: no such key{_nearest(path)}"
    return f"{where}: {error['msg']} (got {_short(error.get('input'))})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _nearest(path: list[str]) -> str:
    """The known key that the writer most likely meant, looked for in its own table first."""
    model = _model_at(path[:-1])
    known = model.model_fields if model else {}
    file = f"{path[-1]}_file"  # a secret itself stands in no configuration
    here = [file] if file in known else difflib.get_close_matches(path[-1], known, n=1)
    if here:
        return f'; did you mean "{".".join([*path[:-1], here[0]])}"?'
    if len(path) > 3:  # in a table of somebody's own: what others have is not meant
        return ""
    everywhere = difflib.get_close_matches(".".join(path), list(known_keys()), n=1, cutoff=0.5)
    return f'; did you mean "{everywhere[0]}"?' if everywhere else ""


def known_keys(model: type[Section] = Settings, prefix: str = "") -> Iterator[str]:
    """Every known key as `section.key`, tables first; what the docs are held to."""
    for name, field in model.model_fields.items():
        if name == "secrets":
            continue
        yield f"{prefix}{name}"
        if _is_section(field.annotation):
            yield from known_keys(field.annotation, f"{prefix}{name}.")
