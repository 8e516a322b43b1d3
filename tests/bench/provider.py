"""A provider that costs as little as one can: HTTP/1.1 with keep-alive over a bare asyncio protocol.

`python -m tests.bench.provider PORT DELAY_MS REFUSED_PERCENT`. It answers as Zalo or eSMS by the body, refuses
a phone by its last digits, and counts what it was given:
GET /seen gives {"references", "doubled"}, GET /first {phone's last nine digits: when it was first asked},
GET /receipts what it took since the last time it was asked, as [channel, reference]; GET /reset forgets.
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
BALANCE = '{"CodeResponse":"100","Balance":1000000}'


class Provider:
    """What was given to it, by reference."""

    def __init__(self, delay: float, refused: int):
        self.delay, self.refused = delay, refused
        self._reset()

    def _reset(self) -> None:
        self._references: Counter[str] = Counter()
        self._first: dict[str, float] = {}
        self._taken: list[tuple[str, str]] = []

    def told(self, path: str) -> str:
        """What whoever measures asks."""
        if path == "/first":
            return json.dumps(self._first)
        if path == "/receipts":
            taken, self._taken = self._taken, []
            return json.dumps(taken)
        if path == "/reset":
            self._reset()
        doubled = sum(count > 1 for count in self._references.values())
        return json.dumps({"references": len(self._references), "doubled": doubled})

    def answer(self, body: bytes) -> str:
        asked = json.loads(body)
        by_zalo = "tracking_id" in asked
        if not by_zalo and "RequestId" not in asked:  # what is left on the account
            return BALANCE
        reference, phone = (
            (asked["tracking_id"], asked["phone"]) if by_zalo else (asked["RequestId"], asked["Phone"])
        )
        self._references[reference] += 1
        self._first.setdefault(phone[-9:], time.time())
        if by_zalo and int(phone[-5:]) % 100 < self.refused:
            return NO_ZALO
        self._taken.append(("zalo" if by_zalo else "esms", reference))
        return (OK if by_zalo else SMS) % reference


class Connection(asyncio.Protocol):
    def __init__(self, provider: Provider):
        self._provider, self._read = provider, b""

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while True:
            head, ends, rest = self._read.partition(b"\r\n\r\n")
            length = _length(head) if ends else 0
            if not ends or len(rest) < length:
                return
            self._read = rest[length:]
            self._asked(head, rest[:length])

    def _asked(self, head: bytes, body: bytes) -> None:
        method, path, _ = head.split(b" ", 2)
        if method == b"GET":
            self._write(self._provider.told(path.decode()))
            return
        text = self._provider.answer(body)
        if self._provider.delay:
            asyncio.get_running_loop().call_later(self._provider.delay, self._write, text)
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
