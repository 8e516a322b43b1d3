"""Vietnamese phone numbers: every way people write them, one way we keep them.

Kept as E.164 ("+84905123456"); the networks want other spellings, which a Phone carries too.
The prefixes are those in use in November 2026 (ITU national numbering plan, as in phonenumbers 9.0.43).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

LONGEST = 40
"""Nobody writes a number with more characters than this, however many blanks they use."""


class Kind(StrEnum):
    MOBILE = "mobile"  # gets SMS and Zalo
    LANDLINE = "landline"  # a real number that gets neither: staff must call


class Network(StrEnum):
    """Whose prefix a mobile number has; a hint for routing and price only, as people keep numbers when they move."""

    VIETTEL = "viettel"
    MOBIFONE = "mobifone"
    VINAPHONE = "vinaphone"
    VIETNAMOBILE = "vietnamobile"
    GMOBILE = "gmobile"
    ITEL = "itel"
    REDDI = "reddi"


@dataclass(frozen=True)
class Phone:
    """A number in the spellings the networks want."""

    e164: str
    national: str
    international: str
    kind: Kind


@dataclass(frozen=True)
class PhoneFault:
    """Why a text is no phone number, in a sentence for each language.

    `suggestion` is the national spelling the person probably meant; it is shown, never taken silently.
    """

    code: str
    vietnamese: str
    english: str
    suggestion: str | None = None


# Phones copy numbers from their contacts with invisible direction marks around them,
# and word processors turn hyphens and blanks into typographic ones.
_SEPARATORS = re.compile("[\\s.\\-()\u00a0\u200b\u200e\u200f\u2010-\u2015\u202a-\u202f\u2060\ufeff]")
_DIGITS = re.compile(r"\+?[0-9]+")
_MOBILE = re.compile(r"(3[0-9]|5[125689]|7[06789]|8[1-9]|9[0-9])[0-9]{7}")
_LANDLINE = re.compile(r"2[0-9]{9}")

# The 11-digit mobile prefixes that became 10-digit ones in September 2018.
_CONVERTED = {
    "120": "70", "121": "79", "122": "77", "126": "76", "128": "78",
    "123": "83", "124": "84", "125": "85", "127": "81", "129": "82",
    "162": "32", "163": "33", "164": "34", "165": "35", "166": "36", "167": "37", "168": "38", "169": "39",
    "186": "56", "188": "58", "199": "59",
}  # fmt: skip


def parse(text: str) -> Phone | PhoneFault:
    """The number in `text`, or why there is none. Takes 0905…, 84905…, +84905…, 0084905…, blanks . - ( )."""
    if len(text) > LONGEST:
        return _fault("long")
    bare = _SEPARATORS.sub("", text)
    if not bare:
        return _fault("empty")
    if not _DIGITS.fullmatch(bare):
        return _fault("characters")
    return _judged(bare)


_NETWORKS = (
    (Network.VIETTEL, r"3[1-9]|86|96|97|98"),
    (Network.MOBIFONE, r"30|51|7[06789]|89|90|93"),
    (Network.VINAPHONE, r"8[1-5]|87|88|91|94"),
    (Network.VIETNAMOBILE, r"52|56|58|92"),
    (Network.ITEL, r"99[89]"),
    (Network.GMOBILE, r"59|99[3-7]"),
    (Network.REDDI, r"55"),
)
_NETWORK = [(network, re.compile(prefix)) for network, prefix in _NETWORKS]


def network(e164: str) -> Network | None:
    """The network that a mobile number's prefix was given to; None where nobody has it."""
    return _network_of(e164[3:6]) if e164.startswith("+84") else None


@lru_cache(maxsize=1_000)
def _network_of(first: str) -> Network | None:
    return next((one for one, prefix in _NETWORK if prefix.match(first)), None)


def masked(e164: str) -> str:
    """A number as logs and public screens may show it: "090***456"."""
    national = "0" + e164.removeprefix("+84") if e164.startswith("+84") else e164
    if len(national) < 9:
        return "***"
    return f"{national[:3]}***{national[-3:]}"


def _judged(bare: str) -> Phone | PhoneFault:
    rest = _without_prefix(bare)
    if rest is None:
        return _unprefixed(bare)
    if _MOBILE.fullmatch(rest):
        return _phone(rest, Kind.MOBILE)
    if _LANDLINE.fullmatch(rest):
        return _phone(rest, Kind.LANDLINE)
    if len(rest) == 10 and rest[:3] in _CONVERTED:
        return _fault("old", "0" + _CONVERTED[rest[:3]] + rest[3:])
    if len(rest) != 9:
        return _fault("length")
    return _fault("prefix")


def _without_prefix(bare: str) -> str | None:
    """The digits after the country or trunk prefix; "+84 (0)905…" is a common way to write both."""
    for country in ("+84", "0084"):
        if bare.startswith(country):
            return bare.removeprefix(country).removeprefix("0")
    if bare.startswith("84") and len(bare) >= 11:
        return bare.removeprefix("84").removeprefix("0")
    if bare.startswith("0") and not bare.startswith("00"):
        return bare.removeprefix("0")
    return None


def _unprefixed(bare: str) -> PhoneFault:
    if bare.startswith(("+", "00")):
        return _fault("foreign")
    if _MOBILE.fullmatch(bare):
        # Spreadsheets eat the leading zero; it is very likely, and still asked.
        return _fault("zero", "0" + bare)
    return _fault("prefix" if len(bare) >= 9 else "length")


def _phone(rest: str, kind: Kind) -> Phone:
    return Phone(e164="+84" + rest, national="0" + rest, international="84" + rest, kind=kind)


_SENTENCES = {
    "empty": ("Vui lòng nhập số điện thoại.", "Please enter a phone number."),
    "long": ("Số điện thoại quá dài.", "The phone number is too long."),
    "characters": (
        "Số điện thoại chỉ gồm chữ số, ví dụ 0905 123 456.",
        "A phone number has digits only, for example 0905 123 456.",
    ),
    "foreign": (
        "Chỉ nhận số điện thoại Việt Nam (bắt đầu bằng 0 hoặc +84).",
        "Only Vietnamese phone numbers are accepted (starting with 0 or +84).",
    ),
    "length": (
        "Số điện thoại chưa đủ hoặc thừa chữ số; số di động có 10 chữ số, ví dụ 0905 123 456.",
        "The phone number has too few or too many digits; a mobile number has 10, for example 0905 123 456.",
    ),
    "prefix": (
        "Đầu số này không có ở Việt Nam. Vui lòng kiểm tra lại số điện thoại.",
        "No Vietnamese number starts like this. Please check the phone number.",
    ),
    "old": (
        "Đây là số 11 chữ số cũ, nay đã đổi thành {suggestion}. Vui lòng nhập số mới nếu đúng.",
        "This is an old 11-digit number; it is now {suggestion}. Please enter the new one if that is right.",
    ),
    "zero": (
        "Số điện thoại thiếu số 0 ở đầu. Có phải số của bạn là {suggestion}?",
        "The phone number lacks its leading 0. Is your number {suggestion}?",
    ),
}


def _fault(code: str, suggestion: str | None = None) -> PhoneFault:
    vietnamese, english = (sentence.format(suggestion=suggestion) for sentence in _SENTENCES[code])
    return PhoneFault(code, vietnamese, english, suggestion)
