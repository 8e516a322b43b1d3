"""A disk that is full, a database that is away: callers are told 503, nothing is half stored, nothing is lost.

Every fault here is a real one: SQLite's own limits and locks, a PostgreSQL that lets nobody in or may only be
read. Nothing is started again afterwards; everything works as soon as the storage is back.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import func, select

from gateway import access, database, notices, storage, tables
from gateway.rules import hashes
from gateway.rules import settings as shape
from gateway.web.app import limiter
from tests.gateway import browsing

SECRETS = {"GATEWAY_ZALO__WEBHOOK_SECRET": "s3cr3t-oa", "GATEWAY_SMS__ESMS__CALLBACK_SECRET": "path-secret"}
TABLES = (tables.Registration, tables.Applicant, tables.Ticket, tables.Notice, tables.Receipt, tables.Press)
TRIES = 80  # a full file takes rows until the pages that it has are full


@contextlib.contextmanager
def told(engine, *pragmas):
    """Every connection of an SQLite engine is told something while this lasts, and the opposite afterwards."""

    def tell(connection, _record, _proxy, words):
        for pragma in words:
            connection.execute(f"PRAGMA {pragma}")

    def worse(*about):
        tell(*about, [worse for worse, _ in pragmas])

    def well(*about):
        tell(*about, [well for _, well in pragmas])

    sqlalchemy.event.listen(engine, "checkout", worse)
    yield
    sqlalchemy.event.remove(engine, "checkout", worse)
    sqlalchemy.event.listen(engine, "checkout", well)


@contextlib.contextmanager
def full(engine):
    with told(engine, ("max_page_count = 1", "max_page_count = 4294967294")):  # 1: no more than it has now
        yield


@contextlib.contextmanager
def only_read(engine):
    if engine.dialect.name == "sqlite":
        with told(engine, ("query_only = 1", "query_only = 0")):
            yield
    else:
        with _altered(
            engine, "SET default_transaction_read_only = on", "RESET default_transaction_read_only"
        ):
            yield


@contextlib.contextmanager
def locked(engine):
    """Another process writes and does not end."""
    other = sqlite3.connect(engine.url.database, isolation_level=None)
    with told(engine, ("busy_timeout = 50", f"busy_timeout = {database.LOCK_WAIT_SECONDS * 1_000}")):
        other.execute("BEGIN IMMEDIATE")
        yield
        other.close()


@contextlib.contextmanager
def away(engine):
    if engine.dialect.name == "sqlite":
        file = Path(engine.url.database)
        engine.dispose()
        moved = file.rename(file.with_suffix(".away"))
        file.mkdir()
        yield
        file.rmdir()
        moved.rename(file)
    else:
        with _altered(engine, "ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"):
            yield


@contextlib.contextmanager
def _altered(engine, worse, well):
    """A PostgreSQL database is changed from outside, and all sessions in it are ended."""
    server = sqlalchemy.create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    name = engine.url.database

    def alter(how):
        with server.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {name} {how}")
            connection.exec_driver_sql(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )

    alter(worse)
    yield
    alter(well)
    server.dispose()


FAULTS = {
    "sqlite": {"full": full, "only_read": only_read, "locked": locked, "away": away},
    "postgresql": {"only_read": only_read, "away": away},
}


@pytest.fixture(
    params=[
        pytest.param((kind, name), id=f"{kind}-{name}", marks=[pytest.mark.postgres] * (kind == "postgresql"))
        for kind, faults in FAULTS.items()
        for name in faults
    ]
)
def fault(request):
    return request.param


@pytest.fixture
def engine(fault, request, tmp_path):
    kind = fault[0]
    url = (
        f"sqlite:///{tmp_path / 'gateway.db'}"
        if kind == "sqlite"
        else request.getfixturevalue("postgresql_url")
    )
    made = database.connect(url)
    database.migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def broken(fault, engine):
    return FAULTS[fault[0]][fault[1]](engine)


@dataclass
class Office:
    """Everybody who stores something through HTTP; each call is about another person."""

    app: object
    key: str
    now: list[int]
    visitor: browsing.Visitor
    token: str = ""

    def __post_init__(self):
        self._count = itertools.count(1)
        self._client = self.app.test_client()

    def _post(self, path, body):
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"press-{next(self._count)}"}
        return self._client.post(path, json=body, headers=headers)

    def _phone(self):
        return f"+84905{next(self._count):06d}"

    def register(self):
        return self._post(
            "/api/v1/registrations",
            {
                "contact": {"name": "Nguyễn Thị An", "phone": self._phone()},
                "applicants": [{"name": name, "service": "new"} for name in ("Nguyễn Thị An", "Trần Bình")],
                "site": "TK1",
                "date": browsing.day(self.now).isoformat(),
                "consent": True,
            },
        )

    def take_a_ticket(self):
        return self._post("/api/v1/sites/TK1/tickets", {"service": "new"})

    def notify(self):
        data = {"name": "An", "number": "042", "place": "An Mỹ", "time": "2026-11-25T07:30:00+07:00"}
        return self._post(
            "/api/v1/notices", {"to": {"phone": self._phone()}, "kind": "appointment", "data": data}
        )

    def zalo(self):
        event = {
            "app_id": "1234567890",
            "event_name": "user_received_message",
            "message": {"msg_id": f"m{next(self._count)}", "tracking_id": "a"},
            "timestamp": "1700000010000",
        }
        raw = json.dumps(event).encode()
        signature = hashes.zalo_mac("1234567890", raw, "1700000010000", "s3cr3t-oa")
        return self._client.post(
            "/webhooks/zalo", data=raw, headers={"X-ZEvent-Signature": f"mac={signature}"}
        )

    def esms(self):
        return self._client.get(f"/webhooks/esms/path-secret?SMSID={next(self._count)}&SendStatus=5")

    def fill_in_the_form(self):
        limiter.reset()
        filled = browsing.family(self.now, phone=self._phone(), csrf_token=self.token)
        return self.visitor.client.post("/dang-ky", data=filled)

    def everything(self):
        return (
            self.register,
            self.take_a_ticket,
            self.notify,
            self.zalo,
            self.esms,
            self.fill_in_the_form,
        )


@pytest.fixture
def office(engine, tmp_path, eight):
    document = {
        "web": {"secret_key_file": str(tmp_path / "key")},
        "zalo": {"app_id": "1234567890", "oa_id": "99"},
    }
    now = [eight]
    app = browsing.station(shape.read(document, SECRETS), engine, now)
    with database.writing(engine) as session:
        key = access.add_api_key(session, "desk", "admin", eight)
    visitor = browsing.Visitor(app)
    page = visitor.get("/dang-ky").text
    return Office(app, key, now, visitor, page.split('name="csrf_token" value="')[1].split('"')[0])


def counted(engine):
    with database.reading(engine) as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in TABLES]


def added(answers):
    """What these accepted calls must have stored: a count for each of TABLES."""
    each = {
        "register": [1, 2, 0, 0, 0, 1],
        "take_a_ticket": [0, 0, 1, 0, 0, 1],
        "notify": [0, 0, 0, 1, 0, 1],
        "zalo": [0, 0, 0, 0, 1, 0],
        "esms": [0, 0, 0, 0, 1, 0],
        "fill_in_the_form": [1, 2, 0, 0, 0, 0],
    }
    return [sum(each[name][place] for name in answers) for place in range(len(TABLES))]


def until_refused(call):
    """Call until the answer is no longer a success: that answer, and how many were accepted before."""
    for accepted in range(TRIES):
        answer = call()
        if answer.status_code >= 400:
            return answer, accepted
    raise AssertionError(f"{call.__name__} was never refused")


def test_what_cannot_be_stored_is_refused_with_503_and_all_works_again_by_itself(office, engine, broken):
    accepted = [call.__name__ for call in office.everything()]
    assert all(call().status_code < 400 for call in office.everything())
    before = counted(engine)
    assert before == added(accepted)
    with broken:
        for call in office.everything():
            answer, more = until_refused(call)
            assert answer.status_code == 503, answer.text
            page = call == office.fill_in_the_form  # its limit of posts a minute says a time of its own
            assert page or answer.headers["Retry-After"] == "5"
            assert answer.mimetype == ("text/html" if page else "application/problem+json")
            assert ("chưa có gì được lưu" if page else "nothing was stored") in answer.text
            accepted += [call.__name__] * more
    assert counted(engine) == added(accepted)
    assert all(call().status_code < 400 for call in office.everything())
    assert counted(engine) == added(accepted + [call.__name__ for call in office.everything()])


def test_a_request_that_was_refused_can_be_sent_again_with_its_own_key(office, engine, broken):
    with broken:
        answer, _ = until_refused(office.take_a_ticket)
    assert answer.status_code == 503
    headers = dict(answer.request.headers)
    again = [
        office._client.post(answer.request.path, json={"service": "new"}, headers=headers) for _ in range(2)
    ]
    assert [one.status_code for one in again] == [201, 201]
    assert again[0].json == again[1].json


def test_a_batch_is_stored_whole_or_not_at_all(office, engine, broken):
    data = {"name": "An", "number": "042", "place": "An Mỹ", "time": "2026-11-25T07:30:00+07:00"}
    batch = [
        {"key": f"k{n}", "to": {"phone": f"+849051{n:05d}"}, "kind": "appointment", "data": data}
        for n in range(1_000)
    ]
    with broken:
        answer = office._post("/api/v1/notices/batch", {"notices": batch})
    assert answer.status_code == 503
    assert counted(engine)[3] == 0
    answer = office._post("/api/v1/notices/batch", {"notices": batch})
    assert answer.status_code == 202, answer.text
    assert counted(engine)[3] == 1_000


def test_no_page_fails_in_any_other_way_and_the_reader_is_told_in_a_page(office, broken):
    signed_in = browsing.Visitor(office.app)
    assert signed_in.sign_in("chi").status_code == 303
    paths = [
        rule.rule
        for rule in office.app.url_map.iter_rules()
        if "GET" in rule.methods and not rule.arguments and rule.endpoint != "health.ready"
    ]
    assert len(paths) > 20
    with broken:
        for path in paths:
            answer = signed_in.get(path, Accept="text/html")
            assert answer.status_code < 500 or answer.status_code == 503, (path, answer.text)
            if answer.status_code == 503 and not path.startswith("/api/"):
                assert answer.mimetype == "text/html" and "chưa có gì được lưu" in answer.text
    failed = [path for path in paths if signed_in.get(path, Accept="text/html").status_code >= 500]
    assert failed == []


def test_readiness_follows_the_storage(office, engine, broken, until):
    def ready():
        return office._client.get("/readyz").status_code == 200

    until(ready)
    with broken:
        fill = itertools.count()
        until(lambda: not (ready() and _filled(engine, next(fill))))
        assert office._client.get("/healthz").status_code == 200
    until(ready)


def _filled(engine, n):
    """Use up what a full file still has; True while something was looked at."""
    with contextlib.suppress(sqlalchemy.exc.DBAPIError), database.writing(engine) as session:
        notices.store_receipt(
            session, {"channel": "zalo", "key": f"fill:{n}", "event": "x" * 60, "body": "x" * 9_000}, n
        )
    return True


def test_every_failure_of_the_storage_is_known_as_one_and_a_wrong_statement_is_not(engine, broken):
    for wrong in ("SELECT nothing FROM nowhere", "SELEKT 1"):
        with pytest.raises(sqlalchemy.exc.SQLAlchemyError) as caught, database.writing(engine) as session:
            session.execute(sqlalchemy.text(wrong))
        assert not storage.is_away(caught.value)
    with broken:
        met = []
        for n in range(TRIES):
            try:
                with database.writing(engine) as session:
                    notices.store_receipt(
                        session, {"channel": "zalo", "key": f"{n}", "event": "", "body": "x" * 9_000}, n
                    )
            except Exception as fault:
                met.append(fault)
        assert met
        assert all(storage.is_away(fault) for fault in met)
