"""Text messages as the officer sees them: each modem and provider, what they cost and by whom a number goes,
and who wants no text messages."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from gateway import access, balances, database, delivery, modems, notices, tables
from gateway.balances import Balance
from gateway.delivery import Cost, Health
from gateway.modems import Counted
from gateway.rules import channels, hours, phone
from gateway.rules.settings import Settings
from gateway.web import api, callers, dates
from gateway.web.app import limiter

blueprint = Blueprint("sms", __name__, url_prefix="/admin/sms")
STOPPED_SHOWN = 100
STOPPED, STOPPED_SECONDS = "stopped", 10 * 366 * 86_400
NOTED = "Cán bộ ghi theo yêu cầu của chủ số. / Noted by staff, as the owner of the number asked."


@dataclass(frozen=True)
class Provider:
    """A lane that is no modem: whether it can send, what it has sent today, what its account holds.

    `counted` is None where it does not report by part; `low` says that the account is nearly empty.
    """

    channel: str
    health: Health
    today: Cost
    counted: Counted | None
    balance: Balance | None
    low: bool


@dataclass(frozen=True)
class Route:
    """By which lanes a number of a network goes, in order, each with the price of a part, đồng."""

    network: str
    steps: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Stopped:
    """A phone whose owner wants no text messages. `key` names it in the form, so that the page holds no number."""

    key: str
    shown: str
    at: int
    reason: str


@blueprint.get("")
@callers.staff("officer", program=False)
def overview() -> str:
    """Modems, providers, routes and prices, and the phones that get none."""
    here = api.gate()
    with database.reading(here.engine) as session:
        now, config = here.now(), here.config
        health = {one.way.channel: one for one in delivery.channel_health(session, config, now)}
        return render_template(
            "sms.html",
            tab="sms",
            modems=modems.seen(session, config, now),
            health=health,
            providers=_providers(session, config, health, now),
            routes=_routes(config),
            cheapest=config.sms.order == "cheapest",
            stopped=_stopped(session, now),
            stopped_count=session.scalar(select(func.count()).select_from(_wanted(now).subquery())),
            two_way=channels.two_way(config),
            texts_page="wordings.overview" if "wordings.overview" in current_app.view_functions else "",
        )


def _providers(session: Session, config: Settings, health: Mapping[str, Health], now: int) -> list[Provider]:
    names = [
        name for name in channels.used(config) if channels.is_text(name) and config.sms.sim(name) is None
    ]
    today = hours.day_of(now, config.station.zone)
    spent = {one.channel: one for one in delivery.daily(session, today, config.station.zone)}
    counted = modems.counted(session, config, now) if "smpp" in names else {}
    known = {one.channel: one for one in balances.all_known(session)}
    return [
        Provider(
            name,
            health[name],
            spent.get(name, Cost(name, 0, 0, 0, 0)),
            counted.get(name),
            known.get(name),
            balances.low(known.get(name), config),
        )
        for name in names
    ]


def _routes(config: Settings) -> list[Route]:
    """As the engine orders the lanes for a number of each network; networks that go alike are one row."""
    lanes = [name for name in channels.used(config) if channels.is_text(name)]
    found: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for network, number in SAMPLES.items():
        order = channels.routed(lanes, number, config.sms)
        steps = tuple((name, channels.price(name, config.sms, number)) for name in order)
        found.setdefault(steps, []).append(NETWORK_NAMES[network])
    everybody = len(found) == 1
    return [
        Route(_("Mọi mạng") if everybody else ", ".join(names), steps)
        for steps, names in found.items()
        if steps
    ]


NETWORK_NAMES = {
    phone.Network.VIETTEL: "Viettel",
    phone.Network.MOBIFONE: "MobiFone",
    phone.Network.VINAPHONE: "Vinaphone",
    phone.Network.VIETNAMOBILE: "Vietnamobile",
    phone.Network.GMOBILE: "Gmobile",
    phone.Network.ITEL: "Itel",
    phone.Network.REDDI: "Reddi",
}


def _samples() -> dict[phone.Network, str]:
    """A number of each network."""
    numbers = [f"+84{start}000000" for start in range(300, 1_000)]
    return {
        network: next(one for one in numbers if phone.network(one) is network) for network in NETWORK_NAMES
    }


SAMPLES = _samples()


# Who wants none


def _wanted(now: int):
    own = tables.Suppression
    return select(own.phone, own.at, own.reason).where(own.channel == channels.TEXTS, own.until > now)


def _stopped(session: Session, now: int) -> Sequence[Stopped]:
    newest = _wanted(now).order_by(tables.Suppression.at.desc(), tables.Suppression.phone)
    rows = session.execute(newest.limit(STOPPED_SHOWN))
    return [Stopped(_key(row.phone), phone.masked(row.phone), row.at, row.reason) for row in rows]


def _key(number: str) -> str:
    secret = str(current_app.secret_key).encode()
    return hmac.new(secret, f"sms.stopped:{number}".encode(), "sha256").hexdigest()[:32]


@blueprint.post("/stopped")
@limiter.limit("30/minute")
@callers.staff("officer", program=False)
def stop() -> Response:
    """Somebody who wants no text messages has said so by telephone or at the counter."""
    here, number = api.gate(), phone.parse(request.form.get("phone", ""))
    if isinstance(number, phone.PhoneFault):
        flash(number.english if dates.tongue() == "en" else number.vietnamese, "warn")
        return redirect(url_for("sms.overview") + "#stopped", 303)
    about = (STOPPED, NOTED, g.caller)
    with database.writing(here.engine) as session:
        until = here.now() + STOPPED_SECONDS
        notices.suppress(session, channels.TEXTS, number.e164, until, *about, here.now())
        access.audit(session, here.now(), g.caller, "sms.stop", phone.masked(number.e164))
    flash(_("Đã ghi: số này không nhận tin báo bằng SMS nữa."), "go")
    return redirect(url_for("sms.overview") + "#stopped", 303)


@blueprint.post("/stopped/lift")
@callers.staff("officer", program=False)
def lift() -> Response:
    """The owner of a phone wants text messages again, and said so to the officer."""
    here, key = api.gate(), request.form.get("one", "")
    with database.writing(here.engine) as session:
        numbers = [row.phone for row in session.execute(_wanted(here.now()))]
        number = next((one for one in numbers if hmac.compare_digest(_key(one).encode(), key.encode())), None)
        lifted = number is not None and notices.lift(session, channels.TEXTS, number, g.caller, here.now())
        if lifted:
            access.audit(session, here.now(), g.caller, "sms.start", phone.masked(number))
    if lifted:
        flash(_("Đã ghi: số này lại nhận tin nhắn SMS."), "go")
    else:
        flash(_("Số này không bị chặn; chưa có gì thay đổi."), "warn")
    return redirect(url_for("sms.overview") + "#stopped", 303)


# Words


def modem_word(state: str) -> str:
    """A modem's state as people say it."""
    words = {
        "ready": _("sẵn sàng"),
        "opening": _("đang khởi động"),
        "silent": _("không trả lời"),
        "gone": _("mất kết nối"),
        "refused": _("SIM hoặc mạng từ chối"),
    }
    return words.get(state, state)


def sim_word(sim: str) -> str:
    words = {
        "ready": _("đã mở"),
        "pin": _("chờ mã PIN"),
        "puk": _("bị khoá PUK"),
        "absent": _("không thấy SIM"),
        "failure": _("SIM lỗi"),
    }
    return words.get(sim, "–")


def network_word(network: str) -> str:
    words = {
        "home": _("mạng nhà"),
        "roaming": _("chuyển vùng"),
        "searching": _("đang tìm sóng"),
        "denied": _("bị nhà mạng từ chối"),
        "off": _("chưa vào mạng"),
    }
    return words.get(network, "–")


def bars_word(bars: int | None) -> str:
    """How strong a signal is, for who cannot see the bars."""
    if bars is None:
        return _("không rõ")
    return (_("không có sóng"), _("rất yếu"), _("yếu"), _("khá"), _("mạnh"))[bars]


for _shown in (modem_word, sim_word, network_word, bars_word):
    blueprint.add_app_template_filter(_shown)
