"""python -m printers status URL | test URL | render FILE.json: look at a printer and its tickets by hand."""
from __future__ import annotations

import datetime
import json
import os
import pathlib
import sys
import time
import tomllib

import click
from PIL import ImageOps

from printers import device, escpos, layout, ports, raster, status
from printers import link as links
from printers import ticket as tickets

ANSWER_SECONDS = 4.0
PRINT_SECONDS = 20.0
PAPER_EDGE = 32  # dots of white around a rendered picture

config_option = click.option(
    "--config", type=click.Path(dir_okay=False), envvar="GATEWAY_CONFIG", default="config.toml",
    show_default=True, help="Tệp cấu hình, đọc mục [printer] · Where [printer] url, profile, width_dots are.")
profile_option = click.option("--profile", help="Kiểu máy in · Printer profile, e.g. generic, TM-T20II.")
width_option = click.option("--width", type=int, help="Khổ in, điểm · Width of the print in dots.")
PROFILES = f"Kiểu máy in · Profiles: {', '.join(device.profiles())}."


class Failed(click.ClickException):
    """A fault of the world, named in one line; exit 1."""

    def show(self, file: object = None) -> None:
        click.echo(self.format_message(), err=True)


@click.group()
def main() -> None:
    """Máy in phiếu số thứ tự · Ticket printers."""


@main.command("status", epilog=PROFILES)
@click.argument("url", required=False)
@config_option
@profile_option
@width_option
def status_command(url: str | None, config: str, profile: str | None, width: int | None) -> None:
    """Hỏi tình trạng máy in · Ask the printer how it is."""
    settings = _settings(config)
    link = _opened(_url(url, settings), _capabilities(settings, profile, width))
    try:
        if not link.talks:
            click.echo("Máy in này chỉ nhận, không trả lời / This printer only listens, it cannot answer")
            return
        state = _asked(link)
    finally:
        link.close()
    for line in _described(state):
        click.echo(line)
    if state.hold:
        raise Failed(f"{state.reason_vi} / {state.reason_en}")


@main.command("test", epilog=PROFILES)
@click.argument("url", required=False)
@config_option
@profile_option
@width_option
def test_command(url: str | None, config: str, profile: str | None, width: int | None) -> None:
    """In một phiếu thử · Print a test slip with every Vietnamese letter."""
    settings = _settings(config)
    capabilities = _capabilities(settings, profile, width)
    link = _opened(_url(url, settings), capabilities)
    try:
        state = _asked(link)
        if state.hold:
            raise Failed(f"{state.reason_vi} / {state.reason_en}")
        proof = _printed(link, capabilities)
    except ports.PortError as error:
        raise Failed(str(error)) from error
    finally:
        link.close()
    click.echo(f"Đã in phiếu thử / The test slip is printed ({proof})")


@main.command("render", epilog=PROFILES)
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@config_option
@profile_option
@width_option
@click.option("--out", type=click.Path(dir_okay=False), help="Tệp lệnh ESC/POS · Where the bytes go.")
@click.option("--png", type=click.Path(dir_okay=False), help="Tệp hình · Where the picture goes.")
def render_command(file: str, config: str, profile: str | None, width: int | None,
                   out: str | None, png: str | None) -> None:
    """Dựng một phiếu thành lệnh in và hình · Make the bytes and the picture of a ticket."""
    capabilities = _capabilities(_settings(config), profile, width)
    try:
        ticket = tickets.Ticket.from_document(json.loads(pathlib.Path(file).read_text(encoding="utf-8")))
    except (tickets.TicketError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Failed(f"{file}: {error}") from error
    payload = escpos.ticket(ticket, capabilities, escpos.job_letters(0))
    if out:
        _write(out, payload)
    if png:
        picture = raster.picture(layout.arrange(ticket, capabilities.width), capabilities.width)
        ImageOps.expand(ImageOps.invert(picture.convert("L")), PAPER_EDGE, 255).save(png, "PNG")
    click.echo(f"{len(payload)} byte · {capabilities.profile} · {capabilities.width} điểm/dots")


def _settings(config: str) -> dict:
    """The [printer] table; empty when there is no such file."""
    path = pathlib.Path(config)
    settings: dict = {}
    if path.exists():
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8")).get("printer", {})
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise Failed(f"{config}: không đọc được / cannot be read: {error}") from error
    for key, name in (("url", "URL"), ("profile", "PROFILE"), ("width_dots", "WIDTH_DOTS")):
        if value := os.environ.get(f"GATEWAY_PRINTER__{name}"):
            settings[key] = int(value) if key == "width_dots" and value.isdigit() else value
    return settings


def _url(url: str | None, settings: dict) -> str:
    chosen = url or settings.get("url")
    if not chosen:
        raise click.UsageError("Thiếu địa chỉ máy in / The printer's URL is missing")
    return chosen


def _capabilities(settings: dict, profile: str | None, width: int | None) -> device.Capabilities:
    try:
        return device.capabilities(profile or settings.get("profile") or "generic",
                                   width or settings.get("width_dots") or None)
    except device.DeviceError as error:
        raise click.UsageError(str(error)) from error


def _opened(url: str, capabilities: device.Capabilities) -> links.Link:
    try:
        link = links.Link(ports.open_port(url), capabilities, time.monotonic)
        link.greet(flush=False)
    except ports.PortError as error:
        if error.code == "words":
            raise click.UsageError(str(error)) from error
        raise Failed(str(error)) from error
    return link


def _asked(link: links.Link) -> status.PrinterState:
    """The state once all four answers are in, or what is known after some seconds."""
    deadline = time.monotonic() + ANSWER_SECONDS
    try:
        while link.waiting and time.monotonic() < deadline:
            link.listen(0.1)
    except ports.PortError as error:
        raise Failed(str(error)) from error
    return link.state


def _printed(link: links.Link, capabilities: device.Capabilities) -> str:
    """Send the test slip; answers how its print is known."""
    now = datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="seconds")
    letters = escpos.job_letters(os.getpid())
    payload = escpos.ticket(tickets.specimen(now), capabilities, letters)
    link.port.write(payload, PRINT_SECONDS)
    if not link.talks:
        return "sent"
    deadline = time.monotonic() + PRINT_SECONDS
    while capabilities.confirm != "status" and time.monotonic() < deadline:
        for event in link.listen(0.1):
            if isinstance(event, status.Printed) and event.job == letters:
                return "gsH"
            if isinstance(event, status.Sensor) and capabilities.confirm == "gsr":
                return "gsr"
    link.ask()
    state = _asked(link)
    if state.hold:
        raise Failed(f"{state.reason_vi} / {state.reason_en}")
    return "status"


def _described(state: status.PrinterState) -> list[str]:
    paper = {"ok": "còn giấy / paper ok", "near_end": "sắp hết giấy / paper near end",
             "out": "hết giấy / no paper", "unknown": "không rõ / unknown"}[state.paper]
    online = "sẵn sàng / ready" if not state.hold else "chưa sẵn sàng / not ready"
    cover = "đang mở / open" if state.cover_open else "đóng / closed"
    return [f"Máy in / printer: {online}", f"Giấy / paper: {paper}", f"Nắp / cover: {cover}"]


def _write(path: str, data: bytes) -> None:
    try:
        pathlib.Path(path).write_bytes(data)
    except OSError as error:
        raise Failed(f"{path}: không ghi được / cannot be written ({error.strerror})") from error


if __name__ == "__main__":
    sys.exit(main())
