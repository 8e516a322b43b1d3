"""SMS through a GSM modem on a serial port: slow, cheap, free of the internet, and people can answer.

owner      the channel: one thread that owns the port, its queue of messages, its recovery
port       a serial port or a socket, opened by a URL, and the bell that ends a wait
dialogue   AT commands on a port, and what the modem says between them
preparing  a modem made ready: SIM, network, settings
errand     one message, and its parts handed over one by one
shelf      the modem's memories
inbox      texts that came in, joined from their parts
telling    reports and texts told to who keeps them, until they are kept
state      what the modem is like, for the officer's page
patience   how long it waits for what

No memory of what was sent is kept here: every part and its number goes to the database, and so does every
report, so that they meet also over a restart.
"""

from gateway.channels.modem.owner import Modem
from gateway.channels.modem.patience import Patience
from gateway.channels.modem.state import State

__all__ = ["Modem", "Patience", "State"]
