"""Ten thousand calls of Zalo's webhook, from eight at once: real events, the same again, forged, broken, strange.

Every call knows beforehand what it must be answered and which event it leaves behind. The generator is seeded;
an event is known by its timestamp, which no other has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import func, select

from gateway import database, tables
from gateway.rules import settings
from gateway.web.app import create_app

APP, OA, SECRET = "1234567890", "99", "s3cr3t-oa"
CALLS = {"sqlite": int(os.environ.get("WEBHOOK_CALLS", "3_000")), "postgresql": 1_000}  # `make soak`: ten thousand
CALLERS = 8
LARGEST = 256 * 1024
FIRST = 1_700_000_000_000  # ms
MESSAGES = (
    "text", "image", "file", "audio", "video", "sticker", "location", "link", "business_card", "gif", "list",
)  # fmt: skip
OF_A_PERSON = (
    "follow", "unfollow", "user_click_chatnow", "user_submit_info", "user_withdraw", "update_user_info",
    "user_feedback", "add_user_to_tag", "remove_user_from_tag", "widget_interaction_accepted",
    "anonymous_send_text",
)  # fmt: skip
OF_THE_ACCOUNT = (
    "change_oa_daily_quota", "change_template_status", "change_template_quality", "change_template_quota",
    "change_oa_template_tags", "event_journey_time_out", "new_in_2027", "x",
)  # fmt: skip
TEXTS = ("Xin số thứ tự", "so cua toi", "#huy A-042", "", "😀" * 40, "<script>", "%s{}'\";--", "x" * 3_000)


@dataclass(frozen=True)
class Call:
    """`leaves`: the timestamp of the event that is kept because of it, `rows` how many rows that takes."""

    kind: str
    body: bytes
    headers: dict[str, str]
    status: int = 200
    leaves: str = ""
    rows: int = 1


class Zalo:
    """Makes calls as Zalo makes them, and as nobody should."""

    def __init__(self, seed: int):
        self.chance = random.Random(seed)
        self._count = 0

    def stamp(self) -> str:
        self._count += 1
        return str(FIRST + self._count)

    def number(self) -> str:
        return str(self.chance.randrange(10**17, 10**19))

    def event(self) -> dict[str, Any]:
        make = self.chance.choice(
            (self._message, self._about_a_person, self._receipt, self._about_the_account)
        )
        return {"app_id": APP, "timestamp": self.stamp(), **make()}

    def _message(self) -> dict[str, Any]:
        kind = self.chance.choice(MESSAGES)
        incoming = self.chance.random() < 0.7
        ids = [{"id": self.number()}, {"id": OA}]
        message: dict[str, Any] = {"msg_id": self.number(), "text": self.chance.choice(TEXTS)}
        if kind != "text":
            place = {"latitude": "15.57", "longitude": "108.48"}
            payload = {"url": "https://example.vn/a.jpg", "thumbnail": "", "coordinates": place}
            message["attachments"] = [{"type": kind, "payload": payload}]
        return {
            "event_name": f"{'user' if incoming else 'oa'}_send_{kind}",
            "sender": ids[0] if incoming else {**ids[1], "admin_id": "12"},
            "recipient": ids[1] if incoming else ids[0],
            "user_id_by_app": self.number(),
            "message": message,
        }

    def _about_a_person(self) -> dict[str, Any]:
        name = self.chance.choice(OF_A_PERSON)
        told: dict[str, Any] = {"event_name": name, "oa_id": OA, "user_id_by_app": self.number()}
        if name in ("follow", "unfollow"):
            return told | {"follower": {"id": self.number()}, "source": "oa_profile"}
        if name == "user_submit_info":
            phone = self.chance.choice(("84905123456", 84905123456, "0905123456", "+84 905 123 456"))
            told["info"] = {
                "name": "Nguyễn Thị Hương",
                "phone": phone,
                "full_address": {"user_city": "Đà Nẵng"},
            }
        return told | {"sender": {"id": self.number()}, "recipient": {"id": OA}}

    def _receipt(self) -> dict[str, Any]:
        told: dict[str, Any] = {"sender": {"id": OA}, "recipient": {"id": self.number()}}
        kind = self.chance.choice(("zns", "oa", "seen"))
        if kind == "seen":
            ids = [self.number() for _ in range(self.chance.choice((1, 2, 3, 20)))]
            return told | {"event_name": "user_seen_message", "message": {"msg_ids": ids}}
        message = {"msg_id": self.number()}
        if kind == "zns":
            message |= {"tracking_id": f"ntc_{self.number()}", "delivery_time": str(FIRST)}
        return told | {"event_name": "user_received_message", "message": message}

    def _about_the_account(self) -> dict[str, Any]:
        name = self.chance.choice(OF_THE_ACCOUNT)
        quota = {"prev_value": 1_000, "new_value": 2_000}
        status = {"prev_status": "PENDING_REVIEW", "new_status": "DISABLE"}
        return {"event_name": name, "oaId": OA, "template_id": "312345", "quota": quota, "status": status}

    def octets(self, event: dict[str, Any]) -> bytes:
        """The same event as octets, in one of the ways in which JSON is written."""
        compact = self.chance.random() < 0.7
        ascii_only = self.chance.random() < 0.3
        separators = (",", ":") if compact else (", ", ": ")
        written = json.dumps(event, ensure_ascii=ascii_only, separators=separators)
        return written.encode("utf-8", "surrogatepass")

    def genuine(self) -> Call:
        event = self.event()
        body = self.octets(event)
        rows = len(event.get("message", {}).get("msg_ids", [1]))
        return Call("genuine", body, signature(body, event["timestamp"]), 200, event["timestamp"], rows)

    def again(self, call: Call) -> Call:
        """What Zalo sends again, or somebody who has recorded it."""
        more = {"num_retry": str(self.chance.randrange(1, 6)), "X-ZEvent-Timestamp": self.stamp()}
        return replace(call, kind="again", headers=call.headers | more)

    def forged(self) -> Call:
        event = self.event()
        body, stamp = self.octets(event), event["timestamp"]
        good = signature(body, stamp)
        other = self.octets(event | {"app_id": "666"})
        nameless = self.octets({name: value for name, value in event.items() if name != "app_id"})
        timeless = self.octets({name: value for name, value in event.items() if name != "timestamp"})
        odd = self.octets(event | {"timestamp": float(stamp)})
        keyed = hmac.new(SECRET.encode(), APP.encode() + body + stamp.encode(), hashlib.sha256).hexdigest()
        body, headers = self.chance.choice(
            (
                (body, {}),
                (body, {"X-ZEvent-Signature": ""}),
                (body, {"X-ZEvent-Signature": "mac="}),
                (body, {"X-ZEvent-Signature": "mac=" + "0" * 64}),
                (body, {"X-ZEvent-Signature": f"mac={keyed}"}),
                (body, {"X-ZEvent-Signature": "mac=\xff\xfe\xfd"}),
                (body, {"X-ZEvent-Signature": good["X-ZEvent-Signature"][:-1]}),
                (body, signature(body, stamp, secret="wrong")),
                (body, signature(body, stamp, secret="")),
                (body, signature(body, stamp, app="")),
                (body, signature(body, "")),
                (body.replace(stamp.encode(), self.stamp().encode()), good),
                (body.replace(b":", b": ", 1), good),
                (body + b" ", good),
                (other, signature(other, stamp)),
                (other, signature(other, stamp, app="666")),
                (nameless, signature(nameless, stamp)),
                (timeless, signature(timeless, "")),
                (odd, signature(odd, stamp)),
            )
        )
        return Call("forged", body, headers)

    def malformed(self) -> Call:
        event = self.event()
        body, stamp = self.octets(event), event["timestamp"]
        body = self.chance.choice(
            (
                b"!" + self.chance.randbytes(self.chance.randrange(300)),
                body[: self.chance.randrange(1, len(body))],
                body + body,
                b"[" + body + b"]",
                b"[" * self.chance.randrange(2_000, 50_000),
                b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
                body.replace(b"{", b'{"n":NaN,', 1),
                body.replace(b"{", b'{"n":-Infinity,', 1),
                body.replace(b"{", b'{"n":' + b"9" * 5_000 + b",", 1),
                body.replace(b"event_name", b"name"),
                body.decode().encode("utf-16"),
                json.dumps(event | {"event_name": ["follow"]}).encode(),
                json.dumps(event | {"event_name": None}).encode(),
                json.dumps(event | {"event_name": "a\0b"}).encode(),
                json.dumps(event | {"event_name": "\ud800"}).encode(),
                json.dumps(event | {"event_name": "n" * 61}).encode(),
                b"null",
                b'"' + stamp.encode() + b'"',
            )
        )
        return Call("malformed", body, signature(body, stamp), 400)

    def oversized(self) -> Call:
        event = self.event() | {"filler": "a" * LARGEST}
        body = self.octets(event)
        return Call("oversized", body, signature(body, event["timestamp"]), 413)

    def strange(self) -> Call:
        """Signed as it should be, and of a shape that nobody has promised: kept, as it is Zalo's."""
        event = self._message() | {"event_name": "user_send_text", "app_id": APP, "timestamp": self.stamp()}
        stamp = event["timestamp"]
        body = self.chance.choice(
            (
                lambda: self.octets(self._bent(event)),
                lambda: self.octets(event | {"app_id": int(APP), "timestamp": int(stamp)}),
                lambda: self.octets(event | {"message": {"msg_id": int(self.number()) << 60}}),
                lambda: self.octets(event | {"message": {"msg_id": "m" * 200}}),
                lambda: b"\xef\xbb\xbf" + self.octets(event),
                lambda: b" \r\n" + self.octets(event) + b"\n",
                lambda: json.dumps(event | {"text": "\ud83d \0 \ude00"}).encode(),
                lambda: self.octets(event).replace(b"{", b'{"app_id":"666","timestamp":7,', 1),
                lambda: self.octets(event).replace(b"{", b'{"octets":"\xff\xfe",', 1),
                lambda: self.octets(event).replace(b"{", b'{"n":1e999,', 1),
                lambda: self.octets(event).replace(b"{", b'{"n":' + b"[" * 90 + b"]" * 90 + b",", 1),
                lambda: self.octets(event | {"filler": "a" * self.chance.randrange(200_000, 250_000)}),
            )
        )()
        return Call("strange", body, signature(body, stamp), 200, stamp)

    def _bent(self, event: dict[str, Any]) -> dict[str, Any]:
        """Something else stands where an id, a person, a message or an attachment was promised."""
        worn = (None, True, -1, 1.5, "", "\0", "\ud800", "đ" * 90, [], [[]], {}, {"": 0}, ["m", {"id": 1}])
        name = self.chance.choice(("message", "sender", "recipient", "user_id_by_app", "oa_id", "info"))
        value = self.chance.choice(worn)
        if name == "message" and self.chance.random() < 0.6:
            part = self.chance.choice(("text", "attachments", "msg_id", "quote_msg_id", "msg_ids"))
            value = {**event["message"], part: value if part != "msg_id" or value != -1 else None}
        return event | {name: value}


def signature(body: bytes, stamp: str, app: str = APP, secret: str = SECRET) -> dict[str, str]:
    """The header that Zalo sends, written from its description: not by the code that is tested."""
    mac = hashlib.sha256(app.encode() + body + stamp.encode() + secret.encode()).hexdigest()
    return {"X-ZEvent-Signature": f"mac={mac}", "X-ZEvent-Server": "OA OpenAPI"}


@pytest.fixture
def posted(engine, tmp_path, eight) -> Callable[[Sequence[Call]], Counter]:
    """Posts calls from several threads; how often each (kind, promised status, status) came."""
    document = {
        "web": {"secret_key_file": str(tmp_path / "key")},
        "zalo": {"app_id": APP, "oa_id": OA},
    }
    environ = {"GATEWAY_ZALO__WEBHOOK_SECRET": SECRET, "GATEWAY_ZALO__APP_SECRET": "s3cr3t-app"}
    app = create_app(settings.read(document, environ), engine, now=lambda: eight)

    def post(calls: Sequence[Call]) -> Counter:
        def work(share: Sequence[Call]) -> Counter:
            client = app.test_client()
            return Counter((call.kind, call.status, _answer(client, call)) for call in share)

        with ThreadPoolExecutor(CALLERS) as pool:
            return sum(pool.map(work, [calls[first::CALLERS] for first in range(CALLERS)]), Counter())

    return post


def _answer(client: Any, call: Call) -> int:
    """The status; who is told 503 comes again, as Zalo does."""
    for _ in range(50):
        status = client.post("/webhooks/zalo", data=call.body, headers=call.headers).status_code
        if status != 503:
            break
    return status


def everything(engine) -> dict[str, int]:
    """The tables that have rows."""
    with database.reading(engine) as session:
        found = {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in tables.Table.metadata.sorted_tables
        }
    return {name: count for name, count in found.items() if count}


def promised(calls: Sequence[Call]) -> Counter:
    return Counter((call.kind, call.status, call.status) for call in calls)


def test_nothing_breaks_it_nothing_forged_is_kept_and_every_event_is_kept_once(engine, posted, until):
    zalo, most = Zalo(20_261_124), CALLS[engine.dialect.name]
    share = most // 20
    genuine = [zalo.genuine() for _ in range(5 * share)]
    bad = [zalo.forged() for _ in range(4 * share)] + [zalo.malformed() for _ in range(2 * share)]
    bad += [zalo.oversized() for _ in range(share // 4)]
    rest = genuine + [zalo.strange() for _ in range(3 * share)]
    rest += [zalo.again(zalo.chance.choice(rest)) for _ in range(most - len(rest) - len(bad))]
    for part in (bad, rest):
        zalo.chance.shuffle(part)

    first, second = bad[: len(bad) // 2], rest + bad[len(bad) // 2 :]
    assert posted(first) == promised(first)
    until(lambda: everything(engine))
    assert everything(engine) == {"alerts": 1}  # that forgeries come, and nothing of what they say

    zalo.chance.shuffle(second)
    assert posted(second) == promised(second)
    assert len(first) + len(second) == most

    events = {call.leaves: call.rows for call in rest if call.leaves}
    assert kept(engine) == Counter(events.keys())
    until(lambda: "facts" in everything(engine))
    assert everything(engine) == {"alerts": 1, "facts": 2, "receipts": sum(events.values())}


def kept(engine) -> Counter:
    """How often each event was kept, by what its stored body says of itself."""
    with database.reading(engine) as session:
        bodies = session.scalars(select(tables.Receipt.body).where(tables.Receipt.body != "")).all()
    for body in bodies:
        json.dumps(
            json.loads(body), ensure_ascii=False
        ).encode()  # nothing in it that cannot be written again
        assert "\0" not in body
    return Counter(str(json.loads(body)["timestamp"]) for body in bodies)
