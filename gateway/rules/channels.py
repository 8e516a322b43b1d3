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


def fitting(rungs: Sequence[str], kind: str, user_id: str | None, chatting: bool) -> tuple[str, ...]:
    """Of a ladder what can reach this person; `chatting`: they have spoken to the page lately."""
    fit = tuple(
        name
        for name in rungs
        if not (name in TO_A_USER and not user_id) and not (name == BY_CHAT and kind != CHAT and not chatting)
    )
    return fit or tuple(rungs)
