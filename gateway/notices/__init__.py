"""tin báo: the outbox. Planning a notice, claiming what is due, writing down what became of it.

Functions run inside a `database.writing` transaction. What happens next is decided by
`rules.lifecycle.notice.step` alone; here its answers are carried out on rows, in batches.
"""

from gateway.notices.parts import EVENT as PART
from gateway.notices.parts import Cut, Handed
from gateway.notices.parts import settle as settle_parts
from gateway.notices.planning import (
    HANDLED,
    Planned,
    cancel,
    cancel_for_ticket,
    handle,
    plan,
    plan_all,
    repeat,
    worth_repeating,
)
from gateway.notices.receipts import (
    RECEIPT_PATIENCE,
    put_off_receipt,
    read_receipt,
    settle_receipts,
    something_waits,
    unread_receipts,
)
from gateway.notices.sending import (
    Result,
    Room,
    Task,
    Terms,
    claim_due,
    parts_since,
    record,
    urgent_is_due,
)
from gateway.notices.steps import ladder, new_id, policy
from gateway.notices.storing import store_receipt, store_receipts
from gateway.notices.suppressing import lift, suppress
from gateway.notices.sweeping import Answer, Question, adopt, answered, pass_by, sweep

__all__ = [
    "Answer",
    "Cut",
    "HANDLED",
    "Handed",
    "PART",
    "Planned",
    "Question",
    "RECEIPT_PATIENCE",
    "Result",
    "Room",
    "Task",
    "Terms",
    "adopt",
    "answered",
    "cancel",
    "cancel_for_ticket",
    "claim_due",
    "handle",
    "ladder",
    "lift",
    "new_id",
    "parts_since",
    "pass_by",
    "plan",
    "plan_all",
    "policy",
    "put_off_receipt",
    "read_receipt",
    "record",
    "repeat",
    "settle_parts",
    "settle_receipts",
    "something_waits",
    "store_receipt",
    "store_receipts",
    "suppress",
    "sweep",
    "unread_receipts",
    "urgent_is_due",
    "worth_repeating",
]
