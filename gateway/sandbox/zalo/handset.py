"""What a person does on their phone: follows the page, writes to it, taps its buttons, looks, turns away."""

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import flask

from gateway.rules import phone
from gateway.sandbox import telling
from gateway.sandbox.zalo import people, shelf
from gateway.sandbox.zalo.account import OfficialAccount
from gateway.sandbox.zalo.letter import LONGEST_TEXT

LONGEST_NAME = 100
KINDS = ("image", "file", "sticker", "location", "audio", "video", "link")


class Wrong(Exception):
    """What cannot be done on a phone; the text says why."""


class Handset:
    """One person's phone; every act says what came of it."""

    def __init__(self, account: OfficialAccount, number: phone.Phone, host: str) -> None:
        self._account, self._number, self._host = account, number, host
        self._person = account.people.of(number.e164, account.phones.now())

    def follow(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._change(following=True, blocked=False, spoke_at=self._now())
        self._account.events.followed(self._person, "follow")
        return {}

    def unfollow(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._change(following=False)
        self._account.events.followed(self._person, "unfollow")
        return {}

    def block(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Zalo tells the page nothing of it; `on` false takes it back."""
        self._change(blocked=asked.get("on", True) is not False)
        return {}

    def text(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        words = asked.get("text")
        if not isinstance(words, str) or not 0 < len(words.strip()) <= LONGEST_TEXT:
            raise Wrong(f"a text has 1 to {LONGEST_TEXT} characters")
        return self._say(words.strip())

    def tap(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Taps a button by its title: of the message with this id, or of the newest that has such a button."""
        button = self._button(str(asked.get("title", "")), asked.get("id"))
        if "query" in button:
            return self._say(button["query"], shown=button["type"] == "oa.query.show")
        return {name: button[name] for name in ("url", "call") if name in button}

    def picture(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Sends a small sample picture, or something of another kind."""
        kind = asked.get("kind", "image")
        if kind not in KINDS:
            raise Wrong(f"a kind is one of {', '.join(KINDS)}")
        url = f"{self._host}media/{self._account.uploads.sample()}"
        payload = _payload(kind, url)
        more = {"picture": f"/media/{self._account.uploads.sample()}"} if kind == "image" else {"file": kind}
        msg_id = self._wrote("", more)
        message = {"msg_id": msg_id, "attachments": [{"type": kind, "payload": payload}]}
        self._account.events.from_person(self._person, f"user_send_{kind}", message=message)
        return {"id": msg_id}

    def share(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Fills in the form for a name and a phone, of which Zalo proposes the person's own."""
        number = phone.parse(str(asked.get("phone") or self._number.e164))
        name = str(asked.get("name") or self._person.name)[:LONGEST_NAME]
        if isinstance(number, phone.PhoneFault):
            raise Wrong(number.english)
        info = {"name": name, "phone": number.international}
        info |= {one: str(asked.get(one, ""))[:200] for one in ("address", "city", "district", "ward")}
        self._spoke(shared=info)
        self._account.events.from_person(self._person, "user_submit_info", info=info)
        return {}

    def seen(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The person looks at the chat; templates by phone have no such receipt."""
        new = [one for one in self._incoming() if one.at > self._person.seen_to]
        if not new:
            return {"seen": []}
        self._change(seen_to=new[-1].at)
        ids = [one.id for one in new if one.more.get("chat")]
        if ids:
            self._account.events.seen(self._person, ids)
        return {"seen": ids}

    def open(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Opens the chat from the page's profile, which counts as an interaction."""
        self._spoke()
        self._account.events.from_person(self._person, "user_click_chatnow")
        return {}

    def withdraw(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Takes back the leave to use this person's data."""
        self._change(following=False, spoke_at=0.0, shared=None, tags=())
        self._account.events.from_person(self._person, "user_withdraw")
        return {}

    def age(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Moves the last interaction so many hours back, for trying the 48 hours and the seven days."""
        hours = asked.get("hours")
        if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 <= hours <= 10_000:
            raise Wrong("hours is a number from 0 to 10000")
        if self._person.spoke_at:
            self._change(spoke_at=max(1.0, self._person.spoke_at - hours * 3_600))
        return {}

    def shown(self) -> dict[str, Any]:
        return described(self._person, self._account)

    def _say(self, words: str, shown: bool = True) -> dict[str, Any]:
        msg_id = self._wrote(words, {}) if shown else uuid.uuid4().hex
        self._spoke()
        message = {"text": words, "msg_id": msg_id}
        self._account.events.from_person(self._person, "user_send_text", message=message)
        return {"id": msg_id, "text": words}

    def _wrote(self, words: str, more: Mapping[str, Any]) -> str:
        msg_id = uuid.uuid4().hex
        self._spoke()
        self._account.phones.deliver(
            self._number.e164, via="mine", sender=self._person.name, text=words, id=msg_id, more=more
        )
        return msg_id

    def _spoke(self, **more: Any) -> None:
        if self._person.blocked:
            raise Wrong("the page is blocked on this phone")
        self._change(spoke_at=self._now(), **more)

    def _change(self, **what: Any) -> None:
        self._person = self._account.people.change(self._person.user_id, **what)

    def _button(self, title: str, id: Any) -> Mapping[str, Any]:
        for message in reversed(self._incoming()):
            if id in (None, message.id):
                for button in message.more.get("buttons", ()):
                    if button["title"] == title:
                        return button
        raise Wrong("no message has this button")

    def _incoming(self) -> list[Any]:
        return [one for one in self._account.phones.messages(self._number.e164) if one.via == "zalo"]

    def _now(self) -> float:
        return self._account.phones.now()


ACTS: dict[str, Callable[[Handset, Mapping[str, Any]], dict[str, Any]]] = {
    name: getattr(Handset, name)
    for name in ("follow", "unfollow", "block", "text", "tap", "picture", "share", "seen", "open", "withdraw", "age")
}  # fmt: skip


def blueprint(account: OfficialAccount) -> flask.Blueprint:
    """What the sandbox's page, and tests, do for the town's people."""
    routes = flask.Blueprint("handset", __name__)
    routes.register_error_handler(Wrong, lambda fault: ({"error": str(fault)}, 409))

    @routes.get("/users")
    def everybody():
        return {"users": [described(person, account) for person in account.people.listed()]}

    @routes.post("/users")
    def add():
        body = telling.asked() or {}
        number = phone.parse(str(body.get("phone", "")))
        if not isinstance(number, phone.Phone) or number.kind is not phone.Kind.MOBILE:
            return {"error": "a Vietnamese mobile number is needed"}, 400
        name = str(body.get("name") or "")[:LONGEST_NAME]
        return described(account.people.of(number.e164, account.phones.now(), name), account), 201

    @routes.post("/users/<number>/<act>")
    def do(number: str, act: str):
        parsed, body = phone.parse(number), telling.asked()
        if isinstance(parsed, phone.PhoneFault) or act not in ACTS:
            return {"error": "no such phone or act"}, 404
        handset = Handset(account, parsed, flask.request.host_url)
        done = ACTS[act](handset, body or {})
        return {"user": handset.shown(), **done}

    _add_things(routes, account)
    return routes


def _add_things(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.get("/media/<name>")
    def media(name: str):
        return flask.send_from_directory(account.uploads.folder.absolute(), name, max_age=3600)

    @routes.post("/templates/<id>")
    def change(id: str):
        """Zalo approves, refuses or shuts a template; it tells the page so."""
        body = telling.asked() or {}
        state = body.get("status")
        if account.shelf.find(id) is None or state not in shelf.STATES.values():
            return {"error": f"a status is one of {', '.join(shelf.STATES.values())}"}, 400
        before, reason = account.shelf.put(id, state), str(body.get("reason", ""))[:200]
        status = {"prev_status": before, "new_status": state}
        account.events.account("change_template_status", template_id=id, status=status, reason=reason)
        return {"id": id, "status": state}


def described(person: people.Person, account: OfficialAccount) -> dict[str, Any]:
    """A person for the sandbox's page; `unseen`: messages in the chat that were not looked at yet."""
    waiting = account.phones.messages(person.phone)
    return {
        "user_id": person.user_id,
        "phone": person.phone,
        "name": person.name,
        "following": person.following,
        "blocked": person.blocked,
        "since": datetime.fromtimestamp(person.made_at, UTC).isoformat(timespec="seconds"),
        "spoke_at": person.spoke_at or None,
        "shared": person.shared is not None,
        "tags": list(person.tags),
        "unseen": sum(one.via == "zalo" and one.at > person.seen_to for one in waiting),
    }


def _payload(kind: str, url: str) -> dict[str, Any]:
    if kind == "location":
        return {"coordinates": {"latitude": "15.5736", "longitude": "108.4740"}}
    if kind == "file":
        return {"url": url, "size": "2048", "name": "giay-to.png", "type": "png", "checksum": "0" * 32}
    if kind == "link":
        return {
            "url": "https://example.vn/bai-viet",
            "title": "Bài viết",
            "thumbnail": url,
            "description": "",
        }
    return {"url": url, "thumbnail": url} if kind in ("image", "video") else {"url": url}
