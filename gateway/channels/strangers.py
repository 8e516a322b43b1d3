"""Codes that no table has: two more tries for the same message, and then it is a matter for the operator."""

import hashlib
import threading
from collections import OrderedDict

from gateway.channels import Fault, Message, Refused, Unreachable, codes

TRIES = 2
MOST = 2_000


class Strangers:
    """Counts by message, i.e. by phone and text: the engine gives each try a reference of its own.

    For any number of threads. It forgets over a restart, which costs two tries more.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._met: OrderedDict[bytes, int] = OrderedDict()

    def complaint(self, table: str, code: str, detail: str, message: Message) -> Refused | Unreachable:
        """As `codes.complaint`; the third time that nobody knows what is said about a message, it is refused."""
        said = codes.complaint(table, code, detail)
        if (
            code in codes.TABLES[table]
            or self._times(code, message) <= TRIES
            or not isinstance(said, Unreachable)
        ):
            return said
        return Refused(code, said.reason, "message", Fault.CONFIG)

    def _times(self, code: str, message: Message) -> int:
        about = f"{code}\n{message.to}\n{message.text}".encode()
        key = hashlib.blake2b(about, digest_size=16).digest()
        with self._lock:
            times = self._met.pop(key, 0) + 1
            self._met[key] = times
            while len(self._met) > MOST:
                self._met.popitem(last=False)
        return times
