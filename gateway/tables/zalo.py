"""The Official Account: its grant, its followers, and what Zalo has told about templates and limits."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Moment, Table, row_id


class ZaloToken(Table):
    """The Official Account's grant, its tokens encrypted. Refresh tokens work once; `generation` and
    `refreshing_until` guard that."""

    __tablename__ = "zalo_tokens"
    oa_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    access_token: Mapped[str] = mapped_column(Text)
    refresh_token: Mapped[str] = mapped_column(Text)
    previous_refresh_token: Mapped[str] = mapped_column(Text, default="")
    access_until: Mapped[int]
    refreshed_at: Mapped[int]
    generation: Mapped[int] = mapped_column(default=1)
    refreshing_until: Mapped[int] = mapped_column(default=0)
    refused_at: Mapped[int] = mapped_column(default=0)
    lost_reason: Mapped[str] = mapped_column(String(200), default="")


class ZaloConsent(Table):
    """A consent that somebody began: Zalo brings `state` back, and wants the verifier with the code."""

    __tablename__ = "zalo_consents"
    state: Mapped[str] = mapped_column(String(64), primary_key=True)
    verifier: Mapped[str] = mapped_column(String(128))
    made_at: Mapped[int] = mapped_column(Moment, index=True)
    made_by: Mapped[str] = mapped_column(String(80))
    used_at: Mapped[int | None]


class ZaloUser(Table):
    """A person as the Official Account knows them.

    `phone` is what they shared themselves: good for addressing, no proof of identity. `following_at`: when
    the event happened that says whether they follow. `seen_at`: their last word to us, 0 for never;
    `read_at`: when their details were last fetched.
    """

    __tablename__ = "zalo_users"
    __table_args__ = (Index(None, "following", "seen_at"),)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    by_app: Mapped[str] = mapped_column(String(40), default="")
    name: Mapped[str] = mapped_column(String(120), default="")
    phone: Mapped[str | None] = mapped_column(String(16), index=True)
    phone_at: Mapped[int | None]
    following: Mapped[bool] = mapped_column(default=False)
    following_at: Mapped[int] = mapped_column(Moment, default=0)
    seen_at: Mapped[int] = mapped_column(Moment, default=0)
    language: Mapped[str] = mapped_column(String(2), default="")
    read_at: Mapped[int] = mapped_column(Moment, default=0)
    created_at: Mapped[int]


class ZaloTag(Table):
    """A word that somebody put on a Zalo user."""

    __tablename__ = "zalo_tags"
    user_id: Mapped[str] = mapped_column(ForeignKey("zalo_users.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(String(60), primary_key=True, index=True)


class ZaloLink(Table):
    """A link to the form that knows which Zalo user it was given to; one registration uses it up."""

    __tablename__ = "zalo_links"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(40), index=True)
    language: Mapped[str] = mapped_column(String(2), default="vi")
    made_at: Mapped[int]
    until: Mapped[int] = mapped_column(Moment, index=True)
    used_at: Mapped[int | None]
    registration_id: Mapped[int | None] = mapped_column(ForeignKey("registrations.id"))


class ZaloTemplate(Table):
    """What Zalo says of a template: may it be used, what does it want, what does it cost (đồng).

    `params`: {"name", "require", "type", "max", "min"} each. `timeout`: seconds in which Zalo delivers.
    """

    __tablename__ = "zalo_templates"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    status: Mapped[str] = mapped_column(String(20), default="")
    params: Mapped[list[Any]] = mapped_column(default=list)
    tag: Mapped[str] = mapped_column(String(30), default="")
    quality: Mapped[str] = mapped_column(String(12), default="")
    timeout: Mapped[int | None] = mapped_column(Integer)
    price_phone: Mapped[int | None] = mapped_column(Integer)
    price_uid: Mapped[int | None] = mapped_column(Integer)
    daily_quota: Mapped[int | None] = mapped_column(Integer)
    remaining: Mapped[int | None] = mapped_column(Integer)
    reason: Mapped[str] = mapped_column(String(200), default="")
    read_at: Mapped[int]


class ZaloQuota(Table):
    """How many messages a channel's day still holds, as Zalo said last."""

    __tablename__ = "zalo_quotas"
    channel: Mapped[str] = mapped_column(String(12), primary_key=True)
    total: Mapped[int | None] = mapped_column(Integer)
    remaining: Mapped[int] = mapped_column(Integer)
    at: Mapped[int]


class Broadcast(Table):
    """One thing that everybody of an audience is told, e.g. that the team comes to their ward.

    `state`: draft, sent or cancelled. `people` and `cost` (đồng) are as they were confirmed.
    """

    __tablename__ = "broadcasts"
    id: Mapped[int] = row_id()
    title: Mapped[str] = mapped_column(String(120))
    place: Mapped[str] = mapped_column(String(120), default="")
    address: Mapped[str] = mapped_column(String(200), default="")
    day: Mapped[date | None]
    url: Mapped[str] = mapped_column(String(500), default="")
    audience: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(10), default="draft")
    people: Mapped[int] = mapped_column(Integer, default=0)
    cost: Mapped[int] = mapped_column(Integer, default=0)
    due: Mapped[int | None]
    made_by: Mapped[str] = mapped_column(String(80))
    made_at: Mapped[int]
    sent_by: Mapped[str] = mapped_column(String(80), default="")
    sent_at: Mapped[int | None]


class Fact(Table):
    """Something the program found out and must remember, by its name; `value` is a text or JSON."""

    __tablename__ = "facts"
    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
    at: Mapped[int]
