"""The stand-in SMSC: a server on the loopback that speaks SMPP 3.4, strictly, and misbehaves when it is told to.

service    the account: who may bind, what was taken, what goes to the phones and comes from them
line       one connection: PDUs in and out, in the manner that a test asks for
judge      every field of a submit_sm as the standard and this SMSC's papers want it
manner     how it misbehaves
"""

from gateway.sandbox.smsc.manner import Answer, Manner
from gateway.sandbox.smsc.service import Smsc, Taken

__all__ = ["Answer", "Manner", "Smsc", "Taken"]
