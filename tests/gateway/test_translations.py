"""Everything a person sees exists in Vietnamese and in English, with the same blanks to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import gateway
from gateway.rules import wording
from gateway.web import language

ROOT = Path(gateway.__file__).parent
METHODS = [("**.py", "python"), ("web/templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
MEANT = re.compile(r"“[^”]*”|\([^()]*›[^()]*\)|Muốn dùng tiếng Việt, xin nhắn")
"""Vietnamese that stands in English on purpose: what is to be typed, another program's menu, the way back."""
BLANK = re.compile(r"%\(\w+\)[ds]|\{\w+\}")


def used():
    """Every text that the code and the templates mark, with where it stands; plurals as pairs."""
    found = {}
    for file, line, message, _, _ in extract_from_dir(str(ROOT), METHODS, keywords=KEYWORDS):
        found.setdefault(message, f"{file}:{line}")
    return found


@pytest.fixture(scope="module")
def english():
    with (ROOT / "translations" / "en" / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale="en")


def texts(message):
    return [message] if isinstance(message, str) else list(message)


def test_the_extraction_finds_templates_and_code():
    places = {place.partition(":")[0] for place in used().values()}
    assert {"web/templates/start.html", "web/forms.py", "rules/wording.py", "web/api.py"} <= places


def test_every_text_has_its_english_words(english):
    missing = {
        place: message
        for message, place in used().items()
        if message not in english or not all(texts(english[message].string))
    }
    assert missing == {}


def test_no_translation_is_left_over(english):
    kept = {message.id for message in english if message.id}
    assert {tuple(texts(one)) for one in kept} - {tuple(texts(one)) for one in used()} == set()


def test_translations_have_the_same_blanks_as_their_texts(english):
    different = {
        message.id: text
        for message in english
        if message.id
        for text in texts(message.string)
        if sorted(BLANK.findall(text)) != sorted(BLANK.findall(texts(message.id)[0]))
    }
    assert different == {}


def test_no_translation_is_still_vietnamese(english):
    letters = re.compile(r"[ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", re.IGNORECASE)
    left = [
        text
        for message in english
        if message.id
        for text in texts(message.string)
        if letters.search(MEANT.sub("", text))
    ]
    assert left == []


@pytest.mark.parametrize("text", [*wording.TEXT.values(), *wording.WHY.values()])
def test_notices_and_reasons_are_read_in_the_readers_language(text):
    assert language.catalogue("vi").gettext(text) == text
    assert language.catalogue("en").gettext(text) != text


def test_english_counts_in_singular_and_plural():
    people = language.catalogue("en").ngettext
    text = "%(num)d người đang chờ"
    assert [people(text, text, n) % {"num": n} for n in (1, 2)] == ["1 person waiting", "2 people waiting"]
