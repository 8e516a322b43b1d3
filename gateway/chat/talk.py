"""One event being answered: who is talking, in which conversation and language, and at what hour."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from babel.dates import format_date
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.chat import conversations, saying
from gateway.rules import hours
from gateway.rules.settings import Settings

Words = Callable[[str, str], str]
ANSWERS_PER_HOUR = 20


@dataclass
class Talk:
    """`acted`: a queue was changed, so a day is locked until this transaction ends."""

    session: Session
    config: Settings
    words: Words
    now: int
    user: tables.ZaloUser
    acted: bool = False

    @property
    def language(self) -> str:
        offered = self.config.station.languages
        return self.user.language if self.user.language in offered else offered[0]

    @property
    def today(self) -> date:
        return hours.day_of(self.now, self.config.station.zone)

    @property
    def station(self) -> str:
        own = self.config.station
        return own.name_en if self.language == "en" else own.name

    @property
    def conversation(self) -> tables.Conversation:
        return conversations.opened(self.session, self.user.id, self.now)

    def word(self, text: str, **given: object) -> str:
        """A text of ours in the person's language, filled in."""
        said = self.words(self.language, text)
        return said % given if given else said

    def named(self, row: tables.Site | tables.Service) -> str:
        return (row.name_en if self.language == "en" else "") or row.name

    def day(self, value: date) -> str:
        """ "Thứ Ba, 24/11/2026", "Tuesday 24/11/2026"."""
        pattern = "EEEE dd/MM/yyyy" if self.language == "en" else "EEEE, dd/MM/yyyy"
        return format_date(value, pattern, locale=self.language)

    def hour(self, at: int) -> str:
        """ "07:30 Thứ Ba, 24/11/2026"."""
        zone = self.config.station.zone
        return f"{hours.clock(at, zone)} {self.day(hours.day_of(at, zone))}"

    def clock(self, at: int) -> str:
        return hours.clock(at, self.config.station.zone)

    def may_answer(self) -> bool:
        """Whether the program may still answer by itself: not if it is off, and not without end."""
        if not self.config.zalo.answers:
            return False
        said = select(func.count()).where(
            tables.ChatMessage.user_id == self.user.id,
            tables.ChatMessage.way == "out",
            tables.ChatMessage.by == saying.AUTO,
            tables.ChatMessage.at > self.now - 3_600,
        )
        return (self.session.scalar(said) or 0) < ANSWERS_PER_HOUR

    def say(
        self,
        text: str,
        buttons: Sequence[Mapping[str, Any]] = (),
        attachment: Mapping[str, Any] | None = None,
    ) -> None:
        """Answer as the program."""
        about = (self.session, self.config, self.user.id, text, self.now, saying.AUTO)
        saying.say(*about, buttons, attachment, self.conversation)


def asks(title: str, command: str, shown: bool = True) -> dict[str, Any]:
    """A button that says `command` to us; `shown`: the person sees it in the chat."""
    return {"title": title, "type": "oa.query.show" if shown else "oa.query.hide", "payload": command}


def opens(title: str, url: str) -> dict[str, Any]:
    """A button that opens a page."""
    return {"title": title, "type": "oa.open.url", "payload": {"url": url}}
