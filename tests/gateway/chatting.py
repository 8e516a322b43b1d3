"""A citizen in a chat: what they send is stored as the webhook stores it and worked off; what they read is here."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sqlalchemy import select

from gateway import chat, database, notices, tables
from gateway.web import language

AN, BINH, CHI = "1001", "1002", "1003"


def words(tongue: str, text: str) -> str:
    return language.catalogue(tongue).gettext(text)


@dataclass
class Page:
    """The Official Account at a moment `now[0]`."""

    engine: Any
    config: Any
    now: list[int]
    _next: Any = field(default_factory=lambda: count(1))

    def store(self, name: str, at: int | None = None, **about: Any) -> None:
        """An event as Zalo sends it."""
        moment = (self.now[0] if at is None else at) * 1_000
        body = {"app_id": "1234567890", "event_name": name, "timestamp": str(moment), **about}
        self.raw(json.dumps(body, ensure_ascii=False), name)

    def raw(self, body: str, name: str = "") -> None:
        receipt = {"channel": "oa", "key": f"zalo:{name}:{next(self._next)}", "event": name, "body": body}
        with database.writing(self.engine) as session:
            notices.store_receipt(session, receipt, self.now[0])

    def work(self, most: int = 50) -> int:
        """Work off everything that is due; how many events."""
        done = 0
        while True:
            with database.writing(self.engine) as session:
                some = chat.take_in(session, self.config, words, self.now[0], most)
            if not some:
                return done
            done += some

    def follow(self, who: str = AN, **about: Any) -> list[tables.ChatMessage]:
        return self._heard(who, "follow", follower={"id": who}, **about)

    def text(self, text: str, who: str = AN, **about: Any) -> list[tables.ChatMessage]:
        """Send a text; what the page says to it."""
        return self.send("text", who, text=text, **about)

    def send(
        self, kind: str, who: str = AN, msg_id: str | None = None, at: int | None = None, **message: Any
    ):
        given = {"msg_id": msg_id or f"m{next(self._next)}", **message}
        about = {"sender": {"id": who}, "recipient": {"id": "99"}, "message": given}
        return self._heard(who, f"user_send_{kind}", at=at, **about)

    def share(self, number: Any, who: str = AN, name: str = "Nguyễn Thị An") -> list[tables.ChatMessage]:
        info = {"name": name, "phone": number, "address": "12 Hùng Vương"}
        return self._heard(who, "user_submit_info", sender={"id": who}, info=info)

    def tap(self, answer: tables.ChatMessage, title: str, who: str = AN) -> list[tables.ChatMessage]:
        """Tap the button of an answer whose title begins so."""
        button = next(one for one in self.buttons(answer) if one["title"].startswith(title))
        assert button["type"].startswith("oa.query."), button
        return self.text(button["payload"], who)

    def buttons(self, answer: tables.ChatMessage) -> list[dict[str, Any]]:
        return self.notice(answer).data["buttons"]

    def notice(self, answer: tables.ChatMessage) -> tables.Notice:
        with database.reading(self.engine) as session:
            return session.get_one(tables.Notice, answer.notice_id)

    def said(self, who: str = AN) -> list[tables.ChatMessage]:
        """Everything that the page said to a person."""
        mine = select(tables.ChatMessage).filter_by(user_id=who, way="out").order_by(tables.ChatMessage.id)
        return self.all(mine)

    def all(self, wanted: Any) -> list[Any]:
        with database.reading(self.engine) as session:
            return list(session.scalars(wanted))

    def rows(self, table: Any) -> list[Any]:
        return self.all(select(table).order_by(*table.__table__.primary_key.columns))

    def outcomes(self) -> list[str]:
        return [one.outcome for one in self.rows(tables.Receipt)]

    def conversation(self, who: str = AN) -> tables.Conversation:
        """Their newest conversation."""
        mine = select(tables.Conversation).filter_by(user_id=who)
        return self.all(mine.order_by(tables.Conversation.id.desc()))[0]

    def user(self, who: str = AN) -> tables.ZaloUser | None:
        with database.reading(self.engine) as session:
            return session.get(tables.ZaloUser, who)

    def _heard(self, who: str, name: str, at: int | None = None, **about: Any) -> list[tables.ChatMessage]:
        before = len(self.said(who))
        self.store(name, at, **about)
        self.work()
        return self.said(who)[before:]
