"""tin báo: the outbox. Planning a notice, claiming what is due, writing down what became of it.

Functions run inside a `database.writing` transaction. What happens next is decided by
`rules.lifecycle.notice.step` alone; here its answers are carried out on rows.
"""

from gateway.notices.planning import Planned, cancel, cancel_for_ticket, plan
from gateway.notices.receipts import (
    RECEIPT_PATIENCE,
    put_off_receipt,
    read_receipt,
    settle_receipts,
    store_receipt,
    unread_receipts,
)
from gateway.notices.sending import Result, Task, claim_due, fall_silent, parts_since, record
from gateway.notices.steps import ladder, new_id, policy

__all__ = [
    "Planned",
    "RECEIPT_PATIENCE",
    "Result",
    "Task",
    "cancel",
    "cancel_for_ticket",
    "claim_due",
    "fall_silent",
    "ladder",
    "new_id",
    "parts_since",
    "plan",
    "policy",
    "put_off_receipt",
    "read_receipt",
    "record",
    "settle_receipts",
    "store_receipt",
    "unread_receipts",
]
