"""People to be told of a round: registered, following, tagged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select

from gateway import database, followers, registrations, tables
from gateway.rules import hours

HOUR = 3_600
NOW = int(datetime(2026, 11, 24, 1, 0, tzinfo=UTC).timestamp())  # 08:00 at the station


def register(engine, config, *people, days=1, site="TK1", now=NOW):
    """Register (name, phone) each alone; their ids."""
    day = hours.day_of(now, config.station.zone) + timedelta(days=days)
    made = []
    with database.writing(engine) as session:
        for name, number in people:
            mine = (registrations.Person(name, "new"),)
            asked = registrations.Request(name, number, mine, "đồng ý", site=site, day=day)
            row = registrations.register(session, asked, config, now)
            assert isinstance(row, tables.Registration), row
            made.append(row.id)
    return made


def follower(engine, user_id, phone=None, following=True, seen_at=0, tags=(), name="", now=NOW):
    """Somebody who follows, or did."""
    with database.writing(engine) as session:
        row = followers.known(session, user_id, now)
        row.following, row.following_at, row.seen_at, row.name = following, now, seen_at, name
        if phone:
            followers.bind_phone(session, row, phone, now)
        for tag in tags:
            followers.tag(session, user_id, tag)


def crowd(engine, count, day):
    """So many people in the first shift of a day, more than its slots hold."""
    with database.writing(engine) as session:
        shift = session.scalars(select(tables.Shift).filter_by(day=day).order_by(tables.Shift.id)).first()
        service = session.scalars(select(tables.Service.id)).first()
        about = {
            "shift_id": shift.id,
            "source": "web",
            "consent_text": "",
            "consent_at": NOW,
            "created_at": NOW,
        }
        first = 1_000
        session.execute(
            insert(tables.Registration),
            [
                {
                    "id": first + n,
                    "token": f"t{n}",
                    "contact_name": f"Người {n}",
                    "phone": f"+8490{n:07d}",
                    **about,
                }
                for n in range(count)
            ],
        )
        people = {"shift_id": shift.id, "slot_at": shift.opens_at, "position": 0, "service_id": service}
        session.execute(
            insert(tables.Applicant),
            [{"registration_id": first + n, "name": f"Người {n}", **people} for n in range(count)],
        )


def told_by(engine, kind="round"):
    """The notices of a kind, by phone."""
    with database.reading(engine) as session:
        rows = session.scalars(select(tables.Notice).filter_by(kind=kind).order_by(tables.Notice.phone))
        return rows.all()
