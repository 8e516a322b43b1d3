"""What must not lie open in the database, and what must outlive it for a moment.

`Safe` seals texts with a key that is kept in a file beside the other secrets: a copy of the database alone
gives nobody the Official Account. `Spool` holds a pair of tokens between Zalo's answer and the commit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from gateway import config as configuration
from gateway.rules.settings import Settings

log = logging.getLogger(__name__)
MARK = "fernet:"
KEY = "zalo.token_key"


class WrongKey(Exception):
    """The key is none, or not the one that this was sealed with; the text says so in both languages."""


class Safe:
    """Seals and opens texts. `keys`: one or more of 32 random octets in base64url, parted by blanks or commas.

    The first key seals; every key opens, so that a key can be replaced: put the new one in front.
    """

    def __init__(self, keys: str):
        try:
            made = [Fernet(_padded(key)) for key in re.split(r"[\s,]+", keys.strip())]
        except ValueError as fault:  # of a key that is too short or no base64; its text is not shown
            raise WrongKey(
                "Khoá mã hoá mã truy cập Zalo không đúng dạng (zalo.token_key) / "
                "the key for the Zalo tokens is not 32 octets in base64url (zalo.token_key)"
            ) from fault
        self._box = MultiFernet(made)

    def seal(self, text: str) -> str:
        return MARK + self._box.encrypt(text.encode()).decode("ascii")

    def open(self, text: str) -> str:
        """What was sealed; a text in clear, as older versions kept it, comes back as it is."""
        if not is_sealed(text):
            return text
        try:
            return self._box.decrypt(text.removeprefix(MARK)).decode()
        except InvalidToken as fault:
            raise WrongKey(
                "Không mở được mã truy cập Zalo đã lưu: khoá zalo.token_key không phải khoá cũ / "
                "the stored Zalo tokens cannot be opened: zalo.token_key is not the key they were sealed with"
            ) from fault


def _padded(key: str) -> str:
    """`own_secret` makes 43 letters, the padding left out."""
    return key if key.endswith("=") else key + "="


def is_sealed(text: str) -> bool:
    return text.startswith(MARK)


def of(config: Settings) -> Safe:
    """The safe of this installation; its key is made the first time it is needed. Raises `WrongKey`."""
    try:
        return Safe(configuration.own_secret(config, KEY))
    except OSError as fault:
        raise WrongKey(
            f"Không tạo được tệp khoá zalo.token_key ({fault.strerror}) / "
            f"the key file for the Zalo tokens cannot be made ({fault.strerror}): zalo.token_key"
        ) from fault


@dataclass(frozen=True)
class Spooled:
    """A pair that Zalo gave at `at` for a refresh token; `life` of the access token in seconds."""

    access: str
    refresh: str
    life: int
    at: int


class Spool:
    """One small sealed file for each pair that the database does not hold yet, beside the key's file.

    A file belongs to one generation of the row and to the refresh token that was spent for it: what was
    consented anew meanwhile is never replaced by it.
    """

    def __init__(self, folder: Path, oa_id: str, safe: Safe):
        self._folder, self._safe = folder, safe
        self._stem = "zalo_tokens." + re.sub(r"[^A-Za-z0-9_-]", "_", oa_id)

    def write(self, generation: int, spent: str, pair: Spooled) -> None:
        """On the disk when this returns: written aside, fsynced, renamed, and the folder fsynced too."""
        content = {"spent": _digest(spent), **vars(pair)}
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = self._folder / f".{self._stem}.{secrets.token_hex(6)}"
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(self._safe.seal(json.dumps(content)))
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, self._path(generation))
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        _fsync(self._folder)

    def read(self, generation: int, refresh_token: str) -> Spooled | None:
        """The pair that `refresh_token` of this generation was spent for, if its finder died before the commit."""
        try:
            content = json.loads(self._safe.open(self._path(generation).read_text()))
            if content.pop("spent") != _digest(refresh_token):
                return None
            return Spooled(**content)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, WrongKey) as fault:
            log.error("the spooled Zalo tokens cannot be read (%s)", type(fault).__name__)
            return None

    def drop(self, generation: int) -> None:
        """This generation's pair and older ones are in the database or of no use; one that stays harms nobody."""
        for path in self._folder.glob(f"{self._stem}.*"):
            number = path.name.rpartition(".")[2]
            if number.isdecimal() and int(number) <= generation:
                try:
                    path.unlink(missing_ok=True)
                except OSError as fault:
                    log.warning("a spool of Zalo tokens that is over cannot be removed (%s)", fault)

    def _path(self, generation: int) -> Path:
        return self._folder / f"{self._stem}.{generation}"


def spool_of(config: Settings, safe: Safe) -> Spool:
    """The spool of this installation: beside the key's file, as it is as secret."""
    return Spool(Path(config.zalo.token_key_file).parent, config.zalo.oa_id, safe)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
