"""A strict stand-in for a ticket printer: ESC/POS over TCP in, pictures of paper out.

printer = PrinterStandIn("data/sandbox/tickets", port=9100)
printer.start(); printer.fault("paper_out", True); printer.stop()
"""

from gateway.sandbox.printer.server import FAULTS as FAULTS
from gateway.sandbox.printer.server import PrinterStandIn as PrinterStandIn
