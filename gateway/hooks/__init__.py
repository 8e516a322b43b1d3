"""Telling other programs what becomes of their notices: an outbox of its own, and a courier that empties it.

`outbox` is written in the engine's own transactions and imports nothing of it; `register` are the hooks
themselves; `deliveries` what happens to the outbox's rows; `calling` one call; `courier` makes the calls.
"""
