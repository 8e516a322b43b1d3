"""python -m kiosk: run, enrol, press, status, test-print.

Exit 0 done, 1 a fault named in one line, 2 wrong words.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import requests

from gateway.rules import settings
from kiosk import config, enrolment, journal, loop, paper, press, state, sync, wording
from printers import jobs

# Seconds to wait for the paper when no kiosk is running and a command prints by itself.
PAPER_WAIT = 20.0


def _path_option(function: Callable[..., None], **more: Any) -> Callable[..., None]:
    option = click.option(
        "--config",
        "path",
        type=click.Path(dir_okay=False, path_type=Path),
        help="where config.toml is (default: $GATEWAY_CONFIG, then config.toml)",
        **more,
    )
    return option(function)


def _configured(function: Callable[..., None]) -> Callable[..., None]:
    """A command that gets the settings; takes --config itself, as the group does before it."""

    @functools.wraps(function)
    def command(path: Path | None, **arguments: Any) -> None:
        before = click.get_current_context().parent.params["path"]
        function(_settings(path or before or Path("config.toml")), **arguments)

    return _path_option(command)


def _settings(path: Path) -> settings.Settings:
    try:
        return config.read(path, os.environ)
    except settings.Mistakes as mistakes:
        for line in mistakes.lines:
            click.echo(line, err=True)
        sys.exit(1)


@click.group()
@functools.partial(_path_option, envvar="GATEWAY_CONFIG")
def main(path: Path | None) -> None:
    """The kiosk: one press, one number, one paper."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")


@main.command()
@_configured
def run(conf: settings.Settings) -> None:
    """Serve the page, print, and talk to the gateway until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    loop.stop_on_signals(stop)
    try:
        loop.run(conf, stop, ready=lambda url: click.echo(url))
    except loop.Fault as fault:
        _end(fault.text)


@main.command()
@click.argument("url")
@click.argument("code")
@_configured
def enrol(conf: settings.Settings, url: str, code: str) -> None:
    """Change the one-time CODE for this kiosk's key at the gateway URL."""
    try:
        found = enrolment.enrol(url, code, Path(conf.kiosk.folder))
    except (enrolment.Failed, OSError) as fault:
        _end(wording.both("Chưa ghi danh được: {fault}", fault=fault))
    text = wording.both(
        "Đã ghi danh: máy {kiosk}, dải số {series}, điểm {site}",
        kiosk=found.kiosk, series=found.series, site=found.site,
    )  # fmt: skip
    click.echo(_line(text))


@main.command(name="press")
@click.option("--service", help="code of the service; the first one when left out")
@click.option("--priority", is_flag=True, help="for a person with priority")
@_configured
def press_button(conf: settings.Settings, service: str | None, priority: bool) -> None:
    """Take a number, like the button does; prints it on standard output."""
    running = _running(conf)
    try:
        if running is not None:
            code = service or _first(running["services"])
            body = {"service": code, "priority": priority}
            click.echo(_post(conf, "/press", body)["number"])
        else:
            with loop.parts(conf) as kiosk:
                click.echo(_press_alone(kiosk, service, priority))
    except loop.Fault as fault:
        _end(fault.text)


@main.command()
@_configured
def status(conf: settings.Settings) -> None:
    """Say how printer, gateway, clock and journal are; exit 1 when something is not well."""
    running = _running(conf)
    try:
        lines, well = _lines_of_running(running) if running is not None else _lines_at_rest(conf)
    except loop.Fault as fault:
        _end(fault.text)
    for line in lines:
        click.echo(_line(line))
    sys.exit(0 if well else 1)


@main.command(name="test-print")
@_configured
def test_print(conf: settings.Settings) -> None:
    """Print a paper that is nobody's number."""
    try:
        if _running(conf) is not None:
            _post(conf, "/test-print", {})
        else:
            with loop.parts(conf) as kiosk:
                _wait_for_paper(kiosk, loop.test_print(kiosk))
    except loop.Fault as fault:
        _end(fault.text)
    click.echo(_line(wording.both("Đã gửi phiếu in thử tới máy in.")))


def _press_alone(kiosk: loop.Parts, service: str | None, priority: bool) -> str:
    kiosk.sync.attempt()
    kiosk.desk.hand_over()
    told = kiosk.sync.known.state
    code = service or (told.services[0].code if told and told.services else "")
    answer = kiosk.desk.press(press.Order(code, priority))
    if isinstance(answer, press.Declined):
        raise loop.Fault(answer.text)
    _wait_for_paper(kiosk, paper.key(answer.event))
    kiosk.sync.attempt()
    return answer.event["number"]


def _wait_for_paper(kiosk: loop.Parts, key: str) -> None:
    """Run the spool until the paper with `key` came out, or is held, or the wait is over."""
    stop, out = threading.Event(), threading.Event()

    def changed(job: jobs.Job) -> None:
        kiosk.trail.job(job)
        if job.key == key and job.state == jobs.CONFIRMED:
            out.set()
        if job.key == key and job.state in (jobs.CONFIRMED, jobs.HELD, jobs.FAILED):
            stop.set()

    timer = threading.Timer(PAPER_WAIT, stop.set)
    timer.start()
    kiosk.spool.run(stop, changed, kiosk.trail.printer)
    timer.cancel()
    if not out.is_set():
        click.echo(_line(wording.both("Phiếu chưa in được; sẽ in khi máy in sẵn sàng.")), err=True)


def _running(conf: settings.Settings) -> dict[str, Any] | None:
    """The status of the kiosk that runs on this machine's page port; None when none does."""
    try:
        answer = requests.get(f"{_page(conf)}/status", timeout=5)
        document = answer.json()
    except (requests.RequestException, ValueError):
        return None
    return document if answer.ok and isinstance(document, dict) and "series" in document else None


def _post(conf: settings.Settings, path: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        answer = requests.post(
            _page(conf) + path, json=body, headers={"X-Requested-With": "kiosk"}, timeout=15
        )
        document = answer.json()
    except (requests.RequestException, ValueError) as fault:
        raise loop.Fault(wording.both("Máy lấy số không trả lời.")) from fault
    if not answer.ok:
        raise loop.Fault(document.get("text") or wording.both("Máy lấy số không trả lời."))
    return document


def _page(conf: settings.Settings) -> str:
    host = "127.0.0.1" if conf.kiosk.host in ("0.0.0.0", "::", "") else conf.kiosk.host
    return f"http://{host}:{conf.kiosk.port}"


def _first(services: list[dict[str, Any]]) -> str:
    return services[0]["code"] if services else ""


def _lines_of_running(document: dict[str, Any]) -> tuple[list[wording.Both], bool]:
    printer, time = document["printer"], document["clock"]
    lines = [
        wording.both(
            "Ghi danh: máy {kiosk}, dải số {series}", kiosk=document["kiosk"], series=document["series"]
        ),
        _printer_line(printer),
        _contact_line(document),
        wording.both("Chưa gửi: {count} mục nhật ký", count=document["unsent"]),
        wording.both("Bị từ chối: {count} mục nhật ký", count=len(document["refused"])),
        wording.both("Đồng hồ lệch {offset} giây", offset=f"{time['offset']:+.1f}"),
    ]
    lines += [_refused_line(entry) for entry in document["refused"]]
    if document["last"]:
        lines.append(
            wording.both("Số mới nhất: {number}, ngày {day}", **document["last"])
        )
    return lines, printer["ready"] and document["online"] and not document["refused"]


def _printer_line(printer: dict[str, Any]) -> wording.Both:
    if printer["ready"]:
        return wording.both("Máy in: sẵn sàng (giấy: {paper})", paper=printer["paper"])
    vi, en = printer["reason"]["vi"], printer["reason"]["en"]
    return {"vi": wording.both("Máy in: {reason}", reason=vi)["vi"],
            "en": wording.both("Máy in: {reason}", reason=en)["en"]}  # fmt: skip


def _contact_line(document: dict[str, Any]) -> wording.Both:
    last = document["last_contact"] or "–"
    if document["online"]:
        return wording.both("Kết nối trung tâm: tốt, lần cuối {last}", last=last)
    return wording.both(
        "Kết nối trung tâm: mất ({fault}), lần cuối {last}", fault=document["fault"] or "–", last=last
    )


def _refused_line(entry: dict[str, Any]) -> wording.Both:
    return wording.both("  mục {seq}: {why}", seq=entry["seq"], why=entry["why"])


def _lines_at_rest(conf: settings.Settings) -> tuple[list[wording.Both], bool]:
    """What the files say while no kiosk runs; that it does not run is not well."""
    who = loop.enrolled(conf)
    records, mark = journal.read(loop.journal_folder(conf, who))
    unsent = records[-1].seq - mark.acked if records else 0
    refused = sync.load_refused(Path(conf.kiosk.folder))
    told = state.load(Path(conf.kiosk.folder))
    lines = [
        wording.both("Máy lấy số không chạy."),
        wording.both("Ghi danh: máy {kiosk}, dải số {series}", kiosk=who.kiosk, series=who.series),
        wording.both("Chưa gửi: {count} mục nhật ký", count=max(unsent, 0)),
        wording.both("Bị từ chối: {count} mục nhật ký", count=len(refused)),
        wording.both("Điểm làm thủ tục: {site}", site=told.site if told else who.site),
    ]
    return lines, False


def _line(text: wording.Both) -> str:
    return " / ".join(dict.fromkeys((text["vi"], text["en"])))


def _end(text: wording.Both) -> NoReturn:
    click.echo(_line(text), err=True)
    sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m kiosk")
