"""What the page shows: one document from everything the kiosk knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.rules import numbers
from kiosk import clock, press, state, sync, wording
from printers import jobs

# Seconds the number stays on the screen: with the paper in hand, and when the screen is all there is.
QUIET, QUIET_WITHOUT_PAPER = 10, 45


@dataclass(frozen=True)
class View:
    """Everything a page is made of at one moment. `last`: newest day and number given."""

    kiosk: str
    series: str
    known: state.Known
    moment: clock.Moment
    contact: sync.Contact
    outlooks: Mapping[str, press.Outlook]
    printer: jobs.PrinterState
    unsent: int
    refused: Sequence[Mapping[str, Any]]
    last: tuple[str, int] | None


def document(view: View) -> dict[str, Any]:
    """The answer to GET /status."""
    told, last = view.known.state, view.last
    shut = state.closed(view.known, view.moment)
    return {
        "kiosk": view.kiosk,
        "series": view.series,
        "site": {"name": told.site, "place": told.place} if told else None,
        "services": [_service(service, view) for service in told.services] if told else [],
        "waiting": told.waiting if told and view.known.fresh(view.moment) else None,
        "open": bool(told) and shut is None,
        "closed": shut,
        "online": view.contact.online,
        "last_contact": clock.rfc3339(view.contact.at, view.moment.zone) if view.contact.at else None,
        "fault": view.contact.fault,
        "unsent": view.unsent,
        "refused": [{"seq": entry["seq"], "why": entry["why"]} for entry in view.refused],
        "printer": _printer(view.printer),
        "signs": _signs(view),
        "clock": {
            "at": clock.rfc3339(view.moment.at, view.moment.zone),
            "offset": round(view.moment.offset, 3),
            "trusted": view.moment.trusted,
        },
        "last": {"day": last[0], "number": numbers.label(view.series, last[1])} if last else None,
    }


def ready(printer: jobs.PrinterState) -> bool:
    """Whether a paper would come out now, as far as is known."""
    return not printer.hold


def reason(printer: jobs.PrinterState) -> wording.Both | None:
    """Why no paper would come out now; None when one would."""
    if ready(printer):
        return None
    return {"vi": f"{printer.reason_vi}.", "en": f"{printer.reason_en}."}


def ticket(issued: press.Issued, printer: jobs.PrinterState, qr: str) -> dict[str, Any]:
    """What the page shows after a press; `qr` is a picture (data: URI) of the person's own address."""
    hindered = reason(printer)
    shown = issued.document
    return {
        "number": issued.event["number"],
        "service": issued.event["service"],
        "priority": issued.event["priority"],
        "ahead": shown.get("ahead"),
        "eta": shown.get("eta"),
        "url": shown["url"],
        "repeated": issued.repeated,
        "paper": hindered is None,
        "reason": hindered,
        "qr": qr,
        "quiet": QUIET if hindered is None else QUIET_WITHOUT_PAPER,
    }


def _service(service: state.Service, view: View) -> dict[str, Any]:
    outlook = view.outlooks.get(service.code, press.Outlook())
    return {
        "code": service.code,
        "name": {"vi": service.vi, "en": service.en},
        "ahead": outlook.ahead,
        "eta": outlook.eta,
    }


def _printer(printer: jobs.PrinterState) -> dict[str, Any]:
    return {
        "ready": ready(printer),
        "online": printer.online,
        "paper": printer.paper,
        "cover_open": printer.cover_open,
        "error": printer.error,
        "reason": reason(printer),
    }


def _signs(view: View) -> list[dict[str, Any]]:
    """What a person in front should know, most important first."""
    signs = []
    hindered = reason(view.printer)
    if hindered is not None:
        text = wording.both("Vẫn lấy được số: số hiện trên màn hình, phiếu sẽ in sau.")
        signs.append({"level": "warn", "text": {lang: f"{hindered[lang]} {text[lang]}" for lang in text}})
    if not view.contact.online:
        text = wording.both("Đang mất kết nối. Máy vẫn in số bình thường.")
        signs.append({"level": "quiet", "text": text})
    return signs


def words() -> dict[str, wording.Both]:
    """Every fixed text of the page in both languages."""
    return {
        "title": wording.both("Lấy số thứ tự"),
        "choose": wording.both("Xin mời chọn thủ tục"),
        "hint": wording.both("Chạm vào một ô để lấy số"),
        "waiting": wording.both("Đang chờ"),
        "people": wording.both("{count} người", count="{count}"),
        "nobody": wording.both("Không phải chờ"),
        "ahead": wording.both("Phía trước"),
        "expected": wording.both("Dự kiến"),
        "your_number": wording.both("Số thứ tự của ông/bà"),
        "take_paper": wording.both("Xin lấy phiếu ở khe in."),
        "paper_later": wording.both("Xin ghi nhớ số này, hoặc quét mã để lưu vào điện thoại."),
        "listen": wording.both("Khi đến lượt, số sẽ hiện trên màn hình gọi số."),
        "done": wording.both("Xong"),
        "priority": wording.both("Ưu tiên"),
        "priority_who": wording.both("Ưu tiên: người cao tuổi, khuyết tật, mang thai, con nhỏ"),
        "priority_ask": wording.both("Ông/bà thuộc trường hợp nào dưới đây?"),
        "priority_age": wording.both("Người từ 75 tuổi trở lên"),
        "priority_disabled": wording.both("Người khuyết tật"),
        "priority_pregnant": wording.both("Phụ nữ mang thai"),
        "priority_child": wording.both("Người đi cùng con nhỏ"),
        "priority_note": wording.both("Cán bộ có thể đề nghị xem giấy tờ khi làm thủ tục."),
        "priority_yes": wording.both("Đúng, lấy số ưu tiên"),
        "priority_no": wording.both("Không, quay lại"),
        "priority_on": wording.both("Đang lấy số ưu tiên"),
        "priority_off": wording.both("Chạm để bỏ ưu tiên"),
        "closed": wording.both("Hiện không lấy số"),
        "unsent": wording.both("Chưa gửi: {count}", count="{count}"),
        "starting": wording.both("Máy đang khởi động. Xin chờ trong giây lát."),
        "no_state": wording.both("Máy đang chờ kết nối lần đầu với hệ thống."),
        "failed": wording.both("Chưa lấy được số. Xin thử lại hoặc báo cán bộ trực."),
    }
