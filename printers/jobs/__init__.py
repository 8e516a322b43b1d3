"""Print jobs that survive anything: one row a paper, and one machine that brings it to paper.

spool = jobs.Spool("data/kiosk/print.db", "tcp://127.0.0.1:9100", device.capabilities("TM-T20II"))
spool.submit("B017", ticket, now=now)     any thread, any process; durable when it returns
spool.run(stop, on_change, on_printer)    the one thread that owns the printer
"""
from printers.jobs.ledger import CANCELLED as CANCELLED
from printers.jobs.ledger import CONFIRMED as CONFIRMED
from printers.jobs.ledger import FAILED as FAILED
from printers.jobs.ledger import HELD as HELD
from printers.jobs.ledger import NEW as NEW
from printers.jobs.ledger import READY_CHECK as READY_CHECK
from printers.jobs.ledger import SENDING as SENDING
from printers.jobs.ledger import SENT as SENT
from printers.jobs.ledger import UNCERTAIN as UNCERTAIN
from printers.jobs.ledger import Job as Job
from printers.jobs.spool import Spool as Spool
from printers.jobs.spool import UnknownJob as UnknownJob
from printers.status import PrinterState as PrinterState
