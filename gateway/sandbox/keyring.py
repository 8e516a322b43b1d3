"""The tokens of the stand-in Zalo: codes work once, refresh tokens once in 90 days, access tokens for 25 hours."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.rules import hashes
from gateway.sandbox import ledger

ACCESS_LIFE = 90_000
CODE_LIFE = 600
REFRESH_LIFE = 90 * 86_400


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


class Keyring:
    """Tokens outlive a crash of the sandbox, as they outlive a crash of ours at Zalo."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._codes: dict[str, tuple[str | None, float]] = {}
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}
        self._ledger = ledger.Ledger(folder / "zalo-tokens.jsonl", keep=2_000)
        for row in self._ledger.rows:
            self._replay(row)

    def code(self, challenge: str | None) -> str:
        """A code for a consent, good once and for ten minutes."""
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = (challenge, self._clock())
        return code

    def redeem(self, code: str, verifier: str | None) -> Pair | None:
        with self._lock:
            challenge, at = self._codes.pop(code, (None, 0.0))
        if self._clock() - at > CODE_LIFE:
            return None
        if challenge and (not verifier or hashes.pkce_challenge(verifier) != challenge):
            return None
        return self.pair()

    def renew(self, refresh: str) -> Pair | None:
        """A new pair for a refresh token; the second time there is none."""
        with self._lock:
            if self._clock() - self._refresh.get(refresh, 0.0) > REFRESH_LIFE:
                return None
            del self._refresh[refresh]
            self._ledger.append(kind="spent", refresh=refresh)
        return self.pair()

    def pair(self) -> Pair:
        made = Pair(secrets.token_urlsafe(48), secrets.token_urlsafe(48))
        row = {"kind": "pair", "access": made.access, "refresh": made.refresh, "at": self._clock()}
        with self._lock:
            self._ledger.append(**row)
            self._replay(row)
        return made

    def valid(self, access: str) -> bool:
        with self._lock:
            return self._clock() - self._access.get(access, 0.0) < ACCESS_LIFE

    def close(self) -> None:
        self._ledger.close()

    def _replay(self, row: dict) -> None:
        if row["kind"] == "spent":
            self._refresh.pop(row["refresh"], None)
        else:
            self._access[row["access"]] = row["at"]
            self._refresh[row["refresh"]] = row["at"]
