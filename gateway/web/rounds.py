"""The form of a round: what was typed, and what is wrong with it, beside the field. Nothing is stored here."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from gateway import broadcasts, tables
from gateway.rules import hours
from gateway.rules.settings import Settings

Mistakes = dict[str, str]
LONGEST = {"title": 120, "place": 120, "address": 200, "url": 500}
TEXTS = (*LONGEST, "day", "since", "until", "when", "when_day", "when_at")
LISTS = ("sites", "states", "tags")
MOST_DAYS = 366  # ahead, and between the first and the last day of an audience
MOST_CHOSEN = 200
SOON = 2  # a round is told today or tomorrow


@dataclass(frozen=True)
class Typed:
    """A form as it was typed, to be shown again."""

    texts: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.texts.get(name, "")

    def has(self, name: str, value: str) -> bool:
        """Whether a box is ticked."""
        return value in self.lists.get(name, ())


@dataclass(frozen=True)
class Known:
    """The sites' codes and the tags that may be chosen."""

    sites: Collection[str]
    tags: Collection[str]


def blank() -> Typed:
    """What a new form begins with: people who have not been served."""
    return Typed({"when": "now"}, {"states": ("registered", "numbered", "no_show")})


def typed(form: MultiDict[str, str]) -> Typed:
    """From a request; far too long texts are cut where they are certainly too long."""
    return Typed(
        {name: form.get(name, "")[:1_000] for name in TEXTS},
        {name: tuple(one[:60] for one in form.getlist(name)[:MOST_CHOSEN]) for name in LISTS},
    )


def filled(row: tables.Broadcast, zone: ZoneInfo) -> Typed:
    """A draft as it was typed."""
    kept = broadcasts.kept(row.audience)
    texts = {"title": row.title, "place": row.place, "address": row.address, "url": row.url}
    texts |= {"day": _iso(row.day), "since": _iso(kept.since), "until": _iso(kept.until)}
    texts["when"] = "now" if row.due is None else "at"
    if row.due is not None:
        texts |= {"when_day": hours.day_of(row.due, zone).isoformat(), "when_at": hours.clock(row.due, zone)}
    return Typed(texts, {"sites": kept.sites, "states": kept.states, "tags": kept.tags})


def _iso(day: date | None) -> str:
    return day.isoformat() if day else ""


def read(asked: Typed, known: Known, config: Settings, now: int) -> broadcasts.Draft | Mistakes:
    """The round that was asked for, or every mistake at once."""
    mistakes: Mistakes = {}
    title, place, address, url = (_line(asked, name, mistakes) for name in LONGEST)
    for name, text in (("title", title), ("place", place)):
        if not text and name not in mistakes:
            mistakes[name] = _("Không được để trống.")
    _check_link(url, mistakes)
    today = hours.day_of(now, config.station.zone)
    day = _ahead(asked, today, mistakes)
    audience = _audience(asked, known, mistakes)
    due = _due(asked, today, config, now, mistakes)
    if mistakes or day is None or audience is None:
        return mistakes
    draft = broadcasts.Draft(title, place, address, day, url, audience, due)
    if _too_late(draft, config, now):
        return {"when": _("Giờ gửi phải trước 17:00 của ngày được báo.")}
    return draft


def _line(asked: Typed, name: str, mistakes: Mistakes) -> str:
    """One line of text. What cannot be seen is refused: it would go out in a message."""
    text = asked[name]
    if any(unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs", "Cn") for char in text):
        mistakes[name] = _("Có ký tự điều khiển không hợp lệ. Vui lòng gõ lại.")
        return ""
    clean = " ".join(unicodedata.normalize("NFC", text).split())
    if len(clean) > LONGEST[name]:
        mistakes[name] = _("Dài quá %(most)d ký tự.", most=LONGEST[name])
    return clean


def _check_link(url: str, mistakes: Mistakes) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in url
    except ValueError:
        good = False
    if not good:
        mistakes.setdefault("url", _("Đường dẫn phải bắt đầu bằng https:// và có tên miền."))


def _date(asked: Typed, name: str, mistakes: Mistakes) -> date | None:
    try:
        return date.fromisoformat(asked[name])
    except ValueError:
        mistakes[name] = _("Vui lòng chọn ngày.") if not asked[name] else _("Ngày không hợp lệ.")
        return None


def _ahead(asked: Typed, today: date, mistakes: Mistakes) -> date | None:
    day = _date(asked, "day", mistakes)
    if day is not None and day < today:
        mistakes["day"] = _("Ngày này đã qua.")
    elif day is not None and day > today + timedelta(days=MOST_DAYS):
        mistakes["day"] = _("Ngày này quá xa.")
    return day


def _audience(asked: Typed, known: Known, mistakes: Mistakes) -> broadcasts.Audience | None:
    sites, states, tags = (asked.lists.get(name, ()) for name in LISTS)
    if any(one not in known.sites for one in sites) or any(one not in broadcasts.STATES for one in states):
        mistakes["sites"] = _("Có lựa chọn không còn nữa. Vui lòng chọn lại.")
    if any(one not in known.tags for one in tags):
        mistakes["tags"] = _("Có nhãn không còn nữa. Vui lòng chọn lại.")
    if not sites and not tags:
        mistakes.setdefault("sites", _("Hãy chọn ít nhất một điểm làm thủ tục hoặc một nhãn."))
    if not sites:
        return broadcasts.Audience(tags=tags)
    if not states:
        mistakes["states"] = _("Hãy chọn ít nhất một tình trạng.")
    since, until = _date(asked, "since", mistakes), _date(asked, "until", mistakes)
    if since and until and not timedelta(0) <= until - since <= timedelta(days=MOST_DAYS):
        mistakes["until"] = _("Ngày cuối phải sau ngày đầu và trong vòng một năm.")
    return broadcasts.Audience(sites, since, until, states, tags)


def _due(asked: Typed, today: date, config: Settings, now: int, mistakes: Mistakes) -> int | None:
    """The moment that was chosen; None for at once."""
    if asked["when"] != "at":
        return None
    try:
        day, clock = date.fromisoformat(asked["when_day"]), time.fromisoformat(asked["when_at"])
        at = hours.at(day, clock.replace(tzinfo=None), config.station.zone)
    except (ValueError, OverflowError):
        mistakes["when"] = _("Vui lòng chọn ngày và giờ gửi.")
        return None
    if at <= now:
        mistakes["when"] = _("Giờ gửi đã qua.")
    elif not today <= day < today + timedelta(days=SOON):
        mistakes["when"] = _("Chỉ gửi trong hôm nay hoặc ngày mai.")
    return at


def _too_late(draft: broadcasts.Draft, config: Settings, now: int) -> bool:
    """Whether nothing that is sent then could arrive in time."""
    due = draft.due or now
    row = tables.Broadcast(day=draft.day)
    return due >= broadcasts.deadline(row, config, due)
