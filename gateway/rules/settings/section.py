"""What the tables of config.toml are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Seconds = Annotated[int, Field(ge=0, le=86_400 * 366)]
Port = Annotated[int, Field(ge=1, le=65_535)]


def _without_slash(url: str) -> str:
    return url.rstrip("/")


Url = Annotated[str, Field(max_length=500, pattern=r"^https?://"), AfterValidator(_without_slash)]


class Section(BaseModel):
    """One table of config.toml: unknown keys are mistakes, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)
