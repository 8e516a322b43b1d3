"""What a deliver_sm that is a receipt says (SMPP 3.4, 5.2.12, 5.3.2.12, 5.3.2.35, appendix B).

The parameters (receipted_message_id, message_state) are preferred; the text "id:… stat:… err:…" is no part of
the standard, and every SMSC writes it a little differently.
"""

import re
from dataclasses import dataclass

from gateway.rules.smpp.pdus import ShortMessage, Tag

_KINDS = 0x3C
_RECEIPT, _ACKNOWLEDGED, _INTERMEDIATE = 0x04, 0x08, 0x20

STATES = {
    0: "SCHEDULED", 1: "ENROUTE", 2: "DELIVRD", 3: "EXPIRED", 4: "DELETED", 5: "UNDELIV", 6: "ACCEPTD",
    7: "UNKNOWN", 8: "REJECTD", 9: "SKIPPED",
}  # fmt: skip

# ACCEPTD is a person at the SMSC who read it out, and UNKNOWN an SMSC that lost it: neither is known to have arrived.
FATES = {
    "DELIVRD": True, "EXPIRED": False, "DELETED": False, "UNDELIV": False, "REJECTD": False, "SKIPPED": False,
}  # fmt: skip

_ID = re.compile(rb"\bid:\s*([^\s\0]{1,64})", re.IGNORECASE)
_STATE = re.compile(rb"\bstat:\s*([A-Za-z]{1,9})", re.IGNORECASE)
_ERROR = re.compile(rb"\berr:\s*([0-9A-Za-z]{1,6})", re.IGNORECASE)
_SPELLED = {"DELIVERED": "DELIVRD", "UNDELIVERABLE": "UNDELIV", "ACCEPTED": "ACCEPTD", "REJECTED": "REJECTD"}


@dataclass(frozen=True)
class Receipt:
    """`refs`: the names its message may have, the likeliest first. `delivered` None: nobody knows yet."""

    refs: tuple[str, ...]
    delivered: bool | None
    code: str


def read(message: ShortMessage) -> Receipt | None:
    """The receipt in a deliver_sm; None where it is a text that somebody wrote.

    A text that only looks like a receipt is none: anybody can send "id:1 stat:DELIVRD" from their phone.
    """
    kind = message.esm_class & _KINDS
    named = message.parameters.get(Tag.RECEIPTED_MESSAGE_ID)
    if kind not in (_RECEIPT, _ACKNOWLEDGED, _INTERMEDIATE) and named is None:
        return None
    text = message.payload
    own = named.rstrip(b"\0").decode("latin-1") if named else _found(_ID, text)
    state = _state(message.parameters.get(Tag.MESSAGE_STATE, b""), text)
    error = _found(_ERROR, text)
    delivered = None if kind == _INTERMEDIATE else FATES.get(state)
    code = f"{state or 'no state'} {error}" if error.strip("0") else state or "no state"
    return Receipt(refs(own), delivered, code)


def ref(message_id: str) -> str:
    """An id in the one spelling that is kept: without blanks and leading zeros, in small letters."""
    bare = message_id.strip().lower()
    return bare.lstrip("0") or bare[-1:]


def refs(message_id: str) -> tuple[str, ...]:
    """The spellings that the id of a receipt may have had at its submit: as it is, and in the other base."""
    own = ref(message_id)
    found = [own] if own else []
    if re.fullmatch(r"[0-9]{1,20}", own):
        found.append(f"{int(own):x}")
    if re.fullmatch(r"[0-9a-f]{1,16}", own):
        found.append(str(int(own, 16)))
    return tuple(dict.fromkeys(found))


def _state(parameter: bytes, text: bytes) -> str:
    if len(parameter) == 1 and parameter[0] in STATES:
        return STATES[parameter[0]]
    word = _found(_STATE, text).upper()
    return _SPELLED.get(word, word[:7])


def _found(pattern: re.Pattern[bytes], text: bytes) -> str:
    match = pattern.search(text)
    return match[1].decode("latin-1") if match else ""
