"""The channels' names, and which of them a configuration uses.

Zalo is three of them: a free text to somebody who has spoken to the page lately, a template by Zalo user id,
and a template by phone number.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.rules.settings import Settings

BY_CHAT, BY_USER_ID, BY_PHONE = "zalo_cs", "zalo_uid", "zalo"
ZALO = (BY_CHAT, BY_USER_ID, BY_PHONE)
ALL = (*ZALO, "esms", "modem")
TO_A_USER = frozenset({BY_CHAT, BY_USER_ID})
"""Those that need a Zalo user id in place of a phone number."""

URGENT = frozenset({"called", "near", "alert"})
"""The kinds of notice that are of no use in an hour."""

CHAT = "chat"
"""The kind of a notice that is an answer in a conversation: it goes by chat or not at all."""


def provider(channel: str) -> str:
    """Whose channel it is, as config.toml names it."""
    return "zalo" if channel in ZALO else channel


def ladder(config: Settings) -> tuple[str, ...]:
    """The channels in order: `zalo` stands for its ways that are on, `sms` for its providers."""
    own = config.zalo
    on = {BY_CHAT: own.by_chat, BY_USER_ID: own.by_user_id, BY_PHONE: own.by_phone}
    rungs = {"zalo": tuple(name for name in ZALO if on[name]), "sms": config.sms.providers}
    return tuple(channel for rung in config.notices.ladder for channel in rungs[rung])


def used(config: Settings) -> tuple[str, ...]:
    """Every channel that something may go by: people are answered by chat also where no notice begins there."""
    found = ladder(config)
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
