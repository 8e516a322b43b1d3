"""A sandbox, a receiver of receipts, and each channel pointed at its stand-in, all on free ports."""

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from gateway import channels
from gateway.channels import esms, http, modem, smpp, speedsms, zalo
from gateway.channels.zalo import person
from gateway.rules import phone
from gateway.sandbox import faults, server
from gateway.sandbox.zalo import people
from tests.gateway import described

SOON = 20
"""Seconds a test waits for something that takes milliseconds."""

TEMPLATE = {"id": "312345", "title": "", "params": ["noi_dung"], "text": "{noi_dung}"}


class Tokens:
    """A token store that goes to the API Explorer, as an operator would."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/tools/token"
        self._token = self.renew("")

    def current(self) -> str:
        return self._token

    def renew(self, used: str) -> str:
        self._token = requests.get(self._url, timeout=SOON).json()["access_token"]
        return self._token


@dataclass(frozen=True)
class Station:
    """A channel, the stand-in behind it, and how its reports arrive."""

    channel: Any
    sandbox: server.Sandbox
    reports: "queue.Queue[channels.Report]"
    unreachable: Callable[[], Any]
    refusal: str
    lost_answer: str

    def told(self, reference: str, phone: str) -> tuple[str | None, str]:
        """(reference, to) of a report about a message: Zalo's host of user ids and SpeedSMS know none of ours."""
        if isinstance(self.channel, Known):
            return None, people.id_of(phone)
        return (None, phone) if self.channel.name == "speedsms" else (reference, phone)

    def fault(self, name: str, phone: str | None = None) -> None:
        self.sandbox.network.faults.switch(name, phone, True)

    def received(self, phone: str, count: int = 1) -> list[str]:
        """The texts on a phone, once there are `count`."""
        self.sandbox.network.wait(lambda network: len(network.messages(phone)) >= count, SOON)
        return [one.text for one in self.sandbox.network.messages(phone)]

    def report(self) -> channels.Report:
        return self.reports.get(timeout=SOON)


class Known:
    """A channel by user id, given the id that belongs to a phone, as the engine would know it.

    Everybody follows the page first, and has so spoken to it.
    """

    def __init__(self, channel: Any, url: str) -> None:
        self._channel, self._url = channel, url
        self._following: set[str] = set()
        self.name, self.concurrency = channel.name, channel.concurrency
        self.pull, self.close = channel.pull, channel.close

    def send(self, message: channels.Message) -> channels.Accepted:
        number = phone.parse(message.to)
        if not isinstance(number, phone.Phone) or number.kind is not phone.Kind.MOBILE:
            return self._channel.send(message)
        if number.e164 not in self._following:
            self._following.add(number.e164)
            url = f"{self._url}/users/{number.national}/follow"
            requests.post(url, timeout=SOON).raise_for_status()
        return self._channel.send(replace(message, zalo_user_id=people.id_of(number.e164)))


class Joined:
    """A channel that reports part by part, its reports put together as the engine does: delivered when all are."""

    def __init__(self, make: Callable[..., Any], reports: "queue.Queue[channels.Report]") -> None:
        self._reports, self._lock = reports, threading.Lock()
        self._early: list[channels.PartReport] = []
        self._open: list[tuple[channels.Message, str, dict[str, channels.PartReport | None]]] = []
        self._channel = make(on_part=self._told)
        self.name, self.concurrency = self._channel.name, self._channel.concurrency
        self.pull, self.close = self._channel.pull, self._channel.close

    def send(self, message: channels.Message) -> channels.Accepted:
        accepted = self._channel.send(message)
        refs = {one.ref: None for one in accepted.handed}
        assert len(refs) == accepted.parts
        name = accepted.provider_ref or "|".join(refs)
        with self._lock:
            self._open.append((message, name, refs))
            early, self._early = self._early, []
            for report in early:
                self._match(report)
        return replace(accepted, provider_ref=name)

    def _told(self, report: channels.PartReport) -> None:
        with self._lock:
            self._match(report)

    def _match(self, report: channels.PartReport) -> None:
        for message, provider_ref, parts in reversed(self._open):
            ref = next((one for one in report.refs if one in parts), None)
            if ref is None or message.to != report.to:
                continue
            if parts[ref] is None:
                parts[ref] = report
                if None not in parts.values():
                    self._done(message, provider_ref, [one for one in parts.values() if one])
            return
        self._early.append(report)

    def _done(self, message, provider_ref: str, parts: list[channels.PartReport]) -> None:
        whole = all(one.delivered for one in parts)
        last = parts[-1]
        self._reports.put(
            channels.Report(message.reference, provider_ref, message.to, whole, last.code, last.at, True)
        )


LANES = ["zalo", "zalo_uid", "zalo_cs", "esms", "speedsms", "http", "modem", "smpp"]


@pytest.fixture(params=LANES)
def station(request, tmp_path, receiver):
    options = server.Options(
        port=0,
        folder=tmp_path,
        modem_link=tmp_path / "modem",
        webhook_url=f"{receiver.url}/webhooks/zalo",
        templates=(TEMPLATE,),
        receipt_delay=0.01,
        speedsms_webhook=f"{receiver.url}/webhooks/speedsms/secret",
        speedsms_per_minute=10_000,
        smpp_port=0 if request.param == "smpp" else None,
    )
    sandbox = server.Sandbox(options)
    sandbox.start()
    station = MAKERS[request.param](sandbox, receiver)
    yield station
    station.channel.close()
    sandbox.stop()


def _zalo(sandbox, receiver) -> Station:
    tokens = Tokens(sandbox.url)
    return Station(
        zalo.ZaloTemplate(sandbox.url, tokens, timeout=SOON), sandbox, receiver.reports,
        unreachable=lambda: zalo.ZaloTemplate(receiver.closed_url, tokens, timeout=1),
        refusal=faults.ZALO_REFUSED, lost_answer=faults.ZALO_TIMEOUT,
    )  # fmt: skip


def _zalo_uid(sandbox, receiver) -> Station:
    return _by_user(zalo.ZaloByUser, sandbox, receiver)


def _zalo_cs(sandbox, receiver) -> Station:
    return _by_user(zalo.ZaloChat, sandbox, receiver)


def _by_user(kind, sandbox, receiver) -> Station:
    tokens = Tokens(sandbox.url)
    return Station(
        Known(kind(sandbox.url, tokens, timeout=SOON), sandbox.url), sandbox, receiver.reports,
        unreachable=lambda: Known(kind(receiver.closed_url, tokens, timeout=1), sandbox.url),
        refusal=faults.ZALO_NOT_FOLLOWING, lost_answer=faults.ZALO_TIMEOUT,
    )  # fmt: skip


def _esms(sandbox, receiver) -> Station:
    options, callback = sandbox.options, f"{receiver.url}/webhooks/esms/secret"
    keys = (options.esms_api_key, options.esms_secret_key, options.brandname, callback)
    return Station(
        esms.Esms(sandbox.url, *keys, unicode=True, timeout=SOON), sandbox, receiver.reports,
        unreachable=lambda: esms.Esms(receiver.closed_url, *keys, timeout=1),
        refusal=faults.SMS_REFUSED, lost_answer=faults.ESMS_DOWN,
    )  # fmt: skip


def _speedsms(sandbox, receiver) -> Station:
    account = (sandbox.options.speedsms_token, sandbox.options.speedsms_sender, 3)
    return Station(
        speedsms.SpeedSms(sandbox.url, *account, unicode=True, timeout=SOON), sandbox, receiver.reports,
        unreachable=lambda: speedsms.SpeedSms(receiver.closed_url, *account, timeout=1),
        refusal=faults.SMS_REFUSED, lost_answer=faults.SMS_CUT_LATE,
    )  # fmt: skip


def _http(sandbox, receiver) -> Station:
    def make(base: str) -> http.HttpSms:
        own = described.read(described.of_json(base)).sms.http["khac"]
        callback = f"{receiver.url}/webhooks/sms/khac/secret"
        return http.HttpSms("khac", own, sandbox.options.http_token, callback, unicode=True)

    return Station(
        make(sandbox.url), sandbox, receiver.reports, unreachable=lambda: make(receiver.closed_url),
        refusal=faults.SMS_REFUSED, lost_answer=faults.SMS_CUT_LATE,
    )  # fmt: skip


def _modem(sandbox, receiver) -> Station:
    def make(url: str) -> Joined:
        def made(on_part):
            return modem.Modem(
                "modem", url, on_part=on_part, on_incoming=print, on_state=_nothing, clock=_seconds,
                patience=modem.Patience(answer=0.3, reopen=0.05),
            )  # fmt: skip

        return Joined(made, receiver.reports)

    return Station(
        make(sandbox.modem.url), sandbox, receiver.reports,
        unreachable=lambda: make("serial:///dev/no-such-modem"),
        refusal=faults.SMS_REFUSED, lost_answer=faults.MODEM_SILENT,
    )  # fmt: skip


def _smpp(sandbox, receiver) -> Station:
    def make(url: str) -> Joined:
        def made(on_part):
            own = sandbox.options
            return smpp.Smpp(
                "smpp", url, own.smpp_system_id, own.smpp_password, source=own.smpp_source, unicode=True,
                timeout=0.5, on_part=on_part, on_incoming=print, clock=_seconds,
                patience=smpp.Patience(reopen=0.02, reopen_most=0.1, unbind=0.5),
            )  # fmt: skip

        return Joined(made, receiver.reports)

    return Station(
        make(sandbox.smsc.url), sandbox, receiver.reports,
        unreachable=lambda: make(receiver.closed_url.replace("http:", "smpp:")),
        refusal=faults.SMS_REFUSED, lost_answer=faults.SMPP_SILENT,
    )  # fmt: skip


def _seconds() -> int:
    return int(time.time())


def _nothing(*_words: Any) -> None:
    pass


MAKERS = {
    "zalo": _zalo, "zalo_uid": _zalo_uid, "zalo_cs": _zalo_cs, "esms": _esms, "speedsms": _speedsms,
    "http": _http, "modem": _modem, "smpp": _smpp,
}  # fmt: skip


def _of_a_provider(event: Any) -> list[channels.Report | None]:
    if isinstance(event, dict):
        return [speedsms.SpeedSms.callback(event)]
    own = described.read(described.of_json("http://a.vn")).sms.http["khac"]
    lane = http.HttpSms("khac", own, "x", "http://a.vn", unicode=True)
    return [lane.callback(one) for one in event]


class Receiver:
    """The gateway's end of the webhooks, reduced to handing the reports on."""

    def __init__(self) -> None:
        self.reports: queue.Queue[channels.Report] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._closed = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
        self._closed.server_close()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def closed_url(self) -> str:
        """Where nobody listens."""
        return f"http://127.0.0.1:{self._closed.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self):
        reports = self.reports

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if "/zalo" not in self.path:
                    told = _of_a_provider(event)
                    for report in told:
                        reports.put(report)
                    self._yes()
                    return
                by_phone = self.headers["X-ZEvent-Server"] == "ZNS"
                told = (zalo.ZaloTemplate.callback(event),) if by_phone else person.receipts(event)
                for report in told:
                    reports.put(report)
                self._yes()

            def do_GET(self):
                reports.put(esms.Esms.callback(dict(parse_qsl(urlsplit(self.path).query))))
                self._yes()

            def _yes(self):
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.stop()
