"""Working off what Zalo told us: one event after another, each whole or not at all.

The webhook has stored them; here each changes what is known of a person, is answered, or goes to somebody.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import followers, storage, tables
from gateway.chat import account, answers, conversations, echoes, events, order
from gateway.chat.events import Heard
from gateway.chat.talk import Talk, Words
from gateway.rules import chat as rules
from gateway.rules import phone
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
CHANNEL = "oa"
TRIES = 6
FIRST_PAUSE = 5  # seconds; each further one is twice as long
GREETED_SECONDS = 12 * 3_600


def take_in(session: Session, config: Settings, words: Words, now: int, most: int) -> int:
    """Work off stored events in their order; how many were looked at. Call it again until it is 0.

    One process at a time does this, as what a person says has an order. It ends early when a queue was
    changed: whoever waits for that day should not wait for the chat.
    """
    if not order.my_turn(session, CHANNEL):
        return 0
    heard, looked_at = [], 0
    for receipt in session.scalars(order.waiting(CHANNEL, now).limit(most)).all():
        looked_at += 1
        try:
            heard.append((events.read(receipt.body, receipt.at, now), receipt))
        except events.Unreadable:
            receipt.done_at, receipt.outcome = now, "unread"
    heard.sort(key=lambda one: (one[0].order, one[1].id))
    for place, (event, receipt) in enumerate(heard):
        if _worked_off(session, config, words, event, receipt, now):
            return looked_at - (len(heard) - place - 1)
    return looked_at


def _worked_off(
    session: Session, config: Settings, words: Words, event: Heard, receipt: tables.Receipt, now: int
) -> bool:
    """Work one event off in its own savepoint; whether a queue was changed."""
    key, tries = receipt.id, int(receipt.code or 0)
    try:
        with session.begin_nested():
            outcome, acted = _taken(session, config, words, event, receipt, now)
            if outcome == echoes.LATER:
                receipt.due = now + max(2, now - receipt.at)
            else:
                receipt.done_at, receipt.outcome = now, outcome
            session.flush()
        return acted
    except Exception as fault:
        if storage.is_away(fault):
            raise
        log.exception("the event %s of receipt %s could not be worked off", event.name, key)
    row = session.get_one(tables.Receipt, key)
    row.code, row.due = str(tries + 1), now + FIRST_PAUSE * 2**tries
    if tries + 1 >= TRIES:
        row.done_at, row.outcome = now, "unread"
    session.flush()
    return False


def _taken(
    session: Session, config: Settings, words: Words, event: Heard, receipt: tables.Receipt, now: int
) -> tuple[str, bool]:
    """(outcome, whether a queue was changed)."""
    if event.name == "change_oa_daily_quota" or event.name.startswith("change_template_"):
        return account.changed(session, config, event, now), False
    if not event.user_id:
        return "kept", False
    if _before_withdrawal(session, event):
        receipt.body = ""
        return "erased", False
    if event.name == "user_withdraw":
        return _withdrawn(session, config, event, receipt, now), True
    act = _act(event)
    if act is None:
        return "kept", False
    user = followers.known(session, event.user_id, now)
    user.by_app = event.by_app or user.by_app
    talk = Talk(session, config, words, now, user)
    return act(talk, event, receipt), talk.acted


Act = Callable[[Talk, Heard, tables.Receipt], str]


def _act(event: Heard) -> Act | None:
    if event.name.startswith("oa_send_"):
        return echoes.said
    if event.name.startswith("user_send_") and event.kind and "_group_" not in event.name:
        return _said
    return _ACTS.get(event.name)


def _before_withdrawal(session: Session, event: Heard) -> bool:
    """Whether somebody withdrew since: what is told late of the time before is not to be known again."""
    row = session.get(tables.Fact, _withdrawal(event.user_id))
    again = event.name == "user_withdraw"
    return row is not None and event.order < int(row.value) + again


def _withdrawal(user_id: str) -> str:
    """The name of the fact that says when somebody withdrew (ms), without saying who."""
    return f"withdrawn:{hashlib.sha256(user_id.encode()).hexdigest()}"


def _withdrawn(session: Session, config: Settings, event: Heard, receipt: tables.Receipt, now: int) -> str:
    followers.erase(session, event.user_id, config, now)
    session.merge(tables.Fact(name=_withdrawal(event.user_id), value=str(event.order), at=now))
    receipt.body = ""
    return "erased"


def _followed(talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    fresh = followers.follow(talk.session, talk.user, event.at, talk.now)
    if not fresh:
        return "done"
    conversations.heard(talk.session, talk.conversation, "follow", "", event.at, talk.now)
    _greet(talk)
    return "done"


def _greet(talk: Talk) -> None:
    """Say hello, unless something was said today."""
    said = select(tables.ChatMessage.id).where(
        tables.ChatMessage.user_id == talk.user.id,
        tables.ChatMessage.way == "out",
        tables.ChatMessage.at > talk.now - GREETED_SECONDS,
    )
    if talk.may_answer() and talk.session.scalar(said.limit(1)) is None:
        answers.welcome(talk)


def _unfollowed(talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    return "done" if followers.unfollow(talk.session, talk.user, event.at) else "old"


def _opened_chat(talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    followers.interacted(talk.user, event.at)
    talk.session.flush()
    _greet(talk)
    return "done"


def _said(talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    """A message: a wish that we know, or something for a person."""
    if event.msg_id and _is_known(talk.session, event.msg_id):
        return "again"
    followers.interacted(talk.user, event.at)
    talk.session.flush()
    conversation = talk.conversation
    conversations.heard(
        talk.session,
        conversation,
        event.kind,
        event.text,
        event.at,
        talk.now,
        msg_id=event.msg_id,
        quoted=event.quoted,
        attachments=event.attachments,
    )
    asked = rules.understand(event.text) if event.kind == "text" else rules.NOTHING
    taken = bool(conversation.assigned_to) and not asked.sure
    if not taken and talk.may_answer() and answers.answer(talk, asked):
        return "answered"
    answers.hand_over(talk, event.text)
    return "passed_on"


def _is_known(session: Session, msg_id: str) -> bool:
    return session.scalar(select(tables.ChatMessage.id).filter_by(msg_id=msg_id)) is not None


def _shared(talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    """They gave their name and phone in Zalo's own form."""
    name, number = events.info(event.raw)
    followers.interacted(talk.user, event.at)
    if not talk.user.name:
        followers.named(talk.user, name)
    e164 = followers.bind_phone(talk.session, talk.user, number, event.at)
    talk.session.flush()
    told = phone.masked(e164) if e164 else ""
    conversations.heard(
        talk.session, talk.conversation, "info", told, event.at, talk.now, msg_id=event.msg_id
    )
    if talk.may_answer():
        answers.shared(talk, e164)
    return "done"


def _tagged(on: bool, talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    word = events.tag(event.raw)
    if not word:
        return "kept"
    (followers.tag if on else followers.untag)(talk.session, talk.user.id, word)
    return "done"


def _renamed(talk: Talk, event: Heard, _receipt: tables.Receipt) -> str:
    """Their details changed: what the event says is kept, the rest is fetched anew."""
    followers.named(talk.user, events.info(event.raw)[0])
    talk.user.read_at = 0
    return "done"


_ACTS: Mapping[str, Act] = {
    "follow": _followed,
    "unfollow": _unfollowed,
    "user_click_chatnow": _opened_chat,
    "user_submit_info": _shared,
    "add_user_to_tag": partial(_tagged, True),
    "remove_user_from_tag": partial(_tagged, False),
    "update_user_info": _renamed,
}
