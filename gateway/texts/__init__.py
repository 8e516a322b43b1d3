"""Text messages from citizens: kept, understood or passed on to the inbox, and answered in one part.

Functions run inside a `database.writing` transaction; `words(language, text)` translates a Vietnamese text.
"""

from gateway.texts.opting import stopped
from gateway.texts.taking import CHANNEL, take_in

__all__ = ["CHANNEL", "stopped", "take_in"]
