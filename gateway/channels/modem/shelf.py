"""The modem's memories: ME or SM holds texts that came in, SR status reports (3GPP TS 27.005, 3.2.2)."""

import re
from collections.abc import Iterator

from gateway.channels.modem.dialogue import Dialogue, Said
from gateway.channels.modem.inbox import Place

REPORTS = "SR"
LIST_SECONDS = 20.0

_LISTED = re.compile(r"\+CMGL: *(\d+), *(\d+)")
_COUNTS = re.compile(r'(?:"\w+", *)?(\d+), *(\d+)')
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


class Shelf:
    """What is stored in one modem. `texts` is the memory that texts come to."""

    def __init__(self, talk: Dialogue) -> None:
        self._talk = talk
        self._open = self.texts = ""

    def choose(self) -> None:
        """The modem's own memory for texts, and where there is none, the SIM's. Raises Said when neither works."""
        for name in ("ME", "SM"):
            try:
                lines = self._talk.command(f'AT+CPMS="{name}","{name}","{name}"')
            except Said:
                if name == "SM":
                    raise
                continue
            counts = _counts(lines)
            if counts is None or counts[1] > 0 or name == "SM":
                self._open = self.texts = name
                return

    def counts(self) -> tuple[int, int] | None:
        """How many places texts have taken, and how many there are."""
        return _counts(self._talk.command("AT+CPMS?"))

    def read(self, place: Place) -> str:
        """The PDU at a place, in hexadecimal; "" when there is none."""
        self._turn_to(place[0])
        lines = self._talk.command(f"AT+CMGR={place[1]}")
        start = next((at for at, line in enumerate(lines) if line.startswith("+CMGR:")), len(lines))
        return next((line for line in lines[start:] if _HEX.fullmatch(line)), "")

    def delete(self, place: Place) -> None:
        self._turn_to(place[0])
        self._talk.command(f"AT+CMGD={place[1]}")

    def all(self, memory: str) -> Iterator[tuple[Place, int, str]]:
        """Everything in a memory: its place, its status (0 new, 1 read, 2 unsent, 3 sent), its PDU."""
        self._turn_to(memory)
        held: tuple[Place, int] | None = None
        for line in self._talk.command("AT+CMGL=4", LIST_SECONDS):
            if match := _LISTED.match(line):
                held = (memory, match[1]), int(match[2])
            elif held and _HEX.fullmatch(line):
                yield (*held, line)
                held = None

    def delete_read(self) -> None:
        """Everything but what is new; one by one, where a modem knows no flags."""
        self._turn_to(self.texts)
        try:
            self._talk.command("AT+CMGD=1,3")
        except Said:
            for place, status, _ in list(self.all(self.texts)):
                if status != 0:
                    self.delete(place)

    def _turn_to(self, memory: str) -> None:
        if memory != self._open:
            self._talk.command(f'AT+CPMS="{memory}"')
            self._open = memory


def _counts(lines: list[str]) -> tuple[int, int] | None:
    """The last pair of "+CPMS: 1,50,1,50,1,50" is of the memory that texts come to."""
    for line in lines:
        if line.startswith("+CPMS:") and (found := _COUNTS.findall(line)):
            return int(found[-1][0]), int(found[-1][1])
    return None
