"""What a client sets in the modem, and what a boot or ATZ takes back."""

from dataclasses import dataclass, field, replace


@dataclass
class Modes:
    """`mt`, `ds`: how texts and reports are told (AT+CNMI); `names`: the memories of AT+CPMS, by their numbers."""

    echo: bool = True
    errors: int = 0
    pdu: bool = False
    csms: int = 0
    cnmi: list[int] = field(default_factory=lambda: [0, 0, 0, 0, 0])
    cnmi_said: bool = False
    creg: dict[str, int] = field(default_factory=lambda: {"+CREG": 0, "+CGREG": 0, "+CEREG": 0})
    operator_format: int = 0
    charset: str = "GSM"
    cmms: int = 0
    names: list[str] = field(default_factory=lambda: ["ME", "ME", "ME"])

    @property
    def mt(self) -> int:
        return self.cnmi[1]

    @property
    def ds(self) -> int:
        return self.cnmi[3]

    def stop_telling(self) -> None:
        self.cnmi[1] = self.cnmi[3] = 0
        self.cnmi_said = False

    def reset(self) -> "Modes":
        """ATZ: the client's own settings go, the message service's stay as they are stored."""
        return replace(Modes(), csms=self.csms, cnmi=self.cnmi, cnmi_said=self.cnmi_said, names=self.names)
