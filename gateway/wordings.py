"""The words of text messages: what an officer wrote, else what config.toml says, else ours.

A provider of brandname messages sends only what was registered with it, so the words must be a station's own to
change; and as each part is paid for, nothing is kept that would come to more than `MOST_PARTS` for anybody.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import access, tables
from gateway.queue.day import insert_new
from gateway.rules import hours, names, numbers, wording
from gateway.rules.settings import Settings
from gateway.rules.sms import alphabet, segments

KINDS = tuple(wording.TEXT)
LANGUAGES = ("vi", "en")
MOST_PARTS = 3
LONGEST = 600  # characters of a pattern
Words = Callable[[str, str], str]
"""`words(language, text)` translates; the Vietnamese text is the message id."""
Known = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Fault:
    """Why words are not kept."""

    code: str
    vi: str
    en: str


def known(session: Session) -> Known:
    """(kind, language) → the words, where an officer changed them."""
    rows = select(tables.SmsText.kind, tables.SmsText.language, tables.SmsText.text)
    return {(kind, language): text for kind, language, text in session.execute(rows)}


def pattern(known: Known, config: Settings, words: Words, kind: str, language: str) -> str:
    """The words of a kind with their {fields}. Those of config.toml hold for every language."""
    own = known.get((kind, language)) or config.sms.texts.get(kind)
    return own or words(language, wording.of_a_text(kind))


def origin(known: Known, config: Settings, kind: str, language: str) -> str:
    """Whose words they are: "own" (an officer's), "config", or "ours"."""
    if (kind, language) in known:
        return "own"
    return "config" if config.sms.texts.get(kind) else "ours"


def fields(kind: str) -> Sequence[str]:
    """The fields that the words of a kind may name."""
    return wording.fields_of(kind)


def change(
    session: Session, config: Settings, kind: str, language: str, text: str, by: str, now: int
) -> Fault | None:
    """Keep other words for a kind, from now on for what is not handed over yet; or why not."""
    text = clean(text)
    fault = judged(session, config, kind, text)
    if fault is not None:
        return fault
    row = {"text": text, "changed_at": now, "changed_by": by}
    if not insert_new(session, tables.SmsText, kind=kind, language=language, **row):
        kept = session.get_one(tables.SmsText, (kind, language), populate_existing=True)
        kept.text, kept.changed_at, kept.changed_by = text, now, by
    access.audit(session, now, by, "sms_text.change", f"{kind}:{language}", text=text)
    return None


def reset(session: Session, kind: str, language: str, by: str, now: int) -> bool:
    """Back to the words that config.toml or the program has; False where nothing was changed."""
    row = session.get(tables.SmsText, (kind, language))
    if row is None:
        return False
    session.delete(row)
    access.audit(session, now, by, "sms_text.reset", f"{kind}:{language}")
    return True


def changes(session: Session) -> Mapping[tuple[str, str], tables.SmsText]:
    """(kind, language) → who changed it, when, and to what."""
    return {(row.kind, row.language): row for row in session.scalars(select(tables.SmsText))}


def clean(text: str) -> str:
    """Words as they are kept: NFC, on one line, as a text message has them, and nothing that nobody sees."""
    lines = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(char for char in lines if unicodedata.category(char)[0] != "C").strip()


def judged(session: Session, config: Settings, kind: str, text: str) -> Fault | None:
    """What is wrong with words for a kind."""
    if not (alphabet.unaccent(text) if config.sms.unaccented else text).strip():
        return Fault("empty", "Chưa có nội dung.", "There is no text.")
    if len(text) > LONGEST:
        return Fault(
            "long", f"Nội dung dài quá {LONGEST} ký tự.", f"The text has more than {LONGEST} characters."
        )
    return _holes(kind, text) or _heavy(session, config, kind, text)


def _holes(kind: str, text: str) -> Fault | None:
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError:
        return Fault(
            "brace",
            "Có dấu { hoặc } đứng một mình; hãy viết đủ cả cặp, ví dụ {number}.",
            "A { or } stands alone; write both, for example {number}.",
        )
    known = fields(kind)
    strange = [name for _text, name, _spec, _kind in parsed if name is not None and name not in known]
    if strange or any(spec or conversion for _text, _name, spec, conversion in parsed):
        shown, offered = (
            ", ".join(f"{{{name}}}" for name in strange),
            ", ".join(f"{{{one}}}" for one in known),
        )
        return Fault(
            "field",
            f"Không có ô {shown or '{…:…}'}. Chỉ dùng được: {offered}.",
            f"There is no field {shown or '{…:…}'}. Only these can be used: {offered}.",
        )
    return None


def _heavy(session: Session, config: Settings, kind: str, text: str) -> Fault | None:
    parts = segments.count(shown(config, text, longest(session, config, kind))).parts
    if parts <= MOST_PARTS:
        return None
    return Fault(
        "parts",
        f"Với giá trị dài nhất, tin này gồm {parts} phần; nhiều nhất là {MOST_PARTS}. Hãy viết ngắn hơn.",
        f"With the longest values this comes to {parts} parts; {MOST_PARTS} is the most. Please shorten it.",
    )


def shown(config: Settings, text: str, given: Mapping[str, str]) -> str:
    """The words as they would be sent, filled with `given`."""
    return wording.text_message(text, given, config.sms.unaccented)


def example(config: Settings, kind: str, now: int) -> dict[str, str]:
    """What somebody's notice is filled with on an ordinary day."""
    zone = config.station.zone
    given = {
        "full_name": "Nguyễn Thị Hương",
        "number": "042",
        "code": "042",
        "time": "14:30",
        "date": hours.calendar(hours.day_of(now, zone)),
        "place": "Nhà văn hoá phường An Xuân",
        "address": "12 Hùng Vương",
        "counter": wording.counter_name("2", "vi"),
        "minutes": str(config.policy.missed_within // 60),
        "url": _link(config, kind),
    }
    return _with_name(config, given)


def longest(session: Session, config: Settings, kind: str) -> dict[str, str]:
    """The longest that this station itself fills in, and as long a name as people have."""
    sites = select(tables.Site.name, tables.Site.address).where(tables.Site.active.is_(True))
    rows = session.execute(sites).all()
    labels = session.scalars(select(tables.Counter.label).distinct()).all()
    number = numbers.label(numbers.KIOSK_SERIES[0], 999)
    given = {
        "full_name": LONGEST_NAME,
        "number": number,
        "code": number,
        "time": "14:30",
        "date": "24/11/2026",
        "place": _longest([row.name for row in rows]) or "Nhà văn hoá phường An Xuân",
        "address": _longest([row.address for row in rows]) or "12 Hùng Vương, phường An Xuân",
        "counter": _longest([wording.counter_name(label, "en") for label in labels]) or "Counter 10",
        "minutes": "120",
        "url": _link(config, kind),
    }
    return _with_name(config, given)


LONGEST_NAME = "Công Tằng Tôn Nữ Thị Hồng Nghiêng"
"""Of the imperial clan: hardly a name in Vietnam has more initials."""


def _with_name(config: Settings, given: dict[str, str]) -> dict[str, str]:
    return given | {
        "name": names.shown(given["full_name"]),
        "station": config.station.short_name,
        "what": "undelivered",
        "channel": "speedsms",
    }


def _link(config: Settings, kind: str) -> str:
    """A person's own page; a round leads to the station's."""
    return config.web.base_url if kind == "round" else f"{config.web.base_url}/p/{'x' * 22}"


def _longest(texts: Sequence[str]) -> str:
    return max((unicodedata.normalize("NFC", text) for text in texts), key=len, default="")


@dataclass(frozen=True)
class Tally:
    """What a text comes to. `price`: đồng for the whole message, the least and the most over lanes and networks."""

    count: segments.Count
    sent: str
    price_min: int
    price_max: int


def tally(config: Settings, text: str, lanes: Sequence[str] | None = None, accented: bool = False) -> Tally:
    """A finished text counted as it would be sent, by these lanes (all that are configured, if None).

    `accented`: it keeps its accents also where the station's notices have none.
    """
    plain = config.sms.unaccented and not accented
    sent = alphabet.unaccent(text) if plain else unicodedata.normalize("NFC", text)
    used = config.sms.providers if lanes is None else lanes
    bits = max((getattr(config.sms.lane(name), "reference_bits", 8) for name in used), default=8)
    seen = segments.count(sent, reference_bits=bits)
    a_part = [one for row in prices(config, lanes) for one in row.prices.values()] or [0]
    return Tally(seen, sent, seen.parts * min(a_part), seen.parts * max(a_part))


@dataclass(frozen=True)
class LanePrice:
    """What a part costs on a lane, đồng: by network, and under "" for every network that is not named."""

    lane: str
    prices: Mapping[str, int]


def prices(config: Settings, lanes: Sequence[str] | None = None) -> list[LanePrice]:
    """What a part costs, by lane in their order."""
    found = []
    for name in config.sms.providers if lanes is None else lanes:
        own = config.sms.lane(name)
        found.append(
            LanePrice(name, {"": own.price, **{str(key): value for key, value in own.prices.items()}})
        )
    return found
