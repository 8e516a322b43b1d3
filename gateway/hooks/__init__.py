"""Telling other programs what becomes of their notices: an outbox of its own, and a courier that empties it.

`outbox` is written in the engine's own transactions and imports nothing of it; `courier` delivers.
"""
