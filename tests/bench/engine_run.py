"""The engine's run: the real worker with the real channels, over notices that are planned already.

`python -m tests.bench.engine_run DATABASE_URL PROVIDER_URL AT_ONCE UNTIL` works until every notice that is due
was taken by a provider (UNTIL `sent`) or is known to have arrived (`delivered`).
"""

from __future__ import annotations

import logging
import sys
import threading
import time

from sqlalchemy import Engine, text

from gateway import database
from gateway.channels.esms import Esms
from gateway.channels.zalo import ZaloTemplate
from gateway.rules import settings
from gateway.worker import Worker
from tests.bench import spending

LOOK_SECONDS = 0.05  # whoever measures must not cost more than what is measured
# Worded as the partial indexes are, the cheap one first: looking must cost next to nothing, also with a million rows
_DUE = """
SELECT 1 FROM notices WHERE state = 'created' AND channel IN ('zalo', 'esms', 'modem') AND urgent IN (true, false)
AND due <= :now LIMIT 1
"""
_OUT = "SELECT 1 FROM notices WHERE state IN ('sending', 'sent', 'unknown') AND {} LIMIT 1"
LEFT = {
    "sent": (text(_DUE), text(_OUT.format("state = 'sending'"))),
    "delivered": (text(_DUE), text(_OUT.format("true"))),
}


class Token:
    """A token that lives."""

    def current(self) -> str:
        return "token"

    def renew(self, _used: str) -> str:
        return "token"


def config_of(at_once: int) -> settings.Settings:
    template = {"id": "100004", "params": {"so": "{number}", "noi": "{place}"}}
    return settings.read(
        {
            "timetable": {"quiet_from": "00:00", "quiet_until": "00:00"},
            "zalo": {"concurrency": at_once, "templates": {"missed": template, "called": template}},
            "sms": {"esms": {"concurrency": at_once}},
        },
        {},
    )


def worker_of(engine: Engine, provider: str, at_once: int) -> Worker:
    channels = {
        "zalo": ZaloTemplate(provider, Token(), concurrency=at_once),
        "esms": Esms(provider, "key", "secret", "CATHANHPHO", None, concurrency=at_once),
    }
    return Worker(engine, config_of(at_once), channels, lambda _tongue, text: text, lambda: int(time.time()))


def left(engine: Engine, until: str) -> bool:
    now = {"now": int(time.time())}
    with engine.connect() as connection:
        return any(connection.execute(one, now).first() for one in LEFT[until])


def main(url: str, provider: str, at_once: int, until: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    engine = database.connect(url)
    worker = worker_of(engine, provider, at_once)
    thread = threading.Thread(target=worker.run)

    def work() -> None:
        thread.start()
        while left(engine, until):
            time.sleep(LOOK_SECONDS)

    spending.told(work)
    worker.stop()
    thread.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
