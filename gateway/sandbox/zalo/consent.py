"""Zalo's OAuth: an admin of the page says yes, and tokens are given for a code or a refresh token."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import flask

from gateway.rules import hashes
from gateway.sandbox import keyring, options


def blueprint(keys: keyring.Keyring, settings: options.Options) -> flask.Blueprint:
    routes = flask.Blueprint("consent", __name__)

    @routes.get("/v4/oa/permission")
    def permission():
        """Says yes at once; with `ask` there is a page on which a person says so, or turns back."""
        asked = flask.request.args
        if asked.get("app_id") != settings.app_id:
            return {"error": -14002, "error_name": "Invalid appId"}
        back = asked.get("redirect_uri", "")
        if urlsplit(back).scheme not in ("http", "https"):
            return {"error": -14003, "error_name": "Invalid redirect uri"}
        if asked.get("ask") == "1":
            kept = {name: value for name, value in asked.items() if name != "ask"}
            return flask.render_template("consent.html", asked=kept, page=settings.oa_name, back=back)
        answer = {"code": keys.code(asked.get("code_challenge")), "oa_id": settings.oa_id}
        answer |= {"state": asked["state"]} if "state" in asked else {}
        return flask.redirect(back + ("&" if "?" in back else "?") + urlencode(answer))

    @routes.post("/v4/oa/access_token")
    def access_token():
        form = flask.request.form
        known = form.get("app_id") == settings.app_id
        if not known or not hashes.same(flask.request.headers.get("secret_key", ""), settings.app_secret):
            return {"error": -14002, "error_name": "Invalid appId"}
        return _shown(_pair(keys, form))

    @routes.get("/tools/token")
    def api_explorer():
        return _shown(keys.pair())

    return routes


def _pair(keys: keyring.Keyring, form: Mapping[str, str]) -> keyring.Pair | None:
    if form.get("grant_type") == "refresh_token":
        return keys.renew(form.get("refresh_token", ""))
    if form.get("grant_type") == "authorization_code":
        return keys.redeem(form.get("code", ""), form.get("code_verifier"))
    return None


def _shown(pair: keyring.Pair | None) -> dict[str, Any]:
    if pair is None:
        # Zalo publishes no code for a spent token; what matters is that there is no token in the answer.
        return {"error": -14000, "error_name": "Invalid grant", "error_reason": "used, expired or unknown"}
    life = str(keyring.ACCESS_LIFE)
    return {"access_token": pair.access, "refresh_token": pair.refresh, "expires_in": life}
