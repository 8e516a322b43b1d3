"""The loop: what is due, what fell silent, what the timetable says.

`desk` writes the rows down and claims new ones, `lane` hands tasks to threads, `sender` gives one task to its
channel, `timetable` does what the hour asks for, `leading` makes sure that one process does it; `loop` is
the whole of it, running.
"""

from gateway.worker.loop import Worker

__all__ = ["Worker"]
