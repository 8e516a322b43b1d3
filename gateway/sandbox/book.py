"""What a stand-in provider of text messages has taken, carries to the phones and reports. It outlives a crash."""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gateway.rules.sms import segments
from gateway.sandbox import faults, ledger, network, options, postman


@dataclass(frozen=True)
class Taken:
    """A message that was taken. `reports` False: the telco will never say what became of it. `due`: when it does."""

    sms_id: str
    request_id: str
    phone: str
    parts: int
    failed: bool
    reports: bool
    due: float


def any_id() -> str:
    return uuid.uuid4().hex


class Book:
    """One provider's; `name` is its ledger's."""

    def __init__(
        self, name: str, phones: network.Network, settings: options.Options, post: postman.Postman
    ) -> None:
        self._phones, self._settings, self._post = phones, settings, post
        self._lock = threading.Lock()
        self._ledger = ledger.Ledger(settings.folder / f"{name}-taken.jsonl", keep=100_000)
        self._by_request: dict[str, Taken] = {}
        self._by_id: dict[str, Taken] = {}
        for row in self._ledger.rows:
            self._keep(Taken(**row))

    def take(
        self, number: str, text: str, reference: str | None, new_id: Callable[[], str] = any_id
    ) -> tuple[Taken, bool]:
        """(what was taken, whether it is new); the same reference is taken once."""
        on = self._phones.faults.on
        delay = self._phones.faults.receipts(self._settings.receipt_delay, number)[0]
        taken = Taken(
            sms_id=new_id(),
            request_id=reference or any_id(),
            phone=number,
            parts=len(segments.split(text).parts),
            failed=on(faults.SMS_FAILED, number),
            reports=not on(faults.SMS_NO_RECEIPT, number),
            due=time.time() + delay,
        )
        with self._lock:
            if taken.request_id in self._by_request:
                return self._by_request[taken.request_id], False
            self._keep(taken)
            self._ledger.append(**asdict(taken))
        return taken, True

    def carry(self, taken: Taken, text: str, sender: str, tell: Callable[[bool], bool] | None) -> None:
        """To the phone, and later `tell(failed)`, which says whether somebody took it."""
        if not taken.failed:
            self._phones.deliver(
                taken.phone, via="sms", sender=sender, text=text, parts=taken.parts,
                ref=taken.request_id, id=taken.sms_id,
            )  # fmt: skip
        switches = self._phones.faults
        if tell is None or not taken.reports or switches.on(faults.SMS_REPORT_LOST, taken.phone):
            return
        said = taken.failed or switches.on(faults.SMS_REPORT_WRONG, taken.phone)
        if switches.on(faults.SMS_REPORT_FIRST, taken.phone):
            tell(said)
            return
        for delay in switches.receipts(self._settings.receipt_delay, taken.phone):
            self._post.until_taken(delay, lambda: tell(said))

    def find(self, sms_id: str) -> Taken | None:
        return self._by_id.get(sms_id)

    def known(self, taken: Taken) -> bool:
        """Whether the telco has reported it."""
        return taken.reports and time.time() >= taken.due

    def spent(self, price: int) -> int:
        """What all of it has cost at this price a part."""
        with self._lock:
            return price * sum(one.parts for one in self._by_id.values())

    def close(self) -> None:
        self._ledger.close()

    def _keep(self, taken: Taken) -> None:
        self._by_request[taken.request_id] = self._by_id[taken.sms_id] = taken
