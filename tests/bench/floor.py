"""The floor: the same POSTs by a pool of `requests` sessions that keeps no state at all.

`python -m tests.bench.floor URL COUNT AT_ONCE REFUSED_PERCENT` prints {"seconds", "cpu"}: what the engine's run
prints too. Whoever is refused gets the second POST, as the engine's fallback does.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import requests

LOCAL = threading.local()


def phone_of(n: int) -> str:
    return f"849051{n:05d}"


def session() -> requests.Session:
    if not hasattr(LOCAL, "session"):
        LOCAL.session = requests.Session()
    return LOCAL.session


def send(url: str, n: int) -> bool:
    body = {
        "phone": phone_of(n),
        "template_id": "100004",
        "template_data": {"so": f"{n:05d}", "noi": "An Mỹ"},
        "tracking_id": f"bare_{n}",
    }
    answer = session().post(
        f"{url}/message/template", json=body, headers={"access_token": "token"}, timeout=20
    ).json()
    return answer["error"] == 0 or _sms(url, n)


def _sms(url: str, n: int) -> bool:
    body = {
        "ApiKey": "key",
        "SecretKey": "secret",
        "Phone": "0" + phone_of(n)[2:],
        "Content": f"CA TP: So {n:05d} da duoc goi nhung vang mat. Moi bao lai tai quay trong 30 phut.",
        "Brandname": "CATHANHPHO",
        "SmsType": "2",
        "IsUnicode": "0",
        "Sandbox": "0",
        "RequestId": f"sms_{n}",
    }
    path = "/MainService.svc/json/SendMultipleMessage_V4_post_json/"
    return session().post(url + path, json=body, timeout=20).json()["CodeResult"] == "100"


def main(url: str, count: int, at_once: int) -> None:
    cpu, began = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        assert all(pool.map(lambda n: send(url, n), range(count)))
    print(json.dumps({"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
