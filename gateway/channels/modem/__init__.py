"""SMS through a GSM modem on a serial port: the last resort, slow, cheap, and free of the internet.

owner      the channel: one thread that owns the port, its queue of messages, its recovery
dialogue   AT commands on a port, and what the modem says between them
airborne   the parts handed over, and what their status reports add up to
inbox      texts that came in, joined from their parts
"""

from gateway.channels.modem.inbox import Incoming
from gateway.channels.modem.owner import Modem, Patience

__all__ = ["Incoming", "Modem", "Patience"]
