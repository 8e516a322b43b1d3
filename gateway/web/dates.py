"""Days, hours and names as pages show them, in the reader's language."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, current_app
from flask_babel import format_date, get_locale

from gateway.rules import hours, wording


def tongue() -> str:
    """ "vi" or "en": the language of this page."""
    return str(get_locale() or "vi")


def day(value: date) -> str:
    """ "Thứ Ba, 24/11/2026", "Tuesday 24/11/2026"."""
    return format_date(value, "EEEE, dd/MM/yyyy" if tongue() == "vi" else "EEEE dd/MM/yyyy")


def weekday(value: date) -> str:
    """ "Thứ Ba", "Tuesday"."""
    return format_date(value, "EEEE")


def clock(at: int | None) -> str:
    """ "14:30" at the station; nothing for no moment."""
    return "" if at is None else hours.clock(at, _zone())


def moment(at: int | None) -> str:
    """ "14:30 24/11" at the station; nothing for no moment."""
    if at is None:
        return ""
    return f"{hours.clock(at, _zone())} {hours.day_of(at, _zone()):%d/%m}"


def named(row) -> str:
    """The name of a site or service in the reader's language; Vietnamese where there is no other."""
    return (row.name_en if tongue() == "en" else "") or row.name


def desk(label: str, language: str | None = None) -> str:
    """ "Quầy 2" in the reader's language, or in the one that is asked for."""
    return wording.counter_name(label, language or tongue())


def teach(blueprint: Blueprint) -> None:
    """Make these the filters of every template of the application."""
    for shown in (day, weekday, clock, moment, named, desk):
        blueprint.add_app_template_filter(shown)


def _zone():
    return current_app.extensions["gateway"].config.station.zone
