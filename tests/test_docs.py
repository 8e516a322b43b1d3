"""README cannot lie: every command it names exists, every command there is is named, its pictures are there."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

import gateway.__main__
import kiosk.__main__
import printers.__main__

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = {
    name: next(
        one
        for one in vars(module).values()
        if isinstance(one, click.Group) and not getattr(one, "parent", None)
    )
    for name, module in (
        ("gateway", gateway.__main__),
        ("kiosk", kiosk.__main__),
        ("printers", printers.__main__),
    )
}


def commands(group, words=()):
    """Every command under a group, as words: ("staff", "add")."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_every_command_is_in_readme(program):
    missing = [
        " ".join(words)
        for words in commands(PROGRAMS[program])
        if f"python -m {program} {' '.join(words)}" not in README
    ]
    assert missing == []


def test_every_command_in_readme_exists():
    known = {
        f"{program} {' '.join(words)}" for program, group in PROGRAMS.items() for words in commands(group)
    }
    named = re.findall(r"python -m (\w+) ([a-z][a-z -]*[a-z])", README)
    assert named
    strange = [
        f"{program} {rest}"
        for program, rest in named
        if not any(f"{program} {rest}".startswith(one) for one in known)
    ]
    assert strange == []


def test_every_picture_and_make_target_of_readme_exists():
    pictures = re.findall(r"\]\((\.github/[^)]+)\)", README)
    assert len(pictures) >= 7
    assert [path for path in pictures if not (ROOT / path).exists()] == []
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
    assert {"run", "test"} <= named <= targets
