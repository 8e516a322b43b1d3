"""A registration that was begun in the chat: through the link, once, and confirmed where it began."""

from __future__ import annotations

from sqlalchemy.orm import Session

from gateway import tables
from gateway.chat import answers, links
from gateway.chat.talk import Talk, Words
from gateway.rules.settings import Settings


def registered(
    session: Session,
    config: Settings,
    words: Words,
    link: tables.ZaloLink,
    made: tables.Registration,
    now: int,
) -> bool:
    """Use the link (from `links.held`) up for this registration and say so in the chat. False if it was used."""
    if not links.spend(session, link, made, now):
        return False
    user = session.get_one(tables.ZaloUser, link.user_id)
    answers.confirmed(Talk(session, config, words, now, user), made)
    return True
