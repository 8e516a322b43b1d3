"""The phones of a pretended town, and every message that reached them."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from gateway.rules import phone as phones
from gateway.sandbox import faults, ledger

MESSAGES_KEPT = 200
"""On one phone; the ledger keeps more."""

_VIETNAM = timezone(timedelta(hours=7))


@dataclass(frozen=True)
class Received:
    """A message as the person sees it. `ref` is the sender's own reference, `id` the provider's.

    `via`: "zalo" and "sms" came to the phone, "mine" the person wrote to the Zalo page. `more`: what a chat
    message has beside its text, as the phone shows it: buttons, picture, file, ask, paid.
    """

    at: float
    via: str
    sender: str
    text: str
    parts: int
    ref: str | None
    id: str | None
    more: Mapping[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        """For the page: `at` as RFC 3339, `sender` as "from"."""
        when = datetime.fromtimestamp(self.at, UTC).astimezone(_VIETNAM).isoformat(timespec="seconds")
        return {
            "at": when, "via": self.via, "from": self.sender, "text": self.text, "parts": self.parts,
            "ref": self.ref, "id": self.id, **({"more": self.more} if self.more else {}),
        }  # fmt: skip


class Network:
    """All phones, by E.164. What is delivered is in a file and comes back after a crash."""

    def __init__(self, folder: Path | str, clock: Callable[[], float] = time.time) -> None:
        self.faults = faults.Faults()
        self._clock = clock
        self._changed = threading.Condition()
        self._phones: dict[str, deque[Received]] = {}
        self._arrived: dict[str, float] = {}
        self._ledger = ledger.Ledger(Path(folder) / "messages.jsonl")
        for row in self._ledger.rows:
            self._keep(row.pop("phone"), Received(**row))

    def deliver(
        self,
        phone: str,
        *,
        via: str,
        sender: str,
        text: str,
        parts: int = 1,
        ref: str | None = None,
        id: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Puts a message on a phone and wakes whoever waits for it."""
        received = Received(self._clock(), via, sender, text, parts, ref, id, dict(more or {}))
        with self._changed:
            self._ledger.append(phone=phone, **asdict(received))
            self._keep(phone, received)
            self._changed.notify_all()

    def now(self) -> float:
        """Epoch seconds by the town's clock."""
        return self._clock()

    def messages(self, phone: str) -> list[Received]:
        with self._changed:
            return list(self._phones.get(phone, ()))

    def arrived(self, id: str) -> float | None:
        """When the message with this provider's id came to its phone, epoch seconds; None if it did not."""
        with self._changed:
            return self._arrived.get(id)

    def wait(self, ready: Callable[["Network"], bool], seconds: float) -> bool:
        """Waits until `ready(network)`; False when it is not so within `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: ready(self), seconds)

    def listed(self, most_phones: int = 200, most_messages: int = 50) -> list[dict[str, Any]]:
        """The phones, that with the newest message first."""
        with self._changed:
            newest = sorted(self._phones.items(), key=lambda item: item[1][-1].at, reverse=True)[:most_phones]
            return [
                {
                    "phone": phone,
                    "masked": phones.masked(phone),
                    "messages": [one.shown() for one in list(received)[-most_messages:]],
                }
                for phone, received in newest
            ]

    def close(self) -> None:
        self._ledger.close()

    def _keep(self, phone: str, received: Received) -> None:
        # A phone that gets its next message moves to the end, so the dictionary is ordered by newness.
        messages = self._phones.pop(phone, None) or deque(maxlen=MESSAGES_KEPT)
        messages.append(received)
        self._phones[phone] = messages
        if received.id:
            self._arrived[received.id] = received.at
