"""Who this kiosk is to the gateway: one code typed once, one key kept on disk for its owner only."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests

from kiosk import durable, link

FILE = "enrolment.json"


@dataclass(frozen=True)
class Enrolment:
    """`kiosk` its name, `series` its letter, `site` the code of its site, `gateway` who said so."""

    kiosk: str
    key: str
    series: str
    site: str
    gateway: str


class Failed(Exception):
    """The gateway gave no enrolment; the text says why."""


def load(folder: Path) -> Enrolment | None:
    """The enrolment in `folder`; None before the first one. Raises `Failed` for a file that is none."""
    path = folder / FILE
    document = durable.read_json(path)
    if document is None:
        if path.exists():
            raise Failed(f"{path}: not an enrolment; enrol this kiosk again")
        return None
    return _parse(document, document.get("gateway", ""))


def enrol(url: str, code: str, folder: Path, timeout: float = 10.0) -> Enrolment:
    """Change the one-time `code` for a key at the gateway `url` and keep it, readable by the owner only."""
    url = url.rstrip("/")
    try:
        answer = requests.post(f"{url}/api/v1/kiosks/enrol", json={"code": code}, timeout=timeout)
        document = answer.json()
    except (requests.RequestException, ValueError) as fault:
        raise Failed(f"{url}: {link.cause(fault)}") from fault
    if not answer.ok:
        raise Failed(f"{url}: {answer.status_code} {link.detail(document)}".rstrip())
    found = _parse(document, url)
    folder.mkdir(parents=True, exist_ok=True)
    durable.write_json(folder / FILE, asdict(found), mode=0o600)
    return found


def _parse(document: Any, gateway: str) -> Enrolment:
    try:
        site, kiosk = document["site"], document["kiosk"]
        found = Enrolment(
            kiosk=str(kiosk["name"] if isinstance(kiosk, dict) else kiosk),
            key=str(document["key"]),
            series=str(document["series"]),
            site=str(site["code"] if isinstance(site, dict) else site),
            gateway=gateway,
        )
    except (KeyError, TypeError) as fault:
        raise Failed(f"the answer is no enrolment: {fault}") from fault
    if not (found.key and found.kiosk and found.series.isalpha() and len(found.series) == 1):
        raise Failed("the answer is no enrolment: kiosk, key and a series of one letter are needed")
    return found
