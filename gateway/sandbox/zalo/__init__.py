"""The stand-in Zalo: it refuses what the real one refuses, with the same codes in a 200, and signs what it signs.

consent    the OAuth hosts: consent, tokens
business   the host of templates by phone
open       the OA's host: chat texts, templates by user id, people, tags, uploads
handset    what people do on their phones; not Zalo's, but the town's
account    what Zalo knows of the page; people, shelf (templates), uploads, letter (a chat message), events (webhooks)

Not known of the real one, and chosen here: -210 and -201 for uploads that are too large or of a wrong type,
-100 for a picture older than seven days, and that a person who has unfollowed may be answered as long as the
seven days last.
"""

import flask

from gateway.sandbox.zalo import answers, business, consent, handset, open
from gateway.sandbox.zalo.account import DAILY_QUOTA, OfficialAccount
from gateway.sandbox.zalo.handset import described

__all__ = ["DAILY_QUOTA", "OfficialAccount", "blueprint", "described"]


def blueprint(account: OfficialAccount) -> flask.Blueprint:
    """All hosts of Zalo that we use, behind one."""
    routes = flask.Blueprint("zalo", __name__)
    routes.register_error_handler(answers.No, answers.on_no)
    routes.register_blueprint(consent.blueprint(account.keys, account.settings))
    for part in (business, open, handset):
        routes.register_blueprint(part.blueprint(account))
    return routes
