"""Zalo templates as the stand-in knows them: which parameters they want, and how the message reads."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_PARAMETER = 200

_HOUR, _MONTH = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", r"(0[1-9]|1[0-2])/\d{4}"
_DAY = rf"(0[1-9]|[12]\d|3[01])/{_MONTH}"
_DATE = re.compile(rf"{_HOUR}|{_HOUR} {_DAY}|{_DAY}|{_MONTH}", re.ASCII)


@dataclass(frozen=True)
class Template:
    """`params`: name → most characters; `kinds`: name → Zalo's type, where "DATE" is an hour, a day or both.

    `text` empty: the message is the title and one row a parameter. Prices in đồng, `timeout` in seconds.
    """

    id: str
    title: str
    params: Mapping[str, int]
    kinds: Mapping[str, str]
    text: str
    tag: str = "TRANSACTION"
    timeout: int = 7_200
    price_phone: int = 200
    price_uid: int = 165

    def fault(self, data: Any) -> str | None:
        """Zalo's code for data that does not fit, or None."""
        if not isinstance(data, dict) or (not data and self.params):
            return "-111"
        if any(not isinstance(value, str) for value in data.values()) or set(data) - set(self.params):
            return "-112"
        if any(not data.get(name, "").strip() for name in self.params):
            return "-1122"
        if any(len(data[name]) > most for name, most in self.params.items()):
            return "-1121"
        if any(_foreign(value) for value in data.values()):
            return "-132"
        dates = [data[name] for name, kind in self.kinds.items() if kind == "DATE"]
        return None if all(_DATE.fullmatch(value) for value in dates) else "-1124"

    def sample(self) -> dict[str, str]:
        """Data that would fit."""
        return {name: "09:00 24/11/2026" if self.kinds[name] == "DATE" else name for name in self.params}

    def read(self, data: Mapping[str, str]) -> str:
        """The message as it looks on the phone."""
        if not self.text:
            rows = [f"{name}: {value}" for name, value in data.items()]
            return "\n".join([self.title, *rows])
        text = self.text
        for name, value in data.items():
            text = text.replace("{" + name + "}", value)
        return f"{self.title}\n{text}" if self.title else text


def template(document: Mapping[str, Any]) -> Template:
    """A template as it is given in the options."""
    params = [{"name": one} if isinstance(one, str) else one for one in document.get("params", ())]
    return Template(
        id=str(document["id"]),
        title=str(document.get("title", "")),
        params={one["name"]: int(one.get("max", LONGEST_PARAMETER)) for one in params},
        kinds={one["name"]: str(one.get("type", "STRING")) for one in params},
        text=str(document.get("text", "")),
        **{
            name: document[name]
            for name in ("tag", "timeout", "price_phone", "price_uid")
            if name in document
        },
    )


def _foreign(value: str) -> bool:
    """Decomposed letters and control characters: the real one cuts or refuses them, so we are strict."""
    return value != unicodedata.normalize("NFC", value) or any(
        unicodedata.category(letter) == "Cc" for letter in value
    )
