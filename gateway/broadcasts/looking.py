"""What a round would be, before anything is: how many, by which way, in which words, at what cost."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from functools import lru_cache

from sqlalchemy.orm import Session

from gateway import lanes, notices, quotas, tables, templates, wordings
from gateway.broadcasts import audience as audiences
from gateway.broadcasts.audience import Gathered, Person
from gateway.notices import suppressing
from gateway.rules import channels, hours, windows, wording
from gateway.rules.settings import Settings
from gateway.rules.sms import segments

KIND = "round"
WORTH_UNTIL = time(17, 0)  # of the day itself: offices close then
NOBODY = ""
Words = Callable[[str, str], str]
"""`words(language, text)` translates; the Vietnamese text is the message id."""


@dataclass(frozen=True)
class Way:
    """A channel, or NOBODY for people whom no channel reaches: `people` are told by it first.

    `cost` in đồng if it reaches them; `left`: what its day still holds beside what is planned already, None
    where nobody knows; `minutes`: how long it takes at the channel's rate, 0 where there is none.
    """

    channel: str
    people: int
    cost: int
    left: int | None = None
    minutes: int = 0

    @property
    def fits(self) -> bool:
        return self.left is None or self.people <= self.left


@dataclass(frozen=True)
class Sample:
    """The words in a language: as chat says it, as SMS says it, and in how many parts."""

    language: str
    text: str
    sms: str
    parts: int
    characters: int


@dataclass(frozen=True)
class Preview:
    """`expected`: everybody is reached at the first try; `worst`: nobody before the last. `starts` and
    `deadline` in seconds; `quiet`: the wish lies in the night. `mark` stands for exactly this audience and text."""

    gathered: Gathered
    ways: tuple[Way, ...]
    expected: int
    worst: int
    starts: int
    deadline: int
    quiet: bool
    samples: tuple[Sample, ...]
    template: Mapping[str, str]
    mark: str

    @property
    def people(self) -> int:
        return len(self.gathered.people)

    @property
    def late(self) -> bool:
        """Nothing can arrive in time any more."""
        return self.starts >= self.deadline


def preview(session: Session, row: tables.Broadcast, config: Settings, words: Words, now: int) -> Preview:
    """The round as it would be sent now."""
    gathered = audiences.gather(session, audiences.kept(row.audience), config, now)
    due = max(now, row.due or now)
    starts = _after_night(due, config)
    terms = _Terms(session, row, config, words, starts, gathered.people)
    first, expected, worst = terms.counted(gathered.people)
    ways = tuple(
        _way(session, name, first[name], config, now, starts) for name in terms.order if first[name].people
    )
    return Preview(
        gathered,
        ways,
        expected,
        worst,
        starts,
        deadline(row, config, due),
        starts > due,
        terms.samples(),
        terms.template,
        mark(row, gathered),
    )


def told(row: tables.Broadcast, name: str = "") -> dict[str, str]:
    """A notice's data."""
    place = ", ".join(part for part in (row.place, row.address) if part)  # who is told to come must find it
    given = {"place": place, "address": row.address, "url": row.url, "name": name}
    given["date"] = hours.calendar(row.day) if row.day else ""
    return {key: value for key, value in given.items() if value}


def deadline(row: tables.Broadcast, config: Settings, due: int) -> int:
    """Until when it is worth saying: the afternoon of the day that it is about."""
    if row.day is None:
        return due + config.notices.deadlines.other
    return hours.at(row.day, WORTH_UNTIL, config.station.zone)


def mark(row: tables.Broadcast, gathered: Gathered) -> str:
    """The same for the same people and the same words, and for nothing else."""
    text = [row.title, row.place, row.address, str(row.day), row.url, row.due]
    people = [(one.phone, one.user_id) for one in gathered.people]
    return hashlib.sha256(json.dumps([text, people]).encode()).hexdigest()[:32]


def _after_night(due: int, config: Settings) -> int:
    table = config.timetable
    return hours.quiet_until(due, table.quiet_from, table.quiet_until, config.station.zone) or due


@dataclass
class _Sum:
    people: int = 0
    cost: int = 0
    parts: int = 0


class _Terms:
    """What can be said to whom by which channel, and for how much."""

    def __init__(
        self,
        session: Session,
        row: tables.Broadcast,
        config: Settings,
        words: Words,
        at: int,
        people: Sequence[Person],
    ):
        self._row, self._config, self._words, self._at = row, config, words, at
        self._known = templates.known(session, config)
        self._wordings = wordings.known(session)
        self._rungs = tuple(name for name in channels.ladder(config) if self._able(name))
        self._spared = {name: _spared(session, name, people, at) for name in self._rungs}
        ways = lanes.ways(session, config)
        self._prices = {name: self._price(name, ways[name].price) for name in self._rungs}
        self.order = (*self._rungs, NOBODY)
        self._parts = lru_cache(maxsize=4_096)(self._parts_of)

    def _able(self, channel: str) -> bool:
        """Whether a channel has words for this: Zalo's need a template that wants nothing we do not say."""
        if channel not in (channels.BY_USER_ID, channels.BY_PHONE):
            return True
        if KIND not in self._config.zalo.templates or not self._known.usable(KIND):
            return False
        return all(self.template.values()) and not self._known.faults(KIND, self.template)

    def _price(self, channel: str, configured: int) -> int:
        said = self._known.price(KIND, channel)
        return configured if said is None else said

    @property
    def template(self) -> Mapping[str, str]:
        """The template's parameters for somebody of this name."""
        own = self._config.zalo.templates.get(KIND)
        given = self._given("vi", "Nguyễn Thị An")
        return {name: wording.filled(text, given) for name, text in own.params.items()} if own else {}

    def _given(self, _language: str, name: str) -> dict[str, str]:
        given = wording.fields(told(self._row, name), self._config.station.zone)
        given["station"] = self._config.station.short_name
        given.setdefault("url", self._config.web.base_url)
        return given

    def _text(self, language: str, name: str) -> str:
        return wording.filled(self._words(language, wording.TEXT[KIND]), self._given(language, name))

    def _sms(self, language: str, name: str) -> str:
        given = self._given(language, name)
        return wording.text_message(self._pattern(language), given, self._config.sms.unaccented)

    def _pattern(self, language: str) -> str:
        return wordings.pattern(self._wordings, self._config, self._words, KIND, language)

    def _parts_of(self, language: str, name: str) -> int:
        return len(segments.split(self._sms(language, name)).parts)

    def counted(self, people: Sequence[Person]) -> tuple[dict[str, _Sum], int, int]:
        """First channel → how many and for how much; then the cost that is expected, and the most it can be."""
        first: dict[str, _Sum] = {name: _Sum() for name in self.order}
        worst = 0
        named = {
            language: bool({"name", "full_name"} & wording.named(self._pattern(language)))
            for language in self._config.station.languages
        }
        for one in people:
            parts = self._parts(one.language, one.name if named.get(one.language, True) else "")
            costs = {name: self._cost(name, parts) for name in self._fitting(one)}
            begin = next(iter(costs), NOBODY)
            first[begin].people += 1
            first[begin].cost += costs.get(begin, 0)
            first[begin].parts += 1 if begin in channels.ZALO else parts
            worst += sum(costs.values())
        return first, sum(one.cost for one in first.values()), worst

    def _cost(self, channel: str, parts: int) -> int:
        return self._prices[channel] * (1 if channel in channels.ZALO else parts)

    def _fitting(self, one: Person) -> list[str]:
        """The rungs on which this person can be told, in order."""
        zalo = self._config.zalo
        window = windows.window(one.seen_at, self._at, zalo.free_hours, zalo.window_days)
        found = []
        for name in self._rungs:
            whom = one.user_id if name in channels.TO_A_USER else one.phone
            shut = name == channels.BY_CHAT and window.state != "free"
            if whom and not shut and whom not in self._spared[name]:
                found.append(name)
        return found

    def samples(self) -> tuple[Sample, ...]:
        """The words in each language of the station."""
        made = []
        for language in self._config.station.languages:
            sms = self._sms(language, "Nguyễn Thị An")
            text = self._text(language, "Nguyễn Thị An")
            made.append(Sample(language, text, sms, len(segments.split(sms).parts), len(sms)))
        return tuple(made)


def _spared(session: Session, channel: str, people: Sequence[Person], at: int) -> Mapping[str, str]:
    ids = [one.user_id if channel in channels.TO_A_USER else one.phone for one in people]
    known = sorted({one for one in ids if one})
    found: dict[str, str] = {}
    for start in range(0, len(known), 1_000):
        found |= suppressing.suppressed(session, channel, known[start : start + 1_000], at)
    return found


def _way(session: Session, channel: str, sums: _Sum, config: Settings, now: int, starts: int) -> Way:
    if channel == NOBODY:
        return Way(NOBODY, sums.people, 0)
    rate = (
        config.sms.modem.per_minute if channel == "modem" else lanes.ways(session, config)[channel].per_minute
    )
    minutes = -(-sums.parts // rate) if rate else 0
    return Way(channel, sums.people, sums.cost, _left(session, channel, config, now, starts), minutes)


def _left(session: Session, channel: str, config: Settings, now: int, starts: int) -> int | None:
    """What the day on which it starts still holds, less what is to go by then."""
    same_day = hours.day_of(starts, config.station.zone) == hours.day_of(now, config.station.zone)
    if channel == "modem":
        used = notices.parts_since(session, "modem", _midnight(now, config)) if same_day else 0
        return max(0, config.sms.modem.per_day - used)
    if channel not in quotas.COUNTED:
        return None
    left = quotas.left(session, channel, now if same_day else starts)
    needed = quotas.needed_tonight(session, config, now, channel) if same_day else 0
    return None if left is None else max(0, left - needed)


def _midnight(now: int, config: Settings) -> int:
    return hours.at(hours.day_of(now, config.station.zone), time(), config.station.zone)
