"""Personal data is erased when its time is over, and nothing else is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import select

from gateway import database, example, registrations, retention, tables

DAY = 86_400


def registered(engine, config, eight):
    with database.writing(engine) as session:
        example.load(session, config, eight)
        shift = session.scalars(select(tables.Shift.id).order_by(tables.Shift.id)).first()
        person = registrations.Person("Nguyễn Thị Hương Giang", "new", "mẹ", 1950)
        asked = registrations.Request("Trần Quốc Toản", "+84905123456", (person,), "đồng ý", shift_id=shift)
        registrations.register(session, asked, config, eight)
        for notice in session.scalars(select(tables.Notice)):
            notice.state, notice.final_at = "delivered", eight


def test_names_and_phones_are_erased_after_their_days_and_counts_stay(engine, config, eight):
    registered(engine, config, eight)
    late = eight + (config.retention.days + 2) * DAY
    with database.writing(engine) as session:
        erased = retention.purge(session, config, late)
    assert (erased.registrations, erased.applicants, erased.tickets, erased.notices) == (1, 1, 1, 1)
    with database.writing(engine) as session:
        assert not any(vars(retention.purge(session, config, late)).values())
        ticket = session.scalars(select(tables.Ticket)).one()
        person = session.scalars(select(tables.Applicant)).one()
        assert (ticket.number, ticket.phone, person.name, person.birth_year) == ("001", None, "", None)


def test_nothing_is_erased_before_its_time(engine, config, eight):
    registered(engine, config, eight)
    with database.writing(engine) as session:
        erased = retention.purge(session, config, eight + config.retention.days * DAY)
    assert (erased.registrations, erased.applicants, erased.tickets, erased.notices) == (0, 0, 0, 0)


def test_what_is_erased_is_not_left_in_the_file(sqlite, config, eight):
    registered(sqlite, config, eight)
    with database.writing(sqlite) as session:
        retention.purge(session, config, eight + (config.retention.days + 2) * DAY)
    sqlite.dispose()
    file = sqlite.url.database
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    left = Path(file).read_bytes()
    assert "Hương Giang".encode() not in left
    assert b"905123456" not in left


def said(engine, eight):
    """Chi, who left the page long ago, and An, who follows it, each with a word of theirs."""
    with database.writing(engine) as session:
        for user_id, follows in (("chi", False), ("an", True)):
            session.add(
                tables.ZaloUser(id=user_id, name="Lê Bảo Châu", phone="+84905123458", following=follows,
                                seen_at=eight, created_at=eight)
            )  # fmt: skip
            session.flush()
            talk = tables.Conversation(user_id=user_id, opened_at=eight, changed_at=eight)
            session.add(talk)
            session.add(tables.ZaloTag(user_id=user_id, tag="phường 1"))
            session.flush()
            words = {"way": "in", "text": "Nhà tôi ở ngõ Mai Hương", "attachments": [{"kind": "image"}]}
            session.add(tables.ChatMessage(conversation_id=talk.id, user_id=user_id, at=eight, **words))
        answer = {"kind": "chat", "data": {"text": "Chào bà"}, "state": "sent", "final_at": eight}
        times = {"due": eight, "deadline": eight, "created_at": eight, "changed_at": eight}
        session.add(tables.Notice(id="n1", key="chat:1", phone="", zalo_user_id="chi", **answer, **times))


def test_what_was_said_in_chats_goes_in_its_time_and_who_left_the_page_with_it(engine, config, eight):
    said(engine, eight)
    with database.writing(engine) as session:
        early = retention.purge(session, config, eight + config.retention.days * DAY)
    assert (early.messages, early.users, early.notices) == (0, 0, 0)
    late = eight + (config.retention.days + 2) * DAY
    with database.writing(engine) as session:
        erased = retention.purge(session, config, late)
    assert (erased.messages, erased.users, erased.notices) == (2, 1, 1)
    with database.writing(engine) as session:
        assert not any(vars(retention.purge(session, config, late)).values())
        assert {one.text for one in session.scalars(select(tables.ChatMessage))} == {""}
        names = dict(session.execute(select(tables.ZaloUser.id, tables.ZaloUser.name)).all())
        assert names == {"chi": "", "an": "Lê Bảo Châu"}
        assert session.scalars(select(tables.ZaloTag.user_id)).all() == ["an"]
        notice = session.get_one(tables.Notice, "n1")
        assert (notice.data, notice.zalo_user_id) == ({}, None)
