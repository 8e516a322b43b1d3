"""Channels: the ways a notice leaves the house. One file a channel, all with the same promise.

A channel has `name`, `concurrency` (how many `send` it bears at once), and
    send(message) -> Accepted          or raises Refused (never as it stands) or Unreachable (not now)
    pull(provider_ref, reference) -> Report | None     what the provider knows; None when it knows nothing
    close() -> None
and, where the provider calls back over HTTP, callback(event or query) -> Report | None.
`send` may be called from many threads. A channel decides nothing about repeating or falling back: it says
what happened, and whether a repeat could reach the person twice.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, Protocol

Scope = Literal["message", "phone", "template", "account", "channel"]

_REFERENCE = re.compile(r"[A-Za-z0-9_-]{1,48}")


class Fault(Enum):
    """Whose fault a refusal is, and so what is to be done."""

    PERSON = "P"  # this phone cannot get it on this channel: take the next channel at once
    CONFIG = "C"  # our settings or papers: tell the operator, spare the rest of the batch
    QUOTA = "Q"  # no money or no quota left: tell the operator, wait for the reset
    TOKEN = "T"  # the access token is dead and could not be renewed
    NIGHT = "N"  # not at this hour: in the morning, or another channel
    BUG = "B"  # our program sent something impossible


@dataclass(frozen=True)
class Part:
    """One part of a text message that was handed over. `number` counts from 1.

    `joint` is what joins the parts on the phone. `ref`: the provider's name for it; None: nobody knows whether
    it was taken.
    """

    number: int
    total: int
    joint: int
    ref: str | None


@dataclass(frozen=True)
class Message:
    """One thing to send to one person.

    `to` is E.164, "" where only `zalo_user_id` is known. `text` is the finished SMS or chat message.
    `template_id` and `template_data` are for Zalo's templates.
    `reference` is our own id of this attempt, carried through the provider and back in its receipt.
    `valid_seconds` is how long it is worth delivering. For a lane that hands over part by part: `joint` (0-65535)
    joins the parts on the phone, and `begun` are the parts that an earlier try handed over with it; only the rest
    is to be sent.
    For a chat message only: `buttons` are {"title", "type", "payload"} as Zalo names them; `attachment` is
    {"kind": "image", "id"}, {"kind": "file", "token"} or {"kind": "ask_contact", "title", "subtitle",
    "image_url"}; `quote` is Zalo's id of the message that is answered.
    """

    to: str
    kind: str
    text: str
    template_id: str | None
    template_data: Mapping[str, str]
    reference: str
    zalo_user_id: str | None = None
    valid_seconds: int | None = None
    buttons: tuple[Mapping[str, Any], ...] = ()
    attachment: Mapping[str, Any] | None = None
    quote: str | None = None
    joint: int = 0
    begun: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        # Zalo cuts or refuses a tracking_id beyond 48, and others mangle what is not a letter or digit.
        if not _REFERENCE.fullmatch(self.reference):
            raise ValueError("a reference is 1-48 of A-Z a-z 0-9 _ -")


@dataclass(frozen=True)
class Accepted:
    """The provider has taken it; taken is not delivered. `remaining` of `total` is what a quota still holds.

    `parts` are those of this try, which is what it costs. `handed`: where reports come by part, those of this try.
    """

    provider_ref: str | None
    parts: int = 1
    remaining: int | None = None
    total: int | None = None
    handed: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Report:
    """What became of a message. `delivered` None: under way. `at`: epoch seconds. `final`: no other follows.

    `reference` or `provider_ref` may be missing where a provider gives only one; a modem that was restarted
    knows neither and gives `to`. `to` is E.164, or a Zalo user id on the channels that send to one.
    """

    reference: str | None
    provider_ref: str | None
    to: str | None
    delivered: bool | None
    code: str
    at: int | None
    final: bool


@dataclass(frozen=True)
class PartReport:
    """What became of one part. `refs`: the names it may have, as some networks write an id in another base.

    `to` is E.164; `delivered` None: the network is still trying. `at`: epoch seconds.
    """

    refs: tuple[str, ...]
    to: str
    delivered: bool | None
    code: str
    at: int | None


@dataclass(frozen=True)
class Incoming:
    """A whole text that somebody sent us. `sender`: "+84905123456", or a name such as "VIETTEL"; `at`: in seconds."""

    sender: str
    text: str
    at: int


class Channel(Protocol):
    """What every channel is; the contract tests hold each to it."""

    name: str
    concurrency: int

    def send(self, message: Message) -> Accepted: ...

    def pull(self, provider_ref: str | None, reference: str) -> Report | None: ...

    def close(self) -> None: ...


class Refused(Exception):
    """The provider said no, and will say no again as it stands.

    `scope` is what the no holds for: this message, this phone, this template, our account, the whole channel.
    `rest_days` is how long this phone (or this template, by scope) is not worth another try here.
    `handed`: parts that were taken before the no.
    """

    handed: tuple[Part, ...] = ()

    def __init__(
        self, code: str, reason: str, scope: Scope, fault: Fault, rest_days: int | None = None
    ) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason, self.scope, self.fault, self.rest_days = code, reason, scope, fault, rest_days


class Unreachable(Exception):
    """Not now. `sent` False: nothing was taken, a repeat is safe. `sent` True: nobody knows, no blind repeat.

    `retry_after` in seconds, where the provider or a rate cap names it. `handed`: parts that were taken, or may
    have been, before it failed.
    """

    handed: tuple[Part, ...] = ()

    def __init__(
        self, reason: str, sent: bool, code: str | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code}: {reason}" if code else reason)
        self.reason, self.sent, self.code, self.retry_after = reason, sent, code, retry_after
