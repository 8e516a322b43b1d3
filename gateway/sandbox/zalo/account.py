"""What Zalo knows of the page: its tokens, templates, people, uploads, the messages it has taken, the limits."""

import re
import threading
import uuid
from collections.abc import Mapping
from typing import Any

from gateway.rules import hashes, phone
from gateway.sandbox import faults, keyring, ledger, network, options, postman
from gateway.sandbox.zalo import events, letter, people, shelf, uploads
from gateway.sandbox.zalo.answers import No

DAILY_QUOTA = 5_000
FREE, WINDOW = 48 * 3_600, 7 * 86_400
"""Seconds after a person's last interaction: an answer costs nothing, an answer is possible."""

_VIETNAM = 7 * 3_600
_TRACKING = re.compile(r"[A-Za-z0-9_-]{1,48}")


class OfficialAccount:
    """One page and one app; it outlives a crash."""

    def __init__(self, phones: network.Network, settings: options.Options, post: postman.Postman) -> None:
        self.phones, self.settings = phones, settings
        self.keys = keyring.Keyring(settings.folder, phones.now)
        self.shelf = shelf.Shelf(settings.folder, settings.templates)
        self.people = people.People(settings.folder)
        self.uploads = uploads.Uploads(settings.folder)
        self.events = events.Events(phones, settings, post)
        self._ledger = ledger.Ledger(settings.folder / "zalo-taken.jsonl", keep=100_000)
        self._taken = {row["msg_id"] for row in self._ledger.rows}
        self._lock = threading.Lock()
        self._day = self._today()
        self._sent = sum(_day_of(row.get("at", 0.0)) == self._day for row in self._ledger.rows)
        self._minute, self._calls = 0, 0
        for one in settings.people:
            self.people.of(phone.parse(one["phone"]).e164, phones.now(), one["name"])

    @property
    def left(self) -> int:
        """Templates that may still be sent today."""
        with self._lock:
            return DAILY_QUOTA - (self._sent if self._day == self._today() else 0)

    def spend_call(self) -> int:
        """Counts a call to the OA's host; how many this minute has left, below 0 for one too many."""
        with self._lock:
            minute = int(self.phones.now() // 60)
            self._calls = self._calls + 1 if minute == self._minute else 1
            self._minute = minute
            return self.settings.per_minute - self._calls

    def fault(self, name: str, number: str) -> bool:
        """Whether a fault is on for this phone (E.164), by its number or by its Zalo user."""
        return self.phones.faults.on(name, number, people.id_of(number))

    def judge(self, body: Mapping[str, Any]) -> phone.Phone:
        """Whose phone a template by phone goes to; No where Zalo does not take it."""
        number = phone.parse(str(body.get("phone", "")))
        if not isinstance(number, phone.Phone) or number.kind is not phone.Kind.MOBILE:
            raise No(-108)
        if not _TRACKING.fullmatch(str(body.get("tracking_id", ""))):
            raise No(-132, "tracking_id")
        self.shelf.judge(body.get("template_id"), body.get("template_data"))
        person = self.people.find(people.id_of(number.e164))
        if self.fault(faults.ZALO_REFUSED, number.e164):
            raise No(-118)
        if (person and person.blocked) or self.fault(faults.ZALO_BLOCKED, number.e164):
            raise No(-141)
        if self.fault(faults.ZALO_RESTRICTED, number.e164):
            raise No(-139)
        if self.left <= 0 or self.fault(faults.ZALO_QUOTA, number.e164):
            raise No(-144)
        return number

    def take(self, number: phone.Phone, body: Mapping[str, Any]) -> dict[str, Any]:
        """Takes a judged template by phone: on the phone at once, its receipt a little later."""
        msg_id, ref = self.taken(template=True), str(body["tracking_id"])
        if not self.fault(faults.ZALO_NO_RECEIPT, number.e164):
            text = self.shelf.find(str(body["template_id"])).read(body["template_data"])
            self.phones.deliver(number.e164, via="zalo", sender="Zalo OA", text=text, ref=ref, id=msg_id)
            self.events.received_by_phone(number.e164, number.international, msg_id, ref)
        quota = {"dailyQuota": str(DAILY_QUOTA), "remainingQuota": str(self.left)}
        return {"msg_id": msg_id, "sent_time": self.milliseconds(), "sending_mode": "1", "quota": quota}

    def show(self, person: people.Person, given: letter.Letter, template: bool = False) -> str:
        """Takes a message to a user id: on the phone at once, its receipt a little later; its id."""
        msg_id, more = self.taken(template), {**given.more, "chat": True}
        if not self.fault(faults.ZALO_NO_RECEIPT, person.phone):
            self.phones.deliver(
                person.phone, via="zalo", sender="Zalo OA", text=given.text, id=msg_id, more=more
            )
            self.events.from_page(person, given.echo, {"text": given.text, "msg_id": msg_id})
            self.events.received(person, msg_id)
        return msg_id

    def taken(self, template: bool) -> str:
        """The id of a message that is taken; templates count against the day's limit."""
        msg_id, now = uuid.uuid4().hex, self.phones.now()
        with self._lock:
            if template:
                self._day, self._sent = self._today(), (self._sent if self._day == self._today() else 0) + 1
            self._taken.add(msg_id)
            self._ledger.append(msg_id=msg_id, **({"at": now} if template else {}))
        return msg_id

    def status(self, msg_id: str) -> dict[str, Any]:
        at = self.phones.arrived(msg_id)
        if at is not None:
            return {"delivery_time": str(int(at * 1000)), "message": "Message is delivered", "status": 1}
        known = msg_id in self._taken
        return {"delivery_time": "", "message": "", "status": 0 if known else -1}

    def proven(self, token: str, proof: str | None) -> bool:
        """Whether appsecret_proof is right; it may be absent where it is not required."""
        if proof is None:
            return not self.settings.proof_required
        return hashes.same(proof, hashes.appsecret_proof(self.settings.app_secret, token))

    def milliseconds(self) -> str:
        return str(int(self.phones.now() * 1000))

    def close(self) -> None:
        for part in (self.keys, self.shelf, self.people, self.uploads, self.events, self._ledger):
            part.close()

    def _today(self) -> int:
        return _day_of(self.phones.now())


def _day_of(at: float) -> int:
    """The day in Vietnam, where the limit begins anew at midnight."""
    return int((at + _VIETNAM) // 86_400)
