"""Every text a person at the kiosk sees: the Vietnamese is the key, the English is in the .po file."""

from __future__ import annotations

import functools
import gettext
import io
from pathlib import Path
from typing import Any

from babel.messages import mofile, pofile

CATALOGUE = Path(__file__).parent / "translations" / "en" / "LC_MESSAGES" / "kiosk.po"
Both = dict[str, str]


def both(text: str, **values: Any) -> Both:
    """`text` in both languages, `{name}`s filled in: {"vi": …, "en": …}."""
    return {"vi": text.format(**values), "en": _english().gettext(text).format(**values)}


@functools.cache
def _english() -> gettext.GNUTranslations:
    with CATALOGUE.open("rb") as source:
        catalogue = pofile.read_po(source, locale="en")
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
