"""Which language a page speaks: `?lang=en` and then a cookie, else what the browser asks for, else Vietnamese.

The catalogues are the .po files themselves, read once at the start: there is no build step to forget.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, Response, current_app, request
from flask_babel import Babel, Domain, get_locale

FOLDER = Path(__file__).parent.parent / "translations"
COOKIE = "lang"


@cache
def catalogue(language: str) -> NullTranslations:
    """The translations into a language; Vietnamese is the texts' own language and has none."""
    path = FOLDER / language / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return Translations(compiled)


class _Catalogues(Domain):
    def get_translations(self) -> NullTranslations:
        return catalogue(str(get_locale() or "vi"))


class Catalogued(Babel):
    """Flask-Babel, reading our catalogues."""

    domain_instance = _Catalogues()


def chosen() -> str:
    """The reader's language, one of the station's."""
    offered = current_app.extensions["gateway"].config.station.languages
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in offered:
            return wish
    return offered[0]


def init_app(app: Flask) -> None:
    @app.after_request
    def _remember(answer: Response) -> Response:
        wish = request.args.get("lang")
        if wish in app.extensions["gateway"].config.station.languages:
            answer.set_cookie(COOKIE, wish, max_age=365 * 86_400, samesite="Lax", httponly=True)
        return answer
