"""What a Zalo template wants, and whether what we would give it fits. Pure.

A template's parameters are mappings {"name", "require", "type", "max", "min"} as Zalo lists them. Looking
before sending saves a refused message, and tells the operator of a template that changed before an evening's
messages meet it. Where Zalo's rule is not known, nothing is found: the judge is Zalo.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any

from gateway.rules import wording


@dataclass(frozen=True)
class Problem:
    """What is wrong with a parameter: its name, a code, and a sentence in both languages.

    `code`: missing, unknown, empty, short, long, may_be_long, format, control, pattern.
    """

    name: str
    code: str
    vi: str
    en: str


LONGEST_SENTENCE = 190
"""A reason is kept in 200 characters."""

# Most characters by type where Zalo gives no maxLength; by its word and by its number in the creation form
_MOST: Mapping[str, int] = {
    "NAME": 30, "CUSTOMERNAME": 30, "1": 30,
    "PHONE": 15, "PHONENUMBER": 15, "2": 15,
    "ADDRESS": 200, "3": 200,
    "CODE": 30, "ID": 30, "4": 30,
    "LABEL": 30, "CUSTOMLABEL": 30, "5": 30,
    "STATUS": 30, "TRANSACTIONSTATUS": 30, "6": 30,
    "CONTACT": 50, "CONTACTINFO": 50, "7": 50,
    "TITLE": 5, "GENDER": 5, "8": 5,
    "PRODUCT": 200, "PRODUCTNAME": 200, "9": 200,
    "AMOUNT": 20, "QUANTITY": 20, "10": 20,
    "TIME": 20, "DATE": 20, "DATETIME": 20, "11": 20,
    "OTP": 10, "12": 10,
    "URL": 200, "LINK": 200, "13": 200,
    "CURRENCY": 12, "14": 12,
    "BANKNOTE": 90, "BANKTRANSFERNOTE": 90, "15": 90,
}  # fmt: skip
_MOMENTS = frozenset({"TIME", "DATE", "DATETIME", "11"})
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d)?"
_MONTH = r"(?:0[1-9]|1[0-2])/\d{4}"
_DAY = r"(?:0[1-9]|[12]\d|3[01])/"
_MOMENT = re.compile(f"{_CLOCK}|{_CLOCK} {_DAY}{_MONTH}|{_DAY}{_MONTH}|{_MONTH}", re.ASCII)
# Controls, lone surrogates, line and paragraph separators. Joiners stay: without them an emoji falls apart
_FOREIGN = frozenset({"Cc", "Cs", "Zl", "Zp"})


def faults(params: Sequence[Mapping[str, Any]], data: Mapping[str, str]) -> list[Problem]:
    """What Zalo would refuse in a message's data; lengths are code points after NFC, as Zalo counts."""
    wanted = {str(param["name"]): param for param in params}
    found = [_missing(name) for name, param in wanted.items() if param.get("require") and name not in data]
    for name, value in data.items():
        if name not in wanted:
            found.append(_unknown(name))
        else:
            found += _of_value(wanted[name], unicodedata.normalize("NFC", value))
    return found


def _of_value(param: Mapping[str, Any], value: str) -> Iterable[Problem]:
    name, kind, most, least = str(param["name"]), _kind(param), longest(param), _length(param.get("min"))
    if not value.strip():
        if param.get("require"):
            yield Problem(name, "empty", f"tham số {name} không có dữ liệu", f"parameter {name} is empty")
        return
    if any(unicodedata.category(letter) in _FOREIGN for letter in value):
        yield Problem(
            name,
            "control",
            f"tham số {name} có ký tự điều khiển",
            f"parameter {name} contains control characters",
        )
    if most is not None and len(value) > most:
        yield _long(name, len(value), most)
    if least is not None and len(value) < least:
        yield Problem(
            name,
            "short",
            f"tham số {name} ngắn {len(value)} ký tự, ít nhất phải {least}",
            f"parameter {name} has {len(value)} characters, {least} are the least",
        )
    if kind in _MOMENTS and not _MOMENT.fullmatch(value.strip()):
        yield _misshapen(name)


def mismatch(
    params: Sequence[Mapping[str, Any]],
    configured: Mapping[str, str],
    greatest: Mapping[str, str] | None = None,
) -> list[Problem]:
    """What is wrong between a template and its patterns in config, whatever the message.

    `greatest`: the longest value of each field that this station has (its sites' names and addresses).
    """
    wanted = {str(param["name"]): param for param in params}
    found = [
        _missing(name) for name, param in wanted.items() if param.get("require") and name not in configured
    ]
    for name, pattern in configured.items():
        if name not in wanted:
            found.append(_unknown(name))
        else:
            found += _of_pattern(wanted[name], pattern, greatest or {})
    return found


def _of_pattern(param: Mapping[str, Any], pattern: str, greatest: Mapping[str, str]) -> Iterable[Problem]:
    name, most = str(param["name"]), longest(param)
    try:
        fields = {field for _, field, _, _ in Formatter().parse(pattern) if field is not None}
        least, whole = (_nfc(wording.filled(pattern, given)) for given in ({}, greatest))
    except (ValueError, LookupError, AttributeError):
        yield Problem(
            name, "pattern", f"mẫu điền của tham số {name} viết sai", f"the pattern of {name} is malformed"
        )
        return
    if not fields and not least and param.get("require"):
        yield Problem(name, "empty", f"tham số {name} để trống trong cấu hình", f"{name} is empty in config")
    if most is not None and len(least) > most:
        yield _long(name, len(least), most)
    elif most is not None and len(whole) > most:
        yield Problem(
            name,
            "may_be_long",
            f"tham số {name} có thể dài {len(whole)} ký tự, Zalo nhận {most}",
            f"parameter {name} may have {len(whole)} characters, Zalo takes {most}",
        )
    if _kind(param) in _MOMENTS and fields <= set(greatest) and not _MOMENT.fullmatch(whole):
        yield _misshapen(name)


def longest(param: Mapping[str, Any]) -> int | None:
    """The most characters of a parameter; None where nobody has said."""
    return _length(param.get("max")) or _MOST.get(_kind(param))


def sentence(problems: Sequence[Problem]) -> str:
    """All of them as a reason, "tiếng Việt / English", short enough to be kept with an attempt."""
    for count in range(len(problems), 0, -1):
        more = ["…"] if count < len(problems) else []
        said = " / ".join(
            "; ".join([*(getattr(one, tongue) for one in problems[:count]), *more]) for tongue in ("vi", "en")
        )
        if len(said) <= LONGEST_SENTENCE:
            return said
    return "; ".join(sorted({one.code for one in problems}))[:LONGEST_SENTENCE]


def _missing(name: str) -> Problem:
    return Problem(name, "missing", f"thiếu tham số {name}", f"parameter {name} is missing")


def _unknown(name: str) -> Problem:
    return Problem(name, "unknown", f"mẫu không có tham số {name}", f"the template has no parameter {name}")


def _long(name: str, length: int, most: int) -> Problem:
    return Problem(
        name,
        "long",
        f"tham số {name} dài {length} ký tự, nhiều nhất {most}",
        f"parameter {name} has {length} characters, {most} are the most",
    )


def _misshapen(name: str) -> Problem:
    return Problem(
        name,
        "format",
        f"tham số {name} không đúng dạng giờ ngày (hh:mm, dd/mm/yyyy)",
        f"parameter {name} is no time or date as Zalo writes them (hh:mm, dd/mm/yyyy)",
    )


def _kind(param: Mapping[str, Any]) -> str:
    return re.sub(r"[^A-Z0-9]", "", str(param.get("type") or "").upper())


def _length(value: Any) -> int | None:
    """A length as Zalo gave it; none, or nothing, is no limit."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)
