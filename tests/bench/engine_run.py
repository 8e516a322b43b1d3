"""The engine's run: the real worker with the real channels, over notices that are planned already.

`python -m tests.bench.engine_run DATABASE_URL PROVIDER_URL AT_ONCE RECEIPTS` works until every notice has been
taken by a provider (with RECEIPTS 1: until it was reported to have arrived) and prints {"seconds", "cpu"}.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

from sqlalchemy import text

from gateway import database
from gateway.channels.esms import Esms
from gateway.channels.zalo import ZaloTemplate
from gateway.rules import settings
from gateway.worker import Worker


class Token:
    """A token that lives."""

    def current(self) -> str:
        return "token"

    def renew(self, _used: str) -> str:
        return "token"


def config_of(at_once: int) -> settings.Settings:
    return settings.read(
        {
            "timetable": {"quiet_from": "00:00", "quiet_until": "00:00"},
            "zalo": {
                "concurrency": at_once,
                "templates": {"missed": {"id": "100004", "params": {"so": "{number}", "noi": "{place}"}}},
            },
            "sms": {"esms": {"concurrency": at_once}},
        },
        {},
    )


def worker_of(engine, provider: str, at_once: int) -> Worker:
    channels = {
        "zalo": ZaloTemplate(provider, Token(), concurrency=at_once),
        "esms": Esms(provider, "key", "secret", "CATHANHPHO", None, concurrency=at_once),
    }
    return Worker(engine, config_of(at_once), channels, lambda _tongue, text: text, lambda: int(time.time()))


LEFT = text("SELECT 1 FROM notices WHERE state IN ('created', 'sending') LIMIT 1")


def left(engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(LEFT).first() is not None


def main(url: str, provider: str, at_once: int) -> None:
    logging.basicConfig(level=logging.WARNING)
    engine = database.connect(url)
    worker = worker_of(engine, provider, at_once)
    cpu, began = time.process_time(), time.perf_counter()
    thread = threading.Thread(target=worker.run)
    thread.start()
    while left(engine):
        time.sleep(0.1)  # whoever measures must not cost more than what is measured
    seconds, spent = time.perf_counter() - began, time.process_time() - cpu
    worker.stop()
    thread.join()
    print(json.dumps({"seconds": seconds, "cpu": spent}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
