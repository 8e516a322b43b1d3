"""Conversations for the inbox's tests: An (a complaint), Bình (his number), Chi (residence), and as many as wanted."""

from __future__ import annotations

from sqlalchemy import insert

from gateway import database, inbox, tables

HOUR, DAY = 3_600, 86_400
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
TEXTS = ("Cho tôi hỏi giờ làm việc", "Tôi cần mang giấy tờ gì ạ?", "Khi nào tôi lấy được thẻ căn cước?")


def person(session, user_id, name="", seen_at=0, phone=None):
    session.add(
        tables.ZaloUser(
            id=user_id, name=name, seen_at=seen_at, phone=phone, following=True, created_at=seen_at
        )
    )
    session.flush()


def talk(session, user_id, at, texts=("Xin chào",), state="waiting", topic="", **more):
    """A conversation in which the citizen said these things at `at`; its id."""
    made = tables.Conversation(
        user_id=user_id,
        topic=topic,
        state=state,
        unread=len(texts) if state == "waiting" else 0,
        opened_at=at,
        asked_at=at,
        changed_at=at,
        closed_at=at if state == "closed" else None,
        **{"sensitive": topic == "complaint", **more},
    )
    session.add(made)
    session.flush()
    for n, text in enumerate(texts):
        word(session, made, text, at, msg_id=f"z{made.id}-{n}")
    return made.id


def word(session, made, text, at, way="in", **more):
    one = tables.ChatMessage(
        conversation_id=made.id,
        user_id=made.user_id,
        way=way,
        text=text,
        at=at,
        **{"attachments": [], **more},
    )
    session.add(one)
    session.flush()
    return one


def three(engine, now):
    """name → conversation: An complains, Bình asked 47 hours ago, Chi three days ago."""
    with database.writing(engine) as session:
        for user_id, name, seen, phone in (
            ("u-an", "Nguyễn Thị An", now - HOUR, "+84905123456"),
            ("u-binh", "Trần Bình", now - 47 * HOUR, None),
            ("u-chi", "Lê Thị Chi", now - 3 * DAY, "+84905222333"),
        ):
            person(session, user_id, name, seen, phone)
        return {
            "an": talk(session, "u-an", now - HOUR, ["Tôi muốn tố cáo cán bộ nhận tiền"], topic="complaint"),
            "binh": talk(session, "u-binh", now - 47 * HOUR, ["Số của tôi là bao nhiêu?"]),
            "chi": talk(session, "u-chi", now - 3 * DAY, ["Đăng ký thường trú ở đâu?"], topic="residence"),
        }


def many(engine, now, talks=200, words=50):
    """A full inbox: conversations of every state, each with so many messages."""
    states = ("waiting", "answered", "automatic", "closed")
    with database.writing(engine) as session:
        for n in range(talks):
            person(session, f"u{n}", f"Người dân {n}", now - n * HOUR)
            talk(session, f"u{n}", now - n * HOUR, (), states[n % 4], inbox.TOPICS[n % 5])
    with database.writing(engine) as session:
        rows = session.query(tables.Conversation.id, tables.Conversation.user_id).order_by(
            tables.Conversation.id
        )
        said = [
            {
                "conversation_id": talk_id,
                "user_id": user_id,
                "way": "in" if n % 2 else "out",
                "kind": "text",
                "text": f"{TEXTS[n % 3]} ({n})",
                "attachments": [],
                "quoted": "",
                "by": "" if n % 2 else "auto",
                "at": now - DAY + n,
            }
            for talk_id, user_id in rows
            for n in range(words)
        ]
        session.execute(insert(tables.ChatMessage), said)
