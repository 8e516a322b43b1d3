"""The engine's work stays as small with a million ended notices behind it as with a thousand."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Engine, text

from gateway import database
from tests.bench import measuring

pytestmark = [pytest.mark.processes, pytest.mark.postgres, pytest.mark.timeout(1_800)]
SIZES = (1_000, 10_000, 100_000, 1_000_000)
FUTURE, WAITING = 3_000, 1_000  # notices for later, and notices that wait for their receipts, at every size
TURNS, SIZE, SENT, DAYS = 40, 64, 2_000, 20

NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :end)",
    "postgresql": "WITH n AS (SELECT generate_series(CAST(:first AS bigint), :end - 1) AS i)",
}
PADDED = {"sqlite": "printf('%0{}d', {})", "postgresql": "lpad(({1})::text, {0}, '0')"}
NOTICES = """
INSERT INTO notices (id, key, kind, phone, language, data, urgent, ladder, state, rung, channel, tries, asked,
    due, deadline, reason, reached_twice, created_at, changed_at, final_at, handled, handled_by)
{numbers}
SELECT 'n_' || {id}, 'old:' || i, 'appointment', '+849' || {phone}, 'vi',
    '{{"number": "00042", "place": "An Mỹ"}}', i < 0, 'zalo,esms', {state}, 0, 'zalo', 1, i < 0,
    {due}, {due} + 60000, '', i < 0, {at}, {at}, {ended}, 'called', '' FROM n
"""
ATTEMPTS = """
INSERT INTO attempts (id, notice_id, channel, rung, state, provider_ref, code, reason, parts, cost, at, answered_at)
{numbers}
SELECT 'a_' || {id}, 'n_' || {id}, 'zalo', 0, {state}, 'z' || i, '', '', 1, 300, {at}, {at} FROM n
"""
RECEIPTS = """
INSERT INTO receipts (channel, key, event, reference, provider_ref, delivered, code, body, at, due, done_at, outcome)
{numbers}
SELECT 'zalo', 'old:' || i, 'user_received_message', 'a_' || {id}, 'z' || i, i > 0, 'received', '', {at}, {at},
    {at}, 'matched' FROM n
"""
SETTLED = (
    "UPDATE notices SET state = 'delivered', final_at = changed_at WHERE state = 'sent' AND kind = 'missed'"
)
ENDED = "CASE WHEN i % 100 < 95 THEN 'delivered' WHEN i % 100 < 98 THEN 'failed' ELSE 'expired' END"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_claims_and_memory_are_flat_from_a_thousand_rows_to_a_million(postgresql, tmp_path, kind):
    seen = []
    with measuring.provider(0) as at, measuring.database_of_one_s_own(kind, tmp_path, postgresql) as url:
        engine = database.connect(url)
        database.migrate(engine)
        stand_open(engine)
        for before, size in zip((0, *SIZES), SIZES, strict=False):
            pile_up(engine, before, size)
            seen.append(measured(engine, url, at, size))
        engine.dispose()
    head = ("notices that ended", "claim ms", "record ms", "idle ms", "notices/s", "CPU ms", "RSS MB")
    title = (
        f"{kind}: a turn that claims {SIZE}, one that writes {SIZE} results, one with nothing to do (medians of"
        f" {TURNS}); a worker over {SENT}; besides {FUTURE} for later and {WAITING} that wait for receipts"
    )
    measuring.show(
        title, [head, *((f"{size:,}", *_cells(one)) for size, one in zip(SIZES, seen, strict=True))]
    )
    least, most = seen[0], seen[-1]
    for what in ("claim", "record", "idle", "cpu"):
        assert most[what] <= 2 * least[what] + 2, what
    assert most["rss"] <= 1.2 * least["rss"]


def _cells(one: dict[str, float]) -> tuple[str, ...]:
    turns = tuple(f"{one[what]:.1f}" for what in ("claim", "record", "idle"))
    return (*turns, f"{one['rate']:.0f}", f"{one['cpu']:.2f}", f"{one['rss']:.0f}")


def measured(engine: Engine, url: str, at: measuring.Provider, size: int) -> dict[str, float]:
    measuring.plan(engine, f"w{size}:", SENT)
    with measuring.started(measuring.worker(url, at, "sent")) as ended:
        spent = ended()
    measuring.plan(engine, f"t{size}:", TURNS * SIZE)
    turns = measuring.printed("tests.bench.turns", url, TURNS, SIZE)
    with database.writing(engine) as session:
        session.execute(text(SETTLED))
    return {**turns, "rate": SENT / spent.seconds, "cpu": 1_000 * spent.cpu / SENT, "rss": spent.rss}


def stand_open(engine: Engine) -> None:
    """What is not over, the same at every size: appointments for later, and messages without a receipt yet."""
    later = int(time.time()) + 86_400
    first = 2 * SIZES[-1]
    _write(engine, NOTICES, first, first + FUTURE, state="'created'", due=f"{later} + i % 3600", ended="NULL")
    first += FUTURE
    _write(engine, NOTICES, first, first + WAITING, state="'sent'", due=f"{later} + i % 3600", ended="NULL")
    _write(engine, ATTEMPTS, first, first + WAITING, state="'accepted'")


def pile_up(engine: Engine, before: int, size: int) -> None:
    """More notices that ended, each with its attempt and receipt, spread over days that retention still keeps."""
    _write(engine, NOTICES, before, size, state=ENDED, due="{at}", ended="{at}")
    _write(
        engine,
        ATTEMPTS,
        before,
        size,
        state=f"CASE WHEN {ENDED} = 'delivered' THEN 'delivered' ELSE 'refused' END",
    )
    _write(engine, RECEIPTS, before, size)
    if engine.dialect.name == "postgresql":  # as its autovacuum does by itself, a little later
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _write(engine: Engine, into: str, first: int, end: int, **columns: str) -> None:
    dialect = engine.dialect.name
    pad = PADDED[dialect]
    at = f"({int(time.time()) - DAYS * 86_400 - 60} + (i % {SIZES[-1]}) * {86_400 * DAYS} / {SIZES[-1]})"
    given = {
        "numbers": NUMBERS[dialect],
        "id": pad.format(32, "i"),
        "phone": pad.format(8, "(i * 7919) % 50000000"),
        "at": at,
    }
    statement = into.format(**given, **{name: value.format(at=at) for name, value in columns.items()})
    with database.writing(engine) as session:
        session.execute(text(statement.replace(": ", "\\: ")), {"first": first, "end": end})
