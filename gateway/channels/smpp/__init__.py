"""SMS by SMPP 3.4: a line to an aggregator's or an operator's SMSC.

Why no library: smpplib 2.2.4, the one that is kept up, was read before this was written. It loses the octets it
has read when a time-out falls into the middle of a PDU, and then takes text for headers; it believes any length
up to 4 GB; it asks enquire_link and never looks whether an answer came; it takes whatever comes first for the
answer to its bind; its TLS knows no host name and so checks nobody; it has no window and no timer for an answer;
an SMSC's unbind stays unanswered. What is left, the PDUs, are two hundred lines (`rules.smpp`), and smpplib
holds them to account in the tests, both ways.

lane       the channel: one thread that owns the line, its queue, its recovery
session    one line from its bind to its end: submits and answers, timers, the window
link       a connected socket: PDUs in and out, and how much of them has left
errands    messages under way, part by part, and how each ends
heard      what an SMSC sends by itself: receipts and texts, told and then acknowledged
"""

from gateway.channels.smpp.lane import Patience, Smpp

__all__ = ["Patience", "Smpp"]
