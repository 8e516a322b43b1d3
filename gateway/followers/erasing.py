"""A person withdraws: what is known of them goes, at once and for good.

Numbers, hours and states stay for the reports; whose they were does not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from gateway import access, notices, registrations, tables
from gateway.notices import people
from gateway.rules import channels
from gateway.rules.settings import Settings

ERASED = ""


def erase(session: Session, user_id: str, config: Settings, now: int) -> bool:
    """Cancel what is still to come and erase the person; False if nothing was known of them.

    Doing it again changes nothing. Who writes again later is somebody new.
    """
    mine = session.scalars(
        select(tables.Registration).filter_by(zalo_user_id=user_id).order_by(tables.Registration.id)
    ).all()
    user = session.get(tables.ZaloUser, user_id, with_for_update=True)
    if user is None and not mine:
        return False
    cancelled = sum(
        registrations.cancel(session, one, None, notices.policy(config), now, "zalo") for one in mine
    )
    phones = {one.phone for one in mine} | {user.phone if user and user.phone else ERASED}
    _erase_registrations(session, [one.id for one in mine])
    _erase_notices(session, user_id, config, now)
    _erase_talk(session, user_id)
    _erase_traces(session, user_id, phones - {ERASED})
    access.audit(session, now, "zalo", "zalo.withdraw", registrations=len(mine), cancelled=cancelled)
    return True


def _erase_registrations(session: Session, ids: Sequence[int]) -> None:
    people = select(tables.Applicant.id).where(tables.Applicant.registration_id.in_(ids))
    _do(session, update(tables.Ticket).where(tables.Ticket.applicant_id.in_(people)).values(phone=None))
    theirs = update(tables.Applicant).where(tables.Applicant.registration_id.in_(ids))
    _do(session, theirs.values(name=ERASED, relation=ERASED, birth_year=None))
    made = update(tables.Registration).where(tables.Registration.id.in_(ids))
    _do(session, made.values(contact_name=ERASED, phone=ERASED, zalo_user_id=None))


def _erase_notices(session: Session, user_id: str, config: Settings, now: int) -> None:
    """What was not said yet is withdrawn; of what was said only that it was stays.

    What is for a phone number that they only shared is somebody's all the same: it goes by phone.
    """
    mine = select(tables.Notice.id).where(tables.Notice.zalo_user_id == user_id)
    for row in session.scalars(
        mine.with_only_columns(tables.Notice).order_by(tables.Notice.id).with_for_update()
    ):
        if row.data.get(people.CLAIMED):
            people.disown(row)
    session.flush()
    for notice_id in session.scalars(mine.where(tables.Notice.final_at.is_(None)).order_by(tables.Notice.id)):
        notices.cancel(session, notice_id, now, notices.policy(config), "withdrawn")
    said = update(tables.Notice).where(tables.Notice.zalo_user_id == user_id)
    _do(session, said.values(phone=ERASED, zalo_user_id=None, data={}))


def _erase_talk(session: Session, user_id: str) -> None:
    gone = (
        delete(tables.ChatMessage).where(tables.ChatMessage.user_id == user_id),
        delete(tables.Conversation).where(tables.Conversation.user_id == user_id),
        delete(tables.ZaloLink).where(tables.ZaloLink.user_id == user_id),
        delete(tables.ZaloTag).where(tables.ZaloTag.user_id == user_id),
        delete(tables.Suppression).where(tables.Suppression.phone == user_id),
        delete(tables.Fact).where(
            or_(
                tables.Fact.name == f"tag:{user_id}",
                tables.Fact.name.startswith(f"tag:{user_id}:", autoescape=True),
            )
        ),
        delete(tables.ZaloUser).where(tables.ZaloUser.id == user_id),
    )
    for change in gone:
        _do(session, change)


def _erase_traces(session: Session, user_id: str, phones: Collection[str]) -> None:
    """The raw events hold their words and phones too; one that is still to be read is read first.

    Who asked for no text messages gets none after this either: that a phone is not to be texted stays.
    """
    marks = [f'"{user_id}"', *(one.removeprefix("+84") for one in phones)]
    raw = update(tables.Receipt).where(
        tables.Receipt.done_at.is_not(None),
        tables.Receipt.body != ERASED,
        or_(*(tables.Receipt.body.contains(one, autoescape=True) for one in marks)),
    )
    _do(session, raw.values(body=ERASED))
    theirs = tables.Registration.phone == tables.Suppression.phone  # somebody else's as well: theirs stays
    spared = delete(tables.Suppression).where(
        tables.Suppression.phone.in_(phones),
        tables.Suppression.channel != channels.TEXTS,
        ~select(tables.Registration.id).where(theirs).exists(),
    )
    _do(session, spared)


def _do(session: Session, change) -> None:
    session.flush()
    session.execute(change.execution_options(synchronize_session=False))
    session.expire_all()
