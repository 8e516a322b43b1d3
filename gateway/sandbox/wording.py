"""Zalo templates as the stand-in knows them: which parameters they want, and how the message reads."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LONGEST_PARAMETER = 200


@dataclass(frozen=True)
class Template:
    """`params`: name → most characters. `text` empty: the message is the title and one row a parameter."""

    id: str
    title: str
    params: Mapping[str, int]
    text: str

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
        return None

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
        text=str(document.get("text", "")),
    )


def _foreign(value: str) -> bool:
    """Decomposed letters and control characters: the real one cuts or refuses them, so we are strict."""
    return value != unicodedata.normalize("NFC", value) or any(
        unicodedata.category(letter) == "Cc" for letter in value
    )
