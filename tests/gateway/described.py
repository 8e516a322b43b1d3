"""The stand-in providers as config.toml would describe them."""

from __future__ import annotations

from gateway.rules import settings


def of_json(base, **changed):
    """The one that speaks JSON and knows a repeat by our reference."""
    return {
        "url": f"{base}/http-sms/v1/messages",
        "headers": {"Authorization": "Bearer {secret}"},
        "fields": {"to": "{to}", "text": "{text}", "ref": "{reference}", "callback": "{callback}"},
        "answer": {
            "code": "code", "id": "data.id", "message": "message",
            "status": "data.state", "balance": "data.balance",
        },
        "codes": {
            "9": "taken", "11": "config", "12": "quota", "13": "person", "14": "message", "15": "later",
            "16": "template", "17": "bug",
        },
        "repeats": True,
        "report": {"reference": "ref", "id": "id", "status": "state", "phone": "to"},
        "delivered": ["DELIVERED"],
        "failed": ["UNDELIVERED"],
        "status_url": f"{base}/http-sms/v1/messages/{{id}}",
        "balance_url": f"{base}/http-sms/v1/account",
        **changed,
    }  # fmt: skip


def of_plain(base, **changed):
    """The one that takes a query and answers in a line of text; it is not known to tell a repeat."""
    return {
        "url": f"{base}/http-sms/plain",
        "method": "GET",
        "body": "query",
        "phone": "national",
        "fields": {"key": "{secret}", "to": "{to}", "text": "{text}"},
        "answer_pattern": r"^(OK|ERR) (?P<code>[0-9]+) (?P<id>[0-9a-f]{32})?(?P<message>.*)$",
        "codes": {"11": "config", "12": "quota", "13": "person", "14": "message"},
        **changed,
    }


def read(own, **sms):
    """The settings of a lane named "khac" with this description."""
    return settings.read({"sms": {"http": {"khac": own}, "providers": ["khac"], **sms}}, {})
