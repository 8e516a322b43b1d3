"""The floor: the same POSTs by a pool of threads that keeps no state at all.

`python -m tests.bench.floor URL FIRST COUNT AT_ONCE HOW`; HOW is `requests` (a session for each thread, as one
writes it) or `exchange` (the product's own connections, to see what those alone give). Whoever Zalo refuses gets
an SMS from a second pool as large: the engine has a lane for each channel too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import requests

from gateway.channels.exchange import Exchange
from tests.bench import spending

Post = Callable[[str, Mapping[str, Any], Mapping[str, str]], Mapping[str, Any]]
SMS_PATH = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"
LOCAL = threading.local()


def phone_of(n: int) -> str:
    return f"849051{n:05d}"


def by_requests(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Mapping[str, Any]:
    if not hasattr(LOCAL, "session"):
        LOCAL.session = requests.Session()
    return LOCAL.session.post(url, json=body, headers=headers, timeout=20).json()


def by_exchange() -> Post:
    shared = Exchange(20)
    return lambda url, body, headers: shared.post_json(url, body, headers).document


def by_zalo(post: Post, url: str, n: int) -> bool:
    body = {
        "phone": phone_of(n),
        "template_id": "100004",
        "template_data": {"so": f"{n:05d}", "noi": "An Mỹ"},
        "tracking_id": f"a_{n:032d}",
    }
    return post(f"{url}/message/template", body, {"access_token": "token"})["error"] == 0


def by_sms(post: Post, url: str, n: int) -> bool:
    body = {
        "ApiKey": "key",
        "SecretKey": "secret",
        "Phone": "0" + phone_of(n)[2:],
        "Content": f"CA TP: So {n:05d} da duoc goi nhung vang mat. Moi bao lai tai quay trong 30 phut.",
        "Brandname": "CATHANHPHO",
        "SmsType": "2",
        "IsUnicode": "0",
        "Sandbox": "0",
        "RequestId": f"b_{n:032d}",
    }
    return post(url + SMS_PATH, body, {})["CodeResult"] == "100"


def main(url: str, first: int, count: int, at_once: int, how: str) -> None:
    post = by_requests if how == "requests" else by_exchange()
    zalo, sms = ThreadPoolExecutor(at_once), ThreadPoolExecutor(at_once)

    def one(n: int) -> Future[bool] | None:
        return None if by_zalo(post, url, n) else sms.submit(by_sms, post, url, n)

    def work() -> None:
        with sms, zalo:
            assert all(second.result() for second in zalo.map(one, range(first, first + count)) if second)

    spending.told(work)


if __name__ == "__main__":
    main(sys.argv[1], *(int(number) for number in sys.argv[2:5]), sys.argv[5])
