"""The SIM in the modem: its PIN, its place in the network, and the memories of the modem (3GPP TS 27.007)."""

from dataclasses import dataclass, field

READY, PIN, PUK, ABSENT = "READY", "SIM PIN", "SIM PUK", "absent"
STATES = (READY, PIN, PUK, ABSENT)
TRIES = 3
PUK_CODE = "12345678"

HOME, NONE, SEARCHING, DENIED, ROAMING = 1, 0, 2, 3, 5

_CMS = {ABSENT: "310", PIN: "311", PUK: "316"}
_CME = {ABSENT: "10", PIN: "11", PUK: "12"}

UNREAD, READ, UNSENT, SENT = 0, 1, 2, 3


@dataclass
class Card:
    """One SIM. `pin` None: it asks for none. `registration` is what +CREG says while the SIM is ready."""

    number: str
    operator: str
    pin: str | None = None
    state: str = READY
    tries: int = TRIES
    registration: int = HOME
    signal: int = 21
    centre: str = "+84900000023"

    def boot(self) -> None:
        """The modem has power again: the PIN is asked for. A blocked card, or none, stays as it is."""
        if self.state in (READY, PIN):
            self.state = PIN if self.pin else READY

    @property
    def registered(self) -> bool:
        return self.place in (HOME, ROAMING)

    @property
    def place(self) -> int:
        return self.registration if self.state == READY else NONE

    def enter(self, pin: str) -> str | None:
        """The +CME code for a wrong PIN; None when the SIM is open."""
        if self.state in (ABSENT, PUK):
            return _CME[self.state]
        if self.state == READY:
            return "3"
        if pin != self.pin:
            self.tries -= 1
            if not self.tries:
                self.state = PUK
            return "12" if self.state == PUK else "16"
        self.state, self.tries = READY, TRIES
        return None

    def unblock(self, puk: str, pin: str) -> str | None:
        if self.state != PUK or puk != PUK_CODE:
            return "16"
        self.pin, self.state, self.tries = pin, READY, TRIES
        return None

    def fault(self, table: str) -> str | None:
        """Why it cannot be used now, by table "CMS" or "CME"; None when it can."""
        return (_CMS if table == "CMS" else _CME).get(self.state)


@dataclass
class Stored:
    """A PDU in a memory."""

    hex: str
    length: int
    status: int = UNREAD


@dataclass
class Memory:
    """Numbered places from 1; the lowest free one is taken first."""

    name: str
    size: int
    places: dict[int, Stored] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        return len(self.places) >= self.size

    def store(self, hex: str, length: int, status: int = UNREAD) -> int | None:
        """The place it is at now; None when there is none left."""
        at = next((place for place in range(1, self.size + 1) if place not in self.places), None)
        if at is not None:
            self.places[at] = Stored(hex, length, status)
        return at

    def delete(self, index: int, flag: int) -> bool:
        """AT+CMGD; False when there is no such place. Flags 1 to 4 do not look at the index."""
        if flag == 0:
            if not 1 <= index <= self.size:
                return False
            self.places.pop(index, None)
            return True
        gone = {1: (READ,), 2: (READ, SENT), 3: (READ, SENT, UNSENT), 4: (UNREAD, READ, SENT, UNSENT)}[flag]
        self.places = {at: one for at, one in self.places.items() if one.status not in gone}
        return True
