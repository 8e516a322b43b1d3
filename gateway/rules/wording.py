"""The words of notices and of explanations. Pure: the translations are an argument.

The Vietnamese text is the message id; `gettext` turns it into the reader's language (for Vietnamese it
returns the id). What a Zalo template is filled with is configured; `fields` are the data to choose from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from gateway.rules import hours, names, order

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


class _Given(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return ""
