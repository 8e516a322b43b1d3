"""The OA's host: consultation texts, templates by user id, people, tags, uploads, the page itself."""

from collections.abc import Mapping
from typing import Any

import flask

from gateway.sandbox import faults, telling
from gateway.sandbox.zalo import account as accounts
from gateway.sandbox.zalo import answers, directory, letter, people, uploads
from gateway.sandbox.zalo.account import OfficialAccount
from gateway.sandbox.zalo.answers import No, yes

LONGEST_TAG = 100


def blueprint(account: OfficialAccount) -> flask.Blueprint:
    routes = flask.Blueprint("oa", __name__)
    _add_admission(routes, account)
    _add_messages(routes, account)
    _add_people(routes, account)
    _add_tags(routes, account)
    _add_uploads(routes, account)
    return routes


def _add_admission(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.before_request
    def admit():
        headers = flask.request.headers
        token = headers.get("access_token", "")
        if not account.keys.valid(token):
            return answers.refused(-216)
        if not account.proven(token, headers.get("appsecret_proof")):
            return answers.refused(-242)
        flask.g.calls_left = account.spend_call()
        return None if flask.g.calls_left >= 0 else answers.refused(-32)

    @routes.after_request
    def count(response):
        if "calls_left" in flask.g:
            response.headers["X-RateLimit-Limit"] = str(account.settings.per_minute)
            response.headers["X-RateLimit-Remain"] = str(max(0, flask.g.calls_left))
        return response


def _add_messages(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.post("/v3.0/oa/message/cs")
    def consult():
        body = answers.oa_body()
        person = _reachable(account, _recipient(body))
        silent = account.phones.now() - person.spoke_at
        if silent > accounts.WINDOW or account.fault(faults.ZALO_WINDOW_SHUT, person.phone):
            raise No(-230)
        given = letter.read(body.get("message"), account.uploads, account.phones.now())
        _check_quote(body["message"])
        paid = {"paid": True} if silent > accounts.FREE else {}
        shown = letter.Letter(given.text, given.echo, {**given.more, **paid})
        kind = "purchase_quota" if paid else "reward_quota"
        return _sent(account, person, account.show(person, shown), {"quota_type": kind})

    @routes.post("/v3.0/oa/message/template")
    def template():
        body = answers.oa_body()
        person = _reachable(account, body if "recipient" not in body else _recipient(body))
        if not person.met:
            raise No(-213)
        found = account.shelf.judge(body.get("template_id"), body.get("template_data"))
        if account.phones.faults.on(faults.ZALO_NOT_BY_ID, found.id):
            raise No(-249)
        if account.left <= 0 or account.fault(faults.ZALO_QUOTA, person.phone):
            raise No(-211)
        shown = letter.Letter(found.read(body["template_data"]), "oa_send_template", {})
        msg_id = account.show(person, shown, template=True)
        quota = {"quota_type": "purchase_quota", "remain": account.left, "total": accounts.DAILY_QUOTA}
        return _sent(account, person, msg_id, quota)

    @routes.post("/v3.0/oa/quota/message")
    def quota():
        person = _known(account, answers.oa_body())
        open_now = account.phones.now() - person.spoke_at <= accounts.FREE
        reply = {"remain": 8 if open_now else 0, "total": 8}
        last = str(int(person.spoke_at * 1000)) if person.spoke_at else ""
        promotion = {"remain": 0, "total": 0, "daily_remain": 0, "daily_total": 0}
        return yes({"last_interaction": last, "cs_reply": reply, "promotion": promotion})


def _add_people(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.get("/v3.0/oa/user/detail")
    def detail():
        person = _known(account, answers.data())
        if not person.met:
            raise No(-213)
        return yes(directory.detail(person))

    @routes.get("/v3.0/oa/user/getlist")
    def listed():
        return yes(directory.page(account.people.listed(), answers.data(), account.phones.now()))

    @routes.get("/v2.0/oa/getoa")
    def about():
        followers = sum(person.following for person in account.people.listed())
        return yes(directory.about(account.settings, followers))


def _add_tags(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.post("/v2.0/oa/tag/tagfollower")
    def tag():
        person, name = _tagged(account)
        account.people.change(person.user_id, tags=tuple(dict.fromkeys((*person.tags, name))))
        return yes()

    @routes.post("/v2.0/oa/tag/rmfollowerfromtag")
    def untag():
        person, name = _tagged(account)
        if name not in person.tags:
            raise No(-201, "tag_name")
        account.people.change(person.user_id, tags=tuple(one for one in person.tags if one != name))
        return yes()


def _add_uploads(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.post("/v2.0/oa/upload/image")
    def image():
        return yes({"attachment_id": _kept(account, "image", uploads.LARGEST_IMAGE)})

    @routes.post("/v2.0/oa/upload/file")
    def file():
        return yes({"token": _kept(account, "file", uploads.LARGEST_FILE)})


def _kept(account: OfficialAccount, kind: str, most: int) -> str:
    flask.request.max_content_length = most + 65_536  # the form around the file
    given = flask.request.files.get("file")
    octets = given.stream.read(most + 1) if given else b""
    if not octets:
        raise No(-201, "file")
    if len(octets) > most:
        raise No(-210, "file")
    upload = account.uploads.keep(kind, octets, given.filename or kind, account.phones.now())
    if upload is None:
        raise No(-201, "file type")
    return upload.id


def _recipient(body: Mapping[str, Any]) -> Mapping[str, Any]:
    found = body.get("recipient")
    if not isinstance(found, dict):
        raise No(-201, "recipient")
    return found


def _known(account: OfficialAccount, named: Mapping[str, Any]) -> people.Person:
    """The person of a user_id, which travels as a text."""
    user_id = named.get("user_id")
    person = account.people.find(user_id) if isinstance(user_id, str) else None
    if person is None:
        raise No(-201, "user_id is invalid")
    return person


def _reachable(account: OfficialAccount, named: Mapping[str, Any]) -> people.Person:
    """The same, where nothing forbids writing to this person."""
    person = _known(account, named)
    if account.fault(faults.ZALO_NOT_FOLLOWING, person.phone):
        raise No(-213)
    if person.blocked or account.fault(faults.ZALO_BLOCKED, person.phone):
        raise No(-217)
    if account.fault(faults.ZALO_RESTRICTED, person.phone):
        raise No(-244)
    return person


def _check_quote(message: Mapping[str, Any]) -> None:
    quoted = message.get("quote_message_id")
    if quoted is not None and (not isinstance(quoted, str) or not quoted):
        raise No(-201, "quote_message_id")


def _tagged(account: OfficialAccount) -> tuple[people.Person, str]:
    body = answers.oa_body()
    person, name = _known(account, body), body.get("tag_name")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_TAG:
        raise No(-201, "tag_name")
    if not person.following:
        raise No(-213)
    return person, name.strip()


def _sent(account: OfficialAccount, person: people.Person, msg_id: str, quota: Mapping[str, Any]):
    """The answer to a message that was taken, or its beginning where the link drops."""
    if account.fault(faults.ZALO_TIMEOUT, person.phone):
        return telling.cut_off()
    data = {"message_id": msg_id, "user_id": person.user_id, "sent_time": account.milliseconds()}
    return yes({**data, "quota": quota})
