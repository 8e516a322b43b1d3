"""Messages under way: which of their parts are handed over, which are unanswered, and how it all ends.

Used by the owner thread only; `answer` is what the thread that sends waits for.
"""

import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from gateway.channels import Accepted, Message, Part, Refused, Unreachable
from gateway.rules.smpp import receipts
from gateway.rules.smpp.texts import Piece

LONGEST_REF = 80


@dataclass(eq=False)
class Errand:
    """One message. `parts`: what it comes to on the phone. `pieces`: those of its submits that are not put yet.

    `since`: when it came, by the monotonic clock. `begun`: something of it was put.
    """

    message: Message
    pieces: deque[Piece]
    parts: int
    answer: Future = field(default_factory=Future)
    ids: list[str] = field(default_factory=list)
    handed: list[Part] = field(default_factory=list)
    since: float = field(default_factory=time.monotonic)
    begun: bool = False
    unanswered: int = 0
    fault: Refused | Unreachable | None = None

    def taken(self, piece: Piece, message_id: str | None) -> None:
        """The SMSC has this part; where it gave no id a receipt is matched by the phone alone."""
        self.ids += [message_id] if message_id else []
        self._hand(piece, receipts.ref(message_id) if message_id else None)

    def unknown(self, piece: Piece, excuse: str, code: str) -> None:
        """Nobody knows whether the SMSC has this part, and that is what the message ends with."""
        self._hand(piece, None)
        if not (isinstance(self.fault, Unreachable) and self.fault.sent):
            self.fault = Unreachable(excuse, True, code)

    def refused(self, fault: Refused | Unreachable) -> None:
        """This part was certainly not taken. No further part is begun: alone they say nothing."""
        unsure = isinstance(self.fault, Unreachable) and self.fault.sent
        if self.fault is None or (isinstance(fault, Refused) and not unsure):
            self.fault = fault

    def settle(self) -> bool:
        """Answers whoever sends, once nothing is under way; False until then."""
        if self.unanswered or (self.pieces and self.fault is None):
            return False
        handed = tuple(sorted(self.handed, key=lambda part: part.number))
        if self.fault is not None:
            self.fault.handed = handed
            self.answer.set_exception(self.fault)
        else:
            self.answer.set_result(Accepted(_joined(self.ids), parts=self.parts, handed=handed))
        return True

    def _hand(self, piece: Piece, ref: str | None) -> None:
        self.handed.append(Part(piece.number, piece.total, self.message.joint, ref))


@dataclass(frozen=True)
class Submit:
    """A submit_sm that was put. `end`: the octet of the stream at which it ends; `due`: by when it is answered."""

    errand: Errand
    piece: Piece
    end: int
    due: float
    with_validity: bool


def of(message: Message, pieces: tuple[Piece, ...], parts: int) -> Errand:
    """Only the parts that no earlier try has handed over with the same joint."""
    begun = {
        one.number for one in message.begun if (one.joint, one.total) == (message.joint, pieces[0].total)
    }
    missing = deque(one for one in pieces if one.number not in begun)
    return Errand(message, missing, parts if len(missing) == len(pieces) else len(missing))


def _joined(ids: list[str]) -> str | None:
    """The SMSC's ids, for the staff to name to the provider; no longer than what the attempts hold."""
    shown = ids[0] if ids else ""
    for one in ids[1:]:
        if len(shown) + len(one) + 1 > LONGEST_REF:
            break
        shown += f"-{one}"
    return shown[:LONGEST_REF] or None
