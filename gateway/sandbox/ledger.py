"""A file of JSON rows, so that a stand-in remembers over a crash what the real thing would."""

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Ledger:
    """Rows in the order they were written. The newest `keep` survive a start; a torn last row is dropped."""

    def __init__(self, path: Path, keep: int = 20_000) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self.rows = _read(path)[-keep:]
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(_line(row) for row in self.rows), encoding="utf-8")
        fresh.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def append(self, **row: Any) -> None:
        """Flushed, not fsynced: a stand-in must outlive its process, not the machine's power."""
        with self._lock:
            if not self._file.closed:
                self._file.write(_line(row))
                self._file.flush()

    def close(self) -> None:
        with self._lock:
            self._file.close()


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _read(path: Path) -> list[dict[str, Any]]:
    rows = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows
