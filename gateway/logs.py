"""What goes to the log, without what must not: phones are masked, rows that a database quotes are left out."""

from __future__ import annotations

import logging
import re
import sys

from gateway.rules import phone

NUMBER = re.compile(r"(?<![\w])(?:\+?84|0)(?:[35789]\d{8}|2\d{9})(?!\w)")
QUOTED_ROW = re.compile(r"(DETAIL: +(?:Failing row contains|Key)).*")


class Masking(logging.Formatter):
    """Masks the finished text, tracebacks of libraries included: nobody can know what they quote."""

    def format(self, record: logging.LogRecord) -> str:
        text = QUOTED_ROW.sub(r"\1 (not shown)", super().format(record))
        return NUMBER.sub(lambda found: phone.masked(_e164(found.group())), text)


def _e164(number: str) -> str:
    return "+84" + re.sub(r"^(?:\+?84|0)", "", number)


def start(level: int = logging.INFO) -> None:
    """Log to standard error, masked."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Masking("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it announces itself at every start
