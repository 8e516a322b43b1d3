"""The example station: a city police with two sites, four services, three counters each, a week of shifts."""

from __future__ import annotations

from datetime import time, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from gateway import inbox, tables
from gateway.rules import hours
from gateway.rules.settings import Settings

SLOT = 1_800
SITES = (
    ("TK1", "Điểm cấp căn cước An Mỹ", "An My identity-card site", "12 Hùng Vương, phường An Mỹ"),
    (
        "TK2",
        "Điểm cấp căn cước Hoà Hương",
        "Hoa Huong identity-card site",
        "85 Phan Châu Trinh, phường Hoà Hương",
    ),
)
SERVICES = (
    ("new", "Cấp căn cước lần đầu", "First identity card", "Giấy khai sinh (nếu chưa có mã định danh)", 480),
    ("renew", "Cấp đổi căn cước", "Exchange of identity card", "Thẻ căn cước đang dùng", 420),
    ("replace", "Cấp lại căn cước", "Replacement of a lost card", "Số định danh cá nhân", 480),
    ("residence", "Đăng ký cư trú", "Residence registration", "Giấy tờ về chỗ ở hợp pháp", 600),
)
DOCUMENTS_EN = {
    "new": "Birth certificate (if you have no personal number yet)",
    "renew": "The identity card in use",
    "replace": "Your personal identification number",
    "residence": "Papers of lawful residence",
}
COUNTERS = ("1", "2", "3")


def load(session: Session, config: Settings, now: int) -> bool:
    """Fill an empty database; False, and nothing changed, if it has a site already."""
    if session.scalar(select(tables.Site.id).limit(1)) is not None:
        return False
    services = _services(session)
    for code, name, name_en, address in SITES:
        site = tables.Site(code=code, name=name, name_en=name_en, address=address)
        session.add(site)
        session.flush()
        _counters(session, site, services)
        _shifts(session, site, config, now)
    inbox.defaults(session, now)
    return True


def _services(session: Session) -> list[tables.Service]:
    services = [
        tables.Service(
            code=code,
            name=name,
            name_en=name_en,
            documents=documents,
            documents_en=DOCUMENTS_EN[code],
            seconds=seconds,
            position=place,
        )
        for place, (code, name, name_en, documents, seconds) in enumerate(SERVICES)
    ]
    session.add_all(services)
    session.flush()
    return services


def _counters(session: Session, site: tables.Site, services: list[tables.Service]) -> None:
    for label in COUNTERS:
        counter = tables.Counter(site_id=site.id, label=label)
        session.add(counter)
        session.flush()
        session.add_all(
            tables.CounterService(counter_id=counter.id, service_id=service.id) for service in services
        )


def _shifts(session: Session, site: tables.Site, config: Settings, now: int) -> None:
    """One shift open now until the end of today, and working days of 7:30–17:00 after it."""
    zone = config.station.zone
    today = hours.day_of(now, zone)
    midnight = hours.at(today + timedelta(days=1), time(0), zone)
    session.add(
        tables.Shift(
            site_id=site.id, day=today, opens_at=now - now % SLOT, closes_at=midnight, slot_seconds=SLOT
        )
    )
    for days in range(1, 7):
        day = today + timedelta(days=days)
        session.add(
            tables.Shift(
                site_id=site.id,
                day=day,
                opens_at=hours.at(day, time(7, 30), zone),
                closes_at=hours.at(day, time(17, 0), zone),
                slot_seconds=SLOT,
            )
        )
