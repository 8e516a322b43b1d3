"""What sending cost, by day and channel; also as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date

from flask import Blueprint, Response, has_app_context, render_template, request
from flask_babel import format_decimal
from flask_babel import gettext as _

from gateway import database, delivery
from gateway.delivery import Cost
from gateway.web import api, callers
from gateway.web.delivery import dated

blueprint = Blueprint("costs", __name__, url_prefix="/admin/delivery")
CHANNEL_WORDS = {
    "": "",
    "zalo_cs": "Zalo (chat)",
    "zalo_uid": "Zalo (ID)",
    "zalo": "Zalo",
    "sms": "SMS",
    "esms": "SMS (eSMS)",
    "speedsms": "SMS (SpeedSMS)",
    "smpp": "SMS (SMPP)",
    "modem": "SMS (modem)",
}


@blueprint.get("/costs")
@callers.staff("officer", program=False)
def overview() -> str:
    """A month by day and channel, with totals."""
    month = _month()
    rows = _rows(month)
    return render_template("delivery_costs.html", tab="costs", month=month, rows=rows, totals=totals(rows))


@blueprint.get("/costs.csv")
@callers.staff("officer", program=False)
def download() -> Response:
    """The same month as CSV; the mark at its beginning lets spreadsheets read the Vietnamese."""
    month = _month()
    page = io.StringIO()
    rows = csv.writer(page)
    heads = (_("Ngày"), _("Kênh"), _("Số tin"), _("Đã nhận"), _("Số phần"), _("Số tiền (đồng)"))
    rows.writerow([delivery.safe(head) for head in heads])
    for day, one in _rows(month):
        counts = (one.messages, one.delivered, one.parts, one.dong)
        rows.writerow([day.isoformat(), delivery.safe(channel_word(one.channel)), *counts])
    answer = Response("\ufeff" + page.getvalue(), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="chi-phi-{month:%Y-%m}.csv"'
    return answer


def _month() -> date:
    """The first day of the month in the address; of this month if there is none."""
    return dated(f"{request.args.get('month', '')[:7]}-01") or api.gate().hub.today().replace(day=1)


def _rows(month: date) -> list[tuple[date, Cost]]:
    here = api.gate()
    with database.reading(here.engine) as session:
        return delivery.monthly(session, month, here.config.station.zone)


def totals(rows: Sequence[tuple[date, Cost]]) -> list[Cost]:
    """By channel over all days."""
    found: dict[str, Cost] = {}
    for _day, one in rows:
        so_far = found.get(one.channel, Cost(one.channel, 0, 0, 0, 0))
        found[one.channel] = Cost(
            one.channel,
            so_far.messages + one.messages,
            so_far.delivered + one.delivered,
            so_far.parts + one.parts,
            so_far.dong + one.dong,
        )
    return list(found.values())


def channel_word(channel: str) -> str:
    """A channel as people call it; a lane that config.toml has named has that name."""
    if channel in CHANNEL_WORDS:
        return CHANNEL_WORDS[channel]
    is_modem = has_app_context() and api.gate().config.sms.sim(channel) is not None
    return f"SMS (modem {channel})" if is_modem else f"SMS ({channel})"


def dong(amount: int) -> str:
    """ "12.500 đ" in Vietnamese, "12,500 đ" in English."""
    return f"{format_decimal(amount)} đ"


def amount(count: int) -> str:
    """ "12.500" in Vietnamese, "12,500" in English."""
    return format_decimal(count)


for _shown in (channel_word, dong, amount):
    blueprint.add_app_template_filter(_shown)
