"""A visitor of the pages: a cookie jar, forms sent with the token that their page carries, rows counted."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from html.parser import HTMLParser

import argon2
from sqlalchemy import func, select

from gateway import database, example, tables
from gateway.rules import hours
from gateway.web.app import create_app, limiter

PASSWORD = "mật khẩu để thử"
HASH = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""Made cheaply: a real one takes longer than most of what is tested with it."""


def station(config, engine, now, extra=()):
    """The application over the example station with An (staff), Bình (officer) and Chi (admin)."""
    settled(engine, config, now[0])
    return opened(config, engine, now, extra)


def settled(engine, config, now):
    """The example station and its staff, unless they are there already."""
    with database.writing(engine) as session:
        example.load(session, config, now)
        known = set(session.scalars(select(tables.Staff.name)))
        for name, role in (("an", "staff"), ("binh", "officer"), ("chi", "admin")):
            if name in known:
                continue
            session.add(tables.Staff(name=name, role=role, password_hash=HASH, created_at=now))


def opened(config, engine, now, extra=(), **more):
    """The application over what is in the database."""
    made = create_app(config, engine, extra, now=lambda: now[0], **more)
    limiter.reset()
    return made


class Visitor:
    """One browser. `post` first opens `form_at`, as a person does, and takes the token from there."""

    def __init__(self, app):
        self.client = app.test_client()

    def get(self, path, **headers):
        return self.client.get(path, headers=headers)

    def text(self, path):
        return html.unescape(self.get(path).text)

    def post(self, path, data, form_at=None):
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(form_at or path).text)[1]
        return self.client.post(path, data={"csrf_token": token, **data})

    def sign_in(self, name, password=PASSWORD, path="/staff/login"):
        return self.post(path, {"name": name, "password": password})


def day(now, days=1):
    return hours.day_of(now[0], hours.ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(days=days)


def family(now, **changes):
    """The form filled in by An for herself and her child Bình."""
    return {
        "contact_name": "Nguyễn Thị An",
        "phone": "0905 123 456",
        "people-0-relation": "self",
        "people-0-service": "renew",
        "people-1-relation": "child",
        "people-1-name": "Trần Bình",
        "people-1-service": "new",
        "people-1-priority": "y",
        "when": f"TK1 {day(now)}",
        "consent": "y",
    } | changes


def counted(engine):
    names = (tables.Registration, tables.Applicant, tables.Ticket, tables.Notice, tables.Event, tables.Audit)
    with database.reading(engine) as session:
        return {
            table.__tablename__: session.scalar(select(func.count()).select_from(table)) for table in names
        }


class Inline(HTMLParser):
    """Collects what the content security policy would refuse: scripts, styles and handlers inside a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        data = given.get("type") == "application/json"
        if tag == "style" or (tag == "script" and "src" not in given and not data):
            self.found.append(tag)
        self.found += [name for name in given if name == "style" or name.startswith("on")]


def inline(page):
    seen = Inline()
    seen.feed(page)
    return seen.found
