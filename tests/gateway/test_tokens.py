"""The Official Account's tokens: sealed, renewed once, found again after a failure, lost only when they are."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import sqlalchemy
import sqlalchemy.exc
from sqlalchemy import select

from gateway import alerts, database, safe, tables, tokens

DAY = 86_400
OA = "99"


@dataclass
class Zalo:
    """Zalo's side: which refresh token it takes, what it says to others; `asked` is everything it was asked."""

    good: str = "r1"
    asked: list[str] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    lasts: float = 0
    before_the_answer: Callable[[], None] = lambda: None

    def refresh(self, token):
        self.asked.append(token)
        if self.lasts:
            time.sleep(self.lasts)
        if self.faults:
            raise self.faults.pop(0)
        if token != self.good:
            raise tokens.Rejected("-14014", "Invalid refresh token")
        number = int(self.good[1:]) + 1
        self.good = f"r{number}"
        self.before_the_answer()
        return f"a{number}", self.good, 90_000


@pytest.fixture
def key():
    return secrets.token_urlsafe(32)


@pytest.fixture
def box(key):
    return safe.Safe(key)


@pytest.fixture
def zalo():
    return Zalo()


@pytest.fixture
def now(eight):
    return [eight]


@pytest.fixture
def keeper(engine, zalo, now, box, tmp_path):
    """A process's keeper; each call makes another process's. The pair a1, r1 was stored just now."""
    stored(engine, box, now)

    def make(pause=lambda _s: None, box=box, folder=tmp_path / "spool"):
        spool = safe.Spool(folder, OA, box)
        return tokens.Tokens(engine, OA, zalo.refresh, lambda: now[0], pause, safe=box, spool=spool)

    return make


def stored(engine, box, now, pair=("a1", "r1"), life=90_000, by="test"):
    with database.writing(engine) as session:
        tokens.store(session, OA, *pair, life, now[0], by, safe=box)


def row(engine):
    with database.reading(engine) as session:
        return session.get(tables.ZaloToken, OA)


def opened(engine, box):
    found = row(engine)
    return box.open(found.access_token), box.open(found.refresh_token)


def told(engine, kind="consent"):
    with database.reading(engine) as session:
        return [one for one in alerts.open_ones(session) if one.kind == kind]


def files(tmp_path):
    folder = tmp_path / "spool"
    return sorted(one.name for one in folder.iterdir()) if folder.exists() else []


class Full:
    """A database that takes no commit while this is in force."""

    def __init__(self, engine, when=lambda: True):
        self.engine, self.when = engine, when

    def __enter__(self):
        sqlalchemy.event.listen(self.engine, "commit", self._fail)

    def __exit__(self, *_):
        sqlalchemy.event.remove(self.engine, "commit", self._fail)

    def _fail(self, _connection):
        if self.when():
            raise sqlalchemy.exc.OperationalError("COMMIT", {}, Exception("disk full"))


# Sealed


def test_a_copy_of_the_database_holds_no_token(engine, keeper, box, now):
    stored(engine, box, now, ("access-2", "refresh-2"))
    found = row(engine)
    columns = (found.access_token, found.refresh_token, found.previous_refresh_token)
    assert all(one.startswith("fernet:") for one in columns)
    assert not any(word in one for one in columns for word in ("access-2", "refresh-2"))
    assert opened(engine, box) == ("access-2", "refresh-2") and box.open(columns[2]) == "r1"


def test_what_an_older_version_kept_in_clear_is_read_and_sealed(engine, keeper, box):
    with database.writing(engine) as session:
        old = session.get(tables.ZaloToken, OA)
        old.access_token, old.refresh_token, old.previous_refresh_token = "a1", "r1", "r0"
    assert keeper().current() == "a1"
    assert row(engine).access_token.startswith("fernet:") and opened(engine, box) == ("a1", "r1")
    assert box.open(row(engine).previous_refresh_token) == "r0"


def test_with_another_key_nothing_is_sent_asked_or_overwritten(engine, keeper, zalo):
    before = vars(row(engine)).copy()
    stranger = keeper(box=safe.Safe(secrets.token_urlsafe(32)))
    for ask in (stranger.current, lambda: stranger.renew("a1")):
        with pytest.raises(tokens.NoConsent, match="không phải khoá cũ / .*not the key"):
            ask()
    after = vars(row(engine)).copy()
    del before["_sa_instance_state"], after["_sa_instance_state"]
    assert after == before and zalo.asked == []


def test_a_key_is_replaced_by_putting_the_new_one_in_front(engine, keeper, key, box):
    fresh = secrets.token_urlsafe(32)
    assert keeper(box=safe.Safe(f"{fresh}, {key}")).renew("a1") == "a2"
    assert opened(engine, safe.Safe(fresh)) == ("a2", "r2")


@pytest.mark.parametrize("key", ["", "short", "đ" * 43, "a" * 44, "=" * 44])
def test_a_key_that_is_none_is_named_and_not_shown(key):
    with pytest.raises(safe.WrongKey) as fault:
        safe.Safe(key)
    assert "zalo.token_key" in str(fault.value) and (not key or key not in str(fault.value))


# Renewed


def test_nobody_connected_is_no_consent(engine, zalo, now, box, tmp_path):
    spool = safe.Spool(tmp_path, OA, box)
    nobody = tokens.Tokens(engine, OA, zalo.refresh, lambda: now[0], safe=box, spool=spool)
    for ask in (nobody.current, lambda: nobody.renew("a1")):
        with pytest.raises(tokens.NoConsent, match="chưa được kết nối / .*not connected"):
            ask()


def test_a_token_is_used_for_twenty_hours_and_then_renewed(keeper, zalo, now):
    kept = keeper()
    assert kept.current() == "a1"
    now[0] += 20 * 3_600
    assert kept.current() == "a1" and zalo.asked == []
    now[0] += tokens.KNOWN_SECONDS
    assert kept.current() == "a2" and zalo.asked == ["r1"]


def test_a_hundred_threads_of_two_processes_find_it_dead_and_one_refresh_is_made(keeper, zalo, engine):
    zalo.lasts = 0.2
    pair = [keeper(pause=time.sleep) for _ in range(2)]
    start, got = threading.Barrier(100), []

    def ask(kept):
        start.wait()
        got.append(kept.renew("a1"))

    threads = [threading.Thread(target=ask, args=(pair[n % 2],)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["a2"] * 100 and zalo.asked == ["r1"]


def test_while_another_process_renews_early_the_living_token_is_used(engine, keeper, zalo, now):
    now[0] += 21 * 3_600
    with database.writing(engine) as session:
        session.get(tables.ZaloToken, OA).refreshing_until = now[0] + 30
    assert keeper().current() == "a1" and zalo.asked == []


def test_a_lease_of_a_dead_process_ends_also_where_the_clock_was_set_back(engine, keeper, zalo, now):
    with database.writing(engine) as session:
        session.get(tables.ZaloToken, OA).refreshing_until = now[0] + 2 * tokens.LEASE_SECONDS + 1
    assert keeper().renew("a1") == "a2"


@pytest.mark.parametrize("behind", [1, 20])
def test_two_hosts_whose_clocks_differ_by_seconds_make_one_refresh(engine, keeper, zalo, now, behind):
    first, second = keeper(), keeper(pause=lambda _s: answered.set())
    asked, answered, got = threading.Event(), threading.Event(), []

    def while_the_other_looks():
        asked.set()
        assert answered.wait(20)

    zalo.before_the_answer = while_the_other_looks
    thread = threading.Thread(target=lambda: got.append(first.renew("a1")))
    thread.start()
    assert asked.wait(20)
    now[0] -= behind
    got.append(second.renew("a1"))
    thread.join(20)
    assert got == ["a2", "a2"] and zalo.asked == ["r1"]


# Not now


def test_where_zalo_is_away_the_same_refresh_token_is_tried_again_and_never_counts_as_lost(
    engine, keeper, zalo, now
):
    kept = keeper()
    for _ in range(50):
        zalo.faults = [tokens.NotNow("no answer in time")]
        with pytest.raises(tokens.NotNow):
            kept.renew("a1")
        now[0] += 60
    assert row(engine).lost_reason == "" and told(engine) == [] and set(zalo.asked) == {"r1"}
    assert kept.renew("a1") == "a2"


def test_zalo_is_not_hammered_at_while_it_is_away(keeper, zalo, now):
    kept, tried = keeper(), []
    now[0] += 26 * 3_600
    for _second in range(180):
        zalo.faults = [tokens.NotNow("away")]
        with pytest.raises(tokens.NotNow):
            kept.current()
        tried.append(len(zalo.asked))
        now[0] += 1
    assert [tried.index(n) for n in range(1, tried[-1] + 1)] == [0, 5, 20, 80, 140]


def test_an_early_renewal_in_vain_leaves_the_living_token_in_use(keeper, zalo, now):
    kept = keeper()
    now[0] += 21 * 3_600
    zalo.faults = [tokens.NotNow("away")]
    assert kept.current() == "a1"
    now[0] += 60
    assert kept.current() == "a2"


def test_something_unforeseen_ends_the_lease_too(keeper, zalo, now):
    zalo.faults = [RuntimeError("bug")]
    with pytest.raises(RuntimeError):
        keeper().renew("a1")
    assert keeper().renew("a1") == "a2"


# Refused


def test_refused_once_is_not_lost_and_is_asked_again_after_a_minute_by_whoever_comes(
    engine, keeper, zalo, now
):
    zalo.faults = [tokens.Rejected("-1", "mood")]
    with pytest.raises(tokens.NotNow, match="sẽ thử lại / .*tried again"):
        keeper().renew("a1")
    for later in (0, 59):
        now[0] += later
        with pytest.raises(tokens.NotNow):
            keeper().renew("a1")
    assert len(zalo.asked) == 1 and told(engine) == []
    now[0] += 1
    assert keeper().renew("a1") == "a2"
    assert (row(engine).refused_at, row(engine).lost_reason) == (0, "")


def lose(keeper, zalo, now, engine):
    zalo.good = "r5"
    with pytest.raises(tokens.NotNow):
        keeper().renew("a1")
    now[0] += 60
    with pytest.raises(tokens.NoConsent):
        keeper().renew("a1")


def test_refused_twice_a_minute_apart_is_lost_told_once_and_asked_no_more(engine, keeper, zalo, now):
    lose(keeper, zalo, now, engine)
    now[0] += 25 * 3_600
    kept = keeper()
    for _ in range(20):
        for ask in (kept.current, lambda: kept.renew("a1")):
            with pytest.raises(tokens.NoConsent, match="cần cấp quyền lại / .*consent is needed again"):
                ask()
        now[0] += 300
    assert zalo.asked == ["r1", "r1"]
    assert [(one.count, one.data["code"]) for one in told(engine)] == [(1, "-14014")]


def test_while_the_access_token_lives_it_is_used_although_the_grant_is_lost(engine, keeper, zalo, now):
    lose(keeper, zalo, now, engine)
    assert keeper().current() == "a1"


def test_an_answer_lost_on_the_way_and_two_refusals_after_it_are_a_lost_grant(engine, keeper, zalo, now):
    zalo.faults, kept = [tokens.NotNow("no answer in time")], keeper()
    with pytest.raises(tokens.NotNow):
        kept.renew("a1")
    now[0] += 60
    lose(keeper, zalo, now, engine)
    assert zalo.asked == ["r1"] * 3 and row(engine).lost_reason


def test_a_new_consent_ends_the_loss_the_alert_and_what_was_shut_for_it(engine, keeper, zalo, now, box):
    lose(keeper, zalo, now, engine)
    with database.writing(engine) as session:
        for channel, code in (("zalo", "no_consent"), ("zalo_uid", "-1351")):
            session.add(
                tables.Breaker(
                    channel=channel,
                    subject="",
                    state="open",
                    code=code,
                    fault="refusal",
                    probe_at=now[0] + 900,
                )
            )
    stored(engine, box, now, ("a9", "r9"), by="chi")
    assert keeper().current() == "a9" and told(engine) == []
    assert (row(engine).lost_reason, row(engine).refused_at) == ("", 0)
    with database.reading(engine) as session:
        probes = dict(session.execute(select(tables.Breaker.channel, tables.Breaker.probe_at)).all())
        actors = session.scalars(select(tables.Audit.actor).filter_by(action="zalo.token")).all()
    assert probes == {"zalo": now[0], "zalo_uid": now[0] + 900} and actors[-1] == "chi"


def shut(engine, now, channel, code):
    """As a refusal that holds for the whole account leaves it, with the alert that a person must consent."""
    moments = {"opened_at": now[0], "probe_at": now[0] + 900}
    with database.writing(engine) as session:
        session.add(
            tables.Breaker(
                channel=channel, subject="", state="open", code=code, fault="refusal", reason="", **moments
            )
        )
        data = {"channel": "zalo", "code": code, "reason": "x / y"}
        alerts.raised(session, alerts.CONSENT, "consent", data, now[0])


def probes(engine):
    with database.reading(engine) as session:
        return dict(session.execute(select(tables.Breaker.channel, tables.Breaker.probe_at)).all())


@pytest.mark.parametrize("code", ["-124", "-216", "-220", "-223", "452"])
def test_what_zalo_refused_for_our_tokens_is_tried_at_once_after_a_new_consent(engine, box, now, code):
    stored(engine, box, now)
    shut(engine, now, "zalo_uid", code)
    stored(engine, box, now, ("a9", "r9"), by="chi")
    assert probes(engine) == {"zalo_uid": now[0]} and told(engine) == []


def test_a_renewal_that_does_not_help_keeps_the_alert_and_hurries_nobody(engine, keeper, now):
    kept = keeper()
    shut(engine, now, "zalo_uid", "-216")
    assert kept.renew("a1") == "a2"
    assert probes(engine) == {"zalo_uid": now[0] + 900} and len(told(engine)) == 1


# Between Zalo's answer and the commit


def test_a_pair_whose_commit_failed_is_taken_from_the_spool_by_another_process(
    engine, keeper, zalo, box, tmp_path
):
    with Full(engine, lambda: zalo.asked), pytest.raises(sqlalchemy.exc.OperationalError):
        keeper().renew("a1")
    (name,) = files(tmp_path)
    spooled = tmp_path / "spool" / name
    assert spooled.stat().st_mode & 0o777 == 0o600
    assert spooled.read_text().startswith("fernet:") and '"a2"' in box.open(spooled.read_text())
    assert opened(engine, box) == ("a1", "r1")
    assert keeper().renew("a1") == "a2"
    assert zalo.asked == ["r1"] and opened(engine, box) == ("a2", "r2") and files(tmp_path) == []


def test_a_process_that_starts_takes_the_spool_at_once_though_the_old_token_still_lives(
    engine, keeper, zalo, now, box, tmp_path
):
    with Full(engine, lambda: zalo.asked), pytest.raises(sqlalchemy.exc.OperationalError):
        keeper().renew("a1")
    asked_at, now[0] = now[0], now[0] + 3_600
    assert keeper().current() == "a2" and files(tmp_path) == []
    assert (row(engine).refreshed_at, row(engine).access_until) == (asked_at, asked_at + 90_000)


def test_a_consent_given_meanwhile_wins_over_the_spool(engine, keeper, zalo, now, box, tmp_path):
    with Full(engine, lambda: zalo.asked), pytest.raises(sqlalchemy.exc.OperationalError):
        keeper().renew("a1")
    stored(engine, box, now, ("a9", "r9"))
    zalo.good = "r9"
    assert keeper().current() == "a9"
    assert keeper().renew("a9") == "a10" and files(tmp_path) == []


def test_a_consent_given_while_zalo_answered_wins_over_the_answer(engine, keeper, zalo, now, box, tmp_path):
    zalo.before_the_answer = lambda: stored(engine, box, now, ("a9", "r9"))
    assert keeper().renew("a1") == "a9" and opened(engine, box) == ("a9", "r9") and files(tmp_path) == []


def test_a_spool_of_another_grant_with_the_same_count_is_left_alone(engine, keeper, box, now, tmp_path):
    spool = safe.Spool(tmp_path / "spool", OA, box)
    spool.write(row(engine).generation, "another", safe.Spooled("x", "y", 90_000, now[0]))
    assert keeper().current() == "a1" and keeper().renew("a1") == "a2"


@pytest.mark.parametrize("text", ["", "fernet:rubbish", "[]", "{}", '{"spent": 1}', "\udcff"])
def test_a_spool_that_cannot_be_read_stops_nobody(engine, keeper, tmp_path, text):
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / f"zalo_tokens.{OA}.{row(engine).generation}").write_bytes(text.encode(errors="surrogateescape"))
    assert keeper().current() == "a1" and keeper().renew("a1") == "a2"


def test_where_the_spool_cannot_be_written_the_database_is(engine, keeper, box, tmp_path):
    (tmp_path / "file").touch()
    assert keeper(folder=tmp_path / "file" / "spool").renew("a1") == "a2"
    assert opened(engine, box) == ("a2", "r2")


def test_a_spool_that_could_not_be_written_leaves_nothing_lying_about(engine, keeper, box, tmp_path):
    (tmp_path / "spool" / f"zalo_tokens.{OA}.1").mkdir(parents=True)  # where the pair's file belongs
    assert keeper().renew("a1") == "a2"
    assert opened(engine, box) == ("a2", "r2")
    assert files(tmp_path) == [f"zalo_tokens.{OA}.1"]


def test_a_lost_grant_is_found_again_in_a_spool(engine, keeper, zalo, now, box, tmp_path):
    """Another host tried in vain; then the one that died with the answer comes back."""
    elsewhere = tmp_path / "elsewhere"
    with Full(engine, lambda: zalo.asked), pytest.raises(sqlalchemy.exc.OperationalError):
        keeper(folder=elsewhere).renew("a1")
    now[0] += tokens.LEASE_SECONDS
    kept = keeper()
    with pytest.raises(tokens.NotNow):
        kept.renew("a1")
    now[0] += 60
    with pytest.raises(tokens.NoConsent):
        kept.renew("a1")
    assert len(told(engine)) == 1
    assert keeper(folder=elsewhere).current() == "a2"
    assert told(engine) == [] and row(engine).lost_reason == ""
    now[0] += 6
    assert kept.current() == "a2"


def test_the_audit_says_who_connected_and_never_a_token(engine, keeper):
    keeper().renew("a1")
    with database.reading(engine) as session:
        found = session.scalars(select(tables.Audit).order_by(tables.Audit.id)).all()
    assert [(one.actor, one.action, one.subject, one.data) for one in found] == [
        ("test", "zalo.token", OA, {}),
        ("gateway", "zalo.token", OA, {}),
    ]
