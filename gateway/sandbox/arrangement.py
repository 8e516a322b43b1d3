"""How the stand-ins are set up for the example station: from the same config.toml that the product reads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.rules.settings import Settings
from gateway.sandbox.options import Options

# The approved texts that the stand-in Zalo knows; a parameter's name and length are what Zalo holds us to.
TEMPLATES: tuple[dict[str, Any], ...] = (
    {
        "id": "100001",
        "title": "Lịch làm căn cước",
        "params": [
            {"name": "ten", "max": 30},
            {"name": "so", "max": 30},
            {"name": "gio", "max": 20, "type": "DATE"},
            {"name": "ngay", "max": 20, "type": "DATE"},
            {"name": "noi", "max": 200},
            {"name": "link", "max": 200},
        ],
        "text": "Chào {ten}.\nSố thứ tự: {so}\nGiờ hẹn: {gio} ngày {ngay}\nNơi làm: {noi}\n"
        "Mời đến sớm 5 phút và đưa tin này cho cán bộ.\n{link}",
    },
    {
        "id": "100002",
        "title": "Mời đến quầy",
        "params": [{"name": "so", "max": 30}, {"name": "quay", "max": 30}, {"name": "noi", "max": 200}],
        "text": "Mời số {so} đến {quay}, {noi}.",
    },
    {
        "id": "100003",
        "title": "Sắp đến lượt",
        "params": [{"name": "so", "max": 30}, {"name": "noi", "max": 200}],
        "text": "Sắp đến lượt số {so}. Mời đến khu vực chờ, {noi}.",
    },
    {
        "id": "100004",
        "title": "Đã gọi nhưng vắng mặt",
        "params": [{"name": "so", "max": 30}, {"name": "noi", "max": 200}],
        "text": "Số {so} đã được gọi nhưng vắng mặt. Mời báo lại tại quầy trong 30 phút, {noi}.",
    },
    {
        "id": "100006",
        "title": "Đội lưu động đến phường",
        "params": [
            {"name": "noi", "max": 200},
            {"name": "ngay", "max": 20, "type": "DATE"},
            {"name": "link", "max": 200},
        ],
        "text": "Đội lưu động làm căn cước tại {noi} ngày {ngay}. Chi tiết: {link}",
    },
    {
        "id": "100005",
        "title": "Đã huỷ lịch",
        "params": [{"name": "ten", "max": 30}, {"name": "ngay", "max": 20, "type": "DATE"}],
        "text": "Lịch làm thủ tục của {ten} ngày {ngay} đã huỷ.",
    },
)


# Who has a phone in the town from the start; more are added on the page.
PEOPLE: tuple[dict[str, str], ...] = ({"phone": "0901234567", "name": "Nguyễn Thị Hoa"},)


def options(config: Settings, secret: Callable[[str], str]) -> Options:
    """The stand-ins' options; `secret("zalo.app_secret")` gives a secret by its name."""
    folder = Path(config.sandbox.folder)
    links = modems(config, folder)
    return Options(
        host=config.sandbox.host,
        port=config.sandbox.port,
        folder=folder,
        modem_link=folder / "modem",
        modem_links=links,
        modem_operators={name: config.sms.modems[name].network.title() or "Viettel" for name in links},
        printer_port=config.sandbox.printer_port,
        webhook_url=f"http://127.0.0.1:{config.web.port}/webhooks/zalo",
        app_id=config.zalo.app_id,
        app_secret=secret("zalo.app_secret"),
        oa_id=config.zalo.oa_id,
        webhook_secret=secret("zalo.webhook_secret"),
        oa_name=config.station.name,
        proof_required=config.zalo.appsecret_proof,
        echoes=True,
        people=PEOPLE,
        templates=TEMPLATES,
        esms_api_key=secret("sms.esms.api_key"),
        esms_secret_key=secret("sms.esms.secret_key"),
        brandname=config.sms.esms.brandname,
        speedsms_token=secret("sms.speedsms.token"),
        speedsms_sender=config.sms.speedsms.sender or config.sms.esms.brandname,
        speedsms_webhook=f"http://127.0.0.1:{config.web.port}/webhooks/speedsms/"
        + secret("sms.speedsms.callback_secret"),
        smpp_port=_smpp_port(config),
        smpp_system_id=config.sms.smpp.system_id,
        smpp_password=secret("sms.smpp.password"),
        smpp_source=config.sms.smpp.source,
        smpp_coding=config.sms.smpp.data_coding,
        receipt_delay=config.sandbox.receipt_delay,
    )


def modems(config: Settings, folder: Path) -> dict[str, Path]:
    """The modems of [sms.modems.NAME] whose port lies in the sandbox's folder, beside the one of [sms.modem]."""
    ports = {name: urlsplit(sim.url) for name, sim in config.sms.modems.items()}
    places = {name: Path(url.netloc + url.path) for name, url in ports.items() if url.scheme == "serial"}
    inside = folder.absolute()
    return {name: place for name, place in places.items() if place.absolute().is_relative_to(inside)}


def _smpp_port(config: Settings) -> int | None:
    """Where the stand-in SMSC listens: where the lane looks for one on this machine, if that lane is used at all."""
    place = urlsplit(config.sms.smpp.url)
    here = place.scheme == "smpp" and place.hostname in ("127.0.0.1", "localhost")
    return place.port or 2775 if here and "smpp" in config.sms.providers else None
