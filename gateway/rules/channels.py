"""The channels' names, and which of them a configuration uses.

Zalo is three of them: a free text to somebody who has spoken to the page lately, a template by Zalo user id,
and a template by phone number. Every other is a lane of text messages: a provider over HTTP, SMPP, or a modem.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from gateway.rules import phone as phones
from gateway.rules.settings import Settings, Sms

BY_CHAT, BY_USER_ID, BY_PHONE = "zalo_cs", "zalo_uid", "zalo"
ZALO = (BY_CHAT, BY_USER_ID, BY_PHONE)
TEXTS = "sms"
"""What a suppression names that holds for every lane of text messages."""

TO_A_USER = frozenset({BY_CHAT, BY_USER_ID})
"""Those that need a Zalo user id in place of a phone number."""

URGENT = frozenset({"called", "near", "alert"})
"""The kinds of notice that are of no use in an hour."""

CHAT = "chat"
"""The kind of a notice that is an answer in a conversation: it goes the way its question came or not at all."""


class Ladder(tuple[str, ...]):
    """The channels in order, and how the lanes of text messages among them are ordered for a number."""

    sms: Sms

    @classmethod
    def of(cls, rungs: Sequence[str], sms: Sms) -> Ladder:
        made = cls(rungs)
        made.sms = sms
        return made


def provider(channel: str) -> str:
    """Whose channel it is, as config.toml names it."""
    return "zalo" if channel in ZALO else channel


def is_text(channel: str) -> bool:
    """Whether it is a lane of text messages."""
    return channel not in ZALO


def two_way(config: Settings) -> tuple[str, ...]:
    """The lanes by which somebody can answer us, and be answered."""
    own = config.sms
    return tuple(
        name
        for name in own.providers
        if name == "smpp" or (sim := own.sim(name)) is not None and sim.incoming
    )


def modems(config: Settings) -> tuple[str, ...]:
    """The lanes that are modems: the process that has the port is the only one that sends there."""
    return tuple(name for name in config.sms.providers if config.sms.sim(name) is not None)


def ladder(config: Settings) -> Ladder:
    """The channels in order: `zalo` stands for its ways that are on, `sms` for its providers."""
    own = config.zalo
    on = {BY_CHAT: own.by_chat, BY_USER_ID: own.by_user_id, BY_PHONE: own.by_phone}
    rungs = {"zalo": tuple(name for name in ZALO if on[name]), "sms": config.sms.providers}
    return Ladder.of([channel for rung in config.notices.ladder for channel in rungs[rung]], config.sms)


def price(channel: str, sms: Sms, phone: str) -> int:
    """What a part to this number costs on a lane of text messages, đồng."""
    lane, network = sms.lane(channel), phones.network(phone)
    return lane.price if network is None else lane.prices.get(network, lane.price)


def routed(rungs: Sequence[str], phone: str, sms: Sms) -> tuple[str, ...]:
    """The lanes of text messages in the order for this number; what is not one keeps its place.

    Modems share the load by number, and a SIM of the number's own network goes first. By price, what costs the
    same keeps its order.
    """
    lanes = _shared_out([name for name in rungs if is_text(name)], phone, sms)
    if sms.order == "cheapest":
        lanes.sort(key=lambda name: price(name, sms, phone))
    given = iter(lanes)
    return tuple(next(given) if is_text(name) else name for name in rungs)


def _shared_out(lanes: Sequence[str], phone: str, sms: Sms) -> list[str]:
    sims = [name for name in lanes if sms.sim(name) is not None]
    if len(sims) < 2:
        return list(lanes)
    first, network = zlib.crc32(phone.encode()) % len(sims), phones.network(phone)
    turned = [*sims[first:], *sims[:first]]
    turned.sort(key=lambda name: network is None or sms.sim(name).network != network)
    given = iter(turned)
    return [next(given) if name in sims else name for name in lanes]


def used(config: Settings) -> tuple[str, ...]:
    """Every channel that something may go by: people are answered by chat also where no notice begins there."""
    found = tuple(ladder(config))
    if "zalo" in config.notices.ladder and BY_CHAT not in found:
        return (BY_CHAT, *found)
    return found


def here(config: Settings) -> tuple[str, ...]:
    """Of those the ones that this host sends on."""
    wanted = config.notices.lanes
    return tuple(name for name in used(config) if not wanted or provider(name) in wanted)


def fitting(
    rungs: Sequence[str], kind: str, phone: str, user_id: str | None, chatting: bool, urgent: bool = False
) -> tuple[str, ...]:
    """Of a ladder what can reach this person; `chatting`: they have spoken to the page lately.

    Who must be told at once is tried by one of Zalo's ways only, the best: waiting for a receipt of each would
    leave SMS no time. Where nothing fits, the ladder stays, and whoever tries says why it does not reach them.
    """
    fit = tuple(
        name
        for name in rungs
        if (user_id if name in TO_A_USER else phone) and (name != BY_CHAT or kind == CHAT or chatting)
    )
    if urgent and kind != CHAT:
        further = {name for name in fit if name in ZALO} - {next((name for name in fit if name in ZALO), "")}
        fit = tuple(name for name in fit if name not in further)
    return fit or tuple(rungs)
