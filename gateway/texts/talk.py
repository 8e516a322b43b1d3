"""One text message being answered: from which number, by which lane, in which language, in what room."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from gateway import tables
from gateway.chat import saying
from gateway.rules import hours
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet, segments

Words = Callable[[str, str], str]
HOUR, DAY = 3_600, 86_400
ANSWERS_PER_HOUR, ANSWERS_PER_DAY = 5, 15  # to one phone
ROOM = segments.SINGLE[alphabet.Alphabet.GSM7]
"""What an answer may take: one part, in septets."""


@dataclass
class Talk:
    """`acted`: a queue was changed, so a day is locked until this transaction ends."""

    session: Session
    config: Settings
    words: Words
    now: int
    phone: str
    conversation: tables.Conversation
    acted: bool = False

    @cached_property
    def language(self) -> str:
        """The language of what was last registered with this number; else the station's first."""
        offered = self.config.station.languages
        made = select(tables.Registration.language).filter_by(phone=self.phone)
        found = self.session.scalar(made.order_by(tables.Registration.id.desc()).limit(1))
        if found is None:
            ticket = select(tables.Ticket.language).filter_by(phone=self.phone)
            found = self.session.scalar(ticket.order_by(tables.Ticket.id.desc()).limit(1))
        return found if found in offered else offered[0]

    @property
    def today(self) -> date:
        return hours.day_of(self.now, self.config.station.zone)

    @property
    def station(self) -> str:
        return self.config.station.short_name

    def word(self, text: str, **given: object) -> str:
        """A text of ours in the person's language, filled in, in plain letters."""
        said = self.words(self.language, text)
        return plain(said % given if given else said)

    def named(self, site: tables.Site, most: int) -> str:
        name = (site.name_en if self.language == "en" else "") or site.name
        return clipped(plain(name), most)

    def clock(self, at: int) -> str:
        return hours.clock(at, self.config.station.zone)

    def day(self, at: int) -> str:
        """ "24/11"; the year would cost more than it tells."""
        return f"{hours.day_of(at, self.config.station.zone):%d/%m}"

    @property
    def way(self) -> str | None:
        """The lane by which the program answers; None where it answers nobody."""
        return saying.lane(self.conversation, self.config) if self.config.sms.answers else None

    def may_answer(self) -> bool:
        """Whether the program may still answer by itself: two machines must not talk to each other without end, and
        of what a SIM may send in a day half is for notices."""
        way = self.way
        if way is None:
            return False
        talk, sim = tables.Conversation, self.config.sms.sim(way)
        mine = talk.phone == self.phone
        if self._said(HOUR, mine) >= ANSWERS_PER_HOUR or self._said(DAY, mine) >= ANSWERS_PER_DAY:
            return False
        return sim is None or self._said(DAY, talk.phone.is_not(None), talk.channel == way) * 2 < sim.per_day

    def _said(self, seconds: int, *whom: ColumnElement[bool]) -> int:
        """How often the program has answered in the last seconds."""
        message, talk = tables.ChatMessage, tables.Conversation
        said = (
            select(func.count(message.id))
            .join(talk, talk.id == message.conversation_id)
            .where(message.way == "out", message.by == saying.AUTO, message.at > self.now - seconds, *whom)
        )
        return self.session.scalar(said) or 0

    def say(self, text: str) -> None:
        """Answer as the program, by the lane that heard the question."""
        saying.text(self.session, self.config, self.conversation, text, self.now, saying.AUTO, self.language)


def plain(text: str) -> str:
    return alphabet.unaccent(text)


def size(text: str) -> int:
    """What a plain text takes, in septets; what no plain text holds counts as too much."""
    return len(alphabet.septets(text)) if alphabet.fits_gsm7(text) else ROOM + 1


def clipped(text: str, most: int) -> str:
    """As many whole words as `most` characters hold, at least the beginning of the first."""
    if len(text) <= most:
        return text
    whole = text[: most + 1].rpartition(" ")[0]
    return whole.rstrip(" ,;-") or text[:most]


def fitted(pieces: Sequence[str], room: int = ROOM) -> str:
    """The pieces in their order, each that still fits; the first ones matter most."""
    text = ""
    for piece in filter(None, pieces):
        longer = f"{text} {piece}" if text else piece
        if size(longer) <= room:
            text = longer
    return text
