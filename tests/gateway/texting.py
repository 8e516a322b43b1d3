"""A citizen with a phone: what they text is stored as a lane stores it and worked off; what comes back is here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import select

from gateway import database, notices, tables, texts
from tests.gateway.chatting import words

AN, BINH, CHI = "+84905123456", "+84912345678", "+84987654321"
LANE = "modem"


@dataclass
class Phones:
    """Whoever texts the station at a moment `now[0]`."""

    engine: Any
    config: Any
    now: list[int]
    words: Any = words
    _next: Any = field(default_factory=lambda: count(1))

    def store(self, sender: str, text: str, at: int | None = None, lane: str = LANE) -> None:
        body = {"sender": sender, "text": text, "at": self.now[0] if at is None else at}
        self.raw(json.dumps(body, ensure_ascii=False), lane)

    def raw(self, body: str, lane: str = LANE) -> None:
        receipt = {"channel": texts.CHANNEL, "key": f"text:{next(self._next)}", "event": lane, "body": body}
        with database.writing(self.engine) as session:
            notices.store_receipt(session, receipt, self.now[0])

    def work(self, most: int = 50) -> int:
        """Work off everything that is due; how many texts."""
        done = 0
        while True:
            with database.writing(self.engine) as session:
                some = texts.take_in(session, self.config, self.words, self.now[0], most)
            if not some:
                return done
            done += some

    def text(self, text: str, sender: str = AN, at: int | None = None, lane: str = LANE) -> list[str]:
        """Send a text; what comes back."""
        before = len(self.answers(sender))
        self.now[0] += 1
        self.store(sender, text, at, lane)
        self.work()
        return [one.text for one in self.answers(sender)[before:]]

    def answers(self, sender: str = AN) -> list[tables.ChatMessage]:
        """Everything that was said to a phone."""
        talk = tables.Conversation
        mine = select(tables.ChatMessage).join(talk, talk.id == tables.ChatMessage.conversation_id)
        return self.all(
            mine.where(talk.phone == sender, tables.ChatMessage.way == "out").order_by(tables.ChatMessage.id)
        )

    def all(self, wanted: Any) -> list[Any]:
        with database.reading(self.engine) as session:
            return list(session.scalars(wanted))

    def rows(self, table: Any) -> list[Any]:
        return self.all(select(table).order_by(*table.__table__.primary_key.columns))

    def outcomes(self) -> list[str]:
        return [one.outcome for one in self.rows(tables.Receipt)]

    def conversation(self, sender: str = AN) -> tables.Conversation:
        """Their newest conversation."""
        mine = select(tables.Conversation).filter_by(phone=sender)
        return self.all(mine.order_by(tables.Conversation.id.desc()))[0]

    def notice(self, answer: tables.ChatMessage) -> tables.Notice:
        with database.reading(self.engine) as session:
            return session.get_one(tables.Notice, answer.notice_id)

    def is_stopped(self, sender: str = AN) -> bool:
        with database.reading(self.engine) as session:
            return texts.stopped(session, sender, self.now[0])
