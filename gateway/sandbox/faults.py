"""Faults that can be switched on in the stand-ins: for all, for one phone, one Zalo user id or one template."""

import threading

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
MODEM_SILENT = "modem_silent"  # the modem takes the text, and says nothing
RECEIPT_TWICE = "receipt_twice"  # every receipt comes twice
RECEIPT_LATE = "receipt_late"  # every receipt takes thirty times as long
WEBHOOK_TWICE = "webhook_twice"  # every event of Zalo comes twice
WEBHOOK_LATE = "webhook_late"  # every event of Zalo comes half a minute late, at the least
WEBHOOK_SWAPPED = "webhook_swapped"  # every second event overtakes the one before
WEBHOOK_FORGED = "webhook_forged"  # before every event comes a false one with a wrong signature
WEBHOOK_LOST = "webhook_lost"  # no event comes

NAMES = (
    ZALO_REFUSED, ZALO_NO_RECEIPT, ZALO_TIMEOUT, ZALO_QUOTA, ZALO_NOT_FOLLOWING, ZALO_BLOCKED, ZALO_RESTRICTED,
    ZALO_WINDOW_SHUT, ZALO_NOT_BY_ID, SMS_REFUSED, SMS_FAILED, SMS_NO_RECEIPT, ESMS_DOWN, ESMS_TIMEOUT,
    MODEM_SILENT, RECEIPT_TWICE, RECEIPT_LATE, WEBHOOK_TWICE, WEBHOOK_LATE, WEBHOOK_SWAPPED, WEBHOOK_FORGED,
    WEBHOOK_LOST,
)  # fmt: skip

LATE = 30


class Faults:
    """Which faults are on. A target is a phone (E.164), a Zalo user id or a template's id; None means all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[tuple[str, str | None], None] = {}

    def switch(self, name: str, target: str | None, on: bool) -> None:
        """KeyError for a fault that does not exist."""
        if name not in NAMES:
            raise KeyError(name)
        with self._lock:
            if on:
                self._on[name, target] = None
            else:
                self._on.pop((name, target), None)

    def on(self, name: str, *targets: str | None) -> bool:
        """Whether this fault is on for one of these targets, or for all."""
        with self._lock:
            return any((name, target) in self._on for target in (None, *targets))

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
