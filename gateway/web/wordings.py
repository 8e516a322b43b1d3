"""The words of text messages on the officer's pages, and the counter under every text that is being written.

What a text comes to is counted here, by the same rules by which it is sent; the pages' script only asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, flash, g, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from pydantic import Field

from gateway import database, tables, wordings
from gateway.rules import phone, wording
from gateway.web import api, callers, language
from gateway.web.costs import dong
from gateway.web.forms import said

blueprint = Blueprint("wordings", __name__, url_prefix="/admin/sms")
LONGEST = 5_000  # characters that are counted: no page writes more


def words(tongue: str, text: str) -> str:
    return language.catalogue(tongue).gettext(text)


@dataclass(frozen=True)
class Wording:
    """The words of a kind in a language, and what they come to. `ordinary` and `worst`: with usual values, and
    with the longest."""

    kind: str
    language: str
    text: str
    origin: str
    ordinary: wordings.Tally
    worst: wordings.Tally
    row: tables.SmsText | None


@blueprint.get("/texts")
@callers.staff("officer", program=False)
def overview() -> str:
    """Every kind of notice as a text message."""
    here = api.gate()
    with database.reading(here.engine) as session:
        found = {
            kind: [_found(session, kind, tongue) for tongue in here.config.station.languages]
            for kind in wordings.KINDS
        }
    return render_template("sms_texts.html", tab="sms", found=found, unaccented=here.config.sms.unaccented)


@blueprint.get("/texts/<kind>/<tongue>")
@callers.staff("officer", program=False)
def edit(kind: str, tongue: str) -> str:
    """One of them, to be changed."""
    return _page(kind, tongue)


@blueprint.post("/texts/<kind>/<tongue>")
@callers.staff("officer", program=False)
def change(kind: str, tongue: str) -> Response | tuple[str, int] | str:
    """Keep other words; `act` "preview" only shows what they would be."""
    _known(kind, tongue)
    here, typed = api.gate(), request.form.get("text", "")[:LONGEST]
    if request.form.get("act") == "preview":
        return _page(kind, tongue, typed)
    with database.writing(here.engine) as session:
        fault = wordings.change(session, here.config, kind, tongue, typed, g.caller, here.now())
    if fault is not None:
        return _page(kind, tongue, typed, fault), 422
    flash(_("Đã lưu lời tin; có hiệu lực với tin chưa gửi trong ít giây."), "go")
    return redirect(url_for("wordings.overview") + f"#{kind}", 303)


@blueprint.post("/texts/<kind>/<tongue>/reset")
@callers.staff("officer", program=False)
def reset(kind: str, tongue: str) -> Response:
    """Back to the words that were there before anybody changed them; the second press finds nothing to do."""
    _known(kind, tongue)
    here = api.gate()
    with database.writing(here.engine) as session:
        done = wordings.reset(session, kind, tongue, g.caller, here.now())
    flash(
        _("Đã trở lại lời mặc định.") if done else _("Lời này đang là mặc định; chưa có gì thay đổi."), "go"
    )
    return redirect(url_for("wordings.overview") + f"#{kind}", 303)


def _known(kind: str, tongue: str) -> None:
    if kind not in wordings.KINDS or tongue not in api.gate().config.station.languages:
        abort(404)


def _found(session: Any, kind: str, tongue: str, typed: str | None = None) -> Wording:
    config, now = api.gate().config, api.gate().now()
    known = wordings.known(session)
    text = wordings.pattern(known, config, words, kind, tongue) if typed is None else wordings.clean(typed)
    ordinary = wordings.example(config, kind, now)
    worst = wordings.longest(session, config, kind)
    whole = wordings.judged(session, config, kind, text)
    holes = whole is not None and whole.code in ("brace", "field")
    return Wording(
        kind,
        tongue,
        text,
        wordings.origin(known, config, kind, tongue),
        *(
            wordings.tally(config, text if holes else wordings.shown(config, text, given))
            for given in (ordinary, worst)
        ),
        session.get(tables.SmsText, (kind, tongue)),
    )


def _page(kind: str, tongue: str, typed: str | None = None, fault: wordings.Fault | None = None) -> str:
    _known(kind, tongue)
    here = api.gate()
    with database.reading(here.engine) as session:
        found = _found(session, kind, tongue, typed)
        wrong = fault or (
            wordings.judged(session, here.config, kind, found.text) if typed is not None else None
        )
    return render_template(
        "sms_texts_edit.html",
        tab="sms",
        one=found,
        typed=found.text if typed is None else typed,
        wrong=said(wrong) if wrong else "",
        standard=here.config.sms.texts.get(kind) or words(tongue, wording.of_a_text(kind)),
        fields=wordings.fields(kind),
        prices=wordings.prices(here.config),
        networks=[str(one) for one in phone.Network],
        unaccented=here.config.sms.unaccented,
        longest=wordings.LONGEST,
        most=wordings.MOST_PARTS,
    )


class CountAsked(api.Strict):
    """The body of POST /admin/sms/count. With `kind`, `text` is the words of that kind with their {fields}.

    `lane`: the only one that it can go by; `accented`: it keeps its accents, whatever the station does otherwise.
    """

    text: str = Field(max_length=LONGEST)
    kind: str = Field("", max_length=20)
    lane: str = Field("", max_length=12)
    accented: bool = False


@blueprint.post("/count")
@callers.staff("staff", program=False)
def count() -> Response:
    """What a text comes to, in numbers and in the reader's words."""
    asked = CountAsked.model_validate(request.get_json(silent=True) or {})
    here = api.gate()
    lanes = (asked.lane,) if asked.lane in here.config.sms.providers else None
    if asked.kind not in wordings.KINDS:
        seen = wordings.tally(here.config, asked.text, lanes, asked.accented)
        return jsonify(_told(seen))
    with database.reading(here.engine) as session:
        text = wordings.clean(asked.text)
        fault = wordings.judged(session, here.config, asked.kind, text)
        if fault is not None and fault.code in ("brace", "field"):
            return jsonify(_told(wordings.tally(here.config, text)) | {"fault": said(fault)})
        ordinary = wordings.example(here.config, asked.kind, here.now())
        worst = wordings.longest(session, here.config, asked.kind)
    seen, most = (
        wordings.tally(here.config, wordings.shown(here.config, text, given)) for given in (ordinary, worst)
    )
    longest = {f"longest_{name}": value for name, value in _told(most).items()}
    return jsonify(_told(seen) | longest | {"fault": said(fault) if fault else ""})


def _told(seen: wordings.Tally) -> dict[str, Any]:
    return {
        "parts": seen.count.parts,
        "alphabet": seen.count.alphabet.name,
        "used": seen.count.used,
        "left": seen.count.left,
        "foreign": list(seen.count.foreign),
        "price_min": seen.price_min,
        "price_max": seen.price_max,
        "sent": seen.sent,
        "summary": summary(seen),
        "forced": forced(seen.count.foreign),
    }


def summary(seen: wordings.Tally) -> str:
    """ "2 phần · còn 145 ký tự · 1.000–1.700 đ"."""
    parts = ngettext("%(num)d phần", "%(num)d phần", seen.count.parts)
    left = ngettext("còn %(num)d ký tự", "còn %(num)d ký tự", seen.count.left)
    return " · ".join(one for one in (parts, left, price_word(seen.price_min, seen.price_max)) if one)


def price_word(least: int, most: int) -> str:
    """ "850 đ", "500–850 đ"; nothing where no price is configured."""
    if not most:
        return ""
    return dong(most) if least == most else f"{dong(least)} – {dong(most)}"


def forced(foreign: Sequence[str]) -> str:
    """Why a part holds 70 characters only; nothing where it holds 160."""
    if not foreign:
        return ""
    shown = " ".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in foreign[:12])
    more = " …" if len(foreign) > 12 else ""
    return _("Mỗi phần chỉ 70 ký tự, vì có: %(letters)s", letters=shown + more)


def field_word(name: str) -> str:
    """What a {field} is filled with."""
    words = {
        "station": _("tên ngắn của đơn vị"),
        "name": _("tên rút gọn, như N. T. HƯƠNG"),
        "full_name": _("họ và tên đầy đủ"),
        "number": _("số thứ tự"),
        "time": _("giờ"),
        "date": _("ngày"),
        "place": _("nơi làm thủ tục"),
        "address": _("địa chỉ"),
        "counter": _("quầy"),
        "code": _("mã báo có mặt"),
        "minutes": _("số phút được báo lại"),
        "url": _("đường dẫn riêng của người nhận"),
        "what": _("điều cần xem"),
        "channel": _("kênh gửi"),
    }
    return words.get(name, name)


def origin_word(origin: str) -> str:
    """Whose words they are."""
    return {"own": _("lời riêng"), "config": _("theo config.toml"), "ours": _("mặc định")}.get(origin, origin)


def carrier_word(name: str) -> str:
    """A network as it calls itself."""
    return {"mobifone": "MobiFone"}.get(name, name.capitalize())


for _shown in (summary, price_word, forced, field_word, origin_word, carrier_word):
    blueprint.add_app_template_filter(_shown)
