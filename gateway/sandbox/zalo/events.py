"""What Zalo tells the page's webhook: signed, again when it was not taken, and as badly as is switched on.

An event that is on its way outlives a crash, as Zalo's would.
"""

import itertools
import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gateway.rules import hashes
from gateway.sandbox import faults, ledger, network, options, postman
from gateway.sandbox.zalo.people import Person, id_of

ZNS, OA = "ZNS", "OA OpenAPI"
"""What stands in X-ZEvent-Server: templates by phone, and everything else."""

STALE = 12 * 3_600
"""Seconds after which Zalo gives an event up."""

HELD = 5.0
"""Seconds for which an event waits to be overtaken."""


@dataclass(frozen=True)
class Mail:
    id: str
    at: float
    server: str
    body: str


class Events:
    """Everything that goes to the webhook; nothing does where the options name none."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self._lock = threading.Lock()
        self._held: Mail | None = None
        self._ledger = ledger.Ledger(settings.folder / "zalo-events.jsonl")
        for mail in self._on_the_way():
            self._carry(mail, postman.LADDER[0])

    def received_by_phone(self, phone: str, international: str, msg_id: str, tracking_id: str) -> None:
        """The receipt of a template by phone."""
        at = self._milliseconds()
        message = {"delivery_time": at, "msg_id": msg_id, "tracking_id": tracking_id}
        event = self._message("user_received_message", self._settings.oa_id, international, message)
        self._receipt(event, phone, ZNS)

    def received(self, person: Person, msg_id: str) -> None:
        """The receipt of a message to a user id."""
        message = {"msg_id": msg_id, "delivery_time": self._milliseconds()}
        event = self._message("user_received_message", self._settings.oa_id, person.user_id, message)
        self._receipt(event, person.phone, OA)

    def seen(self, person: Person, msg_ids: list[str]) -> None:
        message = {"msg_ids": msg_ids}
        event = self._message("user_seen_message", self._settings.oa_id, person.user_id, message)
        self.send(event, person.phone)

    def from_page(self, person: Person, name: str, message: Mapping[str, Any]) -> None:
        """The echo of a message of ours, where the options want it."""
        if self._settings.echoes:
            self.send(self._message(name, self._settings.oa_id, person.user_id, message), person.phone)

    def from_person(self, person: Person, name: str, **what: Any) -> None:
        """Something a person wrote or did."""
        event = self._between(name, person.user_id, self._settings.oa_id)
        self.send({**event, "user_id_by_app": person.by_app, **what}, person.phone)

    def followed(self, person: Person, name: str) -> None:
        event = {
            "oa_id": self._settings.oa_id,
            "follower": {"id": person.user_id},
            "user_id_by_app": person.by_app,
            "source": "oa_profile",
        }
        self.send({**self._headed(name), **event}, person.phone)

    def account(self, name: str, **what: Any) -> None:
        """Something about the account itself: templates, quotas."""
        self.send({**self._headed(name), "oa_id": self._settings.oa_id, **what})

    def send(self, event: Mapping[str, Any], phone: str = "", server: str = OA, delay: float = 0.0) -> None:
        """Sends an event about this phone's person later, or not, or twice."""
        if not self._settings.webhook_url:
            return
        targets = (phone, id_of(phone)) if phone else ()
        mail = Mail(uuid.uuid4().hex, self._phones.now(), server, _compact(event))
        if self._phones.faults.on(faults.WEBHOOK_FORGED, *targets):
            self._post.later(delay, lambda: self._hand_over(_forged(mail, event), 0, secret="forged"))
        times = self._phones.faults.webhooks(delay, *targets)
        if times and self._phones.faults.on(faults.WEBHOOK_SWAPPED, *targets):
            self._overtake(mail)
            return
        if times:
            self._ledger.append(**asdict(mail))
        for time in times:
            self._carry(mail, time)

    def close(self) -> None:
        self._ledger.close()

    def _receipt(self, event: Mapping[str, Any], phone: str, server: str) -> None:
        delay = self._settings.receipt_delay
        for time in self._phones.faults.receipts(delay, phone, id_of(phone)):
            self.send(event, phone, server, time)

    def _overtake(self, mail: Mail) -> None:
        """Holds an event until the next one has gone, or for a few seconds."""
        self._ledger.append(**asdict(mail))
        with self._lock:
            before, self._held = self._held, None if self._held else mail
        if before is None:
            self._post.later(HELD, lambda: self._let_go(mail))
        else:
            self._carry(mail, 0, then=before)

    def _let_go(self, mail: Mail) -> None:
        with self._lock:
            if self._held is not mail:
                return
            self._held = None
        self._carry(mail, 0)

    def _carry(self, mail: Mail, delay: float, then: Mail | None = None) -> None:
        """Posts it until it is taken; `then` goes when this was posted for the first time."""
        numbers = itertools.count()

        def attempt() -> bool:
            number = next(numbers)
            taken = self._hand_over(mail, number)
            if taken or number == len(postman.LADDER):
                self._ledger.append(done=mail.id)
            if number == 0 and then is not None:
                self._carry(then, 0)
            return taken

        self._post.until_taken(delay, attempt)

    def _hand_over(self, mail: Mail, number: int, secret: str | None = None) -> bool:
        octets, settings = mail.body.encode(), self._settings
        stamp = json.loads(mail.body)["timestamp"]
        mac = hashes.zalo_mac(settings.app_id, octets, stamp, secret or settings.webhook_secret)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ZaloWebhook",
            "X-ZEvent-Server": mail.server,
            "X-ZEvent-Signature": f"mac={mac}",
            **({"num_retry": str(number)} if number else {}),
        }
        return self._post.ask("POST", settings.webhook_url, data=octets, headers=headers)

    def _on_the_way(self) -> list[Mail]:
        waiting: dict[str, Mail] = {}
        for row in self._ledger.rows:
            if "done" in row:
                waiting.pop(row["done"], None)
            else:
                waiting[row["id"]] = Mail(**row)
        return [mail for mail in waiting.values() if self._phones.now() - mail.at < STALE]

    def _headed(self, name: str) -> dict[str, Any]:
        return {"app_id": self._settings.app_id, "event_name": name, "timestamp": self._milliseconds()}

    def _between(self, name: str, sender: str, recipient: str) -> dict[str, Any]:
        return {**self._headed(name), "sender": {"id": sender}, "recipient": {"id": recipient}}

    def _message(self, name: str, sender: str, recipient: str, message: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._between(name, sender, recipient), "message": dict(message)}

    def _milliseconds(self) -> str:
        return str(int(self._phones.now() * 1000))


def _compact(event: Mapping[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _forged(mail: Mail, event: Mapping[str, Any]) -> Mail:
    """The same, but for ids that nobody has seen: whoever believes it believes a stranger."""
    message = event.get("message")
    changed = {**message, "msg_id": f"forged-{mail.id}"} if isinstance(message, Mapping) else None
    return replace(mail, body=_compact({**event, **({"message": changed} if changed else {})}))
