"""A person withdraws: what is known of them goes, at once and for good.

Numbers, hours and states stay for the reports; whose they were does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from gateway import access, notices, registrations, tables
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
    _erase_registrations(session, [one.id for one in mine])
    _erase_notices(session, user_id, config, now)
    _erase_talk(session, user_id)
    # The raw events hold their words too; one that is still to be read is read first
    _do(
        session,
        update(tables.Receipt)
        .where(
            tables.Receipt.channel.in_(("oa", "zalo")),
            tables.Receipt.done_at.is_not(None),
            tables.Receipt.body.contains(f'"{user_id}"', autoescape=True),
        )
        .values(body=ERASED),
    )
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
    """What was not said yet is withdrawn; of what was said only that it was stays."""
    mine = select(tables.Notice.id).where(tables.Notice.zalo_user_id == user_id)
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


def _do(session: Session, change) -> None:
    session.flush()
    session.execute(change.execution_options(synchronize_session=False))
    session.expire_all()
