"""Who works here, and who did what."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from gateway.tables.columns import Moment, Table, row_id


class Staff(Table):
    """A person who may log in. `role`: staff, officer or admin."""

    __tablename__ = "staff"
    id: Mapped[int] = row_id()
    name: Mapped[str] = mapped_column(String(60), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(10))
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[int]


class Audit(Table):
    """Who did what. `subject` names a row, never a person."""

    __tablename__ = "audit"
    id: Mapped[int] = row_id()
    at: Mapped[int] = mapped_column(Moment, index=True)
    actor: Mapped[str] = mapped_column(String(80))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80), default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
