"""SMPP 3.4 as it goes over the wire, pure: frames and their fields, a text in its parts, what a receipt says.

pdus       octets ↔ PDUs; the body that submit_sm and deliver_sm share
texts      a text ↔ the short messages that carry it
receipts   what a deliver_sm that is a receipt says, and the names its message may have
"""
