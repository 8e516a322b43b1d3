"""What Zalo tells of people and of the page itself."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from gateway.sandbox import options
from gateway.sandbox.zalo.answers import No
from gateway.sandbox.zalo.people import Person

MOST, LAST_OFFSET = 50, 9_951

_VIETNAM = timezone(timedelta(hours=7))
_DAYS = {"TODAY": (0, 0), "YESTERDAY": (1, 1), "L7D": (7, 0), "L30D": (30, 0)}
_SPAN = re.compile(r"(\d{4})_(\d{2})_(\d{2}):(\d{4})_(\d{2})_(\d{2})", re.ASCII)


def detail(person: Person) -> dict[str, Any]:
    """A person as user/detail shows them; shared_info only where they shared something."""
    shared = {}
    if person.shared:
        # As seen with the real one: the phone may come as a number
        shared = {**person.shared, "phone": int(person.shared["phone"])}
    return {
        "user_id": person.user_id,
        "user_id_by_app": person.by_app,
        "user_external_id": "",
        "display_name": person.name,
        "user_alias": person.name,
        "is_sensitive": False,
        "user_last_interaction_date": _day(person.spoke_at).strftime("%d/%m/%Y") if person.spoke_at else "",
        "user_is_follower": person.following,
        "avatar": "",
        "avatars": {"120": "", "240": ""},
        "tags_and_notes_info": {"notes": [], "tag_names": list(person.tags)},
        "shared_info": shared,
    }


def page(everybody: Iterable[Person], asked: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A page of the people who follow or have spoken; No for a question Zalo does not take."""
    offset, count = asked.get("offset"), asked.get("count")
    if type(offset) is not int or type(count) is not int or offset < 0 or count < 1:
        raise No(-201, "offset, count")
    if count > MOST or offset > LAST_OFFSET:
        raise No(-210, "offset, count")
    wanted = _filter(asked, now)
    found = [person.user_id for person in everybody if person.met and wanted(person)]
    shown = [{"user_id": one} for one in found[offset : offset + count]]
    return {"total": len(found), "count": len(shown), "offset": offset, "users": shown}


def about(settings: options.Options, followers: int) -> dict[str, Any]:
    """The page as getoa describes it."""
    return {
        "oa_id": settings.oa_id,
        "name": settings.oa_name,
        "description": "",
        "oa_alias": "",
        "oa_type": 4,
        "cate_name": "Cơ quan nhà nước",
        "is_verified": True,
        "num_follower": followers,
        "avatar": "",
        "cover": "",
        "package_name": "Nâng cao",
        "package_valid_through_date": "31/12/2027",
        "package_auto_renew_date": "01/01/2028",
        "linked_ZCA": "ZCA-0001",
    }


def _filter(asked: Mapping[str, Any], now: float) -> Callable[[Person], bool]:
    follower, period, tag = (asked.get(one) for one in ("is_follower", "last_interaction_period", "tag_name"))
    if follower is not None and not isinstance(follower, bool):
        raise No(-201, "is_follower")
    if tag is not None and (not isinstance(tag, str) or not tag):
        raise No(-201, "tag_name")
    span = _period(period, now) if period is not None else None

    def wanted(person: Person) -> bool:
        if follower is not None and person.following != follower:
            return False
        if span and not (person.spoke_at and span[0] <= _day(person.spoke_at) <= span[1]):
            return False
        return tag is None or tag in person.tags

    return wanted


def _period(given: Any, now: float) -> tuple[date, date]:
    today = _day(now)
    if isinstance(given, str) and given in _DAYS:
        since, until = _DAYS[given]
        return today - timedelta(days=since), today - timedelta(days=until)
    found = _SPAN.fullmatch(given) if isinstance(given, str) else None
    try:
        numbers = [int(one) for one in found.groups()] if found else []
        return date(*numbers[:3]), date(*numbers[3:])
    except (TypeError, ValueError) as fault:
        raise No(-201, "last_interaction_period") from fault


def _day(at: float) -> date:
    return datetime.fromtimestamp(at, UTC).astimezone(_VIETNAM).date()
