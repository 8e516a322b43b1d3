"""Who a person is to the Official Account, kept from what Zalo tells of them. Events may come late and twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from gateway import notices, tables
from gateway.queue.day import insert_new
from gateway.rules import channels
from gateway.rules import phone as phones

NAME_LENGTH, TAG_LENGTH = 120, 60
NO_NEWS = "khong-nhan-tin"
"""The tag of a person who wants no general news; what concerns their own number they are told all the same."""


def known(session: Session, user_id: str, now: int) -> tables.ZaloUser:
    """The person with this Zalo id, made if they are new; locked until this transaction ends."""
    # Not the key: whoever answers them meanwhile writes messages that name this row, and need not wait
    wanted = select(tables.ZaloUser).filter_by(id=user_id).with_for_update(key_share=True)
    found = session.scalar(wanted.execution_options(populate_existing=True))
    if found is None:
        insert_new(
            session,
            tables.ZaloUser,
            id=user_id,
            by_app="",
            name="",
            following=False,
            following_at=0,
            seen_at=0,
            language="",
            read_at=0,
            created_at=now,
        )
        found = session.scalars(wanted).one()
    return found


def interacted(row: tables.ZaloUser, at: int) -> None:
    """They spoke to us at `at`; an older word changes nothing."""
    row.seen_at = max(row.seen_at, at)


def follow(session: Session, row: tables.ZaloUser, at: int, now: int) -> bool:
    """They follow the page since `at`, and want to be written to again. False if a newer event said otherwise."""
    if at < row.following_at:
        return False
    fresh = not row.following
    row.following, row.following_at = True, at
    interacted(row, at)
    untag(session, row.id, NO_NEWS)
    for person in filter(None, (row.id, row.phone)):
        for channel in channels.ZALO:
            notices.lift(session, channel, person, "zalo", now)
    return fresh


def unfollow(_session: Session, row: tables.ZaloUser, at: int) -> bool:
    """They left the page at `at`. False if a newer event said otherwise."""
    if at < row.following_at:
        return False
    row.following, row.following_at = False, at
    return True


def bind_phone(_session: Session, row: tables.ZaloUser, phone_text: object, at: int) -> str | None:
    """Keep the number that they shared themselves, E.164; None if it is no mobile number, or older than the known.

    Good for addressing notices. It is typed by them and proves nothing.
    """
    found = phones.parse(str(phone_text).strip())
    if isinstance(found, phones.PhoneFault) or found.kind is not phones.Kind.MOBILE:
        return None
    if row.phone_at is not None and at < row.phone_at:
        return None
    row.phone, row.phone_at = found.e164, at
    return found.e164


def named(row: tables.ZaloUser, name: object) -> None:
    """Keep a name that Zalo or they themselves gave; control characters out, nothing for nothing."""
    if not isinstance(name, str):
        return
    clean = "".join(
        char for char in unicodedata.normalize("NFC", name) if unicodedata.category(char)[0] != "C"
    )
    clean = " ".join(clean.split())[:NAME_LENGTH]
    if clean:
        row.name = clean


def tags(session: Session, user_id: str) -> Sequence[str]:
    """The words on a person, in order."""
    wanted = select(tables.ZaloTag.tag).filter_by(user_id=user_id)
    return session.scalars(wanted.order_by(tables.ZaloTag.tag)).all()


def tag(session: Session, user_id: str, word: str) -> bool:
    """Put a word on a person; False if it was there, or is none."""
    clean = " ".join(unicodedata.normalize("NFC", word).split())[:TAG_LENGTH]
    return bool(clean) and insert_new(session, tables.ZaloTag, user_id=user_id, tag=clean)


def untag(session: Session, user_id: str, word: str) -> bool:
    """Take a word off a person; False if it was not there."""
    clean = " ".join(unicodedata.normalize("NFC", word).split())[:TAG_LENGTH]
    gone = delete(tables.ZaloTag).filter_by(user_id=user_id, tag=clean).returning(tables.ZaloTag.tag)
    return session.execute(gone).first() is not None
