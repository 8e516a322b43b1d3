"""What a sandbox is told when it starts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Options:
    """`port` 0 takes a free one; `modem_link`, `smpp_port` or `printer_port` None starts no such stand-in.

    `modem_links`: further modems, name → link. `modem_pins`, `modem_operators`: what their SIMs ask for, and whose
    they are, by name; the modem at `modem_link` is named "modem".
    `templates`: {"id", "title", "params": ["ten", {"name": "so", "max": 30, "type": "DATE"}, …], "text":
    "… {ten} …", "tag", "timeout" (s), "price_phone", "price_uid"}; all but the id may be left out.
    `people`: {"phone", "name"} of those who have a Zalo account from the start.
    `receipt_delay`: seconds from a message's arrival to its receipt.
    `speedsms_webhook`: where SpeedSMS posts its reports, as set on its website.
    `proof_required`: Zalo asks for appsecret_proof on every call. `echoes`: Zalo tells us of our own messages.
    """

    host: str = "127.0.0.1"
    port: int = 8090
    folder: Path = Path("data/sandbox")
    modem_link: Path | None = None
    modem_links: Mapping[str, Path] = field(default_factory=dict)
    modem_pins: Mapping[str, str] = field(default_factory=dict, repr=False)
    modem_operators: Mapping[str, str] = field(default_factory=dict)
    printer_port: int | None = None
    webhook_url: str | None = None
    app_id: str = "1234567890"
    app_secret: str = field(default="sandbox-app-secret", repr=False)
    oa_id: str = "99"
    webhook_secret: str = field(default="sandbox-oa-secret", repr=False)
    oa_name: str = "Công an phường"
    proof_required: bool = False
    echoes: bool = False
    per_minute: int = 4_000
    people: tuple[Mapping[str, str], ...] = ()
    templates: tuple[Mapping[str, Any], ...] = ()
    esms_api_key: str = field(default="sandbox-api-key", repr=False)
    esms_secret_key: str = field(default="sandbox-secret-key", repr=False)
    brandname: str = "CAPHUONG"
    speedsms_token: str = field(default="sandbox-speedsms-token", repr=False)
    speedsms_sender: str = "CAPHUONG"
    speedsms_per_minute: int = 60
    speedsms_webhook: str | None = None
    http_token: str = field(default="sandbox-http-token", repr=False)
    smpp_port: int | None = None
    smpp_system_id: str = "sandbox"
    smpp_password: str = field(default="smppsand", repr=False)
    smpp_source: str = "CAPHUONG"
    smpp_coding: str = "gsm"
    receipt_delay: float = 1.0
