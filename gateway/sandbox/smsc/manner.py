"""How the stand-in SMSC misbehaves: with each submit, and on the line."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gateway.rules.smpp.pdus import ShortMessage


@dataclass(frozen=True)
class Answer:
    """What happens with one submit_sm.

    `takes`: it goes to the phone (with status 0). `answers`: a submit_sm_resp comes. `nack`: a generic_nack in its
    place. `garbage`: octets before the answer. `drops`: afterwards the line is cut.
    `receipt`: when it comes, `state` what it says (DELIVRD, UNDELIV, …; ENROUTE is followed by DELIVRD).
    """

    status: int = 0
    takes: bool = True
    answers: bool = True
    nack: bool = False
    garbage: bytes = b""
    drops: bool = False
    receipt: Literal["after", "before", "twice", "lost"] = "after"
    state: str = "DELIVRD"


Script = Callable[[int, ShortMessage], Answer | None]
"""The answer to the so-and-so-many-th submit since the script was set, from 1; None: as usual."""


@dataclass(frozen=True)
class Manner:
    """How the line is. `bind`: the status of a bind_resp; None: none comes. `early`: an outbind comes before it.

    `drip`: what it says comes octet by octet. `halves`: every PDU comes in two pieces. `deaf`: it hears, and says
    nothing at all. `enquire`: whether enquire_link is answered. `ids`: how a receipt spells the message's id:
    as it was given ("same"), as a decimal number of what was given in hexadecimal, in capitals, with zeros in
    front; or no answer names one. `parameters`: receipts carry
    receipted_message_id and message_state, or only the text.
    """

    bind: int | None = 0
    early: bool = False
    drip: bool = False
    halves: bool = False
    deaf: bool = False
    enquire: bool = True
    ids: Literal["same", "decimal", "capitals", "padded", "none"] = "same"
    parameters: bool = True
