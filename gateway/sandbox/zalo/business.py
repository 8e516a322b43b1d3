"""The host of templates by phone: send, status, limits, the templates."""

import flask

from gateway.sandbox import faults, telling
from gateway.sandbox.zalo import answers, shelf
from gateway.sandbox.zalo.account import DAILY_QUOTA, OfficialAccount
from gateway.sandbox.zalo.answers import No, yes

MOST_LISTED = 100


def blueprint(account: OfficialAccount) -> flask.Blueprint:
    routes = flask.Blueprint("business", __name__)

    @routes.before_request
    def admit():
        headers = flask.request.headers
        token = headers.get("access_token", "")
        if not account.keys.valid(token):
            return answers.refused(-124)
        return None if account.proven(token, headers.get("appsecret_proof")) else answers.refused(-1241)

    _add_messages(routes, account)
    _add_limits(routes, account)
    _add_templates(routes, account)
    return routes


def _add_messages(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.post("/message/template")
    def send():
        body = answers.body()
        number = account.judge(body)
        data = account.take(number, body)
        return telling.cut_off() if account.fault(faults.ZALO_TIMEOUT, number.e164) else yes(data)

    @routes.get("/message/status")
    def status():
        return yes(account.status(flask.request.args.get("message_id", "")))


def _add_limits(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.get("/message/quota")
    def quota():
        unknown = ("dailyQuotaPromotion", "remainingQuotaPromotion", "monthlyPromotionQuota")
        unknown += ("remainingMonthlyPromotionQuota", "estimatedNextMonthPromotionQuota")
        left = 0 if account.phones.faults.on(faults.ZALO_QUOTA) else account.left
        return yes({"dailyQuota": DAILY_QUOTA, "remainingQuota": left, **dict.fromkeys(unknown)})

    @routes.get("/quality")
    def quality():
        return yes({"oaCurrentQuality": "HIGH", "oa7dayQuality": "HIGH"})

    @routes.get("/message/template-tag")
    def tags():
        return yes(["OTP", "IN_TRANSACTION", "POST_TRANSACTION", "ACCOUNT_UPDATE"])


def _add_templates(routes: flask.Blueprint, account: OfficialAccount) -> None:
    @routes.get("/template/all")
    def listed():
        asked = flask.request.args
        offset, limit = _whole(asked.get("offset", "0")), _whole(asked.get("limit", "100"))
        status = asked.get("status")
        if offset is None or limit is None or not 0 < limit <= MOST_LISTED:
            raise No(-132, "offset, limit")
        if status is not None and status not in shelf.STATES:
            raise No(-132, "status")
        total, rows = account.shelf.page(offset, limit, shelf.STATES.get(status or ""))
        return yes(rows, metadata={"total": total})

    @routes.get("/template/info/v2")
    def info():
        return yes(account.shelf.described(_asked_for()))

    @routes.get("/template/sample-data")
    def sample():
        return yes(_asked_for().sample())

    def _asked_for():
        template = account.shelf.find(flask.request.args.get("template_id", ""))
        if template is None:
            raise No(-109)
        return template


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else None
