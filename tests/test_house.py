"""The house's rules, held over the syntax trees: who may import whom, and what stands at the top."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOUNS = {
    "access",
    "alerts",
    "balances",
    "broadcasts",
    "calls",
    "chat",
    "consent",
    "database",
    "delivery",
    "followers",
    "gauges",
    "hooks",
    "inbox",
    "intake",
    "kiosks",
    "lanes",
    "modems",
    "notices",
    "presses",
    "pulse",
    "queue",
    "quotas",
    "registrations",
    "retention",
    "safe",
    "storage",
    "templates",
    "texts",
    "wordings",
}
NOUNS |= {"tables", "tokens", "config"}


def _rooms(names):
    return {f"gateway.{name}" for name in names.split()}


ALLOWED = {
    "gateway.rules": {"gateway.rules"},
    "gateway.channels": {"gateway.channels", "gateway.rules"},
    "gateway.tables": {"gateway.tables"},
    "gateway.database": {"gateway.tables"},
    "gateway.queue": {"gateway.queue", "gateway.database", "gateway.tables", "gateway.rules"},
    "gateway.alerts": {"gateway.database", "gateway.tables"},
    "gateway.hooks": {
        "gateway.hooks",
        "gateway.alerts",
        "gateway.config",
        "gateway.database",
        "gateway.pulse",
        "gateway.tables",
        "gateway.rules",
    },
    "gateway.notices": {
        "gateway.notices",
        "gateway.hooks.outbox",
        "gateway.access",
        "gateway.alerts",
        "gateway.database",
        "gateway.tables",
        "gateway.rules",
        "gateway.queue.day",
    },
    "gateway.followers": _rooms("followers access database notices registrations queue.day tables rules"),
    "gateway.chat": _rooms(
        "chat access alerts calls config database followers notices queue quotas registrations storage tables "
        "templates rules"
    ),
    "gateway.inbox": _rooms("inbox access chat database notices tables rules"),
    "gateway.broadcasts": _rooms(
        "broadcasts access delivery followers lanes notices quotas tables templates wordings rules"
    ),
    "gateway.balances": _rooms("alerts database tables rules"),
    "gateway.modems": _rooms("alerts notices tables rules"),
    "gateway.texts": _rooms("texts access chat database notices queue registrations storage tables rules"),
    "gateway.wordings": _rooms("access queue.day tables rules"),
    "gateway.web": {"gateway.web", "gateway.rules", *(f"gateway.{noun}" for noun in NOUNS)},
    "gateway.sandbox": {"gateway.sandbox", "gateway.rules", "gateway.web.callers"},
    "printers": {"printers"},
    "kiosk": {"kiosk", "printers", "gateway.rules"},
}


def imports(path):
    """Our own modules that a file imports, at any depth of it, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (_module(node.module, one.name) for one in node.names)


def _module(package, name):
    """`from gateway import queue` names a module; `from gateway.queue import book` a thing in one."""
    path = ROOT.joinpath(*package.split("."), name)
    return f"{package}.{name}" if path.is_dir() or path.with_suffix(".py").exists() else package


def files(room):
    path = ROOT.joinpath(*room.split("."))
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_what_it_may(room):
    strangers = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(room)
        for name in imports(path)
        if name.split(".")[0] in ("gateway", "kiosk", "printers", "tests")
        and not any(name == may or name.startswith(f"{may}.") for may in ALLOWED[room])
    ]
    assert strangers == []


def test_the_rules_are_asked_of_real_files():
    assert all(path.exists() for room in ALLOWED for path in files(room))
    assert "gateway.queue.day" in set(imports(ROOT / "gateway" / "notices" / "barriers.py"))


def test_a_kiosk_starts_without_the_gateway_s_web_side_and_its_database():
    code = (
        "import sys, kiosk.loop, kiosk.web, kiosk.__main__\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('sqlalchemy', 'alembic', 'psycopg')"
        " or m.startswith(('gateway.web', 'gateway.tables'))]\n"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_else_stands_at_the_top():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    top = {path.split("/")[0] for path in listed if not path.startswith(".")}
    assert top == {
        "gateway",
        "kiosk",
        "printers",
        "tests",
        "config.toml",
        "requirements.txt",
        "README.md",
        "Makefile",
        "pyproject.toml",
        "CHANGELOG.md",
        "LICENSE",
    }
