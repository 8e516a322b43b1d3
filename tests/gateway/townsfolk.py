"""A stand-in Zalo without a network around it: a clock to move, a post that notes, people who speak."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from gateway.sandbox import network, server

AN, BINH = "+84905123456", "+84912345678"
TEMPLATES = (
    {
        "id": "1",
        "title": "Công an phường",
        "params": ["ten", {"name": "so", "max": 5}, {"name": "gio", "max": 20, "type": "DATE"}],
        "text": "{ten}: số {so}, {gio}.",
        "price_phone": 210,
        "price_uid": 160,
        "timeout": 900,
    },
    {"id": "2", "title": "Lịch hẹn", "params": ["ten", "so"]},
)
DATA = {"ten": "Bà Hường", "so": "042", "gio": "09:00 24/11/2026"}


class Post:
    """Hands everything over in the order of its time when it is told to, and notes what went to the webhook."""

    def __init__(self) -> None:
        self.mail: list[tuple[dict[str, str], bytes]] = []
        self._waiting: list[tuple[float, int, object]] = []
        self._count = 0

    def later(self, seconds, call):
        self._count += 1
        self._waiting.append((seconds, self._count, call))

    def until_taken(self, seconds, attempt, ladder=()):
        self.later(seconds, attempt)

    def ask(self, method, url, data, headers):
        self.mail.append((headers, data))
        return True

    def run(self, until: float = 10_000) -> list[dict]:
        """Does what is due within so many seconds; the events that went out meanwhile."""
        before = len(self.mail)
        while due := [one for one in self._waiting if one[0] <= until]:
            first = min(due, key=lambda one: one[:2])
            self._waiting.remove(first)
            first[2]()
        return [json.loads(body) for _, body in self.mail[before:]]


@dataclass
class Town:
    """`now` may be moved; the answers are JSON."""

    folder: object
    options: dict = field(default_factory=dict)
    now: float = 1_795_500_000.0

    def __post_init__(self):
        self.post = Post()
        self.phones = network.Network(self.folder, lambda: self.now)
        self.settings = server.Options(
            folder=self.folder,
            templates=TEMPLATES,
            receipt_delay=1,
            webhook_url="http://127.0.0.1:9/webhooks/zalo",
            **self.options,
        )
        self.app = server.create_app(self.phones, self.settings, post=self.post)
        self.client = self.app.test_client()
        self.pass_by(0)

    def pass_by(self, seconds):
        """Time passes; the token is a fresh one afterwards."""
        self.now += seconds
        self.token = self.client.get("/tools/token").json["access_token"]

    def ask(self, path, asked=None, headers=None, **query):
        """A POST of JSON, or a GET; always with the token."""
        words = {"headers": {"access_token": self.token} | (headers or {})}
        answer = (
            self.client.get(path, query_string=query, **words)
            if asked is None
            else self.client.post(path, json=asked, **words)
        )
        assert answer.status_code == 200
        return answer.json

    def data(self, path, **asked):
        """A question to the OA's host."""
        return self.ask(path, data=json.dumps(asked))

    def act(self, phone, name, /, **what):
        answer = self.client.post(f"/users/{phone}/{name}", json=what)
        assert answer.status_code == 200, answer.json
        return answer.json

    def user(self, phone):
        return self.client.post("/users", json={"phone": phone}).json["user_id"]

    def say(self, phone, message):
        """A consultation message to a person."""
        return self.ask(
            "/v3.0/oa/message/cs", {"recipient": {"user_id": self.user(phone)}, "message": message}
        )

    def texts(self, phone):
        return [one.text for one in self.phones.messages(phone)]

    def fault(self, name, **target):
        answer = self.client.post("/faults", json={"phone": None, **target, "fault": name, "on": True})
        assert answer.status_code == 200

    def close(self):
        for part in (*self.app.extensions["sandbox_accounts"], self.phones):
            part.close()
