"""The chat with citizens on Zalo: what they say is kept, understood or passed on, and answered.

Functions run inside a `database.writing` transaction; `words(language, text)` translates a Vietnamese text.
"""

from gateway.chat.conversations import answered, close, current, heard, opened
from gateway.chat.links import Opened, held, link, made_with
from gateway.chat.links import opened as opened_link
from gateway.chat.registering import registered
from gateway.chat.saying import AUTO, TEXT_LENGTH, say
from gateway.chat.taking import CHANNEL, take_in
from gateway.chat.talk import Words

__all__ = [
    "AUTO",
    "CHANNEL",
    "Opened",
    "TEXT_LENGTH",
    "Words",
    "answered",
    "close",
    "current",
    "heard",
    "held",
    "link",
    "made_with",
    "opened",
    "opened_link",
    "registered",
    "say",
    "take_in",
]
