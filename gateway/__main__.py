"""The commands: `python -m gateway …`. Exit 0 done, 1 a fault named in one line, 2 wrong words."""

from __future__ import annotations

import functools
import json
import signal
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click
import requests
import sqlalchemy.exc
from sqlalchemy import Engine

from gateway import (
    access,
    checkup,
    connections,
    consent,
    database,
    example,
    gauges,
    logs,
    registrations,
    retention,
    safe,
    station,
    storage,
)
from gateway import config as configuration
from gateway.hooks.courier import Courier
from gateway.rules import channels as names
from gateway.rules.settings import Settings
from gateway.web import app as web_app
from gateway.web import language, serving
from gateway.worker import Worker

Command = Callable[..., Any]


class Fault(click.ClickException):
    """Ends a command with one line and exit 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(f"Lỗi / error: {self.message}", err=True)


def configured(command: Command) -> Command:
    """Gives a command `config` (Settings), `engine` and, by --config, `config_path`."""

    @click.option(
        "--config", "config_path", metavar="PATH", help="default: $GATEWAY_CONFIG, else config.toml"
    )
    @functools.wraps(command)
    def run(config_path: str | None, **words: Any) -> Any:
        path = configuration.path_of(config_path)
        try:
            config = configuration.load(path)
        except configuration.Mistakes as mistakes:
            lines = "\n".join(f"  {line}" for line in mistakes.lines)
            raise Fault(
                f"{path}: {len(mistakes.lines)} lỗi cấu hình / configuration mistakes:\n{lines}"
            ) from mistakes
        engine = database.connect(config.database.url)
        try:
            return command(config=config, engine=engine, config_path=path, **words)
        except sqlalchemy.exc.SQLAlchemyError as fault:
            if not storage.is_away(fault):
                raise
            raise Fault(f"the database does not answer ({storage.in_short(fault)})") from fault
        except (connections.Missing, safe.WrongKey, station.Trouble) as fault:
            raise Fault(str(fault)) from fault

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The queue-number gateway: registrations, notices, the queue."""
    logs.start()


def _until_stopped() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _server(config: Settings, engine: Engine, alive: Callable[[], bool | None]) -> serving.Server:
    extra = ()
    if config.sandbox.on:
        from gateway.sandbox import pages  # nothing of the sandbox is loaded at a real station

        extra = (pages.blueprint_for(config, lambda: station.logins(config)),)
    redeem = connections.redeemer(config)
    upload = connections.uploader(config, engine, web_app.seconds_now)
    app = web_app.create_app(config, engine, extra, alive=alive, redeem=redeem, upload=upload)
    server = serving.Server(app, config)
    try:
        server.start()
    except OSError as fault:
        raise Fault(f"port {config.web.port} on {config.web.host} cannot be used ({fault})") from fault
    return server


def _words(tongue: str, text: str) -> str:
    return language.catalogue(tongue).gettext(text)


class _Work:
    """The sending side of a process: the worker, and the courier to other programs."""

    def __init__(self, config: Settings, engine: Engine):
        now = web_app.seconds_now
        self._channels = connections.channels(config, engine, now)
        sends_zalo = any(name in names.ZALO for name in self._channels)
        account = connections.official(config, engine, now) if sends_zalo else None
        self.worker = Worker(engine, config, self._channels, _words, now, account)
        self._courier = Courier(engine, config, now)
        self._threads = [
            threading.Thread(target=one.run, name=name)
            for name, one in (("worker", self.worker), ("courier", self._courier))
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let what is under way end; what was not begun is put back."""
        self.worker.stop()
        self._courier.stop()
        for thread in self._threads:
            thread.join()
        for channel in self._channels.values():
            channel.close()


def _serve(config: Settings, engine: Engine, web: bool, work: bool) -> None:
    if engine.dialect.name == "sqlite":
        database.migrate(engine)
    elif not database.is_current(engine):
        raise Fault("the database's schema is not the newest: run `python -m gateway migrate` first")
    stop = _until_stopped()
    sending = _Work(config, engine) if work else None
    try:
        server = _server(config, engine, sending.worker.alive if sending else lambda: None) if web else None
        told = _metrics(config, sending) if sending and not web else None
    except Fault:
        if sending:
            sending.stop()
        raise
    if server:
        click.echo(f"{config.web.base_url}", err=True)
    stop.wait()
    if server:
        server.stop()
    if told:
        told.stop()
    if sending:
        sending.stop()


def _metrics(config: Settings, sending: _Work) -> gauges.Served | None:
    """Where a process without pages tells Prometheus what it does."""
    port = config.notices.metrics_port
    if not port:
        return None
    try:
        return gauges.serve(port, sending.worker.alive, config.web.host)
    except OSError as fault:
        raise Fault(f"[notices] metrics_port {port} cannot be used ({fault})") from fault


@cli.command()
@configured
def serve(config: Settings, engine: Engine, **_: Any) -> None:
    """Web pages, worker and timetable in one process."""
    _serve(config, engine, web=True, work=True)


@cli.command()
@configured
def web(config: Settings, engine: Engine, **_: Any) -> None:
    """The web pages alone; as many processes as wanted on PostgreSQL."""
    _serve(config, engine, web=True, work=False)


@cli.command()
@configured
def work(config: Settings, engine: Engine, **_: Any) -> None:
    """The worker and timetable alone."""
    _serve(config, engine, web=False, work=True)


@cli.command()
@configured
def migrate(engine: Engine, **_: Any) -> None:
    """Bring the database's schema to the newest version."""
    database.migrate(engine)
    click.echo("Cơ sở dữ liệu đã ở phiên bản mới nhất. / The schema is the newest.")


@cli.command("example")
@configured
def example_(config: Settings, engine: Engine, **_: Any) -> None:
    """Load the example station into an empty database."""
    database.migrate(engine)
    with database.writing(engine) as session:
        if not example.load(session, config, web_app.seconds_now()):
            raise Fault("the database is not empty; nothing was changed")
    click.echo("Đã nạp điểm làm thủ tục mẫu: TK1, TK2. / The example station is loaded: TK1, TK2.")


@cli.command()
@click.argument("day", metavar="DATE")
@click.option("--site", metavar="CODE", help="only this site")
@configured
def number(config: Settings, engine: Engine, day: str, site: str | None, **_: Any) -> None:
    """Give the numbers of DATE (YYYY-MM-DD) now."""
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise click.BadParameter("use YYYY-MM-DD", param_hint="DATE") from None
    with database.reading(engine) as session:
        shifts = [shift.id for shift in registrations.shifts_of(session, wanted, site)]
    if not shifts:
        raise Fault(f"no shift is open on {day}" + (f" at {site}" if site else "") + "; nothing was changed")
    numbers = told = 0
    for shift_id in shifts:
        with database.writing(engine) as session:
            given = registrations.give_numbers(session, shift_id, config, web_app.seconds_now())
        numbers, told = numbers + given.numbers, told + given.notices
    click.echo(
        f"{day}: {numbers} số, {told} tin báo, {len(shifts)} buổi. / {numbers} numbers, {told} notices."
    )


@cli.command()
@configured
def purge(config: Settings, engine: Engine, **_: Any) -> None:
    """Erase personal data older than `[retention] days` (the worker does it every day)."""
    with database.writing(engine) as session:
        erased = retention.purge(session, config, web_app.seconds_now())
    people = erased.registrations + erased.applicants + erased.tickets
    click.echo(
        f"Đã xoá dữ liệu cá nhân ở {people} dòng. / Personal data erased in {people} rows and {erased.notices} notices."
    )


@cli.group()
def staff() -> None:
    """People who may log in."""


@staff.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(access.ROLES), default="staff", show_default=True)
@configured
def staff_add(engine: Engine, name: str, role: str, **_: Any) -> None:
    """Add a person; prints the password on the last line."""
    _printed_secret(engine, lambda session, now: access.add_staff(session, name, role, now), name)


@cli.group()
def apikey() -> None:
    """Programs that may call the API."""


@apikey.command("add")
@click.argument("name")
@click.option("--scope", type=click.Choice(access.SCOPES), default="notices", show_default=True)
@configured
def apikey_add(engine: Engine, name: str, scope: str, **_: Any) -> None:
    """Add a program; prints its key on the last line."""
    _printed_secret(engine, lambda session, now: access.add_api_key(session, name, scope, now), name)


@cli.group()
def kiosk() -> None:
    """Ticket kiosks."""


@kiosk.command("add")
@click.argument("name")
@click.option("--site", metavar="CODE", required=True)
@configured
def kiosk_add(engine: Engine, name: str, site: str, **_: Any) -> None:
    """Add a kiosk, or give one a new code; prints the one-time enrolment code on the last line."""
    _printed_secret(engine, lambda session, now: access.add_kiosk(session, name, site, now), name)


def _printed_secret(engine: Engine, make: Callable[[Any, int], str | None], name: str) -> None:
    if not 1 <= len(name) <= 40 or not name.isprintable():
        raise Fault("a name has 1 to 40 characters that can be printed; nothing was changed")
    try:
        with database.writing(engine) as session:
            secret = make(session, web_app.seconds_now())
    except access.Taken as fault:
        raise Fault(f"{name} exists already; nothing was changed") from fault
    if secret is None:
        raise Fault("there is no such site, or all its series are taken; nothing was changed")
    click.echo(secret)


@cli.group()
def zalo() -> None:
    """Connecting the Official Account."""


@zalo.group()
def token() -> None:
    """The Official Account's tokens."""


@zalo.command("consent")
@configured
def zalo_consent(config: Settings, engine: Engine, **_: Any) -> None:
    """Begin a consent; prints on the last line the link for an administrator of the Official Account."""
    try:
        with database.writing(engine) as session:
            link = consent.begin(session, config, "operator", web_app.seconds_now())
    except consent.Unset as fault:
        raise Fault(
            f"{fault} is not set: copy the link that Zalo's console shows, and put there "
            f'"Code Challenge" {consent.fixed_challenge(config)} and "Official Account Callback Url" '
            f"{consent.callback_url(config)}"
        ) from fault
    click.echo(
        "Mở đường dẫn dưới đây trong 10 phút, bằng tài khoản quản trị của OA, rồi bấm đồng ý. / "
        "Open the link below within 10 minutes, as an administrator of the OA, and agree.",
        err=True,
    )
    if config.zalo.pkce_mode == "console":
        click.echo(
            "Trình duyệt phải đăng nhập trang quản trị này. / The browser must be signed in at this gateway.",
            err=True,
        )
    click.echo(link)


@token.command("import")
@click.option("--access", "access_token", envvar="GATEWAY_ZALO_ACCESS_TOKEN", help="else asked for")
@click.option("--refresh", "refresh_token", envvar="GATEWAY_ZALO_REFRESH_TOKEN", help="else asked for")
@configured
def token_import(
    config: Settings, engine: Engine, access_token: str | None, refresh_token: str | None, **_: Any
) -> None:
    """Keep a pair of tokens taken from Zalo's API Explorer.

    Options can be seen by others and stay in the shell's history: better leave them out, and the tokens are
    asked for, or read from standard input (two lines, or Zalo's JSON), or from GATEWAY_ZALO_ACCESS_TOKEN and
    GATEWAY_ZALO_REFRESH_TOKEN.
    """
    if not (access_token and refresh_token):
        access_token, refresh_token = _asked_for(access_token, refresh_token)
    with database.writing(engine) as session:
        # How old the pair is nobody knows: too old to be used for long, and so it is renewed at its first use
        grant = (access_token, refresh_token, 3_600)
        consent.finish(session, config, grant, "operator", web_app.seconds_now())
    click.echo("Đã lưu mã truy cập Zalo. / The Zalo tokens are kept.")


def _asked_for(access_token: str | None, refresh_token: str | None) -> tuple[str, str]:
    """The pair from the keyboard, unseen, or from what is piped in."""
    if sys.stdin.isatty():
        access_token = access_token or click.prompt("access_token", hide_input=True)
        return access_token, refresh_token or click.prompt("refresh_token", hide_input=True)
    text = sys.stdin.read(20_000).strip()
    try:
        found = json.loads(text)
        pair = [found["access_token"], found["refresh_token"]]
    except (ValueError, KeyError, TypeError):
        pair = text.split()
    if len(pair) != 2 or not all(isinstance(one, str) and one for one in pair):
        raise Fault("give --access and --refresh, or two lines on standard input; nothing was changed")
    return pair[0], pair[1]


@cli.command()
@configured
def check(config: Settings, engine: Engine, **_: Any) -> None:
    """Say line by line what is well and what is not; exit 1 if something does not work."""
    findings = checkup.findings(config, engine, web_app.seconds_now())
    for finding in findings:
        click.echo(f"{'ok ' if finding.well else 'LỖI'} {finding.part}: {finding.text}")
    if not all(finding.well for finding in findings):
        sys.exit(1)


@cli.command()
@configured
def sandbox(config: Settings, **_: Any) -> None:
    """The stand-ins for Zalo, the SMS network, the modem and the printer."""
    if not config.sandbox.on:
        raise Fault("[sandbox] on is false; nothing was started")
    from gateway.sandbox import arrangement, server

    server.run(
        arrangement.options(config, lambda name: configuration.own_secret(config, name)), _until_stopped()
    )


@cli.command("station")
@configured
def station_(config: Settings, engine: Engine, config_path: Path, **_: Any) -> None:
    """Gateway, kiosk and sandbox together, with the example station: what `make run` starts."""
    if not config.sandbox.on:
        raise Fault(
            "[sandbox] on is false: a real station runs `python -m gateway serve` and `python -m kiosk run`"
        )
    try:
        station.run(config, config_path.resolve(), engine, web_app.seconds_now, click.echo)
    except requests.RequestException as fault:
        raise Fault(f"a stand-in does not answer ({type(fault).__name__})") from fault


if __name__ == "__main__":
    cli(prog_name="python -m gateway")
