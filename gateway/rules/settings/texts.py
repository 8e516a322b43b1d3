"""`[sms]`: the lanes of text messages, their providers and modems."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from gateway.rules import phone, wording
from gateway.rules.settings.section import Section, Url
from gateway.rules.sms import described

Prices = Mapping[phone.Network, Annotated[int, Field(ge=0, le=100_000)]]
"""Đồng a part by the network of the number; what is not named costs the lane's `price`."""


class Lane(Section):
    """What every way of text messages has: how it is used, and what a part costs there, đồng."""

    concurrency: int = Field(8, ge=1, le=64)
    per_minute: int = Field(0, ge=0, le=100_000)
    price: int = Field(0, ge=0, le=100_000)
    prices: Prices = Field(default_factory=dict)
    timeout: float = Field(10.0, gt=0, le=60)


class Esms(Lane):
    base: Url = "https://rest.esms.vn"
    api_key_file: str = "data/secrets/esms_api_key"
    secret_key_file: str = "data/secrets/esms_secret_key"
    brandname: str = Field("CAPHUONG", max_length=11, pattern=r"^[A-Za-z0-9]+$")
    callback_secret_file: str = "data/secrets/esms_callback_secret"


class SpeedSms(Lane):
    base: Url = "https://api.speedsms.vn"
    token_file: str = "data/secrets/speedsms_token"
    callback_secret_file: str = "data/secrets/speedsms_callback_secret"
    sender: str = Field("", max_length=11)
    sms_type: Literal[2, 3, 4, 5] = 3
    per_minute: int = Field(55, ge=0, le=100_000)


class HttpSms(Lane):
    """A provider that is described here (`rules.sms.described` says which {blanks} stand where).

    `answer`: where in an answer its code, id, message, status or balance stand; `ok`: the codes that mean "taken",
    `codes`: what others mean. `repeats`: the same {reference} again sends nothing twice.
    """

    url: str = Field(min_length=1, max_length=500, pattern=r"^https?://")
    method: Literal["GET", "POST"] = "POST"
    body: Literal["json", "form", "query"] = "json"
    headers: Mapping[str, str] = Field(default_factory=dict)
    fields: Mapping[str, Any] = Field(default_factory=dict)
    phone: Literal["e164", "international", "national"] = "international"
    unicode: bool | None = None
    secret_file: str = "data/secrets/sms_http_secret"
    callback_secret_file: str = "data/secrets/sms_http_callback_secret"
    answer: Mapping[str, str] = Field(default_factory=dict)
    answer_pattern: str = Field("", max_length=500)
    ok: tuple[str, ...] = ("0",)
    codes: Mapping[
        str, Literal["taken", "later", "person", "config", "template", "message", "quota", "bug"]
    ] = Field(default_factory=dict)
    repeats: bool = False
    report: Mapping[str, str] = Field(default_factory=dict)
    delivered: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    status_url: str = Field("", max_length=500, pattern=r"^(https?://.*)?$")
    balance_url: str = Field("", max_length=500, pattern=r"^(https?://.*)?$")

    @model_validator(mode="after")
    def _sound(self) -> HttpSms:
        if wrong := list(described.mistakes(self)):
            raise ValueError("; ".join(wrong))
        return self


class Modem(Section):
    """`per_minute` and `per_day` count parts. `network`: whose SIM it is, so that its own numbers go by it first."""

    url: str = Field("serial:///dev/ttyUSB0?baud=115200", pattern=r"^(serial|socket)://")
    pin_file: str = "data/secrets/modem_pin"
    per_minute: int = Field(6, ge=1, le=100_000)
    per_day: int = Field(150, ge=1, le=1_000_000)
    price: int = Field(0, ge=0, le=100_000)
    prices: Prices = Field(default_factory=dict)
    network: phone.Network | Literal[""] = ""
    reference_bits: Literal[8, 16] = 8
    incoming: bool = True


class Smpp(Lane):
    url: str = Field("smpp://127.0.0.1:2775", max_length=200, pattern=r"^smpps?://[^/\s]+$")
    system_id: str = Field("", max_length=15)
    password_file: str = "data/secrets/smpp_password"
    system_type: str = Field("", max_length=12)
    source: str = Field("", max_length=20)
    source_ton: int = Field(5, ge=0, le=6)
    source_npi: int = Field(0, ge=0, le=18)
    data_coding: Literal["gsm", "gsm_packed", "latin1", "ascii"] = "gsm"
    concat: Literal["udh", "sar", "payload"] = "udh"
    reference_bits: Literal[8, 16] = 8
    window: int = Field(10, ge=1, le=100)
    enquire_seconds: int = Field(30, ge=1, le=600)
    concurrency: int = Field(10, ge=1, le=100)


BUILT_IN = ("esms", "speedsms", "smpp", "modem")
LaneName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,11}$")]


def _meant(name: str, own: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, (*BUILT_IN, *own), n=1)
    return f"{name!r}" + (f'; did you mean "{near[0]}"?' if near else "")


class Sms(Section):
    providers: tuple[str, ...] = ("esms",)
    order: Literal["listed", "cheapest"] = "listed"
    unaccented: bool = True
    answers: bool = True
    balance_low: int = Field(100_000, ge=0, le=1_000_000_000)
    texts: Mapping[str, str] = Field(default_factory=dict)
    esms: Esms = Esms()
    speedsms: SpeedSms = SpeedSms()
    smpp: Smpp = Smpp()
    http: Mapping[LaneName, HttpSms] = Field(default_factory=dict)
    modem: Modem = Modem()
    modems: Mapping[LaneName, Modem] = Field(default_factory=dict)

    @field_validator("texts")
    @classmethod
    def _fillable(cls, texts: Mapping[str, str]) -> Mapping[str, str]:
        wrong = [line for kind, text in texts.items() for line in wording.mistakes(kind, text)]
        if wrong:
            raise ValueError("; ".join(wrong))
        return texts

    @model_validator(mode="after")
    def _known_lanes(self) -> Sms:
        own = (*self.http, *self.modems)
        taken = sorted({name for name in own if own.count(name) > 1 or name in (*BUILT_IN, "zalo", "sms")})
        if taken:
            raise ValueError(f"{', '.join(taken)}: two lanes cannot have one name")
        strange = [name for name in self.providers if name not in (*BUILT_IN, *own)]
        if strange:
            raise ValueError(
                f"providers: no lane is named {', '.join(_meant(name, own) for name in strange)}"
            )
        return self

    def sim(self, name: str) -> Modem | None:
        """The modem behind a lane's name; None for other lanes."""
        return self.modem if name == "modem" else self.modems.get(name)

    def lane(self, name: str) -> Lane | Modem:
        """The section of a lane's name; KeyError for none."""
        own = {"esms": self.esms, "speedsms": self.speedsms, "smpp": self.smpp, "modem": self.modem}
        return {**own, **self.http, **self.modems}[name]
