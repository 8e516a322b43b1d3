"""Zalo's users: one for each phone number of the town, and what lies between them and the page."""

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from gateway.sandbox import ledger

_NAMES = ("Hoa", "Minh", "Lan", "Tuấn", "Hương", "Dũng", "Mai", "Khánh", "Thảo", "Sơn")


@dataclass(frozen=True)
class Person:
    """A Zalo account. Times are epoch seconds, 0 for never.

    `spoke_at`: the last interaction with the page; `shared`: what the person told it of themselves;
    `seen_to`: messages up to here have been looked at.
    """

    user_id: str
    phone: str
    by_app: str
    name: str
    made_at: float
    following: bool = False
    blocked: bool = False
    spoke_at: float = 0.0
    seen_to: float = 0.0
    shared: Mapping[str, Any] | None = None
    tags: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Whether the page may know of this person at all."""
        return self.following or self.spoke_at > 0


def id_of(phone: str) -> str:
    """The Zalo user id that belongs to a phone (E.164): always the same, and too long for a float."""
    return _number("user", phone)


class People:
    """All users, by id. They outlive a crash."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._ledger = ledger.Ledger(folder / "zalo-people.jsonl")
        self._all: dict[str, Person] = {}
        for row in self._ledger.rows:
            self._all[row["user_id"]] = Person(**{**row, "tags": tuple(row["tags"])})

    def find(self, user_id: str) -> Person | None:
        with self._lock:
            return self._all.get(user_id)

    def of(self, phone: str, now: float, name: str = "") -> Person:
        """The user of a phone, made at the first question."""
        with self._lock:
            found = self._all.get(id_of(phone))
            return found or self._keep(_new(phone, now, name))

    def change(self, user_id: str, **what: Any) -> Person:
        """Changes what is true of a person; KeyError for nobody."""
        with self._lock:
            return self._keep(replace(self._all[user_id], **what))

    def listed(self) -> list[Person]:
        """Everybody, the newest account last."""
        with self._lock:
            return list(self._all.values())

    def close(self) -> None:
        self._ledger.close()

    def _keep(self, person: Person) -> Person:
        self._all[person.user_id] = person
        self._ledger.append(**asdict(person))
        return person


def _new(phone: str, now: float, name: str) -> Person:
    by_app = _number("app", phone)
    return Person(id_of(phone), phone, by_app, name or _NAMES[int(by_app[-1])], now)


def _number(salt: str, phone: str) -> str:
    octets = hashlib.sha256(f"{salt} {phone}".encode()).digest()[:8]
    return str(10**18 + int.from_bytes(octets) % (8 * 10**18))
