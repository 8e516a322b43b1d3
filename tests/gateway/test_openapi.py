"""The description is true: every route is in it, and whatever it allows or forbids is answered as it says."""

from __future__ import annotations

import os
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sqlalchemy import func, select

from gateway import access, database, example, tables
from gateway.rules import settings as shape
from gateway.web import openapi
from gateway.web.app import create_app
from tests.conftest import EIGHT

EXAMPLES = int(os.environ.get("OPENAPI_EXAMPLES", "20"))  # for each route; `make soak` takes many more
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    made = database.connect(f"sqlite:///{tmp_path_factory.mktemp('openapi') / 'gateway.db'}")
    database.migrate(made)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def app(engine, tmp_path_factory):
    secret = str(tmp_path_factory.mktemp("secret") / "key")
    config = shape.read({"web": {"secret_key_file": secret}, "zalo": {"app_id": "1", "oa_id": "99"}}, {})
    with database.writing(engine) as session:
        example.load(session, config, EIGHT)
    made = create_app(config, engine, now=lambda: EIGHT)
    made.config["RATELIMIT_ENABLED"] = False
    return made


@pytest.fixture(scope="module")
def keys(engine):
    with database.writing(engine) as session:
        return {
            scope: access.add_api_key(session, scope, scope, EIGHT) for scope in ("notices", "staff", "admin")
        }


def test_the_description_is_openapi_3_1(app):
    answer = app.test_client().get("/api/v1/openapi.json")
    assert answer.json["openapi"].startswith("3.1")
    validate(answer.json)


def test_every_route_is_described_and_everything_described_is_a_route(app):
    rules = {rule.endpoint for rule in openapi.described_rules(app)}
    assert rules == set(openapi.ROUTES)
    listed = {(path, verb) for path, verbs in openapi.document(app)["paths"].items() for verb in verbs}
    assert len(listed) == sum(
        len(rule.methods & {"GET", "POST", "DELETE"}) for rule in openapi.described_rules(app)
    )


def test_every_operation_says_what_it_does_and_who_may(app):
    for path, verbs in openapi.document(app)["paths"].items():
        for verb, operation in verbs.items():
            assert len(operation["summary"]) > 10, (path, verb)
            assert "security" in operation


@pytest.fixture(scope="module")
def described(app):
    """Every operation; a stream of events does not end, the live pages' tests read it."""
    found = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app).exclude(path_regex="stream$")
    return [one.ok() for one in found.get_all_operations()]


@pytest.mark.timeout(300)
def test_whatever_comes_is_answered_as_described_and_what_is_refused_changes_nothing(described, keys, engine):
    answered = Counter()
    for operation in described:
        _drive(operation, keys["admin"], engine, answered)
    print(f"\n{answered.total()} requests: {dict(answered)}")
    assert answered[422] > 100 and answered[200] + answered[202] > 50


def _drive(operation, key, engine, answered):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.one_of(operation.as_strategy(), operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)))
    def drive(case):
        before = counted(engine)
        case.headers["Authorization"] = f"Bearer {key}"  # not the rubbish that is made up for it
        _often_real(case)
        answer = case.call()
        case.validate_response(answer, checks=CHECKS)
        answered[answer.status_code] += 1
        if answer.status_code >= 400:
            assert counted(engine) == before, (case, answer.status_code)

    drive()


def _often_real(case):
    """An address that exists in three cases of four, or nothing but 404 would be seen."""
    for name, real in (("code", "TK1"), ("counter_id", 1)):
        if name in case.path_parameters and len(str(case.path_parameters[name])) % 4:
            case.path_parameters[name] = real


def counted(engine):
    names = (tables.Notice, tables.Registration, tables.Ticket, tables.Event)
    with database.reading(engine) as session:
        return [session.scalar(select(func.count()).select_from(table)) for table in names]
