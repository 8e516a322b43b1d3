"""Zalo by user id: an approved template ("zalo_uid"), and free text in the chat ("zalo_cs").

Neither takes a reference of ours: Zalo's own message id is what a receipt is matched by, and nobody can be
asked what became of a message. Where its answer is lost so is that id: no receipt can be matched, and whoever
waits for one goes on to the next channel in the end.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from gateway.channels import Accepted, Fault, Message, Refused, Report
from gateway.channels.zalo import account, answers, filled, texts

MOST_SEEN = 100
"""Ids in one seen event that are read; Zalo names a handful."""

_USER_ID = re.compile(r"[0-9A-Za-z_-]{1,40}")


class _ByUserId:
    """What both ways have in common: the host, the receipts, and that nothing can be asked afterwards."""

    name: str

    def __init__(
        self, oa_base: str, table: str, tokens: account.Tokens, concurrency: int, signing: Mapping[str, Any]
    ) -> None:
        self.concurrency = concurrency
        self._account = account.Account(oa_base, table, tokens, **signing)

    def pull(self, provider_ref: str | None, reference: str) -> Report | None:
        """Zalo has no look-up for these."""
        return None

    @staticmethod
    def callback(event: Mapping[str, Any]) -> Report | None:
        """The (first) receipt in a webhook event whose signature was checked; None for every other event."""
        return next(iter(receipts(event)), None)

    def close(self) -> None:
        self._account.close()


class ZaloByUser(_ByUserId):
    """Templates by user id. `body`: how the user is named, which Zalo's documents tell in two ways."""

    name = "zalo_uid"

    def __init__(
        self,
        oa_base: str,
        tokens: account.Tokens,
        *,
        body: Literal["flat", "recipient"] = "flat",
        concurrency: int = 16,
        **signing: Any,
    ) -> None:
        """`signing`: app_secret, proof and timeout, as account.Account takes them."""
        super().__init__(oa_base, "zalo_uid", tokens, concurrency, signing)
        self._body = body

    def send(self, message: Message) -> Accepted:
        who = {"user_id": _user_id(message)}
        whom = who if self._body == "flat" else {"recipient": who}
        document = self._account.post("/v3.0/oa/message/template", whom | filled.template(message))
        accepted = _accepted(document)
        quota = answers.part(answers.data(document), "quota")
        remaining, total = answers.whole(quota.get("remain")), answers.whole(quota.get("total"))
        return replace(accepted, remaining=remaining, total=total)


class ZaloChat(_ByUserId):
    """Consultation text in the chat, for whoever has spoken to the account within seven days.

    The quota in an answer is not told: where there is one, it may be what is left for this one person.
    """

    name = "zalo_cs"

    def __init__(
        self, oa_base: str, tokens: account.Tokens, *, concurrency: int = 16, **signing: Any
    ) -> None:
        """`signing`: app_secret, proof and timeout, as account.Account takes them."""
        super().__init__(oa_base, "oa", tokens, concurrency, signing)

    def send(self, message: Message) -> Accepted:
        body = {"recipient": {"user_id": _user_id(message)}, "message": texts.message(message)}
        try:
            return _accepted(self._account.post("/v3.0/oa/message/cs", body))
        except Refused as fault:
            if fault.scope != "template":
                raise
            # There is no template here: one text that Zalo dislikes must not shut the chat for everybody.
            raise Refused(fault.code, fault.reason, "message", fault.fault, fault.rest_days) from fault


def receipts(event: Mapping[str, Any]) -> tuple[Report, ...]:
    """The receipts in an event of the account: arrived (one message) or seen (several); () for all others.

    What was seen has arrived. `to` is the user id.
    """
    name, message = event.get("event_name"), event.get("message")
    if not isinstance(message, Mapping) or message.get("tracking_id"):
        return ()
    if name == "user_received_message":
        ids, code = [message.get("msg_id")], "received"
    elif name == "user_seen_message":
        ids, code = [message.get("msg_id"), *answers.rows(message, "msg_ids")[:MOST_SEEN]], "seen"
    else:
        return ()
    at = answers.seconds(message.get("delivery_time"))
    at = at if at is not None else answers.seconds(event.get("timestamp"))
    to = answers.text(answers.part(event, "recipient").get("id"))
    known = dict.fromkeys(filter(None, map(answers.text, ids)))
    return tuple(Report(None, one, to, True, code, at, True) for one in known)


def _accepted(document: Mapping[str, Any]) -> Accepted:
    return Accepted(provider_ref=answers.text(answers.data(document).get("message_id")))


def _user_id(message: Message) -> str:
    if not _USER_ID.fullmatch(message.zalo_user_id or ""):
        reason = "không biết tài khoản Zalo của người này / this person's Zalo account is not known"
        raise Refused("user_id", reason, "phone", Fault.PERSON)
    return message.zalo_user_id
