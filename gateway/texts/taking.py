"""Working off the text messages that came in: one after another, each whole or not at all.

The lane that heard one has stored it; here it is answered, or goes to somebody. No log holds a word of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import traceback
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import storage, tables
from gateway.chat import conversations, events, order
from gateway.rules import chat as rules
from gateway.rules import senders
from gateway.rules.chat import Intent
from gateway.rules.settings import Settings
from gateway.texts import answers, opting
from gateway.texts.talk import Talk, Words

log = logging.getLogger(__name__)
CHANNEL = "texts"
"""What the receipt of a text message that came in names as its channel; its `event` is the lane that heard it."""
TRIES = 6
FIRST_PAUSE = 5  # seconds; each further one is twice as long
LONGEST = 40_000  # more than 255 parts hold
COMMAND_SECONDS = 12 * 3_600
"""A wish that was under way for longer is not carried out: numbers of another day look the same."""


class Unreadable(ValueError):
    """The body is no text message that can be understood."""


@dataclass(frozen=True)
class Text:
    """A text as it came. `sender`: E.164, or a name; `at`: when the network took it, in seconds."""

    sender: str
    text: str
    at: int

    @property
    def msg_id(self) -> str:
        """The same for the same text, however often a modem tells of it."""
        told = "\0".join((self.sender, self.text, str(self.at)))
        return f"sms:{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def read(body: str, stored_at: int, now: int) -> Text:
    """A receipt's body; `stored_at` stands in for a time that is missing or lies ahead. Raises `Unreadable`."""
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise Unreadable("not JSON") from fault
    if not isinstance(raw, dict) or not isinstance(raw.get("sender"), str):
        raise Unreadable("no sender")
    at = raw.get("at")
    known = isinstance(at, int) and not isinstance(at, bool) and 0 < at <= now
    text = events.said(raw.get("text"), LONGEST, lines=True)
    return Text(senders.kept(raw["sender"]), text, at if known else min(stored_at, now))


def take_in(session: Session, config: Settings, words: Words, now: int, most: int) -> int:
    """Work off stored texts in their order; how many were looked at. Call it again until it is 0.

    One process at a time does this, as what a person says has an order. It ends early when a queue was changed.
    """
    if not order.my_turn(session, CHANNEL):
        return 0
    heard, looked_at = [], 0
    for receipt in session.scalars(order.waiting(CHANNEL, now).limit(most)).all():
        looked_at += 1
        try:
            heard.append((read(receipt.body, receipt.at, now), receipt))
        except Unreadable:
            receipt.done_at, receipt.outcome = now, "unread"
    heard.sort(key=lambda one: (one[0].at, one[1].id))
    for place, (text, receipt) in enumerate(heard):
        if _worked_off(session, config, words, text, receipt, now):
            return looked_at - (len(heard) - place - 1)
    return looked_at


def _worked_off(
    session: Session, config: Settings, words: Words, text: Text, receipt: tables.Receipt, now: int
) -> bool:
    """Work one text off in its own savepoint; whether a queue was changed. What is kept elsewhere is not kept here."""
    key, lane, tries = receipt.id, receipt.event, int(receipt.code or 0)
    try:
        with session.begin_nested():
            # What breaks whenever it is answered goes to a person
            outcome, acted = (
                _taken(session, config, words, text, lane, now)
                if tries < TRIES
                else (_passed_on(session, text, lane, now), False)
            )
            receipt.outcome, receipt.done_at, receipt.body = outcome, now, ""
            session.flush()
        return acted
    except Exception as fault:
        if storage.is_away(fault):
            raise
        # What it says of itself may be what somebody wrote
        where = traceback.extract_tb(fault.__traceback__)[-1]
        about = (key, type(fault).__name__, where.filename, where.lineno)
        log.error("the text of receipt %s could not be worked off: %s at %s:%s", *about)
    row = session.get_one(tables.Receipt, key)
    row.code, row.due = str(tries + 1), now + FIRST_PAUSE * 2**tries
    if tries >= TRIES:
        row.done_at, row.outcome = now, "unread"
    session.flush()
    return False


def _taken(
    session: Session, config: Settings, words: Words, text: Text, lane: str, now: int
) -> tuple[str, bool]:
    """(outcome, whether a queue was changed)."""
    if session.scalar(select(tables.ChatMessage.id).filter_by(msg_id=text.msg_id)) is not None:
        return "again", False
    conversation = conversations.opened_by_text(session, text.sender, lane, now)
    conversations.heard(session, conversation, "text", text.text, text.at, now, msg_id=text.msg_id)
    talk = Talk(session, config, words, now, text.sender, conversation)
    asked = rules.short(text.text) if senders.answerable(text.sender) else rules.NOTHING
    if asked.intent in (Intent.STOP, Intent.START):
        return _opted(talk, asked.intent, text.text), False
    fresh = now - text.at <= COMMAND_SECONDS
    taken = bool(conversation.assigned_to) and not asked.sure
    may = talk.may_answer() or answers.gives_up(talk, asked)
    if fresh and not taken and may and answers.answer(talk, asked):
        return "answered", talk.acted
    conversations.handed_over(session, conversation, text.text, now)
    return "passed_on", False


def _passed_on(session: Session, text: Text, lane: str, now: int) -> str:
    conversation = conversations.opened_by_text(session, text.sender, lane, now)
    conversations.heard(session, conversation, "text", text.text, text.at, now, msg_id=text.msg_id)
    conversations.handed_over(session, conversation, text.text, now)
    return "passed_on"


def _opted(talk: Talk, intent: Intent, text: str) -> str:
    """It is so from now on, whether we may say so or not; saying it again is not answered again."""
    if intent is Intent.STOP:
        fresh, told = opting.stop(talk.session, talk.phone, talk.now), answers.stopped
    else:
        fresh, told = opting.start(talk.session, talk.phone, talk.now), answers.started
    if not talk.may_answer():
        conversations.handed_over(talk.session, talk.conversation, text, talk.now)
        return "passed_on"
    if fresh or intent is Intent.START:
        told(talk)
    return "answered"
