"""Every text exists in Vietnamese and in English."""

import ast
import string
from pathlib import Path

from babel.messages import pofile

from kiosk import panel, wording

ROOM = Path(wording.__file__).parent


def used() -> set[str]:
    """The first argument of every call of wording.both in kiosk/."""
    found = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "wording.both":
                assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"
                found.add(node.args[0].value)
    return found


def catalogue() -> dict[str, str]:
    with wording.CATALOGUE.open("rb") as source:
        return {entry.id: entry.string for entry in pofile.read_po(source, locale="en") if entry.id}


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_used_has_its_english_and_no_english_is_left_over():
    assert used() == set(catalogue())
    assert all(catalogue().values())


def test_both_languages_fill_in_the_same_values():
    assert [vi for vi, en in catalogue().items() if fields(vi) != fields(en)] == []


def test_the_page_uses_exactly_the_words_it_is_given():
    page = (ROOM / "templates" / "kiosk.html").read_text() + (ROOM / "static" / "kiosk.js").read_text()
    assert [name for name in panel.words() if f'"{name}"' not in page and f"words.{name}." not in page] == []
