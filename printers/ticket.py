"""A ticket: the pure document that is printed, checked once at the door.

The document is a JSON object, e.g.
{"station": "Công an phường Bến Nghé", "service": "Cấp mới căn cước", "number": "B017",
 "place": "12 Lê Lợi", "ahead": 7, "eta": "09:40–09:45", "url": "https://…/p/…"}
"""
from __future__ import annotations

import dataclasses
import difflib
import re
import unicodedata
from dataclasses import dataclass

# Longest text of each field, in characters after NFC.  They keep the paper under about 25 cm.
LONGEST = {
    "station": 120, "service": 120, "number": 8, "place": 160, "url": 200,
    "time": 40, "eta": 40, "name": 80, "footer": 300, "issued_at": 40,
}
REQUIRED = ("station", "service", "number", "place", "url")
MOST_AHEAD = 9999
NUMBER = re.compile(r"[0-9A-Z]([0-9A-Z-]*[0-9A-Z])?")
# Printable ASCII only: the address goes into a QR command, where other bytes could be read as commands.
URL = re.compile(r"https?://[!-~]+")


@dataclass(frozen=True)
class Fault:
    """One mistake in a document: which field, and what is wrong, in both languages."""
    field: str
    vi: str
    en: str


class TicketError(ValueError):
    """The document is no ticket; `faults` lists every mistake, not just the first."""

    def __init__(self, faults: tuple[Fault, ...]):
        self.faults = faults
        vi = "; ".join(f"{fault.field} {fault.vi}" for fault in faults)
        en = "; ".join(f"{fault.field} {fault.en}" for fault in faults)
        super().__init__(f"Phiếu không hợp lệ: {vi} / Not a ticket: {en}")


@dataclass(frozen=True)
class Ticket:
    """What goes on the paper.  Texts are NFC and free of control characters; "" means absent.

    `time` is the appointed hour of a booked person, `eta` when the call is expected, `issued_at` when
    the number was given: free text, or RFC 3339, which is shown as a local hour and date.
    `ahead` counts people; `reprint` marks a second paper for the same number.
    """
    station: str
    service: str
    number: str
    place: str
    url: str
    time: str = ""
    ahead: int | None = None
    eta: str = ""
    name: str = ""
    footer: str = ""
    issued_at: str = ""
    priority: bool = False
    reprint: bool = False

    @classmethod
    def from_document(cls, document: dict) -> Ticket:
        """Check a JSON object and make a ticket of it; raises TicketError with all faults."""
        if not isinstance(document, dict):
            raise TicketError((Fault("phiếu/ticket", "phải là một đối tượng JSON", "must be a JSON object"),))
        faults = [_unknown(key) for key in document if key not in FIELDS]
        values = {}
        for field in FIELDS:
            value, fault = _checked(field, document.get(field))
            values[field] = value
            if fault:
                faults.append(fault)
        if faults:
            raise TicketError(tuple(faults))
        return cls(**values)

    def to_document(self) -> dict:
        """The JSON object again, without the absent fields."""
        whole = dataclasses.asdict(self)
        # `is`, because nobody ahead (0) is a fact and no absence.
        return {field: value for field, value in whole.items()
                if value is not None and value is not False and value != ""}


FIELDS = tuple(field.name for field in dataclasses.fields(Ticket))


# Every letter that only Vietnamese has, in the alphabet's order; the capitals follow from it.
SMALL_LETTERS = (
    "àáảãạ" "ăằắẳẵặ" "âầấẩẫậ" "đ" "èéẻẽẹ" "êềếểễệ" "ìíỉĩị"
    "òóỏõọ" "ôồốổỗộ" "ơờớởỡợ" "ùúủũụ" "ưừứửữự" "ỳýỷỹỵ"
)
LETTERS = unicodedata.normalize("NFC", SMALL_LETTERS + SMALL_LETTERS.upper())


def specimen(issued_at: str = "") -> Ticket:
    """A test slip: looks like a ticket, can be taken for none, and shows every Vietnamese letter."""
    return Ticket(
        station="PHIẾU IN THỬ", service="Không có giá trị · Test slip, not valid", number="TEST-0", ahead=0,
        place="ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz 0123456789",
        url="https://example.org/test", footer=" ".join(LETTERS[at:at + 12] for at in range(0, 134, 12)),
        issued_at=issued_at,
    )


def marked_reprint(ticket: Ticket) -> Ticket:
    """The same number again, for a paper that says IN LẠI."""
    return dataclasses.replace(ticket, reprint=True)


def _unknown(key: object) -> Fault:
    near = difflib.get_close_matches(str(key), FIELDS, 1)
    hint_vi = f"; có phải “{near[0]}”?" if near else ""
    hint_en = f"; did you mean “{near[0]}”?" if near else ""
    shown = repr(str(key)[:40])
    return Fault(shown, f"không phải là một mục của phiếu{hint_vi}", f"is no field of a ticket{hint_en}")


def _checked(field: str, value: object) -> tuple[object, Fault | None]:
    if field in ("priority", "reprint"):
        return _flag(field, value)
    if field == "ahead":
        return _count(field, value)
    return _text(field, value)


def _flag(field: str, value: object) -> tuple[bool, Fault | None]:
    if value is None or isinstance(value, bool):
        return bool(value), None
    return False, Fault(field, "phải là true hoặc false", "must be true or false")


def _count(field: str, value: object) -> tuple[int | None, Fault | None]:
    if value is None:
        return None, None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_AHEAD:
        return value, None
    return None, Fault(field, f"phải là số nguyên từ 0 đến {MOST_AHEAD}", f"must be 0 to {MOST_AHEAD}")


def _text(field: str, value: object) -> tuple[str, Fault | None]:
    if value is None:
        value = ""
    if not isinstance(value, str):
        return "", Fault(field, "phải là chữ", "must be text")
    # The control bytes are looked for before anything is trimmed: an ESC is never quietly dropped.
    if any(_is_control(char) for char in value):
        return "", Fault(field, "có ký tự điều khiển không được phép", "holds a control character")
    text = unicodedata.normalize("NFC", value).strip()
    if not text and field in REQUIRED:
        return "", Fault(field, "không được để trống", "must not be empty")
    if len(text) > LONGEST[field]:
        limit = LONGEST[field]
        return "", Fault(field, f"dài quá {limit} ký tự", f"is longer than {limit} characters")
    return text, _shape(field, text)


def _shape(field: str, text: str) -> Fault | None:
    if field == "number" and not NUMBER.fullmatch(text):
        return Fault(field, "chỉ gồm chữ A–Z, số và dấu gạch giữa", "may hold only A–Z, 0–9 and inner dashes")
    if field == "url" and not URL.fullmatch(text):
        return Fault(field, "phải là địa chỉ http(s) không dấu", "must be an ASCII http(s) address")
    return None


def _is_control(char: str) -> bool:
    # Cc: control bytes; Cf: invisible direction marks that can reverse a number; Cs, Co, Cn: no letters;
    # Zl, Zp: line ends, which the layout decides by itself.
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
