"""Faults that can be switched on in the stand-ins: for all, for one phone, one Zalo user id or one template."""

import re
import threading
from collections.abc import Callable

ZALO_REFUSED = "zalo_refused"  # -118: no Zalo account on this number
ZALO_NO_RECEIPT = "zalo_no_receipt"  # taken, but the phone is off: it never arrives
ZALO_TIMEOUT = "zalo_timeout"  # taken and delivered, but the connection drops before the answer
ZALO_QUOTA = "zalo_quota"  # -144, by user id -211: the day's limit is used up
ZALO_NOT_FOLLOWING = "zalo_not_following"  # -213: this person does not follow the page
ZALO_BLOCKED = "zalo_blocked"  # -217, by phone -141: this person has blocked the page
ZALO_RESTRICTED = "zalo_restricted"  # -244, by phone -139: this person does not want messages of this kind
ZALO_WINDOW_SHUT = "zalo_window_shut"  # -230: this person has not spoken within seven days
ZALO_NOT_BY_ID = "zalo_not_by_id"  # -249: this template goes by phone only
SMS_REFUSED = "sms_refused"  # the network does not know the number
SMS_FAILED = "sms_failed"  # taken, then reported as failed
SMS_NO_RECEIPT = "sms_no_receipt"  # delivered, but nobody says so
ESMS_DOWN = "esms_down"  # 503 and a page of HTML
ESMS_TIMEOUT = "esms_timeout"  # taken, but the connection drops before the answer
SMS_PART_FAILED = "sms_part_failed"  # the second part of a long text is reported as failed
SMS_REPORT_EARLY = "sms_report_early"  # the modem tells the report before its OK
MODEM_SILENT = "modem_silent"  # the modem takes the text, and says nothing
MODEM_ERROR = "modem_error"  # the modem takes the text, and says ERROR
MODEM_NO_PROMPT = "modem_no_prompt"  # the modem does not ask for the text
MODEM_SLOW = "modem_slow"  # the modem's prompt takes three seconds, and its answers come octet by octet
MODEM_DEAF = "modem_deaf"  # the modem hears nothing and says nothing
MODEM_UNPLUGGED = "modem_unplugged"  # the port and its link are gone
MODEM_REBOOT = "modem_reboot"  # the modem starts again when this is switched on
MODEM_NO_NETWORK = "modem_no_network"  # the SIM looks for a network
MODEM_DENIED = "modem_denied"  # the network does not let the SIM in
MODEM_NO_SIM = "modem_no_sim"  # there is no SIM
MODEM_PUK = "modem_puk"  # the SIM is blocked
MODEM_FULL = "modem_full"  # the memory is full of texts that were read, and nothing goes until there is room
SMPP_SILENT = "smpp_silent"  # the SMSC takes the text, and says nothing
RECEIPT_TWICE = "receipt_twice"  # every receipt comes twice
RECEIPT_LATE = "receipt_late"  # every receipt takes thirty times as long
WEBHOOK_TWICE = "webhook_twice"  # every event of Zalo comes twice
WEBHOOK_LATE = "webhook_late"  # every event of Zalo comes half a minute late, at the least
WEBHOOK_SWAPPED = "webhook_swapped"  # every second event overtakes the one before
WEBHOOK_FORGED = "webhook_forged"  # before every event comes a false one with a wrong signature
WEBHOOK_LOST = "webhook_lost"  # no event comes

# Of the stand-in providers over HTTP: for tests, and too fine for the page that a newcomer looks at
SMS_500 = "sms_500"  # HTTP 500 and a page of HTML, and nothing was taken
SMS_DRIP = "sms_drip"  # taken, and the answer comes one character after the other
SMS_CUT_EARLY = "sms_cut_early"  # the connection drops, and nothing was taken
SMS_CUT_LATE = "sms_cut_late"  # taken, and the connection drops
SMS_REPORT_FIRST = "sms_report_first"  # the report comes before the answer
SMS_REPORT_LOST = "sms_report_lost"  # no report comes; whoever asks is told
SMS_REPORT_WRONG = "sms_report_wrong"  # the report says failed; whoever asks is told the truth
PROVIDERS = (
    SMS_500, SMS_DRIP, SMS_CUT_EARLY, SMS_CUT_LATE, SMS_REPORT_FIRST, SMS_REPORT_LOST, SMS_REPORT_WRONG,
)  # fmt: skip
_CODED = re.compile(r"(esms|speedsms|http)_code_([0-9]{1,3})")
"""A provider's own code in answer to a message, such as esms_code_103."""

NAMES = (
    ZALO_REFUSED, ZALO_NO_RECEIPT, ZALO_TIMEOUT, ZALO_QUOTA, ZALO_NOT_FOLLOWING, ZALO_BLOCKED, ZALO_RESTRICTED,
    ZALO_WINDOW_SHUT, ZALO_NOT_BY_ID, SMS_REFUSED, SMS_FAILED, SMS_NO_RECEIPT, ESMS_DOWN, ESMS_TIMEOUT,
    SMS_PART_FAILED, SMS_REPORT_EARLY, MODEM_SILENT, MODEM_ERROR, MODEM_NO_PROMPT, MODEM_SLOW, MODEM_DEAF,
    MODEM_UNPLUGGED, MODEM_REBOOT, MODEM_NO_NETWORK, MODEM_DENIED, MODEM_NO_SIM, MODEM_PUK, MODEM_FULL,
    SMPP_SILENT, RECEIPT_TWICE, RECEIPT_LATE, WEBHOOK_TWICE, WEBHOOK_LATE, WEBHOOK_SWAPPED, WEBHOOK_FORGED,
    WEBHOOK_LOST,
)  # fmt: skip

LATE = 30


def exists(name: str) -> bool:
    return name in NAMES or name in PROVIDERS or _CODED.fullmatch(name) is not None


class Faults:
    """Which faults are on. A target is a phone (E.164), a Zalo user id or a template's id; None means all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[tuple[str, str | None], None] = {}
        self._watchers: list[Callable[[], None]] = []

    def switch(self, name: str, target: str | None, on: bool) -> None:
        """KeyError for a fault that does not exist."""
        if not exists(name):
            raise KeyError(name)
        with self._lock:
            if on:
                self._on[name, target] = None
            else:
                self._on.pop((name, target), None)
        for call in tuple(self._watchers):
            call()

    def watch(self, call: Callable[[], None]) -> None:
        """`call` is told after every switch that something changed."""
        self._watchers.append(call)

    def unwatch(self, call: Callable[[], None]) -> None:
        self._watchers.remove(call)

    def on(self, name: str, *targets: str | None) -> bool:
        """Whether this fault is on for one of these targets, or for all."""
        if not self._on:
            return False
        with self._lock:
            return any((name, target) in self._on for target in (None, *targets))

    def code(self, provider: str, *targets: str | None) -> str | None:
        """The code that this provider is to answer for one of these targets, or for all."""
        with self._lock:
            asked = [_CODED.fullmatch(name) for name, target in self._on if target in (None, *targets)]
        return next((one[2] for one in asked if one and one[1] == provider), None)

    def receipts(self, delay: float, *targets: str) -> list[float]:
        """After how many seconds a receipt for this person goes out; twice, where that fault is on."""
        delay = delay * LATE if self.on(RECEIPT_LATE, *targets) else delay
        return [delay, delay] if self.on(RECEIPT_TWICE, *targets) else [delay]

    def webhooks(self, delay: float, *targets: str) -> list[float]:
        """The same for any event of Zalo; none where events are lost."""
        if self.on(WEBHOOK_LOST, *targets):
            return []
        delay = max(delay, 1.0) * LATE if self.on(WEBHOOK_LATE, *targets) else delay
        return [delay, delay] if self.on(WEBHOOK_TWICE, *targets) else [delay]

    def listed(self) -> list[tuple[str, str | None]]:
        with self._lock:
            return list(self._on)
