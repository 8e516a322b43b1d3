"""How long the modem channel waits for what."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Seconds. `answer`: a network that has said nothing in half a minute hardly will. `alive`: when an idle modem is
    asked; `look`: how often its signal and memory are looked at. `search`: how often it is asked for its network.
    `reopen`: the first pause before another try, and the longest. `look_out`: how often it is seen whether a port
    that was gone is back. `settle`: how long a SIM may be absent after a start before somebody is told. `again`: to
    the next telling of what was not kept. `sync`: for one AT while it is called back. `waking`: for a SIM that has just
    got its PIN.
    """

    prompt: float = 5.0
    answer: float = 32.0
    command: float = 5.0
    alive: float = 10.0
    look: float = 30.0
    search: float = 1.0
    reopen: float = 0.25
    reopen_most: float = 5.0
    look_out: float = 0.25
    settle: float = 10.0
    again: float = 5.0
    sync: float = 1.0
    waking: float = 10.0
