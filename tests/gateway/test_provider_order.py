"""One provider of SMS after the other, with the real engine and real channels: who is asked, who pays, who is told."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from gateway import alerts, database, notices, tables
from gateway.channels import esms, http, speedsms
from gateway.rules import settings
from gateway.sandbox import faults, server
from gateway.worker import Worker
from tests.gateway import described

VIETTEL, MOBI, VINA = "+8496512{:04d}", "+8490512{:04d}", "+8491512{:04d}"
LANES = ("esms", "speedsms", "khac")
PRICES = {
    "esms": {"price": 800, "prices": {"viettel": 500}},
    "speedsms": {"price": 600, "prices": {"vinaphone": 900}},
    "khac": {"price": 700, "prices": {"mobifone": 300}},
}


@pytest.fixture
def now(eight):
    return [eight]


class Street:
    """A worker with three providers of SMS, each at its stand-in."""

    def __init__(self, engine, now, sandbox, order="listed", down=()):
        self.engine, self.now, self.sandbox = engine, now, sandbox
        self.switch = sandbox.network.faults.switch
        self.config = self._config(order)
        self.lanes = {
            name: self._lane(name, self._nowhere if name in down else sandbox.url) for name in LANES
        }
        self._worker = self._hired()

    _nowhere = "http://127.0.0.1:1"

    def _hired(self):
        return Worker(self.engine, self.config, self.lanes, lambda _tongue, text: text, lambda: self.now[0])

    def _config(self, order):
        quiet = {"quiet_from": "00:00", "quiet_until": "00:00"}
        return settings.read(
            {
                "timetable": quiet,
                "notices": {"ladder": ["sms"], "unknown_wait": 20, "lanes": list(LANES)},
                "sms": {
                    "providers": list(LANES),
                    "order": order,
                    "esms": PRICES["esms"],
                    "speedsms": PRICES["speedsms"] | {"per_minute": 0},
                    "http": {"khac": described.of_json(self.sandbox.url) | PRICES["khac"]},
                },
            },
            {},
        )

    def _lane(self, name, url):
        own = self.sandbox.options
        if name == "esms":
            keys = (own.esms_api_key, own.esms_secret_key, own.brandname)
            return esms.Esms(url, *keys, None, timeout=2, concurrency=1)
        if name == "speedsms":
            return speedsms.SpeedSms(
                url, own.speedsms_token, own.speedsms_sender, 3, timeout=2, concurrency=1
            )
        one = settings.HttpSms.model_validate(described.of_json(url, timeout=2, concurrency=1))
        return http.HttpSms("khac", one, own.http_token, "http://127.0.0.1:1/", unicode=False)

    def back(self, name):
        """A provider that was nowhere is where it belongs."""
        self.lanes[name].close()
        self.lanes[name] = self._lane(name, self.sandbox.url)
        self._worker = self._hired()

    def plan(self, *phones, kind="missed", deadline=9_000):
        with database.writing(self.engine) as session:
            planned = [
                notices.Planned(
                    f"{kind}:{phone}:{self.now[0]}", kind, phone,
                    {"number": "042", "place": "An Mỹ", "minutes": "30", "counter": "Quầy 2"},
                    self.now[0], self.now[0] + deadline,
                )
                for phone in phones
            ]  # fmt: skip
            notices.plan_all(session, planned, notices.ladder(self.config), self.now[0])

    def work(self, seconds=0):
        """The worker, until nothing is left for it to do, second after second."""
        for _ in range(seconds + 1):
            while self._worker.round() or self._worker.under_way:
                threading.Event().wait(0.001)
            self.now[0] += 1

    def tried(self, phone=None):
        """(channel, state) of the attempts, in order."""
        wanted = select(tables.Attempt.channel, tables.Attempt.state).join(
            tables.Notice, tables.Notice.id == tables.Attempt.notice_id
        )
        wanted = wanted.where(tables.Notice.phone == phone) if phone else wanted
        with database.reading(self.engine) as session:
            found = session.execute(wanted.order_by(tables.Attempt.at, tables.Attempt.rung)).all()
        return [tuple(row) for row in found]

    def costs(self):
        """Channel → what was paid there, of those that were taken."""
        wanted = (
            select(tables.Attempt.channel, func.sum(tables.Attempt.cost))
            .where(tables.Attempt.cost > 0)
            .group_by(tables.Attempt.channel)
        )
        with database.reading(self.engine) as session:
            return dict(session.execute(wanted).all())

    def states(self):
        with database.reading(self.engine) as session:
            return sorted(session.execute(select(tables.Notice.state, tables.Notice.channel)).all())

    def told(self):
        """(kind, channel, subject, code) of the alerts that are open."""
        with database.reading(self.engine) as session:
            return [
                (one.kind, *(one.data.get(name) for name in ("channel", "subject", "code")))
                for one in alerts.open_ones(session)
            ]

    def close(self):
        for lane in self.lanes.values():
            lane.close()


@pytest.fixture
def sandbox(tmp_path):
    options = server.Options(port=0, folder=tmp_path, receipt_delay=0, speedsms_per_minute=1_000)
    sandbox = server.Sandbox(options)
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def make(engine, now, sandbox):
    made = []

    def make(**words):
        made.append(Street(engine, now, sandbox, **words))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_a_provider_that_is_nowhere_costs_nobody_more_than_a_minute_and_one_alert_says_so(make, sandbox):
    street = make(down=("esms",))
    people = [MOBI.format(n) for n in range(20)]
    street.plan(*people)
    street.work(60)
    assert {state for state, _ in street.states()} <= {"sent", "delivered"}
    assert [kind for kind, *_ in street.told()] == ["outage"]
    assert street.told()[0][1] == "esms"
    assert [len(sandbox.network.messages(one)) for one in people] == [1] * 20
    assert {channel for _, channel in street.states()} == {"speedsms"}


def test_who_must_be_told_at_once_is_told_within_the_minute_though_nobody_has_noticed_yet(make, sandbox):
    street = make(down=("esms",))
    street.plan(MOBI.format(1), kind="called", deadline=120)
    street.work(60)
    assert street.tried(MOBI.format(1))[-1][0] == "speedsms"
    assert len(sandbox.network.messages(MOBI.format(1))) == 1


def test_a_provider_that_answers_nothing_useful_is_left_after_the_wait_for_the_unknown(make, sandbox):
    street = make()
    street.switch(faults.ESMS_DOWN, None, True)
    people = [MOBI.format(n) for n in range(12)]
    street.plan(*people)
    street.work(60)
    tried = street.tried()
    assert 5 <= sum(one == ("esms", "unknown") for one in tried) < 12  # the rest need not try
    assert {state for state, _ in street.states()} <= {"sent", "delivered"}
    assert [(kind, channel) for kind, channel, *_ in street.told()] == [("outage", "esms")]
    assert [len(sandbox.network.messages(one)) for one in people] == [1] * 12


def test_when_it_is_back_it_is_used_again_and_the_alert_ends(make, engine):
    street = make(down=("esms",))
    street.plan(*[MOBI.format(n) for n in range(8)])
    street.work(60)
    street.back("esms")
    street.now[0] += 900
    street.plan(MOBI.format(100))
    street.work(3)
    street.plan(MOBI.format(101))
    street.work(3)
    assert street.tried(MOBI.format(101)) == [("esms", "accepted")]
    assert street.told() == []


@pytest.mark.parametrize(
    ("lane", "code", "down"), [("esms", "103", ()), ("speedsms", "300", ("esms",)), ("khac", "12", ())]
)
def test_without_money_the_next_one_sends_at_once_and_one_alert_asks_for_some(
    make, sandbox, lane, code, down
):
    street = make(order="cheapest" if lane == "khac" else "listed", down=down)
    name = "http" if lane == "khac" else lane
    street.switch(f"{name}_code_{code}", None, True)
    people = [MOBI.format(n) for n in range(15)]
    street.plan(*people)
    street.work(45 if down else 1)
    tried = street.tried()
    assert sum(one == (lane, "refused") for one in tried) <= 3
    assert [one for one in street.told() if one[0] == "quota"] == [("quota", lane, "", code)]
    assert {state for state, _ in street.states()} <= {"sent", "delivered"}
    assert [len(sandbox.network.messages(one)) for one in people] == [1] * 15


def test_with_money_again_it_is_used_again_after_a_quarter_of_an_hour_and_the_alert_ends(make):
    street = make()
    street.switch("esms_code_103", None, True)
    street.plan(*[MOBI.format(n) for n in range(5)])
    street.work(2)
    street.switch("esms_code_103", None, False)
    street.plan(MOBI.format(50))
    street.work(2)
    assert street.tried(MOBI.format(50)) == [("esms", "skipped"), ("speedsms", "accepted")]
    street.now[0] += 900
    street.plan(MOBI.format(51))
    street.work(2)
    street.plan(MOBI.format(52))
    street.work(2)
    assert [street.tried(MOBI.format(n))[-1] for n in (51, 52)] == [("esms", "accepted")] * 2
    assert street.told() == []


def test_a_network_without_our_brandname_is_told_by_the_next_provider_and_one_alert_names_it(make, sandbox):
    street = make()
    viettel, mobi = [VIETTEL.format(n) for n in range(6)], [MOBI.format(n) for n in range(6)]
    for one in viettel:
        street.switch("esms_code_177", one, True)
    street.plan(*viettel, *mobi)
    street.work(2)
    assert [street.tried(one) for one in viettel] == [[("esms", "refused"), ("speedsms", "accepted")]] * 6
    assert [street.tried(one) for one in mobi] == [[("esms", "accepted")]] * 6
    assert street.told() == [("refused", "esms", "viettel", "177")]
    street.switch("esms_code_177", viettel[0], False)
    street.plan(viettel[0])
    street.work(2)
    assert street.told() == []


def test_a_text_that_is_not_the_registered_one_shuts_its_kind_only(make):
    street = make()
    street.switch("esms_code_146", None, True)
    street.plan(*[MOBI.format(n) for n in range(5)])
    street.work(2)
    street.switch("esms_code_146", None, False)
    street.plan(MOBI.format(90), kind="called")
    street.work(2)
    assert street.told() == [("refused", "esms", "missed", "146")]
    assert street.tried(MOBI.format(90)) == [("esms", "accepted")]


def test_a_code_nobody_knows_is_tried_three_times_and_then_the_next_one_sends(make, sandbox):
    street = make()
    street.switch("esms_code_178", MOBI.format(1), True)
    street.plan(MOBI.format(1))
    street.work(60)
    assert street.tried() == [("esms", "unreached")] * 2 + [("esms", "refused"), ("speedsms", "accepted")]
    assert len(sandbox.network.messages(MOBI.format(1))) == 1


def test_beyond_its_rate_a_provider_is_waited_for_and_nothing_counts_as_a_failure(engine, now, tmp_path):
    narrow = server.Sandbox(
        server.Options(port=0, folder=tmp_path / "n", receipt_delay=0, speedsms_per_minute=3)
    )
    narrow.start()
    street = Street(engine, now, narrow, down=("esms",))
    with database.writing(engine) as session:
        plan = [
            notices.Planned(f"k{n}", "missed", MOBI.format(n), {"number": "1", "place": "A", "minutes": "30"},
                            now[0], now[0] + 9_000) for n in range(6)
        ]  # fmt: skip
        notices.plan_all(session, plan, ("speedsms", "khac"), now[0])
    street.work(1)
    tried = [state for _, state in street.tried()]
    street.close()
    narrow.stop()
    assert tried.count("accepted") == 3 and set(tried) == {"accepted", "postponed"}
    assert street.told() == []


def test_the_cheapest_for_the_numbers_network_goes_first_and_that_price_is_on_record(make, sandbox):
    street = make(order="cheapest")
    for prefix in (VIETTEL, MOBI, VINA):
        street.plan(*[prefix.format(n) for n in range(4)])
    street.work(1)
    first = {prefix: street.tried(prefix.format(0)) for prefix in (VIETTEL, MOBI, VINA)}
    assert first == {
        VIETTEL: [("esms", "accepted")],
        MOBI: [("khac", "accepted")],
        VINA: [("khac", "accepted")],
    }
    assert street.costs() == {"esms": 4 * 500, "khac": 4 * 300 + 4 * 700}


def test_listed_they_go_in_their_order_whatever_they_cost_and_the_networks_price_is_on_record(make):
    street = make()
    street.plan(VIETTEL.format(1), MOBI.format(1))
    street.work(1)
    assert {channel for channel, _ in street.tried()} == {"esms"}
    assert street.costs() == {"esms": 500 + 800}


def test_when_the_cheapest_is_out_of_money_the_next_cheapest_is_paid(make):
    street = make(order="cheapest")
    street.switch("http_code_12", None, True)
    street.plan(*[MOBI.format(n) for n in range(4)])
    street.work(2)
    assert street.costs() == {"speedsms": 4 * 600}
