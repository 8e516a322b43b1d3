"""Finding conversations by words, name or phone; accents and capitals do not matter.

Neither database folds accents by itself: SQLite is taught our own rule, PostgreSQL gets it as a translation
of letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from gateway import database, tables
from gateway.inbox.reading import THREADS, Reader, Thread, listed, visible
from gateway.rules import phone
from gateway.rules.settings import Settings

LONGEST, WORDS = 80, 6
_VOWELS = "aeiouyAEIOUY"
_MARKS = ("", "\u0302", "\u0306", "\u031b")  # none, circumflex, breve, horn
_TONES = ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
_talk, _user, _message = tables.Conversation, tables.ZaloUser, tables.ChatMessage


def folded(text: str) -> str:
    """ "Khiếu nại" → "khieu nai"; the same on both databases."""
    return unicodedata.normalize("NFC", text).translate(str.maketrans(*_letters())).lower()


def find(session: Session, text: str, reader: Reader, config: Settings, now: int) -> list[Thread]:
    """The newest conversations in which all the words stand, or whose citizen has this name or phone."""
    words = folded(text[:LONGEST]).split()[:WORDS]
    if not words:
        return []
    says = _says(session, words)
    said = select(_message.conversation_id).where(says(_message.text))
    named = select(tables.Registration.phone).where(says(tables.Registration.contact_name))
    matches: list[ColumnElement[bool]] = [
        _talk.id.in_(said),
        says(func.coalesce(_user.name, "")),
        and_(_talk.phone.is_not(None), _talk.phone != "", _talk.phone.in_(named)),
        # A sender's name; of a number nobody finds out more than the list shows
        and_(~func.coalesce(_talk.phone, "+").startswith("+"), says(func.coalesce(_talk.phone, ""))),
        *_by_phone(text),
    ]
    wanted = (
        select(_talk, _user)
        .outerjoin(_user, _user.id == _talk.user_id)
        .where(visible(reader), or_(*matches))
        .order_by(_talk.changed_at.desc(), _talk.id.desc())
        .limit(THREADS)
    )
    return listed(session, session.execute(wanted).all(), config, now)


def _by_phone(text: str) -> list[ColumnElement[bool]]:
    """A whole number, or its last three digits, which the list shows anyway: nobody finds out the rest by trying."""
    number = phone.parse(text)
    if isinstance(number, phone.Phone):
        return [_user.phone == number.e164, _talk.phone == number.e164]
    digits = text.strip()
    if not re.fullmatch(r"[0-9]{3}", digits):
        return []
    return [_user.phone.like(f"%{digits}"), _talk.phone.like(f"+84%{digits}")]


def _says(session: Session, words: Sequence[str]) -> Callable[[Any], ColumnElement[bool]]:
    """The condition that all the words stand in a column."""
    if database.on_postgresql(session):
        accented, plain = _letters()
        return lambda column: and_(
            *(
                func.lower(func.translate(column, accented, plain)).contains(word, autoescape=True)
                for word in words
            )
        )
    table = str.maketrans(*_letters())

    def says(text: str) -> bool:
        plain = text.translate(table).lower()
        return all(word in plain for word in words)

    # Rows are NFC already; one call for each instead of one for each word
    connection: Any = session.connection().connection.driver_connection
    connection.create_function("says", 1, says)
    return lambda column: func.says(column) == 1


@cache
def _letters() -> tuple[str, str]:
    """Every accented Vietnamese letter, and the plain one that stands for it."""
    pairs = {"đ": "d", "Đ": "D"}
    for vowel in _VOWELS:
        for mark in _MARKS:
            for tone in _TONES:
                whole = unicodedata.normalize("NFC", vowel + mark + tone)
                if len(whole) == 1 and whole != vowel:
                    pairs[whole] = vowel
    return "".join(pairs), "".join(pairs.values())
