"""A provider that costs as little as one can: HTTP/1.1 with keep-alive over a bare asyncio protocol.

`python -m tests.bench.provider PORT DELAY_MS REFUSED_PERCENT`. It answers as Zalo or eSMS by the path, refuses
a phone by its last digits, and counts what it was given:
GET /seen gives {"taken", "references", "doubled", "first"}; POST /reset forgets.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

OK = '{"error":0,"message":"Success","data":{"msg_id":"%s","sent_time":"1700000000123"}}'
NO_ZALO = '{"error":-118,"message":"no Zalo account"}'
SMS = '{"CodeResult":"100","CountRegenerate":0,"SMSID":"%s"}'


class Provider:
    """What was given to it, by reference."""

    def __init__(self, delay: float, refused: int):
        self.delay, self.refused = delay, refused
        self.references: Counter[str] = Counter()
        self.first: dict[str, float] = {}

    def answer(self, path: str, body: bytes) -> str:
        if path.startswith("/seen"):
            return json.dumps(
                {
                    "references": len(self.references),
                    "doubled": sum(count > 1 for count in self.references.values()),
                    "first": self.first,
                }
            )
        if path.startswith("/reset"):
            self.references, self.first = Counter(), {}
            return "{}"
        asked = json.loads(body)
        reference = asked.get("tracking_id") or asked["RequestId"]
        self.references[reference] += 1
        phone = asked.get("phone") or asked["Phone"]
        self.first.setdefault(phone[-9:], time.time())
        if "tracking_id" not in asked:
            return SMS % reference
        return NO_ZALO if int(phone[-5:]) % 100 < self.refused else OK % reference


class Connection(asyncio.Protocol):
    def __init__(self, provider: Provider):
        self._provider, self._read = provider, b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while True:
            head, ends, rest = self._read.partition(b"\r\n\r\n")
            if not ends:
                return
            length = _length(head)
            if len(rest) < length:
                return
            self._read = rest[length:]
            path = head.split(b" ", 2)[1].decode()
            text = self._provider.answer(path, rest[:length])
            slow = self._provider.delay if path not in ("/seen", "/reset") else 0
            if slow:
                asyncio.get_running_loop().call_later(slow, self._write, text)
            else:
                self._write(text)

    def _write(self, text: str) -> None:
        body = text.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.write(head.encode() + body)


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


async def serve(port: int, delay: float, refused: int) -> None:
    provider = Provider(delay, refused)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(provider), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]) / 1_000, int(sys.argv[3])))
