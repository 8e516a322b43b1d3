"""A template and its parameters, as they go out by phone and by user id."""

import unicodedata
from typing import Any

from gateway.channels import Fault, Message, Refused


def template(message: Message) -> dict[str, Any]:
    """The template's part of the body; raises Refused where there is no template, or a parameter is empty."""
    _check_filled(message)
    if not message.template_id:
        reason = f"chưa có mẫu tin Zalo cho loại {message.kind} / no Zalo template for {message.kind}"
        raise Refused("template", reason, "template", Fault.CONFIG)
    data = {name: composed(value) for name, value in message.template_data.items()}
    return {"template_id": message.template_id, "template_data": data}


def composed(value: str) -> str:
    # Zalo counts code points: a decomposed name is a quarter longer and may be refused.
    return unicodedata.normalize("NFC", value)


def _check_filled(message: Message) -> None:
    """Zalo says -1122 to an empty parameter, as it does to a template that has others than ours; but one message
    that lacks something must not be taken for a template at fault."""
    empty = [name for name, value in message.template_data.items() if not value.strip()]
    if empty:
        shown = ", ".join(empty)
        reason = f"Tin thiếu dữ liệu cho tham số {shown} / the message has nothing for parameter {shown}"
        raise Refused("empty", reason, "message", Fault.CONFIG)
