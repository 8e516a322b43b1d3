"""What a modem is like at this moment, for the officer's page."""

from dataclasses import dataclass

READY, OPENING, SILENT, GONE, REFUSED = "ready", "opening", "silent", "gone", "refused"
HOME, ROAMING, SEARCHING, DENIED, OFF = "home", "roaming", "searching", "denied", "off"


@dataclass(frozen=True)
class State:
    """`state`: ready, opening, silent (it does not answer), gone (no port), refused (its SIM or its network says no).

    `reason` is "vi / en". `sim`: ready, pin, puk, absent, failure, or "" as long as nobody knows; `network`: home,
    roaming, searching, denied, off, or "". `signal` in dBm. `stored` of the `memory` places for texts are taken.
    `recoveries`: how often it became well again. `since`: epoch seconds of the last change of `state`.
    """

    state: str = OPENING
    reason: str = ""
    sim: str = ""
    network: str = ""
    operator: str = ""
    signal: int | None = None
    model: str = ""
    device: str = ""
    stored: int = 0
    memory: int = 0
    recoveries: int = 0
    since: int = 0
