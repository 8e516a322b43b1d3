"""What every table is made of."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import JSON, BigInteger, Date, Integer, MetaData, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only for INTEGER
Json = JSON().with_variant(postgresql.JSONB, "postgresql")
Moment = BigInteger

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Table(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {dict[str, Any]: Json, list[Any]: Json, int: BigInteger, date: Date}


def where(condition: str) -> dict[str, Any]:
    """An index over some of the rows, on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def row_id() -> Mapped[int]:
    return mapped_column(BigId, primary_key=True, autoincrement=True)
