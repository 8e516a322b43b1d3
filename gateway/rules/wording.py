"""The words of notices and of explanations. Pure: the translations are an argument.

The Vietnamese text is the message id; `gettext` turns it into the reader's language (for Vietnamese it
returns the id). What a Zalo template is filled with is configured; `fields` are the data to choose from.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from zoneinfo import ZoneInfo

from gateway.rules import hours, names, order
from gateway.rules.sms import alphabet, segments

Gettext = Callable[[str], str]


def N_(text: str) -> str:  # noqa: N802 - the name that extraction tools know
    """Marks a text for translation where it is written, not where it is shown."""
    return text


TEXT: Mapping[str, str] = {
    "appointment": N_(
        "{station}: {name} có số {number}, lúc {time} ngày {date} tại {place}. Mời đến sớm 5 phút. {url}"
    ),
    "changed": N_("{station}: Lịch của {name} đổi sang {time} ngày {date} tại {place}, số {number}. {url}"),
    "cancelled": N_("{station}: Lịch làm thủ tục của {name} ngày {date} đã huỷ."),
    "reminder": N_("{station}: Nhắc hẹn {name}, số {number}, {time} ngày {date} tại {place}. {url}"),
    "near": N_("{station}: Sắp đến lượt số {number}. Mời đến khu vực chờ tại {place}."),
    "called": N_("{station}: Mời số {number} đến {counter}, {place}."),
    "missed": N_(
        "{station}: Số {number} đã được gọi nhưng vắng mặt. Mời báo lại tại quầy trong {minutes} phút."
    ),
    "ready": N_("{station}: Giấy tờ của {name} đã có. Mời đến nhận tại {place}."),
    "alert": N_("{station}: Cần xem hệ thống: {what} ({channel}). Mở trang quản trị để biết thêm."),
    "round": N_("{station}: Đội lưu động làm thủ tục tại {place} ngày {date}. {url}"),
}

SHORT: Mapping[str, str] = {
    "appointment": N_("{station}: Lịch hẹn {name}: số {number}, {time} {date} tại {place}. {url}"),
    "changed": N_("{station}: Lịch mới {name}: số {number}, {time} {date} tại {place}. {url}"),
    "reminder": N_("{station}: Nhắc hẹn {name}: số {number}, {time} {date} tại {place}. {url}"),
}
"""The words of a text message where those of the chat are too long for one part: a link alone takes 65 of 160."""

FIELDS = (
    "station", "name", "full_name", "number", "time", "date", "place", "address", "counter", "code", "minutes", "url",
)  # fmt: skip
"""What a notice may be filled with."""
OF_ALERTS = ("station", "what", "channel")

ON_THE_PAGE = N_("Xem trên trang")

WHY: Mapping[order.Why, str] = {
    order.Why.WALK_IN: N_("Lấy số tại chỗ: gọi theo giờ lấy số."),
    order.Why.WALK_IN_PRIORITY: N_("Lấy số tại chỗ, diện ưu tiên: được gọi sớm hơn."),
    order.Why.BOOKED: N_("Đã hẹn và có mặt đúng giờ: gọi theo giờ hẹn."),
    order.Why.BOOKED_LATE: N_("Đến sau giờ hẹn quá 15 phút: gọi theo giờ có mặt."),
    order.Why.BOOKED_PRIORITY: N_("Đã hẹn, diện ưu tiên: được gọi sớm hơn."),
    order.Why.RETURNED: N_("Đã quay lại sau khi vắng mặt."),
    order.Why.SECOND: N_("Được chuyển sang làm thủ tục tiếp theo."),
}


def fields(data: Mapping[str, object], zone: ZoneInfo) -> dict[str, str]:
    """A notice's data as texts ready to be put into words; `time` becomes the station's hour and date."""
    found = {key: str(value) for key, value in data.items() if value is not None}
    if "time" in found:
        at = hours.seconds(found["time"])
        found["time"] = hours.clock(at, zone)
        found["date"] = hours.calendar(hours.day_of(at, zone))
    if "name" in found:
        found["full_name"] = found["name"]
        found["name"] = names.shown(found["name"])
    return found


def counter_name(label: str, language: str) -> str:
    """ "Quầy 2", "Counter 2"; a label of several words says what it is already."""
    if " " in label:
        return label
    return f"{'Counter' if language == 'en' else 'Quầy'} {label}"


def filled(text: str, given: Mapping[str, str]) -> str:
    """`text` with its {fields}; a field that is not given leaves nothing behind, and no double blanks."""
    return " ".join(text.format_map(_Given(given)).split())


def of_a_text(kind: str) -> str:
    """The words of a kind as a text message, in Vietnamese."""
    return SHORT.get(kind) or TEXT[kind]


def named(pattern: str) -> set[str]:
    """The {fields} of a pattern. ValueError where a brace stands alone."""
    return {name for _text, name, _spec, _conversion in Formatter().parse(pattern) if name is not None}


def fields_of(kind: str) -> tuple[str, ...]:
    """The fields that the words of a kind may name."""
    return OF_ALERTS if kind == "alert" else FIELDS


def mistakes(kind: str, pattern: str) -> Iterator[str]:
    """What stands in the way of filling configured words, in English."""
    if kind not in TEXT:
        near = difflib.get_close_matches(kind, TEXT, n=1)
        yield f"{kind}: no such kind of notice" + (f'; did you mean "{near[0]}"?' if near else "")
        return
    try:
        parsed = list(Formatter().parse(pattern))
    except ValueError:
        yield f"{kind}: a brace stands alone"
        return
    known = fields_of(kind)
    for _text, name, spec, conversion in parsed:
        if name is not None and (name not in known or spec or conversion):
            yield f"{kind}: {{{name}}} is none of {', '.join(f'{{{one}}}' for one in known)}, as it stands there"


def text_message(pattern: str, given: Mapping[str, str], unaccented: bool) -> str:
    """`pattern` filled for an SMS, in as few parts as can be.

    Where it takes a part more than it must, what it is filled with is written shorter: the day without its year,
    initials without blanks, places as everybody abbreviates them, and at last the end of a long place is left off,
    which the page behind the link names whole. A number, an hour, a day or a link is never cut.
    """
    best, fewest = "", segments.MOST_PARTS + 1
    for shorter in _ever_shorter(pattern, given, unaccented):
        text = _lettered(filled(pattern, shorter), unaccented)
        parts = segments.parts(text)
        if parts < fewest:
            best, fewest = text, parts
        if fewest == 1:
            break
    return best


def _lettered(text: str, unaccented: bool) -> str:
    return alphabet.unaccent(text) if unaccented else unicodedata.normalize("NFC", text)


LEAST_PLACE = 20
"""Of a place so many letters are left at least: less would name no place."""

# As they stand on every signboard; the longer names first, as they hold the shorter ones
_ABBREVIATED = tuple(
    (re.compile(rf"\b{long}\b *", re.IGNORECASE), short)
    for long, short in (
        ("trung tâm", "TT "), ("nhà văn ho[áa]|nhà văn hóa", "NVH "), ("văn (?:hoá|hóa) ?[-–] ?thể thao", "VHTT "),
        ("văn (?:hoá|hóa) và thể thao", "VHTT "), ("(?:uỷ|ủy) ban nhân dân", "UBND "), ("công an", "CA "),
        ("hành chính công", "HCC "), ("căn cước công dân", "CCCD "), ("hội trường", "HT "), ("tổ dân phố", "TDP "),
        ("khu phố", "KP "), ("thành phố", "TP "), ("phường", "P."), ("quận", "Q."), ("huyện", "H."), ("đường", "Đ."),
    )
)  # fmt: skip
_YEAR = re.compile(r"(?<=\d\d/\d\d)/\d{4}\b")
_INITIAL = re.compile(r"(?<=\w\.) (?=\w)")


def _ever_shorter(pattern: str, given: Mapping[str, str], unaccented: bool) -> Iterator[Mapping[str, str]]:
    """What `pattern` is filled with: as it is, and then one thing after the other written shorter."""
    yield given
    now = dict(given)
    for name, shorten in (("date", _without_year), ("name", _close), ("place", _abbreviated)):
        if now.get(name):
            now[name] = shorten(now[name])
            yield now
    place = now.get("place", "")
    over = _over(_lettered(filled(pattern, now), unaccented))
    if "place" in named(pattern) and over and len(place) - over >= LEAST_PLACE:
        yield {**now, "place": _clipped(place, len(place) - over)}


def _without_year(date: str) -> str:
    return _YEAR.sub("", date)


def _close(name: str) -> str:
    """ "N. T. HƯƠNG" as "N.T.HƯƠNG"."""
    return _INITIAL.sub("", name)


def _abbreviated(place: str) -> str:
    place = unicodedata.normalize("NFC", place)
    for long, short in _ABBREVIATED:
        place = long.sub(short, place)
    return " ".join(place.split())


def _clipped(place: str, most: int) -> str:
    """At most so many letters, at the end of a word where that leaves enough, and a sign that more was there."""
    words, _blank, _rest = place[: most - 1].rpartition(" ")
    kept = words if len(words) >= LEAST_PLACE - 2 else place[: most - 2]
    return kept.rstrip(" ,.-–") + ".."


def _over(text: str) -> int:
    """By how many septets or units a text is longer than one part."""
    seen = segments.count(text)
    return max(0, seen.used - segments.SINGLE[seen.alphabet])


class _Given(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
