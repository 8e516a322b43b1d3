"""Faults that can be switched on in the stand-ins, for one phone or for all."""

import threading

ZALO_REFUSED = "zalo_refused"  # -118: no Zalo account on this number
ZALO_NO_RECEIPT = "zalo_no_receipt"  # taken, but the phone is off: it never arrives
ZALO_TIMEOUT = "zalo_timeout"  # taken and delivered, but the connection drops before the answer
ZALO_QUOTA = "zalo_quota"  # -144: the day's limit is used up
SMS_REFUSED = "sms_refused"  # the network does not know the number
SMS_FAILED = "sms_failed"  # taken, then reported as failed
SMS_NO_RECEIPT = "sms_no_receipt"  # delivered, but nobody says so
ESMS_DOWN = "esms_down"  # 503 and a page of HTML
ESMS_TIMEOUT = "esms_timeout"  # taken, but the connection drops before the answer
MODEM_SILENT = "modem_silent"  # the modem takes the text, and says nothing
RECEIPT_TWICE = "receipt_twice"  # every receipt comes twice
RECEIPT_LATE = "receipt_late"  # every receipt takes thirty times as long

NAMES = (
    ZALO_REFUSED, ZALO_NO_RECEIPT, ZALO_TIMEOUT, ZALO_QUOTA, SMS_REFUSED, SMS_FAILED, SMS_NO_RECEIPT,
    ESMS_DOWN, ESMS_TIMEOUT, MODEM_SILENT, RECEIPT_TWICE, RECEIPT_LATE,
)  # fmt: skip

LATE = 30


class Faults:
    """Which faults are on. A phone of None means every phone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._on: dict[tuple[str, str | None], None] = {}

    def switch(self, name: str, phone: str | None, on: bool) -> None:
        """KeyError for a fault that does not exist."""
        if name not in NAMES:
            raise KeyError(name)
        with self._lock:
            if on:
                self._on[name, phone] = None
            else:
                self._on.pop((name, phone), None)

    def on(self, name: str, phone: str | None = None) -> bool:
        """Whether this fault is on for this phone, or for all."""
        with self._lock:
            return (name, phone) in self._on or (name, None) in self._on

    def receipts(self, phone: str, delay: float) -> list[float]:
        """After how many seconds a receipt for this phone goes out; twice, where that fault is on."""
        delay = delay * LATE if self.on(RECEIPT_LATE, phone) else delay
        return [delay, delay] if self.on(RECEIPT_TWICE, phone) else [delay]

    def listed(self) -> list[tuple[str, str | None]]:
        with self._lock:
            return list(self._on)
