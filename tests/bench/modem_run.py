"""The engine's run with a modem: the real worker and lane, as the configuration connects them, over notices that
are planned already.

`python -m tests.bench.modem_run DATABASE_URL LINKS PARTS UNTIL` works until every notice was handed over (UNTIL
`sent`) or all their parts' reports say that it arrived (`delivered`), or for ever (`killed`). LINKS have commas
between them.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from gateway import connections, database
from gateway.rules import settings
from gateway.worker import Worker
from tests.bench import engine_run, modems, spending
from tests.running import until


def config_of(links: Sequence[str], parts: int) -> settings.Settings:
    """SIMs that may send as fast as they can: the lane `modem`, then `modem1`, …"""
    names = ["modem", *(f"modem{n}" for n in range(1, len(links)))]
    sims = {
        name: {
            "url": f"serial://{Path(link).absolute()}?baud=115200",
            "per_minute": 100_000,
            "per_day": 1_000_000,
        }
        for name, link in zip(names, links, strict=True)
    }
    return settings.read(
        {
            "timetable": {"quiet_from": "00:00", "quiet_until": "00:00"},
            "notices": {"ladder": ["sms"]},
            "sms": {
                "providers": names,
                "unaccented": parts == 1,
                "texts": {"missed": modems.PATTERNS[parts]},
                "modem": sims.pop("modem"),
                "modems": sims,
            },
        },
        {},
    )


def main(url: str, links: Sequence[str], parts: int, until_state: str) -> None:
    logging.basicConfig(level=logging.WARNING)
    engine, config = database.connect(url), config_of(links, parts)

    def now() -> int:
        return int(time.time())

    channels = connections.channels(config, engine, now)
    until(lambda: all(one.ready() for one in channels.values()), what="the modem's beginning")
    worker = Worker(engine, config, channels, lambda _tongue, text: text, now)
    thread = threading.Thread(target=worker.run)

    def work() -> None:
        thread.start()
        while until_state == "killed" or engine_run.left(engine, until_state):
            time.sleep(engine_run.LOOK_SECONDS)

    spending.told(work)
    worker.stop()
    thread.join()
    for one in channels.values():
        one.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2].split(","), int(sys.argv[3]), sys.argv[4])
