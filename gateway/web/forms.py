"""The forms that people fill in, and what is wrong with what they typed, beside the field.

A mistake is a value: the field's id → a sentence in the reader's language. Nothing is stored here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import wtforms
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from gateway import chat, registrations
from gateway.rules import phone
from gateway.web import dates

ROWS = 5  # people that one form has room for
SELF = "self"
LONGEST_WHEN = 40
SPENT = "link"
"""The mistake of a link that was used up: it belongs to no field."""

Mistakes = dict[str, str]


class _Fault(Protocol):
    vi: str
    en: str


class PersonForm(wtforms.Form):
    """One person to be served. The first row is the contact unless they say otherwise."""

    relation = wtforms.SelectField(validate_choice=False, default="")
    name = wtforms.StringField()
    service = wtforms.SelectField(validate_choice=False, default="")
    priority = wtforms.BooleanField()


class RegistrationForm(FlaskForm):
    """The one form at /dang-ky. `when` is "SITE YYYY-MM-DD"."""

    contact_name = wtforms.StringField()
    phone = wtforms.StringField()
    people = wtforms.FieldList(wtforms.FormField(PersonForm), min_entries=ROWS, max_entries=ROWS)
    when = wtforms.StringField()
    consent = wtforms.BooleanField()


class LoginForm(FlaskForm):
    name = wtforms.StringField()
    password = wtforms.PasswordField()


@dataclass(frozen=True)
class Filled:
    """A form without mistakes. `rows` says from which row of the form each person came."""

    contact_name: str
    phone: str
    people: tuple[registrations.Person, ...]
    rows: tuple[int, ...]
    site: str
    day: date


def relations() -> list[tuple[str, str]]:
    """Who a person is to the contact: what is stored, and what is shown."""
    return [
        (SELF, _("Bản thân")),
        ("spouse", _("Vợ, chồng")),
        ("child", _("Con")),
        ("parent", _("Cha, mẹ")),
        ("grandparent", _("Ông, bà")),
        ("sibling", _("Anh, chị, em")),
        ("other", _("Người khác")),
    ]


def offer(form: RegistrationForm, services: Sequence[tuple[str, str]]) -> None:
    """Give every row its choices; the first row starts as the contact."""
    for place, row in enumerate(form.people):
        row.relation.choices = relations() if place == 0 else [("", _("– chọn –")), *relations()[1:]]
        row.service.choices = [("", _("– chọn thủ tục –")), *services]


def begin(form: RegistrationForm, link: chat.Opened) -> None:
    """Start the form with what is known of the person from Zalo; they may change it."""
    if link.state == "good":
        form.contact_name.data = link.name
        known = phone.parse(link.phone)
        form.phone.data = known.national if isinstance(known, phone.Phone) else ""


def read(form: RegistrationForm, services: Sequence[tuple[str, str]]) -> Filled | Mistakes:
    """What was asked for, or every mistake at once."""
    mistakes: Mistakes = {}
    contact = _name(form.contact_name, mistakes)
    number = phone.parse(form.phone.data or "")
    if isinstance(number, phone.PhoneFault):
        mistakes["phone"] = number.english if dates.tongue() == "en" else number.vietnamese
    elif number.kind is phone.Kind.LANDLINE:
        mistakes["phone"] = said(registrations.NO_LANDLINE)
    rows = [place for place, row in enumerate(form.people) if place == 0 or _used(row)]
    people = [_person(form.people[place], contact, services, mistakes) for place in rows]
    chosen = _when(form.when.data or "")
    if chosen is None:
        mistakes["when"] = _("Vui lòng chọn điểm làm thủ tục và ngày.")
    if not form.consent.data:
        mistakes["consent"] = _("Cần đánh dấu đồng ý để đăng ký được.")
    if mistakes:
        return mistakes
    return Filled(contact, number.e164, tuple(people), tuple(rows), *chosen)


def _used(row: PersonForm) -> bool:
    typed = (row["relation"].data, row["name"].data, row["service"].data)
    return any((text or "").strip() for text in typed) or row["priority"].data


def _person(
    row: PersonForm, contact: str, services: Sequence[tuple[str, str]], mistakes: Mistakes
) -> registrations.Person:
    relation, service = row["relation"].data or "", row["service"].data or ""
    if relation not in dict(relations()):
        mistakes[row["relation"].id] = _("Vui lòng chọn quan hệ.")
    if service not in dict(services):
        unknown = _("Không có thủ tục này. Vui lòng chọn lại.")
        mistakes[row["service"].id] = unknown if service else _("Vui lòng chọn thủ tục.")
    mine = relation == SELF and not (row["name"].data or "").strip()
    name = contact if mine else _name(row["name"], mistakes)
    return registrations.Person(name, service, relation, priority=bool(row["priority"].data))


def _name(field: wtforms.StringField, mistakes: Mistakes) -> str:
    found = registrations.clean_name(field.data or "", field.id)
    if isinstance(found, str):
        return found
    mistakes[field.id] = said(found)
    # What cannot be seen cannot be deleted by hand either: the form comes back without it
    field.data = "".join(char for char in field.data or "" if unicodedata.category(char)[0] != "C")
    return ""


def _when(text: str) -> tuple[str, date] | None:
    site, blank, day = text[:LONGEST_WHEN].partition(" ")
    if not blank or not site.isalnum():
        return None
    try:
        return site, date.fromisoformat(day)
    except ValueError:
        return None


def said(fault: _Fault) -> str:
    """A fault's sentence in the reader's language."""
    return fault.en if dates.tongue() == "en" else fault.vi


def placed(faults: Sequence[registrations.Fault], filled: Filled) -> Mistakes:
    """Faults found while registering, each beside the field that it is about."""
    mistakes: Mistakes = {}
    for fault in faults:
        mistakes.setdefault(_field_of(fault.pointer, filled), said(fault))
    return mistakes


def _field_of(pointer: str, filled: Filled) -> str:
    parts = pointer.strip("/").split("/")
    if parts[:2] == ["contact", "phone"]:
        return "phone"
    if parts[0] != "applicants":
        return "when"
    if len(parts) < 3:
        return "people"
    return f"people-{filled.rows[int(parts[1])]}-{parts[2]}"
