"""Zalo: an Official Account's ways to a person, and what else it can be asked.

account    one signed call to one of Zalo's hosts: the token, the proof, one new token when the old one is dead
phone      a template to a phone number ("zalo"), the only way with a receipt that carries our reference
person     a template to a user id ("zalo_uid"), and consultation text in the chat ("zalo_cs")
texts      what a chat message may hold, and its shape on the wire
filled     a template's parameters, as every way sends them
answers    reading what Zalo says: numbers that come as texts, ids too long for a float
official   the account itself: people, tags, templates, quotas, uploads

The two hosts have different error codes; see gateway.channels.codes.
"""

from gateway.channels.zalo.account import Tokens
from gateway.channels.zalo.official import Official
from gateway.channels.zalo.person import ZaloByUser, ZaloChat
from gateway.channels.zalo.phone import ZaloTemplate

__all__ = ["Official", "Tokens", "ZaloByUser", "ZaloChat", "ZaloTemplate"]
