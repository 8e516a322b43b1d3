"""One desk's turns, one after another, without any lane: what the rows alone cost.

`python -m tests.bench.turns DATABASE_URL TURNS SIZE` claims SIZE notices a turn, writes down as many results a
turn, then takes turns with nothing to do; prints {"claim", "record", "idle"} as medians in milliseconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

from gateway import database
from gateway.notices import Result, Room
from gateway.rules.lifecycle.notice import Event, Happening
from gateway.worker.desk import Brought, Desk, Turn
from tests.bench.engine_run import config_of


def main(url: str, turns: int, size: int) -> None:
    desk = Desk(database.connect(url), config_of(32), ("zalo", "esms"), "bench:turns")
    took: dict[str, list[float]] = {"claim": [], "record": [], "idle": []}

    def turn(what: str, brought: Brought, room: int) -> Turn:
        now, began = int(time.time()), time.perf_counter()
        found = desk.turn(brought, {"zalo": Room(room, 0), "esms": Room(room, 0)}, now)
        took[what].append(1_000 * (time.perf_counter() - began))
        assert found.written
        return found

    claimed = [turn("claim", Brought(), size).tasks for _ in range(turns)]
    assert all(len(tasks) == size for tasks in claimed)
    for tasks in claimed:
        results = [
            Result(task, Event(Happening.ACCEPTED), "", f"z{task.attempt_id}", 1, 300) for task in tasks
        ]
        turn("record", Brought(results), 0)
    for _ in range(turns):
        turn("idle", Brought(), size)
    print(json.dumps({what: statistics.median(each) for what, each in took.items()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
